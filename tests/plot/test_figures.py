"""What figures show, against the analysis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import hostile
import pytest

import archcost
from archcost.analysis import Analysis, depth, depths
from archcost.analysis.comparison import front
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.plot import kinds, layers, memory, roofline
from archcost.plot.figure import Bars, Figure, Line, Note, Points
from archcost.plot.figures import comparison_figures, model_figures
from archcost.plot.kinds import by_kind, kinds_figure, totals_figure
from archcost.plot.layers import cumulative_figure, depth_figure, levels
from archcost.plot.memory import memory_figure
from archcost.plot.networks import (
    PEAK_MEMORY,
    QUANTITIES,
    PlotError,
    examples,
    names,
    times,
    wide,
)
from archcost.plot.roofline import intensity_figure
from archcost.plot.scatter import AXES, Rated, accuracy_figure, costs_figure
from archcost.published.accuracies import PublishedAccuracy
from archcost.published.rated import rated_networks
from archcost.sources.zoo import entries

SAMPLE = ("simplenet", "vgg16", "resnet50", "mobilenet-v1", "densenet121", "lenet5", "googlenet")


def analysis(name: str) -> Analysis:
    return archcost.analyze(archcost.load(name))


def lines(figure: Figure, panel: int = 0) -> list[Line]:
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, Line)]


def points(figure: Figure, panel: int = 0) -> list[Points]:
    return [m for m in figure.panels[panel].marks if isinstance(m, Points) and m.x]


def notes(figure: Figure, panel: int = 0) -> list[Note]:
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, Note)]


# --- by depth -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLE)
def test_sums_over_depths_are_the_totals(name: str) -> None:
    found = analysis(name)
    network = levels(found, tuple(QUANTITIES))
    for key, quantity in QUANTITIES.items():
        assert sum(level.costs[key] for level in network) == quantity.of_network(found.totals)
    assert network[-1].depth == found.totals.depth
    figure = depth_figure([found])
    for panel, key in enumerate(layers.SHOWN):
        (line,) = lines(figure, panel)
        assert sum(line.y) == QUANTITIES[key].of_network(found.totals)
        (note,) = notes(figure, panel)
        assert note.y == max(line.y)


def test_depths_of_every_node() -> None:
    graph = archcost.load("googlenet")
    found = depths(graph)
    assert len(found) == len(graph.nodes)
    assert max(found) == depth(graph)
    for node, level in zip(graph.nodes, found, strict=True):
        before = [found[graph.nodes.index(v.producer)] for v in node.inputs if v.producer]
        assert level == max(before, default=0) + bool(node.op.weighted)


def test_several_networks_have_the_scale_of_their_ratios() -> None:
    figure = depth_figure([analysis("simplenet"), analysis("vgg16")])
    assert [panel.y.log for panel in figure.panels] == [True, False, False]
    assert [len(lines(figure, panel)) for panel in range(3)] == [2, 2, 2]
    assert "VGG-16" in figure.title
    assert "fc6" in notes(figure)[1].text  # why VGG-16 is large
    logarithmic = depth_figure([analysis("simplenet")], log=True)
    assert all(panel.y.log for panel in logarithmic.panels)
    assert all(value > 0 for panel in range(3) for value in lines(logarithmic, panel)[0].y)


def test_cumulative_ends_with_all() -> None:
    one = analysis("vgg16")
    (panel,) = cumulative_figure([one]).panels
    for line in panel.marks:
        assert isinstance(line, Line)
        assert line.y[-1] == 1
        assert list(line.y) == sorted(line.y)
    figure = cumulative_figure([one, analysis("resnet50")])
    for panel_number, key in enumerate(layers.SHOWN):
        assert lines(figure, panel_number)[0].y[-1] == QUANTITIES[key].of_network(one.totals)


def test_what_no_layer_reads_is_said() -> None:
    figure = depth_figure([archcost.analyze(hostile.network("net"))])
    assert any("no layer reads" in note for note in figure.notes)
    assert any("not known" in note for note in figure.notes)


# --- by kind ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLE)
def test_kinds_add_up(name: str) -> None:
    found = analysis(name)
    for quantity in QUANTITIES.values():
        assert sum(by_kind(found, quantity).values()) == quantity.of_network(found.totals)
    figure = kinds_figure([found])
    ends = [0.0] * 4
    for mark in figure.panels[0].marks:
        if isinstance(mark, Bars):
            for at, start, value in zip(mark.at, mark.starts, mark.values, strict=True):
                assert start == pytest.approx(ends[at])
                ends[at] += value
    assert ends == pytest.approx([1] * 4)


def test_kinds_of_several_networks() -> None:
    figure = kinds_figure([analysis("simplenet"), analysis("vgg16")])
    assert [panel.title for panel in figure.panels] == [
        "Parameters",
        "MACs",
        "Activations",
        "Memory traffic",
    ]
    assert figure.panels[0].y.categories == ("SimpleNet", "VGG-16")
    linear = next(m for m in figure.panels[0].marks if getattr(m, "name", "") == "fully connected")
    assert isinstance(linear, Bars)
    rows = archcost.analyze(archcost.load("vgg16")).layers
    share = sum(r.params for r in rows if r.op == "linear") / sum(r.params for r in rows)
    assert linear.values[linear.at.index(1)] == pytest.approx(share)
    assert [note.text for note in notes(figure)] == ["5.49 M", "138.36 M"]


def test_what_is_almost_all_is_not_all() -> None:
    figure = kinds_figure([analysis("simplenet")])
    first = figure.panels[0].marks[0]
    assert isinstance(first, Bars)
    assert first.labels[0] == "> 99 %"


def test_totals() -> None:
    both = [analysis("simplenet"), analysis("vgg16")]
    figure = totals_figure(both)
    quantities = [*(QUANTITIES[key] for key in layers.SHOWN), PEAK_MEMORY]
    for panel, quantity in enumerate(quantities):
        values = [m.values[0] for m in figure.panels[panel].marks if isinstance(m, Bars)]
        assert values == [quantity.of_network(a.totals) for a in both]
    assert notes(figure)[1].text == "138.36 M  (25 x)"
    assert notes(totals_figure(both[::-1]))[1].text == "5.49 M  (1/25)"


# --- intensity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simplenet", "mobilenet-v1"])
def test_intensity(name: str) -> None:
    found = analysis(name)
    figure = intensity_figure([found])
    drawn = sorted((x, y) for mark in points(figure) for x, y in zip(mark.x, mark.y, strict=True))
    expected = [(r.arithmetic_intensity, r.flops) for r in found.layers if r.flops]
    assert drawn == sorted(expected)
    assert not lines(figure)
    assert any("No roof" in note for note in figure.notes)


def test_the_roof() -> None:
    found = analysis("vgg16")
    peak, bandwidth = 7e12, 3e11
    figure = intensity_figure([found], peak_flops=peak, bandwidth=bandwidth)
    (roof,) = lines(figure)
    assert roof.x[1] == peak / bandwidth
    assert roof.y[1:] == (peak, peak)
    for mark in points(figure):
        for x, y in zip(mark.x, mark.y, strict=True):
            assert y == min(peak, x * bandwidth)
    seconds = sum(max(r.flops / peak, r.traffic_bytes / bandwidth) for r in found.layers)
    moving = [r for r in found.layers if r.traffic_bytes and not r.flops]
    rest = sum(r.traffic_bytes / bandwidth for r in moving) / seconds
    assert sum(sum(mark.sizes) for mark in points(figure)) == pytest.approx(1 - rest)


@pytest.mark.parametrize(
    ("peak", "bandwidth"), [(1e12, None), (None, 1e9), (0, 1e9), (1e12, -1), (float("inf"), 1)]
)
def test_half_a_device_is_none(peak: float | None, bandwidth: float | None) -> None:
    with pytest.raises(PlotError, match="bandwidth"):
        intensity_figure([analysis("lenet5")], peak_flops=peak, bandwidth=bandwidth)


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"inplace": True}, {"fold_norm": True}])
def test_memory(options: dict[str, bool]) -> None:
    found = analysis("resnet50")
    expected = found.forward_memory(**options)
    figure = memory_figure([found], **options)
    weights, whole = lines(figure)
    (alive,) = lines(figure, 1)
    assert set(weights.y) == {expected.weights}
    assert max(whole.y) == expected.peak
    assert alive.y == expected.timeline
    (note,) = notes(figure, 1)
    assert expected.at.rpartition("/")[2] in note.text
    assert expected.timeline[int(note.x) - 1] == expected.activations


def test_memory_of_several_has_one_scale() -> None:
    figure = memory_figure([analysis("simplenet"), analysis("vgg16")])
    assert len(figure.panels) == 4
    assert figure.panels[0].y.high == figure.panels[2].y.high
    far = memory_figure([analysis("lenet5"), analysis("vgg16")])
    assert far.panels[0].y.high is None  # a flat line says nothing


# --- networks as points -------------------------------------------------------------------------


def rated(dataset: str, top: int = 1) -> list[Rated]:
    networks = rated_networks(dataset, top=top)
    return [Rated(archcost.analyze(graph), accuracies) for graph, accuracies in networks]


@pytest.mark.parametrize(("dataset", "top"), [("ImageNet", 1), ("ImageNet", 5), ("MNIST", 1)])
def test_accuracy(dataset: str, top: int) -> None:
    networks = rated(dataset, top)
    figure = accuracy_figure(networks, dataset, top=top)
    drawn = [
        (x, y, low, high)
        for mark in points(figure)
        for x, y, low, high in zip(mark.x, mark.y, mark.low, mark.high, strict=True)
    ]
    groups: dict[tuple[int, str | None], list[PublishedAccuracy]] = {}
    for place, one in enumerate(networks):
        for accuracy in one.accuracies:
            groups.setdefault((place, accuracy.augmentation), []).append(accuracy)
    expected = set()
    for (place, _), own in groups.items():
        values = [accuracy.percent_correct() for accuracy in own]
        macs = networks[place].analysis.totals.macs
        expected.add((macs, min(values), max(values)))
    assert {(x, low, high) for x, _, low, high in drawn} == expected
    assert all(low <= y <= high for _, y, low, high in drawn)
    fronts = [line for line in lines(figure) if line.name == "Pareto front"]
    best = front([(x, y) for x, y, _, _ in drawn], ("less", "more"))
    assert sorted(zip(fronts[0].x, fronts[0].y, strict=True)) == sorted(drawn[i][:2] for i in best)


def test_augmentations_are_kept_apart() -> None:
    figure = accuracy_figure(rated("CIFAR-10"), "CIFAR-10", x="params")
    shapes = {
        name: mark.marker
        for mark in points(figure)
        for name in mark.labels
        if name == "SimpleNet (dropout)"
    }
    both = [m for m in points(figure) if "SimpleNet (dropout)" in m.labels]
    assert sorted(mark.marker for mark in both) == ["square", "triangle"], shapes
    assert {"no augmentation", "standard augmentation"} <= {m.name for m in figure.legend()}


def test_what_is_far_below_is_said_instead() -> None:
    figure = accuracy_figure(rated("CIFAR-10"), "CIFAR-10")
    (note,) = [note for note in figure.notes if note.startswith("Not shown")]
    assert "Deep-linear 51.15 %" in note
    assert not any("Deep-linear" in mark.labels for mark in points(figure))


def test_settings_tell_networks_apart() -> None:
    figure = accuracy_figure(rated("ImageNet"), "ImageNet")
    labels = {label for mark in points(figure) for label in mark.labels}
    assert {f"ResNet-34 (shortcuts={kind})" for kind in "ABC"} <= labels


def test_costs_of_the_whole_zoo() -> None:
    every = [archcost.analyze(entry.graph()) for entry in entries()]
    figure = costs_figure(every, x="flops", y="memory", size="traffic")
    drawn = [p for mark in points(figure) for p in zip(mark.x, mark.y, mark.sizes, strict=True)]
    assert sorted(drawn) == sorted(
        (a.totals.flops, a.totals.peak_memory_bytes, a.totals.traffic_bytes) for a in every
    )
    (panel,) = figure.panels
    assert panel.x.log
    assert panel.y.log
    assert panel.sizes is not None
    assert panel.sizes.largest == max(a.totals.traffic_bytes for a in every)
    assert 0 < sum(len(mark.drawn) for mark in points(figure)) < len(every)


def test_networks_whose_work_is_not_known_have_no_point() -> None:
    unknown = archcost.analyze(hostile.network("unknown"))
    figure = costs_figure([unknown, analysis("lenet5")])
    assert sum(len(mark.x) for mark in points(figure)) == 1
    assert any("unknown" in note for note in figure.notes)
    assert sum(len(m.x) for m in points(costs_figure([unknown], x="params", y="activations"))) == 1
    with pytest.raises(PlotError, match="work is known"):
        costs_figure([unknown])


# --- all ----------------------------------------------------------------------------------------

FIGURES: dict[str, tuple[Callable[[Sequence[Analysis]], Figure], int]] = {
    "depth": (depth_figure, layers.MOST),
    "cumulative": (cumulative_figure, layers.MOST),
    "kinds": (kinds_figure, kinds.MOST),
    "totals": (totals_figure, kinds.MOST),
    "intensity": (intensity_figure, roofline.MOST),
    "memory": (memory_figure, memory.MOST),
}


@pytest.mark.parametrize("name", FIGURES)
def test_as_many_networks_as_fit(name: str) -> None:
    make_figure, most = FIGURES[name]
    one = analysis("lenet5")
    figure = make_figure([one] * most)
    assert figure.key == name
    with pytest.raises(PlotError, match=f"up to {most}"):
        make_figure([one] * (most + 1))
    with pytest.raises(PlotError, match="needs a network"):
        make_figure([])
    builder = GraphBuilder("empty")
    nothing = builder.build({"y": builder.input("x", TensorType((1, 3)))})
    with pytest.raises(PlotError, match="empty has no layers"):
        make_figure([archcost.analyze(nothing)])


@pytest.mark.parametrize("name", ["no-such", "memory"])
def test_no_such_quantity(name: str) -> None:
    with pytest.raises(PlotError, match="there are: params, macs"):
        depth_figure([analysis("lenet5")], quantities=(name,))


def test_no_such_cost() -> None:
    with pytest.raises(PlotError, match=f"there are: {', '.join(AXES)}"):
        costs_figure([analysis("lenet5")], x="no-such")


def test_a_network_without_operations() -> None:
    builder = GraphBuilder("moves")
    (y,) = builder.add(make("identity"), [builder.input("x", TensorType((1, 3)))], "same")
    moves = archcost.analyze(builder.build({"y": y}))
    for figure in (*model_figures(moves), *comparison_figures([moves] * 2)):
        assert figure.alt
    with pytest.raises(PlotError, match="computes"):
        intensity_figure([moves])


def test_figures_of_a_page() -> None:
    assert [figure.key for figure in model_figures(analysis("simplenet"))] == [
        *("depth", "cumulative", "kinds", "intensity", "memory")
    ]
    one = analysis("lenet5")
    keys = {number: [f.key for f in comparison_figures([one] * number)] for number in (0, 2, 9, 50)}
    assert keys[0] == []
    assert keys[2] == ["totals", "depth", "cumulative", "kinds", "memory"]
    assert keys[9] == ["totals", "costs", "kinds"]
    assert keys[50] == ["costs"]


@pytest.mark.parametrize("name", SAMPLE)
def test_alternative_texts_say_numbers(name: str) -> None:
    for figure in model_figures(analysis(name)):
        assert len(figure.alt) > 60
        assert any(letter.isdigit() for letter in figure.alt)


def test_names_are_distinct() -> None:
    one = analysis("lenet5")
    assert names([one, one, analysis("vgg16")]) == ["lenet5 (1)", "lenet5 (2)", "VGG-16"]
    long = [archcost.analyze(hostile.network(f"{'x' * 100}{n}{'y' * 100}")) for n in range(3)]
    assert len(set(names(long))) == 3


def test_numbers_in_words() -> None:
    assert times(25.2) == "25 x"
    assert times(2.345) == "2.3 x"
    assert not wide([1, 0, 30])
    assert wide([1, 31])
    assert not wide([0, 0])
    assert examples(138e6) == (5e6, 20e6, 100e6)
