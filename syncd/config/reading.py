"""Reading the configuration: every fault at once, each with the line, the flag or the variable that it comes from.

No message holds a DSN or another URL: they may carry a password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from syncd import ini
from syncd.config.sections import (
    AggregateConfig,
    BenchmarkConfig,
    Config,
    CutoverConfig,
    Expression,
    HooksConfig,
    HypertableConfig,
    IndexConfig,
    LogConfig,
    NotifyConfig,
    Section,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    WebConfig,
)
from syncd.config.values import meant
from syncd.errors import ConfigError
from syncd.ini import Fault

_Address = tuple[str, str]
_SECTIONS: Mapping[str, type[Section]] = {
    "source": SourceConfig,
    "target": TargetConfig,
    "sync": SyncConfig,
    "table:NAME": TableConfig,
    "hypertable:NAME": HypertableConfig,
    "aggregate:NAME": AggregateConfig,
    "index:NAME": IndexConfig,
    "benchmark:NAME": BenchmarkConfig,
    "web": WebConfig,
    "notify": NotifyConfig,
    "cutover": CutoverConfig,
    "hooks": HooksConfig,
    "log": LogConfig,
}
_FAMILIES = {
    "table": "tables",
    "hypertable": "hypertables",
    "aggregate": "aggregates",
    "index": "indexes",
    "benchmark": "benchmarks",
}
"""The field of `Config` that holds the sections of a kind, one for each name."""
_KINDS = {field: kind for kind, field in _FAMILIES.items()}
_VARIABLES = {
    "SYNCD_SOURCE": ("source", "path"),
    "SYNCD_TARGET": ("target", "dsn"),
    "SYNCD_STATE_DIR": ("sync", "state_dir"),
    "SYNCD_LOG_LEVEL": ("log", "level"),
}
_FLAGS = {("source", "path"): "--source", ("target", "dsn"): "--target", ("log", "format"): "--log-format"}
_REFUSALS = {
    "bool_parsing": "is neither yes nor no",
    "int_parsing": "is no whole number",
    "int_parsing_size": "is no whole number",
    "float_parsing": "is no number",
    "finite_number": "is no number",
    "greater_than": "is too short",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
}


def load(path: Path | None, overrides: Mapping[_Address, str] = {}, environ: Mapping[str, str] = {}) -> Config:
    """Read the configuration: a flag beats the environment beats the file beats the default.

    `overrides` holds the flags by section and key, as in `("target", "dsn")`; `path` None means no file. A value that
    the file or the environment gives empty is not given, but for `column.NAME` and its like: they would go unnoticed,
    and are refused. Relative paths in the file start at the file's folder.

    A table's name stands in `[table:NAME]` as it is, with any `]`, `:`, `=` or quote; in a list, a name with a comma
    stands in double quotes. The empty name, which SQLite allows, stands in `[table:]`, and in a list as `""`. A name
    that begins or ends with a blank, or holds a line break, cannot be written.

    Raises `ConfigError`, whose text has a line for each fault, and `RefusedError` when the file may not be read.
    """
    faults: list[Fault] = []
    given = _from_file(path, faults) if path else {}
    for name, address in _VARIABLES.items():
        if environ.get(name):
            given[address] = _Given(address, environ[name], origin=name)
    for address, text in overrides.items():
        given[address] = _Given(address, text, origin=_FLAGS.get(address, "--" + address[1].replace("_", "-")))
    values = _accepted(given, faults)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        faults += [_refusal(given, dict(details)) for details in error.errors()]
    if faults:
        raise ConfigError("\n".join(text for _, text in sorted(faults, key=itemgetter(0))))
    return config.model_copy(update={"origins": {address: value.origin for address, value in given.items()}})


@dataclass(frozen=True)
class _Given:
    """A value, or a section's header with an empty key, and where it comes from; `line` is 0 outside the file."""

    address: _Address
    text: str
    origin: str
    line: int = 0
    folder: Path = Path()

    def fault(self, what: str) -> Fault:
        section, key = self.address
        place = f"[{section}] {key}".removeprefix("[] ").strip()
        # wherever a URL has strayed to, it may hold a password, and that may hold blanks
        return self.line, f"{self.origin}: " + re.sub(r"\S*://(.*@)?\S*", "(a URL)", f"{place}: {what}")

    def refused(self, why: str) -> Fault:
        """Quote the value before `why`, unless it may hold a password."""
        section, key = self.address
        fields = _fields(section)
        secret = not fields[_known_as(key, fields)[0]].repr or re.search("\n|passw", self.text, re.IGNORECASE)
        return self.fault(f"{'the value' if secret else f'`{self.text}`'} {why}")


def _fields(section: str) -> Mapping[str, FieldInfo]:
    """Give a section's fields by the keys that stand for them; none for an unknown section."""
    kind, colon, name = section.partition(":")
    # SQLite takes the empty name for a table; PostgreSQL, and whoever names an index, does not.
    model = _SECTIONS.get(f"{kind}:NAME" if colon and (name or kind == "table") else section)
    return {str(field.validation_alias or name): field for name, field in model.model_fields.items()} if model else {}


def _known_as(key: str, fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """The field that a key belongs to, and what it names of it: `column.region` names `region` of `column.NAME`."""
    kind, dot, name = key.partition(".")
    family = f"{kind}.NAME"
    return (family, name) if dot and name and family in fields else (key, "")


def _accepted(given: Mapping[_Address, _Given], faults: list[Fault]) -> dict[str, Any]:
    """Give the values of known keys, nested as in `Config`."""
    values: dict[str, Any] = {}
    for (section, key), value in given.items():
        fields = _fields(section)
        kind, colon, name = section.partition(":")
        known, named = _known_as(key, fields)
        if key and not section:
            faults.append(value.fault("stands before the first [section]"))
        elif section and not fields and not (key and value.line):
            faults.append(value.fault("unknown section" + meant(section, _spellings(name))))
        elif key and fields and known not in fields:
            faults.append(value.fault("unknown key" + meant(key, fields)))
        elif colon and fields and not key:
            values.setdefault(_FAMILIES[kind], {}).setdefault(name, {})
        elif known in fields and not value.text and (named or not value.line):
            faults.append(value.fault("is empty"))
        elif known in fields and value.text:
            try:
                family = values.setdefault(_FAMILIES.get(kind, kind), {})
                place = family.setdefault(name, {}) if colon else family
                wanted = _wanted(value, fields[known])
                place.update({key: wanted} if not named else {known: place.get(known, {}) | {named: wanted}})
            except ValueError as error:
                faults.append(value.refused(str(error)))
    interval, cron = given.get(("sync", "interval")), given.get(("sync", "cron"))
    if interval and interval.text and cron and cron.text:
        faults.append(cron.fault(f"interval is given too, at {interval.origin}; keep one of them"))
    return values


def _spellings(name: str) -> list[str]:
    """The sections that there are, those of a family with this name."""
    return [section.replace(":NAME", f":{name or 'NAME'}") for section in _SECTIONS] + [
        s for s in _SECTIONS if ":" in s
    ]


def _wanted(value: _Given, field: FieldInfo) -> str | Path | Expression:
    if Expression in (field.annotation, *get_args(field.annotation)):
        return Expression(text=value.text, origin=value.origin)
    if "\n" in value.text and get_origin(field.annotation) is not tuple:
        raise ValueError("goes on in an indented line; begin each key at the margin")
    if Path not in get_args(field.annotation):
        return value.text
    if "://" in value.text:
        raise ValueError("is no path")
    try:
        return value.folder / Path(value.text).expanduser()
    except RuntimeError:
        raise ValueError("is in a home folder that does not exist") from None


def _refusal(given: Mapping[_Address, _Given], details: Mapping[str, Any]) -> Fault:
    """Say in plain words what pydantic found wrong with a value, and where the value comes from."""
    section, key, *deeper = map(str, details["loc"])
    if section in _KINDS:
        section, key = f"{_KINDS[section]}:{key}", re.sub("NAME$", lambda _: deeper[1], deeper[0])
    if details["type"] == "missing":
        header = next(value for (of, _), value in given.items() if of == section)
        return replace(header, address=(section, key)).fault("is not given")
    value = given[section, key]
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return value.refused(str(context["error"]))
        case "enum" | "literal_error":
            words = re.findall("'(.*?)'", context["expected"])
            return value.refused(f"is none of {', '.join(words)}{meant(value.text, words)}")
        case kind:
            return value.refused(_REFUSALS.get(kind, "is refused").format(**context))


def _from_file(path: Path, faults: list[Fault]) -> dict[_Address, _Given]:
    given: dict[_Address, _Given] = {}
    for entry in ini.read(path, faults):
        address = (entry.section, entry.key)
        value = _Given(address, entry.text, f"{path}:{entry.line}", entry.line, path.parent)
        if address in given:
            faults.append(value.fault(f"given twice, first on line {given[address].line}"))
        else:
            given[address] = value
    return given
