"""A network of the zoo, written and read again, is the same network.

Up to names: ``normal_form.py`` tells what that means. Here is the smallest network of each family,
and with ARCHCOST_ALL=1 every one; JSON, which keeps names too, has tests of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from normal_form import difference_up_to_names

import archcost
from archcost.analysis import analyze
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.sources import zoo

ENTRIES = list(zoo.entries())


def sample() -> list[str]:
    """The network of fewest operators in each family, or all."""
    if os.environ.get("ARCHCOST_ALL"):
        return [entry.name for entry in ENTRIES]
    smallest: dict[str, tuple[int, str]] = {}
    for entry in ENTRIES:
        found = (len(entry.graph()), entry.name)
        smallest[entry.stem] = min(found, smallest.get(entry.stem, found))
    return [name for _, name in smallest.values()]


def through_torch(graph: Graph, _folder: Path) -> Graph:
    """Built as a module, and traced."""
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        module = archcost.to_torch(graph).eval()
    return archcost.load(module, inputs=[value.shape[1:] for value in graph.inputs])


def through_onnx(graph: Graph, folder: Path) -> Graph:
    onnx = pytest.importorskip("onnx")
    path = folder / "net.onnx"
    onnx.save(archcost.to_onnx(graph, weights="none"), path)
    return archcost.load(path)


def through_json(graph: Graph, folder: Path) -> Graph:
    path = folder / "net.json"
    path.write_text(archcost.to_json(graph), encoding="utf-8")
    return archcost.load(path)


WAYS: dict[str, Callable[[Graph, Path], Graph]] = {
    "torch": through_torch,
    "onnx": through_onnx,
    "json": through_json,
}


def kinds(graph: Graph) -> list[str]:
    """The operators that make a tensor, in order."""
    return [node.op.kind for node in graph if not node.op.view]


def buffers(graph: Graph) -> int:
    """Elements of the buffers; torch's normalisations also hold how many batches they have seen."""
    return sum(
        parameter.numel
        for parameter in graph.parameters
        if not parameter.trainable and not parameter.name.endswith("num_batches_tracked")
    )


OTHERWISE: dict[str, dict[str, str]] = {
    "torch": {},
    "onnx": {
        "local_conv": "a product of matrices for each place",
        "sum_pool": "sums over a dimension, or means and a factor",
    },
    "json": {},
}
"""Way -> operators that are several others on it, and what they are."""


@pytest.mark.parametrize("name", sample())
@pytest.mark.parametrize("way", WAYS)
def test_the_zoo(way: str, name: str, tmp_path: Path) -> None:
    graph = archcost.load(name)
    if way == "onnx" and "fractional_max_pool" in kinds(graph):
        with pytest.raises(archcost.TargetError, match="ONNX has no pools whose windows are drawn"):
            WAYS[way](graph, tmp_path)
        return
    again = WAYS[way](graph, tmp_path)
    before, after = analyze(graph).totals, analyze(again).totals
    assert after.macs == before.macs
    assert after.params == before.params
    if OTHERWISE[way].keys() & kinds(graph):
        assert difference_up_to_names(graph, again) is not None
        return
    assert difference_up_to_names(graph, again) is None
    assert buffers(again) == buffers(graph)
    if kinds(graph) == kinds(again):  # and no operator is several there
        assert (after.flops, after.activations) == (before.flops, before.activations)


@pytest.mark.parametrize(
    ("kind", "arguments", "shape"),
    [
        ("slice", {"dim": 1, "start": 2, "step": 2}, (1, 4)),  # one position, in a step of two
        ("slice", {"dim": -2, "start": 1, "stop": 6, "step": 3}, (1, 7, 2)),
        ("max_pool", {"kernel": 3, "stride": 2, "padding": "same"}, (1, 2, 8, 8)),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_an_operator(
    way: str, kind: str, arguments: dict[str, object], shape: tuple[int, ...], tmp_path: Path
) -> None:
    """What random specs, and networks that differed, have taught."""
    builder = GraphBuilder("one")
    (y,) = builder.add(make(kind, **arguments), [builder.input("x", TensorType(shape))], kind)
    graph = builder.build({"y": y})
    assert difference_up_to_names(graph, WAYS[way](graph, tmp_path)) is None
