"""What a PyTorch module is read with and as: inputs, outputs, names, batches, what is not known."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from same_graph import difference
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from traced_modules import Of, check, leaves, stirred

import archcost
from archcost.analysis import analyze
from archcost.cli.main import main
from archcost.ir import Graph, ShapeError
from archcost.report import model_report, render
from archcost.sources import Input, InputError, SourceError
from archcost.sources.errors import TraceError


def types(graph: Graph) -> dict[str, str]:
    return {value.name: str(value.type) for value in graph.inputs}


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph]


class Net(nn.Module):
    """A small convolutional network with a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.classifier = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.types = nn.Embedding(2, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor, kind: Tensor | None = None) -> Tensor:
        x = self.embed(tokens)
        if kind is not None:
            x = x + self.types(kind)
        return self.head(x.mean(1))


# --- inputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "batch", "expected"),
    [
        ((3, 8, 8), None, "1x3x8x8"),
        ([3, 8, 8], 4, "4x3x8x8"),
        ("3x8x8", 2, "2x3x8x8"),
        ("3X8x8:fp32", None, "1x3x8x8"),
        ([(3, 8, 8)], None, "1x3x8x8"),
        (["3x8x8"], None, "1x3x8x8"),
        ("5x3x8x8", "none", "5x3x8x8"),
        (torch.empty(6, 3, 8, 8), None, "6x3x8x8"),
        ([torch.empty(6, 3, 8, 8)], None, "6x3x8x8"),
        (torch.empty(6, 3, 8, 8, device="meta"), None, "6x3x8x8"),
        ({"x": (3, 8, 8)}, 2, "2x3x8x8"),
        ({"x": "3x8x8"}, 2, "2x3x8x8"),
        ({"x": torch.empty(6, 3, 8, 8)}, None, "6x3x8x8"),
        ("x=3x8x8", None, "1x3x8x8"),
        (Input((3, 8, 8)), None, "1x3x8x8"),
    ],
)
def test_forms_of_inputs(inputs: Any, batch: Any, expected: str) -> None:
    graph = archcost.load(Net().eval(), inputs=inputs, batch=batch)
    (found,) = types(graph).values()
    assert found == expected
    assert graph.outputs[0].shape == (graph.inputs[0].shape[0], 10)


def test_names_of_inputs() -> None:
    assert list(types(archcost.load(Net().eval(), inputs="3x8x8"))) == ["input"]
    graph = archcost.load(Tokens().eval(), inputs=["6:int64", "6:int64"])
    assert types(graph) == {"input0": "1x6:int64", "input1": "1x6:int64"}
    graph = archcost.load(Tokens().eval(), inputs={"tokens": "6:int64", "kind": "6:int64"})
    assert types(graph) == {"tokens": "1x6:int64", "kind": "1x6:int64"}
    graph = archcost.load(Tokens().eval(), inputs=["6:int64", "kind=6:int64"])
    assert types(graph) == {"input0": "1x6:int64", "kind": "1x6:int64"}


@pytest.mark.parametrize("inputs", [[(6,), (6,)], {"tokens": (6,), "kind": (6,)}])
def test_inputs_of_embeddings_are_integers(inputs: Any) -> None:
    graph = archcost.load(Tokens().eval(), inputs=inputs, batch=2)
    assert set(types(graph).values()) == {"2x6:int64"}
    assert [node.op.kind for node in graph][:2] == ["embedding", "embedding"]


def test_integers_behind_a_view() -> None:
    net = Of(lambda s, x: s.embed(x[:, 1:].flatten()), embed=nn.Embedding(5, 2))
    assert types(archcost.load(net.eval(), inputs="4")) == {"input": "1x4:int64"}


def test_what_a_module_says_of_itself() -> None:
    net = Net().eval()
    net.default_cfg = {"input_size": (3, 8, 8)}
    assert types(archcost.load(net)) == {"input": "1x3x8x8"}
    assert types(archcost.load(net, batch=3)) == {"input": "3x3x8x8"}
    tokens = Tokens().eval()
    tokens.dummy_inputs = {"tokens": torch.zeros(2, 5, dtype=torch.int64), "labels": None}
    assert types(archcost.load(tokens)) == {"tokens": "2x5:int64"}


def test_a_module_that_says_nothing() -> None:
    with pytest.raises(InputError, match="Net does not say what it is fed with.*--input 3x224x224"):
        archcost.load(Net().eval())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("3x8xb", "'3x8xb' is no shape; expected sizes without the batch"),
        ("3x8x8:float", "no dtype 'float'; there are"),
        ("", "is no shape"),
        ([object()], "inputs is one shape or a list of shapes"),
        (3.5, "inputs is one shape or a list of shapes"),
        ({"x": [(3, 8, 8), (3, 8, 8)]}, "input 'x' is one shape or tensor"),
        ([(10**13, 2)], "sizes are at most"),
        ("99999999999999x2", "sizes are at most"),
    ],
)
def test_inputs_that_are_not_understood(inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        archcost.load(Net().eval(), inputs=inputs)


@pytest.mark.parametrize("batch", [0, -1, 1.5, True, "all"])
def test_batches_that_are_not_understood(batch: Any) -> None:
    with pytest.raises(InputError, match="the batch is an integer from 1 to 2147483647, or 'none'"):
        archcost.load(Net().eval(), inputs="3x8x8", batch=batch)


def test_settings_and_arguments_are_refused() -> None:
    with pytest.raises(SourceError, match="no parameters to set"):
        archcost.load(Net(), inputs="3x8x8", settings={"classes": 3})
    with pytest.raises(SourceError, match="takes no arguments"):
        archcost.load(Net(), inputs="3x8x8", arguments={"classes": 3})


def test_dtype() -> None:
    net = Net().eval()
    graph = archcost.load(net, inputs="3x8x8", dtype="fp16")
    assert {p.dtype for p in graph.parameters} == {"fp16"}
    assert str(graph.outputs[0].type) == "1x10:fp16"
    with pytest.raises(SourceError, match="no floating-point dtype 'fp17'"):
        archcost.load(net, inputs="3x8x8", dtype="fp17")


def test_inputs_are_of_the_dtype_of_the_weights() -> None:
    half, net = (archcost.load(each.eval(), inputs="3x8x8") for each in (Net().half(), Net()))
    assert difference(net.with_dtype("fp16"), half) is None
    with pytest.raises(TraceError, match="Input type"):
        archcost.load(Net().half().eval(), inputs="3x8x8:fp32")


# --- outputs -----------------------------------------------------------------------------------


class Named(NamedTuple):
    first: Tensor
    rest: list[Tensor]


@dataclass
class Result:
    logits: Tensor
    states: tuple[Tensor, ...] | None = None
    note: str = "no tensor"


class Holder:
    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.size = 3


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 2, ["output"]),
        (lambda x: (x * 2, x + 1), ["0", "1"]),
        (lambda x: [x * 2, (x + 1, None, x - 1)], ["0", "1.0", "1.2"]),
        (lambda x: {"a": x * 2, "b": [x + 1]}, ["a", "b.0"]),
        (lambda x: OrderedDict(out=x * 2), ["out"]),
        (lambda x: {0: x * 2, "n": 3}, ["0"]),
        (lambda x: Named(x * 2, [x, x + 1]), ["first", "rest.0", "rest.1"]),
        (lambda x: Result(x * 2), ["logits"]),
        (lambda x: Result(x * 2, (x, x + 1)), ["logits", "states.0", "states.1"]),
        (lambda x: Holder(x * 2), ["x"]),
        (lambda x: (x, x), ["0", "1"]),
        (lambda x: ({"a": {"b": (x,)}}, 5), ["0.a.b.0"]),
    ],
)
def test_outputs(function: Any, expected: list[str]) -> None:
    graph = archcost.load(Of(function), inputs="4")
    assert list(graph.named_outputs) == expected
    assert {str(value.type) for value in graph.outputs} == {"1x4"}


# --- names -------------------------------------------------------------------------------------


def test_names_follow_the_modules() -> None:
    graph = check(stirred(Net()), torch.randn(2, 3, 8, 8))
    assert names(graph) == [
        *("features/0", "features/1", "features/2"),
        "reduce_mean",
        "classifier",
    ]
    assert [p.name for p in graph.parameters] == [
        *("features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias"),
        *("features.1.running_mean", "features.1.running_var"),
        *("classifier.weight", "classifier.bias"),
    ]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.act(self.conv(x)))


def test_repeated_calls_are_numbered_and_stable() -> None:
    block = Block().eval()
    net = nn.Sequential(OrderedDict(stage=nn.Sequential(block, Block(), block)))
    first, second = (archcost.load(net.eval(), inputs="4x2x2") for _ in range(2))
    assert difference(first, second) is None
    assert names(first) == [
        *("stage/0/conv", "stage/0/act", "stage/0/sum", "stage/0/act_2"),
        *("stage/1/conv", "stage/1/act", "stage/1/sum", "stage/1/act_2"),
        *("stage/0/conv_2", "stage/0/act_3", "stage/0/sum_2", "stage/0/act_4"),
    ]


def test_a_module_that_does_several_things_is_a_scope() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 12)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x).chunk(3, -1)
            return torch.softmax(q @ k.mT, -1) @ v

    graph = archcost.load(nn.Sequential(Attention(), nn.Linear(4, 2)).eval(), inputs="3x4")
    assert {node.scope for node in graph} == {"0", ""}
    assert names(graph)[0] == "0/qkv"
    assert names(graph)[-1] == "1"


def test_names_that_modules_take_are_not_taken_by_operators() -> None:
    net = Of(lambda s, x: s.sum(x + 1) + (x + x), sum=nn.ReLU(), rescale=nn.ReLU())
    graph = archcost.load(net, inputs="4")
    assert len(set(names(graph))) == len(graph)
    assert graph.node("sum").op.kind == "relu"


def test_the_graph_is_named_after_the_class() -> None:
    graph = archcost.load(Net().eval(), inputs="3x8x8")
    assert (graph.name, graph.metadata["title"]) == ("Net", "Net")


def test_compiled_module_is_read_as_what_it_was() -> None:
    net = Net().eval()
    compiled = torch.compile(net)
    graphs = [archcost.load(each, inputs="3x8x8") for each in (net, compiled)]
    assert difference(*graphs) is None


# --- parameters and buffers --------------------------------------------------------------------


def test_what_nobody_reads_is_stored_all_the_same() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 3)
            self.register_buffer("table", torch.zeros(7, 2))
            self.register_buffer("fleeting", torch.zeros(5), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    graph = check(stirred(Lazy()), torch.randn(2, 4))
    assert [p.name for p in graph.unread] == [
        *("unused.weight", "unused.bias", "table", "fleeting"),
    ]


def test_frozen_parameters_are_parameters() -> None:
    net = Net().eval().requires_grad_(False)
    totals = analyze(archcost.load(net, inputs="3x8x8")).totals
    assert totals.params == sum(p.numel() for p in net.parameters())


def test_weights_of_another_dtype() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval().to(torch.bfloat16)
    graph = check(net, torch.randn(2, 4, dtype=torch.bfloat16))
    assert {p.dtype for p in graph.parameters} == {"bf16"}


# --- batches -----------------------------------------------------------------------------------


class ViT(nn.Module):
    def __init__(self, token: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8)) if token else None
        self.positions = nn.Parameter(torch.zeros(1, 4 + token, 8))
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        x = x + self.positions
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.head((x + y.transpose(1, 2).reshape(b, n, c)).mean(1))


BATCHED = {
    "cnn": (Net, "3x8x8"),
    "vit": (lambda: ViT(token=False), "3x8x8"),
    "tokens": (Tokens, "6:int64"),
    "lstm": (lambda: nn.LSTM(4, 5, batch_first=True, bidirectional=True), "6x4"),
    "shuffle": (lambda: nn.Sequential(nn.PixelShuffle(2), nn.Flatten(), nn.Linear(16, 3)), "4x2x2"),
    "norms": (
        lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LocalResponseNorm(2)),
        "4x4x4",
    ),
}


@pytest.mark.parametrize("name", BATCHED)
def test_with_batch_is_as_read_with_that_batch(name: str) -> None:
    make, shape = BATCHED[name]
    net = make().eval()
    one, seven = (archcost.load(net, inputs=shape, batch=batch) for batch in (1, 7))
    assert difference(one.with_batch(7), seven) is None
    assert difference(seven.with_batch(1), one) is None
    assert analyze(one.with_batch(7)).totals == analyze(seven).totals


def test_sizes_of_the_code_are_no_batches() -> None:
    """What the code made for the batch it was read with (a class token for each sample) stays so:
    the graph refuses another one, and the module is read again."""
    net = ViT(token=True).eval()
    with pytest.raises(ShapeError, match="node 'concat'"):
        archcost.load(net, inputs="3x8x8").with_batch(7)
    assert archcost.load(net, inputs="3x8x8", batch=7).outputs[0].shape == (7, 10)


# --- what is not known -------------------------------------------------------------------------


@torch.library.custom_op("archcost_tests::spread", mutates_args=())
def spread(x: Tensor, times: int) -> tuple[Tensor, Tensor]:
    return x.repeat(1, times), torch.zeros(times, dtype=torch.int64)


@spread.register_fake
def _(x: Tensor, times: int) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], x.shape[1] * times), x.new_empty(times, dtype=torch.int64)


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        wide, numbers = spread(self.layer(x), 3)
        q, r = torch.linalg.qr(torch.fft.rfft(wide).abs())
        return q, r, numbers


def test_unknown_operators_are_kept_with_their_shapes() -> None:
    graph = archcost.load(Foreign().eval(), inputs="4", batch=5)
    unknown = [node for node in graph if not node.op.known]
    kinds = [node.op.kind for node in unknown]
    assert kinds[0] == "archcost_tests::spread"
    assert kinds[-1] == "aten::linalg_qr"
    assert [str(value.type) for value in unknown[0].outputs] == ["5x12", "3:int64"]
    assert [str(value.type) for value in graph.outputs] == ["5x5", "5x7", "3:int64"]
    assert unknown[0].name == "archcost_tests::spread"
    assert "test_torch_reading.py" in str(unknown[0].source)
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (20, 5 * 16)


@pytest.mark.parametrize("format_", ["json", "markdown", "html", "latex", "csv"])
def test_unknown_operators_are_named_in_reports(format_: str) -> None:
    graph = archcost.load(Foreign().eval(), inputs="4")
    text = render(model_report(analyze(graph)), format_)
    assert "linalg_qr" in text.replace("\\_", "_")


# --- the module stays as it is -----------------------------------------------------------------


class Marked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.InstanceNorm2d(4)
        )
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
        self.register_buffer("calls", torch.zeros(()))
        self.fail = False

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        y = self.net(x).mean((2, 3)) + torch.rand(4)
        if self.fail:
            raise ValueError("no")
        return self.spectral(y)


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_reading_changes_nothing(fail: bool, training: bool) -> None:
    net = Marked().train(training)
    net.net[2].eval()
    net.fail = fail
    seen: list[str] = []
    net.net[0].register_forward_hook(lambda *_: seen.append("hook"))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    tensors = [id(tensor) for tensor in (*net.parameters(), *net.buffers())]
    flags = [module.training for module in net.modules()]
    hooks = [len(module._forward_hooks) for module in net.modules()]
    gradients = [p.requires_grad for p in net.parameters()]
    state = torch.get_rng_state()
    torch_functions = F._verify_batch_size, nn.modules.transformer._detect_is_causal_mask
    if fail:
        with pytest.raises(archcost.ArchcostError):
            archcost.load(net, inputs="3x8x8", batch=2)
    else:
        archcost.load(net, inputs="3x8x8", batch=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert [id(tensor) for tensor in (*net.parameters(), *net.buffers())] == tensors
    after = net.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert [module.training for module in net.modules()] == flags
    assert [len(module._forward_hooks) for module in net.modules()] == hooks
    assert [p.requires_grad for p in net.parameters()] == gradients
    assert all(p.grad is None for p in net.parameters())
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
    assert (F._verify_batch_size, nn.modules.transformer._detect_is_causal_mask) == torch_functions
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.get_default_device() == torch.device("cpu")
    assert torch.get_default_dtype() == torch.float32
    assert not (torch.ones(2) + 1).is_meta
    net.fail = False
    (y,) = leaves(net(torch.randn(2, 3, 8, 8)))
    y.sum().backward()


def test_what_code_keeps_for_its_next_call_is_not_kept() -> None:
    """Positions worked out at the first call, caches: those of a pass without data have none."""

    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.positions: Tensor | None = None
            self.seen: list[Tensor] = []
            self.tables = {"first": torch.ones(4)}
            self.cache = torch.zeros(1, 3, 4)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            if self.positions is None:
                self.positions = torch.arange(4).float() * x.new_ones(4)
                self.register_buffer("late", x * 2)
            self.calls += 1
            self.seen.append(x)
            self.tables["second"] = x
            self.cache[:, 1] = x
            return x + self.positions + self.tables["first"] + self.cache.sum(1)

    net = Caching()
    graph = archcost.load(net, inputs="4")
    assert analyze(graph).totals.params == analyze(graph).totals.buffers == 0
    assert (net.positions, net.seen, net.calls, list(net.tables)) == (None, [], 0, ["first"])
    assert net.cache.abs().sum() == 0
    assert not list(net.buffers())
    assert torch.equal(net(torch.ones(1, 4)), torch.tensor([[3.0, 4.0, 5.0, 6.0]]))


@pytest.mark.parametrize(
    "change",
    [
        torch.compile,
        lambda net: nn.Sequential(torch.compile(net)),
        lambda net: nn.Sequential(torch.compile(net, fullgraph=True)),
        torch.fx.symbolic_trace,
        lambda net: torch.export.export(net, (torch.zeros(1, 4),)).module(),
        nn.DataParallel,
        lambda net: Of(lambda s, x: torch.func.vmap(lambda y: s.net(y[None])[0])(x), net=net),
        lambda net: Of(lambda s, x: checkpoint(s.net, x, use_reentrant=False), net=net),
    ],
)
def test_wrapped_modules(change: Any) -> None:
    """In whatever torch wraps a module, it costs what it costs."""
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    graph, expected = (archcost.load(each, inputs="4") for each in (change(net), net))
    totals, wanted = analyze(graph).totals, analyze(expected).totals
    assert (totals.params, totals.macs) == (wanted.params, wanted.macs)


def test_hooks_of_the_user_are_part_of_the_model() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    net[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    net[0].register_forward_hook(lambda module, inputs, output: output * 2)
    graph = check(stirred(net), torch.randn(2, 4))
    assert [node.op.kind for node in graph] == ["rescale", "linear", "rescale"]


@pytest.mark.parametrize(
    ("norm", "shape"), [(nn.BatchNorm1d(4), "4"), (nn.BatchNorm2d(4), "4x1x1")]
)
def test_training_on_a_single_value(norm: nn.Module, shape: str) -> None:
    """Which torch refuses to do, and which costs what two would cost, a sample."""
    one, two = (archcost.load(norm.train(), inputs=shape, batch=batch) for batch in (1, 2))
    assert 2 * analyze(one).totals.flops == analyze(two).totals.flops


def test_reading_within_no_grad_and_a_default_device() -> None:
    with torch.no_grad(), torch.device("meta"):
        graph = archcost.load(Net().eval(), inputs="3x8x8")
        assert torch.get_default_device() == torch.device("meta")
    assert difference(graph, archcost.load(Net().eval(), inputs="3x8x8")) is None


def test_modules_on_meta_and_in_training() -> None:
    net = Net().to("meta")
    graph = archcost.load(net.train(), inputs="3x8x8")
    assert difference(graph, archcost.load(Net().eval(), inputs="3x8x8")) is None
    assert all(p.is_meta for p in net.parameters())


# --- size --------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [10, 100])
def test_nodes_of_many_blocks(blocks: int) -> None:
    with torch.device("meta"):
        net = nn.Sequential(*[Block() for _ in range(blocks)]).eval()
    graph = archcost.load(net, inputs="4x8x8")
    assert len(graph) == 4 * blocks
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (blocks * 20, blocks * 16 * 64)


# --- the command line --------------------------------------------------------------------------


def test_report_of_a_file(tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n"
        "print('made')\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, width=4):\n"
        "        super().__init__(nn.Conv2d(3, width, 3), nn.ReLU())\n"
    )
    arguments = ["report", f"{path}:Net", "--input", "3x8x8", "--format", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["totals"]["params"] == 4 * 28
    assert result.stderr == "made\n"
