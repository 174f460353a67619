"""JSON: everything, exact, in the shape that ``schema/report-1.json`` fixes (``docs/json.md``).

The text is ASCII: what a name could do to a terminal it cannot do from here either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import Graph

if TYPE_CHECKING:
    from archcost.analysis import ForwardMemory, LayerCost, TrainingMemory
    from archcost.hardware.estimate import Estimate
    from archcost.report.model import ModelReport
    from archcost.report.table import Table

SCHEMA: Final = "archcost.report/1"


def schema(name: str = "report-1") -> dict[str, Any]:
    """The JSON Schema of a report's document, or another of ``schema/``."""
    path = Path(__file__).with_name("schema") / f"{name}.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def dump(document: Any) -> str:
    """``document`` as text, ending with a newline.

    Objects are spread over lines; a list has its entries on a line each where they are objects,
    else it is one line.
    """
    return f"{''.join(_spread(document, ''))}\n"


def _spread(value: Any, indent: str) -> Iterator[str]:
    # One entry at a time: json's own indent is slow, and takes gigabytes for 100,000 layers.
    inner = indent + "  "
    if isinstance(value, dict) and value:
        for number, (key, entry) in enumerate(value.items()):
            yield f"{',' if number else '{'}\n{inner}{json.dumps(str(key))}: "
            yield from _spread(entry, inner)
        yield f"\n{indent}}}"
    elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        for number, entry in enumerate(value):
            yield f"{',' if number else '['}\n{inner}"
            yield json.dumps(_plain(entry), allow_nan=False)
        yield f"\n{indent}]"
    else:
        yield json.dumps(_plain(value), allow_nan=False)


def table_text(table: Table) -> str:
    """A list of one object a row, all its columns."""
    return dump(rows(table))


def report_text(report: ModelReport, *, version: str | None = None) -> str:
    """The whole report; ``version`` is that of the archcost that made it."""
    return dump(document(report, version=version))


def rows(table: Table) -> list[dict[str, Any]]:
    """One mapping a row; the total is not among them."""
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for row in table.rows]


def document(report: ModelReport, *, version: str | None = None) -> dict[str, Any]:
    """The report as plain data."""
    result: dict[str, Any] = {"schema": SCHEMA}
    if version is not None:
        result["archcost"] = version
    result["model"] = model_data(report)
    result["totals"] = _totals(report)
    result["memory"] = {
        "forward": _forward(report.forward, report),
        "training": {name: _training(memory) for name, memory in report.training.items()},
    }
    if report.stored is not None:
        result["stored"] = {**report.stored._asdict(), "bytes": report.stored_bytes}
    if report.estimate is not None:
        result["estimate"] = _estimate(report.estimate)
    result["groups"] = {"by": report.by, "rows": rows(report.table)}
    result["layers"] = [layer_data(row) for row in report.analysis.layers]
    if report.estimate is not None:
        for layer, time in zip(result["layers"], report.estimate.layers, strict=True):
            layer |= {"estimated_seconds": time.seconds, "bound": time.bound}
    return result


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "device": estimate.device.name,
        "fused": estimate.fused,
        "seconds": estimate.seconds,
        "samples_per_second": estimate.throughput,
        "bound_seconds": estimate.bounds._asdict(),
        "peak_memory_bytes": estimate.peak_memory,
        "fits": estimate.fits,
        "energy_joules": estimate.energy_joules,
    }


def model_data(report: ModelReport) -> dict[str, Any]:
    """Which network it is, as ``model`` of a report's document has it."""
    graph: Graph = report.analysis.graph
    return {
        "name": report.name,
        "title": report.title,
        "source": report.source,
        "dataset": report.dataset,
        "inputs": [value.shape for value in graph.inputs],
        "input_names": [value.name for value in graph.inputs],
        "input_dtypes": [value.type.dtype for value in graph.inputs],
        "outputs": {name: value.shape for name, value in graph.named_outputs.items()},
        "parameters": report.parameters,
        "dtype": report.dtype,
        "batch": report.batch,
        "assumptions": report.assumptions,
    }


def _totals(report: ModelReport) -> dict[str, Any]:
    totals = report.analysis.totals
    return {
        "params": totals.params,
        "buffers": totals.buffers,
        "macs": totals.macs,
        "flops": totals.flops,
        "work": totals.work.as_dict(),
        "activations": totals.activations,
        "largest_activation": totals.largest_activation,
        "traffic_bytes": totals.traffic_bytes,
        "arithmetic_intensity": totals.arithmetic_intensity,
        "peak_memory_bytes": report.forward.peak,
        "storage_bytes": totals.storage_bytes,
        "receptive_field": totals.receptive_field,
        "depth": totals.depth,
        "unknown": totals.unknown,
        "unread": totals.unread._asdict(),
    }


def _forward(memory: ForwardMemory, report: ModelReport) -> dict[str, Any]:
    return {
        "weights_bytes": memory.weights,
        "activations_bytes": memory.activations,
        "peak_bytes": memory.peak,
        "at": memory.at or None,
        "inplace": report.inplace,
        "fold_norm": report.fold_norm,
    }


def _training(memory: TrainingMemory) -> dict[str, int]:
    return {
        "weights_bytes": memory.weights,
        "gradients_bytes": memory.gradients,
        "optimizer_bytes": memory.optimizer,
        "saved_bytes": memory.saved,
        "activations_bytes": memory.activations,
        "peak_bytes": memory.peak,
    }


def layer_data(row: LayerCost) -> dict[str, Any]:
    """A layer as ``layers`` of a report's document has it."""
    field = row.receptive_field
    return {
        "name": row.name,
        "op": row.op,
        "arguments": row.node.op.settings(),
        "scope": row.scope,
        "inputs": row.inputs,
        "outputs": row.outputs,
        "params": row.params,
        "buffers": row.buffers,
        "macs": row.macs,
        "flops": row.flops,
        "work": row.work.as_dict(),
        "activations": row.activations,
        "traffic_bytes": row.traffic_bytes,
        "receptive_field": field
        and {"size": field.size, "stride": field.stride, "center": field.center},
        "known": row.known,
    }


def _plain(value: Any) -> Any:
    """``value`` of the types that JSON has; a float that JSON cannot write as text."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value
