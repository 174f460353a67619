"""The lines around a report's table, in words; the same for every format that has words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from archcost.ir import shape_text
from archcost.report.format import (
    both_bytes,
    count,
    decimal_bytes,
    exact,
    samples_per_second,
    seconds,
    setting,
    share,
    unknown_operators,
    unread_tensors,
)

if TYPE_CHECKING:
    from archcost.report.model import ModelReport

OPTIMIZERS = {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam"}


class Fact(NamedTuple):
    """A label and the pieces of what it says; a piece is kept on one line where it fits."""

    label: str
    items: tuple[str, ...]


def heading(report: ModelReport) -> list[str]:
    """The network's title, then lines that say which network it is: input, parameters."""
    title = report.title
    if report.name.lower() != title.lower():
        title = f"{title} ({report.name})"
    if report.dataset:
        title = f"{title}, {report.dataset}"
    return [title, *(f"{label}: {', '.join(items)}" for label, items in identity(report))]


def identity(report: ModelReport) -> list[Fact]:
    """Input, outputs where there are several, and the values of the settable parameters."""
    graph = report.analysis.graph
    inputs = tuple(
        f"{shape_text(value.shape)} {value.type.dtype}"
        + (f" ({value.name})" if len(graph.inputs) > 1 else "")
        for value in graph.inputs
    )
    result = [Fact("Input" if len(inputs) == 1 else "Inputs", inputs)]
    if len(graph.named_outputs) > 1:
        outputs = graph.named_outputs.items()
        shapes = tuple(f"{name} {shape_text(value.shape)}" for name, value in outputs)
        result.append(Fact("Outputs", shapes))
    if report.parameters:
        values = report.parameters.items()
        result.append(Fact("Settings", tuple(f"{key}={setting(value)}" for key, value in values)))
    return result


def citation(source: Mapping[str, str]) -> str:
    """One line: authors, title, venue, year, identifiers, and the place in it."""
    if not source:
        return ""
    authors = [name.strip() for name in str(source.get("authors", "")).split(",")]
    who = f"{', '.join(authors[:2])} et al." if len(authors) > 3 else ", ".join(authors)
    title = f'"{source["title"]}"' if source.get("title") else ""
    venue = source.get("venue", "")
    dated = any(word.isdigit() and len(word) == 4 for word in venue.split())  # "CVPR 2015"
    parts = [who, title, venue, "" if dated else str(source.get("year", ""))]
    for key, prefix in (("arxiv", "arXiv:"), ("doi", "doi:")):
        if source.get(key):
            parts.append(f"{prefix}{source[key]}")
    if source.get("url") and not (source.get("arxiv") or source.get("doi")):
        parts.append(source["url"])
    line = ", ".join(part for part in parts if part)
    return f"{line}; {source['section']}" if source.get("section") else line


def facts(report: ModelReport) -> list[Fact]:
    """The whole network's numbers, each with its unit."""
    analysis = report.analysis
    totals = analysis.totals
    forward = report.forward
    buffers = (f"{exact(totals.buffers)} values in buffers beside them",) if totals.buffers else ()
    work = tuple(f"{count(n)} {kind}" for kind, n in totals.work.as_dict().items() if n)
    # fp16 and bf16 take the same: one entry.
    sizes: dict[int, list[str]] = {}
    for dtype, size in totals.storage_bytes.items():
        sizes.setdefault(size, []).append(dtype)
    layers = "layer" if totals.depth == 1 else "layers"
    weights, activations = map(decimal_bytes, (forward.weights, forward.activations))
    unknown = unknown_operators(totals.unknown)
    parts = f"weights {weights} + activations {activations}"
    result = [
        Fact("Parameters", (_both(totals.params), *buffers)),
        *([Fact("Never read", (unread_tensors(totals.unread),))] if totals.unread.tensors else []),
        Fact("MACs", (_both(totals.macs),)),
        Fact("FLOPs", (_both(totals.flops),)),
        Fact("Operations", work or ("none",)),
        *([Fact("Not counted", unknown)] if unknown else []),
        Fact(
            "Activations",
            (
                _both(totals.activations, " elements"),
                f"largest tensor {_both(totals.largest_activation)}",
            ),
        ),
        Fact(
            "Peak memory",
            (
                f"{both_bytes(forward.peak)} in a forward pass{_manner(report)}",
                parts,
                *([f"reached in {forward.at}"] if forward.at else []),
            ),
        ),
        Fact(
            "Training step",
            tuple(
                f"{OPTIMIZERS[name]} {decimal_bytes(memory.peak)}"
                for name, memory in report.training.items()
            ),
        ),
        Fact(
            "Storage",
            tuple(f"{'/'.join(names)} {decimal_bytes(size)}" for size, names in sizes.items()),
        ),
    ]
    if report.stored is not None and report.stored_bytes is not None:
        result.append(Fact("Stored", (_stored(report, report.stored_bytes),)))
    result += [
        Fact(
            "Memory traffic",
            (
                f"{decimal_bytes(totals.traffic_bytes)} in a forward pass",
                f"{totals.arithmetic_intensity:.2f} FLOPs/byte",
            ),
        ),
        Fact("Depth", (f"{exact(totals.depth)} {layers} with weights on the longest path",)),
    ]
    result += _time(report)
    if totals.receptive_field:
        field = f"{shape_text(totals.receptive_field)} input positions"
        at = next(index for index, fact in enumerate(result) if fact.label == "Depth")
        result.insert(at, Fact("Receptive field", (field,)))
    return result


def _time(report: ModelReport) -> list[Fact]:
    """What a pass would take, where that was asked for."""
    estimate = report.estimate
    if estimate is None:
        return []
    bounds = (
        f"{share(part)} bound by {bound}"
        for bound, part in estimate.bounds.shares().items()
        if part
    )
    size = both_bytes(estimate.device.memory)
    without, rate = unknown_operators(estimate.unknown), estimate.throughput
    where = f"on {estimate.device.name} ({estimate.dtype}, batch {exact(estimate.batch)})"
    fact = Fact(
        "Estimated time",
        (
            f"{seconds(estimate.seconds)} {where}",
            *([samples_per_second(rate)] if rate else []),
            *bounds,
            *([] if estimate.fits else [f"though its {size} of memory do not hold it"]),
            *([f"without the work of {', '.join(without)}"] if without else []),
        ),
    )
    return [fact]


def _both(value: int, unit: str = "") -> str:
    text = f"{exact(value)}{unit}"
    return f"{text} ({count(value)})" if value >= 1000 else text


def _manner(report: ModelReport) -> str:
    how = ["in place"] * report.inplace + ["normalisation folded"] * report.fold_norm
    return f", {' and '.join(how)}" if how else ""


def _stored(report: ModelReport, size: int) -> str:
    assert report.stored is not None
    bits, sparsity, index_bits = report.stored
    text = f"{both_bytes(size)} at {bits} bits a value"
    if sparsity:
        text += f", {100 * sparsity:g} % of the parameters pruned"
        text += f", {index_bits} index bits for each that is left"
    return text
