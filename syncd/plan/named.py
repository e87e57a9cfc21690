"""What the configuration names in the sections of tables and indexes: what is not there is told with its line."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from syncd.config import Config, nearest
from syncd.errors import ConfigError, SchemaError
from syncd.model import Catalog


def confirm_named(
    catalog: Catalog, landing: Iterable[str], there: Iterable[str], loaded: Collection[str], config: Config
) -> None:
    """Raise ConfigError, with a line for each name that no table has, nor one had that was `loaded`.

    `landing` are the names under which the source's tables come into the target, `there` the target's tables. Their
    case is let go: how a table that is there spells its name is not known where the target cannot be asked.
    """
    landing = sorted(landing)
    of_source = tuple(_of_source(catalog, loaded, config))
    of_target = tuple(_of_target(config, landing, {name.lower() for name in (*landing, *there)}))
    advice = []
    if of_source:
        advice.append(f"The source has: {', '.join(table.name for table in catalog.tables)}")
    if of_target:
        advice.append(f"Its tables land in: {', '.join(landing)}")
    if advice:
        raise ConfigError("\n".join((*of_source, *of_target)), advice="\n  ".join(advice))


def _of_source(catalog: Catalog, loaded: Collection[str], config: Config) -> Iterator[str]:
    names = tuple(table.name for table in catalog.tables)
    reasons = {one.name.lower(): one.reason for one in catalog.skipped}
    lost = {one.name.lower() for one in catalog.skipped if one.is_lost}
    gone = {name.lower() for name in loaded} - reasons.keys()

    def reason(name: str, form: str) -> str:
        return reasons.get(name.lower()) or f"no such table in the source{_meant(name, names, form)}"

    for name in config.sync.tables:
        if catalog.table(name) is None and name.lower() not in gone:
            yield f"{config.place('sync', 'tables')}: {name}: {reason(name, '{}')}"
    for name in config.sync.skip:
        if catalog.table(name) is None and name.lower() not in lost | gone:
            yield f"{config.place('sync', 'skip')}: {name}: {reason(name, '{}')}"
    for name in config.tables:
        if name not in names and (name not in loaded or name.lower() in reasons):
            yield f"{config.place(f'table:{name}')}: {reason(name, '[table:{}]')}"


def _of_target(config: Config, landing: list[str], known: set[str]) -> Iterator[str]:
    for name in config.hypertables:
        if name.lower() not in known:
            near = _meant(name, landing, "[hypertable:{}]")
            yield f"{config.place(f'hypertable:{name}')}: no table of the source lands in {name}{near}"
    for name, index in config.indexes.items():
        if index.table.lower() not in known:
            near = _meant(index.table, landing, "{}")
            yield f"{config.place(f'index:{name}', 'table')}: {index.table}: no such table in the target{near}"


def confirm_index(config: Config, name: str, tables: Mapping[str, Collection[str]]) -> None:
    """Raise SchemaError where `[index:NAME]` names what is not there; `tables` are the target's, with their columns."""
    section, index = f"index:{name}", config.indexes[name]
    if index.table not in tables:
        raise SchemaError(
            f"{config.place(section, 'table')} names {index.table}, which the target does not have"
            f"{_meant(index.table, tables, '{}')}",
            where=section,
            advice=f"It has: {', '.join(sorted(tables))}",
        )
    columns = tables[index.table]
    if unknown := [column for column, _ in index.columns if column not in columns]:
        near = _meant(unknown[0], columns, "{}") if len(unknown) == 1 else ""
        raise SchemaError(
            f"{config.place(section, 'columns')} names {', '.join(unknown)}, which {index.table} does not have{near}",
            where=section,
            advice=f"It has: {', '.join(sorted(columns))}",
        )


def _meant(name: str, names: Iterable[str], form: str) -> str:
    near = nearest(name, names)
    return "" if near is None else f", did you mean {form.format(near)}"
