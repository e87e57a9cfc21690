"""The one place where SQLite identifiers and literals are quoted."""


def identifier(name: str) -> str:
    """Quote a name for SQLite, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int) -> str:
    """Write a value as an SQLite literal; text must hold no NUL, which ends SQLite's statement."""
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


_RESERVED = frozenset(
    [
        "add",
        "all",
        "alter",
        "and",
        "as",
        "autoincrement",
        "between",
        "case",
        "check",
        "collate",
        "commit",
        "constraint",
        "create",
        "default",
        "deferrable",
        "delete",
        "distinct",
        "drop",
        "else",
        "escape",
        "except",
        "exists",
        "foreign",
        "from",
        "group",
        "having",
        "if",
        "in",
        "index",
        "insert",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "limit",
        "not",
        "nothing",
        "notnull",
        "null",
        "on",
        "or",
        "order",
        "primary",
        "references",
        "returning",
        "select",
        "set",
        "table",
        "then",
        "to",
        "transaction",
        "union",
        "unique",
        "update",
        "using",
        "values",
        "when",
        "where",
    ]
)
"""Words that SQLite never takes for a bare name; the others of https://sqlite.org/lang_keywords.html it does."""


def written(name: str) -> str:
    """A name as a person writes it in SQLite: in quotes only where it needs them."""
    plain = name.isascii() and name.isidentifier() and name.lower() not in _RESERVED
    return name if plain else identifier(name)
