"""The operators, one file a family, and the one list of their names.

:data:`OPERATORS` maps the name that specs, reports and JSON use to the class that implements it,
as ``module:class`` and, for a name that stands for a class with a fixed argument (``relu`` is an
activation), the arguments it fixes. A family is imported when one of its operators is first made.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from archcost.ir.arguments import BINARY, FUNCTIONS, REDUCTIONS, UNARY
from archcost.ir.op import Op

_FAMILIES: Final[dict[str, dict[str, tuple[str, dict[str, Any]]]]] = {
    "convolution": {
        "conv": ("Conv", {}),
        "depthwise_conv": ("DepthwiseConv", {}),
        "local_conv": ("LocalConv", {}),
        "conv_transpose": ("ConvTranspose", {}),
        "dynamic_conv": ("DynamicConv", {}),
        "dynamic_conv_transpose": ("DynamicConvTranspose", {}),
        "deform_conv": ("DeformConv", {}),
    },
    "attention": {
        "attention": ("Attention", {}),
    },
    "recurrent": {
        name: ("Recurrent", {"mode": name}) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")
    },
    "sampling": {
        "grid_sample": ("GridSample", {}),
        "roi_align": ("RoiAlign", {}),
    },
    "linear": {
        "linear": ("Linear", {}),
        "matmul": ("MatMul", {}),
        "grouped_matmul": ("GroupedMatMul", {}),
        "solve_triangular": ("SolveTriangular", {}),
        "rbf": ("RadialBasis", {}),
        "embedding": ("Embedding", {}),
        "embedding_bag": ("EmbeddingBag", {}),
    },
    "pooling": {
        "max_pool": ("MaxPool", {}),
        "avg_pool": ("AvgPool", {}),
        "sum_pool": ("SumPool", {}),
        "lp_pool": ("LpPool", {}),
        "global_max_pool": ("GlobalPool", {"mode": "max"}),
        "global_avg_pool": ("GlobalPool", {"mode": "avg"}),
        "adaptive_max_pool": ("AdaptivePool", {"mode": "max"}),
        "adaptive_avg_pool": ("AdaptivePool", {"mode": "avg"}),
        "fractional_max_pool": ("FractionalMaxPool", {}),
        "max_unpool": ("MaxUnpool", {}),
    },
    "normalization": {
        "batch_norm": ("BatchNorm", {}),
        "layer_norm": ("LayerNorm", {}),
        "rms_norm": ("RMSNorm", {}),
        "group_norm": ("GroupNorm", {}),
        "instance_norm": ("InstanceNorm", {}),
        "lrn": ("LocalResponseNorm", {}),
        "scale_shift": ("ScaleShift", {}),
    },
    "activation": {
        **{name: ("Activation", {"function": name}) for name in FUNCTIONS},
        "prelu": ("PReLU", {}),
        "rescale": ("Rescale", {}),
        "maxout": ("Maxout", {}),
        "softmax": ("Softmax", {"log": False}),
        "log_softmax": ("Softmax", {"log": True}),
    },
    "regularization": {
        "dropout": ("Dropout", {}),
        "drop_path": ("DropPath", {}),
    },
    "merge": {
        "concat": ("Concat", {}),
        "sum": ("Elementwise", {"function": "sum"}),
        "product": ("Elementwise", {"function": "product"}),
        "maximum": ("Elementwise", {"function": "maximum"}),
        "mean": ("Elementwise", {"function": "mean"}),
    },
    "shape": {
        "identity": ("Identity", {}),
        "pad": ("Pad", {}),
        "crop": ("Crop", {}),
        "upsample": ("Upsample", {}),
        "reshape": ("Reshape", {}),
        "flatten": ("Flatten", {}),
        "permute": ("Permute", {}),
        "slice": ("Slice", {}),
        "split": ("Split", {}),
        "channel_shuffle": ("ChannelShuffle", {}),
        "pixel_shuffle": ("PixelShuffle", {}),
    },
    "views": {
        "view": ("View", {}),
        "expand": ("Expand", {}),
        "squeeze": ("Squeeze", {}),
        "unsqueeze": ("Unsqueeze", {}),
        "select": ("Select", {}),
        "windows": ("SlidingWindows", {}),
        "diagonal": ("Diagonal", {}),
        "as_strided": ("AsStrided", {}),
        "as_complex": ("AsComplex", {}),
        "as_real": ("AsReal", {}),
    },
    "copies": {
        "copy": ("Copy", {}),
        "stack": ("Stack", {}),
        "repeat": ("Repeat", {}),
        "repeat_interleave": ("RepeatInterleave", {}),
        "roll": ("Roll", {}),
        "flip": ("Flip", {}),
        "triangle": ("Triangle", {}),
        "pad_all": ("PadAll", {}),
        "unfold": ("Unfold", {}),
        "fold": ("Fold", {}),
    },
    "arithmetic": {
        **{name: ("Unary", {"function": name}) for name in UNARY},
        **{name: ("Binary", {"function": name}) for name in BINARY},
        "clamp": ("Clamp", {}),
        "where": ("Where", {}),
        "masked_fill": ("MaskedFill", {}),
        "cast": ("Cast", {}),
    },
    "reduction": {
        **{f"reduce_{name}": ("Reduce", {"function": name}) for name in REDUCTIONS},
        **{
            f"cum{name}": ("Cumulative", {"function": name})
            for name in ("sum", "prod", "max", "min")
        },
        "sort": ("Sort", {}),
        "top_k": ("TopK", {}),
    },
    "indexing": {
        "gather": ("Gather", {}),
        "index_select": ("IndexSelect", {}),
        "index": ("Index", {}),
        "index_put": ("IndexPut", {}),
        "scatter": ("Scatter", {}),
        "assign": ("Assign", {}),
        "one_hot": ("OneHot", {}),
        "nonzero": ("Nonzero", {}),
    },
    "source": {
        "constant": ("Constant", {}),
        "weight": ("Weight", {}),
        "opaque": ("Opaque", {}),
    },
}

OPERATORS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    name: (family, class_name, fixed)
    for family, members in _FAMILIES.items()
    for name, (class_name, fixed) in members.items()
}
"""name -> (module in this package, class, arguments that the name fixes)."""


def operator_class(name: str) -> tuple[type[Op], dict[str, Any]]:
    """The class behind an operator's name, and the arguments that the name fixes.

    Raises:
        KeyError: no operator has that name.
    """
    family, class_name, fixed = OPERATORS[name]
    cls: type[Op] = getattr(import_module(f"{__name__}.{family}"), class_name)
    return cls, fixed


def in_specs(name: str) -> bool:
    """Whether a spec may use an operator of that name; False where there is none."""
    return name in OPERATORS and operator_class(name)[0].in_specs


def make(name: str, /, **arguments: Any) -> Op:
    """The operator ``name`` with these arguments.

    >>> make("conv", out=64, kernel=3).settings()
    {'out': 64, 'kernel': 3}

    Raises:
        KeyError: no operator has that name.
        ArgumentError: an argument is not what the operator takes.
        TypeError: an argument is missing or unknown.
    """
    cls, fixed = operator_class(name)
    return cls(**fixed, **arguments)
