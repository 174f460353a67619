"""What ``archcost measure`` shows: a row a measured pass, and where the time of each layer went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.report.format import exact, seconds, shortened, visible
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.measure.records import Measurement

LONGEST_NAME: Final = 60
COLUMNS: Final = (
    Column("model", "Network", "text"),
    Column("device", "Device", "text", 2),
    Column("dtype", "Dtype", "text"),
    Column("batch", "Batch", "integer"),
    Column("channels_last", "Channels last", "text", 4),
    Column("compiled", "Compiled", "text", 4),
    Column("threads", "Threads", "integer", 4),
    Column("seconds", "Time", "seconds"),
    Column("q1_seconds", "Quartile 1", "seconds", 3),
    Column("q3_seconds", "Quartile 3", "seconds", 3),
    Column("spread_percent", "Spread", "percent"),
    Column("runs", "Runs", "integer", 4),
    Column("samples_per_second", "Samples/s", "rate"),
    Column("peak_memory_bytes", "Peak memory", "bytes"),
    Column("resident_bytes", "Resident", "bytes", 3),
    Column("flops_per_second", "FLOP/s", "rate", 2),
    Column("flops_percent", "of peak", "percent", 2),
    Column("bytes_per_second", "Bytes/s", "rate", 2),
    Column("bytes_percent", "of bandwidth", "percent", 2),
    Column("build_seconds", "Build", "seconds", 4),
    Column("compile_seconds", "Compile", "seconds", 4),
    Column("failure", "Failed", "sentences", 1),
)
TIME: Final = (
    "Time: the median of a forward pass in inference mode, with random weights and inputs; "
    "spread: the interquartile range as a share of it."
)
MEMORY: Final = (
    "Peak memory: what torch's allocator had given out at most, weights and inputs included."
)
RATES: Final = (
    "FLOP/s and bytes/s: the FLOPs and the traffic that archcost counts, over that time; what lies "
    "in a cache is not read from memory again, so the bytes can be more than the memory moves."
)
LAYER_COLUMNS: Final = (
    Column("name", "Layer", "text"),
    Column("op", "Op", "text"),
    Column("seconds", "Time", "seconds"),
    Column("q1_seconds", "Quartile 1", "seconds", 3),
    Column("q3_seconds", "Quartile 3", "seconds", 3),
    Column("share", "Share", "share"),
)


def measure_table(measurements: Sequence[Measurement]) -> Table:
    """One row a measurement, in the order given; what could not be measured has its reason."""
    rows = tuple(map(_row, measurements))
    several = len({one.device for one in measurements}) > 1
    columns = tuple(c._replace(rank=1) if several and c.key == "device" else c for c in COLUMNS)
    table = Table("Measured", columns, rows, notes=_notes(measurements))
    empty = [
        column.key
        for index, column in enumerate(COLUMNS)
        if all(row[index] in (None, ()) for row in rows)
    ]
    return table.without(empty)


def _row(one: Measurement) -> tuple[Any, ...]:
    timing, memory = one.timing, one.memory
    cells = {
        "model": one.model,
        "device": one.device,
        "dtype": one.dtype,
        "batch": one.batch,
        "channels_last": "yes" if one.channels_last else None,
        "compiled": "yes" if one.compiled else None,
        "threads": one.threads if one.device == "cpu" else None,
        "seconds": one.seconds,
        "q1_seconds": timing and timing.q1,
        "q3_seconds": timing and timing.q3,
        "spread_percent": _percent(timing and timing.spread),
        "runs": timing and timing.runs,
        "samples_per_second": one.throughput,
        "peak_memory_bytes": one.peak_memory,
        "resident_bytes": memory and memory.resident_bytes,
        "flops_per_second": one.flops_per_second,
        "flops_percent": _percent(one.flops_share),
        "bytes_per_second": one.bytes_per_second,
        "bytes_percent": _percent(one.bytes_share),
        "build_seconds": one.build_seconds,
        "compile_seconds": one.compile_seconds,
        "failure": (one.failure,) if one.failure else (),
    }
    return tuple(cells[column.key] for column in COLUMNS)


def _percent(share: float | None) -> float | None:
    """A share as percent, in the digits that a repetition would bear out."""
    return None if share is None else round(100 * share, 1)


def _notes(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """What a reader must know to read the numbers, most important first."""
    done = [one for one in measurements if one.timing]
    if not done:
        return ()
    return (*_machines(done), TIME, MEMORY, RATES, *_ceilings(done))


def _machines(done: Sequence[Measurement]) -> list[str]:
    """What it was measured on."""
    lines: dict[str, None] = {}
    for one in done:
        about = one.environment
        if about is None:
            continue
        said = [visible(about.device)]
        if about.kind == "cpu":
            said.append(f"{exact(one.threads)} thread{'' if one.threads == 1 else 's'}")
        if about.driver:
            said.append(f"driver {visible(about.driver)}")
        if about.cuda:
            said.append(f"CUDA {about.cuda}")
        if about.cudnn:
            said.append(f"cuDNN {about.cudnn}")
        lines[f"{one.device}: {', '.join(said)}, torch {about.torch}."] = None
    return list(lines)


def _ceilings(done: Sequence[Measurement]) -> list[str]:
    known = {one.ceilings for one in done if one.ceilings}
    if not known:
        return ["No shares of the device's peak: --ceilings says what that is."]
    return [
        f"Shares: of what {visible(each.device)} can do at most, "
        f"{'measured by archcost calibrate' if each.measured else 'as its maker says'}."
        for each in sorted(known, key=lambda each: each.device)
    ]


def layer_table(one: Measurement) -> Table:
    """One row a layer of a measurement that has them."""
    layers = one.layers or ()
    total = sum(layer.seconds for layer in layers)
    rows = tuple(
        (layer.name, layer.op, layer.seconds, layer.q1, layer.q3, layer.seconds / total)
        for layer in layers
    )
    name = shortened(one.model, LONGEST_NAME)
    note = f"Together {seconds(total)}"
    if one.seconds:
        note += f"; a pass that is not watched takes {seconds(one.seconds)}"
    return Table(
        f"{name}, {one.dtype}, batch {exact(one.batch)}, on {one.device}: by layer",
        LAYER_COLUMNS,
        rows,
        notes=(f"{note}.",),
    )


def layers_table(measurements: Sequence[Measurement]) -> Table:
    """The layers of several measurements one below the other, for formats of data."""
    columns = (
        *(column for column in COLUMNS if column.key in ("model", "device", "dtype", "batch")),
        *LAYER_COLUMNS,
    )
    rows = tuple(
        (one.model, one.device, one.dtype, one.batch, *row)
        for one in measurements
        for row in layer_table(one).rows
    )
    return Table("Measured by layer", columns, rows)


def measure_document(measurements: Sequence[Measurement]) -> Document:
    """All measurements, then the layers of each that has them."""
    parts: list[Section | Table] = [measure_table(measurements)]
    parts += [layer_table(one) for one in measurements if one.layers]
    return Document("Measured forward passes", tuple(parts))
