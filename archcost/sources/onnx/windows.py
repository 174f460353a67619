"""Layers whose windows slide over an input: convolutions and pools."""

from __future__ import annotations

from typing import Any

from archcost.ir import Shape, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates


def windows(call: Call, kernel: Shape, sizes: Shape) -> dict[str, Any]:
    """``stride``, ``padding`` and ``dilation`` of windows over spatial ``sizes``."""
    rank = len(kernel)
    stride = call.integers("strides") or [1] * rank
    dilation = call.integers("dilations") or [1] * rank
    if {rank, len(stride), len(dilation)} != {len(sizes)}:
        raise call.error(f"has windows for other than the {len(sizes)} dimensions of its input")
    auto = call.text("auto_pad", "NOTSET")
    padding: Any
    if auto == "SAME_UPPER":
        padding = "same"
    elif auto == "SAME_LOWER":
        padding = []
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            pad = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
            padding.append((pad - pad // 2, pad // 2))
    elif auto == "VALID":
        padding = 0
    else:
        padding = sides(call.integers("pads") or [0] * 2 * rank, rank)
    return {
        "kernel": tuple(kernel),
        "stride": tuple(stride),
        "padding": padding if isinstance(padding, str | int) else tuple(padding),
        "dilation": tuple(dilation),
    }


def sides(pads: list[int], rank: int) -> tuple[tuple[int, int], ...]:
    """ONNX' pads, every beginning and then every end, as pairs."""
    if len(pads) != 2 * rank:
        raise ValueError(pads)
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def kernel_of(call: Call, weight: Shape) -> Shape:
    kernel = tuple(call.integers("kernel_shape") or weight[2:])
    if kernel != weight[2:] or len(weight) < 3:
        raise call.error(f"has kernel_shape {list(kernel)} and a weight of {list(weight)}")
    return kernel


def spatial(call: Call) -> Shape:
    """The spatial sizes of the first input."""
    shape = call.shape(0)
    if len(shape) < 3:
        raise call.error(f"needs an input (N, C, spatial sizes), has {list(shape)}")
    return shape[2:]


@translates("Conv")
def conv(call: Call) -> Result:
    return convolved(call, "conv", "dynamic_conv", conv_arguments(call, call.shape(1)))


def conv_arguments(call: Call, weight: Shape) -> dict[str, Any]:
    """What a convolution with a weight of this shape is, its bias aside."""
    arguments = windows(call, kernel_of(call, weight), spatial(call))
    groups, channels = call.integer("group", 1), call.shape(0)[1]
    if channels != weight[1] * groups:
        raise call.error(
            f"has a weight of {list(weight)} in {groups} groups, for {weight[1] * groups} "
            f"channels; its input has {channels}"
        )
    return arguments | {"out": weight[0], "groups": groups}


def convolved(
    call: Call,
    stored: str,
    dynamic: str,
    arguments: dict[str, Any],
    *,
    x: Value | None = None,
    places: tuple[int, int] = (1, 2),
) -> Value:
    """A convolution of ``x`` (default: input 0) with weights and biases, stored or computed, that
    are the inputs at these ``places``."""
    weights, biases = places
    weight = call.weight(weights)
    bias = call.weight(biases, (arguments["out"],)) if call.given(biases) else None
    x = call.value(0) if x is None else x
    if weight is None:
        others = [call.value(at) for at in places if call.given(at)]
        return call.add(dynamic, x, *others, bias=call.given(biases), **arguments)
    share = {"weight": weight, "bias": bias}
    y = call.add(stored, x, bias=bias is not None, share=share, **arguments)
    if call.given(biases) and bias is None:
        added = column(call, call.value(biases), len(y.shape))
        y = call.add("sum", y, added, part="bias")
    return y


def column(call: Call, value: Value, rank: int) -> Value:
    """(C) as (C, 1, ...), to be joined with a tensor (N, C, ...) of that rank."""
    if rank == 2:
        return value
    return call.add("view", value, part="column", shape=(value.shape[0], *(1,) * (rank - 2)))


@translates("ConvTranspose")
def conv_transpose(call: Call) -> Result:
    weight_shape, sizes = call.shape(1), spatial(call)
    kernel = kernel_of(call, weight_shape)
    groups = call.integer("group", 1)
    if call.shape(0)[1] != weight_shape[0]:
        raise call.error(
            f"has a weight of {list(weight_shape)}, for {weight_shape[0]} channels; its input has "
            f"{call.shape(0)[1]}"
        )
    rank = len(kernel)
    arguments = windows(call, kernel, sizes)
    more = call.integers("output_padding") or [0] * rank
    if (wanted := call.integers("output_shape")) is not None:
        pads, extra = [], []
        lower = call.text("auto_pad") != "SAME_UPPER"
        geometry = zip(
            sizes,
            kernel,
            arguments["stride"],
            arguments["dilation"],
            wanted[-rank:],
            more,
            strict=True,
        )
        for n, k, s, d, size, plus in geometry:
            surplus = (n - 1) * s + d * (k - 1) + 1 + plus - size
            half = max(0, surplus) // 2
            pair = (max(0, surplus) - half, half) if lower else (half, max(0, surplus) - half)
            pads.append(pair)
            extra.append(plus + max(0, -surplus))
        arguments["padding"], more = tuple(pads), extra
    arguments |= {
        "out": weight_shape[1] * groups,
        "groups": groups,
        "output_padding": tuple(more),
    }
    return convolved(call, "conv_transpose", "dynamic_conv_transpose", arguments)


@translates("DeformConv")
def deform_conv(call: Call) -> Result:
    weight_shape = call.shape(1)
    weight = call.weight(1)
    bias = call.weight(3, (weight_shape[0],)) if call.given(3) else None
    if weight is None or (call.given(3) and bias is None):
        raise Unfit("its weights are computed in the pass")
    inputs = [call.value(0), call.value(2), *([call.value(4)] if call.given(4) else [])]
    return call.add(
        "deform_conv",
        *inputs,
        out=weight_shape[0],
        groups=call.integer("group", 1),
        offset_groups=call.integer("offset_group", 1),
        bias=bias is not None,
        share={"weight": weight, "bias": bias},
        **windows(call, kernel_of(call, weight_shape), spatial(call)),
    )


# --- pools --------------------------------------------------------------------------------------


def pool_windows(call: Call) -> dict[str, Any]:
    kernel = call.integers("kernel_shape")
    if not kernel:
        raise call.error("lacks the attribute 'kernel_shape'")
    arguments = windows(call, tuple(kernel), spatial(call))
    arguments["rounding"] = "ceil" if call.integer("ceil_mode", 0) else "floor"
    return arguments


@translates("MaxPool")
def max_pool(call: Call) -> Result:
    return call.add_all("max_pool", call.value(0), indices=call.is_named(1), **pool_windows(call))


@translates("AveragePool")
def average_pool(call: Call) -> Result:
    arguments = pool_windows(call)
    if set(arguments.pop("dilation")) != {1}:
        raise Unfit("its windows are dilated")
    counted = bool(call.integer("count_include_pad", 0))
    return call.add("avg_pool", call.value(0), count_padding=counted, **arguments)


@translates("LpPool")
def lp_pool(call: Call) -> Result:
    arguments = pool_windows(call)
    dilation, padding = arguments.pop("dilation"), arguments.pop("padding")
    if set(dilation) != {1} or padding == "same" or (padding and any(map(any, padding))):
        raise Unfit("its windows are dilated or padded")
    return call.add("lp_pool", call.value(0), norm=call.integer("p", 2), **arguments)


@translates("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Result:
    kind = "global_avg_pool" if call.op_type == "GlobalAveragePool" else "global_max_pool"
    return call.add(kind, call.value(0))


@translates("GlobalLpPool")
def global_lp_pool(call: Call) -> Result:
    p = call.integer("p", 2)
    if p not in (1, 2):
        raise Unfit(f"its norm is {p}")
    dims = tuple(range(2, len(call.shape(0))))
    return call.add(f"reduce_l{p}", call.value(0), dims=dims, keep=True)


@translates("MaxUnpool")
def max_unpool(call: Call) -> Result:
    arguments = windows(call, tuple(call.integers("kernel_shape") or ()), spatial(call))
    del arguments["dilation"]
    if (size := call.numbers(2)) is not None:
        arguments["size"] = tuple(size[2:])
    return call.add("max_unpool", call.value(0), call.value(1), **arguments)


@translates("MaxRoiPool")
def max_roi_pool(call: Call) -> Result:
    size = tuple(call.integers("pooled_shape") or ())
    scale = call.real("spatial_scale", 1.0)
    return call.add("roi_align", call.value(0), call.value(1), size=size, pool=True, scale=scale)


@translates("RoiAlign")
def roi_align(call: Call) -> Result:
    if call.text("mode", "avg") != "avg":
        raise Unfit("it takes maxima")
    size = call.integer("output_height", 1), call.integer("output_width", 1)
    default = "half_pixel" if call.version >= 16 else "output_half_pixel"
    return call.add(
        "roi_align",
        *map(call.value, range(3)),
        size=size,
        samples=call.integer("sampling_ratio", 0),
        scale=call.real("spatial_scale", 1.0),
        aligned=call.text("coordinate_transformation_mode", default) == "half_pixel",
    )
