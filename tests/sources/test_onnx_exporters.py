"""What PyTorch's two exporters write, and networks that others wrote.

Parameters and multiply-accumulates are those of the module; every tensor on the way has the shape,
the type and, where it is known before the pass, the values that it has in onnxruntime.
"""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

import onnx
import onnx.backend.test
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx_models import different_in_onnxruntime, entries_of, kinds
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.analysis import analyze
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.sources.onnx import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Calls(nn.Module):
    """Modules by name, and what is done with them."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def vision_transformer():
    def forward(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([m.token.expand(x.shape[0], -1, -1), x], 1) + m.places
        return m.head(m.layer(x)[:, 0])

    layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True, activation="gelu")
    return Calls(
        forward,
        patches=nn.Conv2d(3, 24, 4, 4),
        token=nn.Parameter(torch.randn(1, 1, 24)),
        places=nn.Parameter(torch.randn(1, 17, 24)),
        layer=layer,
        head=nn.Linear(24, 5),
    )


def dense_block():
    """Normalisations before the convolutions, which no exporter folds into them."""

    def forward(m, x):
        x = torch.cat([x, m.conv(F.relu(m.norm1(x)))], 1)
        x = F.max_pool2d(F.relu(m.norm2(x)), 2, ceil_mode=True)
        return m.head(x.mean((2, 3)))

    return Calls(
        forward,
        norm1=nn.BatchNorm2d(4),
        conv=nn.Conv2d(4, 6, 3, padding=1, bias=False),
        norm2=nn.BatchNorm2d(10),
        head=nn.Linear(10, 3),
    )


def encoder_decoder():
    def forward(m, x):
        a = F.gelu(m.first(x))
        y = m.last(torch.cat([a, m.up(F.leaky_relu(m.down(a), 0.2))], 1))
        return F.interpolate(y, scale_factor=2, mode="bilinear"), F.interpolate(y, size=(7, 9))

    return Calls(
        forward,
        first=nn.Conv2d(3, 8, 3, padding=1),
        down=nn.Conv2d(8, 16, 3, stride=2, padding=1),
        up=nn.ConvTranspose2d(16, 8, 2, 2),
        last=nn.Conv2d(16, 1, 1),
    )


def attention():
    def forward(m, x):
        n, t, c = x.shape
        q, k, v = (z.view(n, t, 4, c // 4).transpose(1, 2) for z in m.qkv(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return m.out(y.transpose(1, 2).reshape(n, t, c))

    return Calls(forward, qkv=nn.Linear(32, 96), out=nn.Linear(32, 32, bias=False))


MODULES = {
    "convolutions": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=8, padding=1),
        nn.ReLU6(),
        nn.Conv2d(8, 16, (1, 3), stride=(1, 2), dilation=(1, 2)),
        nn.Hardsigmoid(),
        nn.AvgPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d(1),
    ),
    "normalisations": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 3),
        nn.GroupNorm(4, 8),
        nn.Hardswish(),
        nn.InstanceNorm2d(8, affine=True),
        nn.PReLU(8),
        nn.LayerNorm([8, 8, 8]),
    ),
    "volume": lambda: nn.Sequential(
        nn.Unflatten(2, (5, 2)), nn.Conv3d(8, 4, 2), nn.SiLU(), nn.MaxPool3d((1, 1, 2))
    ),
    "signal": lambda: nn.Sequential(
        nn.Flatten(2), nn.Conv1d(8, 8, 5, padding=2, groups=4), nn.ELU(), nn.AvgPool1d(2)
    ),
    "dense block": dense_block,
    "encoder-decoder": encoder_decoder,
    "vision transformer": vision_transformer,
    "attention": attention,
    "embedding": lambda: nn.Sequential(nn.Embedding(50, 16), nn.LayerNorm(16), nn.Linear(16, 7)),
}
INPUTS = {
    "dense block": torch.randn(1, 4, 9, 9),
    "encoder-decoder": torch.randn(1, 3, 8, 8),
    "vision transformer": torch.randn(1, 3, 16, 16),
    "attention": torch.randn(1, 6, 32),
    "embedding": torch.randint(0, 50, (1, 6)),
}


def made(name):
    """The module, each of its weights of other values, and an input.

    The exporters keep equal tensors once.
    """
    torch.manual_seed(0)
    module = MODULES[name]()
    for parameter in module.parameters():
        parameter.data = torch.randn_like(parameter)
    return module.eval(), INPUTS.get(name, torch.randn(1, 8, 10, 10))


def exported(module, x, path, *, dynamo, opset, **arguments):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if dynamo:
            arguments |= {"external_data": False, "verbose": False}
        try:
            torch.onnx.export(module, (x,), path, dynamo=dynamo, opset_version=opset, **arguments)
        except torch.onnx.errors.UnsupportedOperatorError as error:
            pytest.skip(f"the exporter has none of it: {str(error)[:80]}")
    return path


WAYS = [(False, 11), (False, 13), (False, 18), (True, 18)]
WRITERS = [
    *((name, dynamo, opset) for name in MODULES for dynamo, opset in WAYS),
    ("vision transformer", True, 23),
    ("attention", True, 23),
]


@pytest.mark.parametrize(("name", "dynamo", "opset"), WRITERS)
def test_exported_modules(name, dynamo, opset, tmp_path, monkeypatch):
    module, x = made(name)
    monkeypatch.setattr(torch.backends.mha, "get_fastpath_enabled", lambda: False)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(x)
    path = exported(module, x, tmp_path / "net.onnx", dynamo=dynamo, opset=opset)
    graph, entries = entries_of(path, monkeypatch)
    totals = analyze(graph).totals
    assert totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert totals.macs == counter.get_total_flops() // 2
    assert all(node.op.known for node in graph)
    assert "assumptions" not in graph.metadata
    assert not graph.unread
    if opset < 23:  # onnxruntime's highest is some way behind
        assert different_in_onnxruntime(path, entries) == []


@pytest.mark.parametrize(
    ("kind", "dynamo"),
    # The new exporter writes an RNN of plain products.
    [("lstm", False), ("gru", False), ("rnn_tanh", False), ("lstm", True), ("gru", True)],
)
def test_exported_recurrent_layers(kind, dynamo, tmp_path, monkeypatch):
    """torch's counter knows none of these layers, but archcost's own are tested against torch."""
    layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}[kind]
    module, x = layer(8, 16, 2, batch_first=True, bidirectional=True).eval(), torch.randn(1, 7, 8)
    for parameter in module.parameters():
        parameter.data = torch.randn_like(parameter)
    with torch.no_grad():
        path = exported(module, x, tmp_path / "net.onnx", dynamo=dynamo, opset=18)
    graph, entries = entries_of(path, monkeypatch)
    assert kinds(graph).count(kind) == 2
    builder = GraphBuilder("expected")
    layers = make(kind, hidden=16, layers=2, bidirectional=True)
    y, *_ = builder.add(layers, [builder.input("x", TensorType((1, 7, 8)))], "layers")
    expected = analyze(builder.build({"y": y})).totals
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (expected.params, expected.macs)
    assert different_in_onnxruntime(path, entries) == []


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_dynamic_batch(dynamo, tmp_path):
    module, x = made("vision transformer")
    x = x.expand(2, -1, -1, -1)
    if dynamo:
        arguments = {"dynamic_shapes": (({0: torch.export.Dim("batch")},),)}
    else:
        arguments = {"dynamic_axes": {"x": {0: "batch"}}, "input_names": ["x"]}
    path = exported(module, x, tmp_path / "net.onnx", dynamo=dynamo, opset=18, **arguments)
    one, four = analyze(read(path)).totals, analyze(read(path, batch=4)).totals
    assert one.params == four.params
    assert 4 * one.macs == four.macs


@pytest.mark.parametrize("kind", ["embedding", "lstm"])
def test_without_constant_folding(kind, tmp_path, monkeypatch):
    """Weights are transposed, and their rows rearranged, by nodes of the file."""
    torch.manual_seed(0)
    if kind == "lstm":
        module, x = nn.LSTM(8, 16, batch_first=True).eval(), torch.randn(1, 7, 8)
    else:
        module = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)).eval()
        module[1].weight = module[0].weight  # tied
        x = torch.randint(0, 50, (1, 6))
    path = tmp_path / "net.onnx"
    exported(module, x, path, dynamo=False, opset=17, do_constant_folding=False)
    graph, entries = entries_of(path, monkeypatch)
    params = sum(parameter.numel() for parameter in module.parameters())
    assert analyze(graph).totals.params == params
    assert different_in_onnxruntime(path, entries) == []


@pytest.mark.parametrize("name", ["vision transformer", "encoder-decoder", "dense block"])
@pytest.mark.parametrize("way", ["fused", "quantised"])
def test_what_onnxruntime_makes_of_a_model(name, way, tmp_path, monkeypatch):
    """Operators fused to its own, or weights in 8 bits: the same parameters, the same products."""
    module, x = made(name)
    path = exported(module, x, tmp_path / "net.onnx", dynamo=False, opset=17)
    other = tmp_path / "other.onnx"
    if way == "fused":
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(other)
        onnxruntime.InferenceSession(path, options)
        domains = {node.domain for node in onnx.load(other).graph.node}
        assert "com.microsoft" in domains or name == "dense block"
    else:
        monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
        quantization = pytest.importorskip("onnxruntime.quantization")
        quantization.quantize_dynamic(path, other)
    before, (graph, entries) = analyze(read(path)).totals, entries_of(other, monkeypatch)
    after = analyze(graph).totals
    assert all(node.op.known for node in graph)
    assert after.macs == before.macs
    # A bias of one element is a constant where a sum of its own adds it.
    assert before.params - after.params in ((0, 1) if name == "encoder-decoder" else (0,))
    assert different_in_onnxruntime(other, entries) == []


def test_modules_become_scopes(tmp_path):
    module, x = made("vision transformer")
    names = {}
    for dynamo in (False, True):
        path = exported(module, x, tmp_path / "net.onnx", dynamo=dynamo, opset=18)
        names[dynamo] = {node.name for node in read(path) if node.op.kind in ("conv", "layer_norm")}
    assert names[False] == names[True] == {"patches", "layer/norm1", "layer/norm2"}


LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"


@pytest.mark.parametrize(
    ("file", "name"),
    [("densenet121", "densenet121"), ("vgg19", "vgg19"), ("bvlc_alexnet", "alexnet")],
)
def test_networks_of_the_zoo(file, name):
    """Published networks that come with onnx, their weights made on the spot to keep them small."""
    path = LIGHT / f"light_{file}.onnx"
    if not path.exists():
        pytest.skip("this onnx comes without it")
    inputs = [(3, 227, 227)] if name == "alexnet" else None
    graph, expected = read(path, inputs=inputs), archcost.load(name)
    totals, wanted = analyze(graph).totals, analyze(expected).totals
    assert totals.macs == wanted.macs
    if name != "densenet121":  # whose normalisations Caffe stores otherwise
        assert totals.params + totals.buffers == wanted.params + wanted.buffers
