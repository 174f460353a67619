"""Networks as points: accuracy against cost, and one cost against another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median_low, quantiles
from typing import Final, Literal, NamedTuple

from archcost.analysis import Analysis
from archcost.analysis.comparison import front, input_shape
from archcost.ir import shape_text
from archcost.plot.figure import (
    Axis,
    Color,
    Figure,
    Line,
    Mark,
    Marker,
    Panel,
    Points,
    Sizes,
    shortened,
)
from archcost.plot.networks import (
    PEAK_MEMORY,
    QUANTITIES,
    PlotError,
    Quantity,
    examples,
    listed,
    names,
    noun,
    wide,
)
from archcost.published.accuracies import PublishedAccuracy

AXES: Final[dict[str, Quantity]] = {**QUANTITIES, "memory": PEAK_MEMORY}
"""What a network's place can be told by."""
MOST_LABELS: Final = 40
"""Labels that are tried for: more cannot be read."""
FAMILIES: Final = 7
"""Families with a hue of their own, those with the most networks."""

MANY: Final = 12
"""Points from which on some can be far from the others."""
PRESSED: Final = 0.45
"""Part of the height that the other points have at least, or some are left out."""
MOST_FAR: Final = 6
"""Points that a note names."""

Top = Literal[1, 5]
_METRICS: Final[dict[Top, tuple[str, ...]]] = {
    1: ("accuracy", "error", "top1_accuracy", "top1_error"),
    5: ("top5_accuracy", "top5_error"),
}
_AUGMENTED: Final[dict[str | None, tuple[Marker, str]]] = {
    None: ("circle", "augmentation not said"),
    "none": ("square", "no augmentation"),
    "standard": ("triangle", "standard augmentation"),
    "extreme": ("diamond", "extreme augmentation"),
}


class Rated(NamedTuple):
    """A network and what has been published of its accuracy."""

    analysis: Analysis
    accuracies: tuple[PublishedAccuracy, ...]


class _Spot(NamedTuple):
    """A point to be: ``low`` and ``high`` are the ends of its line."""

    name: str
    family: str
    x: float
    y: float
    low: float
    high: float
    size: float
    hover: tuple[str, ...]
    augmentation: str | None = None


def accuracy_figure(
    rated: Sequence[Rated],
    dataset: str,
    *,
    x: str = "macs",
    size: str = "params",
    top: Top = 1,
) -> Figure:
    """Published accuracy against a cost, each network as a bubble.

    A network has a point for each augmentation of the training data that its accuracies are said
    to be for, at the middle one of the printed numbers (the lower of two in the middle); a line
    joins the lowest and the highest. What an ensemble of networks reached is left out. The front
    joins the points that no other one beats in both cost and accuracy.

    Args:
        rated: the networks, with accuracies on this data set; other data sets' are left out.
        dataset: as people write it.
        x, size: keys of :data:`AXES`: the cost along the axis, and that of the areas.
        top: whether the answer is right among one guess or among five.

    Raises:
        PlotError: no accuracy is left; no such cost.
    """
    chosen, area = _cost(x), _cost(size)
    spots = [
        spot
        for name, one in zip(_called(rated), rated, strict=True)
        if _known(one.analysis, (chosen, area))
        for spot in _rated(name, one, dataset, top, chosen, area)
    ]
    if not spots:
        guesses = "" if top == 1 else " among five guesses"
        raise PlotError(f"no published accuracy{guesses} of these networks on {dataset}")
    label = f"Top-{top} accuracy" if _ranked(rated) or top != 1 else "Accuracy"
    y = Axis(f"{label} on {dataset}", "percent")
    several = any(spot.low < spot.high for spot in spots)
    notes = ["Accuracies are as printed in the literature: training and test views differ."]
    if several:
        notes.append(
            "Thin lines: from the lowest to the highest number printed of the network; the point "
            "is the middle one, of two the lower."
        )
    cited = dict.fromkeys(a.source for one in rated for a in _fitting(one, dataset, top))
    notes.append(f"Sources: {'; '.join(shortened(source, 90) for source in cited)}.")
    spots, far = _apart(spots)
    if far:
        said = ", ".join(f"{spot.name} {spot.y:g} %" for spot in far[:MOST_FAR])
        more = f" and {len(far) - MOST_FAR} more" if len(far) > MOST_FAR else ""
        notes.append(f"Not shown, far below the others: {said}{more}.")
    best = max(spots, key=lambda spot: spot.y)
    return _scatter(
        "accuracy",
        f"{label} on {dataset} against {chosen.label}",
        spots,
        _axis(chosen, spots),
        y,
        area,
        ("less", "more"),
        f"Bubble chart of {len(spots)} published accuracies on {dataset} against "
        f"{chosen.label}. The highest is {best.y:g} % of {best.name} with "
        f"{chosen.written(best.x)} {chosen.label}.",
        notes,
    )


def costs_figure(
    analyses: Sequence[Analysis], *, x: str = "macs", y: str = "params", size: str | None = None
) -> Figure:
    """One cost of networks against another, each network as a point.

    Args:
        analyses: of the networks.
        x, y: keys of :data:`AXES`.
        size: key of :data:`AXES`: what the points' areas are; None: all alike.

    Raises:
        PlotError: no network; no such cost.
    """
    across, up, area = _cost(x), _cost(y), _cost(size) if size else None
    if not analyses:
        raise PlotError("a figure of costs needs a network")
    spots: list[_Spot] = []
    unknown: list[str] = []
    for name, analysis in zip(names(analyses), analyses, strict=True):
        if not _known(analysis, (across, up, area)):
            unknown.append(name)
            continue
        totals = analysis.totals
        values = [quantity.of_network(totals) for quantity in (across, up)]
        hover = (name, *_said(analysis, (across, up, *([area] if area else []))))
        weight = area.of_network(totals) if area else 0
        spots.append(
            _Spot(
                name, _family(analysis), values[0], values[1], values[1], values[1], weight, hover
            )
        )
    if not spots:
        raise PlotError(f"{listed(unknown)}: not all operators' work is known")
    notes = ["Each network at its own input, batch included."]
    if unknown:
        notes.append(f"Not shown, as not all operators' work is known: {listed(unknown)}.")
    least, most = (pick(spots, key=lambda spot: spot.x) for pick in (min, max))
    return _scatter(
        "costs",
        f"{up.label} against {across.label}",
        spots,
        _axis(across, spots),
        up.axis(spot.y for spot in spots),
        area,
        None,
        f"Scatter plot of {up.label} against {across.label} of {len(spots)} networks, from "
        f"{least.name} with {across.written(least.x)} to {most.name} with "
        f"{across.written(most.x)} {across.label}.",
        notes,
    )


def _cost(key: str) -> Quantity:
    if key not in AXES:
        raise PlotError(f"no cost {key!r:.60}; there are: {', '.join(AXES)}")
    return AXES[key]


def _known(analysis: Analysis, quantities: Iterable[Quantity | None]) -> bool:
    """Whether each of the quantities is known: where an operator's work is not, that of the others
    is no number of the network."""
    work = (QUANTITIES["macs"], QUANTITIES["flops"])
    return not analysis.totals.unknown or not any(one in work for one in quantities)


def _axis(quantity: Quantity, spots: Iterable[_Spot]) -> Axis:
    values = [spot.x for spot in spots]
    # On a logarithmic axis nothing has no place.
    return quantity.axis(values, log=min(values) > 0 and wide(values))


def _called(rated: Sequence[Rated]) -> list[str]:
    """The networks' names, with the settings that tell two of the same network apart."""
    called = names([one.analysis for one in rated])
    titles = [str(one.analysis.graph.metadata.get("title")) for one in rated]
    for place, one in enumerate(rated):
        settings = next((a.settings for a in one.accuracies), {})
        said = ", ".join(f"{key}={value}" for key, value in settings.items() if key != "classes")
        if said:
            called[place] = shortened(f"{titles[place]} ({said})")
    return called


def _apart(spots: Sequence[_Spot]) -> tuple[list[_Spot], list[_Spot]]:
    """The points, and those so far below the others that they would press them together.

    Far is three times the distance of the quartiles below the lower one (Tukey 1977, "Exploratory
    Data Analysis": far out); as long as the others have :data:`PRESSED` of the height, all stay.
    """
    values = [spot.y for spot in spots]
    if len(values) < MANY:
        return list(spots), []
    low, _, high = quantiles(values, n=4)
    end = low - 3 * (high - low)
    near = [value for value in values if value >= end]
    if max(near) - min(near) > PRESSED * (max(values) - min(values)):
        return list(spots), []
    return [s for s in spots if s.y >= end], sorted(
        (s for s in spots if s.y < end), key=lambda spot: -spot.y
    )


def _ranked(rated: Sequence[Rated]) -> bool:
    return any(a.metric.startswith("top") for one in rated for a in one.accuracies)


def _fitting(one: Rated, dataset: str, top: Top) -> list[PublishedAccuracy]:
    return [
        a
        for a in one.accuracies
        if a.dataset == dataset and a.metric in _METRICS[top] and not a.ensemble
    ]


def _rated(
    name: str, one: Rated, dataset: str, top: Top, x: Quantity, size: Quantity
) -> Iterable[_Spot]:
    by: dict[str | None, list[PublishedAccuracy]] = {}
    for accuracy in _fitting(one, dataset, top):
        by.setdefault(accuracy.augmentation, []).append(accuracy)
    totals = one.analysis.totals
    for augmentation, own in by.items():
        values = [accuracy.percent_correct() for accuracy in own]
        middle = median_low(values)
        numbers = ", ".join(f"{value:g}" for value in sorted(set(values)))
        hover = (
            name,
            f"{numbers} % ({_AUGMENTED[augmentation][1]})",
            *_said(one.analysis, dict.fromkeys((x, size))),
            *dict.fromkeys(shortened(f"{a.source}, {a.table or a.place}", 90) for a in own[:3]),
        )
        yield _Spot(
            name,
            _family(one.analysis),
            x.of_network(totals),
            middle,
            min(values),
            max(values),
            size.of_network(totals),
            hover,
            augmentation,
        )


def _said(analysis: Analysis, quantities: Iterable[Quantity]) -> list[str]:
    shape = input_shape(analysis) or ()
    each = [f"{q.label}: {q.written(q.of_network(analysis.totals))}" for q in quantities]
    return [*each, f"input {shape_text(shape)}"]


def _family(analysis: Analysis) -> str:
    return shortened(str(analysis.graph.metadata.get("family") or "other"), 24)


def _scatter(
    key: str,
    title: str,
    spots: Sequence[_Spot],
    x: Axis,
    y: Axis,
    area: Quantity | None,
    better: tuple[Literal["less", "more"], Literal["less", "more"]] | None,
    alt: str,
    notes: Sequence[str],
) -> Figure:
    best = front([(spot.x, spot.y) for spot in spots], better) if better else []
    best.sort(key=lambda place: (spots[place].x, spots[place].y))
    marks: list[Mark] = []
    if len(best) > 1:
        steps = (tuple(spots[place].x for place in best), tuple(spots[place].y for place in best))
        marks.append(Line("Pareto front", *steps, "muted", "dashed", corner=True))
    marks += _groups(spots, _wanted(spots, best))
    if area and any(spot.size for spot in spots):
        largest = max(spot.size for spot in spots)
        sizes = Sizes(noun(area), largest, examples(largest), area.kind)
    else:
        sizes = None
    panel = Panel(x, y, tuple(marks), sizes=sizes)
    return Figure(key, title, (panel,), alt, "", tuple(notes))


def _wanted(spots: Sequence[_Spot], best: Sequence[int]) -> list[int]:
    """The places of the points to be labelled, the most important first: those of the front, the
    extreme ones, then the others, every time one far from those before."""
    ends = [pick(range(len(spots)), key=lambda i: spots[i].x) for pick in (min, max)]
    ends += [pick(range(len(spots)), key=lambda i: spots[i].y) for pick in (min, max)]
    wanted = list(dict.fromkeys((*best, *ends)))
    rest = [i for i in range(len(spots)) if i not in wanted]
    rest.sort(key=lambda i: (-spots[i].y, spots[i].name))
    step = max(1, len(rest) // max(1, MOST_LABELS - len(wanted)))
    spread = dict.fromkeys((*rest[::step], *rest))
    return _told_once(spots, [*wanted, *spread])[:MOST_LABELS]


def _told_once(spots: Sequence[_Spot], places: Sequence[int]) -> list[int]:
    """Without points that lie just beside another of the same network."""
    heights = [spot.y for spot in spots]
    near = 0.05 * (max(heights) - min(heights))
    told: dict[str, list[float]] = {}
    kept = []
    for place in places:
        own = told.setdefault(spots[place].name, [])
        if all(abs(spots[place].y - y) > near for y in own):
            own.append(spots[place].y)
            kept.append(place)
    return kept


def _groups(spots: Sequence[_Spot], wanted: Sequence[int]) -> list[Points]:
    """The points by family and augmentation, largest first, and the legend's entries."""
    families = Counter(spot.family for spot in spots)
    ranked = sorted(families, key=lambda name: (name == "other", -families[name], name.lower()))
    hues: dict[str, Color] = {name: place for place, name in enumerate(ranked[:FAMILIES])}
    groups: dict[tuple[int, str | None], list[int]] = {}
    for place in sorted(range(len(spots)), key=lambda place: -spots[place].size):
        spot = spots[place]
        rank = min(ranked.index(spot.family), FAMILIES)
        groups.setdefault((rank, spot.augmentation), []).append(place)
    said = {spot.augmentation for spot in spots}
    marks = []
    for (rank, augmentation), places in sorted(groups.items(), key=lambda item: item[0][0]):
        own = [spots[place] for place in places]
        rated = len(said) > 1
        name = ranked[rank] if rank < FAMILIES else "other families"
        marks.append(
            Points(
                name,
                tuple(spot.x for spot in own),
                tuple(spot.y for spot in own),
                hues.get(ranked[rank], "muted") if rank < FAMILIES else "muted",
                _AUGMENTED[augmentation][0] if rated else "circle",
                labels=tuple(spot.name for spot in own),
                drawn=tuple(places.index(place) for place in wanted if place in places),
                sizes=tuple(spot.size for spot in own) if any(s.size for s in spots) else (),
                low=tuple(spot.low for spot in own),
                high=tuple(spot.high for spot in own),
                hover=tuple(spot.hover for spot in own),
            )
        )
    if len(said) > 1:
        marks += [
            Points(name, color="muted", marker=shape)
            for augmentation, (shape, name) in _AUGMENTED.items()
            if augmentation in said
        ]
    return marks
