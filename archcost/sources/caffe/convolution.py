"""Convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcost.ir import Op, Value, shape_text
from archcost.sources.caffe.fields import Fields
from archcost.sources.caffe.layer import Layer, layer_type, parameters_of


def windows(section: Fields, stem: str, rank: int, default: int, low: int) -> tuple[int, ...]:
    """``kernel_size``, or ``kernel_h`` and ``kernel_w``, for ``rank`` dimensions; so too stride
    and pad."""
    short = stem.removesuffix("_size")
    both = [f"{short}_h", f"{short}_w"]
    values = section.integers(stem, low)
    if any(name in section for name in both):
        if values:
            section.wrong(f"{section.name} has both {stem} and {' or '.join(both)}")
        if rank != 2:
            section.wrong(f"{section.name} has {' or '.join(both)}, its bottom no height and width")
        if low and not default:
            return tuple(section.required(name, section.name, low) for name in both)
        return tuple(section.integer(name, default, low) for name in both)
    if not values and low and not default:
        section.wrong(f"{section.name} needs {stem}, or {' and '.join(both)}")
    values = values or [default]
    if len(values) not in (1, rank):
        section.wrong(f"{section.name} has {len(values)} of {stem} for {rank} spatial dimensions")
    return tuple(values * rank if len(values) == 1 else values)


def geometry(layer: Layer, section: Fields) -> dict[str, Any]:
    """Kernel, stride, padding and dilation of a convolution."""
    axis = layer.axis(section, "axis", 1)
    if axis != 1:
        layer.wrong(f"convolves from axis {axis + 1} on; only 1, the channels, is understood")
    rank = layer.rank - 2
    if rank < 1:
        layer.wrong(f"needs a bottom (N, C, ...), has {shape_text(layer.bottom.shape)}")
    dilation = section.integers("dilation", 1) or [1]
    if len(dilation) not in (1, rank):
        layer.wrong(f"has {len(dilation)} of dilation for {rank} spatial dimensions")
    return {
        "kernel": windows(section, "kernel_size", rank, 0, 1),
        "stride": windows(section, "stride", rank, 1, 1),
        "padding": windows(section, "pad", rank, 0, 0),
        "dilation": tuple(dilation * rank if len(dilation) == 1 else dilation),
    }


def over_bottoms(layer: Layer, op: Op) -> list[Value]:
    """One operator on each bottom, with the same parameters."""
    if len(layer.bottoms) == 1:
        return layer.node(layer.name, op, inplace=layer.inplace)
    outputs: list[Value] = []
    for index, value in enumerate(layer.bottoms):
        name = layer.net.unique(f"{layer.name}/{index}")
        share = parameters_of(outputs[0]) if outputs else None
        outputs += layer.node(name, op, [value], share=share)
    return outputs


@layer_type("Convolution", "Deconvolution")
def convolution(layer: Layer) -> Sequence[Value]:
    layer.count(1)
    section = layer.section("convolution_param")
    op = layer.make(
        "conv" if layer.type == "Convolution" else "conv_transpose",
        out=section.required("num_output", layer.called),
        groups=section.integer("group", 1, 1),
        bias=section.boolean("bias_term", True),
        **geometry(layer, section),
    )
    return over_bottoms(layer, op)


@layer_type("Im2col")
def im2col(layer: Layer) -> Sequence[Value]:
    section = layer.section("convolution_param")
    shape = geometry(layer, section)
    channels, spatial = layer.bottom.shape[1], layer.bottom.shape[2:]
    if len(spatial) != 2:
        layer.wrong("needs a bottom (N, C, H, W)")
    op = layer.make("conv", out=1, **shape)
    (placed,) = op.infer((layer.bottom.type,))
    patches = layer.part("unfold", "unfold", [layer.bottom], **shape)
    kernel = shape["kernel"]
    sizes = (channels * kernel[0] * kernel[1], *placed.spatial)
    return [layer.part("reshape", "reshape", [patches], shape=sizes)]


@layer_type("InnerProduct")
def inner_product(layer: Layer) -> Sequence[Value]:
    """y = W x + b over all that follows ``axis``, which is flattened."""
    layer.count(1, 1)
    section = layer.section("inner_product_param")
    axis = layer.axis(section, "axis", 1)
    out = section.required("num_output", layer.called)
    bias = section.boolean("bias_term", True)
    if axis == 0:
        layer.wrong("has axis 0, which leaves no samples")
    if section.boolean("transpose", False) and layer.tied():
        return _tied_product(layer, axis, out, bias)
    if axis == 1 and layer.rank >= 4:
        return layer.op("linear", out=out, bias=bias)
    return layer.op("linear", [_flattened(layer, axis)], out=out, bias=bias, flatten=False)


def _flattened(layer: Layer, axis: int) -> Value:
    """The bottom with all from ``axis`` on as one dimension."""
    if axis == layer.rank - 1:
        return layer.bottom
    kept = (0,) * (axis - 1)
    return layer.part("reshape", "reshape", [layer.bottom], shape=(*kept, -1))


def _tied_product(layer: Layer, axis: int, out: int, bias: bool) -> Sequence[Value]:
    """A product with another layer's weight as it lies there, (in, out)."""
    x = _flattened(layer, axis)
    weight = layer.weight("weight", (x.shape[-1], out))
    product = layer.part("matmul", "matmul", [x, weight])
    if not bias:
        return [product]
    return [layer.part("sum", "sum", [product, layer.weight("bias", (out,))])]


@layer_type("Embed")
def embed(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("embed_param")
    out = section.required("num_output", layer.called)
    rows = section.required("input_dim", layer.called)
    table = {"count": rows, "width": out, "dtype": layer.net.dtype}
    indices = layer.integers(layer.bottom)
    if not section.boolean("bias_term", True):
        return layer.op("embedding", [indices], **table)
    found = layer.part("embedding", "embedding", [indices], **table)
    return [layer.part("sum", "sum", [found, layer.weight("bias", (out,))])]
