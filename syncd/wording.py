"""Counted things in English, and what others say in one line."""


def noun(number: int, thing: str) -> str:
    """The noun for so many of a thing: `row`, `rows`."""
    if number == 1:
        return thing
    return f"{thing}es" if thing.endswith(("s", "x")) else f"{thing}s"


def counted(number: int, thing: str) -> str:
    """So many of a thing, in plain digits."""
    return f"{number} {noun(number, thing)}"


def one_line(text: str) -> str:
    """The text in one line, without the hints that libpq indents below what it says."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("\t", "  "))]
    return "; ".join(" ".join(line.split()) for line in lines)
