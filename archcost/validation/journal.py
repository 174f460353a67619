"""What a validation measured, as a file of JSON Lines that grows while it runs.

The first line says how it was measured; a session that went on later adds such a line of its own.
Every other line is a :class:`Row`. A line that was being written when a session was interrupted is
left out, so nothing else is lost. Times are kept to five digits, those of layers to three.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from archcost.ir import ArchcostError
from archcost.measure.records import Environment, Memory, Timing

SCHEMA: Final = "archcost.validation/1"
LARGEST_FILE: Final = 2**28
"""Bytes of a file that are read: a file is nobody's promise."""
SAME: Final = ("device", "kind", "cpu", "cores", "driver", "cuda", "cudnn", "torch", "threads")
"""What of :class:`Environment` has to be equal for measurements to go into one file."""

TIMES: Final = ("median", "q1", "q3", "min", "max")


class JournalError(ArchcostError, ValueError):
    """A file is none of a validation's measurements, or of another machine's."""


class Key(NamedTuple):
    """What is measured once: ``round`` is 0, then 1 and so on where it is repeated."""

    model: str
    dtype: str
    batch: int
    round: int = 0


class Held(NamedTuple):
    """What the module holds, makes and stores, in bytes.

    ``parameters``: of its parameters and buffers; ``activations``: of the storages that its layers
    made in one pass; ``file``: that ``torch.save`` writes of its state.
    """

    parameters: int
    activations: int
    file: int


@dataclass(frozen=True)
class Row:
    """One network in one dtype at one batch: its measured pass, or why there is none.

    Attributes:
        fingerprint: the beginning of the graph's, as
            :class:`archcost.measure.records.Measurement` has it.
        layers: seconds of each different layer, the mean of those that do the same, in the order
            of :func:`archcost.validation.judging.alike`; None where they were not timed.
        held: of the first batch of a network and dtype only.
        skipped: why it was not run; failure: why the run gave no numbers.
        started: UTC, ISO 8601; took: seconds that all of it took, building the module too.
    """

    key: Key
    fingerprint: str = ""
    timing: Timing | None = None
    memory: Memory | None = None
    layers: tuple[float, ...] | None = None
    held: Held | None = None
    skipped: str | None = None
    failure: str | None = None
    started: str = ""
    took: float = 0.0


@dataclass(frozen=True)
class Session:
    """How rows were measured: by which command, for which device file, on what, with what."""

    environment: Environment
    device: str
    command: str = ""
    started: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Journal:
    """All of a file: its sessions, and the last row of each key."""

    sessions: list[Session] = field(default_factory=list)
    rows: dict[Key, Row] = field(default_factory=dict)

    @property
    def measured(self) -> list[Row]:
        """The rows of first rounds that have a time."""
        return [row for key, row in self.rows.items() if not key.round and row.timing]

    @property
    def repeated(self) -> list[tuple[Row, Row]]:
        """Each row of a later round that has a time, behind that of the first round."""
        found = []
        for key, row in self.rows.items():
            first = self.rows.get(key._replace(round=0))
            if key.round and row.timing and first is not None and first.timing:
                found.append((first, row))
        return found

    @property
    def missing(self) -> list[Row]:
        """The rows of first rounds that have no time, with the reason."""
        return [row for key, row in self.rows.items() if not key.round and not row.timing]

    def has(self, key: Key) -> bool:
        """Whether that was measured: what was skipped or failed may do better next time."""
        row = self.rows.get(key)
        return row is not None and row.timing is not None


def read(path: Path) -> Journal:
    """The journal in the file ``path``.

    Raises:
        JournalError: there is no such file, or it is none of a validation's.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise JournalError(f"{path} has more than {LARGEST_FILE:,} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise JournalError(f"cannot read {path}: {reason}") from None
    journal = Journal()
    *lines, _unfinished = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            _take(journal, json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise JournalError(f"{path}:{number}: no line of {SCHEMA}: {error}") from None
    if not journal.sessions:
        raise JournalError(f"{path} holds no measurements of a validation ({SCHEMA})")
    return journal


def _take(journal: Journal, line: dict[str, Any]) -> None:
    if "schema" in line:
        if line["schema"] != SCHEMA:
            raise ValueError(f"its schema is {line['schema']!r:.60}")
        journal.sessions.append(_session(line))
    elif not journal.sessions:
        raise ValueError("the first line does not say how it was measured")
    else:
        row = _row(line)
        journal.rows[row.key] = row


def begin(path: Path, session: Session) -> Journal:
    """What the file ``path`` holds already, after a line for the new ``session`` was added to it.

    Raises:
        JournalError: it is no validation's, or of another machine or torch; or cannot be written.
    """
    journal = Journal()
    if path.exists() and path.stat().st_size:
        journal = read(path)
        _compare(path, journal.sessions[-1], session)
    with _opened(path) as file:
        _drop_unfinished(file)
        file.write(_line({"schema": SCHEMA, **asdict(session)}))
    journal.sessions.append(session)
    return journal


def append(path: Path, row: Row) -> None:
    """Add ``row`` to the file, on the disk when this returns.

    Raises:
        JournalError: it cannot be written.
    """
    with _opened(path) as file:
        file.write(_line(_row_data(row)))
        file.flush()
        os.fsync(file.fileno())


def _opened(path: Path) -> Any:
    try:
        return path.open("ab+")
    except OSError as error:
        raise JournalError(f"cannot write to {path}: {error.strerror}") from None


def _drop_unfinished(file: Any) -> None:
    """Cut off what follows the last line break."""
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)


def _compare(path: Path, old: Session, new: Session) -> None:
    for name in SAME:
        then, now = getattr(old.environment, name), getattr(new.environment, name)
        if then != now:
            raise JournalError(
                f"{path} was measured with {name} {then}, which is {now} now: measurements of "
                "another file"
            )


def _line(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n").encode()


def _session(line: dict[str, Any]) -> Session:
    given = {key: value for key, value in line.items() if key != "schema"}
    known = {field.name for field in fields(Environment)}
    environment = {k: v for k, v in given.pop("environment").items() if k in known}
    return Session(Environment(**environment), **given)


def _row_data(row: Row) -> dict[str, Any]:
    data: dict[str, Any] = {**row.key._asdict(), "graph": row.fingerprint}
    if row.timing is not None:
        times = row.timing._asdict()
        runs = {name: times.pop(name) for name in ("runs", "passes")}
        data |= {f"{name}_seconds": _rounded(value, 5) for name, value in times.items()} | runs
    if row.memory is not None:
        data["memory"] = {k: v for k, v in row.memory._asdict().items() if v is not None}
    if row.held is not None:
        data["held"] = row.held._asdict()
    for name in ("skipped", "failure"):
        if (reason := getattr(row, name)) is not None:
            data[name] = reason
    data |= {"started": row.started, "took_seconds": _rounded(row.took, 3)}
    if row.layers is not None:
        data["layer_microseconds"] = [_rounded(1e6 * seconds, 3) for seconds in row.layers]
    return data


def _row(line: dict[str, Any]) -> Row:
    timing = None
    if "median_seconds" in line:
        median, q1, q3, least, most = [float(line[f"{name}_seconds"]) for name in TIMES]
        timing = Timing(median, q1, q3, least, most, line["runs"], line["passes"])
    micro = line.get("layer_microseconds")
    return Row(
        Key(line["model"], line["dtype"], line["batch"], line["round"]),
        line["graph"],
        timing,
        Memory(**line["memory"]) if "memory" in line else None,
        None if micro is None else tuple(value / 1e6 for value in micro),
        Held(**line["held"]) if "held" in line else None,
        line.get("skipped"),
        line.get("failure"),
        line["started"],
        line["took_seconds"],
    )


def _rounded(value: float, digits: int) -> float:
    """In so many digits; without a fraction where it has none."""
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short
