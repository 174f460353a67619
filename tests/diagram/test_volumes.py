"""The plate picture: what becomes a box, how large it is, and that all of it can be read."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from itertools import combinations, pairwise
from math import sqrt
from xml.etree import ElementTree

import hostile
import pytest

import archcost
from archcost.analysis import Analysis, analyze
from archcost.diagram import volumes_drawing
from archcost.diagram.chain import chain
from archcost.diagram.model import COLORS, DiagramError
from archcost.diagram.volume_model import Volumes
from archcost.diagram.volumes import AIRY, MOST, volumes
from archcost.diagram.volumes_drawing import draw
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.report.format import decimal_bytes
from archcost.report.palette import THEMES
from archcost.sources import zoo

SVG = "{http://www.w3.org/2000/svg}"
NO_CHAINS = "enet"


def sample() -> list[str]:
    """The first and last network of each family, or all; without those that are no chain."""
    entries = [entry for entry in zoo.entries() if entry.stem != NO_CHAINS]
    if os.environ.get("ARCHCOST_ALL"):
        return [entry.name for entry in entries]
    families = {entry.stem: entry.name for entry in reversed(entries)}
    last = {entry.stem: entry.name for entry in entries}
    return list(dict.fromkeys([*families.values(), *last.values()]))


def of(name: str, **options: object) -> Volumes:
    return volumes(analyze(archcost.load(name)), **options)


def times(picture: Volumes) -> list[int]:
    """How often each box comes."""
    found = [1] * len(picture.volumes)
    for repeat in picture.repeats:
        for place in range(repeat.first, repeat.last + 1):
            found[place] = repeat.times
    return found


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


# -- what becomes a box ---------------------------------------------------------------------------


def test_alexnet_is_as_in_its_paper() -> None:
    boxes = of("alexnet").volumes
    assert [(box.channels, box.size) for box in boxes] == [
        ("3", "227x227"), ("96", "55x55"), ("96", "27x27"), ("256", "27x27"), ("256", "13x13"),
        ("384", "13x13"), ("384", "13x13"), ("256", "13x13"), ("256", "6x6"), ("4096", ""),
        ("4096", ""), ("1000", ""),
    ]  # fmt: skip
    assert [box.operation for box in boxes[:5]] == [
        "", "11x11 conv, /4", "3x3 max pool, /2", "5x5 conv, 2 groups", "3x3 max pool, /2",
    ]  # fmt: skip
    assert [box.name for box in boxes[-3:]] == ["fc6", "fc7", "fc8"]


def test_lenet_slides_its_windows() -> None:
    # C1's 5 x 5 window on 32 x 32, S2's 2 x 2 on 28 x 28, and C5's on all of 5 x 5.
    kernels = {box.name: box.kernel for box in of("lenet5").volumes}
    assert list(kernels) == ["input", "C1", "S2", "C3", "S4", "C5", "F6", "OUTPUT"]
    assert kernels["C1"] == (5 / 32, 5 / 32)
    assert kernels["C5"] == (1, 1)
    assert kernels["F6"] is None


def test_blocks_of_branches_are_boxes() -> None:
    boxes = {box.name: box for box in of("resnet18").volumes}
    block = boxes["conv3_x/block1"]
    assert (block.operation, block.size) == ("residual, 3x3-3x3, /2", "28x28")
    assert block.kind.label == "block of branches"
    assert {layer.split("/")[1] for layer in block.layers} == {"block1"}
    assert of("squeezenet").volumes[4].operation == "concat, 1x1 3x3"


def test_repeats_are_folded_where_there_are_many() -> None:
    assert of("vgg16").repeats == ()
    (repeat,) = of("mobilenet-v1").repeats
    members = of("mobilenet-v1").volumes[repeat.first : repeat.last + 1]
    assert repeat.times == 5
    assert [box.kind.label for box in members] == ["depthwise convolution", "convolution"]
    assert [repeat.times for repeat in of("resnet152").repeats] == [2, 7, 35, 2]
    assert [repeat.times for repeat in of("resnet1202").repeats] == [200, 199, 199]


def test_a_long_chain_of_what_differs_is_drawn_by_its_scopes() -> None:
    boxes = {box.name: box for box in of("densenet121").volumes}
    assert boxes["denseblock3"].operation == "24 x concat, 1x1 3x3"
    assert boxes["transition1"].operation == "1x1 conv + 2x2 avg pool, /2"
    assert boxes["transition1"].kind.label == "convolution"
    assert of("densenet121").repeats == ()


def test_too_many_that_differ_are_refused() -> None:
    builder = GraphBuilder("cone")
    x = builder.input("x", TensorType((1, 1, 4, 4)))
    for number in range(MOST + 10):
        (x,) = builder.add(make("conv", out=number + 1), [x], f"c{number}")
    with pytest.raises(DiagramError, match=f"cone has {MOST + 11} feature maps that differ"):
        volumes(analyze(builder.build({"x": x})))


def test_macs_of_unknown_operators_are_not_known() -> None:
    picture = volumes(analyze(hostile.network("net")), color_by="macs")
    assert picture.volumes[-1].macs is not None
    builder = GraphBuilder("unknown")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    types = (((1, 8, 4, 4), "fp32"),)
    (y,) = builder.add(make("opaque", name="nms", types=types), [x], "nms")
    picture = volumes(analyze(builder.build({"y": y})), color_by="macs")
    (box,) = picture.volumes[1:]
    assert (box.macs, box.cost) == (None, "?")
    assert picture.subtitle == "0 parameters, ? MACs"


@pytest.mark.parametrize("name", sample())
def test_nothing_is_lost_and_nothing_overlaps(name: str) -> None:
    analysis = analyze(archcost.load(name))
    picture = volumes(analysis)
    drawn = Counter(layer for box in picture.volumes for layer in box.layers)
    nodes = [node for step in chain(analysis.graph) for node in step.nodes]
    # What comes before the first box (a normalised input) has none.
    missing = {node.name for node in nodes} - set(drawn)
    assert drawn == Counter(node.name for node in nodes if node.name not in missing)
    rows = {row.name: row for row in analysis.layers}
    assert not any(rows[layer].macs for layer in missing)
    assert sum(
        (box.macs or 0) * count for box, count in zip(picture.volumes, times(picture), strict=True)
    ) == sum(rows[layer].macs for layer in drawn)
    for before, after in pairwise(picture.volumes):
        assert after.x >= before.x + before.thickness
        if picture.airy or after.flat:
            assert after.x >= before.right
    assert not overlaps(picture)


def overlaps(picture: Volumes) -> list[tuple[str, str]]:
    """Texts that cover one another, as matplotlib sets them."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(volumes_drawing._SETTINGS)
        figure = volumes_drawing._figure(picture, "light")
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [
            (text.get_text(), text.get_window_extent(renderer)) for text in figure.axes[0].texts
        ]
    for _, box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    return [
        (one, other)
        for (one, here), (other, there) in combinations(boxes, 2)
        if min(here.x1, there.x1) - max(here.x0, there.x0) > 0.5
        and min(here.y1, there.y1) - max(here.y0, there.y0) > 0.5
    ]


# -- how large it is ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vgg16", "zfnet", "nin-cifar10", "simplenet", "lenet5"])
def test_sides_grow_with_the_square_root(name: str) -> None:
    maps = [box for box in of(name).volumes if not box.flat and box.shape[2] > 3]
    ratios = [box.height / sqrt(box.shape[2]) for box in maps]
    assert max(ratios) == pytest.approx(min(ratios))
    assert all(box.height == pytest.approx(box.depth) for box in maps)
    thick = [box.thickness / sqrt(box.shape[1]) for box in maps if box.shape[1] > 3]
    assert max(thick) == pytest.approx(min(thick))


def test_sequences_and_volumes_have_boxes_too() -> None:
    for shape, size in (((1, 8, 100), "100"), ((1, 8, 4, 20, 30), "4x20x30")):
        builder = GraphBuilder("net")
        x = builder.input("x", TensorType(shape))
        (y,) = builder.add(make("conv", out=16, kernel=1), [x], "conv")
        picture = volumes(analyze(builder.build({"y": y})))
        assert [box.size for box in picture.volumes] == [size, size]
        assert draw(picture, "png").startswith(b"\x89PNG")


# -- the drawing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("color_by", COLORS)
def test_a_picture_in_every_colour(color_by: str, theme: str) -> None:
    picture = of("alexnet", color_by=color_by)
    svg = draw(picture, "svg", theme=theme)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "AlexNet"
    assert (root.findtext(f"{SVG}desc") or "").startswith("AlexNet as a row of feature maps: 3x227")
    shown = texts(svg)
    assert {"AlexNet", "227x227", "55x55", "96", "11x11 conv, /4", "conv1", "4096"} <= set(shown)
    analysis = analyze(archcost.load("alexnet"))
    most = {
        "op": "fully connected",
        "macs": "223.95 M MACs",  # conv2
        "params": "37.75 M parameters",  # fc6
        "activations": "871.20 k",  # conv1, 96 x 55 x 55, its ReLU and its normalisation
        "memory": f"{decimal_bytes(analysis.memory.activations)} alive",
    }
    assert any(most[color_by] in text for text in shown)
    assert re.findall(rb"https?://[^\"]*", svg) == [b"http://www.w3.org/2000/svg"]


def test_each_box_says_what_it_is_under_the_mouse() -> None:
    root = ElementTree.fromstring(draw(of("alexnet"), "svg"))
    (front,) = [element for element in root.iter() if element.get("id") == "box1-2"]
    tip = "conv1: 11x11 conv, /4; 96x55x55; 34.94 k parameters, 105.42 M MACs"
    assert front.findtext(f"{SVG}title") == tip
    tips = [element.findtext(f"{SVG}title") for element in root.iter(f"{SVG}g")]
    assert Counter(filter(None, tips))[tip] == 3


@pytest.mark.parametrize("format_", ["svg", "png", "pdf"])
def test_the_same_network_gives_the_same_bytes(format_: volumes_drawing.Format) -> None:
    assert draw(of("lenet5"), format_) == draw(of("lenet5"), format_)


def test_a_caller_keeps_its_settings() -> None:
    mpl = pytest.importorskip("matplotlib")
    with mpl.rc_context({"text.usetex": True, "font.size": 99, "svg.fonttype": "path"}):
        assert "conv1" in texts(draw(of("alexnet"), "svg"))
        assert mpl.rcParams["font.size"] == 99


@pytest.mark.parametrize("theme", THEMES)
def test_a_png_shows_the_picture(theme: str) -> None:
    image_of = pytest.importorskip("PIL.Image")
    image = image_of.open(io.BytesIO(draw(of("vgg16"), "png", theme=theme))).convert("RGB")
    colors = sorted(image.getcolors(1 << 24), reverse=True)
    background = colors[0][1]
    assert (sum(background) > 3 * 200) == (theme == "light")
    assert colors[0][0] < 0.9 * image.width * image.height


def test_repeats_have_a_bracket() -> None:
    shown = texts(draw(of("resnet152"), "svg"))
    assert [text for text in shown if text.startswith("x ")] == ["x 2", "x 7", "x 35", "x 2"]
    assert "the last step 35 times" in of("resnet152").alt


def test_airy_and_dense_pictures() -> None:
    assert of("alexnet").airy
    assert not of("vgg16").airy
    assert len(of("alexnet").volumes) <= AIRY


def test_without_matplotlib_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(volumes_drawing, "find_spec", lambda name: None)
    with pytest.raises(DiagramError, match=r"pip install 'archcost\[plot\]'"):
        draw(of("lenet5"), "svg")


# -- names that do harm ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.STRINGS.values(), ids=hostile.STRINGS)
def test_a_hostile_name_is_only_text(name: str) -> None:
    picture = volumes(named(name))
    svg = draw(picture, "svg")
    root = ElementTree.fromstring(svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {
        "svg",
        "title",
        "desc",
        "defs",
        "style",
        "g",
        "path",
        "text",
        "clipPath",
        "rect",
    }
    for element in root.iter():
        assert not any(attribute.startswith("on") for attribute in element.attrib)
        assert not any("href" in attribute for attribute in element.attrib)
    shown = texts(svg)
    assert picture.title in shown
    assert picture.volumes[1].name in shown
    assert all(len(text) <= 60 for text in shown)
    assert all(hostile.harmless(text) for text in shown)
    assert len(root.findtext(f"{SVG}desc") or "") < 2000


@pytest.mark.parametrize("name", ["script", "math", "LaTeX", "emoji", "surrogate", "long", "NUL"])
def test_a_hostile_name_in_pixels(name: str) -> None:
    image_of = pytest.importorskip("PIL.Image")
    picture = volumes(named(hostile.STRINGS[name]))
    image = image_of.open(io.BytesIO(draw(picture, "png")))
    assert image.width < 2000
    assert draw(picture, "pdf").startswith(b"%PDF-")


def named(name: str) -> Analysis:
    """A chain of three layers in which everything is called ``name``."""
    builder = GraphBuilder(name)
    x = builder.input(f"{name} in", TensorType((1, 4, 8, 8)))
    (y,) = builder.add(make("conv", out=8, kernel=3), [x], name)
    unknown = make("opaque", name=hostile.printable(name, 200), types=(((1, 8, 3, 3), "fp32"),))
    (y,) = builder.add(unknown, [y], f"{name} 2")
    return analyze(builder.build({name: y}, hostile.about(name)))
