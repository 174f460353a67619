"""Layer types of Caffe's forks, as far as one meaning is common to them.

DenseNet, MobileNet and ShuffleNet's layers; those of SegNet, DeepLab and PSPNet; of Fast(er) R-CNN,
R-FCN, SSD and YOLO.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from math import prod
from typing import Final

from archcost.ir import Value, shape_text
from archcost.sources.caffe.convolution import geometry, over_bottoms
from archcost.sources.caffe.functions import function
from archcost.sources.caffe.layer import NAMES, Layer, layer_type

for _name, _kind in {
    "ReLU6": "relu6",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish",
    "Mish": "mish",
    "GELU": "gelu",
    "SELU": "selu",
    "Softplus": "softplus",
    "SiLU": "silu",
}.items():
    layer_type(_name)(function(_kind))


@layer_type("ConvolutionDepthwise", "DepthwiseConvolution")
def depthwise(layer: Layer) -> Sequence[Value]:
    """A convolution in as many groups as its bottom has channels."""
    layer.count(1)
    section = layer.section("convolution_param")
    shape = geometry(layer, section)
    channels = layer.bottom.shape[1]
    if (groups := section.integer("group", channels, 1)) != channels:
        layer.wrong(f"has {groups} groups for {channels} channels")
    op = layer.make(
        "conv",
        out=section.integer("num_output", channels, 1),
        groups=channels,
        bias=section.boolean("bias_term", True),
        **shape,
    )
    return over_bottoms(layer, op)


@layer_type("BN")
def batch_norm_with_scale(layer: Layer) -> Sequence[Value]:
    """Batch normalisation with a scale and a shift. SegNet's for inference, ``bn_mode: INFERENCE``,
    has these two alone, the statistics folded in."""
    layer.count(1, 1)
    section = layer.section("bn_param")
    for name in (
        "slope_filler",
        "bias_filler",
        "shift_filler",
        "momentum",
        "frozen",
        "moving_average",
    ):
        section.entries(name)
    layer.section("batch_norm_param").entries("use_global_stats")
    if section.choice("bn_mode", {"LEARN": 0, "INFERENCE": 1}, "LEARN") == "INFERENCE":
        return layer.op("scale_shift")
    return layer.op("batch_norm", eps=section.number("eps", 1e-5))


@layer_type("ShuffleChannel")
def shuffle_channel(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("shuffle_channel_param")
    return layer.op("channel_shuffle", groups=section.integer("group", 1, 1))


@layer_type("Axpy")
def axpy(layer: Layer) -> Sequence[Value]:
    """a * x + y, with a number a for each channel of x (squeeze-and-excitation's scaling)."""
    layer.count(3, 3)
    a, x, y = layer.bottoms
    if len(a.shape) < len(x.shape):
        ones = (1,) * (len(x.shape) - len(a.shape))
        a = layer.part("reshape", "reshape", [a], shape=(*a.shape[1:], *ones))
    product = layer.part("product", "product", [x, a])
    return [layer.part("sum", "sum", [product, y])]


@layer_type("Permute")
def permute(layer: Layer) -> Sequence[Value]:
    """The dimensions that ``order`` names first, the others behind them."""
    layer.count(1, 1)
    order = layer.section("permute_param").integers("order")
    rest = [dim for dim in range(layer.rank) if dim not in order]
    if sorted([*order, *rest]) != list(range(layer.rank)):
        layer.wrong(f"has the order {order!s:.40} for a bottom {shape_text(layer.bottom.shape)}")
    return layer.op("permute", dims=(*order, *rest))


@layer_type("Interp")
def interpolate(layer: Layer) -> Sequence[Value]:
    """Bilinear, corners on corners, to ``height`` and ``width``, by ``zoom_factor`` or
    ``shrink_factor``, or to the size of a second bottom; negative pads crop before."""
    layer.count(1, 2)
    section = layer.section("interp_param")
    x = layer.bottom
    if layer.rank != 4:
        layer.wrong("needs a bottom (N, C, H, W)")
    begin, end = (section.integer(name, 0, -(2**20)) for name in ("pad_beg", "pad_end"))
    if begin > 0 or end > 0:
        layer.wrong("has a positive pad_beg or pad_end; it only crops")
    if begin or end:
        for dim in (2, 3):
            stop = x.shape[dim] + end
            cut = {"dim": dim, "start": -begin, "stop": stop}
            x = layer.part(f"slice{dim}", "slice", [x], **cut)
    sizes = [_interpolated(layer, n) for n in x.shape[2:]]
    if len(layer.bottoms) == 2:
        sizes = list(layer.bottoms[1].shape[2:])
    elif "height" in section or "width" in section:
        sizes = [section.required(name, layer.called) for name in ("height", "width")]
    return layer.op("upsample", [x], size=tuple(sizes), mode="bilinear", align_corners=True)


def _interpolated(layer: Layer, n: int) -> int:
    section = layer.section("interp_param")
    zoom, shrink = (section.integer(name, 1, 1) for name in ("zoom_factor", "shrink_factor"))
    if shrink != 1:
        n = (n - 1) // shrink + 1
    return n + (n - 1) * (zoom - 1)


@layer_type("Upsample")
def upsample(layer: Layer) -> Sequence[Value]:
    """Nearest neighbours, by ``scale``; with a second bottom, which is where a pool's maxima lay,
    each element goes back there (SegNet)."""
    layer.count(1, 2)
    section = layer.section("upsample_param")
    scale = section.integer("scale", 2, 1)
    if len(layer.bottoms) == 1:
        return layer.op("upsample", scale=scale)
    x, places = layer.bottoms
    size = None
    if "upsample_h" in section or "upsample_w" in section:
        names = ("upsample_h", "upsample_w")
        size = tuple(section.required(name, layer.called) for name in names)
    return layer.op("max_unpool", [x, layer.integers(places)], kernel=scale, size=size)


@layer_type("Reorg")
def reorganise(layer: Layer) -> Sequence[Value]:
    """Blocks of ``stride`` x ``stride`` positions as channels (YOLOv2)."""
    layer.count(1, 1)
    section = layer.section("reorg_param")
    inverse = not section.boolean("reverse", False)
    return layer.op("pixel_shuffle", factor=section.integer("stride", 2, 1), inverse=inverse)


@layer_type("Normalize")
def normalize(layer: Layer) -> Sequence[Value]:
    """Divided by the L2 norm of the channels at each place, or of the whole sample, and scaled by
    a weight for each channel or by one (SSD)."""
    layer.count(1, 1)
    section = layer.section("norm_param")
    section.number("eps", 1e-10)
    across = section.boolean("across_spatial", True)
    shared = section.boolean("channel_shared", True)
    x = layer.bottom
    dims = tuple(range(1, layer.rank if across else 2))
    norm = layer.part("norm", "reduce_l2", [x], dims=dims, keep=True)
    quotient = layer.part("quotient", "quotient", [x, norm])
    if not shared:
        return [layer.part("scale", "scale_shift", [quotient], bias=False)]
    return [layer.part("scale", "product", [quotient, layer.weight("weight", (1,))])]


MOST_RATIOS: Final = 1000


@layer_type("PriorBox")
def prior_box(layer: Layer) -> Sequence[Value]:
    """(1, 2, H * W * priors * 4): corners of the boxes at each place, and their variances (SSD).

    They depend on the bottoms' sizes alone. A place has a box for each minimum size and aspect
    ratio (1 is always one, and ``flip`` adds the inverse of each other) and one for each maximum.
    """
    layer.count(2, 2)
    section = layer.section("prior_box_param")
    for name in _PRIOR:
        section.entries(name)
    flip = section.boolean("flip", True)
    ratios = [1.0]
    for ratio in section.numbers("aspect_ratio"):
        if ratio <= 0:
            layer.wrong(f"has the aspect ratio {ratio}")
        if len(ratios) > MOST_RATIOS:
            layer.wrong(f"has more than {MOST_RATIOS} aspect ratios")
        for new in (ratio, 1 / ratio) if flip else (ratio,):
            if all(abs(new - other) >= 1e-6 for other in ratios):
                ratios.append(new)
    least, most = section.numbers("min_size"), section.numbers("max_size")
    if not least or (most and len(most) != len(least)):
        layer.wrong("needs min_size, and as many of max_size if any")
    count = len(ratios) * len(least) + len(most)
    shape = (1, 2, prod(layer.bottom.shape[2:]) * count * 4)
    return layer.op("constant", [], shape=shape, dtype=layer.net.dtype)


_PRIOR: Final = (
    "clip",
    "variance",
    "img_size",
    "img_h",
    "img_w",
    "step",
    "step_h",
    "step_w",
    "offset",
)


@layer_type("DetectionOutput")
def detection_output(layer: Layer) -> Sequence[Value]:
    """(1, 1, detections, 7), without those that overlap: at most ``keep_top_k`` a sample."""
    layer.count(3)
    section = layer.section("detection_output_param")
    keep = section.integer("keep_top_k", -1, -1)
    locations, confidences = layer.bottoms[:2]
    most = keep if keep > 0 else prod(confidences.shape[1:])
    types = (locations.type.with_shape((1, 1, most * locations.shape[0], 7)),)
    layer.checked = False
    return layer.op("opaque", name="DetectionOutput", types=types)


@layer_type("ROIPooling")
def roi_pooling(layer: Layer) -> Sequence[Value]:
    """Regions (R, 5) of a feature map, each pooled to ``pooled_h`` x ``pooled_w`` (Fast R-CNN)."""
    layer.count(2, 2)
    section = layer.section("roi_pooling_param")
    size = tuple(section.required(name, layer.called) for name in ("pooled_h", "pooled_w"))
    x, boxes = layer.bottoms
    if len(boxes.shape) == 4 and boxes.shape[2:] == (1, 1):
        boxes = layer.part("boxes", "reshape", [boxes], shape=(boxes.shape[1],))
    scale = section.number("spatial_scale", 1.0)
    return layer.op("roi_align", [x, boxes], size=size, pool=True, scale=scale)


@layer_type("PSROIPooling")
def position_sensitive(layer: Layer) -> Sequence[Value]:
    """Regions (R, 5), each bin of which averages maps of its own: (R, output_dim, g, g) (R-FCN)."""
    layer.count(2, 2)
    section = layer.section("psroi_pooling_param")
    section.number("spatial_scale", 1.0)
    out, bins = (section.required(name, layer.called) for name in ("output_dim", "group_size"))
    x, boxes = layer.bottoms
    types = (x.type.with_shape((boxes.shape[0], out, bins, bins)),)
    return layer.op("opaque", name="PSROIPooling", types=types)


@layer_type("Python")
def python(layer: Layer) -> Sequence[Value]:
    """A layer whose code is elsewhere. Known is the proposal layer of Faster R-CNN."""
    section = layer.section("python_param")
    name = section.text("layer") or "Python"
    module = section.text("module")
    for other in ("param_str", "share_in_parallel"):
        section.entries(other)
    if name == "ProposalLayer" or module == "rpn.proposal_layer":
        return proposals(layer)
    if not layer.inplace:
        layer.wrong(f"is the Python class {module}.{name}, and nothing says what shape it gives")
    return _same(layer, f"Python.{name}")


@layer_type("Proposal")
def proposals(layer: Layer) -> Sequence[Value]:
    """Boxes (R, 5) where objects may be, after suppression of what overlaps (Faster R-CNN)."""
    layer.count(3)
    count = layer.net.proposals
    layer.net.assume(f"{count} region proposals, as --set proposals={count} has it")
    type_ = layer.bottom.type
    types = [type_.with_shape((count, 5)), type_.with_shape((count, 1))][: layer.tops]
    layer.checked = False
    return layer.op("opaque", name="Proposal", types=tuple(types))


def unknown(layer: Layer) -> Sequence[Value]:
    """A layer of a type that is not in the table: in place, its shape is told."""
    if not layer.inplace:
        near = get_close_matches(layer.type, NAMES.values(), n=1, cutoff=0.7)
        layer.wrong(
            "is of a type that is not known"
            + (f"; did you mean {near[0]}?" if near else ", and nothing says what shape it gives")
        )
    layer.checked = False
    return _same(layer, layer.type)


def _same(layer: Layer, name: str) -> Sequence[Value]:
    return layer.op("opaque", name=name, types=(layer.bottom.type,))
