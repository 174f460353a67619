"""Measurements as data: what one forward pass took, and a file of JSON Lines that holds them.

Nothing here needs torch: who only reads what was measured does not load it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from math import isfinite
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

from archcost.ir import ArchcostError, Graph

T = TypeVar("T")

SCHEMA: Final = "archcost.measurement/1"
MOST_BYTES: Final = 2**30
"""Bytes of a file that are read: a path can be anything's."""


BEGINNING: Final = f'{{"schema": "{SCHEMA}",'.encode()
"""What every line begins with."""
BLOCK: Final = 2**16


class RecordError(ArchcostError, ValueError):
    """A file is none of measurements, or a line of it is broken."""


class MeasureError(ArchcostError):
    """A pass could not be measured. ``kind`` is one of :data:`FAILURES`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


FAILURES: Final = ("out of memory", "device", "dtype", "operator", "not finite", "compile", "other")
"""Why a pass could not be measured: memory; no such device; a dtype that the device or a kernel
lacks; an operator that torch cannot execute; outputs that are infinite or no numbers."""


class Timing(NamedTuple):
    """Seconds of one call, over ``runs`` timed blocks of ``passes`` calls each.

    ``median`` and the quartiles ``q1`` and ``q3`` are those of the blocks' means.
    """

    median: float
    q1: float
    q3: float
    min: float
    max: float
    runs: int
    passes: int

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return (self.q3 - self.q1) / self.median


class Memory(NamedTuple):
    """Bytes at their highest while passes ran, weights and inputs among them.

    ``allocator_bytes`` are those that torch's allocator had given out, in its own rounding
    (``requested_bytes`` without it); ``reserved_bytes`` what it had taken from the device for
    that. ``resident_bytes`` is the largest resident set of the whole process on a CPU, and
    ``resident_before_bytes`` the resident set before the network was built. None: not known there.
    """

    allocator_bytes: int | None = None
    requested_bytes: int | None = None
    reserved_bytes: int | None = None
    resident_bytes: int | None = None
    resident_before_bytes: int | None = None


class LayerSeconds(NamedTuple):
    """What one node took of a pass: the median and quartiles over ``runs`` passes."""

    name: str
    op: str
    seconds: float
    q1: float
    q3: float


class Ceilings(NamedTuple):
    """What the device can do at most, FLOP/s in the dtype and bytes/s, and who says so."""

    device: str
    flops_per_second: float | None
    bytes_per_second: float | None
    measured: bool


@dataclass(frozen=True)
class Environment:
    """Where it was measured: all that another would need to measure the same.

    ``clocks`` are MHz, temperatures and the like as the system told them while the passes warmed
    up; ``kind`` is ``cpu`` or ``gpu``.
    """

    device: str
    kind: str
    memory_bytes: int | None
    driver: str | None
    cuda: str | None
    cudnn: str | None
    capability: str | None
    cpu: str
    cores: int
    system: str
    python: str
    torch: str
    archcost: str
    threads: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    clocks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """One network, measured in one way, or why it could not be.

    Attributes:
        model: what the network is called.
        fingerprint: SHA-256 of the measured graph's JSON, without its name and metadata.
        inputs: shapes of the inputs, batch first; ``input_dtypes`` beside them.
        params, macs, flops, traffic_bytes: of the graph, for one pass over the whole batch.
        device: as it was asked for: ``cpu``, ``cuda:0``.
        timing: seconds of a pass; None where it failed.
        build_seconds: everything before: counting, making the module and its weights;
            ``compile_seconds``: the first pass of a compiled one.
        measuring_seconds: all of it, from the first pass on; ``passes_seconds`` of that the passes
            themselves, warm-up included.
        failure: why there are no numbers: one sentence, and ``failure_kind``, one of
            :data:`FAILURES`.
        command: the command line; time: when it began, UTC, ISO 8601.
    """

    model: str
    fingerprint: str
    inputs: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[str, ...]
    params: int
    macs: int
    flops: int
    traffic_bytes: int
    device: str
    dtype: str
    batch: int
    channels_last: bool
    compiled: bool
    threads: int
    min_run_time: float
    environment: Environment | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    layers: tuple[LayerSeconds, ...] | None = None
    ceilings: Ceilings | None = None
    build_seconds: float | None = None
    compile_seconds: float | None = None
    measuring_seconds: float | None = None
    passes_seconds: float | None = None
    failure: str | None = None
    failure_kind: str | None = None
    command: str = ""
    time: str = ""

    @property
    def seconds(self) -> float | None:
        """Median seconds of a pass."""
        return self.timing.median if self.timing else None

    @property
    def throughput(self) -> float | None:
        """Samples a second."""
        return self.batch / self.timing.median if self.timing else None

    @property
    def flops_per_second(self) -> float | None:
        """FLOP/s that the pass reached: the graph's FLOPs over the median."""
        return self.flops / self.timing.median if self.timing else None

    @property
    def bytes_per_second(self) -> float | None:
        """Bytes/s of the graph's traffic, each layer reading and writing its tensors once."""
        return self.traffic_bytes / self.timing.median if self.timing else None

    @property
    def flops_share(self) -> float | None:
        """:attr:`flops_per_second` as a share of the device's ceiling."""
        return _share(self.flops_per_second, self.ceilings and self.ceilings.flops_per_second)

    @property
    def bytes_share(self) -> float | None:
        """:attr:`bytes_per_second` as a share of the device's ceiling."""
        return _share(self.bytes_per_second, self.ceilings and self.ceilings.bytes_per_second)

    @property
    def peak_memory(self) -> int | None:
        """Bytes that torch's allocator had given out at most, weights and inputs among them."""
        return self.memory.allocator_bytes if self.memory else None


def _share(reached: float | None, ceiling: float | None) -> float | None:
    return reached / ceiling if reached is not None and ceiling else None


def schema() -> dict[str, Any]:
    """The JSON Schema of one measurement, a line of the file."""
    path = Path(__file__).with_name("schema") / "measurement-1.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def fingerprint(graph: Graph) -> str:
    """SHA-256 of all that a pass depends on: the graph's inputs, nodes and outputs, in its batch
    and dtype, but neither its name nor what is said about it.

    Raises:
        TargetError: an operator is none of archcost's own.
    """
    from archcost.targets.graph_json import document

    parts = document(graph)
    for key in ("name", "metadata"):
        parts.pop(key, None)
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def as_dict(measurement: Measurement) -> dict[str, Any]:
    """``measurement`` as plain data, as ``schema/measurement-1.json`` fixes it: what is worked out
    of other keys is there too, for readers of other languages."""
    timing, memory, about = measurement.timing, measurement.memory, measurement.environment
    ceilings = measurement.ceilings
    return {
        "schema": SCHEMA,
        **{key: getattr(measurement, key) for key in _SUBJECT},
        "inputs": [list(shape) for shape in measurement.inputs],
        "input_dtypes": list(measurement.input_dtypes),
        "settings": {key: getattr(measurement, key) for key in _SETTINGS},
        "seconds": timing and {**timing._asdict(), "spread": timing.spread},
        "samples_per_second": measurement.throughput,
        "flops_per_second": measurement.flops_per_second,
        "bytes_per_second": measurement.bytes_per_second,
        "memory": memory and memory._asdict(),
        "layers": measurement.layers and [layer._asdict() for layer in measurement.layers],
        "ceilings": ceilings
        and {
            **ceilings._asdict(),
            "flops_share": measurement.flops_share,
            "bytes_share": measurement.bytes_share,
        },
        "costs": {key: getattr(measurement, key) for key in _COSTS},
        "failure": measurement.failure
        and {"kind": measurement.failure_kind, "message": measurement.failure},
        "environment": about and asdict(about),
        "command": measurement.command,
        "time": measurement.time,
    }


_SUBJECT: Final = ("model", "fingerprint", "params", "macs", "flops", "traffic_bytes")
_SETTINGS: Final = (
    *("device", "dtype", "batch", "channels_last", "compiled", "threads", "min_run_time"),
)
_COSTS: Final = ("build_seconds", "compile_seconds", "measuring_seconds", "passes_seconds")


def from_dict(data: Any) -> Measurement:
    """The measurement of which :func:`as_dict` made ``data``; keys that it does not know are no
    matter.

    Raises:
        RecordError: a key is missing, or what it has is of another type.
    """
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        said = data.get("schema") if isinstance(data, Mapping) else data
        raise RecordError(f"no measurement: its schema is {said!r:.60}, not {SCHEMA!r}")
    try:
        return _read(data)
    except KeyError as error:
        raise RecordError(f"a measurement without {error}") from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"no measurement: {error}") from None


def _read(data: Mapping[str, Any]) -> Measurement:
    failure = data["failure"] or {}
    layers = data["layers"]
    result = Measurement(
        **{key: data[key] for key in _SUBJECT},
        **{key: data["settings"][key] for key in _SETTINGS},
        **{key: data["costs"][key] for key in _COSTS},
        inputs=tuple(tuple(map(int, shape)) for shape in data["inputs"]),
        input_dtypes=tuple(map(str, data["input_dtypes"])),
        timing=_made(Timing, data["seconds"]),
        memory=_made(Memory, data["memory"]),
        layers=None if layers is None else tuple(_given(LayerSeconds, layer) for layer in layers),
        ceilings=_made(Ceilings, data["ceilings"]),
        failure=failure.get("message"),
        failure_kind=failure.get("kind"),
        environment=_made(Environment, data["environment"]),
        command=data["command"],
        time=data["time"],
    )
    numbers: tuple[Any, ...] = (
        result.batch,
        result.params,
        result.macs,
        result.flops,
        result.traffic_bytes,
    )
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("its counts are no numbers")
    times: tuple[Any, ...] = result.timing[:5] if result.timing else ()
    if not all(isinstance(time, int | float) and isfinite(time) and time > 0 for time in times):
        raise ValueError("its times are no times")
    return result


def _made(cls: Callable[..., T], given: Any) -> T | None:
    return None if given is None else _given(cls, given)


def _given(cls: Callable[..., T], given: Mapping[str, Any]) -> T:
    names = getattr(cls, "_fields", None) or [one.name for one in fields(cls)]  # type: ignore[arg-type]
    return cls(**{name: given[name] for name in names if name in given})


def append(path: str | Path, measurement: Measurement) -> None:
    """Write one more line to the file ``path``, which is made where there is none.

    A line is written at once and whole: an interrupted run keeps all that it measured.

    Raises:
        RecordError: the file cannot be written.
    """
    line = json.dumps(as_dict(measurement), allow_nan=False)
    try:
        with Path(path).open("a+b") as file:
            _end_of_lines(file)
            file.write(f"{line}\n".encode())
    except OSError as error:
        raise RecordError(f"cannot write to {str(path)!r:.300}: {error.strerror}") from None


def _end_of_lines(file: BinaryIO) -> None:
    """End the last line, or cut it off where whoever wrote it was stopped in the middle.

    Raises:
        RecordError: the line is none of ours.
    """
    end = position = file.seek(0, SEEK_END)
    while position:
        size = min(BLOCK, position)
        file.seek(position - size)
        if (found := file.read(size).rfind(b"\n")) >= 0:
            position += found - size + 1
            break
        position -= size
    if position == end:
        return
    file.seek(position)
    line = file.read()
    if not _begun(line):
        raise RecordError(f"{file.name!r:.300} holds something else than measurements")
    try:
        json.loads(line)
    except ValueError:
        file.truncate(position)
    else:
        file.write(b"\n")


def _begun(line: bytes) -> bool:
    """Whether a line that has no end could be one of ours."""
    return line.startswith(BEGINNING) or BEGINNING.startswith(line)


def read(path: str | Path) -> list[Measurement]:
    """The measurements of a file of JSON Lines, in its order.

    A last line that was not finished is left out: whoever wrote it was interrupted.

    Raises:
        RecordError: the file cannot be read, or a line is no measurement; with the line's number.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RecordError(f"{str(path)!r:.300}: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise RecordError(f"{str(path)!r:.300} is larger than {MOST_BYTES} bytes")
    found = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(from_dict(json.loads(line)))
        except (ValueError, RecursionError) as error:
            if number == len(lines) and not isinstance(error, RecordError) and _begun(line):
                break
            reason = error if isinstance(error, RecordError) else "no JSON"
            raise RecordError(f"{str(path)!r:.300}, line {number}: {reason}") from None
    return found
