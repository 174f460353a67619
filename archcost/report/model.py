"""An analysis -> :class:`ModelReport`: its layers grouped, sorted and summed into a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.analysis import Analysis, ForwardMemory, LayerCost, TrainingMemory, Unread
from archcost.ir import ArchcostError, Parameter, Shape
from archcost.report.format import assumed, exact, unknown_operators, unread_tensors
from archcost.report.reliability import in_short
from archcost.report.table import Column, Table, in_order

if TYPE_CHECKING:
    from archcost.hardware.estimate import Estimate

GROUPINGS: Final = ("layer", "block", "stage", "op")
COMFORTABLE_ROWS: Final = 30
"""About what fits on a screen with everything else."""


MACS_AND_FLOPS: Final = (
    "1 MAC = 1 multiplication + 1 addition in a convolution, linear layer or matrix product; "
    "a bias is none. FLOPs = 2 x MACs + every other elementary operation."
)
PREFIXES: Final = "k, M, G, T = 10^3, 10^6, 10^9, 10^12; MB = 10^6 bytes, MiB = 2^20 bytes."
UNKNOWN: Final = "?"
"""Stands where nobody knows the number, lest it be read as none."""


class ReportError(ArchcostError, ValueError):
    """A report was asked for that cannot be made."""


class Stored(NamedTuple):
    """A way to store the parameters, see :meth:`Analysis.storage_bytes`."""

    bits: int
    sparsity: float = 0.0
    index_bits: int = 0


@dataclass(eq=False, repr=False)
class ModelReport:
    """What a report shows of an analysis: ``table`` by ``by``, and everything else on demand.

    ``inplace`` and ``fold_norm`` say how the forward pass runs, ``stored`` asks for one more
    stored size, ``estimate`` is what a pass would take on a device.
    """

    analysis: Analysis
    by: str
    table: Table
    inplace: bool = False
    fold_norm: bool = False
    stored: Stored | None = None
    estimate: Estimate | None = None

    @property
    def name(self) -> str:
        return self.analysis.graph.name

    @property
    def title(self) -> str:
        return str(self._about.get("title") or self.name)

    @property
    def source(self) -> Mapping[str, str]:
        """Where the network comes from: title, authors, venue, year, arxiv, doi, url, section."""
        return self._about.get("source") or {}

    @property
    def dataset(self) -> str | None:
        return self._about.get("dataset")

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of what ``--set`` may change."""
        return self._about.get("parameters") or {}

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What whoever read the network took for granted, in sentences."""
        return tuple(self._about.get("assumptions") or ())

    @property
    def _about(self) -> Mapping[str, Any]:
        return self.analysis.graph.metadata

    @property
    def batch(self) -> int:
        """Samples at once."""
        return self.analysis.graph.batch

    @property
    def dtype(self) -> str:
        """The dtype that the network computes in."""
        return self.analysis.graph.dtype

    @cached_property
    def forward(self) -> ForwardMemory:
        return self.analysis.forward_memory(inplace=self.inplace, fold_norm=self.fold_norm)

    @cached_property
    def training(self) -> dict[str, TrainingMemory]:
        """By optimiser."""
        return {
            "sgd": self.analysis.training_memory("sgd"),
            "momentum": self.analysis.training_memory("momentum"),
            "adam": self.analysis.training_memory("adam"),
        }

    @property
    def stored_bytes(self) -> int | None:
        """The size of what ``stored`` asks for."""
        if self.stored is None:
            return None
        bits, sparsity, index_bits = self.stored
        return self.analysis.storage_bytes(bits, sparsity=sparsity, index_bits=index_bits)


def columns(by: str, *, estimated: bool = False) -> tuple[Column, ...]:
    """The columns of a report by ``by``, in the order in which they are shown; ``estimated``: with
    the time on a device."""
    alone = by == "layer"
    time = (
        Column("estimated_seconds", "Est. time", "seconds", missing=UNKNOWN),
        Column("estimated_share", "Time share", "share", missing=UNKNOWN),
        Column("bound", "Bound by", "text", 3),
    )
    place = (Column("output", "Output", "shape"),) if by != "op" else ()
    field = (Column("receptive_field", "Receptive field", "shape", 5),) if by != "op" else ()
    return (
        Column("name", by.capitalize(), "text"),
        Column("op", "Op", "text", 3) if alone else Column("layers", "Layers", "integer", 3),
        *place,
        Column("params", "Params", "count"),
        Column("params_share", "Params share", "share", 4),
        Column("macs", "MACs", "count", missing=UNKNOWN),
        Column("macs_share", "MACs share", "share", 2 if estimated else 1, missing=UNKNOWN),
        *(time if estimated else ()),
        Column("flops", "FLOPs", "count", 4, missing=UNKNOWN),
        Column("activations", "Activations", "count", 2),
        Column("traffic_bytes", "Traffic", "bytes", 5),
        Column("buffers", "Buffers", "count", 5),
        *field,
    )


def model_report(
    analysis: Analysis,
    *,
    by: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    inplace: bool = False,
    fold_norm: bool = False,
    stored: Stored | None = None,
    estimate: Estimate | None = None,
) -> ModelReport:
    """Arrange an analysis for showing.

    Args:
        analysis: the network's.
        by: ``layer``; ``block``: the first two parts of a layer's scope; ``stage``: the first part
            of its name; ``op``: the operator. Default: by block where that gives no more than
            about thirty rows, else by stage.
        sort: the key of a column: numbers and sizes descending, names ascending. Default: the
            order in which the network runs.
        top: show so many rows and sum the others up in one more. Unless ``sort`` says otherwise
            they are those with the most MACs.
        inplace: forward memory with operators in place where they can be.
        fold_norm: forward memory with normalisations folded into the layers before them.
        stored: one more way to store the parameters.
        estimate: of a pass of the same graph, whose times become columns.

    Raises:
        ReportError: no such grouping or column, ``top`` below 1, or ``stored`` out of range.
    """
    if sort is None and top is not None:
        sort = "macs"
    by = grouping(analysis, by)
    if stored is not None:
        try:
            analysis.storage_bytes(
                stored.bits, sparsity=stored.sparsity, index_bits=stored.index_bits
            )
        except ValueError as error:
            raise ReportError(str(error)) from None
    rows = _Rows(analysis, by, estimate)
    table = rows.table(grouped(analysis, by), sort, top)
    return ModelReport(analysis, by, table, inplace, fold_norm, stored, estimate)


def grouping(analysis: Analysis, by: str | None) -> str:
    """``by``, or by default the finest of block and stage that fits on a screen.

    Raises:
        ReportError: no such grouping, or no layers.
    """
    if not analysis.layers:
        raise ReportError(f"{analysis.graph.name} has no layers to report")
    if by is None:
        return "block" if len(grouped(analysis, "block")) <= COMFORTABLE_ROWS else "stage"
    if by not in GROUPINGS:
        raise ReportError(f"a report is by one of {', '.join(GROUPINGS)}, not by {by!r:.60}")
    return by


def _layer(row: LayerCost) -> str:
    return row.name


def _block(row: LayerCost) -> str:
    return "/".join(row.name.split("/")[:-1][:2]) or row.name


def _stage(row: LayerCost) -> str:
    return row.name.partition("/")[0]


def _op(row: LayerCost) -> str:
    return row.op


_KEYS: Final[dict[str, Callable[[LayerCost], str]]] = {
    "layer": _layer,
    "block": _block,
    "stage": _stage,
    "op": _op,
}


def grouped(analysis: Analysis, by: str) -> dict[str, list[LayerCost]]:
    """The layers of each group; groups and layers in the network's order."""
    key = _KEYS[by]
    groups: dict[str, list[LayerCost]] = {}
    for row in analysis.layers:
        groups.setdefault(key(row), []).append(row)
    return groups


def arranged(
    groups: Mapping[str, list[LayerCost]],
    columns: Sequence[Column],
    row: Callable[[str, list[LayerCost], bool], tuple[Any, ...]],
    *,
    by: str,
    sort: str | None,
    top: int | None,
) -> tuple[tuple[Any, ...], ...]:
    """The rows of a table of ``groups``, sorted; after the first ``top`` one sums up the others.

    ``row`` makes one from a name and the layers, and is told whether they are no group of their
    own, but several.

    Raises:
        ReportError: no such column, or ``top`` below 1.
    """
    keys = [column.key for column in columns]
    if top is not None and top < 1:
        raise ReportError(f"top is at least 1, not {top}")
    if sort is not None and sort not in keys:
        raise ReportError(f"a report by {by} has no column {sort!r:.60}; it has: {', '.join(keys)}")
    pairs = [(row(name, layers, False), layers) for name, layers in groups.items()]
    if sort is not None:
        index = keys.index(sort)
        pairs = in_order(pairs, columns[index], lambda pair: pair[0][index])
    rows = [cells for cells, _ in pairs]
    if top is not None and len(rows) > top:
        rest = [layer for _, layers in pairs[top:] for layer in layers]
        rows[top:] = [row(f"other ({len(pairs) - top})", rest, True)]
    return tuple(rows)


class _Rows:
    """Makes the rows of one table."""

    def __init__(self, analysis: Analysis, by: str, estimate: Estimate | None = None) -> None:
        self.analysis = analysis
        self.by = by
        self.columns = columns(by, estimated=estimate is not None)
        self.estimate = estimate
        self.times = {} if estimate is None else {time.node: time for time in estimate.layers}
        self.totals = analysis.totals
        self.batch = analysis.graph.batch
        self.batched = analysis.batched

    def table(
        self, groups: Mapping[str, list[LayerCost]], sort: str | None, top: int | None
    ) -> Table:
        rows = arranged(
            groups,
            self.columns,
            lambda name, layers, summed: self.row(name, layers, summed=summed),
            by=self.by,
            sort=sort,
            top=top,
        )
        everything = list(self.analysis.layers)
        total = self.row("Total", everything, summed=True, unread=self.totals.unread)
        title = f"{self.analysis.graph.name} by {self.by}"
        return Table(title, self.columns, rows, total, self.notes())

    def row(
        self,
        name: str,
        layers: list[LayerCost],
        *,
        summed: bool = False,
        unread: Unread = Unread(0, 0, ()),  # noqa: B008 (a tuple: nothing can change it)
    ) -> tuple[Any, ...]:
        """A group's row; where it is ``summed`` it is no group of its own and has no shape.

        ``unread`` is stored besides. MACs and FLOPs are None where no layer's are known.
        """
        last = layers[-1]
        params = sum([row.params for row in layers]) + unread.params
        known = not self.totals.unknown or any(row.known for row in layers)
        macs = sum([row.macs for row in layers])
        field = last.receptive_field
        values = {
            "name": name,
            "op": None if summed else last.op,
            "layers": len(layers),
            "output": None if summed else self.shape(last),
            "params": params,
            "params_share": _part(params, self.totals.params),
            "macs": macs if known else None,
            "macs_share": _part(macs, self.totals.macs) if known else None,
            "flops": sum([row.flops for row in layers]) if known else None,
            "activations": sum([row.activations for row in layers]),
            "traffic_bytes": sum([row.traffic_bytes for row in layers]),
            "buffers": sum([row.buffers for row in layers]) + unread.buffers,
            "receptive_field": None if summed or field is None else field.size,
            **self.time(layers, known=known),
        }
        return tuple([values[column.key] for column in self.columns])

    def time(self, layers: list[LayerCost], *, known: bool) -> dict[str, Any]:
        """What the layers take together, and what bounds most of that."""
        if self.estimate is None:
            return {}
        times = [self.times[row.node] for row in layers]
        seconds = sum([time.seconds for time in times])
        bound = type(self.estimate.bounds).of(times).longest
        return {
            "estimated_seconds": seconds if known else None,
            "estimated_share": _part(seconds, self.estimate.seconds) if known else None,
            "bound": None if bound == "nothing" else bound,
        }

    def shape(self, row: LayerCost) -> Shape:
        return output_shape(row, batched=self.batched)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know to read the numbers."""
        counts = "Counts are for one forward pass of the inputs above; shapes are whole."
        if self.batched:
            counts = (
                f"Counts are for one forward pass of a batch of {exact(self.batch)}; shapes are "
                "written without it."
            )
        notes = [MACS_AND_FLOPS, f"{counts} {PREFIXES}"]
        graph = self.analysis.graph
        uses: dict[Parameter, int] = {}
        for node in graph.nodes:
            for parameter in node.parameters:
                uses[parameter] = uses.get(parameter, 0) + 1
        if shared := sum([number > 1 for number in uses.values()]):
            notes.append(
                f"Stored tensors that several layers share: {shared}; each is counted once, where "
                "it is first used."
            )
        if unknown := unknown_operators(self.totals.unknown):
            notes.append(
                f"Not counted, as their work is not known ({UNKNOWN}): {', '.join(unknown)}."
            )
        if self.estimate is not None:
            how = "normalisations and element-wise operators as part of what they follow"
            how = how if self.estimate.fused else "each operator by itself"
            notes.append(
                f"Est. time: on {self.estimate.device.name}, estimated from the graph alone, {how}."
            )
            notes.append(in_short(self.estimate))
        if graph.unread:
            notes.append(
                f"Total includes what no layer reads: {unread_tensors(self.totals.unread)}."
            )
        return (*notes, *assumed(graph.metadata.get("assumptions") or ()))


def output_shape(row: LayerCost, *, batched: bool) -> Shape:
    """The shape of a layer's first output, without the batch if shapes are ``batched``."""
    shape = row.outputs[0]
    return shape[1:] if batched and row.node.inputs and len(shape) > 1 else shape


def _part(value: float, whole: float) -> float:
    return value / whole if whole else 0.0
