"""Layers of several tensors, and those that move or reduce elements."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.ir import Shape, Value, shape_text
from archcost.sources.caffe.fields import Fields
from archcost.sources.caffe.layer import Layer, Step, layer_type


@layer_type("Eltwise")
def eltwise(layer: Layer) -> Sequence[Value]:
    layer.count(2)
    section = layer.section("eltwise_param")
    operation = section.choice("operation", {"PROD": 0, "SUM": 1, "MAX": 2}, "SUM")
    if len({value.shape for value in layer.bottoms}) > 1:
        shapes = ", ".join(shape_text(value.shape) for value in layer.bottoms)
        layer.wrong(f"needs bottoms of one shape, has {shapes}")
    coefficients = section.numbers("coeff")
    if coefficients and (operation != "SUM" or len(coefficients) != len(layer.bottoms)):
        layer.wrong("has coeff, which goes with a SUM and is one number for each bottom")
    values = [
        layer.part(f"coeff{index}", "rescale", [value], scale=coefficient)
        if coefficient != 1
        else value
        for index, (value, coefficient) in enumerate(
            zip(layer.bottoms, coefficients or [1.0] * len(layer.bottoms), strict=True)
        )
    ]
    kinds = {"PROD": "product", "SUM": "sum", "MAX": "maximum"}
    return layer.op(kinds[operation], values)


def _old_axis(layer: Layer, section: Fields, old: str) -> int:
    """``axis``, which was called ``old`` once."""
    if old in section:
        if "axis" in section:
            layer.wrong(f"has both axis and {old}")
        return layer.axis(section, old, 1)
    return layer.axis(section, "axis", 1)


@layer_type("Concat")
def concat(layer: Layer) -> Sequence[Value]:
    return layer.op("concat", dim=_old_axis(layer, layer.section("concat_param"), "concat_dim"))


@layer_type("Slice")
def slices(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("slice_param")
    axis = _old_axis(layer, section, "slice_dim")
    points = section.integers("slice_point", 1)
    size = layer.bottom.shape[axis]
    if not points:
        return layer.op("split", parts=layer.tops, dim=axis)
    if len(points) != layer.tops - 1 or sorted({*points, 0, size}) != [0, *points, size]:
        layer.wrong(
            f"needs {layer.tops - 1} growing slice_points between 0 and {size}, one less than tops"
        )
    ends = zip([0, *points], [*points, size], strict=True)
    return layer.op("split", sizes=tuple(end - start for start, end in ends), dim=axis)


@layer_type("Split")
def fork(layer: Layer) -> Sequence[Value]:
    """The bottom under several names."""
    layer.count(1, 1)
    return layer.bottoms * layer.tops


@layer_type("Flatten")
def flatten(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("flatten_param")
    start, end = layer.axis(section, "axis", 1), layer.axis(section, "end_axis", -1)
    return layer.op("flatten", start=start, end=end)


@layer_type("Reshape")
def reshape(layer: Layer) -> Sequence[Value]:
    """``shape.dim`` in place of ``num_axes`` dimensions from ``axis`` on: 0 copies, -1 is what
    remains. A size that is the file's batch stands for the batch."""
    layer.count(1, 1)
    section = layer.section("reshape_param")
    x = layer.bottom.shape
    start = layer.axis(section, "axis", 0, end=True)
    count = section.integer("num_axes", -1, -1)
    end = len(x) if count < 0 else start + count
    sizes = section.fields("shape").integers("dim", -1)
    if end > len(x) or len(sizes) > 16:
        layer.wrong(f"replaces {end - start} axes from {start} on by {len(sizes)}; has {len(x)}")
    net = layer.net
    if start == 0 and sizes and sizes[0] == net.file_batch and x and x[0] == net.batch:
        sizes[0] = 0
    if start == 0 and sizes and sizes[0] == 0 and count < 0:
        return layer.op("reshape", shape=tuple(sizes[1:]))
    if any(not size and start + place >= len(x) for place, size in enumerate(sizes)):
        layer.wrong(f"copies (0) an axis that its bottom {shape_text(x)} does not have")
    copied = [size or x[start + place] for place, size in enumerate(sizes)]
    return _viewed(layer, (*x[:start], *copied, *x[end:]))


def _viewed(layer: Layer, shape: Shape) -> Sequence[Value]:
    """The bottom in another shape, with at most one -1."""
    x = layer.bottom.type
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    if shape.count(-1) > 1 or x.numel % known or (-1 not in shape and known != x.numel):
        layer.wrong(f"cannot make {list(shape)} of {shape_text(x.shape)}")
    whole = tuple(x.numel // known if size == -1 else size for size in shape)
    if x.shape and whole and whole[0] == x.shape[0]:
        return layer.op("reshape", shape=whole[1:])
    return layer.op("view", shape=whole)


@layer_type("Crop")
def crop(layer: Layer) -> Sequence[Value]:
    """From ``axis`` on the sizes of the second bottom, beginning at ``offset``."""
    layer.count(2, 2)
    section = layer.section("crop_param")
    axis = layer.axis(section, "axis", 2)
    x, like = (value.shape for value in layer.bottoms)
    offsets = section.integers("offset") or [0]
    cropped = len(x) - axis
    if len(x) != len(like) or len(offsets) not in (1, cropped):
        layer.wrong(
            f"needs bottoms of one rank and one offset or {cropped}; has {shape_text(x)}, "
            f"{shape_text(like)} and {len(offsets)}"
        )
    offsets = offsets * cropped if len(offsets) == 1 else offsets
    if axis == 2:
        return layer.op("crop", offset=tuple(offsets))
    value = layer.bottom
    for dim, offset in enumerate(offsets, axis):
        if offset + like[dim] > x[dim]:
            layer.wrong(f"takes {like[dim]} from {offset} on of an axis of {x[dim]}")
        cut = {"dim": dim, "start": offset, "stop": offset + like[dim]}
        value = layer.part(f"slice{dim}", "slice", [value], **cut)
    return [value]


@layer_type("Tile")
def tile(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("tile_param")
    counts = [1] * layer.rank
    counts[layer.axis(section, "axis", 1)] = section.required("tiles", layer.called)
    return layer.op("repeat", counts=tuple(counts))


@layer_type("Softmax")
def softmax(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    return layer.op("softmax", dim=layer.axis(layer.section("softmax_param"), "axis", 1))


@layer_type("ArgMax")
def arg_max(layer: Layer) -> Sequence[Value]:
    """The ``top_k`` largest along ``axis``: where they are, or with ``out_max_val`` what; without
    an axis of a whole sample, (N, 1, k), or (N, 2, k) with both."""
    layer.count(1, 1)
    section = layer.section("argmax_param")
    k = section.integer("top_k", 1, 1)
    values = section.boolean("out_max_val", False)
    if "axis" in section:
        axis = layer.axis(section, "axis", 0)
        if k == 1:
            kind = "reduce_max" if values else "reduce_argmax"
            return layer.op(kind, dims=(axis,), keep=True)
        return [layer.op("top_k", k=k, dim=axis)[0 if values else 1]]
    flat = layer.bottom
    if layer.rank != 2:
        flat = layer.part("reshape", "reshape", [flat], shape=(-1,))
    found, places = layer.node(
        layer.net.unique(f"{layer.name}/top_k"), layer.make("top_k", k=k, dim=1), [flat]
    )
    if not values:
        return [layer.part("places", "reshape", [places], shape=(1, k))]
    numbers = layer.part("numbers", "cast", [places], dtype=found.type.dtype)
    return [layer.part("stack", "stack", [numbers, found], dim=1)]


@layer_type("Reduction")
def reduction(layer: Layer) -> Sequence[Value]:
    """All from ``axis`` on as one number."""
    layer.count(1, 1)
    section = layer.section("reduction_param")
    operations = {"SUM": 1, "ASUM": 2, "SUMSQ": 3, "MEAN": 4}
    operation = section.choice("operation", operations, "SUM")
    axis = layer.axis(section, "axis", 0)
    coefficient = section.number("coeff", 1.0)
    kind = {"MEAN": "reduce_mean", "ASUM": "reduce_l1"}.get(operation, "reduce_sum")
    first: list[Step] = [("square", {})] if operation == "SUMSQ" else []
    last: list[Step] = [("rescale", {"scale": coefficient})] if coefficient != 1 else []
    return layer.steps(*first, (kind, {"dims": tuple(range(axis, layer.rank))}), *last)


@layer_type("BatchReindex")
def batch_reindex(layer: Layer) -> Sequence[Value]:
    layer.count(2, 2)
    x, indices = layer.bottoms
    return layer.op("index_select", [x, layer.integers(indices)], dim=0)


@layer_type("Filter")
def select(layer: Layer) -> Sequence[Value]:
    """The samples that the last bottom picks: as many as it has, at the most."""
    layer.count(2)
    types = tuple(value.type for value in layer.bottoms[:-1])
    return layer.op("opaque", name="Filter", types=types)


@layer_type("Parameter")
def parameter(layer: Layer) -> Sequence[Value]:
    layer.count(0, 0)
    sizes = layer.section("parameter_param").fields("shape").integers("dim", 1)
    return layer.op("weight", shape=tuple(sizes), dtype=layer.net.dtype)
