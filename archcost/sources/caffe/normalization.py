"""Normalisation, scaling and shifting."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.ir import Shape, Value, shape_text
from archcost.sources.caffe.fields import Fields
from archcost.sources.caffe.layer import Layer, layer_type


@layer_type("LRN")
def local_response(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("lrn_param")
    regions = {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1}
    region = section.choice("norm_region", regions, "ACROSS_CHANNELS")
    return layer.op(
        "lrn",
        size=section.integer("local_size", 5, 1),
        alpha=section.number("alpha", 1.0),
        beta=section.number("beta", 0.75),
        k=section.number("k", 1.0),
        region="across" if region == "ACROSS_CHANNELS" else "within",
    )


@layer_type("BatchNorm")
def batch_norm(layer: Layer) -> Sequence[Value]:
    """By stored statistics, whatever ``use_global_stats`` says of training, and without a scale
    and shift; NVIDIA's ``scale_bias`` adds them."""
    layer.count(1, 1)
    section = layer.section("batch_norm_param")
    section.boolean("use_global_stats", True)
    section.number("moving_average_fraction", 0.999)
    layer.untie()  # the statistics are nobody else's
    affine = section.boolean("scale_bias", False)
    return layer.op("batch_norm", affine=affine, eps=section.number("eps", 1e-5))


@layer_type("MVN")
def mean_variance(layer: Layer) -> Sequence[Value]:
    """Less the mean, and divided by the deviation, of each channel or sample."""
    layer.count(1, 1)
    section = layer.section("mvn_param")
    across = section.boolean("across_channels", False)
    eps = section.number("eps", 1e-9)
    if layer.rank < 2:
        layer.wrong("needs a bottom (N, C, ...)")
    if section.boolean("normalize_variance", True):
        groups = 1 if across else layer.bottom.shape[1]
        return layer.op("group_norm", groups=groups, affine=False, eps=eps)
    dims = tuple(range(1 if across else 2, layer.rank))
    if not dims:
        layer.wrong("has no positions to take the mean of")
    mean = layer.part("mean", "reduce_mean", [layer.bottom], dims=dims, keep=True)
    return [layer.part("difference", "difference", [layer.bottom, mean])]


@layer_type("Scale")
def scale(layer: Layer) -> Sequence[Value]:
    """The bottom times a stored tensor, or times the second bottom."""
    layer.count(1, 2)
    section = layer.section("scale_param")
    bias = section.boolean("bias_term", False)
    axis = layer.axis(section, "axis", 1)
    if len(layer.bottoms) == 2:
        factor = _aligned(layer, layer.bottoms[1], axis)
        if not bias:
            return layer.op("product", [layer.bottom, factor])
        product = layer.part("product", "product", [layer.bottom, factor])
        shape = layer.bottoms[1].shape
        return [layer.part("sum", "sum", [product, _stored(layer, "bias", shape, axis)])]
    shape = _stored_shape(layer, section, axis)
    if (per := _per(layer, shape, axis)) is not None:
        return layer.op("scale_shift", bias=bias, per=per)
    product = layer.part(
        "product", "product", [layer.bottom, _stored(layer, "weight", shape, axis)]
    )
    if not bias:
        return [product]
    return [layer.part("sum", "sum", [product, _stored(layer, "bias", shape, axis)])]


@layer_type("Bias")
def shift(layer: Layer) -> Sequence[Value]:
    """The bottom plus a stored tensor, or plus the second bottom."""
    layer.count(1, 2)
    section = layer.section("bias_param")
    axis = layer.axis(section, "axis", 1)
    if len(layer.bottoms) == 2:
        return layer.op("sum", [layer.bottom, _aligned(layer, layer.bottoms[1], axis)])
    shape = _stored_shape(layer, section, axis)
    if (per := _per(layer, shape, axis)) is not None:
        return layer.op("scale_shift", scale=False, per=per)
    stored = _stored(layer, "bias", shape, axis)
    return [layer.part("sum", "sum", [layer.bottom, stored])]


def _stored_shape(layer: Layer, section: Fields, axis: int) -> Shape:
    count = section.integer("num_axes", 1, -1)
    end = layer.rank if count < 0 else axis + count
    if end > layer.rank:
        layer.wrong(f"has {count} axes from {axis} on, its bottom {layer.rank} in all")
    return layer.bottom.shape[axis:end]


def _per(layer: Layer, shape: Shape, axis: int) -> str | None:
    """What ScaleShift calls a stored tensor of ``shape`` at ``axis``, if it has such ones."""
    if axis != 1 or layer.rank < 2:
        return None
    if len(shape) == 1:
        return "channel"
    return "element" if len(shape) == layer.rank - 1 else None


def _stored(layer: Layer, part: str, shape: Shape, axis: int) -> Value:
    """A stored tensor of ``shape`` that is broadcast from ``axis`` on."""
    return layer.weight(part, shape + (1,) * (layer.rank - axis - len(shape)) if shape else (1,))


def _aligned(layer: Layer, value: Value, axis: int) -> Value:
    """The second bottom, reshaped so that its dimensions stand at ``axis`` of the first."""
    behind = layer.rank - axis - len(value.shape)
    if not value.shape or behind == 0:
        return value
    if behind < 0:
        layer.wrong(
            f"has a second bottom {shape_text(value.shape)} that does not fit the first, "
            f"{shape_text(layer.bottom.shape)}, from axis {axis} on"
        )
    ones = (1,) * behind
    if axis == 0:
        return layer.part("reshape", "reshape", [value], shape=(*value.shape[1:], *ones))
    return layer.part("view", "view", [value], shape=(*value.shape, *ones))
