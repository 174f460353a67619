"""What ``archcost devices`` shows: the list of devices, and every figure of one with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.report.format import (
    binary_bytes,
    exact,
    per_second,
    seconds,
    setting,
    three_digits,
)
from archcost.report.summary import Fact
from archcost.report.table import Column, Table

if TYPE_CHECKING:
    from archcost.hardware.device import Device, Source

GIB: Final = 2**30
LIST_COLUMNS: Final = (
    Column("name", "Name", "text"),
    Column("title", "Title", "text", 3),
    Column("kind", "Kind", "text", 4),
    Column("year", "Year", "year", 2),
    Column("units", "SMs or cores", "integer", 4),
    Column("fp64", "fp64 FLOP", "rate", 4),
    Column("fp32", "fp32 FLOP", "rate"),
    Column("tf32", "tf32 FLOP", "rate", 3),
    Column("fp16", "fp16 FLOP", "rate"),
    Column("bf16", "bf16 FLOP", "rate", 3),
    Column("fp8", "fp8 FLOP", "rate", 3),
    Column("int8", "int8 OP", "rate", 3),
    Column("bandwidth", "Bandwidth B", "rate"),
    Column("memory", "GiB", "number"),
    Column("ridge_fp32", "Ridge fp32", "number", 2),
    Column("ridge_fp16", "Ridge fp16", "number", 2),
    Column("overhead", "Launch", "seconds", 4),
    Column("power", "W", "integer", 3),
)
FIGURE_COLUMNS: Final = (
    Column("figure", "Figure", "text"),
    Column("value", "Value", "text"),
    Column("source", "Source", "sentences"),
)
DATA_COLUMNS: Final = (
    Column("figure", "Figure", "text"),
    Column("value", "Value", "text"),
    *(Column(key, key.capitalize(), "text") for key in ("formula", "printed", "title", "place")),
    Column("url", "Address", "text"),
    Column("note", "Note", "text"),
)
LIST_NOTE: Final = (
    "FLOP and B: so many in a second, at most. Ridge: FLOP for each byte of memory from which on "
    "arithmetic is the bound. Where there is no rate the device has no units for the dtype."
)


def devices_table(
    devices: Sequence[Device], sort: str | None = None, *, reverse: bool = False
) -> Table:
    """One row a device, in the order given, or sorted by the column ``sort``.

    Raises:
        KeyError: no such column.
    """
    lines = [_row(device) for device in devices]
    if sort is None and reverse:
        lines.reverse()
    table = Table("Devices", LIST_COLUMNS, tuple(lines), notes=(LIST_NOTE,))
    return table if sort is None else table.sorted_by(sort, reverse=reverse)


def _row(device: Device) -> tuple[Any, ...]:
    peaks = {dtype: device.peak.get(dtype) for dtype in ("fp64", "fp32", "tf32", "fp16", "bf16")}
    return (
        device.name,
        device.title,
        device.kind,
        device.year,
        device.units,
        *peaks.values(),
        device.peak.get("fp8"),
        device.peak.get("int8"),
        device.bandwidth,
        device.memory / GIB,
        device.ridge("fp32"),
        device.ridge("fp16"),
        device.overhead,
        None if device.power is None else round(device.power),
    )


def figures_table(device: Device) -> Table:
    """One row a figure: its value, and where it is from; :func:`source_facts` has the sources."""
    numbers = {document: number for number, document in enumerate(_documents(device), start=1)}
    rows = [
        (name, value, _said(device.sources.get(name), numbers)) for name, value in _figures(device)
    ]
    for dtype in device.peak:
        ridge = device.ridge(dtype)
        assert ridge is not None
        said = (f"= peak.{dtype} / bandwidth",)
        rows.append((f"ridge.{dtype}", f"{three_digits(ridge)} FLOP/byte", said))
    return Table("", FIGURE_COLUMNS, tuple(rows))


def figures_data(device: Device) -> Table:
    """The same with a column for each thing there is to say, for a data format."""
    keys = [column.key for column in DATA_COLUMNS[2:]]
    rows = []
    for name, value in _figures(device):
        said = device.sources[name]._asdict() if name in device.sources else {}
        rows.append((name, value, *(said.get(key) or None for key in keys)))
    return Table(device.title, DATA_COLUMNS, tuple(rows))


def source_facts(device: Device) -> list[Fact]:
    """The documents that its figures are from, by their numbers in :func:`figures_table`."""
    return [
        Fact(f"[{number}]", tuple(filter(None, document)))
        for number, document in enumerate(_documents(device), start=1)
    ]


def device_facts(device: Device) -> list[Fact]:
    """What there is to say of the device besides its figures."""
    lines = [Fact("Name", (device.name,))]
    if device.aliases:
        lines.append(Fact("Also called", device.aliases))
    lines.append(Fact("Kind", (device.kind,)))
    if device.chip:
        lines.append(Fact("Processor", (device.chip,)))
    if device.year is not None:
        lines.append(Fact("Year", (str(device.year),)))
    lines += [Fact("" if number else "Notes", (note,)) for number, note in enumerate(device.notes)]
    if device.calibrated:
        said = device.calibrated.items()
        lines.append(Fact("Calibrated", tuple(f"{key} {setting(value)}" for key, value in said)))
    return lines


def device_document(device: Device) -> dict[str, Any]:
    """The device as plain data, every figure with its source."""
    return {
        **device_summary(device),
        "caches": [
            {
                "name": cache.name,
                "bytes": cache.bytes,
                "shared": cache.shared,
                "bandwidth_bytes_per_second": cache.bandwidth,
            }
            for cache in device.caches
        ],
        "sources": {name: source._asdict() for name, source in device.sources.items()},
        "calibrated": dict(device.calibrated),
        "costs": None if device.costs is None else device.costs.data(),
    }


def device_summary(device: Device) -> dict[str, Any]:
    """Its figures as plain data, without their sources."""
    return {
        "name": device.name,
        "title": device.title,
        "kind": device.kind,
        "chip": device.chip,
        "year": device.year,
        "aliases": device.aliases,
        "notes": device.notes,
        "units": device.units,
        "clock_hz": device.clock,
        "peak_flops_per_second": dict(device.peak),
        "bandwidth_bytes_per_second": device.bandwidth,
        "memory_bytes": device.memory,
        "overhead_seconds": device.overhead,
        "power_watts": device.power,
        "ridge_flops_per_byte": {dtype: device.ridge(dtype) for dtype in device.peak},
    }


def _figures(device: Device) -> Iterator[tuple[str, str]]:
    """Name, as in the device's sources, and value of each figure."""
    yield "units", f"{exact(device.units)} {'SMs' if device.kind == 'gpu' else 'cores'}"
    if device.clock is not None:
        yield "clock", f"{device.clock / 1e6:,.0f} MHz"
    for dtype, peak in device.peak.items():
        yield f"peak.{dtype}", per_second(peak, _operation(dtype))
    yield "bandwidth", per_second(device.bandwidth, "B")
    yield "memory", binary_bytes(device.memory)
    for cache in device.caches:
        each = "" if cache.shared else f" each {'SM' if device.kind == 'gpu' else 'core'}"
        yield f"caches.{cache.name}", f"{binary_bytes(cache.bytes)}{each}"
        if cache.bandwidth is not None:
            yield f"caches.{cache.name}.bandwidth", per_second(cache.bandwidth, "B")
    yield "overhead", seconds(device.overhead)
    if device.power is not None:
        yield "power", f"{device.power:g} W"


def _operation(dtype: str) -> str:
    return "OP" if dtype.startswith("int") else "FLOP"


def _documents(device: Device) -> list[tuple[str, str]]:
    """Title and address of each document, in the order in which the figures have them."""
    sources = [device.sources[name] for name, _ in _figures(device) if name in device.sources]
    return list(dict.fromkeys((source.title, source.url) for source in sources if source.title))


def _said(source: Source | None, numbers: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """How a figure is computed and what its maker prints, where that stands, what to know of it."""
    if source is None:
        return ("no source",)
    number = numbers.get((source.title, source.url))
    where = ", ".join(filter(None, (f"[{number}]" if number else "", source.place)))
    computed = source.formula and f"= {source.formula}"
    printed = source.printed and f"printed as {source.printed}"
    first = "; ".join(filter(None, (computed, printed, where or "no source")))
    return tuple(filter(None, (first, source.note)))
