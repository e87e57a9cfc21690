"""The plan, for people and for programs."""

from collections.abc import Iterator

from syncd.console.page import Cell, Column, Page, Paragraph, Table
from syncd.engine.preview import Preview
from syncd.errors import MappingError, SchemaError
from syncd.model import Skipped
from syncd.plan import ColumnPlan, TablePlan
from syncd.plan.keys import why_key
from syncd.quoting import identifier
from syncd.wording import noun

_TITLES = (Column("column"), Column("type"), Column("null"), Column("from"), Column("why"))


def plan_page(preview: Preview) -> Page:
    """Every table in the order in which it is loaded, column by column; then what is refused and what stays behind."""
    return Page(_document(preview), tuple(_blocks(preview)))


def ddl_script(preview: Preview) -> str:
    """The statements that a load runs to create what is missing, as psql and every other client reads them."""
    return "".join(f"{statement};\n" for statement in preview.statements)


def ddl_document(preview: Preview) -> dict[str, object]:
    """The same for programs."""
    return {"statements": preview.statements}


def left_out_note(skipped: Skipped) -> str:
    """A foreign key that the script does not create, as a load does not."""
    return f"left out: the foreign key {skipped.name}: {skipped.reason}; foreign_keys = enforce rejects them instead"


def refused_note(error: SchemaError) -> str:
    """A table that cannot be moved as things are."""
    return f"refused: {error}"


def _blocks(preview: Preview) -> Iterator[Table | Paragraph]:
    for number, table in enumerate(preview.plan.tables, start=1):
        yield Paragraph("{}. {} to {}.{}, {}", (str(number), table.name, *_place(preview, table)), "bold")
        yield Paragraph("key: {} ({})", (", ".join(table.key), why_key(table)))
        yield Paragraph("mark: {} ({})", (str(table.mark), table.mark.why))
        yield from _conditions(table)
        yield Table(_TITLES, tuple(_row(table, column) for column in table.columns))
        yield from (Paragraph("{} is not carried: {}", (s.name, s.reason), "yellow") for s in table.not_carried)
    for error in preview.plan.refused:
        yield Paragraph("{}", (refused_note(error),), "bold red")
    if preview.plan.skipped:
        yield Paragraph("not carried at all:", (), "bold")
        yield from (Paragraph("{}: {}", (s.name, s.reason)) for s in preview.plan.skipped)
    tables = len(preview.plan.tables)
    told = (tables, noun(tables, "table"), len(preview.plan.refused))
    yield Paragraph("{} {} in this order, {} refused", told, "dim")


def _place(preview: Preview, table: TablePlan) -> tuple[str, str, str]:
    return preview.schema, table.target, _state(preview, table)


def _state(preview: Preview, table: TablePlan) -> str:
    if not table.created:
        return "which is there"
    return "which syncd made" if table.target in preview.there else "to be created"


def _conditions(table: TablePlan) -> Iterator[Paragraph]:
    if table.where != "1":
        yield Paragraph("where: {}", (table.where,))
    yield from (Paragraph("check.{}: {}", (check.name, check.condition)) for check in table.checks)


def _row(table: TablePlan, column: ColumnPlan) -> tuple[Cell, ...]:
    null = "NOT NULL" if _must_be_given(table, column) else None
    return column.name, _type(column), null, _expression(column), column.why


def _must_be_given(table: TablePlan, column: ColumnPlan) -> bool:
    return column.not_null or column.name in table.key


def _type(column: ColumnPlan) -> str:
    return f"{column.type.name} from {column.type.origin}" if column.type.origin else column.type.name


def _expression(column: ColumnPlan) -> str | None:
    """What the column gets, where that is not the source's column of the same name."""
    return None if column.expression == identifier(column.name) else column.expression


def _document(preview: Preview) -> dict[str, object]:
    plan = preview.plan
    return {
        "tables": [_table_document(preview, table) for table in plan.tables],
        "refused": [
            {
                "table": error.where,
                "error": error.what,
                "advice": error.advice,
                "lines": dict(error.lines) if isinstance(error, MappingError) else {},
            }
            for error in plan.refused
        ],
        "not_carried": [{"name": s.name, "reason": s.reason} for s in plan.skipped],
    }


def _table_document(preview: Preview, table: TablePlan) -> dict[str, object]:
    return {
        "table": table.name,
        "schema": preview.schema,
        "target": table.target,
        "created": table.created,
        "there": table.target in preview.there,
        "parents": list(table.parents),
        "key": list(table.key),
        "key_why": why_key(table),
        "mark": str(table.mark),
        "mark_why": table.mark.why,
        "where": None if table.where == "1" else table.where,
        "checks": {check.name: check.condition for check in table.checks},
        "columns": [
            {
                "name": column.name,
                "type": column.type.name,
                "from": column.type.origin or None,
                "not_null": _must_be_given(table, column),
                "expression": column.expression,
                "default": column.default,
                "why": column.why,
            }
            for column in table.columns
        ],
        "not_carried": [{"name": s.name, "reason": s.reason} for s in table.not_carried],
    }
