"""The torch module of a graph: its outputs, its memory, its names."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch_execution import StorageTracker, outputs_of, small_graphs

import archcost
from archcost.analysis import forward_memory
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.targets import to_torch
from archcost.targets.torch import GraphModule

# A flatten of a slice is a copy in torch, a view to archcost: not both at once.
networks = small_graphs(
    (
        *("conv", "depthwise_conv", "batch_norm", "relu", "max_pool", "avg_pool", "concat", "sum"),
        *("product", "flatten", "linear", "pad", "dropout", "upsample", "global_avg_pool"),
    )
)


def timeline(graph: Graph, net: GraphModule) -> tuple[int, ...]:
    """Bytes of all tensors that are alive as each node ends."""
    tracker, alive = StorageTracker(), []

    def see(*outputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        tracker.see(*outputs)
        alive.append(tracker.alive())
        return outputs

    net.steps = tuple(step._replace(calls=(*step.calls, see)) for step in net.steps)
    inputs = [torch.rand(value.shape) for value in graph.inputs]
    tracker.see(*inputs)
    outputs_of(net, *inputs)
    return tuple(alive)


@settings(max_examples=40)
@given(networks)
def test_random_networks(graph: Graph) -> None:
    net = to_torch(graph)
    inputs = [torch.rand(value.shape) for value in graph.inputs]
    outputs = outputs_of(net, *inputs)
    assert [tuple(y.shape) for y in outputs] == [value.shape for value in graph.outputs]
    twin = outputs_of(copy.deepcopy(net), *inputs)
    torch.testing.assert_close(twin, outputs, equal_nan=True)
    # Each tensor lives until its last reader has run.
    assert timeline(graph, net) == forward_memory(graph).timeline


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", (1, 32, 32)),
        ("simplenet-310k", (3, 32, 32)),
        ("squeezenet", (3, 65, 65)),
        ("googlenet", (3, 64, 64)),
        ("mobilenet-v1-0.25", (3, 64, 64)),
        ("densenet-40-12", (3, 32, 32)),
        ("rcnn-96", (3, 32, 32)),
        ("enet", (3, 64, 64)),
        ("dasnet", (3, 32, 32)),
    ],
)
def test_torch_traces_the_network(name: str, size: tuple[int, ...]) -> None:
    graph = archcost.load(name, inputs=size)
    net = to_torch(graph).eval()
    x = torch.rand(1, *size)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # of torch's own functions
        traced = torch.jit.trace(net, (x,), check_trace=False)
        torch.testing.assert_close(traced(x), net(x))


def test_several_inputs_and_outputs_in_their_order() -> None:
    builder = GraphBuilder("two")
    a, b = (builder.input(name, TensorType((1, 2))) for name in "ab")
    (c,) = builder.add(make("rescale", scale=-1), [b], "c")
    net = to_torch(builder.build({"c": c, "a": a}))
    x, y = torch.rand(1, 2), torch.rand(1, 2)
    found = net(x, y)
    assert torch.equal(found[0], -y)
    assert found[1] is x
    with pytest.raises(TypeError, match="has 2 inputs, 1 were given"):
        net(x)


def test_names_become_nested_modules() -> None:
    builder = GraphBuilder("names")
    value = builder.input("x", TensorType((1, 2)))
    names = ["fire/conv", "fire/train", "fire", "a.b", "a_b", "steps", "fire/conv/deep", "3x3/1"]
    for name in names:
        (value,) = builder.add(make("linear", out=3), [value], name)
    net = to_torch(builder.build({"y": value}))
    assert list(net.paths) == names
    assert net.paths["fire/conv"] == "fire.conv"
    assert net.paths["3x3/1"] == "3x3.1"
    assert len(set(net.paths.values())) == len(names)
    for path in net.paths.values():
        assert type(net.get_submodule(path)) is nn.Linear
    assert net(torch.rand(1, 2)).shape == (1, 3)
    assert net.training is True


def test_shared_parameters_are_one() -> None:
    builder = GraphBuilder("tied")
    x = builder.input("x", TensorType((1, 3)))
    (y,) = builder.add(make("linear", out=3), [x], "a")
    weight = y.producer.parameters[0]
    (z,) = builder.add(make("linear", out=3), [y], "b", share={"weight": weight})
    net = to_torch(builder.build({"z": z}))
    assert net.a.weight is net.b.weight
    assert net.a.bias is not net.b.bias
    assert sum(p.numel() for p in net.parameters()) == 9 + 3 + 3


def test_the_networks_dtype_is_its_parameters() -> None:
    graph = archcost.load("simplenet-310k").with_dtype("bf16")
    with torch.device("meta"):
        net = to_torch(graph)
    assert {p.dtype for p in net.parameters()} == {torch.bfloat16}


def test_a_watched_pass_is_the_pass():
    graph = archcost.load("squeezenet")
    net = to_torch(graph).eval()
    x = torch.rand(graph.inputs[0].shape)
    seen = []
    with torch.no_grad():
        (y,) = net.watched(lambda step, made: seen.append((step, [m.shape for m in made])), x)
        assert torch.equal(y, net(x))
    assert [step.name for step, _ in seen] == [node.name for node in graph.nodes]
    assert [tuple(map(tuple, shapes)) for _, shapes in seen] == [
        tuple(value.shape for value in node.outputs) for node in graph.nodes
    ]
