"""What a comparison finds in one table, gathered by several threads and looked at again before it is told."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from syncd.model import Difference, TableVerdict, Unlike
from syncd.plan import TablePlan
from syncd.target.compare import Unequal
from syncd.wording import counted

SUSPECTS_AT_MOST = 100_000
"""Rows of a table that are looked at again, and repaired, in one go; what lies beyond is counted alone."""
EXAMPLES = 10

Values = Mapping[str, list[tuple[str, str | None, str | None]]]


@dataclass
class Findings:
    """One table's differences.

    `suspects` by their source keys may be differences; `extra` are target keys. `rejected` are the source keys of
    rejects: their rows may be missing, or older, in the target. `losers` give way to other rows with their target key.
    """

    plan: TablePlan
    source_rows: int
    rejected: frozenset[str] = frozenset()
    losers: frozenset[str] = frozenset()
    target_rows: int = 0
    compared: int = 0
    matched: int = 0
    repaired: int = 0
    older: int = 0
    suspects: dict[str, Unequal] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    values: dict[str, list[tuple[str, str | None, str | None]]] = field(default_factory=dict)
    further: list[Difference] = field(default_factory=list)
    converted: Counter[str] = field(default_factory=Counter)
    _reasons: dict[str, str] = field(default_factory=dict)
    _beyond: Counter[str] = field(default_factory=Counter)
    _columns_beyond: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, compared: int, staged: int, unequal: Collection[Unequal]) -> None:
        """So many rows were read, so many staged; of those the target lacks or differs in `unequal`."""
        with self._lock:
            self.compared += compared
            self.matched += staged - sum(row.missing for row in unequal)
            self._suspect(row for row in unequal if row.source_key not in self.rejected)

    def _suspect(self, rows: Iterable[Unequal]) -> None:
        for row in rows:
            if len(self.suspects) < SUSPECTS_AT_MOST:
                self.suspects[row.source_key] = row
            else:
                self._beyond["missing" if row.missing else "different"] += 1
                self._columns_beyond.update(row.columns)

    def to_show(self, unequal: Collection[Unequal]) -> list[str]:
        """The keys of the first different rows, whose values are shown."""
        different = [r.source_key for r in unequal if not r.missing and r.source_key not in self.rejected]
        return different[: max(0, EXAMPLES - len(self.values))]

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Rows that cannot land, with the reason; rejects among them are known already."""
        with self._lock:
            news = {key: why for key, why in reasons.items() if key not in self.rejected}
            self._suspect(Unequal(key, True, (), "") for key in news)
            self._reasons |= {key: why for key, why in news.items() if key in self.suspects}

    def add_extra(self, keys: Iterable[str]) -> None:
        for key in keys:
            if len(self.extra) < SUSPECTS_AT_MOST:
                self.extra.append(key)
            else:
                self._beyond["extra"] += 1

    def add_converted(self, key: str, unlike: Collection[Unlike]) -> None:
        """Both sides are equal by bytes, but what PostgreSQL prints is not what SQLite holds."""
        with self._lock:
            self.converted.update(["rows", *(pair.column for pair in unlike)])
            if self.converted["rows"] <= EXAMPLES:
                self.further.append(
                    Difference(
                        self.plan.name, "converted", key, ", ".join(pair.column for pair in unlike), tuple(unlike)
                    )
                )

    def check_counts(self) -> None:
        """Hold the counts of rows against each other; of a rejected row the target may hold an older one, or none."""
        is_short = self.target_rows < self.source_rows - len(self.rejected)
        if is_short or (self.plan.deletes and self.target_rows > self.source_rows):
            rejected = f"{len(self.rejected)} of them rejected"
            said = f"{counted(self.source_rows, 'row')} in the source, {rejected}, {self.target_rows} in the target"
            self.further.append(Difference(self.plan.name, "count", "", said))

    def check_matched(self) -> None:
        """Every compared row that the target has is one of those counted there, if it was one state that was read."""
        if self.matched > self.target_rows:
            said = f"{self.matched} rows were compared with {self.target_rows}: the target did not stand still"
            self.further.append(Difference(self.plan.name, "count", "", said))

    def replace(self, suspects: Iterable[Unequal], values: Values) -> None:
        """The suspects were looked at again: these are left."""
        self.suspects = {row.source_key: row for row in suspects}
        self.values = {key: list(pairs) for key, pairs in values.items()}

    @property
    def is_open(self) -> bool:
        """Whether there is anything to look at again, or to repair."""
        return bool(self.suspects or self.extra)

    @property
    def kept(self) -> int:
        """How many rows that the source has no longer stay in the target, as deletes are not carried over."""
        return 0 if self.plan.deletes else max(0, self.target_rows - self.matched - self.older)

    def verdict(self) -> TableVerdict:
        missing = sum(row.missing for row in self.suspects.values())
        columns = Counter(name for row in self.suspects.values() for name in row.columns) + self._columns_beyond
        return TableVerdict(
            self.plan.name,
            self.source_rows,
            self.target_rows,
            len(self.rejected),
            self.compared,
            missing=missing + self._beyond["missing"],
            extra=len(self.extra) + self._beyond["extra"],
            different=len(self.suspects) - missing + self._beyond["different"],
            converted=self.converted["rows"],
            repaired=self.repaired,
            older=self.older,
            kept=self.kept,
            columns=tuple(columns.most_common()),
            differences=(*self.further, *self._examples()),
        )

    def _examples(self) -> Iterable[Difference]:
        name = self.plan.name
        by_kind: Counter[str] = Counter()
        for row in self.suspects.values():
            kind = "missing" if row.missing else "different"
            by_kind[kind] += 1
            if by_kind[kind] <= EXAMPLES:
                detail = self._reasons.get(row.source_key, ", ".join(row.columns))
                values = tuple(Unlike(*pair) for pair in self.values.get(row.source_key, ()))
                yield Difference(name, kind, row.source_key, detail, values)
        for key in self.extra[:EXAMPLES]:
            yield Difference(name, "extra", key, "")
