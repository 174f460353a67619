"""What a diagram of a network shows: all of it, in few boxes, without a lie."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from drawn import check
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_specs import random_specs

import archcost
from archcost.analysis import analyze
from archcost.diagram import DiagramError, diagram
from archcost.diagram.colors import on_scale
from archcost.diagram.model import COLORS, LEVELS
from archcost.ir import Graph, GraphBuilder, TensorType, Value
from archcost.ir.ops import make
from archcost.report.palette import contrast, ink_on, luminance
from archcost.spec import expand, parse

SCOPES = ("", "a/", "b/", "a/b/", "a/0/", "a/1/", "b/a/c/")


def randomly(seed: int, size: int) -> Graph:
    """A graph whose layers come from scopes in no order, with many readers and several outputs."""
    choose = random.Random(seed)
    builder = GraphBuilder(f"random {seed}")
    values = [builder.input(f"x{index}", TensorType((1, 4, 6, 6))) for index in range(2)]
    for number in range(size):
        kind = choose.choice(
            ("conv", "relu", "sum", "batch_norm", "identity", "dropout", "split", "copy", "weight")
        )
        # Mostly what has just been made, now and then what was made long ago.
        recent = values[-3:] if choose.random() < 0.8 else values
        inputs: list[Value] = [choose.choice(recent)]
        if kind == "sum":
            inputs.append(choose.choice(recent))
        if kind == "weight":
            op = make("weight", shape=(1, 4, 6, 6))
            inputs = []
        elif kind == "conv":
            op = make("conv", out=4, kernel=3, padding=1)
        elif kind == "split":
            op = make("split", sizes=(2, 2))
        else:
            op = make(kind)
        outputs = builder.add(op, inputs, f"{choose.choice(SCOPES)}{kind}{number}")
        if kind == "split":
            outputs = builder.add(make("concat"), outputs, f"{choose.choice(SCOPES)}cat{number}")
        values += outputs
    chosen = choose.sample(values, min(2, len(values)))
    return builder.build({f"y{index}": value for index, value in enumerate(chosen)})


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 40),
    level=st.sampled_from(LEVELS),
    merge=st.booleans(),
    unfold=st.booleans(),
    dense=st.booleans(),
)
def test_any_graph(
    seed: int, size: int, level: str, merge: bool, unfold: bool, dense: bool
) -> None:
    graph = randomly(seed, size)
    drawing = diagram(analyze(graph), level=level, merge=merge, unfold=unfold, dense=dense)
    check(drawing, graph, dense=dense)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(document=random_specs(), level=st.sampled_from(LEVELS))
def test_any_spec(document: dict[str, object], level: str) -> None:
    import yaml

    from archcost.sources.zoo import libraries

    text = yaml.safe_dump(document, sort_keys=False)
    graph = expand(parse(text, "random.yaml", libraries()), "random")
    assume(graph.nodes)
    check(diagram(analyze(graph), level=level), graph)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "name",
    ["resnet1202", "googlenet", "densenet121", "enet", "fractalnet-20", "sharesnet-34", "rcnn-96"],
)
def test_networks_of_the_zoo(name: str, level: str) -> None:
    graph = archcost.load(name)
    check(diagram(analyze(graph), level=level), graph)


# --- what is folded ---


def blocks(count: int, *, of: str = "block", late: bool = False) -> Graph:
    """A chain of ``count`` residual blocks of two convolutions; ``late``: all are read again."""
    builder = GraphBuilder("chain")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    made = []
    for number in range(count):
        name = f"{of}{number}"
        (y,) = builder.add(make("conv", out=4, kernel=3, padding=1), [x], f"{name}/one")
        (y,) = builder.add(make("conv", out=4, kernel=3, padding=1), [y], f"{name}/two")
        (x,) = builder.add(make("sum"), [x, y], f"{name}/sum")
        made.append(x)
    if late:
        (x,) = builder.add(make("concat"), made, "all")
    return builder.build({"y": x})


def test_alike_blocks_are_drawn_once() -> None:
    graph = blocks(5)
    drawing = diagram(analyze(graph), level="layer")
    check(drawing, graph)
    (group,) = drawing.groups
    assert (group.label, group.repeats) == ("block0–4", 5)
    one = next(box for box in drawing.boxes if box.lines[0] == "one")
    assert one.layers == tuple(f"block{number}/one" for number in range(5))
    assert one.value == 4 * 4 * 9 * 64  # of one, as the note says
    assert any("costs are those of one" in note for note in drawing.notes)
    by_block = diagram(analyze(graph), level="block")
    (box,) = [box for box in by_block.boxes if not box.terminal]
    assert (box.repeats, len(box.layers)) == (5, 15)


def test_two_alike_boxes_are_both_drawn_and_two_alike_frames_are_one() -> None:
    assert len([box for box in diagram(analyze(blocks(2)), level="block").boxes if box.layers]) == 2
    assert diagram(analyze(blocks(2)), level="layer").groups[0].repeats == 2


def test_what_others_read_is_not_folded() -> None:
    graph = blocks(5, late=True)
    drawing = diagram(analyze(graph), level="block")
    check(drawing, graph)
    assert max(box.repeats for box in drawing.boxes) == 1


def test_a_block_of_other_sizes_is_not_folded() -> None:
    builder = GraphBuilder("widths")
    x = builder.input("x", TensorType((1, 4, 30, 30)))
    for number, width in enumerate((8, 8, 8, 8, 16, 8, 8, 8)):
        (x,) = builder.add(make("conv", out=width, kernel=3), [x], f"c{number}")
    graph = builder.build({"y": x})
    # Each shrinks its input: none does the same as another.
    assert max(box.repeats for box in diagram(analyze(graph), level="layer").boxes) == 1


def test_a_run_of_two_in_turn() -> None:
    builder = GraphBuilder("turns")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    for number in range(4):
        (x,) = builder.add(make("conv", out=4, kernel=3, padding=1), [x], f"conv{number}")
        (x,) = builder.add(make("lrn"), [x], f"lrn{number}")
    graph = builder.build({"y": x})
    drawing = diagram(analyze(graph), level="layer")
    check(drawing, graph)
    (group,) = drawing.groups
    assert group.repeats == 4
    assert [box.lines[0] for box in drawing.boxes if box.layers] == ["conv0", "lrn0"]


def test_shared_weights_count_once() -> None:
    builder = GraphBuilder("shared")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    share = None
    for number in range(5):
        op = make("conv", out=4, kernel=3, padding=1, bias=False)
        (x,) = builder.add(op, [x], f"conv{number}", share=share)
        assert x.producer is not None
        share = {"weight": x.producer.parameters[0]}
    drawing = diagram(analyze(builder.build({"y": x})), level="layer", color_by="params")
    assert [(box.value, box.repeats) for box in drawing.boxes if box.layers] == [(144, 1), (0, 4)]


def test_unfolding() -> None:
    analysis = analyze(archcost.load("resnet50"))
    folded = diagram(analysis, level="layer")
    assert len(diagram(analysis, level="layer", unfold=True).boxes) == 75
    for names in (["conv4_x"], ["conv4_x/block3"], ["conv4_x/block3/conv2"]):
        some = diagram(analysis, level="layer", unfold=names)
        check(some, analysis.graph)
        assert len(some.boxes) == len(folded.boxes) + 4 * 4
    with pytest.raises(DiagramError, match=r"nothing called 'conv9' is folded at level layer"):
        diagram(analysis, level="layer", unfold=["conv9"])
    with pytest.raises(DiagramError, match="nothing is"):
        diagram(analyze(archcost.load("lenet5")), level="layer", unfold=["C1"])


# --- levels ---


def test_a_resnet_of_1202_layers_by_stage_fits_on_a_page() -> None:
    drawing = diagram(analyze(archcost.load("resnet1202")), level="stage")
    names = [box.lines[0] for box in drawing.boxes]
    stages = ["conv1", "conv2_x", "conv3_x", "conv4_x", "pool5", "fc", "softmax"]
    assert names == ["input", *stages, "output"]
    (line,) = [line for line in drawing.boxes[2].lines if "conv" in line and "_x" not in line]
    assert line == "(3x3 conv, 16) x 400"


def test_googlenet_as_in_its_paper() -> None:
    graph = archcost.load("googlenet")
    drawing = diagram(analyze(graph), level="layer")
    inception = [group for group in drawing.groups if group.label.startswith("inception")]
    assert len(inception) == 9
    for group in inception:
        inside = {box.id: box for box in drawing.boxes if box.group == group.id}
        assert sorted(box.lines[0] for box in inside.values()) == [
            *("1x1", "3x3", "3x3_reduce", "5x5", "5x5_reduce", "concat", "pool", "pool_proj"),
        ]
        (merge,) = [id_ for id_, box in inside.items() if box.lines[0] == "concat"]
        ends = {inside[edge.source].lines[0] for edge in drawing.edges if edge.target == merge}
        assert ends == {"1x1", "3x3", "5x5", "pool_proj"}


def test_dense_edges_as_in_densenets_paper() -> None:
    graph = archcost.load("densenet-bc-40-36")
    drawing = diagram(analyze(graph), level="block", dense=True)
    check(drawing, graph, dense=True)
    names = {box.id: box.lines[0] for box in drawing.boxes}
    first = [box.id for box in drawing.boxes if box.group == drawing.groups[0].id]
    assert [names[id_] for id_ in first] == [f"layer{number}" for number in range(1, 7)]
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    before = [id_ for id_, name in names.items() if name == "conv0"]
    # Each layer reads what all before it made, and what came into the block.
    for at, layer in enumerate(first):
        assert {source for source, target in edges if target == layer} == {*before, *first[:at]}
    assert len(edges) > len(diagram(analyze(graph), level="block").edges)


def test_blocks_of_a_traced_model() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = torch.nn.TransformerEncoder(
        layer, 4, norm=torch.nn.LayerNorm(16), enable_nested_tensor=False
    )
    graph = archcost.load(model, inputs=(5, 16))
    drawing = diagram(analyze(graph), level="block")
    check(drawing, graph)
    shown = [(box.lines[0], box.repeats) for box in drawing.boxes if box.layers]
    assert shown == [("0–3", 4), ("norm", 1)]
    assert [group.label for group in drawing.groups] == ["layers"]
    by_layer = diagram(analyze(graph), level="layer")
    check(by_layer, graph)
    # Views, copies and dropout are in the boxes of the layers that they follow.
    titles = [box.lines[0] for box in by_layer.boxes if box.layers]
    assert not {title.partition("_")[0] for title in titles} & {"reshape", "permute", "select"}
    every = diagram(analyze(graph), level="layer", merge=False)
    check(every, graph)
    assert {box.kind for box in by_layer.boxes} < {box.kind for box in every.boxes}


def test_the_level_that_is_chosen() -> None:
    for name, level in (("simplenet", "layer"), ("resnet152", "layer"), ("densenet121", "stage")):
        assert diagram(analyze(archcost.load(name))).level == level
    flat = GraphBuilder("flat")
    x = flat.input("x", TensorType((1, 4)))
    for number in range(100):
        (x,) = flat.add(make("linear", out=4 + number), [x], f"fc{number}")
    # No level has fewer boxes.
    assert len(diagram(analyze(flat.build({"y": x}))).boxes) == 102


def large(count: int, *, stages: int = 0) -> Graph:
    """``count`` layers in a row, in so many scopes, that do not repeat themselves for long."""
    builder = GraphBuilder("large")
    x = builder.input("x", TensorType((1, 1)))
    ops = [make("linear", out=out) for out in (1, 2, 3)]
    for number in range(count):
        scope = f"stage{number * stages // count}/" if stages else ""
        op = ops[number * number * (number // 7) % 3]
        (x,) = builder.add(op, [x], f"{scope}fc{number}")
    return builder.build({"y": x})


def test_a_huge_network_says_which_level_works() -> None:
    analysis = analyze(large(30_000, stages=10))
    with pytest.raises(DiagramError) as caught:
        diagram(analysis, level="layer")
    assert "boxes at level layer, and at most 2,500 can be laid out" in str(caught.value)
    assert "--level stage has 10" in str(caught.value)
    with pytest.raises(DiagramError, match="no other level has fewer"):
        diagram(analyze(large(6_000)))


def test_nothing_merged_is_a_box_for_each_layer_however_many() -> None:
    analysis = analyze(archcost.load("resnet50"))
    assert diagram(analysis, merge=False, unfold=True).level == "layer"
    assert len(diagram(analysis, merge=False, unfold=True).boxes) == len(analysis.layers) + 2


def test_a_network_too_large_for_a_fine_level_gets_a_coarser_one() -> None:
    assert len(diagram(analyze(large(6_000, stages=10))).boxes) == 12


# --- texts, colours ---


def test_labels() -> None:
    drawing = diagram(analyze(archcost.load("resnet50")), level="layer")
    conv1 = drawing.boxes[1]
    assert conv1.lines == (
        "conv1",
        "7x7 conv, 64, /2 + BN + ReLU",
        "64x112x112",
        "9.54 k params, 118.01 M MACs",
    )
    assert "params 9,536" in conv1.tooltip
    assert "MACs 118,013,952" in conv1.tooltip
    assert drawing.boxes[0].lines == ("input", "3x224x224")
    edge = drawing.edges[1]
    assert (edge.label, edge.nbytes) == ("64x112x112", 64 * 112 * 112 * 4)
    assert edge.width > drawing.edges[0].width
    assert "25.56 M params" in drawing.alt
    dense = diagram(analyze(archcost.load("densenet121")), level="layer")
    assert "BN + ReLU + 1x1 conv, 128" in next(
        box.lines for box in dense.boxes if box.lines[0] == "bottleneck"
    )


@pytest.mark.parametrize("color_by", COLORS[1:])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_heat(color_by: str, theme: str) -> None:
    analysis = analyze(archcost.load("vgg16"))
    drawing = diagram(analysis, level="layer", color_by=color_by, theme=theme)
    boxes = [box for box in drawing.boxes if box.layers]
    totals = {
        "macs": analysis.totals.macs,
        "params": analysis.totals.params,
        "activations": analysis.totals.activations,
        "memory": analysis.memory.activations,
    }
    add = max if color_by == "memory" else sum
    assert add(box.value or 0 for box in boxes) == totals[color_by]
    hottest = max(boxes, key=lambda box: box.value or 0)
    assert hottest.fill == on_scale(1, theme) == drawing.legend[-1].fill
    ranked = sorted(boxes, key=lambda box: box.value or 0)
    lights = [luminance(box.fill) for box in ranked]
    assert lights == sorted(lights, reverse=theme == "light")


def test_heat_of_times() -> None:
    analysis = analyze(archcost.load("resnet50"))
    times = {node: 1e-6 * place for place, node in enumerate(analysis.graph.nodes)}
    drawing = diagram(analysis, level="layer", color_by="time", times=times, where="somewhere")
    boxes = [box for box in drawing.boxes if box.layers]
    plain = diagram(analysis, level="layer", color_by="time", times=times, unfold=True)
    assert sum(box.value or 0 for box in plain.boxes) == pytest.approx(sum(times.values()))
    hottest = max(boxes, key=lambda box: box.value or 0)
    assert hottest.fill == on_scale(1, "light") == drawing.legend[-1].fill
    assert drawing.legend[-1].label == hottest.lines[-1]
    assert "ms somewhere" in drawing.subtitle
    with pytest.raises(DiagramError, match="times"):
        diagram(analysis, color_by="time")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme: str) -> None:
    fills = [on_scale(step / 20, theme) for step in range(21)]
    for color_by in ("op", "macs"):
        for name in ("googlenet", "mobilenet-v1"):
            drawing = diagram(analyze(archcost.load(name)), color_by=color_by, theme=theme)
            fills += [box.fill for box in drawing.boxes]
            assert all(box.ink == ink_on(box.fill) for box in drawing.boxes)
    assert min(contrast(fill, ink_on(fill)) for fill in fills) >= 4.5


def test_too_many_edges() -> None:
    """Each layer reads what all before it make: as many pairs as boxes allow."""
    builder = GraphBuilder("dense")
    x = builder.input("x", TensorType((1, 2, 4, 4)))
    for number in range(120):
        (y,) = builder.add(make("conv", out=1, kernel=1), [x], f"b{number}/conv")
        (x,) = builder.add(make("concat"), [x, y], f"b{number}/concat")
    analysis = analyze(builder.build({"x": x}))
    assert len(diagram(analysis, level="block").edges) < 1000
    with pytest.raises(DiagramError, match="dense has more than 5,000 edges.* without --dense"):
        diagram(analysis, level="block", dense=True)


def test_an_operator_that_is_not_known() -> None:
    builder = GraphBuilder("unknown")
    x = builder.input("x", TensorType((1, 4)))
    (y,) = builder.add(make("opaque", name="my::op", types=(((1, 4), "fp32"),)), [x], "it")
    drawing = diagram(analyze(builder.build({"y": y})), color_by="macs")
    box = drawing.boxes[1]
    assert box.value is None
    assert box.lines == ("it", "my::op", "4", "? MACs")
    assert drawing.legend[-1].label == "not known"


def test_a_box_that_is_known_in_part() -> None:
    builder = GraphBuilder("partly")
    x = builder.input("x", TensorType((1, 3, 8, 8)))
    (x,) = builder.add(make("conv", out=4, kernel=3), [x], "s/conv")
    for scope in ("s", "t"):
        odd = make("opaque", name="my::op", types=(((1, 4, 6, 6), "fp32"),))
        (x,) = builder.add(odd, [x], f"{scope}/odd")
    analysis = analyze(builder.build({"x": x}))
    assert analysis.totals.macs == 36 * 3 * 9 * 4
    for color_by, params in (("op", "112 params, "), ("macs", "")):
        drawing = diagram(analysis, level="stage", color_by=color_by)
        part, unknown = (box for box in drawing.boxes if box.layers)
        assert part.lines[-1] == f"{params}3.89 k + ? MACs"
        assert part.tooltip.endswith("MACs 3,888 + unknown")
        assert unknown.lines[-1] == "? MACs"
        assert drawing.subtitle.endswith("3.89 k + ? MACs")
        assert "?: not counted, as their work is not known: 2 x my::op" in drawing.notes


def test_same_network_same_diagram() -> None:
    one, two = (diagram(analyze(archcost.load("googlenet"))) for _ in range(2))
    assert one == two
    assert one != replace(two, title="other")


@pytest.mark.parametrize(
    "wrong",
    [{"level": "row"}, {"color_by": "taste"}, {"direction": "up"}, {"theme": "sepia"}],
    ids=str,
)
def test_wrong_arguments(wrong: dict[str, str]) -> None:
    (name,) = wrong
    with pytest.raises(DiagramError, match=f"{name} is one of"):
        diagram(analyze(archcost.load("lenet5")), **wrong)


def test_a_network_without_layers() -> None:
    builder = GraphBuilder("empty")
    x = builder.input("x", TensorType((1, 4)))
    with pytest.raises(DiagramError, match="no layers"):
        diagram(analyze(builder.build({"y": x})))
