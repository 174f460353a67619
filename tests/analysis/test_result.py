"""The rows and the totals: that they add up, and what shared weights and views do to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from torch_execution import small_graphs

import archcost
from archcost.analysis import Analysis, analyze, forward_memory, receptive_fields, storage_bytes
from archcost.ir import Graph, GraphBuilder, Parameter, TensorType, Work
from archcost.ir.ops import make

LAYERS = ("conv", "batch_norm", "relu", "max_pool", "concat", "sum", "split", "flatten", "linear")


def check_sums(analysis: Analysis) -> None:
    totals, rows = analysis.totals, analysis.layers
    assert [row.node for row in rows] == list(analysis.graph)
    for quantity in ("params", "buffers", "macs", "flops", "activations", "traffic_bytes"):
        assert getattr(totals, quantity) == sum(getattr(row, quantity) for row in rows)
    assert totals.work == sum((row.work for row in rows), Work())
    assert (totals.macs, totals.flops) == (totals.work.mac, totals.work.flops)
    parameters = analysis.graph.parameters
    assert totals.params == sum(p.numel for p in parameters if p.trainable)
    assert totals.buffers == sum(p.numel for p in parameters if not p.trainable)
    assert totals.largest_activation == max(
        (v.type.numel for n in analysis.graph if not n.op.view for v in n.outputs), default=0
    )
    for row in rows:
        assert row.arithmetic_intensity == (
            row.flops / row.traffic_bytes if row.traffic_bytes else 0
        )
        if row.node.op.view:
            assert (row.activations, row.traffic_bytes, row.flops, row.params) == (0, 0, 0, 0)
        else:
            assert row.traffic_bytes >= sum(v.type.nbytes for v in row.node.outputs) > 0


@pytest.mark.parametrize("name", archcost.zoo_names())
def test_layers_add_up_to_the_totals(name: str) -> None:
    graph = archcost.load(name)
    analysis = analyze(graph)
    check_sums(analysis)
    totals = analysis.totals
    assert totals.peak_memory_bytes == forward_memory(graph).peak == analysis.memory.peak
    assert totals.storage_bytes["fp32"] == storage_bytes(graph, 32)
    assert totals.receptive_field == receptive_fields(graph)[graph.outputs[0]].size
    assert totals.arithmetic_intensity == totals.flops / totals.traffic_bytes


@settings(max_examples=60)
@given(small_graphs(LAYERS))
def test_layers_of_random_networks_add_up(graph: Graph) -> None:
    check_sums(analyze(graph))


def siamese() -> Graph:
    """Two towers of one convolution and normalisation, the second one with a bias of its own."""
    builder = GraphBuilder("siamese")
    ends = []
    share: dict[str, dict[str, object]] = {"conv": {}, "bn": {}}
    for side in ("left", "right"):
        value = builder.input(side, TensorType((1, 3, 8, 8)))
        for name, op in (("conv", make("conv", out=4)), ("bn", make("batch_norm"))):
            (value,) = builder.add(op, [value], f"{side}/{name}", share=share[name])
            node = value.producer
            own = zip(node.application.parameters, node.parameters, strict=True)
            share[name] = {spec.name: parameter for spec, parameter in own}
        share["conv"].pop("bias")
        ends.append(value)
    (y,) = builder.add(make("concat"), ends, "concat")
    return builder.build({"y": y})


def test_shared_parameters_count_once_in_the_layer_that_comes_first() -> None:
    analysis = analyze(siamese())
    check_sums(analysis)
    rows = {row.name: row for row in analysis.layers}
    weight = 3 * 4
    assert rows["left/conv"].params == weight + 4
    assert rows["right/conv"].params == 4
    assert (rows["left/bn"].params, rows["left/bn"].buffers) == (8, 8)
    assert (rows["right/bn"].params, rows["right/bn"].buffers) == (0, 0)
    assert analysis.totals.params == weight + 8 + 8
    # The work and the traffic are done twice all the same.
    assert rows["left/conv"].macs == rows["right/conv"].macs > 0
    assert rows["left/conv"].traffic_bytes == rows["right/conv"].traffic_bytes
    # Nothing on the right depends on the first input.
    assert rows["right/bn"].receptive_field is None
    assert rows["left/bn"].receptive_field is not None


def test_a_row_tells_what_its_node_is() -> None:
    analysis = analyze(archcost.load("resnet20"))
    row = analysis.layers[0]
    assert (row.name, row.op, row.scope) == ("conv1/conv", "conv", "conv1")
    assert (row.inputs, row.outputs) == (((1, 3, 32, 32),), ((1, 16, 32, 32),))
    assert row.receptive_field is not None
    assert row.receptive_field.size == (3, 3)
    assert repr(row) == "<conv conv1/conv: 432 params, 442368 macs>"
    assert repr(analysis).startswith("<analysis of resnet20: ")


def test_everything_is_worked_out_once() -> None:
    analysis = analyze(archcost.load("lenet5"))
    for name in ("layers", "totals", "receptive_fields", "memory"):
        assert getattr(analysis, name) is getattr(analysis, name)


def test_options_are_handed_on() -> None:
    analysis = analyze(archcost.load("resnet20"))
    plain, small = analysis.memory, analysis.forward_memory(inplace=True, fold_norm=True)
    assert analysis.forward_memory() == plain
    assert sum(small.timeline) < sum(plain.timeline)
    assert small.weights < plain.weights
    assert analysis.training_memory("adam").optimizer == 2 * analysis.training_memory().gradients
    assert analysis.storage_bytes(4, sparsity=0.5) < analysis.storage_bytes(4)


def test_a_graph_without_nodes_costs_nothing() -> None:
    builder = GraphBuilder("nothing")
    x = builder.input("x", TensorType((1, 4)))
    totals = analyze(builder.build({"x": x})).totals
    assert (totals.params, totals.flops, totals.activations, totals.largest_activation) == (0,) * 4
    assert totals.arithmetic_intensity == 0
    assert totals.peak_memory_bytes == 16


def test_what_is_unknown_is_named_and_not_counted() -> None:
    builder = GraphBuilder("detector")
    x = builder.input("x", TensorType((1, 4)))
    types = (TensorType((1, 4)), TensorType((3,), "int64"))
    nms, other = (make("opaque", name=name, types=types) for name in ("a::nms", "a::other"))
    for number, op in enumerate((nms, other, nms)):
        x, kept = builder.add(op, [x], f"n{number}")
    totals = analyze(builder.build({"y": x, "kept": kept})).totals
    assert totals.unknown == {"a::nms": 2, "a::other": 1}
    assert (totals.macs, totals.flops, totals.activations) == (0, 0, 3 * 7)
    assert totals.traffic_bytes == 3 * (16 + 16 + 24)
    assert totals.receptive_field == ()
    assert analyze(archcost.load("lenet5")).totals.unknown == {}


def test_what_nobody_reads_is_in_the_totals_and_in_no_row() -> None:
    builder = GraphBuilder("auxiliary")
    x = builder.input("x", TensorType((1, 4)))
    (y,) = builder.add(make("linear", out=2), [x], "a")
    unread = [
        Parameter("aux.weight", (5, 2), "fp32", True, 10, 40),
        Parameter("aux.steps", (), "int64", False, 1, 8),
    ]
    graph = builder.build({"y": y}, unread=unread)
    analysis = analyze(graph)
    assert (analysis.totals.params, analysis.totals.buffers) == (10 + 10, 1)
    assert [(row.params, row.buffers) for row in analysis.layers] == [(10, 0)]
    assert analysis.totals.unread == (10, 1, ("aux.weight", "aux.steps"))
    assert analysis.totals.storage_bytes["fp32"] == storage_bytes(graph, 32) == 4 * 21
    assert analysis.totals.traffic_bytes == 4 * (4 + 10 + 2)
    assert analysis.totals.peak_memory_bytes == 40 + 48 + 16 + 8


def test_given_parameters_are_read_as_they_are_stored() -> None:
    builder = GraphBuilder("quantised")
    x = builder.input("x", TensorType((3, 8)))
    weight = Parameter("w", (2, 8), "int8", False, 16, 16)
    (y,) = builder.add(make("linear", out=2), [x], "a", share={"weight": weight})
    analysis = analyze(builder.build({"y": y}))
    check_sums(analysis)
    (row,) = analysis.layers
    assert (row.params, row.buffers) == (2, 16)
    assert row.traffic_bytes == 3 * 8 * 4 + 16 + 2 * 4 + 3 * 2 * 4
    assert analysis.totals.peak_memory_bytes == 16 + 2 * 4 + 3 * 8 * 4 + 3 * 2 * 4
