"""What each of Caffe's layers becomes.

Shapes and parameters are those of Caffe's own layers, worked out by hand from
``src/caffe/layers`` (Windows: ``ceil((in + 2 * pad - kernel) / stride) + 1`` ...).
"""

from __future__ import annotations

import pytest
from caffe_texts import single, sizes, totals

from archcost.sources.caffe.table import LAYERS
from archcost.targets import to_torch

C3 = "convolution_param { num_output: 8 kernel_size: 3 "
IP = "inner_product_param { num_output: 10 "
P3 = "pooling_param { kernel_size: 3 stride: 2 "

# (type, fields, bottoms' shapes, outputs' shapes, parameters)
CASES = [
    ("Convolution", C3 + "}", ["2x3x9x7"], ["2x8x7x5"], 8 * 27 + 8),
    ("Convolution", C3 + "pad: 1 stride: 2 bias_term: false }", ["1x3x9x8"], ["1x8x5x4"], 8 * 27),
    ("Convolution", C3 + "dilation: 2 pad: 2 }", ["1x3x9x9"], ["1x8x9x9"], 8 * 27 + 8),
    ("Convolution", C3 + "group: 2 }", ["1x4x9x9"], ["1x8x7x7"], 8 * 2 * 9 + 8),
    ("Convolution", C3 + "kernel_size: 1 pad: [1, 0] }", ["1x3x9x9"], ["1x8x9x9"], 8 * 9 + 8),
    (
        "Convolution",
        "convolution_param { num_output: 4 kernel_h: 1 kernel_w: 5 pad_w: 2 stride_h: 3 }",
        ["1x3x9x9"],
        ["1x4x3x9"],
        4 * 15 + 4,
    ),
    ("Convolution", C3 + "}", ["1x2x5x6x7"], ["1x8x3x4x5"], 8 * 2 * 27 + 8),
    ("Convolution", C3 + "}", ["1x3x9x9", "1x3x5x5"], ["1x8x7x7", "1x8x3x3"], 8 * 27 + 8),
    ("Deconvolution", C3 + "stride: 2 pad: 1 }", ["1x3x5x6"], ["1x8x9x11"], 8 * 27 + 8),
    ("Deconvolution", C3 + "group: 4 }", ["1x4x5x5"], ["1x8x7x7"], 4 * 2 * 9 + 8),
    ("ConvolutionDepthwise", C3[:-17] + "6 kernel_size: 3 }", ["1x6x9x9"], ["1x6x7x7"], 6 * 10),
    ("DepthwiseConvolution", C3 + "}", ["1x4x9x9"], ["1x8x7x7"], 8 * 10),
    ("InnerProduct", IP + "}", ["2x3x4x5"], ["2x10"], 600 + 10),
    ("InnerProduct", IP + "bias_term: false }", ["2x7"], ["2x10"], 70),
    ("InnerProduct", IP + "axis: 2 }", ["2x3x4x5"], ["2x3x10"], 200 + 10),
    ("InnerProduct", IP + "axis: -1 }", ["2x3x4"], ["2x3x10"], 40 + 10),
    ("InnerProduct", IP + "}", ["2x3x4"], ["2x10"], 120 + 10),
    ("Pooling", P3 + "}", ["1x2x8x9"], ["1x2x4x4"], 0),
    ("Pooling", P3 + "pool: AVE pad: 1 }", ["1x2x8x8"], ["1x2x5x5"], 0),
    # The last window would begin in the padding: clipped, and not where there is no padding.
    ("Pooling", "pooling_param { kernel_size: 2 stride: 2 pad: 1 }", ["1x2x7x9"], ["1x2x4x5"], 0),
    ("Pooling", "pooling_param { kernel_size: 1 stride: 2 }", ["1x2x8x9"], ["1x2x5x5"], 0),
    ("Pooling", P3 + "round_mode: FLOOR }", ["1x2x8x9"], ["1x2x3x4"], 0),
    ("Pooling", P3 + "pool: STOCHASTIC }", ["1x2x8x9"], ["1x2x4x4"], 0),
    ("Pooling", "pooling_param { kernel_h: 2 kernel_w: 4 }", ["1x2x8x9"], ["1x2x7x6"], 0),
    ("Pooling", "pooling_param { pool: AVE global_pooling: true }", ["1x2x8x9"], ["1x2x1x1"], 0),
    ("LRN", "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }", ["1x9x4x4"], ["1x9x4x4"], 0),
    ("LRN", "", ["1x9x4x4"], ["1x9x4x4"], 0),
    ("BatchNorm", "batch_norm_param { use_global_stats: true }", ["1x6x4x4"], ["1x6x4x4"], 0),
    ("BatchNorm", "batch_norm_param { scale_bias: true }", ["1x6x4x4"], ["1x6x4x4"], 12),
    ("BN", "bn_param { slope_filler { value: 1 } }", ["1x6x4x4"], ["1x6x4x4"], 12),
    ("BN", "bn_param { bn_mode: INFERENCE }", ["1x6x4x4"], ["1x6x4x4"], 12),
    ("MVN", "", ["2x6x4x4"], ["2x6x4x4"], 0),
    ("MVN", "mvn_param { across_channels: true }", ["2x6x4x4"], ["2x6x4x4"], 0),
    ("MVN", "mvn_param { normalize_variance: false }", ["2x6x4x4"], ["2x6x4x4"], 0),
    ("Scale", "scale_param { bias_term: true }", ["2x6x4x4"], ["2x6x4x4"], 12),
    ("Scale", "scale_param { num_axes: -1 }", ["2x6x4x5"], ["2x6x4x5"], 120),
    ("Scale", "scale_param { axis: 2 num_axes: 1 bias_term: true }", ["2x6x4x5"], ["2x6x4x5"], 8),
    ("Scale", "scale_param { num_axes: 0 }", ["2x6x4x5"], ["2x6x4x5"], 1),
    ("Scale", "", ["2x6x4x5", "6"], ["2x6x4x5"], 0),
    ("Scale", "scale_param { axis: 0 bias_term: true }", ["2x6x4x5", "2x6"], ["2x6x4x5"], 12),
    ("Bias", "", ["2x6x4x5"], ["2x6x4x5"], 6),
    ("Bias", "bias_param { axis: 2 num_axes: 2 }", ["2x6x4x5"], ["2x6x4x5"], 20),
    ("Bias", "bias_param { axis: 0 }", ["2x6x4x5", "2x6"], ["2x6x4x5"], 0),
    ("Eltwise", "", ["1x6x4x4"] * 3, ["1x6x4x4"], 0),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", ["1x6x4x4"] * 2, ["1x6x4x4"], 0),
    ("Eltwise", "eltwise_param { operation: PROD }", ["1x6x4x4"] * 2, ["1x6x4x4"], 0),
    ("Eltwise", "eltwise_param { operation: MAX }", ["1x6x4x4"] * 2, ["1x6x4x4"], 0),
    ("Concat", "", ["1x6x4x4", "1x2x4x4"], ["1x8x4x4"], 0),
    ("Concat", "concat_param { axis: -1 }", ["1x6x4x4", "1x6x4x1"], ["1x6x4x5"], 0),
    ("Concat", "concat_param { concat_dim: 2 }", ["1x6x4x4", "1x6x1x4"], ["1x6x5x4"], 0),
    ("Slice", "", ["1x6x4x4"], ["1x3x4x4"] * 2, 0),
    (
        "Slice",
        "slice_param { axis: 2 slice_point: 1 slice_point: 3 }",
        ["1x6x4x4"],
        ["1x6x1x4", "1x6x2x4", "1x6x1x4"],
        0,
    ),
    ("Flatten", "", ["2x6x4x4"], ["2x96"], 0),
    ("Flatten", "flatten_param { axis: 2 end_axis: -1 }", ["2x6x4x4"], ["2x6x16"], 0),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", ["2x6x4x4"], ["2x96"], 0),
    (
        "Reshape",
        "reshape_param { shape { dim: 0 dim: 0 dim: 2 dim: -1 } }",
        ["2x6x4x4"],
        ["2x6x2x8"],
        0,
    ),
    (
        "Reshape",
        "reshape_param { shape { dim: 3 dim: 2 } axis: 1 num_axes: 1 }",
        ["2x6x4x4"],
        ["2x3x2x4x4"],
        0,
    ),
    ("Reshape", "reshape_param { shape { dim: -1 dim: 48 } }", ["2x6x4x4"], ["4x48"], 0),
    ("Crop", "", ["1x6x9x9", "1x2x5x4"], ["1x6x5x4"], 0),
    ("Crop", "crop_param { axis: 1 offset: 1 }", ["1x6x9x9", "1x2x5x4"], ["1x2x5x4"], 0),
    ("Crop", "crop_param { offset: [3, 4] }", ["1x6x9x9", "1x2x5x4"], ["1x6x5x4"], 0),
    ("AbsVal", "", ["1x6"], ["1x6"], 0),
    ("BNLL", "", ["1x6"], ["1x6"], 0),
    ("Sigmoid", "", ["1x6"], ["1x6"], 0),
    ("TanH", "", ["1x6"], ["1x6"], 0),
    ("ReLU", "", ["1x6"], ["1x6"], 0),
    ("ReLU", "relu_param { negative_slope: 0.1 }", ["1x6"], ["1x6"], 0),
    ("ReLU6", "", ["1x6"], ["1x6"], 0),
    ("PReLU", "", ["1x6x2x2"], ["1x6x2x2"], 6),
    ("PReLU", "prelu_param { channel_shared: true }", ["1x6x2x2"], ["1x6x2x2"], 1),
    ("ELU", "elu_param { alpha: 0.5 }", ["1x6"], ["1x6"], 0),
    ("Swish", "", ["1x6"], ["1x6"], 0),
    ("Swish", "swish_param { beta: 2 }", ["1x6"], ["1x6"], 0),
    ("Clip", "clip_param { min: 0 max: 6 }", ["1x6"], ["1x6"], 0),
    ("Power", "power_param { power: 2 scale: 0.5 shift: 1 }", ["1x6"], ["1x6"], 0),
    ("Power", "power_param { power: 0.75 }", ["1x6"], ["1x6"], 0),
    ("Power", "", ["1x6"], ["1x6"], 0),
    ("Exp", "exp_param { base: 2 shift: 1 }", ["1x6"], ["1x6"], 0),
    ("Log", "log_param { base: 10 scale: 2 }", ["1x6"], ["1x6"], 0),
    ("Threshold", "threshold_param { threshold: 0.5 }", ["1x6"], ["1x6"], 0),
    ("Dropout", "dropout_param { dropout_ratio: 0.2 }", ["1x6"], ["1x6"], 0),
    ("Softmax", "", ["1x6x4x4"], ["1x6x4x4"], 0),
    ("Softmax", "softmax_param { axis: -1 }", ["1x6x4x4"], ["1x6x4x4"], 0),
    ("ArgMax", "", ["2x6x4x4"], ["2x1x1"], 0),
    ("ArgMax", "argmax_param { top_k: 3 out_max_val: true }", ["2x6"], ["2x2x3"], 0),
    ("ArgMax", "argmax_param { axis: 1 }", ["2x6x4x4"], ["2x1x4x4"], 0),
    ("ArgMax", "argmax_param { axis: 1 top_k: 5 out_max_val: true }", ["2x6x4"], ["2x5x4"], 0),
    ("Reduction", "reduction_param { axis: 1 operation: MEAN }", ["2x6x4x4"], ["2"], 0),
    ("Reduction", "reduction_param { axis: 2 operation: SUMSQ coeff: 2 }", ["2x6x4"], ["2x6"], 0),
    ("Reduction", "reduction_param { axis: -1 operation: ASUM }", ["2x6x4"], ["2x6"], 0),
    ("Tile", "tile_param { axis: 2 tiles: 3 }", ["2x6x4"], ["2x6x12"], 0),
    ("Embed", "embed_param { num_output: 5 input_dim: 100 }", ["2x7"], ["2x7x5"], 505),
    (
        "Embed",
        "embed_param { num_output: 5 input_dim: 100 bias_term: false }",
        ["2x7"],
        ["2x7x5"],
        500,
    ),
    ("Im2col", "convolution_param { kernel_size: 3 }", ["1x2x5x6"], ["1x18x3x4"], 0),
    ("SPP", "spp_param { pyramid_height: 3 }", ["1x4x9x10"], ["1x84"], 0),
    ("SPP", "spp_param { pyramid_height: 1 pool: AVE }", ["1x4x9x10"], ["1x4x1x1"], 0),
    ("BatchReindex", "", ["5x3x2", "4"], ["4x3x2"], 0),
    ("Filter", "", ["5x3x2", "5"], ["5x3x2"], 0),
    ("Interp", "interp_param { height: 9 width: 7 }", ["1x3x4x4"], ["1x3x9x7"], 0),
    ("Interp", "interp_param { zoom_factor: 8 }", ["1x3x5x4"], ["1x3x33x25"], 0),
    ("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 }", ["1x3x9x8"], ["1x3x4x4"], 0),
    ("Permute", "permute_param { order: [0, 2, 3, 1] }", ["1x3x4x5"], ["1x4x5x3"], 0),
    ("Permute", "permute_param { order: 1 }", ["2x3x4x5"], ["3x2x4x5"], 0),
    (
        "Normalize",
        "norm_param { across_spatial: false channel_shared: false }",
        ["1x6x4x4"],
        ["1x6x4x4"],
        6,
    ),
    ("Normalize", "", ["1x6x4x4"], ["1x6x4x4"], 1),
    (
        # 1, 2, 1/2, 3, 1/3 of the least size and one between least and most: 6 boxes.
        "PriorBox",
        "prior_box_param { min_size: 60 max_size: 114 aspect_ratio: 2 aspect_ratio: 3 flip: true }",
        ["1x9x19x19", "1x3x300x300"],
        [f"1x2x{19 * 19 * 6 * 4}"],
        0,
    ),
    (
        "DetectionOutput",
        "detection_output_param { num_classes: 21 keep_top_k: 200 }",
        ["1x40", "1x210", "1x2x40"],
        ["1x1x200x7"],
        0,
    ),
    (
        "ROIPooling",
        "roi_pooling_param { pooled_h: 7 pooled_w: 6 spatial_scale: 0.0625 }",
        ["1x8x20x20", "30x5"],
        ["30x8x7x6"],
        0,
    ),
    (
        "PSROIPooling",
        "psroi_pooling_param { output_dim: 21 group_size: 7 spatial_scale: 0.0625 }",
        ["1x1029x20x20", "30x5"],
        ["30x21x7x7"],
        0,
    ),
    ("Proposal", "", ["1x18x14x14", "1x36x14x14", "1x3"], ["300x5"], 0),
    (
        "Python",
        'python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" }',
        ["1x18x14x14", "1x36x14x14", "1x3"],
        ["300x5"],
        0,
    ),
    ("ShuffleChannel", "shuffle_channel_param { group: 3 }", ["1x6x4x4"], ["1x6x4x4"], 0),
    ("Axpy", "", ["2x6x1x1", "2x6x4x4", "2x6x4x4"], ["2x6x4x4"], 0),
    ("Axpy", "", ["2x6", "2x6x4x4", "2x6x4x4"], ["2x6x4x4"], 0),
    ("Upsample", "upsample_param { scale: 2 }", ["1x6x4x5"], ["1x6x8x10"], 0),
    ("Reorg", "reorg_param { stride: 2 }", ["1x6x4x6"], ["1x24x2x3"], 0),
    ("Mish", "", ["1x6"], ["1x6"], 0),
    ("HardSwish", "", ["1x6"], ["1x6"], 0),
    (
        "LSTM",
        "recurrent_param { num_output: 50 }",
        ["20x4x100", "20x4"],
        ["20x4x50"],
        200 * 150 + 200,
    ),
    (
        "RNN",
        "recurrent_param { num_output: 30 }",
        ["20x4x5x2", "20x4"],
        ["20x4x30"],
        30 * 40 + 30 + 30 * 31,
    ),
    (
        "LSTM",
        "recurrent_param { num_output: 50 expose_hidden: true }",
        ["20x4x100", "20x4", "1x4x50", "1x4x50"],
        ["20x4x50", "1x4x50", "1x4x50"],
        200 * 150 + 200,
    ),
]


@pytest.mark.parametrize(
    ("type_", "fields", "inputs", "outputs", "params"),
    [pytest.param(*case, id=f"{index}-{case[0]}") for index, case in enumerate(CASES)],
)
def test_layer(type_, fields, inputs, outputs, params):
    recurrent = type_ in ("LSTM", "RNN")
    batch = None if recurrent else int(inputs[0].split("x")[0])
    graph = single(type_, fields, inputs, outputs, batch=batch)
    assert [sizes(value) for value in graph.outputs] == outputs
    assert totals(graph).params == params
    assert "assumptions" not in graph.metadata or type_ in ("Proposal", "Python", "Pooling")
    assert all(node.source == f"net.prototxt:{node.source.split(':')[1]}:1" for node in graph)


def test_every_type_has_a_case():
    tested = {case[0].replace("_", "").lower() for case in CASES}
    others = {"input", "split", "parameter", "gelu", "selu", "softplus", "silu", "hardsigmoid"}
    assert LAYERS.keys() - tested - others == set()


# Layers that archcost does not know, or that torch alone does not have.
OUTSIDE_TORCH = ("Filter", "DetectionOutput", "ROIPooling", "PSROIPooling", "Proposal", "Python")


@pytest.mark.parametrize(
    ("type_", "fields", "inputs", "outputs", "params"),
    [
        pytest.param(*case, id=f"{index}-{case[0]}")
        for index, case in enumerate(CASES)
        if case[0] not in OUTSIDE_TORCH
    ],
)
def test_layer_in_torch(type_, fields, inputs, outputs, params):
    torch = pytest.importorskip("torch")
    batch = None if type_ in ("LSTM", "RNN") else int(inputs[0].split("x")[0])
    graph = single(type_, fields, inputs, outputs, batch=batch)
    module = to_torch(graph).eval()
    found = module(*(torch.rand(value.shape) for value in graph.inputs))
    found = found if isinstance(found, tuple) else (found,)
    assert ["x".join(map(str, y.shape)) for y in found] == outputs
    assert sum(p.numel() for p in module.parameters()) == params


# type, fields, inputs -> Caffe's formula
FORMULAS = [
    ("Swish", "swish_param { beta: 2 }", ["2x6"], lambda t, x: x * t.sigmoid(2 * x)),
    ("Exp", "exp_param { base: 2 shift: 1 scale: 3 }", ["2x6"], lambda t, x: 2 ** (1 + 3 * x)),
    ("Exp", "", ["2x6"], lambda t, x: t.exp(x)),
    ("Log", "log_param { base: 10 scale: 2 }", ["2x6"], lambda t, x: t.log10(2 * x)),
    ("BNLL", "", ["2x6"], lambda t, x: t.log(1 + t.exp(x))),
    (
        "Power",
        "power_param { power: 1.5 scale: 2 shift: 1 }",
        ["2x6"],
        lambda t, x: (1 + 2 * x) ** 1.5,
    ),
    ("Power", "power_param { power: -1 shift: 1 }", ["2x6"], lambda t, x: 1 / (1 + x)),
    ("Power", "power_param { power: -0.5 shift: 1 }", ["2x6"], lambda t, x: (1 + x) ** -0.5),
    ("Threshold", "threshold_param { threshold: 0.5 }", ["2x6"], lambda t, x: (x > 0.5).float()),
    ("Clip", "clip_param { min: 0.2 max: 0.7 }", ["2x6"], lambda t, x: x.clamp(0.2, 0.7)),
    (
        "Eltwise",
        "eltwise_param { coeff: 1 coeff: -0.5 }",
        ["2x6", "2x6"],
        lambda t, x, y: x - 0.5 * y,
    ),
    ("Axpy", "", ["2x6", "2x6x4x4", "2x6x4x4"], lambda t, a, x, y: a[:, :, None, None] * x + y),
    ("Scale", "", ["2x6x4x4", "6"], lambda t, x, w: x * w[None, :, None, None]),
    ("Bias", "bias_param { axis: 0 }", ["2x6x4x4", "2x6"], lambda t, x, w: x + w[:, :, None, None]),
    (
        "Reduction",
        "reduction_param { axis: 1 operation: SUMSQ coeff: 2 }",
        ["2x6x4"],
        lambda t, x: 2 * (x * x).sum((1, 2)),
    ),
    (
        "Reduction",
        "reduction_param { axis: 1 operation: ASUM }",
        ["2x6x4"],
        lambda t, x: x.abs().sum((1, 2)),
    ),
    (
        "MVN",
        "",
        ["2x6x4x4"],
        lambda t, x: (x - x.mean((2, 3), True)) / x.std((2, 3), correction=0, keepdim=True),
    ),
    (
        "MVN",
        "mvn_param { normalize_variance: false across_channels: true }",
        ["2x6x4x4"],
        lambda t, x: x - x.mean((1, 2, 3), True),
    ),
    (
        "ArgMax",
        "argmax_param { top_k: 2 out_max_val: true }",
        ["2x6"],
        lambda t, x: t.stack([v.float() for v in reversed(x.topk(2))], 1),
    ),
    ("ArgMax", "argmax_param { axis: 1 }", ["2x6x4"], lambda t, x: x.argmax(1, keepdim=True)),
    ("Tile", "tile_param { axis: 1 tiles: 2 }", ["2x3"], lambda t, x: t.cat([x, x], 1)),
    (
        "Interp",
        "interp_param { height: 9 width: 7 }",
        ["2x3x4x4"],
        lambda t, x: t.nn.functional.interpolate(
            x, size=(9, 7), mode="bilinear", align_corners=True
        ),
    ),
    ("Permute", "permute_param { order: 1 }", ["2x3x4"], lambda t, x: x.permute(1, 0, 2)),
    (
        "Im2col",
        "convolution_param { kernel_size: 3 stride: 2 pad: 1 }",
        ["2x3x5x6"],
        lambda t, x: t.nn.functional.unfold(x, 3, padding=1, stride=2).reshape(2, 27, 3, 3),
    ),
    (
        "Crop",
        "crop_param { axis: 1 offset: [1, 2, 0] }",
        ["2x6x9x9", "2x2x5x4"],
        lambda t, x, like: x[:, 1:3, 2:7, :4],
    ),
    (
        "SPP",
        "spp_param { pyramid_height: 2 }",
        ["2x3x4x4"],
        lambda t, x: t.cat(
            [x.amax((2, 3)), t.nn.functional.max_pool2d(x, 2).flatten(1)],
            1,
        ),
    ),
    (
        "Normalize",
        "norm_param { across_spatial: false }",
        ["2x6x4x4"],
        lambda t, x: x / x.norm(dim=1, keepdim=True),
    ),
    (
        "Reorg",
        "reorg_param { stride: 2 }",
        ["2x3x4x4"],
        lambda t, x: t.nn.functional.pixel_unshuffle(x, 2),
    ),
]


@pytest.mark.parametrize(
    ("type_", "fields", "inputs", "formula"),
    [pytest.param(*case, id=f"{index}-{case[0]}") for index, case in enumerate(FORMULAS)],
)
def test_values(type_, fields, inputs, formula):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    graph = single(type_, fields, inputs, ["?"], batch=int(inputs[0].split("x")[0]))
    module = to_torch(graph).eval()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    given_ = [torch.rand(value.shape) for value in graph.inputs]
    torch.testing.assert_close(module(*given_), formula(torch, *given_), atol=1e-3, rtol=1e-3)
