"""What `make cuda-bundle` carries to a machine with a GPU, and the script that runs it there."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = ROOT / "Makefile"
SCRIPT = ROOT / "tests" / "cuda" / "run.sh"
BASH = shutil.which("bash")

pytestmark = [
    pytest.mark.skipif(not MAKEFILE.exists(), reason="the tests stand alone, without the Makefile"),
    pytest.mark.skipif(BASH is None, reason="there is no bash"),
]


def required(*names: str) -> set[str]:
    """These distributions and all that they require, without extras; those not installed too."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            needed = re.match(r"[\w.-]+", line)
            if needed and "extra ==" not in line:
                waiting.append(needed[0])
    return found


def test_nothing_carried_takes_the_place_of_what_torch_requires() -> None:
    not_carried = re.search(r"^NOT_CARRIED := (.+)$", MAKEFILE.read_text(), re.MULTILINE)
    assert not_carried is not None
    carried = required("archcost", "pytest") - set(not_carried[1].split())
    assert {"archcost", "click", "pyyaml", "rich", "pytest"} <= carried
    assert not carried & required("torch")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    assert BASH is not None
    return subprocess.run(
        [BASH, str(SCRIPT), *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: run.sh")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["--minutes"], ["--minutes", "0"], ["--minutes", "soon"], ["--from", "nowhere"], ["--fast"]],
    ids=" ".join,
)
def test_a_wrong_request_does_nothing(arguments: list[str], tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert not list(tmp_path.iterdir())
