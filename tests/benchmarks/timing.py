"""How the benchmarks measure and print: interleaved rounds, ratios, child processes."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import archcost

CHECKOUT = Path(archcost.__file__).resolve().parents[1]


class Series(list[float]):
    """Seconds that one thing took, a round each."""

    @property
    def best(self) -> float:
        return min(self)

    @property
    def median(self) -> float:
        return median(self)


class Ratio(NamedTuple):
    """How often ``b`` goes into ``a``: of the best rounds, and the median of all rounds."""

    best: float
    median: float

    def __str__(self) -> str:
        return f"{number(self.best)} ({number(self.median)})"


def ratio(a: Series, b: Series) -> Ratio:
    return Ratio(a.best / b.best, median(x / y for x, y in zip(a, b, strict=True)))


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def milliseconds(seconds: float) -> str:
    return f"{number(seconds * 1e3)} ms"


def interleaved(
    actions: Mapping[str, Callable[[], object]], rounds: int, calls: Mapping[str, int] | None = None
) -> dict[str, Series]:
    """Seconds of a call of each action: A, B, A, B, ..., so that a slow spell hits them all.

    ``calls`` says how often an action is called in one round; its time is then their mean. The
    garbage collector stays on, and starts each measurement with nothing to do.
    """
    taken = {name: Series() for name in actions}
    for action in actions.values():
        action()
    for _ in range(rounds):
        for name, action in actions.items():
            times = (calls or {}).get(name, 1)
            gc.collect()
            begin = perf_counter()
            for _ in range(times):
                action()
            taken[name].append((perf_counter() - begin) / times)
    return taken


# A child's largest resident set begins with that of the process that starts it, so a small one
# does. It reads the child's output through a pipe and counts the time from the child's start.
_LAUNCHER = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
output = child.stdout.read()
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - begin
json.dump({
    "seconds": seconds, "resident": usage.ru_maxrss, "output": output.decode(),
    "status": os.waitstatus_to_exitcode(status),
}, sys.stdout)
"""


class Finished(NamedTuple):
    """What a child process took and wrote. ``resident`` is its largest resident set in bytes."""

    seconds: float
    resident: int
    output: str


def run(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run ``command``, which must succeed."""
    launched = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        check=True,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    result = json.loads(launched.stdout)
    assert result["status"] == 0, f"{' '.join(command)} ended with {result['status']}"
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(result["seconds"], result["resident"] * unit, result["output"])


def environment(cache: Path) -> dict[str, str]:
    """The environment of children: compiled bytecode is kept (in ``cache``), as after a first run,
    and this checkout is found where archcost is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept["PYTHONPYCACHEPREFIX"] = str(cache)
    if not _installed():
        kept["PYTHONPATH"] = str(CHECKOUT)
    return kept


def _installed() -> bool:
    try:
        version("archcost")
    except PackageNotFoundError:
        return False
    return True


def script(name: str) -> str | None:
    """The installed console script ``name`` of this environment."""
    path = Path(sys.executable).with_name(name)
    return str(path) if path.exists() else None


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]], *notes: str) -> None:
    """Print a Markdown table, which docs/performance.md takes as it is."""
    texts = [list(header), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in texts]
    lines.insert(1, ["-" * width for width in widths])
    print(f"\n\n{title}\n")
    for line in lines:
        print(f"| {' | '.join(line)} |")
    for note in notes:
        print(f"\n{note}")


def versions(*packages: str) -> str:
    """What the figures were taken with."""
    parts = [f"Python {platform.python_version()}"]
    for package in packages:
        parts.append(f"{package} {version(package)}")
    return ", ".join(parts)
