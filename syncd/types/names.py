"""The PostgreSQL types that syncd speaks of, by the names that `format_type` writes, and what rendering for one is."""

import re
from dataclasses import dataclass
from functools import cache

ISO_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
"""What SQLite's GLOB finds an ISO date by."""


@dataclass(frozen=True)
class TargetType:
    """A PostgreSQL type: `name` as `format_type` writes it, e.g. `numeric(10,2)`.

    `scale_rounds` is true for a column that was there before syncd: its own scale rounds, by the one exception of the
    rule "exact or rejected". `origin` says how the source writes moments where it does not write ISO text: epoch_s,
    epoch_ms, epoch_us or julian. `exact` says whether only the same text is equal, where the name does not tell: it is
    true of an enum, and false of text under a nondeterministic collation.
    """

    name: str
    scale_rounds: bool = False
    origin: str = ""
    exact: bool | None = None

    @property
    def base(self) -> str:
        return _base(self.name)

    @property
    def modifiers(self) -> tuple[int, ...]:
        found = re.search(r"\(([\d,\s-]+)\)", self.name)
        return tuple(int(part) for part in found.group(1).split(",")) if found else ()


@dataclass(frozen=True)
class Rendering:
    """How one SQLite expression is rendered for one type; all members are SQLite expressions.

    `may_hold_text` asks for the check for an embedded NUL, at which `quote()` and GLOB stop reading; `suspect` finds
    it by itself where `sees_nul` is true. `text` is what `field` quotes, where that is text or NULL for sure.
    """

    field: str
    suspect: str
    careful_field: str
    careful_suspect: str
    may_hold_text: bool
    sees_nul: bool = False
    text: str = ""


@cache
def _base(name: str) -> str:
    return re.sub(r"\(.*?\)", "", name).strip().lower()


_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float": "double precision",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "varchar": "character varying",
    "char": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
}


def canonical(name: str) -> str:
    """A type's name as `format_type` writes it: `timestamptz(3)` becomes `timestamp(3) with time zone`."""
    found = re.fullmatch(
        r"([a-z_][a-z0-9_ ]*?)\s*(\([^)]*\))?((?: with(?:out)? time zone)?)((?:\[\])*)", name.strip().lower()
    )
    if found is None:
        return name
    base, modifiers, zone, dimensions = (part or "" for part in found.groups())
    base = _ALIASES.get(base, base) if not zone else base
    modifiers = modifiers.replace(" ", "")
    for moment in ("timestamp", "time"):
        if base.startswith(f"{moment} "):
            base, zone = moment, base.removeprefix(moment)
    return f"{base}{modifiers}{zone}{dimensions}"
