"""The draft of a configuration as an INI file that works as it stands, with what is known in its comments."""

import textwrap
from collections.abc import Iterable, Iterator

from syncd.console.page import many_lines, one_line
from syncd.engine.check import Finding, Gravity
from syncd.engine.drafting import Draft, Hypertable, TableDraft
from syncd.plan.keys import why_key
from syncd.wording import counted

_WIDTH = 118
_GRAVITIES = {Gravity.BLOCKER: "must be settled", Gravity.WARNING: "warning", Gravity.NOTE: "note"}
_DEFAULTS = """\
[target]
# Where to. Without it the PG* variables count, and without those a PostgreSQL that comes along.
#dsn = postgresql://syncd@localhost/app?sslmode=prefer
#password_file = pgpassword
#schema = public
#create_tables = yes
#on_conflict = update
#foreign_keys = auto
#names = keep
#timezone = UTC

[sync]
#interval = 5s
#watch = yes
#batch_rows = 20000
#max_reject_ratio = 0.01
#state_dir = {state_dir}
#tables =
#skip =
"""


def draft_ini(draft: Draft) -> str:
    """The text of the file. Every word of the source in a comment is made printable; names in sections stay."""
    defaults = _DEFAULTS.format(state_dir=one_line(str(draft.state_dir)))
    return "\n".join([*_head(draft), defaults, *_left_behind(draft), *_sections(draft)]).rstrip("\n") + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield from _comment("Drafted from what the source holds. What is commented out shows a default or a proposal.")
    yield ""
    yield "[source]"
    yield f"path = {draft.path}"
    for finding in draft.findings:
        if not finding.table:
            yield from _told(finding, "source")
    yield ""


def _left_behind(draft: Draft) -> Iterator[str]:
    for finding in draft.findings:
        if finding.table and finding.gravity is not Gravity.NOTE:
            yield from _comment(f"{finding.table}:")
            yield from _told(finding, "")
    if draft.skipped:
        yield from _comment("Not carried: " + ", ".join(skipped.name for skipped in draft.skipped))
    yield ""


def _sections(draft: Draft) -> Iterator[str]:
    for table in draft.tables:
        yield from _section(table)
        if table.hypertable and is_writable(table.plan.target):
            yield from _hypertable(table, table.hypertable)
        yield ""


def _section(table: TableDraft) -> Iterator[str]:
    name, plan = table.plan.name, table.plan
    if is_writable(name):
        yield f"[table:{name}]"
    else:
        yield from _comment(f"[table:{name}] cannot be written: a name that begins or ends with a blank, or has a line")
        yield from _comment("break. The table is carried as the defaults say.")
    yield from _comment(
        f"{counted(table.rows, 'row')}" if table.counted else f"about {counted(table.rows, 'row')}, by the rowids"
    )
    yield from _comment(f"key: {', '.join(plan.key)} ({why_key(plan)})")
    yield from _comment(f"mark: {plan.mark} ({plan.mark.why})")
    if is_writable(name) and is_writable(plan.mark.moment or str(plan.mark)):
        yield f"watermark = {plan.mark}"
    for dates in table.dates:
        yield from _comment(f"{dates.column}: {dates.form}{'' if dates.complete else ', NULL where unknown'}")
        planned = next((column for column in plan.columns if column.name == dates.column), None)
        if dates.origin and planned and planned.type.origin != dates.origin and _is_key(dates.column):
            yield f"#type.{dates.column} = timestamptz from {dates.origin}"
    for mixed in table.mixed:
        kinds = " and ".join(f"{kind} ({count})" for kind, count in mixed.counts)
        yield from _comment(f"{mixed.column}: mixed storage among the rows looked at: {kinds}")
    for finding in table.findings:
        yield from _told(finding, f"table:{name}")


def _told(finding: Finding, section: str) -> Iterator[str]:
    """A finding, within a section of the file: other sections for its lines are named."""
    count = f"{counted(finding.count, 'row')}: " if finding.count is not None else ""
    place = f"{finding.column}: " if finding.column else ""
    yield from _comment(f"{_GRAVITIES[finding.gravity]}: {place}{count}{finding.what}")
    if finding.examples:
        yield from _comment(f"  such as {', '.join(finding.examples)}")
    if finding.advice:
        yield from _comment(f"  {finding.advice}")
    if finding.lines and finding.header != section:
        yield from _comment(f"  in [{finding.header}]:")
    yield from (f"#{key} = {one_line(value)}" for key, value in finding.lines.items() if is_writable(key))


def _hypertable(table: TableDraft, found: Hypertable) -> Iterator[str]:
    seen = found.series
    yield ""
    yield from _comment(
        f"A likely hypertable: {table.rows} rows over {seen.days:.0f} days, from {seen.first} to {seen.last}, about "
        f"{found.rows_a_day:.0f} rows a day; of neighbouring rows {seen.growing:.0%} are in order of time"
    )
    for key in found.lacking:
        yield from _comment(f"a hypertable takes no unique key without its time column, as ({', '.join(key)}) is")
    origin = next(dates.origin for dates in table.dates if dates.column == found.time_column)
    if origin.startswith("epoch"):
        unit = origin.removeprefix("epoch_")
        yield from _comment(
            f"with type.{found.time_column} from above, or as the integer that it is with epoch = {unit}"
        )
    yield f"#[hypertable:{table.plan.target}]"
    yield f"#time_column = {one_line(found.time_column)}"
    yield f"#chunk_interval = {found.chunk_interval}"
    if found.segment_by:
        yield f"#segment_by = {one_line(', '.join(map(_listed, found.segment_by)))}"
    yield f"#order_by = {one_line(_listed(found.time_column))} DESC"


def _comment(text: str) -> Iterable[str]:
    for line in many_lines(text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        folded = textwrap.wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        yield from (f"# {part}" for part in folded)


def is_writable(name: str) -> bool:
    """Whether an INI file can hold it: blanks at its ends would be lost, and a line break would end it."""
    return bool(name) and name == name.strip() and "\n" not in name and "\r" not in name


def _is_key(name: str) -> bool:
    return is_writable(name) and "=" not in name


def _listed(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name
