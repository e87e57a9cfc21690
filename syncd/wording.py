"""Counted things in English."""


def noun(number: int, thing: str) -> str:
    """The noun for so many of a thing: `row`, `rows`."""
    if number == 1:
        return thing
    return f"{thing}es" if thing.endswith("s") else f"{thing}s"


def counted(number: int, thing: str) -> str:
    """So many of a thing, in plain digits."""
    return f"{number} {noun(number, thing)}"
