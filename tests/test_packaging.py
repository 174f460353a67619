"""The wheel: one import package, complete, and it works alone. Needs no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PLACES = {"archcost": "archcost", "cli": "archcost/cli", "zoo_specs": "archcost/zoo_specs"}
"""Folder of the repository -> where the wheel has it."""

pytestmark = pytest.mark.skipif(
    not all((ROOT / name).is_dir() for name in PLACES),
    reason="these tests stand alone, without the sources to build from (see `make test-wheel`)",
)


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in PLACES:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", out, copy)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_what_the_tree_holds(wheel: Path) -> None:
    expected = {
        f"{place}/{path.relative_to(ROOT / name).as_posix()}"
        for name, place in PLACES.items()
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix not in (".md", ".pyc")
    }
    names = set(ZipFile(wheel).namelist())
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    held = {name for name in names if not name.startswith(f"{info}/")}
    assert held - expected == set()
    assert expected - held == set(), "see [tool.setuptools] in pyproject.toml"
    assert f"{info}/licenses/LICENSE" in names
    for some in ("py.typed", "cli/main.py", "zoo_specs/simplenet.yaml", "zoo_specs/blocks/"):
        assert any(name.startswith(f"archcost/{some}") for name in held)
    assert any(name.startswith("archcost/published/tables/") for name in held)


def test_the_wheel_works_alone(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip("install", "--no-index", "--no-deps", "--target", installed, wheel)
    assert sorted(p.name for p in installed.iterdir() if p.name not in ("bin", "Scripts")) == [
        "archcost",
        f"{'-'.join(wheel.name.split('-')[:2])}.dist-info",
    ]
    # -S: no site, hence no `.pth` file; an editable install cannot lend what the wheel lacks.
    libraries = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *libraries])}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = python("-c", "import archcost, archcost.cli as c; print(archcost.__file__, c.__file__)")
    assert [Path(path).parent for path in found.split()] == [
        installed / "archcost",
        installed / "archcost" / "cli",
    ]
    report = json.loads(python("-m", "archcost.cli", "report", "simplenet", "--format", "json"))
    assert "simplenet" in json.dumps(report)
