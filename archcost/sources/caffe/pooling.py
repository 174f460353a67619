"""Pools, with Caffe's number of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from archcost.ir import Value, shape_text
from archcost.sources.caffe.convolution import windows
from archcost.sources.caffe.layer import Layer, layer_type

POOLS: Final = {"MAX": 0, "AVE": 1, "STOCHASTIC": 2}


@layer_type("Pooling")
def pooling(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("pooling_param")
    mode = section.choice("pool", POOLS, "MAX")
    rank = layer.rank - 2
    if rank < 1:
        layer.wrong(f"needs a bottom (N, C, ...), has {shape_text(layer.bottom.shape)}")
    if section.boolean("global_pooling", False):
        for name in ("kernel_size", "kernel_h", "kernel_w"):
            if name in section:
                layer.wrong(f"has both global_pooling and {name}")
        windows(section, "stride", rank, 1, 1)
        windows(section, "pad", rank, 0, 0)
        return layer.op("global_max_pool" if mode == "MAX" else "global_avg_pool")
    if mode == "STOCHASTIC":
        layer.net.assume(
            "stochastic pooling is counted as average pooling: at inference it is a weighted mean"
        )
    floor = section.choice("round_mode", {"CEIL": 0, "FLOOR": 1}, "CEIL") == "FLOOR"
    # The same of another fork.
    floor = floor or not section.boolean("ceil_mode", True)
    kernel = windows(section, "kernel_size", rank, 0, 1)
    stride = windows(section, "stride", rank, 1, 1)
    pad = windows(section, "pad", rank, 0, 0)
    return slide(layer, layer.bottom, mode, kernel, stride, pad, floor=floor)


def slide(
    layer: Layer,
    x: Value,
    mode: str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    *,
    floor: bool = False,
    part: str = "",
) -> list[Value]:
    """A sliding pool with Caffe's number of windows."""
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        layer.wrong("has a pad as long as its windows")
    arguments: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "padding": tuple(
            (p, p + _behind(n, k, s, any(pad), floor))
            for n, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True)
        ),
        "rounding": "floor" if floor else "ceil",
    }
    if mode == "MAX" and layer.tops == 2 and not part:
        return layer.op("max_pool", [x], indices=True, **arguments)
    kind = "max_pool" if mode == "MAX" else "avg_pool"
    return [layer.part(part, kind, [x], **arguments)] if part else layer.op(kind, [x], **arguments)


def _behind(n: int, k: int, s: int, padded: bool, floor: bool) -> int:
    """Elements to add behind ``n`` so that windows of ``k`` in steps of ``s`` are Caffe's.

    Without padding Caffe keeps a last window that begins behind the input, as one may where steps
    are longer than windows; operators here drop it.
    """
    if floor or padded or k >= s or n < k:
        return 0
    last = -(-(n - k) // s) * s
    return last + k - n if last >= n else 0


@layer_type("SPP")
def spatial_pyramid(layer: Layer) -> Sequence[Value]:
    """Pools of 1, 2 x 2, 4 x 4 ... windows, flattened and joined (He et al. 2014)."""
    layer.count(1, 1)
    section = layer.section("spp_param")
    height = section.required("pyramid_height", layer.called)
    mode = section.choice("pool", POOLS, "MAX")
    if layer.rank != 4:
        layer.wrong("needs a bottom (N, C, H, W)")
    x = layer.bottom
    if height > max(x.shape[2:]).bit_length():
        layer.wrong(f"divides its bottom {shape_text(x.shape)} into 2^{height - 1} windows")
    pieces = []
    for level in range(height):
        bins = 2**level
        kernel = tuple(-(-n // bins) for n in x.shape[2:])
        pad = tuple((k * bins - n + 1) // 2 for n, k in zip(x.shape[2:], kernel, strict=True))
        part = "" if height == 1 else f"pool{bins}"
        (pooled,) = slide(layer, x, mode, kernel, kernel, pad, part=part)
        if height == 1:
            return [pooled]
        pieces.append(layer.part(f"reshape{bins}", "reshape", [pooled], shape=(-1,)))
    return [layer.part("concat", "concat", pieces)]
