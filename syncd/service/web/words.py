"""Numbers and moments as people read them."""

import json
import re
from datetime import UTC, datetime
from pathlib import PurePath

from syncd.target.control import Control
from syncd.target.observe import Happening
from syncd.wording import noun

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_EVENTS = {"table_catchup": "loaded, now kept current:", "table_stopped": "stopped:", "table_load": "loading anew:"}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def seconds(value: float) -> str:
    """A duration: 0 s, 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if value < 0.05:
        return "0 s"
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def whole(value: float) -> str:
    """A count, its digits in groups; small rates keep one digit behind the point."""
    return f"{value:.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"


def counted(number: int, thing: str) -> str:
    """So many of a thing."""
    return f"{number:,} {noun(number, thing)}"


def size(value: int | None) -> str:
    """Bytes, in the unit that suits."""
    if value is None:
        return "none"
    number, unit = float(value), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if number >= 100 or not unit else f"{number:.1f} {_UNITS[unit]}"


def clock(moment: str) -> str:
    """The time of day, in UTC."""
    return datetime.fromisoformat(moment).strftime("%H:%M:%S")


def date(at: float) -> str:
    """The day of a moment in Unix seconds, in UTC, as ISO 8601 begins."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def short_day(moment: str) -> str:
    """The day alone, in UTC."""
    return datetime.fromisoformat(moment).strftime("%d %b")


def day(moment: str) -> str:
    """Day and time, in UTC."""
    return datetime.fromisoformat(moment).strftime("%d %b %H:%M UTC")


def file(path: str) -> str:
    """The name of a file without its folder: a viewer need not know it."""
    return PurePath(path).name


def moments(text: str) -> str:
    """The text with its ISO moments as people write them."""
    return _MOMENT.sub(lambda found: day(found[0]), text)


def words(name: str) -> str:
    """An event's name as a person says it."""
    return _EVENTS.get(name) or name.replace("_", " ")


def asked(control: Control) -> str:
    """What somebody asked of the daemon."""
    wanted = ["paused"] if control.paused else []
    wanted += [f"at most {control.rows_per_second:,} rows/s"] if control.rows_per_second else []
    return f"{' and '.join(wanted)} by {control.who} at {clock(control.since)} UTC"


def told(event: Happening) -> str:
    """The detail of an event; what programs wrote for programs, in words."""
    try:
        detail = json.loads(event.detail)
    except ValueError:
        return event.detail
    if not isinstance(detail, dict):
        return event.detail
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in detail.items() if value != {})


def _value(value: object) -> object:
    return ", ".join(f"{name}: {number}" for name, number in value.items()) if isinstance(value, dict) else value
