"""PyTorch source: that it does what `to_torch` does, that it repeats nothing, that it is safe."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_torch_operators import CASES, graph_of
from test_torch_tensors import CASES as TENSOR_CASES
from test_torch_tensors import graph_of as graph_on
from test_torch_tensors import type_of
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch_execution import small_graphs

import archcost
from archcost.ir import Graph, GraphBuilder, Parameter, TensorType, Value
from archcost.ir.ops import make
from archcost.targets import TargetError, to_torch, torch_source
from archcost.targets.torch import GraphModule


def network(text: str) -> nn.Module:
    """The network of a generated file, made where the default device says."""
    space: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "generated.py", "exec"), space)
    *_, cls = [v for v in space.values() if getattr(v, "__module__", "") == "generated"]
    return cls().eval()


class Recorder(TorchDispatchMode):
    """Counts what is executed: torch's operators with the shapes of their outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, tuple[torch.Size, ...]]] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shapes = tuple(x.shape for x in tree_leaves(result) if isinstance(x, Tensor))
        self.seen[str(func), shapes] += 1
        return result


def run(net: nn.Module, inputs: list[Tensor]) -> tuple[tuple[Tensor, ...], Counter]:
    with torch.no_grad(), Recorder() as recorder:
        result = net(*inputs)
    return result if isinstance(result, tuple) else (result,), recorder.seen


def tensors_of(graph: Graph) -> list[Tensor]:
    return [
        torch.rand(value.shape) if value.type.dtype == "fp32" else torch.ones(value.shape).long()
        for value in graph.inputs
    ]


def shapes(tensors: Iterator[Tensor]) -> list[tuple[int, ...]]:
    return sorted(tuple(tensor.shape) for tensor in tensors)


def assert_equal(graph: Graph, text: str | None = None) -> nn.Module:
    """The source's network has the graph's parameters, buffers and shapes and executes the same
    operators as `to_torch`'s, on meta tensors."""
    with torch.device("meta"):
        net, other = network(text or torch_source(graph)), to_torch(graph).eval()
        inputs = tensors_of(graph)
        outputs, seen = run(net, inputs)
        expected, other_seen = run(other, inputs)
    assert shapes(net.parameters()) == shapes(other.parameters())
    assert shapes(net.buffers()) == shapes(other.buffers())
    trainable = sum(p.numel for p in graph.parameters if p.trainable)
    assert sum(p.numel() for p in net.parameters()) == trainable
    assert [tuple(y.shape) for y in outputs] == [value.shape for value in graph.outputs]
    assert [y.dtype for y in outputs] == [y.dtype for y in expected]
    assert seen == other_seen
    return net


def weights_of(graph: Graph, net: GraphModule) -> list[list[Tensor]]:
    """Its parameters and its buffers, in the graph's order."""
    found: dict[Parameter, Tensor] = {}
    for node, step in zip(graph, net.steps, strict=True):
        for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
            found.setdefault(parameter, getattr(step.module, spec.name))
    return [[t for p, t in found.items() if p.trainable == wanted] for wanted in (True, False)]


def assert_same_numbers(graph: Graph, *given: Tensor) -> None:
    """Both networks hold the same weights in the same order, with which they give the same numbers,
    bit for bit, of the ``given`` or of random inputs."""
    torch.manual_seed(0)
    inputs = list(given) or tensors_of(graph)
    net, other = network(torch_source(graph)), to_torch(graph).eval()
    buffers = [buffer for name, buffer in net.named_buffers() if "num_batches" not in name]
    for mine, its in zip(([*net.parameters()], buffers), weights_of(graph, other), strict=True):
        for tensor, wanted in zip(mine, its, strict=True):
            assert tensor.shape == wanted.shape
            assert tensor.dtype == wanted.dtype
            tensor.data.copy_(wanted.data)
    results = []
    for module in (net, other):
        torch.manual_seed(1)  # for pools that are random
        results.append(run(module, inputs)[0])
    for y, wanted in zip(*results, strict=True):
        torch.testing.assert_close(y, wanted, rtol=0, atol=0, equal_nan=True)


# --- the zoo -----------------------------------------------------------------------------------

SMALLEST: dict[str, str] = {}
for name in archcost.zoo_names():
    family = re.split(r"[-0-9]", name)[0]
    SMALLEST.setdefault(family, name)
OTHERS = ("resnet50", "preresnet50", "inception-v3-training", "sharesnet-40-4", "enet-encoder")


@pytest.mark.parametrize("name", [*SMALLEST.values(), *OTHERS])
def test_a_network_of_each_family(name: str) -> None:
    graph = archcost.load(name)
    text = torch_source(graph)
    assert_equal(graph, text)
    assert "archcost" not in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", (1, 32, 32)),
        ("simplenet-310k", (3, 32, 32)),
        ("squeezenet", (3, 65, 65)),
        ("googlenet", (3, 64, 64)),
        ("mobilenet-v1-0.25", (3, 32, 32)),
        ("densenet-40-12", (3, 16, 16)),
        ("rcnn-96", (3, 32, 32)),
        ("enet", (3, 64, 64)),
        ("resnet20", (3, 32, 32)),
        ("sharesnet-40-4", (3, 16, 16)),
        ("wrn-16-4-dropout", (3, 16, 16)),
        ("highway-fc-10", None),
        ("genpool-tree", None),
        ("maxout-mnist-pi", None),
        ("fractalnet-thin-20", None),
        ("dsn-mnist-training", None),
    ],
)
def test_the_same_numbers(name: str, size: tuple[int, ...] | None) -> None:
    assert_same_numbers(archcost.load(name, inputs=size))


@pytest.mark.parametrize(
    ("name", "most"),
    [("densenet201", 80), ("resnet1202", 100), ("resnet152", 110), ("simplenet", 90)],
)
def test_what_repeats_is_written_once(name: str, most: int) -> None:
    text = torch_source(archcost.load(name))
    assert len(text.splitlines()) <= most
    assert (" for _ in range(" in text or " for i in range(" in text) == (name != "simplenet")


def test_a_bottleneck_is_what_a_person_writes() -> None:
    text = torch_source(archcost.load("resnet50"))
    assert (
        """
class ResidualBlock(nn.Module):
    def __init__(
        self, in_channels: int, width: int, stride: int = 1, projection: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_channels, width, 1, stride=stride)
        self.conv2 = ConvBNReLU(width, width, 3)
        self.conv3 = ConvBN(width, 4 * width)
        self.projection = (
            ConvBN(in_channels, 4 * width, stride=stride) if projection else nn.Identity()
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv3(self.conv2(self.conv1(x))) + self.projection(x))
"""
        in text
    )
    assert "*(ResidualBlock(1024, 256) for _ in range(5))," in text
    assert "fc=nn.Linear(2048, classes)," in text


def test_blocks_that_read_two_values_are_looped_over() -> None:
    builder = GraphBuilder("decoder")
    x, memory = (builder.input(name, TensorType((2, 4))) for name in ("x", "memory"))
    for at in range(5):
        (y,) = builder.add(make("linear", out=4), [x], f"layers/{at}/fc")
        (y,) = builder.add(make("sum"), [y, memory], f"layers/{at}/sum")
        (x,) = builder.add(make("relu"), [y], f"layers/{at}/relu")
    text = torch_source(graph := builder.build({"x": x}))
    assert "self.blocks = nn.ModuleList(ResidualBlock() for _ in range(5))" in text
    assert "        for block in self.blocks:\n            x = block(x, memory)\n" in text
    assert_equal(graph, text)
    assert_same_numbers(graph)


def test_dense_layers_grow_in_a_loop() -> None:
    text = torch_source(archcost.load("densenet121"))
    assert "denseblock3=nn.Sequential(*(DenseLayer(32 * i) for i in range(8, 32)))," in text


def test_ruff_would_format_it_so() -> None:
    pytest.importorskip("ruff")
    for name in ("resnet50", "inception-v3", "enet", "lenet5", "stochastic-depth-110"):
        text = torch_source(archcost.load(name))
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        assert done.stdout == text


def test_the_file_runs_by_itself(capsys) -> None:
    text = torch_source(archcost.load("simplenet-310k"))
    exec(compile(text, "simplenet.py", "exec"), {"__name__": "__main__"})
    params = sum(p.numel for p in archcost.load("simplenet-310k").parameters if p.trainable)
    assert capsys.readouterr().out == f"{params:,} parameters, output (1, 10)\n"


# --- operators and random networks -------------------------------------------------------------


@pytest.mark.parametrize(("kind", "arguments", "sizes", "cls"), CASES)
def test_an_operator(kind: str, arguments: dict, sizes: list, cls: type | None) -> None:
    dtype = "int64" if kind.startswith("embedding") else "fp32"
    graph = graph_of(kind, *sizes, dtype=dtype, **arguments)
    assert_same_numbers(graph)


@pytest.mark.parametrize(("kind", "arguments", "function", "tensors"), TENSOR_CASES)
def test_an_operator_on_tensors(kind: str, arguments: dict, function, tensors) -> None:
    assert_same_numbers(graph_on(kind, *map(type_of, tensors), **arguments), *tensors)


class Blocks:
    """A network of blocks that are nearly the same: other channels, a step more or less, weights
    that some of them share."""

    KINDS = ("conv", "conv", "batch_norm", "relu", "dropout", "depthwise_conv", "scope", "residual")

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.builder = GraphBuilder("blocks")
        self.shared: dict[object, tuple[Parameter, ...]] = {}
        self.shares = self.random.random() < 0.5
        x = self.builder.input("x", TensorType((2, 4, 8, 8)))
        recipe = self.random.choices(self.KINDS, k=self.random.randint(2, 6))
        optional = self.random.randrange(2 * len(recipe))
        for at in range(self.random.randint(3, 7)):
            y = x
            for place, kind in enumerate(recipe):
                if place != optional or self.random.random() < 0.5:
                    y = self.step(y, kind, f"stage{at // 3}/block{at}/{kind}{place}")
            if y is not x and y.shape[2:] == x.shape[2:]:
                x = self.sum(y, x, f"stage{at // 3}/block{at}")
            else:
                x = y
        self.graph = self.builder.build({"y": x})

    def add(self, kind: str, x: Value, name: str, **arguments: object) -> Value:
        return self.builder.add(make(kind, **arguments), [x], name)[0]

    def conv(self, x: Value, name: str, out: int, kernel: int, stride: int = 1) -> Value:
        op = make("conv", out=out, kernel=kernel, stride=stride, padding=kernel // 2)
        key = (name.rpartition("/")[2], op, x.shape[1])
        share = {}
        if self.shares and key in self.shared and self.random.random() < 0.7:
            both = dict(zip(("weight", "bias"), self.shared[key], strict=True))
            share = {name: both[name] for name in self.random.choice([["weight"], [*both]])}
        (y,) = self.builder.add(op, [x], name, share=share)
        self.shared.setdefault(key, y.producer.parameters)
        return y

    def sum(self, y: Value, x: Value, scope: str) -> Value:
        if y.shape != x.shape:
            x = self.conv(x, f"{scope}/projection", y.shape[1], 1)
        return self.builder.add(make("sum"), [y, x], f"{scope}/sum")[0]

    def step(self, x: Value, kind: str, name: str) -> Value:
        out, kernel = self.random.choice([2, 4, 8]), self.random.choice([1, 3])
        if kind == "conv":
            return self.conv(x, name, out, kernel, self.random.choice([1, 1, 1, 2]))
        if kind == "scope":
            y = self.conv(x, f"{name}/conv", out, kernel)
            return self.add("relu", self.add("batch_norm", y, f"{name}/bn"), f"{name}/relu")
        if kind == "residual":
            return self.sum(self.conv(x, f"{name}/fc", x.shape[1], 1), x, name)
        arguments = {"dropout": {"rate": out / 10}, "depthwise_conv": {"padding": 1}}
        return self.add(kind, x, name, **arguments.get(kind, {}))


@pytest.mark.parametrize("seed", range(12))
def test_blocks_that_are_nearly_the_same(seed: int) -> None:
    graph = Blocks(seed).graph
    assert_equal(graph)
    assert_same_numbers(graph)


def renamed(graph: Graph, names: list[str]) -> Graph:
    """``graph`` with other names for its nodes: each has the next of ``names`` before its own."""
    builder = GraphBuilder(graph.name)
    values: dict[Value, Value] = {v: builder.input(v.name, v.type) for v in graph.inputs}
    for at, node in enumerate(graph):
        name = "/".join(filter(None, (names[at % len(names)], f"{node.op.kind}{at}")))
        outputs = builder.add(node.op, [values[value] for value in node.inputs], name)
        values.update(zip(node.outputs, outputs, strict=True))
    return builder.build({name: values[value] for name, value in graph.named_outputs.items()})


SCOPES = ["", "a", "a/b", "a/c", "d", "d/1x1"]
kinds = (
    *("conv", "depthwise_conv", "batch_norm", "relu", "max_pool", "avg_pool", "concat", "sum"),
    *("product", "flatten", "linear", "pad", "dropout", "upsample", "global_avg_pool", "slice"),
)


@settings(max_examples=30)
@given(
    small_graphs(kinds),
    st.lists(st.sampled_from(["", "a", "a/b", "a/c", "d", "d/1x1"]), min_size=1),
)
def test_random_networks_in_random_scopes(graph: Graph, names: list[str]) -> None:
    graph = renamed(graph, names)
    assert_equal(graph)
    # Scopes that are interwoven run, and are made, in another order than the graph's.
    net, other, inputs = network(torch_source(graph)), to_torch(graph).eval(), tensors_of(graph)
    for tensor in (*net.parameters(), *other.parameters()):
        torch.manual_seed(tensor.numel())
        nn.init.uniform_(tensor)
    for y, wanted in zip(run(net, inputs)[0], run(other, inputs)[0], strict=True):
        torch.testing.assert_close(y, wanted, rtol=0, atol=0, equal_nan=True)


def test_several_inputs_and_outputs_in_their_order() -> None:
    builder = GraphBuilder("two")
    a, b = (builder.input(name, TensorType((1, 2))) for name in ("left", "right"))
    (c,) = builder.add(make("rescale", scale=-1), [b], "c")
    net = network(torch_source(builder.build({"c": c, "a": a})))
    x, y = torch.rand(1, 2), torch.rand(1, 2)
    found = net(x, y)
    assert torch.equal(found[0], -y)
    assert found[1] is x


# --- parameters --------------------------------------------------------------------------------


def test_weights_that_two_layers_share_are_tied() -> None:
    builder = GraphBuilder("tied")
    tokens = builder.input("tokens", TensorType((1, 3), "int64"))
    (x,) = builder.add(make("embedding", count=7, width=4), [tokens], "encoder/table")
    (y,) = builder.add(make("linear", out=4, flatten=False), [x], "encoder/fc")
    weight = x.producer.parameters[0]
    share = {"weight": weight}
    (z,) = builder.add(make("linear", out=7, flatten=False), [y], "decoder/head", share=share)
    text = torch_source(graph := builder.build({"z": z}))
    assert "self.decoder.weight = self.encoder[0].weight" in text
    net = network(text)
    assert net.decoder.weight is net.encoder[0].weight
    assert sum(p.numel() for p in net.parameters()) == 28 + 20 + 7
    assert_equal(graph)


def test_a_module_that_is_used_again_is_made_once() -> None:
    text = torch_source(archcost.load("rcnn-96"))
    assert "recurrent = nn.Conv2d(96, 96, 3, padding=1, bias=False)" in text
    assert "nn.ModuleList(ConvReLULRN(recurrent) for _ in range(3))" in text


def stored(trainable: bool) -> Graph:
    builder = GraphBuilder("stored")
    x = builder.input("x", TensorType((2, 3, 4)))
    weight = make("weight", shape=(1, 3, 4), trainable=trainable)
    (value,) = builder.add(weight, [], "position/embedding")
    (y,) = builder.add(make("sum"), [x, value], "position/sum")
    (mask,) = builder.add(make("constant", shape=(3, 4)), [], "position/mask")
    (y,) = builder.add(make("product"), [y, mask], "position/masked")
    (y,) = builder.add(make("linear", out=5, flatten=False), [y], "fc")
    return builder.build({"y": y})


@pytest.mark.parametrize("trainable", [True, False])
def test_stored_and_constant_tensors(trainable: bool) -> None:
    text = torch_source(stored(trainable))
    written = (
        "self.embedding = nn.Parameter(" if trainable else 'self.register_buffer("embedding", '
    )
    assert f"{written}torch.zeros(1, 3, 4))" in text
    assert "torch.zeros((3, 4), dtype=torch.float32, device=x.device)" in text
    assert_equal(stored(trainable))


def test_the_networks_dtype_is_its_parameters() -> None:
    graph = archcost.load("simplenet-310k").with_dtype("bf16")
    text = torch_source(graph)
    assert text.count("self.to(torch.bfloat16)") == 1
    with torch.device("meta"):
        assert {p.dtype for p in network(text).parameters()} == {torch.bfloat16}


def test_an_operator_that_torch_lacks() -> None:
    builder = GraphBuilder("unknown")
    x = builder.input("x", TensorType((1, 2)))
    opaque = make("opaque", name="acme::magic", types=(((1, 2), "fp32"),))
    (y,) = builder.add(opaque, [x], "magic")
    with pytest.raises(TargetError, match="magic"):
        torch_source(builder.build({"y": y}))


# --- what is written is harmless ---------------------------------------------------------------

HOSTILE = [
    '"""; import os; os.abort()  #',
    "x\nimport os\nos.abort()\n",
    "x\\",
    '\\"""\nimport os; os.abort()\n"""',
    "\\x41 \\u12 \\N{bad}",
    "self",
    "forward",
    "__init__",
    "class",
    "torch",
    "nn",
    "F",
    "None",
    "OrderedDict",
    "append",
    "a.b[0] = 1",
    "\u202e\u2028\x00\x0c\r",
    "é" * 50,
    "(" * 300,
    "",
    " ",
    "1x1",
    "/".join(["deep"] * 12),
]


def named(text: str, title: str) -> Graph:
    """A network whose scopes and modules are called ``text``, twice over."""
    builder = GraphBuilder(text or "empty")
    x = builder.input(text or "input", TensorType((1, 4)))
    for scope in (f"{text}/a/{text}", f"{text}/b/{text}", f"{text}/{text}", text):
        (y,) = builder.add(make("linear", out=4), [x], f"{scope}/{text}")
        (z,) = builder.add(make("linear", out=4), [y], f"{scope}/{text}2")
        (x,) = builder.add(make("sum"), [x, z], f"{scope}/{text}/sum")
    source = {"title": title, "authors": title, "venue": title, "arxiv": title}
    return builder.build({"y": x}, {"title": title, "source": source, "parameters": {}})


def tokens(text: str) -> Iterator[str]:
    """The identifiers of a file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_titles_are_no_code(text: str) -> None:
    graph = named(text, text)
    written = torch_source(graph)
    assert_equal(graph, written)
    assert "os" not in set(tokens(written))
    body = ast.parse(written).body
    assert {type(part) for part in body} <= {
        *(ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.If)
    }
    assert sum(isinstance(part, ast.Expr) for part in body) == 1  # the docstring


@settings(max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_and_title(name: str, title: str) -> None:
    graph = named(name, title)
    written = torch_source(graph)
    assert_equal(graph, written)
    allowed = {ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.If}
    assert {type(part) for part in ast.parse(written).body} <= allowed


def test_the_same_graph_gives_the_same_text() -> None:
    for name in ("resnet50", "sharesnet-34", "inception-resnet-v2"):
        assert torch_source(archcost.load(name)) == torch_source(archcost.load(name))
