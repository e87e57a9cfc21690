"""The choice of a column's type: the declared type decides where the values agree, else the values do."""

from dataclasses import dataclass

from syncd.plan.typing.declared import Family, family_of, precision_and_scale
from syncd.plan.typing.profiles import ColumnProfile
from syncd.plan.typing.profiles import ValueKind as Kind

_ROOM = 2**14
"""A smallint holds twice as much: values grow."""

_DAYS = (Kind.DATE, Kind.MIDNIGHT)
_LOCAL = (*_DAYS, Kind.MOMENT, Kind.FINE_MOMENT)
_MOMENTS = (*_LOCAL, Kind.ZONED_MOMENT)
_INTEGERS = (Kind.BIT, Kind.DAYS, Kind.SECONDS, Kind.MILLISECONDS, Kind.MICROSECONDS, Kind.WIDE, Kind.INTEGER)
_SAFE_INTEGERS = tuple(kind for kind in _INTEGERS if kind is not Kind.WIDE)
_FINITE = (Kind.JULIAN, Kind.REAL_SECONDS, Kind.REAL_MILLISECONDS, Kind.WHOLE, Kind.FRACTION)
_TEXTS = tuple(kind for kind in Kind if kind.storage_class == "text" and kind not in (Kind.NUL, Kind.INVALID))
_UUIDS = (Kind.UUID, Kind.UPPER_UUID)

_HELD: dict[Family, tuple[Kind, ...]] = {
    Family.BOOLEAN: (Kind.BIT, Kind.WORD),
    Family.ZONED_MOMENT: _MOMENTS,
    Family.MOMENT: _MOMENTS,
    Family.DATE: _MOMENTS,
    Family.TIME: (Kind.TIME,),
    Family.JSON: (Kind.JSON, Kind.JSON_STRING, Kind.DECIMAL, *_INTEGERS, *_FINITE),
    Family.UUID: _UUIDS,
    Family.SMALL_INTEGER: (*_INTEGERS, Kind.WHOLE),
    Family.INTEGER: (*_INTEGERS, Kind.WHOLE),
    Family.TEXT: (*_TEXTS, *_INTEGERS, *_FINITE),
    Family.BYTES: (Kind.BLOB,),
    Family.DOUBLE: (*_SAFE_INTEGERS, *_FINITE, Kind.INFINITE),
    Family.DECIMAL: (*_INTEGERS, *_FINITE, Kind.DECIMAL),
}
"""The kinds that a family's type holds exactly; for dates and moments the widest type of the three."""

_NATURAL: dict[Family, tuple[Kind, ...]] = {
    Family.INTEGER: _INTEGERS,
    Family.DOUBLE: _HELD[Family.DOUBLE],
    Family.DECIMAL: (*_INTEGERS, *_FINITE),
    Family.TEXT: _HELD[Family.TEXT],
    Family.BYTES: _HELD[Family.BYTES],
}
"""The same by storage class alone, the narrowest first: text that looks like a number stays text, 007 is not 7."""

_NOUNS = {
    Family.BOOLEAN: "truth value",
    Family.ZONED_MOMENT: "date and time",
    Family.MOMENT: "date and time",
    Family.DATE: "date",
    Family.TIME: "time of day",
    Family.JSON: "JSON that PostgreSQL takes",
    Family.UUID: "UUID",
    Family.SMALL_INTEGER: "integer",
    Family.INTEGER: "integer",
    Family.TEXT: "text",
    Family.BYTES: "blob",
    Family.DOUBLE: "number that a double holds",
    Family.DECIMAL: "finite number",
}

_ORIGINS = (
    ("epoch_s", "Unix seconds", (Kind.SECONDS, Kind.REAL_SECONDS)),
    ("epoch_ms", "Unix milliseconds", (Kind.MILLISECONDS, Kind.REAL_MILLISECONDS)),
    ("epoch_us", "Unix microseconds", (Kind.MICROSECONDS,)),
    ("julian", "Julian days", (Kind.JULIAN, Kind.DAYS)),
)


_TYPICAL = {
    Family.BOOLEAN: Kind.BIT,
    Family.ZONED_MOMENT: Kind.ZONED_MOMENT,
    Family.MOMENT: Kind.MOMENT,
    Family.DATE: Kind.DATE,
    Family.TIME: Kind.TIME,
    Family.JSON: Kind.JSON,
    Family.UUID: Kind.UUID,
    Family.INTEGER: Kind.INTEGER,
    Family.TEXT: Kind.TEXT,
    Family.BYTES: Kind.BLOB,
    Family.DOUBLE: Kind.FRACTION,
    Family.DECIMAL: Kind.INTEGER,
}
"""A kind of value that each family was made for; the others' types depend on the values."""


@dataclass(frozen=True)
class TypeChoice:
    """A PostgreSQL type as `format_type` writes it, and why, for people.

    `origin` tells how numbers are moments: epoch_s, epoch_ms, epoch_us, julian; empty where they are none.
    """

    type: str
    origin: str
    why: str


def choose(declared_type: str, profile: ColumnProfile, *, complete: bool, narrow: bool = True) -> TypeChoice:
    """Choose the type of a created column.

    At most one value in a hundred may contradict the declared type; those rows become rejects. `complete` says that
    the profile has seen every row. `narrow` allows a column of TEXT, or of no declared type, to become a date, moment,
    uuid or jsonb where every single value is one; forbid it for keys, whose other side may decide otherwise.
    """
    family = family_of(declared_type)
    said = f"declared {declared_type}" if declared_type else "no declared type"
    if not profile.values:
        return TypeChoice(_declared_alone(declared_type), "", f"{said}; no values")
    free = family is Family.ANY or declared_type.upper() == "TEXT"
    if free and narrow and complete and (narrowed := _narrowed(profile)):
        return TypeChoice(narrowed[0], "", f"{said}; {_all(profile)} {narrowed[1]}")
    if family is Family.ANY:
        return TypeChoice(_natural(profile), "", f"{said}; {_classes(profile)}")
    if family in (Family.MOMENT, Family.ZONED_MOMENT, Family.DATE) and (number := _numeric_moment(said, profile)):
        return number
    if family is Family.INTEGER and complete and "BOOL" in profile.name.upper() and _are(profile, Kind.BIT):
        return TypeChoice("boolean", "", f"{said}; its name says bool and all values are 0 or 1")
    exceptions = profile.values - profile.of(*_HELD[family])
    if _too_many(exceptions, profile):
        return _fallen_back(said, family, profile, exceptions)
    return _agreed(said, declared_type, family, profile, complete=complete)


def agreed(name: str, declared_type: str) -> TypeChoice | None:
    """The choice where the values fit the declared type; None where they have to be known all the same."""
    family = family_of(declared_type)
    if family not in _TYPICAL or "BOOL" in name.upper():
        return None
    return choose(declared_type, ColumnProfile(name, {_TYPICAL[family]: 1}), complete=False, narrow=False)


def _declared_alone(declared_type: str) -> str:
    family = family_of(declared_type)
    if limits := precision_and_scale(declared_type):
        return f"numeric({limits[0]},{limits[1]})"
    return family.value or "text"


def _too_many(exceptions: int, profile: ColumnProfile) -> bool:
    return exceptions * 100 > profile.values


def _are(profile: ColumnProfile, *kinds: Kind) -> bool:
    return profile.of(*kinds) == profile.values


def _all(profile: ColumnProfile) -> str:
    return f"all {profile.values:,} values are" if profile.values > 1 else "the only value is"


def _agreed(said: str, declared_type: str, family: Family, profile: ColumnProfile, *, complete: bool) -> TypeChoice:
    """The type within the declared family that holds what is there."""
    match family:
        case Family.DATE | Family.MOMENT | Family.ZONED_MOMENT:
            return _moment(said, family, profile)
        case Family.SMALL_INTEGER:
            ends = (profile.least or 0, profile.greatest or 0)
            fits = complete and max(ends) < _ROOM and min(ends) > -_ROOM
            return TypeChoice(
                "smallint" if fits else "bigint", "", said if fits else f"{said}; room for values to grow"
            )
        case Family.DECIMAL:
            return _decimal(said, declared_type, profile)
        case Family.TEXT if "(" in declared_type:
            return TypeChoice("text", "", f"{said}; SQLite enforces no length")
        case _:
            return TypeChoice(family.value, "", said)


def _moment(said: str, family: Family, profile: ColumnProfile) -> TypeChoice:
    zoned, timed = profile.of(Kind.ZONED_MOMENT), profile.of(*_MOMENTS) - profile.of(*_DAYS)
    if family is Family.ZONED_MOMENT:
        return TypeChoice(family.value, "", said)
    if _too_many(zoned, profile):
        return TypeChoice(Family.ZONED_MOMENT.value, "", f"{said}; {zoned:,} values have a time zone")
    if family is Family.DATE and timed - zoned:
        return TypeChoice(Family.MOMENT.value, "", f"{said}; {timed:,} values have a time of day")
    return TypeChoice(family.value, "", said)


def _decimal(said: str, declared_type: str, profile: ColumnProfile) -> TypeChoice:
    if precision_and_scale(declared_type) and _too_many(profile.misfits, profile):
        digits = f"{profile.misfits:,} of {profile.values:,} values have more digits"
        return TypeChoice("numeric", "", f"{said}, but {digits}: numeric without a scale")
    return TypeChoice(_declared_alone(declared_type), "", said)


def _numeric_moment(said: str, profile: ColumnProfile) -> TypeChoice | None:
    """Numbers of one unit that are moments. Two units in one column contradict each other, however few the others."""
    seen = [(origin, noun, count) for origin, noun, kinds in _ORIGINS if (count := profile.of(*kinds))]
    if len(seen) != 1 or _too_many(profile.values - seen[0][2], profile):
        return None
    origin, noun, count = seen[0]
    return TypeChoice("timestamp with time zone", origin, f"{said}; {count:,} values are {noun}")


def _fallen_back(said: str, family: Family, profile: ColumnProfile, exceptions: int) -> TypeChoice:
    natural = _natural(profile)
    if natural == family.value:
        return TypeChoice(
            natural, "", f"{said}; {exceptions:,} of {profile.values:,} values fit no type that fits more"
        )
    contradiction = f"{exceptions:,} of {profile.values:,} values are no {_NOUNS[family]}"
    return TypeChoice(natural, "", f"{said}, but {contradiction}: {natural}")


def _natural(profile: ColumnProfile) -> str:
    """The type that holds most of the values exactly, the narrowest where several do."""
    return max(_NATURAL, key=lambda family: profile.of(*_NATURAL[family])).value


def _narrowed(profile: ColumnProfile) -> tuple[str, str] | None:
    """The type that every value fits, and what the values are."""
    forms = (
        ("date", "dates", (Kind.DATE,)),
        ("timestamp without time zone", "dates with a time", (Kind.MIDNIGHT, Kind.MOMENT, Kind.FINE_MOMENT)),
        ("timestamp with time zone", "dates with a time and a zone", (Kind.ZONED_MOMENT,)),
        ("uuid", "UUIDs", (Kind.UUID,)),
        ("jsonb", "JSON objects or arrays", (Kind.JSON,)),
    )
    return next(((type_name, noun) for type_name, noun, kinds in forms if _are(profile, *kinds)), None)


def _classes(profile: ColumnProfile) -> str:
    classes = ((name, profile.stored_as(name)) for name in ("integer", "real", "text", "blob"))
    return "values are " + ", ".join(f"{name} ({count:,})" for name, count in classes if count)
