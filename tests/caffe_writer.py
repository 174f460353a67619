"""A graph as a Caffe prototxt, for tests: what Caffe has layers for, as people write them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from archcost.ir import Graph, Node, Parameter, Value
from archcost.ir.ops.windows import pairs, per_dimension

NEURONS = {
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "TanH",
    "abs": "AbsVal",
    "softplus": "BNLL",
    "relu6": "ReLU6",
    "silu": "Swish",
}


class Unsupported(Exception):
    """Caffe has no such layer, or this writer does not know it."""


def prototxt(graph: Graph) -> str:
    """The network as layers of today's notation, behind data layers of its inputs' shapes."""
    texts = [f'name: "{graph.name}"']
    unread = [value.name for value in graph.inputs if not value.consumers]
    for value in graph.inputs:
        if value.consumers:
            tops = [value.name, *unread]  # labels
            texts.append(_layer(value.name, "Data", [], tops, _input(value.shape)))
            unread = []
    users = Counter(parameter for node in graph for parameter in node.parameters)
    called: dict[Value, str] = {}
    for node in graph:
        if node.op.kind == "flatten" and _flattened_anyway(node.outputs[0]):
            called[node.outputs[0]] = called.get(node.inputs[0], node.inputs[0].name)
        else:
            texts += _layers(node, users, called)
    return "\n".join(texts) + "\n"


def _flattened_anyway(value: Value) -> bool:
    """Whether nothing that reads it needs it flat, as neither Caffe's InnerProduct nor its Softmax
    do: people leave it out then."""
    return bool(value.consumers) and all(
        _flattened_anyway(node.outputs[0])
        if node.op.kind == "dropout"
        else node.op.kind == "softmax" or (node.op.kind == "linear" and node.op.flatten)
        for node in value.consumers
    )


def _input(shape: tuple[int, ...]) -> dict[str, Any]:
    return {"input_param": {"shape": {"dim": list(shape)}}}


def _layer(name: str, type_: str, bottoms: list[str], tops: list[str], fields: Any = None) -> str:
    head: dict[str, Any] = {"name": f'"{name}"', "type": f'"{type_}"'}
    head["bottom"] = [f'"{bottom}"' for bottom in bottoms]
    head["top"] = [f'"{top}"' for top in tops]
    return f"layer {{\n{_fields(head | (fields or {}), 1)}}}"


def _fields(fields: dict[str, Any], depth: int) -> str:
    text, pad = "", "  " * depth
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                text += f"{pad}{name} {{\n{_fields(one, depth + 1)}{pad}}}\n"
            else:
                text += f"{pad}{name}: {str(one).lower() if isinstance(one, bool) else one}\n"
    return text


def _layers(node: Node, users: Counter[Parameter], called: dict[Value, str]) -> list[str]:
    bottoms = [called.get(value, value.name) for value in node.inputs]
    tops = [value.name for value in node.outputs]
    if node.op.kind == "batch_norm":
        if any(users[parameter] > 1 for parameter in node.parameters):
            raise Unsupported("statistics of several layers")
        return _batch_norm(node, bottoms, tops)
    if node.op.kind in NEURONS:
        return [_layer(node.name, NEURONS[node.op.kind], bottoms, tops)]
    writer = WRITERS.get(node.op.kind)
    if writer is None:
        raise Unsupported(node.op.kind)
    type_, fields = writer(node)
    return [_layer(node.name, type_, bottoms, tops, _tied(node, users) | fields)]


def _tied(node: Node, users: Counter[Parameter]) -> dict[str, Any]:
    """The names of parameters, where another node uses one of them too."""
    if all(users[parameter] == 1 for parameter in node.parameters):
        return {}
    return {"param": [{"name": f'"{parameter.name}"'} for parameter in node.parameters]}


def _batch_norm(node: Node, bottoms: list[str], tops: list[str]) -> list[str]:
    norm = _layer(node.name, "BatchNorm", bottoms, tops)
    if not node.op.affine:
        return [norm]
    scale = {"scale_param": {"bias_term": True}}
    return [norm, _layer(f"{node.name}/scale", "Scale", tops, tops, scale)]


def _windows(node: Node, *, dilated: bool = True) -> dict[str, Any]:
    op, rank = node.op, len(node.inputs[0].shape) - 2
    if getattr(op, "padding", 0) == "same":
        x = node.inputs[0].type
        sliding = op.grouped(x) if op.kind == "depthwise_conv" else op
        padding = sliding.windows(x).padding
    else:
        padding = pairs(op.kind, op.padding, rank)
    if any(before != after for before, after in padding):
        raise Unsupported("padding on one side")
    pads = tuple(before for before, _ in padding)
    stride = op.kernel if op.stride is None else op.stride
    fields = _both("kernel_size", per_dimension(op.kind, "kernel", op.kernel, rank))
    fields |= _both("stride", per_dimension(op.kind, "stride", stride, rank))
    fields |= _both("pad", pads)
    if dilated:
        fields["dilation"] = list(per_dimension(op.kind, "dilation", op.dilation, rank))
    elif getattr(op, "dilation", 1) != 1:
        raise Unsupported("dilated pooling")
    return fields


def _both(name: str, sizes: tuple[int, ...]) -> dict[str, Any]:
    if len(set(sizes)) == 1:
        return {name: sizes[0]}
    if len(sizes) != 2:
        raise Unsupported("three dimensions")
    short = name.removesuffix("_size")
    return {f"{short}_h": sizes[0], f"{short}_w": sizes[1]}


def _conv(node: Node) -> tuple[str, dict[str, Any]]:
    op = node.op
    if op.rounding != "floor" or getattr(op, "connections", None):
        raise Unsupported("a convolution that rounds up, or has a table")
    groups = node.inputs[0].shape[1] if op.kind == "depthwise_conv" else op.groups
    fields = {"num_output": node.outputs[0].shape[1], "group": groups, "bias_term": op.bias}
    return "Convolution", {"convolution_param": fields | _windows(node)}


def _conv_transpose(node: Node) -> tuple[str, dict[str, Any]]:
    op = node.op
    if op.output_padding or op.padding == "same":
        raise Unsupported("output padding")
    fields = {"num_output": op.out, "group": op.groups, "bias_term": op.bias}
    return "Deconvolution", {"convolution_param": fields | _windows(node)}


def _pool(mode: str):
    def write(node: Node) -> tuple[str, dict[str, Any]]:
        if getattr(node.op, "indices", False):
            raise Unsupported("indices")
        rounding = "CEIL" if node.op.rounding == "ceil" else "FLOOR"
        fields = {"pool": mode, "round_mode": rounding, **_windows(node, dilated=False)}
        return "Pooling", {"pooling_param": fields}

    return write


def _global(mode: str):
    return lambda node: ("Pooling", {"pooling_param": {"pool": mode, "global_pooling": True}})


def _linear(node: Node) -> tuple[str, dict[str, Any]]:
    op, rank = node.op, len(node.inputs[0].shape)
    axis = 1 if op.flatten and rank != 3 else rank - 1
    fields = {"num_output": op.out, "bias_term": op.bias, "axis": axis}
    return "InnerProduct", {"inner_product_param": fields}


def _lrn(node: Node) -> tuple[str, dict[str, Any]]:
    op = node.op
    region = "ACROSS_CHANNELS" if op.region == "across" else "WITHIN_CHANNEL"
    fields = {"local_size": op.size, "alpha": op.alpha, "beta": op.beta, "k": op.k}
    return "LRN", {"lrn_param": {"norm_region": region, **fields}}


def _eltwise(operation: str):
    def write(node: Node) -> tuple[str, dict[str, Any]]:
        if len({value.shape for value in node.inputs}) > 1:
            raise Unsupported("broadcasting")
        return "Eltwise", {"eltwise_param": {"operation": operation}}

    return write


def _scale(node: Node) -> tuple[str, dict[str, Any]]:
    axes = 1 if node.op.per == "channel" else -1
    if not node.op.scale:
        return "Bias", {"bias_param": {"num_axes": axes}}
    return "Scale", {"scale_param": {"num_axes": axes, "bias_term": node.op.bias}}


def _slices(node: Node) -> tuple[str, dict[str, Any]]:
    op, points = node.op, [0]
    for value in node.outputs[:-1]:
        points.append(points[-1] + value.shape[op.dim])
    return "Slice", {"slice_param": {"axis": op.dim, "slice_point": points[1:]}}


def _crop(node: Node) -> tuple[str, dict[str, Any]]:
    op, (x, *likes) = node.op, node.inputs
    if not likes:
        raise Unsupported("a crop to a size")
    offset = op.offset
    if offset is None:  # the middle
        pairs_ = zip(x.shape[2:], likes[0].shape[2:], strict=True)
        offset = tuple((n - size) // 2 for n, size in pairs_)
    return "Crop", {"crop_param": {"offset": offset if isinstance(offset, int) else list(offset)}}


WRITERS = {
    "conv": _conv,
    "depthwise_conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "max_pool": _pool("MAX"),
    "avg_pool": _pool("AVE"),
    "global_max_pool": _global("MAX"),
    "global_avg_pool": _global("AVE"),
    "lrn": _lrn,
    "leaky_relu": lambda node: (
        "ReLU",
        {"relu_param": {"negative_slope": 0.01 if node.op.slope is None else node.op.slope}},
    ),
    "elu": lambda node: ("ELU", {"elu_param": {"alpha": node.op.slope or 1.0}}),
    "prelu": lambda node: ("PReLU", {"prelu_param": {"channel_shared": node.op.shared}}),
    "rescale": lambda node: (
        "Power",
        {"power_param": {"scale": node.op.scale, "shift": node.op.shift}},
    ),
    "scale_shift": _scale,
    "dropout": lambda node: ("Dropout", {"dropout_param": {"dropout_ratio": node.op.rate}}),
    "softmax": lambda node: ("Softmax", {"softmax_param": {"axis": node.op.dim}}),
    "concat": lambda node: ("Concat", {"concat_param": {"axis": node.op.dim}}),
    "split": _slices,
    "sum": _eltwise("SUM"),
    "product": _eltwise("PROD"),
    "maximum": _eltwise("MAX"),
    "flatten": lambda node: (
        "Flatten",
        {"flatten_param": {"axis": node.op.start, "end_axis": node.op.end}},
    ),
    "reshape": lambda node: (
        "Reshape",
        {"reshape_param": {"shape": {"dim": [0, *node.op.shape]}}},
    ),
    "permute": lambda node: ("Permute", {"permute_param": {"order": list(node.op.dims)}}),
    "crop": _crop,
    "channel_shuffle": lambda node: (
        "ShuffleChannel",
        {"shuffle_channel_param": {"group": node.op.groups}},
    ),
}
