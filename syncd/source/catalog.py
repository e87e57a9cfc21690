"""What the source holds: its tables with columns, keys and indexes, and what is left out and why."""

from collections import defaultdict
from dataclasses import replace

import apsw

from syncd.model import Catalog, Column, Definition, ForeignKey, Index, Skipped, Table
from syncd.quoting import identifier, literal
from syncd.source.database import query
from syncd.source.definition import IndexParts, index_parts, table_parts

_GENERATED = (2, 3)
_HIDDEN = 1
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


def read(connection: apsw.Connection) -> Catalog:
    """Read the whole catalogue; call it in the transaction whose rows it shall describe."""
    tables, skipped, views = [], [], []
    statements = dict(query(connection, "SELECT name, sql FROM main.sqlite_schema WHERE type IN ('table', 'view')"))
    autoincrement = _autoincrement(connection)
    triggers = _triggers(connection)
    for name, kind, without_rowid, strict in query(
        connection, "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name"
    ):
        if name.startswith("sqlite_"):
            continue
        if kind == "view":
            views.append(Definition(name, statements[name]))
            skipped += [Skipped(f"{name}.{t.name}", f"a trigger of a view: {t.sql}") for t in triggers[name.lower()]]
        elif kind == "virtual":
            skipped.append(Skipped(name, f"a virtual table keeps no rows of its own: {statements[name]}"))
        elif kind == "shadow":
            skipped.append(Skipped(name, "a shadow table belongs to a virtual table"))
        else:
            table = replace(
                _table(connection, name, statements[name], bool(without_rowid), bool(strict)),
                autoincrement=name in autoincrement,
                triggers=tuple(triggers[name.lower()]),
            )
            if table.rowid is None and not table.primary_key:
                said = "columns hide all three names of its rowid, and it has no primary key"
                skipped.append(Skipped(name, said, is_lost=True))
            else:
                tables.append(table)
    return Catalog(
        tuple(tables),
        tuple(skipped),
        tuple(views),
        str(connection.pragma("encoding")),
        int(connection.pragma("schema_version")),
    )


def _autoincrement(connection: apsw.Connection) -> frozenset[str]:
    has = query(connection, "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'")
    return frozenset(name for (name,) in query(connection, "SELECT name FROM sqlite_sequence")) if has else frozenset()


def _triggers(connection: apsw.Connection) -> defaultdict[str, list[Definition]]:
    """The triggers by the name of their table in lower case."""
    found: defaultdict[str, list[Definition]] = defaultdict(list)
    statement = "SELECT tbl_name, name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name"
    for table, name, sql in query(connection, statement):
        found[table.lower()].append(Definition(name, sql))
    return found


def _table(connection: apsw.Connection, name: str, sql: str, without_rowid: bool, strict: bool) -> Table:
    parts = table_parts(sql)
    collations = _collations(connection, name)
    columns = tuple(
        Column(
            name=column,
            declared_type=declared or "",
            not_null=bool(not_null) or (without_rowid and bool(position)),
            default=default,
            key_position=position,
            generated=hidden in _GENERATED,
            collation=collations[column],
            formula=parts.formulas.get(column),
        )
        for column, declared, not_null, default, position, hidden in query(
            connection,
            'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid',
            (name,),
        )
        if hidden != _HIDDEN
    )
    return Table(
        name=name,
        columns=columns,
        foreign_keys=_foreign_keys(connection, name),
        indexes=_indexes(connection, name),
        rowid=None if without_rowid else _rowid(connection, name, columns),
        strict=strict,
        sql=sql,
        utf16=query(connection, "PRAGMA encoding")[0][0] != "UTF-8",
        key_collations=_key_collations(connection, name),
        checks=parts.checks,
    )


def _collations(connection: apsw.Connection, table: str) -> dict[str, str]:
    """How each column is compared."""
    names = query(connection, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,))
    found = {name: connection.column_metadata("main", table, name)[1] for (name,) in names}
    return {name: collation.upper() for name, collation in found.items()}


def _rowid(connection: apsw.Connection, table: str, columns: tuple[Column, ...]) -> str | None:
    """The INTEGER PRIMARY KEY where it is the rowid, else a name for the rowid that no column hides.

    Whether an INTEGER PRIMARY KEY is the rowid is not told by any PRAGMA ("INTEGER PRIMARY KEY DESC" is not), but such
    a key has no index of its own: https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
    """
    keys = [column for column in columns if column.key_position]
    if len(keys) == 1 and keys[0].declared_type.upper() == "INTEGER":
        indexed = query(connection, "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,))
        if not indexed:
            return identifier(keys[0].name)
    hidden = {column.name.lower() for column in columns}
    return next((name for name in _ROWID_NAMES if name not in hidden), None)


def _foreign_keys(connection: apsw.Connection, table: str) -> tuple[ForeignKey, ...]:
    """One row per column: rows of one key share an id, `to` is NULL where the parent's key is implied."""
    rows: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for key, _, parent, child, to, on_update, on_delete in query(
        connection,
        'SELECT id, seq, "table", "from", "to", on_update, on_delete '
        "FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq",
        (table,),
    ):
        rows[key].append((parent, child, to, on_update, on_delete))
    return tuple(
        ForeignKey(
            columns=tuple(row[1] for row in of_key),
            parent=of_key[0][0],
            parent_columns=tuple(row[2] for row in of_key if row[2] is not None),
            on_update=of_key[0][3],
            on_delete=of_key[0][4],
        )
        for of_key in rows.values()
    )


def _key_collations(connection: apsw.Connection, table: str) -> tuple[str, ...]:
    members = query(
        connection,
        "SELECT m.coll FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS m"
        " WHERE l.origin = 'pk' AND m.\"key\" ORDER BY m.seqno",
        (table,),
    )
    return tuple(collation.upper() for (collation,) in members)


def _indexes(connection: apsw.Connection, table: str) -> tuple[Index, ...]:
    statements = dict(query(connection, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'index'"))
    return tuple(
        _index(connection, name, bool(unique), bool(partial), origin, statements.get(name))
        for name, unique, origin, partial in query(
            connection, 'SELECT name, "unique", origin, partial FROM pragma_index_list(?) ORDER BY seq DESC', (table,)
        )
        if origin != "pk"
    )


def _index(connection: apsw.Connection, name: str, unique: bool, partial: bool, origin: str, sql: str | None) -> Index:
    members = query(
        connection, 'SELECT cid, name, "desc", coll FROM pragma_index_xinfo(?) WHERE "key" ORDER BY seqno', (name,)
    )
    columns = tuple(column if cid >= 0 else None for cid, column, _, _ in members)
    # An index without SQL of its own belongs to a constraint, and holds columns alone.
    parts = (
        index_parts(sql)
        if sql
        else IndexParts(tuple(identifier(column) for column in columns if column is not None), None)
    )
    return Index(
        name=name,
        columns=columns,
        descending=tuple(bool(descending) for _, _, descending, _ in members),
        unique=unique,
        partial=partial,
        origin=origin,
        sql=sql,
        collations=tuple(collation.upper() for _, _, _, collation in members),
        expressions=parts.members,
        where=parts.where,
    )


def ends(connection: apsw.Connection, table: str, column: str) -> str:
    """An SQLite query for a column's smallest and largest value, as `low` and `high`; NULLs are left out.

    With an index on the column each end is a search, without one a single scan finds both.
    """
    name, of = identifier(column), identifier(table)
    if is_indexed(connection, table, column):
        return f"SELECT (SELECT min({name}) FROM {of}) AS low, (SELECT max({name}) FROM {of}) AS high"
    return f"SELECT min({name}) AS low, max({name}) AS high FROM {of}"


def storage_classes(connection: apsw.Connection, table: str, column: str) -> frozenset[str]:
    """The storage classes of a column's values: two of them mean mixed storage.

    SQLite sorts NULL, then numbers, then text, then blobs, so a column of one class has it at both ends.
    """
    statement = f"SELECT typeof(low), typeof(high) FROM ({ends(connection, table, column)})"
    return classes(query(connection, statement)[0])


def classes(kinds: tuple[str, ...]) -> frozenset[str]:
    """Storage classes as they sort: integers and reals are both numbers, NULL is none."""
    return frozenset("number" if kind in ("integer", "real") else kind for kind in kinds if kind != "null")


def is_indexed(connection: apsw.Connection, table: str, column: str) -> bool:
    """Whether an index begins with the column."""
    return bool(
        query(
            connection,
            "SELECT 1 FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i "
            f"WHERE i.seqno = 0 AND NOT l.partial AND i.name = {literal(column)} COLLATE NOCASE LIMIT 1",
            (table,),
        )
    )


def row_count(connection: apsw.Connection, table: str, where: str = "1") -> int:
    """Rows of a table for which the condition is true; all of them SQLite counts over its smallest index."""
    condition = "" if where == "1" else f" WHERE {where}"
    return int(query(connection, f"SELECT count(*) FROM {identifier(table)}{condition}")[0][0])
