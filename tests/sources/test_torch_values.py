"""Modules of torch.nn and small networks, read and then executed: the graph computes what the
module computes, has its parameters and buffers by its names, and torch's counter's MACs."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, rnn
from traced_modules import Of, check, check_values, observed, stirred

R = torch.randn
IMAGE = (2, 4, 8, 8)


def indices(*shape: int, below: int = 10) -> Tensor:
    return torch.randint(below, shape)


class Unpool(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.unpool(*self.pool(x))


class AdaptiveSoftmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head.log_prob(x)


# name -> what makes the module, and the shapes (or makers) of its inputs
LAYERS = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, 2, 1, dilation=2, groups=2), (2, 4, 20)),
    "conv2d same": (lambda: nn.Conv2d(4, 6, (3, 4), padding="same", dilation=2), IMAGE),
    "conv2d unbatched": (lambda: nn.Conv2d(4, 6, 3), (4, 8, 8)),
    "conv2d reflect": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), IMAGE),
    "conv2d circular": (
        lambda: nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="circular"),
        IMAGE,
    ),
    "conv2d replicate": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="replicate"), IMAGE),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4, bias=False), IMAGE),
    "conv3d": (lambda: nn.Conv3d(3, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1)), (2, 3, 4, 8, 8)),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(4, 6, 4, 2, 1), (2, 4, 10)),
    "conv_transpose2d": (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2, dilation=2),
        IMAGE,
    ),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(4, 2, 2, 2), (1, 4, 2, 3, 3)),
    "linear of a vector": (lambda: nn.Linear(8, 5), (8,)),
    "linear of sequences": (lambda: nn.Linear(8, 5, bias=False), (2, 3, 8)),
    "linear of images": (lambda: nn.Linear(8, 5), IMAGE),
    "batch_norm1d": (lambda: nn.BatchNorm1d(4), (3, 4)),
    "batch_norm1d of sequences": (lambda: nn.BatchNorm1d(4), (3, 4, 5)),
    "batch_norm2d": (lambda: nn.BatchNorm2d(4, eps=1e-2), IMAGE),
    "batch_norm2d plain": (lambda: nn.BatchNorm2d(4, affine=False), IMAGE),
    "batch_norm2d untracked": (lambda: nn.BatchNorm2d(4, track_running_stats=False), IMAGE),
    "batch_norm3d": (lambda: nn.BatchNorm3d(4), (2, 4, 2, 3, 3)),
    "instance_norm": (lambda: nn.InstanceNorm2d(4), IMAGE),
    "instance_norm affine": (lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    "instance_norm unbatched": (lambda: nn.InstanceNorm1d(4), (4, 10)),
    "instance_norm tracked": (
        lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        IMAGE,
    ),
    "group_norm": (lambda: nn.GroupNorm(2, 4, eps=1e-3), IMAGE),
    "group_norm plain": (lambda: nn.GroupNorm(2, 4, affine=False), IMAGE),
    "layer_norm": (lambda: nn.LayerNorm((8, 8)), IMAGE),
    "layer_norm plain": (lambda: nn.LayerNorm(8, elementwise_affine=False), IMAGE),
    "layer_norm without bias": (lambda: nn.LayerNorm(8, bias=False), IMAGE),
    "rms_norm": (lambda: nn.RMSNorm(8), IMAGE),
    "rms_norm plain": (lambda: nn.RMSNorm(8, elementwise_affine=False, eps=1e-5), IMAGE),
    "local_response_norm": (lambda: nn.LocalResponseNorm(3), IMAGE),
    "embedding": (lambda: nn.Embedding(10, 4, padding_idx=0), lambda: indices(2, 5)),
    "embedding_bag": (lambda: nn.EmbeddingBag(10, 4), lambda: indices(2, 5)),
    "embedding_bag sum": (lambda: nn.EmbeddingBag(10, 4, mode="sum"), lambda: indices(2, 5)),
    "embedding_bag max": (lambda: nn.EmbeddingBag(10, 4, mode="max"), lambda: indices(2, 5)),
    "embedding_bag offsets": (
        lambda: nn.EmbeddingBag(10, 4, mode="sum"),
        lambda: indices(7),
        lambda: torch.tensor([0, 3]),
    ),
    "max_pool": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "max_pool indices": (lambda: nn.MaxPool2d(3, 2, 1, return_indices=True), IMAGE),
    "max_pool1d": (lambda: nn.MaxPool1d(2), (2, 4, 9)),
    "max_pool3d": (lambda: nn.MaxPool3d(2, dilation=2), (2, 4, 6, 6, 6)),
    "max_unpool": (Unpool, IMAGE),
    "avg_pool": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    "avg_pool divisor": (lambda: nn.AvgPool2d(3, divisor_override=5), IMAGE),
    "avg_pool1d unbatched": (lambda: nn.AvgPool1d(3), (4, 9)),
    "avg_pool3d": (lambda: nn.AvgPool3d(2), (1, 2, 4, 4, 4)),
    "adaptive_avg_pool": (lambda: nn.AdaptiveAvgPool2d((3, None)), IMAGE),
    "adaptive_avg_pool to one": (lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool1d": (lambda: nn.AdaptiveAvgPool1d(3), (2, 4, 10)),
    "adaptive_avg_pool3d": (lambda: nn.AdaptiveAvgPool3d((1, 2, 2)), (1, 2, 4, 4, 4)),
    "adaptive_max_pool": (lambda: nn.AdaptiveMaxPool2d((3, 5)), IMAGE),
    "adaptive_max_pool1d": (lambda: nn.AdaptiveMaxPool1d(3), (2, 4, 10)),
    "lp_pool": (lambda: nn.Sequential(nn.ReLU(), nn.LPPool2d(2, 3, 2)), IMAGE),
    "lp_pool1d": (lambda: nn.Sequential(nn.ReLU(), nn.LPPool1d(1.5, 3, 2)), (2, 4, 10)),
    "glu": (lambda: nn.GLU(1), IMAGE),
    "prelu": (lambda: nn.PReLU(4), IMAGE),
    "prelu shared": (nn.PReLU, IMAGE),
    "cosine_similarity": (lambda: nn.CosineSimilarity(1), IMAGE, IMAGE),
    "pairwise_distance": (nn.PairwiseDistance, (3, 5), (3, 5)),
    "pairwise_distance of 3": (lambda: nn.PairwiseDistance(p=3), (3, 5), (3, 5)),
    "dropouts": (
        lambda: nn.Sequential(
            nn.Dropout(),
            nn.Dropout2d(),
            nn.AlphaDropout(),
            nn.FeatureAlphaDropout(),
            nn.Identity(),
        ),
        IMAGE,
    ),
    "pixel_shuffle": (lambda: nn.PixelShuffle(2), IMAGE),
    "pixel_unshuffle": (lambda: nn.PixelUnshuffle(2), IMAGE),
    "channel_shuffle": (lambda: nn.ChannelShuffle(2), IMAGE),
    "unfold": (lambda: nn.Unfold(3, 2, 1, 2), IMAGE),
    "fold": (lambda: nn.Fold((4, 5), (2, 2)), (1, 12, 12)),
    "flatten": (lambda: nn.Flatten(0, 1), IMAGE),
    "unflatten": (lambda: nn.Unflatten(1, (2, 2)), IMAGE),
    "zero_pad": (lambda: nn.ZeroPad2d((1, 2, 0, 1)), IMAGE),
    "constant_pad": (lambda: nn.ConstantPad1d((1, 2), 3.5), (2, 4, 5)),
    "negative pad": (lambda: nn.ConstantPad2d((-1, 0, 2, -1), 0), IMAGE),
    "reflection_pad": (lambda: nn.ReflectionPad2d((1, 2, 0, 1)), IMAGE),
    "replication_pad": (lambda: nn.ReplicationPad3d(1), (1, 2, 3, 3, 3)),
    "circular_pad": (lambda: nn.CircularPad1d(2), (2, 4, 5)),
    "upsample": (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "upsample to a size": (lambda: nn.Upsample(size=(5, 11)), IMAGE),
    "upsample by a fraction": (lambda: nn.Upsample(scale_factor=1.5, mode="bilinear"), IMAGE),
    "upsample linear": (lambda: nn.Upsample(scale_factor=2, mode="linear"), (1, 2, 5)),
    "upsample bilinear": (lambda: nn.Upsample(size=(5, 11), mode="bilinear"), IMAGE),
    "upsample corners": (
        lambda: nn.Upsample(size=(5, 11), mode="bilinear", align_corners=True),
        IMAGE,
    ),
    "upsample bicubic": (lambda: nn.Upsample(scale_factor=(2.0, 3.0), mode="bicubic"), IMAGE),
    "upsample trilinear": (
        lambda: nn.Upsample(scale_factor=2, mode="trilinear"),
        (1, 2, 3, 3, 3),
    ),
    "interpolate area": (lambda: Of(lambda x: F.interpolate(x, (4, 3), mode="area")), IMAGE),
    "interpolate antialias": (
        lambda: Of(lambda x: F.interpolate(x, (5, 6), mode="bilinear", antialias=True)),
        IMAGE,
    ),
    "softmax2d": (nn.Softmax2d, IMAGE),
    "adaptive softmax": (AdaptiveSoftmax, (3, 8)),
}
ACTIVATIONS = (
    *("ReLU", "ReLU6", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh"),
    *("Hardswish", "Hardsigmoid", "Hardtanh", "LeakyReLU", "LogSigmoid", "Softplus", "Softsign"),
    *("Tanhshrink", "Softshrink", "Hardshrink", "RReLU"),
)


def made(input_: object) -> Tensor:
    return input_() if callable(input_) else R(input_)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    make, *inputs = LAYERS[name]
    check(stirred(make()), *map(made, inputs))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    check(getattr(nn, name)().eval(), R(IMAGE))


@pytest.mark.parametrize("layer", [nn.GELU("tanh"), nn.Hardtanh(-2, 0.5), nn.Threshold(0.1, 20)])
def test_activation_with_arguments(layer: nn.Module) -> None:
    check(layer, R(IMAGE))


@pytest.mark.parametrize(
    "layer",
    [
        nn.FractionalMaxPool2d(2, output_size=(4, 4)),  # its regions are drawn at random
        nn.AdaptiveMaxPool2d(3, return_indices=True),  # the graph has no indices of these
    ],
)
def test_layer_whose_values_are_not_in_the_graph(layer: nn.Module) -> None:
    check(layer, R(IMAGE), values=False)


@pytest.mark.parametrize("shape", [(3,), (2, 3), ()])
def test_bilinear(shape: tuple[int, ...]) -> None:
    """Its multiplications by the weights count, which torch's own counter leaves out."""
    graph = check(stirred(nn.Bilinear(4, 5, 6)), R(*shape, 4), R(*shape, 5), macs=False)
    rows = torch.Size(shape).numel()
    assert sum(node.application.macs for node in graph) == rows * (4 * 5 * 6 + 5 * 6)


# --- recurrent layers and cells ----------------------------------------------------------------

RECURRENT = {
    "plain": ({}, (7, 2, 5)),
    "batch first, two ways, two layers": (
        {"num_layers": 2, "batch_first": True, "bidirectional": True},
        (2, 7, 5),
    ),
    "unbatched": ({}, (7, 5)),
    "without bias": ({"bias": False}, (7, 2, 5)),
}


@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent(cls: type[nn.Module], name: str) -> None:
    arguments, shape = RECURRENT[name]
    check(stirred(cls(5, 6, **arguments)), R(shape))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_recurrent_with_states() -> None:
    check(stirred(nn.GRU(5, 6)), R(7, 2, 5), R(1, 2, 6))
    check(stirred(nn.RNN(5, 6, nonlinearity="relu")), R(7, 2, 5))
    check(stirred(nn.LSTM(5, 6, 2, proj_size=3, bidirectional=True)), R(7, 2, 5))
    lstm = Of(lambda s, x, h, c: s.lstm(x, (h, c)), lstm=nn.LSTM(5, 6))
    check(stirred(lstm), R(7, 2, 5), R(1, 2, 6), R(1, 2, 6))


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU, nn.RNN, partial(nn.RNN, nonlinearity="relu")])
def test_packed_sequences(cls: type[nn.Module], in_order: bool) -> None:
    """How long each is depends on values: all are taken to be as long as the longest."""

    def forward(self: nn.Module, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=in_order)
        y, _ = self.net(packed)
        return rnn.pad_packed_sequence(y, batch_first=True)

    net = stirred(Of(forward, net=cls(5, 6, 2, bidirectional=True, batch_first=True)))
    graph = check(net, R(3, 7, 5), torch.tensor([7, 7, 7]), macs=False)
    whole = check(stirred(cls(5, 6, 2, bidirectional=True, batch_first=True)), R(3, 7, 5))
    assert sum(n.application.macs for n in graph) == sum(n.application.macs for n in whole)
    assert "as long as the longest" in graph.metadata["assumptions"][0]


@pytest.mark.parametrize("cls", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_in_a_loop(cls: type[nn.Module]) -> None:
    def unrolled(self: nn.Module, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x:
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs)

    graph = check(stirred(Of(unrolled, cell=cls(5, 6))), R(4, 2, 5))
    assert "assign" not in {node.op.kind for node in graph}  # gates are apart, and not copied back
    check(stirred(cls(5, 6)), R(5))


# --- attention ---------------------------------------------------------------------------------

MASKS = {
    "padding": torch.tensor([[0, 0, 0, 1, 1]] * 3).bool(),
    "causal": nn.Transformer.generate_square_subsequent_mask(5),
    "added": torch.linspace(-1, 1, 25).view(5, 5),
}


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_first": True},
        {"kdim": 6, "vdim": 7},
        {"bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"batch_first": True, "add_bias_kv": True, "add_zero_attn": True},
    ],
    ids=str,
)
def test_multihead_attention(arguments: dict[str, object], weights: bool) -> None:
    attention = nn.MultiheadAttention(8, 2, **arguments)
    module = Of(lambda s, q, k, v: s.attention(q, k, v, need_weights=weights), attention=attention)
    k, v = arguments.get("kdim", 8), arguments.get("vdim", 8)
    check(stirred(module), R(3, 5, 8), R(3, 5, k), R(3, 5, v))


@pytest.mark.parametrize(
    ("argument", "mask", "more"),
    [
        ("key_padding_mask", "padding", {"need_weights": False}),
        ("key_padding_mask", "padding", {"need_weights": True}),
        ("attn_mask", "added", {"need_weights": False}),
        ("attn_mask", "causal", {"need_weights": False, "is_causal": True}),
        ("attn_mask", "causal", {"average_attn_weights": False}),
    ],
)
def test_multihead_attention_with_a_mask(argument: str, mask: str, more: dict[str, object]) -> None:
    def attend(self: nn.Module, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x, **{argument: mask}, **more)

    module = Of(attend, attention=nn.MultiheadAttention(8, 2, batch_first=True))
    check(stirred(module), R(3, 5, 8), MASKS[mask])


def test_multihead_attention_unbatched_and_with_both_masks() -> None:
    module = Of(lambda s, x: s.a(x, x, x), a=nn.MultiheadAttention(8, 2))
    check(stirred(module), R(5, 8))
    both = Of(
        lambda s, x, m, k: s.a(x, x, x, attn_mask=m, key_padding_mask=k),
        a=nn.MultiheadAttention(8, 2, batch_first=True),
    )
    check(stirred(both), R(3, 5, 8), R(6, 5, 5), R(3, 5))


SDPA = {
    "plain": ({}, (2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 7), None),
    "added mask": ({}, (2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 7), lambda: R(5, 6)),
    "boolean mask": (
        {},
        *((2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 7)),
        lambda: torch.ones(2, 1, 5, 6).tril().bool(),
    ),
    "causal": ({"is_causal": True}, (2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 5, 8), None),
    "scale": ({"scale": 0.3}, (2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 7), None),
    "grouped": ({"enable_gqa": True}, (2, 4, 5, 8), (2, 2, 6, 8), (2, 2, 6, 7), None),
    "broadcast": ({}, (2, 4, 5, 8), (1, 4, 6, 8), (1, 4, 6, 7), None),
    "without heads": ({}, (2, 5, 8), (2, 6, 8), (2, 6, 7), None),
    "without batch": ({}, (5, 8), (6, 8), (6, 7), None),
    "five dimensions": ({}, (1, 2, 4, 5, 8), (1, 2, 4, 6, 8), (1, 2, 4, 6, 7), None),
}


@pytest.mark.parametrize("name", SDPA)
def test_scaled_dot_product_attention(name: str) -> None:
    arguments, q, k, v, mask = SDPA[name]
    module = Of(lambda *x: F.scaled_dot_product_attention(*x, **arguments))
    inputs = [R(q), R(k), R(v), *([mask()] if mask else [])]
    # torch's counter knows no grouped heads, and no others than (N, H, L, E) and what it flattens.
    graph = check(module, *inputs, macs=name not in ("grouped",))
    assert [node.op.kind for node in graph if not node.op.view] == ["attention"]


# --- transformers ------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer_layers(batch_first: bool, norm_first: bool) -> None:
    arguments = {"batch_first": batch_first, "norm_first": norm_first}
    check(stirred(nn.TransformerEncoderLayer(8, 2, 16, **arguments)), R(3, 5, 8))
    decoder = nn.TransformerDecoderLayer(8, 2, 16, activation="gelu", **arguments)
    check(stirred(decoder), R(3, 5, 8), R(3, 5, 8))


def encoder(**arguments: object) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, **arguments)


def test_transformer_encoder() -> None:
    check(stirred(encoder(norm=nn.LayerNorm(8))), R(3, 5, 8))


@pytest.mark.parametrize("nested", [True, False])
def test_transformer_encoder_with_padding(nested: bool) -> None:
    """Whether torch could leave the padding out depends on values: it does not."""
    layers = encoder(enable_nested_tensor=nested)
    net = stirred(Of(lambda s, x, m: s.layers(x, src_key_padding_mask=m), layers=layers))
    inputs = R(3, 5, 8), MASKS["padding"]
    graph, trace = observed(net, *inputs)
    assert len(graph.metadata.get("assumptions", ())) == nested
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        check_values(graph, trace, net, *inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_transformer_encoder_with_a_mask() -> None:
    net = Of(lambda s, x, m: s.e(x, mask=m, is_causal=True), e=encoder())
    check(stirred(net), R(3, 5, 8), MASKS["causal"])
    # torch looks into the mask for whether it is causal. Here it is made on the way, and known.
    size = nn.Transformer.generate_square_subsequent_mask
    check(stirred(Of(lambda s, x: s.e(x, mask=size(x.shape[1])), e=encoder())), R(3, 5, 8))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer(batch_first: bool) -> None:
    net = nn.Transformer(8, 2, 2, 2, 16, batch_first=batch_first)
    source, target = ((3, 5, 8), (3, 4, 8)) if batch_first else ((5, 3, 8), (4, 3, 8))
    check(stirred(net), R(source), R(target))


def test_transformer_with_a_mask_among_its_inputs() -> None:
    """torch looks into it for whether it is causal, which makes no difference in cost."""
    net = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    module = Of(lambda s, a, b, m: s.net(a, b, tgt_mask=m), net=net)
    check(stirred(module), R(3, 5, 8), R(3, 5, 8), MASKS["causal"], macs=False)


# --- networks ----------------------------------------------------------------------------------


class UNet(nn.Module):
    """Two levels, with what the way down saw beside what comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.bottom = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True)
        )
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        skip = self.down(x)
        y = self.head(torch.cat([self.up(self.bottom(skip)), skip], 1))
        mask = F.interpolate(y, size=(11, 7), mode="bilinear", align_corners=False)
        return {"out": mask, "classes": mask.argmax(1)}


class Detector(nn.Module):
    """One head on several levels: boxes, scores and the best of them."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)])
        self.lateral = nn.Conv2d(4, 4, 1)
        self.scores = nn.Conv2d(4, 6, 3, padding=1)
        self.boxes = nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        maps = []
        for level in self.levels:
            x = level(x).relu()
            maps.append(x)
        maps[0] = maps[0] + F.interpolate(self.lateral(maps[1]), scale_factor=2)
        scores = torch.cat(
            [self.scores(y).permute(0, 2, 3, 1).flatten(1, 2).sigmoid() for y in maps], 1
        )
        boxes = [self.boxes(y).exp().clamp(max=100) for y in maps]
        best, places = scores.amax(2).topk(5, dim=1)
        flat = torch.cat([y.flatten(2).transpose(1, 2) for y in boxes], 1)
        return boxes, best, flat.gather(1, places[..., None].expand(-1, -1, 8))


class WaveNet(nn.Module):
    """Dilated gated convolutions, with a sum of what each layer saw."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv1d(1, 4, 1)
        self.gates = nn.ModuleList([nn.Conv1d(4, 8, 2, dilation=2**n) for n in range(3)])
        self.skips = nn.ModuleList([nn.Conv1d(4, 6, 1) for _ in range(3)])
        self.rest = nn.ModuleList([nn.Conv1d(4, 4, 1) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.start(x), 0
        for gate, skip, rest in zip(self.gates, self.skips, self.rest, strict=True):
            a, b = gate(F.pad(x, (gate.dilation[0], 0))).chunk(2, 1)
            y = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(y)
            x = x + rest(y)
        return F.relu(total)


class Conformer(nn.Module):
    """Half a feed-forward, attention, a gated depthwise convolution, half a feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = (
            nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8))
            for _ in range(2)
        )
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.inward = nn.Conv1d(8, 16, 1)
        self.depthwise = nn.Conv1d(8, 8, 3, padding=1, groups=8)
        self.batch_norm = nn.BatchNorm1d(8)
        self.outward = nn.Conv1d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        y = F.glu(self.inward(x.transpose(1, 2)), dim=1)
        x = x + self.outward(F.silu(self.batch_norm(self.depthwise(y)))).transpose(1, 2)
        return x + 0.5 * self.last(x)


class Demucs(nn.Module):
    """Strided convolutions with GLUs, a two-way LSTM, transposed convolutions back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv1d(2, 4, 8, 4), nn.GroupNorm(1, 4), nn.ReLU(), nn.Conv1d(4, 8, 1), nn.GLU(1)
        )
        self.lstm = nn.LSTM(4, 4, 2, bidirectional=True)
        self.linear = nn.Linear(8, 4)
        self.up = nn.Sequential(
            nn.Conv1d(4, 8, 3, padding=1), nn.GLU(1), nn.ConvTranspose1d(4, 2, 8, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2), keepdim=True)
        scale = x.std((1, 2), keepdim=True)
        y = self.down((x - mean) / (1e-5 + scale))
        z, _ = self.lstm(y.permute(2, 0, 1))
        y = y + self.linear(z).permute(1, 2, 0)
        return self.up(y) * scale + mean


class ViT(nn.Module):
    """Patches, a class token, learned positions, blocks whose attention is written out."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.zeros(1, 5, 8))
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.ones(8))
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / (c // 2) ** 0.5).softmax(-1)
        x = x + self.scale * self.out((weights @ v).transpose(1, 2).reshape(b, n, c))
        return self.head(x[:, 0])


class LanguageModel(nn.Module):
    """Rotary positions, grouped heads, RMS norms, a gated feed-forward and a tied head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.norm, self.norm2 = nn.RMSNorm(8), nn.RMSNorm(8)
        self.q, self.kv = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.gate, self.up = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)
        self.down = nn.Linear(12, 8, bias=False)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def rotated(self, x: Tensor) -> Tensor:
        frequency = 1.0 / 100 ** (torch.arange(0, 4, 2) / 4)
        angles = torch.outer(torch.arange(x.shape[-2]).float(), frequency).repeat(1, 2)
        a, b = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-b, a], -1) * angles.sin()

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        y = self.norm(x)
        q = self.rotated(self.q(y).unflatten(-1, (2, 4)).transpose(1, 2))
        k, v = self.kv(y).unflatten(-1, (2, 1, 4)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, self.rotated(k), v, is_causal=True, enable_gqa=True)
        x = x + y.transpose(1, 2).flatten(2)
        y = self.norm2(x)
        return self.head(x + self.down(F.silu(self.gate(y)) * self.up(y)))


class GRUSpeller(nn.Module):
    """An encoder's last state, then a cell that attends, step by step, over what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(5, 6, batch_first=True, bidirectional=True)
        self.cell = nn.GRUCell(12, 12)
        self.out = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        memory, last = self.encoder(x)
        state = last.transpose(0, 1).reshape(x.shape[0], 12)
        letters = []
        for _ in range(3):
            weights = torch.einsum("btc,bc->bt", memory, state).softmax(1)
            state = self.cell(torch.einsum("bt,btc->bc", weights, memory), state)
            letters.append(self.out(state))
        return torch.stack(letters, 1)


NETWORKS = {
    "u-net": (UNet, (2, 3, 8, 8)),
    "detector": (Detector, (2, 3, 16, 16)),
    "wavenet": (WaveNet, (2, 1, 16)),
    "conformer": (Conformer, (2, 6, 8)),
    "demucs": (Demucs, (2, 2, 40)),
    "vit": (ViT, (2, 3, 8, 8)),
    "language model": (LanguageModel, lambda: indices(2, 6)),
    "speller": (GRUSpeller, (2, 4, 5)),
    "inverted residual": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 1, bias=False),
            *(nn.BatchNorm2d(8), nn.Hardswish(inplace=True)),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            *(nn.BatchNorm2d(8), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1)),
            *(nn.Flatten(), nn.Linear(8, 10)),
        ),
        IMAGE,
    ),
    "3-d": (
        lambda: nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.BatchNorm3d(4), nn.MaxPool3d(2)),
        (1, 3, 4, 4, 4),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str) -> None:
    make, input_ = NETWORKS[name]
    # torch's counter knows no grouped heads.
    check(stirred(make()), made(input_), macs=name != "language model")


# --- weights that are shared, computed, or of another's form ------------------------------------


def test_a_module_called_twice_and_one_under_two_names() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.alias = self.layer
            self.other = nn.Linear(4, 4)
            self.other.weight = self.layer.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.other(self.alias(self.layer(x)))

    graph = check(stirred(Twice()), R(2, 4))
    assert [node.name for node in graph] == ["layer", "layer_2", "other"]
    assert [p.name for p in graph.parameters] == ["layer.weight", "layer.bias", "other.bias"]


@pytest.mark.parametrize(
    "change",
    [parametrizations.weight_norm, parametrizations.spectral_norm, parametrizations.orthogonal],
)
def test_weights_that_are_computed(change: object) -> None:
    """A layer whose weights come of others is one still, and those others are what is stored."""
    net = stirred(nn.Sequential(change(nn.Linear(4, 4)), nn.ReLU()))
    known = change is not parametrizations.orthogonal
    # The product of the weights themselves is none of the layer's to torch's counter either.
    check(net, R(2, 4), known=known, values=known, macs=change is parametrizations.weight_norm)


def test_convolution_whose_weights_are_computed() -> None:
    net = parametrizations.weight_norm(nn.Conv2d(4, 6, 3, padding=1))
    graph = check(stirred(net), R(IMAGE))
    assert "dynamic_conv" in {node.op.kind for node in graph}
    net = parametrizations.weight_norm(nn.ConvTranspose1d(4, 6, 3, 2), dim=1)
    check(stirred(net), R(2, 4, 8))


def test_in_training() -> None:
    """Norms take the batch's statistics, and torch's own in training are what is compared."""
    net = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Dropout(0.5), nn.ReLU())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    graph, _ = observed(net.train(), R(IMAGE))
    assert [node.op.kind for node in graph] == ["conv", "batch_norm", "dropout", "relu"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    check(net.train(), R(IMAGE), values=False, macs=True)
