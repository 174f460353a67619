"""What the conventions believe of the modules of ``to_torch``, against those modules."""

from __future__ import annotations

import pytest
from torch_counters import OPERATORS, alone

from archcost.conventions.torch_modules import (
    dense_macs,
    of_torch,
    pooled_input,
    transposed_output,
    unread,
)
from archcost.ir import Graph, GraphBuilder, Node, TensorType
from archcost.ir.ops import make

torch = pytest.importorskip("torch")

POOLS = ("max_pool", "avg_pool", "sum_pool", "lp_pool")


def run(graph: Graph) -> dict[Node, tuple[object, torch.Size, torch.Size]]:
    """node -> its module, and the shapes that this is given and gives."""
    from archcost.targets import to_torch

    seen = {}
    with torch.device("meta"):
        net = to_torch(graph)
        for node in graph:
            if node.name in net.paths:
                net.get_submodule(net.paths[node.name]).register_forward_hook(
                    lambda module, inputs, output, node=node: seen.update(
                        {node: (module, inputs[0].shape, getattr(output, "shape", None))}
                    )
                )
        with torch.no_grad():
            net.eval()(*(torch.zeros(value.shape) for value in graph.inputs))
    return seen


@pytest.mark.parametrize("kernel", [2, 3, (3, 2)])
@pytest.mark.parametrize("padding", [0, 1, "same", ((0, 1), (1, 0)), ((2, 2), (0, 0))])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("kind", POOLS)
def test_what_pools_are_given(kind: str, rounding: str, padding, kernel) -> None:
    arguments = {"norm": 2} if kind == "lp_pool" else {"padding": padding}
    graph = alone(make(kind, kernel=kernel, stride=2, rounding=rounding, **arguments), (2, 3, 9, 8))
    _, given, _ = run(graph)[graph.nodes[0]]
    assert given == pooled_input(graph.nodes[0]).shape


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, "same", ((0, 1), (1, 0)), ((2, 0), (0, 2))])
def test_what_transposed_convolutions_give(padding, dilation: int, stride: int) -> None:
    op = make("conv_transpose", out=2, kernel=4, padding=padding, dilation=dilation, stride=stride)
    graph = alone(op, (2, 3, 5, 4))
    _, _, given = run(graph)[graph.nodes[0]]
    assert given == transposed_output(graph.nodes[0]).shape


@pytest.mark.parametrize(
    ("op", "shape"), [(op, shape) for op, shape in OPERATORS if op.weighted and op.kind != "rbf"]
)
def test_whose_class_it_is(op, shape) -> None:
    graph = alone(op, shape)
    module, _, _ = run(graph)[graph.nodes[0]]
    ours = type(module).__module__.startswith("archcost.")
    assert of_torch(graph.nodes[0]) is not (ours and op.kind != "local_conv")


@pytest.mark.parametrize(("op", "shape"), [(op, x) for op, x in OPERATORS if op.kind == "conv"])
def test_a_convolution_runs_with_all_channels(op, shape) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    graph = alone(op, shape)
    with FlopCounterMode(display=False) as counter:
        run(graph)
    assert counter.get_total_flops() == 2 * dense_macs(graph.nodes[0])


def test_what_leads_to_no_output() -> None:
    builder = GraphBuilder("branches")
    x = builder.input("x", TensorType((1, 4, 6, 6)))
    (y,) = builder.add(make("conv", out=3), [x], "used")
    first, second = builder.add(make("split", sizes=(1, 2)), [y], "half_used")
    (idle,) = builder.add(make("relu"), [first], "idle")
    builder.add(make("conv", out=2), [idle], "idle_end")
    (z,) = builder.add(make("relu"), [second], "end")
    graph = builder.build({"z": z})
    assert [node.name for node in unread(graph)] == ["idle", "idle_end"]
    assert not unread(alone(make("relu"), (1, 2)))
