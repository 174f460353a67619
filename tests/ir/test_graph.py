"""The graph and its builder: names, sharing, rebuilding on other inputs, export."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch_execution import small_graphs

import archcost
from archcost.analysis import analyze
from archcost.ir import (
    ArchcostError,
    Graph,
    GraphBuilder,
    GraphError,
    Parameter,
    ShapeError,
    TensorType,
    bytes_for,
)
from archcost.ir.ops import make

NETWORKS = ("lenet5", "resnet20", "googlenet-training", "mobilenet-v1-0.25")
KINDS = ("conv", "batch_norm", "relu", "max_pool", "concat", "sum", "split", "linear")


def tied() -> Graph:
    """A table of 50 words looked up at the front and multiplied with at the end."""
    builder = GraphBuilder("tied")
    tokens = builder.input("tokens", TensorType((2, 7), "int64"))
    (x,) = builder.add(make("embedding", count=50, width=8), [tokens], "embedding")
    assert x.producer is not None
    (table,) = x.producer.parameters
    (y,) = builder.add(make("linear", out=50), [x], "head", share={"weight": table})
    return builder.build({"logits": y}, {"about": "tied"})


def test_a_graph_tells_its_parts() -> None:
    graph = archcost.load("resnet20")
    assert len(graph) == len(graph.nodes) == len(list(graph))
    names = [node.name for node in graph]
    assert len(set(names)) == len(names)
    for node in graph:
        assert graph.node(node.name) is node
        assert node.scope == "/".join(node.name.split("/")[:-1])
        assert all(value.producer is node for value in node.outputs)
        assert all(node in value.consumers for value in node.inputs)
    assert next(graph.values()) is graph.inputs[0]
    assert graph.outputs == tuple(graph.named_outputs.values())
    assert repr(graph) == "<graph resnet20: 1x3x32x32, 76 nodes>"
    assert repr(graph.inputs[0]) == "<value input 1x3x32x32>"
    assert repr(graph.nodes[0]).startswith("<node conv1/conv Conv(")
    with pytest.raises(KeyError):
        graph.node("conv99")


@settings(max_examples=40)
@given(small_graphs(KINDS))
def test_nodes_are_in_topological_order(graph: Graph) -> None:
    known = set(graph.inputs)
    for node in graph:
        assert known.issuperset(node.inputs)
        known.update(node.outputs)
    assert known == set(graph.values())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_costs_are_linear_in_the_batch(name: str, batch: int) -> None:
    graph = archcost.load(name)
    rebuilt = graph.with_batch(batch)
    one, many = analyze(graph).totals, analyze(rebuilt).totals
    assert many.macs == batch * one.macs
    assert many.activations == batch * one.activations
    assert many.work == one.work.times(batch)
    assert (many.params, many.buffers, many.depth) == (one.params, one.buffers, one.depth)
    assert many.receptive_field == one.receptive_field
    assert [n.name for n in rebuilt] == [n.name for n in graph]
    assert [n.source for n in rebuilt] == [n.source for n in graph]
    assert list(rebuilt.named_outputs) == list(graph.named_outputs)
    assert rebuilt.metadata == graph.metadata
    assert graph.inputs[0].shape[0] == 1  # the graph itself stays


def test_the_dtype_is_what_it_computes_in() -> None:
    assert archcost.load("lenet5").dtype == "fp32"
    assert archcost.load("lenet5", dtype="bf16").dtype == "bf16"
    builder = GraphBuilder("words")
    words = builder.input("words", TensorType((1, 4), "int64"))
    (vectors,) = builder.add(make("embedding", count=8, width=2), [words], "vectors")
    assert builder.build({"vectors": vectors}).dtype == "fp32"


@settings(max_examples=40)
@given(small_graphs(KINDS), st.integers(1, 3))
def test_rebuilding_on_the_same_inputs_changes_nothing(graph: Graph, batch: int) -> None:
    # (2, 1) and (2, 1, 2, 2) go together by the accident of a batch of 2.
    assume(all(len({value.type.rank for value in node.inputs}) == 1 for node in graph))
    types = [value.type for value in graph.inputs]
    again = graph.with_batch(batch).with_inputs(types)
    assert [value.type for value in again.values()] == [value.type for value in graph.values()]
    assert [n.application for n in again] == [n.application for n in graph]
    assert [p.name for p in again.parameters] == [p.name for p in graph.parameters]
    assert not set(again.values()) & set(graph.values())


def test_half_precision_halves_the_bytes() -> None:
    graph = archcost.load("resnet20")
    full, half = analyze(graph), analyze(graph.with_dtype("fp16"))
    assert half.totals.params == full.totals.params
    assert half.totals.macs == full.totals.macs
    assert 2 * half.totals.traffic_bytes == full.totals.traffic_bytes
    assert 2 * half.totals.peak_memory_bytes == full.totals.peak_memory_bytes
    assert half.totals.storage_bytes == full.totals.storage_bytes


def test_dtype_reaches_what_integers_are_looked_up_in() -> None:
    graph = tied().with_dtype("bf16")
    assert graph.inputs[0].type.dtype == "int64"
    assert {p.dtype for p in graph.parameters} == {"bf16"}
    assert {value.type.dtype for value in graph.outputs} == {"bf16"}
    assert len(graph.parameters) == 2


@pytest.mark.parametrize("dtype", ["int8", "float32", ""])
def test_only_floating_point_dtypes_are_computed_in(dtype: str) -> None:
    with pytest.raises(GraphError, match="no floating-point dtype"):
        tied().with_dtype(dtype)


def test_shared_parameters_are_one_and_stay_one() -> None:
    for graph in (tied(), tied().with_batch(5), tied().with_dtype("fp64")):
        table, bias = graph.parameters
        assert graph.node("embedding").parameters == (table,)
        assert graph.node("head").parameters == (table, bias)
        assert (table.name, bias.name) == ("embedding.weight", "head.bias")


def test_a_shared_parameter_must_have_the_shape_that_is_needed() -> None:
    builder = GraphBuilder("shares")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    (norm,) = builder.add(make("batch_norm"), [x], "norm")
    assert norm.producer is not None
    weight, *_ = norm.producer.parameters
    builder.add(make("scale_shift", bias=False), [x], "scale", share={"weight": weight})
    with pytest.raises(ShapeError, match="node 'conv': shares <parameter norm.weight 4:fp32> but"):
        builder.add(make("conv", out=4), [x], "conv", share={"weight": weight}, source="net.yaml:3")


def stored(name: str, shape: tuple[int, ...], dtype: str, trainable: bool = True) -> Parameter:
    numel = prod(shape)
    return Parameter(name, shape, dtype, trainable, numel, bytes_for(numel, dtype))


def frozen() -> Graph:
    """A frozen half-precision layer, used twice, beside parameters that nobody reads."""
    builder = GraphBuilder("frozen")
    x = builder.input("x", TensorType((2, 8)))
    share = {"weight": stored("body.W", (8, 8), "fp16", False), "bias": stored("b", (8,), "int8")}
    (y,) = builder.add(make("linear", out=8), [x], "first", share=share)
    (y,) = builder.add(make("linear", out=8), [y], "second", share=share)
    (y,) = builder.add(make("relu"), [y], "relu", inplace=True)
    (y,) = builder.add(make("linear", out=3), [y], "third")
    unread = [stored("aux.weight", (5,), "fp32"), stored("steps", (), "int64", False)]
    return builder.build({"y": y}, unread=unread)


def described(graph: Graph) -> list[tuple[str, tuple[int, ...], str, bool]]:
    return [(p.name, p.shape, p.dtype, p.trainable) for p in graph.parameters]


def test_given_parameters_keep_what_their_source_says() -> None:
    graph = frozen()
    assert described(graph) == [
        ("body.W", (8, 8), "fp16", False),
        ("b", (8,), "int8", True),
        ("third.weight", (3, 8), "fp32", True),
        ("third.bias", (3,), "fp32", True),
        ("aux.weight", (5,), "fp32", True),
        ("steps", (), "int64", False),
    ]
    assert graph.node("first").parameters == graph.node("second").parameters
    for again in (graph.with_batch(7), graph.rewritten(lambda node: node.op)):
        assert described(again) == described(graph)
        assert again.node("first").parameters == again.node("second").parameters
        assert [p.name for p in again.unread] == ["aux.weight", "steps"]
        assert [node.name for node in again if node.inplace] == ["relu"]
    double = {"int8", "int64", "fp64"}
    converted = graph.with_dtype("fp64")
    assert {p.dtype for p in converted.parameters} == double
    assert [(n, s, t) for n, s, _, t in described(converted)] == [
        (n, s, t) for n, s, _, t in described(graph)
    ]


def test_given_parameters_follow_the_shapes() -> None:
    builder = GraphBuilder("wider")
    x = builder.input("x", TensorType((2, 8)))
    share = {"weight": stored("W", (8, 8), "fp16")}
    (y,) = builder.add(make("linear", out=8), [x], "first", share=share)
    wider = builder.build({"y": y}).with_inputs([TensorType((2, 20))])
    assert described(wider) == [("W", (8, 20), "fp16", True), ("first.bias", (8,), "fp32", True)]
    assert wider.parameters[0].nbytes == 2 * 8 * 20


def test_a_parameter_outlives_the_node_that_it_is_named_after() -> None:
    builder = GraphBuilder("tied")
    x = builder.input("x", TensorType((2, 8)))
    (y,) = builder.add(make("linear", out=8), [x], "first")
    assert y.producer is not None
    share = dict(zip(("weight", "bias"), y.producer.parameters, strict=True))
    (y,) = builder.add(make("linear", out=8), [y], "second", share=share)
    graph = builder.build({"y": y})
    alone = graph.rewritten(lambda node: node.op if node.name == "second" else None)
    assert described(alone) == described(graph)


def test_what_is_read_is_not_unread() -> None:
    builder = GraphBuilder("read")
    x = builder.input("x", TensorType((2, 8)))
    weight = stored("W", (8, 8), "fp32")
    (y,) = builder.add(make("linear", out=8), [x], "first", share={"weight": weight})
    with pytest.raises(GraphError, match="W is used by a node"):
        builder.build({"y": y}, unread=[weight])
    assert builder.build({"y": y}).unread == ()


def test_nodes_that_read_nothing() -> None:
    builder = GraphBuilder("positions")
    x = builder.input("x", TensorType((2, 5, 8)))
    (table,) = builder.add(make("weight", shape=(1, 5, 8)), [], "table")
    (noise,) = builder.add(make("constant", shape=(2, 5, 8)), [], "noise")
    (y,) = builder.add(make("sum"), [x, table, noise], "sum")
    with pytest.raises(GraphError, match="node 'zeros' has no input to write over"):
        builder.add(make("constant", shape=()), [], "zeros", inplace=True)
    graph = builder.build({"y": y})
    for again in (graph, graph.with_batch(2), graph.with_dtype("bf16")):
        exported = again.to_networkx()
        assert set(exported) == {"x", "table", "noise", "sum"}
        assert sorted(exported.predecessors("sum")) == ["noise", "table", "x"]
        assert [p.name for p in again.parameters] == ["table.value"]
    assert {value.type.dtype for value in graph.with_dtype("bf16").values()} == {"bf16"}


def test_a_shared_parameter_that_no_longer_fits_is_told_when_rebuilding() -> None:
    builder = GraphBuilder("per position")
    x = builder.input("x", TensorType((1, 16)))
    other = builder.input("other", TensorType((1, 16)))
    (a,) = builder.add(make("linear", out=16), [x], "a")
    assert a.producer is not None
    share = {"weight": a.producer.parameters[0]}
    (b,) = builder.add(make("linear", out=16), [other], "b", share=share)
    graph = builder.build({"a": a, "b": b})
    assert len(graph.with_inputs([TensorType((3, 16))] * 2).parameters) == 3
    with pytest.raises(ShapeError, match="node 'b': shares"):
        graph.with_inputs([TensorType((1, 16)), TensorType((1, 8))])


def test_wrong_inputs_for_a_rebuilt_graph() -> None:
    graph = archcost.load("resnet20")
    with pytest.raises(GraphError, match="resnet20 has 1 inputs, not 2"):
        graph.with_inputs([TensorType((1, 3, 32, 32))] * 2)
    with pytest.raises(ShapeError, match="node 'conv1/conv'"):
        graph.with_inputs([TensorType((3, 32))])
    with pytest.raises(GraphError, match="every size must be >= 1"):
        graph.with_batch(0)


def test_what_a_builder_refuses() -> None:
    builder = GraphBuilder("wrong")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    with pytest.raises(GraphError, match="two nodes are named 'x'"):
        builder.input("x", TensorType((1, 4)))
    with pytest.raises(GraphError, match="every size must be >= 1"):
        builder.input("zero", TensorType((1, 0)))
    with pytest.raises(GraphError, match="wrong has no output"):
        builder.build({})
    builder.add(make("relu"), [x], "relu")
    with pytest.raises(GraphError, match="two nodes are named 'relu'"):
        builder.add(make("relu"), [x], "relu")
    with pytest.raises(ShapeError) as caught:
        builder.add(make("conv", out=1, kernel=9), [x], "conv", source="net.yaml:3:5")
    assert isinstance(caught.value, ArchcostError)
    assert caught.value.node == "conv"
    assert str(caught.value) == (
        "net.yaml:3:5: node 'conv': conv has a window of 9, larger than the padded input of 8 "
        "(inputs: 1x4x8x8)"
    )
    # What was refused has left nothing behind.
    assert len(builder) == 1
    assert [node.name for node in x.consumers] == ["relu"]
    builder.add(make("conv", out=1), [x], "conv")


def test_values_of_another_graph_are_refused() -> None:
    stranger = archcost.load("lenet5")
    builder = GraphBuilder("mine")
    x = builder.input("x", TensorType((1, 10)))
    readers = list(stranger.outputs[0].consumers)
    with pytest.raises(GraphError, match="node 'sum' reads a value of another graph"):
        builder.add(make("sum"), [x, stranger.outputs[0]], "sum")
    with pytest.raises(GraphError, match="output 'y' is a value of another graph"):
        builder.build({"y": stranger.outputs[0]})
    assert stranger.outputs[0].consumers == readers


def test_networkx_has_a_node_a_node_and_an_edge_a_reading() -> None:
    graph = archcost.load("resnet20")
    exported = graph.to_networkx()
    assert exported.name == "resnet20"
    assert set(exported) == {"input", *(node.name for node in graph)}
    for node in graph:
        assert exported.nodes[node.name]["node"] is node
        edges = exported.in_edges(node.name, data="shape")
        origins = [v.producer.name if v.producer else v.name for v in node.inputs]
        assert sorted(tail for tail, _, _ in edges) == sorted(origins)
        assert sorted(shape for *_, shape in edges) == sorted(v.shape for v in node.inputs)


def test_networkx_keeps_parallel_edges_and_several_outputs() -> None:
    builder = GraphBuilder("parallel")
    x = builder.input("x", TensorType((1, 4)))
    a, b = builder.add(make("split", sizes=[1, 3]), [x], "split")
    assert (a.name, b.name) == ("split:0", "split:1")
    builder.add(make("sum"), [a, b], "sum")
    (twice,) = builder.add(make("product"), [x, x], "square")
    exported = builder.build({"twice": twice}).to_networkx()
    assert [data["shape"] for data in exported["split"]["sum"].values()] == [(1, 1), (1, 3)]
    assert exported.number_of_edges("x", "square") == 2


def test_a_built_graph_does_not_change() -> None:
    builder = GraphBuilder("done")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    (y,) = builder.add(make("relu"), [x], "y")
    graph = builder.build({"y": y})
    for action in (
        lambda: builder.add(make("relu"), [y], "z"),
        lambda: builder.input("other", TensorType((1, 4))),
        lambda: builder.build({"y": y}),
    ):
        with pytest.raises(GraphError, match="done is built"):
            action()
    assert y.consumers == []
    assert len(graph) == 1


def test_what_computes_needs_floating_point_numbers() -> None:
    """A spec that forgets its embedding must not get a plausible cost."""
    for name, arguments in (("linear", {"out": 4}), ("softmax", {}), ("layer_norm", {})):
        builder = GraphBuilder("tokens")
        x = builder.input("x", TensorType((1, 8), "int64"))
        with pytest.raises(ShapeError, match=f"{name} needs an input of floating-point numbers"):
            builder.add(make(name, **arguments), [x], "first")
        builder.add(make("flatten"), [x], "moved")


def test_rewritten_puts_other_operators_in_their_places() -> None:
    graph = archcost.load("resnet20")
    bare = graph.rewritten(lambda node: None if node.op.kind == "batch_norm" else node.op)
    assert {node.op.kind for node in graph} - {node.op.kind for node in bare} == {"batch_norm"}
    assert [node.name for node in bare] == [n.name for n in graph if n.op.kind != "batch_norm"]
    # What read a normalisation reads the convolution before it.
    (relu,) = (node for node in bare if node.name == "conv1/relu")
    assert relu.inputs[0].producer is bare.node("conv1/conv")
    assert analyze(bare).totals.macs == analyze(graph).totals.macs
    same = graph.rewritten(lambda node: node.op)
    assert analyze(same).totals == analyze(graph).totals
    assert tied().rewritten(lambda node: node.op).shares


def test_rewritten_tells_what_does_not_fit() -> None:
    graph = archcost.load("resnet20")
    wide = make("conv", out=3)
    with pytest.raises(ShapeError, match="conv2_x"):  # 3 channels and 16 do not add up
        graph.rewritten(lambda node: wide if node.name == "conv1/conv" else node.op)
