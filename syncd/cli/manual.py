"""The manual page, made from the command line's own definition: man-pages(7), groff_man(7)."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import click

from syncd.cli.options import Group

EXIT_CODES = {
    0: "Done.",
    1: "A table stopped, a cutover was aborted, or another failure.",
    2: "The command line is wrong.",
    3: "The two sides differ.",
    4: "Not ready: nothing is loaded yet, the check says NO-GO, or PostgreSQL has taken over.",
    5: "Another syncd works on this source.",
    75: "A fault that passes: PostgreSQL is away, SQLite is locked. Run it again.",
    77: "A right or a password is missing.",
    78: "The configuration is wrong.",
    129: "Stopped by a terminal that was lost. The next command goes on from there.",
    130: "Stopped by Ctrl-C. The next command goes on from there.",
    143: "Stopped by SIGTERM. The next command goes on from there.",
}

_VARIABLES = {
    "SYNCD_CONFIG": "The configuration, as -c FILE.",
    "SYNCD_SOURCE": "The SQLite file, as --source PATH.",
    "SYNCD_TARGET": "The PostgreSQL database, as --target DSN.",
    "SYNCD_STATE_DIR": "The folder for private copies, as state_dir in the configuration.",
    "SYNCD_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR.",
    "PGHOST, PGDATABASE, PGUSER, PGPASSWORD and libpq's others": "The target, where nothing else names it.",
    "NO_COLOR": "Print without colours.",
}
_FILES = {
    "syncd.ini": "The configuration, by whatever name -c gives it. syncd init writes one with comments.",
    "$STATE_DIRECTORY, /var/lib/syncd, ~/.local/state/syncd": (
        "Private copies of the source, and the data of the PostgreSQL that comes along: "
        "under systemd, as root, as anybody else."
    ),
}


@dataclass(frozen=True)
class Told:
    """A command's help, taken apart: paragraphs, and example command lines."""

    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]


def told(command: click.Command) -> Told:
    """What the help of a command says; its examples stand at its end, one a line."""
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\nExample: ")
    paragraphs = tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
    return Told(paragraphs, tuple(line.strip() for line in examples.splitlines() if line.strip()))


def manual(program: Group, version: str, day: str) -> str:
    """The page syncd(1) in roff; `day`, as YYYY-MM-DD, stands at its foot."""
    return "\n".join((*_head(program, version, day), *_commands(program), *_tail(program))) + "\n"


def _head(program: Group, version: str, day: str) -> Iterator[str]:
    summary, *rest = told(program).paragraphs
    yield f'.TH SYNCD 1 "{day}" "syncd {version}" "User Commands"'
    yield from (".SH NAME", rf"syncd \- {_text(summary[0].lower() + summary[1:].removesuffix('.'))}")
    yield from (".SH SYNOPSIS", ".B syncd", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]", ".SH DESCRIPTION")
    yield from _paragraphs((summary, *rest))


def _commands(program: Group) -> Iterator[str]:
    shared = {name for parameter in program.params for name in parameter.opts}
    for chapter, names in program.chapters.items():
        yield f".SH {_quoted(f'COMMANDS: {chapter}'.upper())}"
        for name in names:
            yield from _command(program.all_commands()[name], f"syncd {name}", shared)


def _command(command: click.Command, path: str, shared: set[str]) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f".SS {_quoted(' '.join([path, *_arguments(command, context)]))}"
    yield from _paragraphs(told(command).paragraphs)
    yield from _options([one for one in command.params if not shared.intersection(one.opts)], context)
    yield from _examples(told(command).examples)
    if isinstance(command, Group):
        for name, inner in command.all_commands().items():
            yield from _command(inner, f"{path} {name}", shared)


def _arguments(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, Group):
        yield "COMMAND"
    yield from (one.make_metavar(context) for one in command.params if isinstance(one, click.Argument))


def _options(parameters: list[click.Parameter], context: click.Context) -> Iterator[str]:
    for parameter in parameters:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            names, said = record
            yield from (".TP", rf"\fB{_text(names)}\fR", _text(said))


def _examples(examples: tuple[str, ...]) -> Iterator[str]:
    if examples:
        yield from (".PP", "Example:", *_lines(examples))


def _lines(examples: tuple[str, ...]) -> Iterator[str]:
    yield from (".RS 4", ".EX")
    yield from map(_text, examples)
    yield from (".EE", ".RE")


def _tail(program: Group) -> Iterator[str]:
    yield ".SH OPTIONS OF EVERY COMMAND"
    yield from _paragraphs(("They stand before the name of the command or after it.",))
    yield from _options(program.params, click.Context(program, info_name="syncd"))
    yield ".SH EXIT STATUS"
    yield from _list({str(code): said for code, said in EXIT_CODES.items()})
    yield ".SH ENVIRONMENT"
    yield from _paragraphs(("A flag beats a variable, a variable beats the configuration.",))
    yield from _list(_VARIABLES)
    yield ".SH FILES"
    yield from _list(_FILES)
    yield ".SH EXAMPLES"
    yield from _lines(told(program).examples)
    yield from (".SH SEE ALSO", ".BR psql (1),", ".BR sqlite3 (1),", ".BR systemd.service (5)")


def _list(entries: dict[str, str]) -> Iterator[str]:
    for term, said in entries.items():
        yield from (".TP", rf"\fB{_text(term)}\fR", _text(said))


def _paragraphs(paragraphs: tuple[str, ...]) -> Iterator[str]:
    """The text below a title, which begins a paragraph by itself."""
    for number, paragraph in enumerate(paragraphs):
        yield from (".PP", _text(paragraph)) if number else (_text(paragraph),)


def _quoted(text: str) -> str:
    """One argument of a macro."""
    return '"' + _text(text).replace('"', r"\(dq") + '"'


def _text(text: str) -> str:
    """Text as roff prints it: a plain `-` would be a hyphen, and a dot at the start of a line a macro."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga").replace("~", r"\(ti")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain
