"""The one place where SQLite identifiers and literals are quoted."""


def identifier(name: str) -> str:
    """Quote a name for SQLite, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int) -> str:
    """Write a value as an SQLite literal; text must hold no NUL, which ends SQLite's statement."""
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"
