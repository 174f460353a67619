"""What ``archcost estimate`` shows: a network on a device by layer, or on several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.report.format import (
    assumed,
    both_bytes,
    decimal_bytes,
    exact,
    joules,
    listed,
    per_second,
    samples_per_second,
    seconds,
    share,
    unknown_operators,
)
from archcost.report.model import (
    PREFIXES,
    UNKNOWN,
    ModelReport,
    arranged,
    grouped,
    grouping,
    output_shape,
)
from archcost.report.reliability import coefficients, errors, in_short
from archcost.report.summary import Fact, citation, heading, identity
from archcost.report.table import Column, Document, Table

if TYPE_CHECKING:
    from archcost.analysis import Analysis, LayerCost
    from archcost.hardware.accuracy import Accuracy
    from archcost.hardware.costs import LayerTime
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Curve, Estimate
    from archcost.ir import Node
    from archcost.report.terminal import FactsView

SCHEMA: Final = "archcost.estimate/1"
BOUND_STYLES: Final = {"compute": "green", "memory": "yellow", "launch": "magenta"}
FITS: Final = ("fits", "too large")
NOTHING_RAN: Final = (
    "Estimated from the graph and the device's figures: nothing was run. docs/estimate.md says how."
)
BOUND: Final = (
    "Bound: what takes longest in a layer, arithmetic (compute), moving data (memory) or starting "
    "kernels (launch); of a group, what the layers are bound by that take most of its time."
)


class EstimateReport(NamedTuple):
    """What is shown of a network on one device: ``model`` has its table by ``by``.

    ``curve`` is None where throughput against batch was not asked for; ``accuracies`` say how far
    such estimates were from measurements.
    """

    model: ModelReport
    estimate: Estimate
    accuracies: tuple[Accuracy, ...] = ()
    curve: Curve | None = None

    @property
    def table(self) -> Table:
        return self.model.table


def columns(by: str) -> tuple[Column, ...]:
    """The columns of an estimate by ``by``, in the order in which they are shown."""
    alone = by == "layer"
    place = (Column("output", "Output", "shape", 2),) if by != "op" else ()
    return (
        Column("name", by.capitalize(), "text"),
        Column("op", "Op", "text", 3) if alone else Column("layers", "Layers", "integer", 3),
        *place,
        Column("seconds", "Time", "seconds", missing=UNKNOWN),
        Column("seconds_share", "Time share", "share", missing=UNKNOWN),
        Column("bound", "Bound", "text", 1, BOUND_STYLES),
        Column("flops_per_second", "FLOP", "rate", 2),
        Column("peak_share", "Of the peak", "share", 4),
        Column("compute_seconds", "Compute time", "seconds", 5),
        Column("memory_seconds", "Memory time", "seconds", 5),
        Column("launch_seconds", "Launch time", "seconds", 5),
        Column("flops", "FLOPs", "count", 5, missing=UNKNOWN),
        Column("traffic_bytes", "Traffic", "bytes", 5),
    )


def estimate_report(
    analysis: Analysis,
    estimate: Estimate,
    *,
    by: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    accuracies: Sequence[Accuracy] = (),
    curve: Curve | None = None,
) -> EstimateReport:
    """Arrange an estimate for showing.

    Args:
        analysis: of the same graph.
        estimate: of the network at its own batch.
        by, sort: as of :func:`archcost.report.model.model_report`.
        top: show so many rows and sum the others up; unless ``sort`` says otherwise those that
            take longest.
        accuracies: what is known about the errors of such estimates.
        curve: the network at several batches.

    Raises:
        ReportError: no such grouping or column, or ``top`` below 1.
    """
    by = grouping(analysis, by)
    maker = _Rows(analysis, estimate, by)
    shown = arranged(
        grouped(analysis, by),
        maker.columns,
        maker.row,
        by=by,
        sort="seconds" if sort is None and top is not None else sort,
        top=top,
    )
    total = maker.row("Total", list(analysis.layers), True)
    title = f"{analysis.graph.name} on {estimate.device.name} by {by}"
    table = Table(title, maker.columns, shown, total, _notes(estimate))
    return EstimateReport(ModelReport(analysis, by, table), estimate, tuple(accuracies), curve)


class _Rows:
    """Makes the rows of one table."""

    def __init__(self, analysis: Analysis, estimate: Estimate, by: str) -> None:
        self.analysis = analysis
        self.estimate = estimate
        self.columns = columns(by)
        self.times: Mapping[Node, LayerTime] = {time.node: time for time in estimate.layers}

    def row(self, name: str, layers: list[LayerCost], summed: bool) -> tuple[Any, ...]:
        """A group's row; the times are None where no layer's work is known."""
        estimate, last = self.estimate, layers[-1]
        times = [self.times[layer.node] for layer in layers]
        known = not estimate.unknown or any(layer.known for layer in layers)
        whole = sum([time.seconds for time in times])
        flops = sum([layer.flops for layer in layers])
        rate = flops / whole if whole else None
        peak = estimate.device.peak.get(estimate.dtype)
        bound = type(estimate.bounds).of(times).longest
        values = {
            "name": name,
            "op": None if summed else last.op,
            "layers": len(layers),
            "output": None if summed else output_shape(last, batched=self.analysis.batched),
            "seconds": whole if known else None,
            "seconds_share": _part(whole, estimate.seconds) if known else None,
            "bound": bound if bound != "nothing" else None,
            "flops_per_second": rate or None,
            "peak_share": rate / peak if rate and peak else None,
            "compute_seconds": sum([time.compute for time in times]),
            "memory_seconds": sum([time.memory for time in times]),
            "launch_seconds": sum([time.launch for time in times]),
            "flops": flops if known else None,
            "traffic_bytes": sum([layer.traffic_bytes for layer in layers]),
        }
        return tuple([values[column.key] for column in self.columns])


def _part(value: float, whole: float) -> float:
    return value / whole if whole else 0.0


ESTIMATE_COLUMNS: Final = (
    Column("device", "Device", "text"),
    Column("batch", "Batch", "integer"),
    Column("seconds", "Time", "seconds"),
    Column("samples_per_second", "Samples", "rate"),
    Column("bound", "Bound", "text", 1, BOUND_STYLES),
    Column("flops_per_second", "FLOP", "rate", 4),
    Column("peak_share", "Of the peak", "share", 3),
    Column("peak_memory_bytes", "Memory", "bytes"),
    Column("fits", "Fit", "text", 1, {FITS[1]: "red"}),
    Column("energy_joules", "Energy", "joules", 2),
    Column("coefficients", "Coefficients", "text", 3),
)


def estimates_table(
    model: ModelReport, estimates: Sequence[Estimate], failures: Mapping[str, str] | None = None
) -> Table:
    """One row an estimate: devices side by side, batches one below the other.

    ``failures`` tell by the device's name why there is no estimate for it.
    """
    devices = {estimate.device.name for estimate in estimates}
    batches = {estimate.batch for estimate in estimates}
    rates = [e.throughput for e in estimates if e.throughput is not None]
    best = max(rates) if len(rates) > 1 else None
    shown = [
        column._replace(best=best) if column.key == "samples_per_second" else column
        for column in ESTIMATE_COLUMNS
    ]
    table = Table(
        _title(model, estimates),
        tuple(shown),
        tuple(tuple(_point(e)[column.key] for column in shown) for e in estimates),
        notes=(
            NOTHING_RAN,
            *_reliable(estimates),
            *_unknown_note(estimates[0]),
            *(f"{name}: {why}" for name, why in (failures or {}).items()),
        ),
    )
    alone = [key for key, its in (("device", devices), ("batch", batches)) if len(its) == 1]
    if len(devices) == 1:
        alone.append("coefficients")  # said with the device
    return table.without(alone if len(estimates) > 1 else ())


def _reliable(estimates: Sequence[Estimate]) -> list[str]:
    """What the estimates of each device rest on, and how far off such are."""
    return list(dict.fromkeys(in_short(e) for e in estimates))


def _title(model: ModelReport, estimates: Sequence[Estimate]) -> str:
    first = estimates[0]
    names = listed([*dict.fromkeys(e.device.name for e in estimates)])
    batches = {e.batch for e in estimates}
    at = f" at batch {exact(first.batch)}" if len(batches) == 1 else ""
    return f"{model.title} in {first.dtype}{at}{', fused' if first.fused else ''}, on {names}"


def _point(estimate: Estimate) -> dict[str, Any]:
    bound = estimate.bounds.longest
    return {
        "device": estimate.device.name,
        "batch": estimate.batch,
        "seconds": estimate.seconds,
        "samples_per_second": estimate.throughput,
        "bound": bound if bound != "nothing" else None,
        "flops_per_second": estimate.flops_per_second,
        "peak_share": estimate.peak_share,
        "peak_memory_bytes": estimate.peak_memory,
        "fits": FITS[not estimate.fits],
        "energy_joules": estimate.energy_joules,
        "coefficients": "its own" if estimate.calibrated else "of its class",
    }


def device_fact(estimate: Estimate) -> Fact:
    """The device, and the figures that the estimate rests on."""
    device, dtype = estimate.device, estimate.dtype
    peak = device.peak.get(dtype)
    return Fact(
        "Device",
        (
            device.title,
            *([f"{per_second(peak, 'FLOP')} in {dtype}"] if peak else []),
            per_second(device.bandwidth, "B"),
            both_bytes(device.memory),
            f"{seconds(device.overhead)} {'a kernel' if device.kind == 'gpu' else 'an operator'}",
        ),
    )


def estimate_facts(report: EstimateReport) -> list[Fact]:
    """The whole pass's numbers, each with its unit."""
    estimate = report.estimate
    rate, throughput = estimate.flops_per_second, estimate.throughput
    peak = estimate.peak_share
    of_peak = (f"{share(peak)} of the device's peak in {estimate.dtype}",) if peak else ()
    shares = estimate.bounds.shares().items()
    batch = f"for a batch of {exact(estimate.batch)} in {estimate.dtype}"
    facts = [
        Fact(
            "Latency",
            (f"{seconds(estimate.seconds)} {batch}", *(["fused"] if estimate.fused else [])),
        ),
        *([Fact("Without", unknown_operators(estimate.unknown))] if estimate.unknown else []),
        Fact("Throughput", (samples_per_second(throughput),) if throughput else ("-",)),
        Fact("Bound by", tuple(f"{name} {share(part)}" for name, part in shares if part)),
        Fact("Arithmetic", (per_second(rate or 0.0, "FLOP"), *of_peak)),
        Fact("Peak memory", _memory(estimate)),
        Fact("Energy", _energy(estimate)),
    ]
    if report.curve is not None:
        facts += _batches(report.curve)
    device = estimate.device
    off = errors(device, estimate.dtype, estimate.batch, report.accuracies)
    return [*facts, Fact("Coefficients", coefficients(device)), Fact("Error", off)]


def _memory(estimate: Estimate) -> tuple[str, ...]:
    memory = estimate.memory
    verdict = "fits" if estimate.fits else "does not fit"
    parts = [f"weights {decimal_bytes(memory.weights)}"]
    parts.append(f"activations {decimal_bytes(memory.activations)}")
    if memory.workspace:
        parts.append(f"cuBLAS workspace {decimal_bytes(memory.workspace)}")
    if memory.rounding:
        parts.append(f"allocator's rounding {decimal_bytes(memory.rounding)}")
    return (
        f"{decimal_bytes(memory.peak)}: {verdict} in {both_bytes(estimate.device.memory)}",
        " + ".join(parts),
        *([f"reserved {decimal_bytes(memory.reserved)}"] if memory.reserved != memory.peak else []),
    )


def _energy(estimate: Estimate) -> tuple[str, ...]:
    energy, power = estimate.energy_joules, estimate.device.power
    if energy is None or power is None:
        return ("no figure: the device's power is not known",)
    watts = f"{power:g} W"
    if estimate.device.kind == "gpu":
        return (f"at most {joules(energy)}", f"were the board's {watts} drawn throughout")
    return (
        f"{joules(energy)} at {watts} throughout",
        "the power that it is built for, not a limit to each moment",
    )


def _batches(curve: Curve) -> list[Fact]:
    best, enough, largest = curve.best, curve.saturation, curve.largest
    saturation = "not within these batches"
    if enough is not None and best is not None and best.throughput:
        part = share((enough.throughput or 0.0) / best.throughput)
        saturation = f"at batch {exact(enough.batch)}, with {part} of the highest throughput"
    fits = "none fits" if largest == 0 else f"{exact(largest)} fits" if largest else "all tried fit"
    return [Fact("Saturates", (saturation,)), Fact("Largest batch", (fits,))]


def _notes(estimate: Estimate) -> tuple[str, ...]:
    return (NOTHING_RAN, BOUND, *_unknown_note(estimate), PREFIXES, *_assumed(estimate))


def _unknown_note(estimate: Estimate) -> tuple[str, ...]:
    if not estimate.unknown:
        return ()
    names = ", ".join(unknown_operators(estimate.unknown))
    return (f"Only their data is in the time, as their work is not known ({UNKNOWN}): {names}.",)


def _assumed(estimate: Estimate) -> tuple[str, ...]:
    return assumed(estimate.graph.metadata.get("assumptions") or ())


def estimate_view(report: EstimateReport) -> FactsView:
    """The report for a terminal."""
    from archcost.report.terminal import FactsView

    model = report.model
    curve = () if report.curve is None else (_curve_table(report),)
    return FactsView(
        heading(model)[0],
        citation(model.source),
        [*identity(model), device_fact(report.estimate)],
        (report.table._replace(title="", notes=()), *curve),
        estimate_facts(report),
        report.table.notes,
    )


def estimate_document(report: EstimateReport) -> Document:
    """The report for Markdown and HTML."""
    facts = [*identity(report.model), device_fact(report.estimate), *estimate_facts(report)]
    summary = Table(
        "The whole pass",
        (Column("quantity", "Quantity", "text"), Column("value", "Value", "text")),
        tuple((fact.label, "; ".join(fact.items)) for fact in facts),
    )
    curve = () if report.curve is None else (_curve_table(report),)
    title = f"{heading(report.model)[0]} on {report.estimate.device.title}"
    return Document(title, (summary, *curve, report.table))


def _curve_table(report: EstimateReport) -> Table:
    assert report.curve is not None
    table = estimates_table(report.model, report.curve.points)
    return table._replace(title="Throughput against batch", notes=())


def estimate_data(
    reports: Sequence[EstimateReport],
    failures: Mapping[str, str] | None = None,
    *,
    version: str | None = None,
) -> dict[str, Any]:
    """The reports, of one network on each device, as plain data (``schema/estimate-1.json``)."""
    from archcost.report.json import model_data

    result: dict[str, Any] = {"schema": SCHEMA}
    if version is not None:
        result["archcost"] = version
    result["model"] = model_data(reports[0].model)
    result["devices"] = {report.estimate.device.name: _report_data(report) for report in reports}
    result["failures"] = dict(failures or {})
    return result


def _report_data(report: EstimateReport) -> dict[str, Any]:
    from archcost.report.json import rows

    estimate, curve = report.estimate, report.curve
    result: dict[str, Any] = {
        "device": _device_data(estimate.device),
        "fused": estimate.fused,
        "unknown": estimate.unknown,
        "estimate": _estimate_data(estimate),
    }
    if curve is not None:
        saturation = curve.saturation
        result["curve"] = {
            "points": [_estimate_data(point) for point in curve.points],
            "saturation_batch": saturation and saturation.batch,
            "largest_batch": curve.largest,
        }
    result["accuracy"] = [one._asdict() for one in report.accuracies]
    result["groups"] = {"by": report.model.by, "rows": rows(report.table)}
    result["layers"] = [_layer_data(time) for time in estimate.layers]
    return result


def _device_data(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "title": device.title,
        "kind": device.kind,
        "peak_flops_per_second": dict(device.peak),
        "bandwidth_bytes_per_second": device.bandwidth,
        "memory_bytes": device.memory,
        "overhead_seconds": device.overhead,
        "power_watts": device.power,
        "calibrated": device.costs is not None,
        "calibration": dict(device.calibrated),
    }


def _estimate_data(estimate: Estimate) -> dict[str, Any]:
    memory = estimate.memory
    return {
        "batch": estimate.batch,
        "seconds": estimate.seconds,
        "samples_per_second": estimate.throughput,
        "bound_seconds": estimate.bounds._asdict(),
        "flops": estimate.flops,
        "flops_per_second": estimate.flops_per_second,
        "peak_share": estimate.peak_share,
        "peak_memory_bytes": memory.peak,
        "weights_bytes": memory.weights,
        "activations_bytes": memory.activations,
        "workspace_bytes": memory.workspace,
        "rounding_bytes": memory.rounding,
        "reserved_bytes": memory.reserved,
        "fits": estimate.fits,
        "energy_joules": estimate.energy_joules,
    }


def _layer_data(time: LayerTime) -> dict[str, Any]:
    application = time.node.application
    return {
        "name": time.node.name,
        "op": application.op.kind,
        "seconds": time.seconds,
        "compute_seconds": time.compute,
        "memory_seconds": time.memory,
        "launch_seconds": time.launch,
        "bound": time.bound,
        "flops": application.flops,
        "traffic_bytes": time.node.read_bytes + application.written_bytes,
        "known": application.op.known,
    }
