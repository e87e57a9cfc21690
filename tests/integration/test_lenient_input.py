"""Types whose input PostgreSQL reads leniently: what it would change is refused, what it holds exactly lands."""

from pathlib import Path

import pytest

from tests.plugins.moving import TOLERANT, Move

REFUSED = {
    "timetz": ("now", "2024-001", "2024-01-01 12:00:00+00", "12:00", "allballs", "12:00:00.1234567Z"),
    "timetz(0)": ("12:00:00.6+02",),
    "money": ("1.005", "(1,2)", "", "$1.00", "1,000.5"),
    "oid": ("-1", "4294967296", "1_000"),
    "interval": ("1.01 years", "1.5 mons", "1.1234567 seconds", "00:00:01.0000001"),
    "interval(0)": ("1.6 seconds", "00:00:01.6"),
    "interval day": ("1 day 2 hours", "1-2"),
    "date[]": ("{now}", '{"2024-01-01 23:59:59"}', "{2024-01-01,today}"),
    "timestamp(0)[]": ('{"2024-01-01 12:00:00.6"}',),
    "integer[]": ("{1_000}", "{{1,2},{3,0x1F}}"),
    "varchar(3)[]": ('{"abc  "}', "{abc\\ }"),
    "numeric(10,2)[]": ("{1.005}", "{NaN}"),
    "double precision[]": ("{0.1234567890123456789}",),
    "real[]": ("{0.123456789}",),
    "daterange": ("[now,)", "[2024-01-01 12:00,2024-01-02)"),
    "tsrange": ("[2024-01-01 12:00:00.1234567,)", '["2024-01-01 12:00:00+09",)'),
}
LANDS = {
    "timetz": {"12:00:00.5+02": "12:00:00.5+02", "12:00Z": "12:00:00+00", "12:00:00-05:30": "12:00:00-05:30"},
    "timetz(0)": {"12:00:00.000+02": "12:00:00+02"},
    "money": {"1.01": "$1.01", "-12": "-$12.00"},
    "oid": {"4294967295": "4294967295"},
    "interval": {"1.5 seconds": "00:00:01.5", "1 day 02:00:00.25": "1 day 02:00:00.25", "P1DT2H": "1 day 02:00:00"},
    "interval(0)": {"00:00:01.000": "00:00:01"},
    "interval day": {"2 days": "2 days"},
    "date[]": {"{2024-01-01, NULL}": "{2024-01-01,NULL}", "{}": "{}"},
    "timestamp(0)[]": {'{"2024-01-01 12:00:00"}': '{"2024-01-01 12:00:00"}'},
    "integer[]": {"{{1,2},{3,-4}}": "{{1,2},{3,-4}}"},
    "varchar(3)[]": {'{abc,"a,b"}': '{abc,"a,b"}'},
    "numeric(10,2)[]": {"{1.01,2}": "{1.01,2.00}"},
    "double precision[]": {"{0.30000000000000004,1}": "{0.30000000000000004,1}"},
    "real[]": {"{0.1,-0.0625}": "{0.1,-0.0625}"},
    "text[]": {'{now,"a  "}': '{now,"a  "}'},
    "daterange": {
        "[2024-01-01,2024-01-31]": "[2024-01-01,2024-02-01)",
        "empty": "empty",
        "[2024-01-01,infinity)": "[2024-01-01,infinity)",
    },
    "tsrange": {'["2024-01-01 12:00:00.5",)': '["2024-01-01 12:00:00.5",)'},
}


@pytest.fixture
def loaded(database: str, tmp_path: Path) -> Move:
    """Every value in a row of its own, in a column `value` of its type that was there before."""
    move = Move(tmp_path / "app.db", database, tmp_path)
    move.configure(TOLERANT)
    for type_, wanted in LANDS.items():
        move.execute(f'CREATE TABLE "{type_}" (id bigint PRIMARY KEY, value {type_})')
        move.write(f'CREATE TABLE "{type_}" (id INTEGER PRIMARY KEY, value TEXT)')
        for value in (*REFUSED.get(type_, ()), *wanted):
            move.write(f"""INSERT INTO "{type_}" (value) VALUES ('{value}')""")
    move.load()
    return move


def test_what_postgresql_would_change_is_refused_and_what_it_holds_lands(loaded: Move) -> None:
    landed = {type_: _landed(loaded, type_) for type_ in LANDS}
    assert landed == LANDS
    assert {r.reason for r in loaded.rejects()} == {"value"}


def test_doubled_members_are_found_in_a_column_of_any_name(database: str, tmp_path: Path) -> None:
    move = Move(tmp_path / "app.db", database, tmp_path)
    move.configure(TOLERANT)
    move.execute("CREATE TABLE t (id bigint PRIMARY KEY, key jsonb)")
    move.write("""CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT); INSERT INTO t VALUES (1, '{"a":1,"a":2}')""")
    move.load()
    assert [(r.table, r.column) for r in move.rejects()] == [("t", "key")]


def _landed(move: Move, type_: str) -> dict[str, str]:
    """The source's texts that landed, and what PostgreSQL shows of them."""
    texts = {key: text.decode() for key, text in move.read(f'SELECT id, value FROM "{type_}"')}
    return {texts[key]: shown for key, shown in move.query(f'SELECT id, value::text FROM "{type_}"')}
