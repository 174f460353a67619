"""What ``archcost compare`` shows: networks side by side, a row each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.analysis.comparison import (
    ACCURACY,
    QUANTITIES,
    Compared,
    Comparison,
    ComparisonError,
    Quantity,
)
from archcost.analysis.storage import STORAGE_DTYPES
from archcost.ir import Shape, shape_text
from archcost.report.format import (
    LONGEST_VALUE,
    exact,
    listed,
    percent,
    shortened,
    times,
    unknown_operators,
)
from archcost.report.model import MACS_AND_FLOPS, PREFIXES, UNKNOWN
from archcost.report.table import Column, Kind, Table, in_order

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.conventions import Count
    from archcost.published.accuracies import PublishedAccuracy

NAME: Final = Column("name", "Network", "text")
COLUMNS: Final[dict[str, Column]] = {
    column.key: column
    for column in (
        Column("title", "Title", "text"),
        Column("family", "Family", "text"),
        Column("year", "Year", "year"),
        Column("dataset", "Dataset", "text"),
        Column("input", "Input", "shape"),
        Column("params", "Params", "count"),
        Column("buffers", "Buffers", "count"),
        Column("macs", "MACs", "count", missing=UNKNOWN),
        Column("flops", "FLOPs", "count", missing=UNKNOWN),
        Column("activations", "Activations", "count"),
        Column("peak_memory_bytes", "Peak memory", "bytes"),
        Column("traffic_bytes", "Traffic", "bytes"),
        Column("arithmetic_intensity", "FLOPs/byte", "number", missing=UNKNOWN),
        Column("storage_bytes", "Storage", "bytes"),
        *(
            Column(f"storage_bytes_{dtype}", f"{dtype} storage", "bytes")
            for dtype in STORAGE_DTYPES
        ),
        Column("depth", "Depth", "integer"),
        Column("layers", "Layers", "integer"),
        Column("receptive_field", "Receptive field", "shape"),
        Column("accuracy", "Accuracy", "percent"),
    )
}
"""How each quantity is shown; a convention's own are counts."""
DEFAULT: Final = {
    "input": 1,
    "params": 1,
    "macs": 1,
    "activations": 2,
    "peak_memory_bytes": 2,
    "depth": 3,
}
"""The columns that are shown unless others are asked for, with their ranks."""
LESSER: Final = ("activations", "peak_memory_bytes")
"""Those of which a Pareto front takes no notice: by many quantities nearly all are on it."""
BY_CONVENTION: Final = ("params", "macs", "flops", "activations", "arithmetic_intensity")
"""What a convention counts in its own way or not at all."""
TIMES: Final = {("estimated", "est"): "--device NAME", ("measured", "meas"): "--measured FILE"}
"""How columns of times begin, and what they need."""
MOST_IN_WORDS: Final = 4
"""Networks for which it is said in words how they differ from the reference."""


class Extra(NamedTuple):
    """A column that the caller brings: ``values`` by the networks' names, and how they are shown.

    ``quantity`` and ``column`` have the same key, which ``spellings`` are other names of.
    ``about`` says what the column is of, and ``details`` by the networks' names what else is known
    of a value: JSON has them.
    """

    quantity: Quantity
    column: Column
    values: Mapping[str, Any]
    spellings: tuple[str, ...] = ()
    about: Mapping[str, Any] = MappingProxyType({})
    details: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class CompareReport:
    """Networks side by side, in the order in which they are shown.

    ``asked``: the columns were asked for, and are all shown. ``dominated`` and ``incomplete`` are
    the numbers of networks that are left out of a Pareto front, because another is better or
    because a value of theirs is not known; None where no front was asked for. ``accuracies`` has
    those that are shown, by the network's name, on ``dataset`` with one of ``top`` guesses right;
    ``rated`` by family the names of all networks that have one. ``extras`` by key are what the
    caller brought besides, and ``remarks`` what is to be known about that.
    """

    comparison: Comparison
    asked: bool = False
    convention: str | None = None
    dominated: int | None = None
    incomplete: int | None = None
    dataset: str | None = None
    top: int = 1
    accuracies: Mapping[str, PublishedAccuracy] = field(default_factory=dict)
    rated: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extras: Mapping[str, Extra] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def column(self, quantity: Quantity) -> Column:
        """How a quantity is shown."""
        return column_of(quantity, self.extras)

    @property
    def networks(self) -> tuple[Compared, ...]:
        return self.comparison.networks

    @property
    def inputs(self) -> frozenset[tuple[Shape, ...]]:
        """The different inputs that the networks are counted at, with the batch."""
        return frozenset(
            tuple(value.shape for value in network.analysis.graph.inputs)
            for network in self.networks
        )


def compare_report(
    analyses: Mapping[str, Analysis],
    *,
    columns: Sequence[str] = (),
    reference: str | None = None,
    sort: str | None = None,
    reverse: bool = False,
    pareto: bool = False,
    counts: Mapping[str, Count] | None = None,
    dataset: str | None = None,
    top: int = 1,
    accuracies: Mapping[str, PublishedAccuracy] | None = None,
    rated: Mapping[str, Sequence[str]] | None = None,
    extras: Sequence[Extra] = (),
    remarks: Sequence[str] = (),
) -> CompareReport:
    """Arrange networks for showing them side by side.

    Args:
        analyses: of each network, by a name that no other has.
        columns: keys of :data:`COLUMNS`, or quantities of the convention; ``_bytes`` may be left
            out of them. Default: those of :data:`DEFAULT` or all that the convention counts.
        reference: the name of the network that the others are given as multiples of.
        sort: the key of any column, ``name`` too: numbers from the largest, names from A.
            Default: as they are in ``analyses``.
        reverse: the other way round.
        pareto: only the networks that no other dominates in the columns of which less, or more,
            is better; and the reference. :data:`LESSER` are then no columns unless asked for.
        counts: by the same names, what one convention counts, instead of params, MACs, FLOPs and
            activations.
        dataset, top, accuracies: what ``accuracies``, by the same names, are of; they become a
            column.
        rated: by family the names of networks of which such accuracies are published, to be named
            where one that is compared has none.
        extras: columns that the caller brings. Where ``columns`` names none of them, those of rank
            1 are shown besides; without ``columns`` all are, and a Pareto front judges by those
            of rank 1.
        remarks: notes about them.

    Raises:
        ComparisonError: no such column; or no column to judge by.
    """
    brought = {extra.quantity.key: extra for extra in extras}
    available = _available(counts, dataset) | {key: e.quantity for key, e in brought.items()}
    keys = [_key(name, available, brought) for name in columns if name != NAME.key]
    brief = bool(keys) or pareto
    keys = keys or _default(available, counts, pareto)
    if dataset is not None and ACCURACY.key not in keys:
        keys.append(ACCURACY.key)
    if not any(key in brought for key in keys):
        keys += [key for key, e in brought.items() if not brief or e.column.rank == 1]
    accuracies = accuracies or {}
    networks = _compared(analyses, counts or {}, accuracies, extras)
    against = next((network for network in networks if network.name == reference), None)
    quantities = tuple(available[key] for key in dict.fromkeys(keys))
    comparison = Comparison(tuple(networks), quantities, against)
    dominated = incomplete = None
    if pareto:
        front, known = comparison.front(), comparison.known()
        dominated, incomplete = len(known) - len(front), len(networks) - len(known)
        networks = [network for network in networks if network in front or network is against]
    if sort is not None:
        networks = _sorted(networks, sort, available, brought, reverse)
    elif reverse:
        networks.reverse()
    return CompareReport(
        replace(comparison, networks=tuple(networks)),
        asked=bool(columns),
        convention=next((count.convention.name for count in (counts or {}).values()), None),
        dominated=dominated,
        incomplete=incomplete,
        dataset=dataset,
        top=top,
        accuracies={n.name: accuracies[n.name] for n in networks if n.name in accuracies},
        rated=rated or {},
        extras=brought,
        remarks=tuple(remarks),
    )


def _compared(
    analyses: Mapping[str, Analysis],
    counts: Mapping[str, Count],
    accuracies: Mapping[str, PublishedAccuracy],
    extras: Sequence[Extra],
) -> list[Compared]:
    """The networks with all that is known of them besides their analysis."""
    also: dict[str, dict[str, Any]] = {name: {} for name in analyses}
    for name, count in counts.items():
        also[name].update(count.numbers)
    for name, accuracy in accuracies.items():
        also[name][ACCURACY.key] = accuracy.percent_correct()
    for extra in extras:
        for name, value in extra.values.items():
            also[name][extra.quantity.key] = value
    return [Compared(name, analysis, also[name]) for name, analysis in analyses.items()]


def _available(counts: Mapping[str, Count] | None, dataset: str | None) -> dict[str, Quantity]:
    """The quantities that can be columns, by key."""
    found = dict(QUANTITIES)
    if counts:
        convention = next(iter(counts.values())).convention
        for key in BY_CONVENTION:
            del found[key]
        found |= {key: Quantity(key, "less", True) for key in convention.quantities}
    if dataset is not None:
        found[ACCURACY.key] = ACCURACY
    return found


def _default(
    available: Mapping[str, Quantity], counts: Mapping[str, Count] | None, pareto: bool
) -> list[str]:
    own = next(iter(counts.values())).convention.quantities if counts else ()
    wanted = [key for key in DEFAULT if not (pareto and key in LESSER)]
    if own and pareto:
        own = tuple(key for key in own if key in (own[0], "params"))
    others = [key for key in wanted if key in available and key not in own]
    return [*others[:1], *own, *others[1:]]  # the input comes first


def _key(name: str, available: Mapping[str, Quantity], extras: Mapping[str, Extra]) -> str:
    """The key of the column that ``name`` means.

    Raises:
        ComparisonError: there is none.
    """
    folded = re.sub("[-_: ]+", "_", name.strip()).casefold()
    spellings = {spelling: key for key in available for spelling in _spellings(key)}
    spellings |= {spelling: key for key, extra in extras.items() for spelling in extra.spellings}
    if folded in spellings:
        return spellings[folded]
    if folded == ACCURACY.key:
        raise ComparisonError(
            "a column accuracy needs to know on which dataset: --accuracy CIFAR-10 for one"
        )
    for beginnings, option in TIMES.items():
        if folded.split("_")[0] in beginnings and not any(k.startswith(beginnings) for k in extras):
            raise ComparisonError(f"a column {folded} needs {option}")
    if folded in BY_CONVENTION:
        raise ComparisonError(
            f"the convention does not count {folded}; there are: {', '.join(available)}"
        )
    close = get_close_matches(folded, spellings, n=1)
    known = f"there are: {', '.join(available)}"
    near = f"did you mean {spellings[close[0]]!r}?" if close else known
    raise ComparisonError(f"no column {name!r:.60}; {near}")


def _spellings(key: str) -> tuple[str, ...]:
    return key, key.replace("_bytes", "")


def _sorted(
    networks: list[Compared],
    sort: str,
    available: Mapping[str, Quantity],
    extras: Mapping[str, Extra],
    reverse: bool,
) -> list[Compared]:
    if sort == NAME.key:
        return in_order(networks, NAME, lambda network: network.name, reverse=reverse)
    quantity = available[_key(sort, available, extras)]
    column = column_of(quantity, extras)
    return in_order(networks, column, lambda n: n.value(quantity), reverse=reverse)


def column_of(quantity: Quantity, extras: Mapping[str, Extra] = MappingProxyType({})) -> Column:
    """How a quantity is shown; one that only a convention has by its own name."""
    if quantity.key in extras:
        return extras[quantity.key].column
    kind: Kind = "bytes" if quantity.key.endswith("_bytes") else "count"
    return COLUMNS.get(quantity.key) or Column(quantity.key, quantity.key, kind)


def compare_table(report: CompareReport) -> Table:
    """One row a network; with a reference a column of ratios beside each that has them."""
    comparison = report.comparison
    shown = _shown(report)
    columns = [NAME]
    for quantity in shown:
        column = report.column(quantity)
        rank = 1 if report.asked else DEFAULT.get(quantity.key, column.rank)
        columns.append(column._replace(rank=rank, best=comparison.best(quantity)))
        if comparison.reference is not None and quantity.ratio:
            columns.append(Column(f"{quantity.key}_ratio", "x", "ratio", rank))
    rows = tuple(_row(network, report, shown) for network in report.networks)
    title = f"{_networks(len(rows))} compared"
    return Table(title, tuple(columns), rows, notes=notes(report))


def _shown(report: CompareReport) -> tuple[Quantity, ...]:
    """Without the input where all have the same and nobody asked for it."""
    same = not report.asked and len(report.inputs) == 1
    return tuple(q for q in report.comparison.quantities if not (same and q.key == "input"))


def _row(
    network: Compared, report: CompareReport, quantities: Sequence[Quantity]
) -> tuple[Any, ...]:
    comparison = report.comparison
    cells: list[Any] = [network.name]
    for quantity in quantities:
        cells.append(network.value(quantity))
        if comparison.reference is not None and quantity.ratio:
            cells.append(comparison.ratio(network, quantity))
    return tuple(cells)


def notes(report: CompareReport) -> tuple[str, ...]:
    """What a reader must know to read the numbers, most important first."""
    return (
        *_against_reference(report),
        *_front(report),
        *_inputs(report),
        *_datasets(report),
        *_counts(report),
        *_accuracy(report),
        *report.remarks,
        *_unknown(report),
    )


def _against_reference(report: CompareReport) -> list[str]:
    """What a multiple is one of and, where that is short, in words how the networks differ."""
    comparison = report.comparison
    if comparison.reference is None:
        return []
    lines = [f"x: how many times {_called(comparison.reference)}'s."]
    others = [network for network in report.networks if network is not comparison.reference]
    if len(others) <= MOST_IN_WORDS:
        lines += [in_words(report, network) for network in others]
    return lines


def in_words(report: CompareReport, network: Compared) -> str:
    """``simplenet against vgg16: 25.2 x fewer params, 1.1 x as much peak memory.``"""
    reference = report.comparison.reference
    assert reference is not None
    pieces = [_difference(report, network, quantity) for quantity in report.comparison.judged]
    said = ", ".join(filter(None, pieces)) or "nothing to tell"
    return f"{_called(network)} against {_called(reference)}: {said}."


def _difference(report: CompareReport, network: Compared, quantity: Quantity) -> str:
    """How a network differs from the reference in one quantity; "" where that is not known."""
    comparison = report.comparison
    reference = comparison.reference
    assert reference is not None
    column = report.column(quantity)
    label = column.label
    noun = label if label[:2].isupper() else label[:1].lower() + label[1:]
    if column.kind == "rate":
        return ""  # the latency said it the other way round
    if column.kind == "percent":
        one, other = network.value(quantity), reference.value(quantity)
        if one is None or other is None:
            return ""
        points = percent(abs(one - other)).removesuffix(" %")
        way = "higher" if one > other else "lower"
        return f"the same {noun}" if one == other else f"{noun} {points} points {way}"
    ratio = comparison.ratio(network, quantity)
    if not ratio:
        return ""
    fewer, many = ("fewer", "many") if column.kind == "count" else ("less", "much")
    factor = times(max(ratio, 1 / ratio)).removesuffix("x")
    if factor == "1.00":
        return f"{'' if ratio == 1 else 'about '}as {many} {noun}"
    return f"{factor} x {fewer if ratio < 1 else f'as {many}'} {noun}"


def _front(report: CompareReport) -> list[str]:
    if report.dominated is None:
        return []
    labels = [report.column(quantity).label for quantity in report.comparison.judged]
    out = _networks(report.dominated) if report.dominated else "no network"
    said = f"Pareto front of {', '.join(labels)}: {out} left out because another is as good in "
    said += "each of these and better in one"
    if report.incomplete:
        said += f"; {_networks(report.incomplete)} left out because a value is not known"
    lines = [f"{said}."]
    reference = report.comparison.reference
    if reference is not None:
        lines.append(f"{_called(reference)} is shown in any case.")
    return lines


def _inputs(report: CompareReport) -> list[str]:
    """What the networks are counted at, and a warning where that is not the same."""
    inputs = report.inputs
    if not inputs:
        return []
    if len(inputs) == 1:
        (shapes,) = inputs
        return [f"Input {', '.join(map(shape_text, shapes))}."]
    said = f"Counted at {len(inputs)} different inputs: costs compare only where those are alike. "
    return [f"{said}--input counts all at one."]


def _datasets(report: CompareReport) -> list[str]:
    """Networks for different datasets have different numbers of classes, if nothing else."""
    known = (network.analysis.graph.metadata.get("dataset") for network in report.networks)
    datasets = list(dict.fromkeys(filter(None, known)))
    if len(datasets) < 2:
        return []
    names = [shortened(str(dataset), LONGEST_VALUE) for dataset in datasets]
    which = f": {', '.join(names)}" if len(names) <= MOST_IN_WORDS else ""
    return [f"Made for {len(names)} different datasets{which}."]


def _counts(report: CompareReport) -> list[str]:
    keys = {quantity.key for quantity in report.comparison.quantities}
    lines = []
    if report.convention:
        lines.append(
            f"Counted by the convention {report.convention} "
            f"(archcost conventions --only {report.convention} tells its rules); memory, "
            "storage and depth are archcost's own."
        )
    elif "flops" in keys:
        lines.append(MACS_AND_FLOPS)
    return [*lines, PREFIXES]


def _accuracy(report: CompareReport) -> list[str]:
    """Which accuracy it is, and who says so."""
    if report.dataset is None:
        return []
    datasets = {accuracy.dataset for accuracy in report.accuracies.values()}
    dataset = next(iter(datasets), report.dataset)
    kind = "one of five guesses right (top-5)" if report.top == 5 else "the first guess right"
    said = f"Accuracy: percent of {dataset} images with {kind}; the best number that archcost's "
    lines = [f"{said}source texts print of one network, however it was trained and tested."]
    sources: dict[str, list[str]] = {}
    for name, accuracy in report.accuracies.items():
        sources.setdefault(accuracy.source, []).append(name)
    for source, names in sources.items():
        who = ", ".join(names) if len(sources) > 1 and len(names) <= MOST_IN_WORDS else ""
        lines.append(f"Published in {source}{f' ({who})' if who else ''}.")
    return [*lines, *_unrated(report)]


def _unrated(report: CompareReport) -> list[str]:
    """Which few networks have no accuracy, and which of their families have one."""
    unrated = [network for network in report.networks if network.name not in report.accuracies]
    if len(unrated) > MOST_IN_WORDS:
        return []
    lines = []
    for network in unrated:
        said = f"No such number of {_called(network)} as it is here"
        related = report.rated.get(str(network.analysis.graph.metadata.get("family")), ())
        others = f"; of its family there are those of {listed(related)}" if related else ""
        lines.append(f"{said}{others}.")
    return lines


def _unknown(report: CompareReport) -> list[str]:
    """Which operators are behind a value that is not known, or in none of a convention's."""
    shown = [report.column(quantity) for quantity in report.comparison.quantities]
    if report.convention:
        said = "The convention's numbers of {} are without operators that archcost does not know"
    elif any(column.missing == UNKNOWN for column in shown):
        said = f"The work of {{}} is not known ({UNKNOWN}), since that of operators is not"
    else:
        return []
    return [
        f"{said.format(_called(network))}: "
        f"{', '.join(unknown_operators(network.analysis.totals.unknown))}."
        for network in report.networks
        if network.analysis.totals.unknown
    ]


def _called(network: Compared) -> str:
    return shortened(network.name, LONGEST_VALUE)


def _networks(number: int) -> str:
    return f"{exact(number)} network{'' if number == 1 else 's'}"


def compare_document(report: CompareReport) -> dict[str, Any]:
    """The comparison as plain data; ``docs/json.md`` describes it."""
    comparison = report.comparison
    reference = comparison.reference
    return {
        "columns": {
            quantity.key: {
                "label": report.column(quantity).label,
                "kind": report.column(quantity).kind,
                "better": quantity.better,
                "best": comparison.best(quantity),
                **_about(quantity, report),
            }
            for quantity in comparison.quantities
        },
        "reference": reference and reference.name,
        "convention": report.convention,
        "accuracy": report.dataset and {"dataset": report.dataset, "top": report.top},
        "pareto": None
        if report.dominated is None
        else {"dominated": report.dominated, "incomplete": report.incomplete},
        "networks": [_network(network, report) for network in report.networks],
    }


def _about(quantity: Quantity, report: CompareReport) -> dict[str, Any]:
    extra = report.extras.get(quantity.key)
    return {"about": dict(extra.about)} if extra is not None and extra.about else {}


def _network(network: Compared, report: CompareReport) -> dict[str, Any]:
    comparison, graph = report.comparison, network.analysis.graph
    values = {q.key: network.value(q) for q in comparison.quantities}
    result = {
        "name": network.name,
        "title": graph.metadata.get("title") or graph.name,
        "source": graph.metadata.get("source") or None,
        "inputs": [value.shape for value in graph.inputs],
        "parameters": graph.metadata.get("parameters") or {},
        "values": values,
        "best": [
            q.key
            for q in comparison.quantities
            if values[q.key] is not None and values[q.key] == comparison.best(q)
        ],
    }
    if comparison.reference is not None:
        ratios = {q.key: comparison.ratio(network, q) for q in comparison.quantities if q.ratio}
        result["ratios"] = ratios
    if report.dataset is not None:
        accuracy = report.accuracies.get(network.name)
        result["accuracy"] = accuracy and asdict(accuracy)
    details = {
        key: report.extras[key].details[network.name]
        for key in values
        if key in report.extras and network.name in report.extras[key].details
    }
    if details:
        result["details"] = details
    return result
