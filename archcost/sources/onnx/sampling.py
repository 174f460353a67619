"""Resizing, and reading between the elements."""

from __future__ import annotations

from math import floor
from typing import Any, Final

from archcost.ir import Shape
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.moving import counted

RESIZE_MODES: Final = {
    "nearest": "nearest",
    "linear": "bilinear",
    "bilinear": "bilinear",
    "cubic": "bicubic",
    "bicubic": "bicubic",
}


@translates("Resize", "Upsample")
def resize(call: Call) -> Result:
    before = call.shape(0)
    after, scales = resized(call)
    mode = RESIZE_MODES.get(call.text("mode", "nearest"))
    if len(before) < 3 or len(before) > 5 or after[:2] != before[:2] or mode is None:
        raise Unfit("it resizes other dimensions than spatial ones, or in another mode")
    coordinates = call.text("coordinate_transformation_mode", "half_pixel")
    arguments: dict[str, Any] = {"mode": mode}
    if mode != "nearest":
        arguments["align_corners"] = coordinates == "align_corners"
        if call.integer("antialias", 0):
            arguments["antialias"] = True
    whole = scales is not None and all(scale == int(scale) and scale >= 1 for scale in scales[2:])
    if whole and scales is not None:
        arguments["scale"] = tuple(int(scale) for scale in scales[2:])
    else:
        arguments["size"] = after[2:]
    return call.add("upsample", call.value(0), **arguments)


def resized(call: Call) -> tuple[Shape, list[float] | None]:
    """The shape that a Resize or Upsample of any version gives; its scales, if it has some."""
    before = call.shape(0)
    if call.op_type == "Upsample":
        given = call.reals("scales") if call.version < 9 else _reals(call, 1)
        sizes = None
    elif call.version < 11:
        given, sizes = _reals(call, 1), None
    else:
        sizes = call.numbers(3) or None
        given = None if sizes else _reals(call, 2)
    axes = call.integers("axes") or list(range(len(before)))
    axes = [counted(call, axis, len(before)) for axis in axes]
    found = sizes or given
    if not found or len(found) != len(axes):
        raise call.error(f"has neither sizes nor scales for each of {len(axes)} dimensions")
    if sizes:
        policy = call.text("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            ratios = [wanted / before[axis] for axis, wanted in zip(axes, sizes, strict=True)]
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            sizes = [floor(before[axis] * ratio + 0.5) for axis in axes]
        by_axis = dict(zip(axes, sizes, strict=True))
        return tuple(by_axis.get(at, size) for at, size in enumerate(before)), None
    assert given is not None
    factors = dict(zip(axes, given, strict=True))
    scales = [factors.get(at, 1.0) for at in range(len(before))]
    return tuple(floor(n * s) for n, s in zip(before, scales, strict=True)), scales


def _reals(call: Call, index: int) -> list[float] | None:
    values = call.array(index)
    return None if values is None else [float(number) for number in values.reshape(-1).tolist()]


@translates("GridSample")
def grid_sample(call: Call) -> Result:
    mode = RESIZE_MODES.get(call.text("mode", "bilinear"))
    padding = call.text("padding_mode", "zeros")
    if mode is None or padding not in ("zeros", "border", "reflection"):
        raise Unfit("its mode is not known")
    aligned = bool(call.integer("align_corners", 0))
    return call.add(
        "grid_sample",
        call.value(0),
        call.value(1),
        mode=mode,
        padding=padding,
        align_corners=aligned,
    )
