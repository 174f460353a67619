"""Every rule for an operator of torch: a call of it, the operators of archcost that it becomes, and
the values that both give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from traced_modules import Of, check

from archcost.sources.torch import rules
from archcost.sources.torch.rules import RULES

rules.load()
A = torch.ops.aten


class Case(NamedTuple):
    """A call, what it becomes (views left out), and its inputs: tensors, or shapes of them.

    ``values`` is False where the graph has no place for what they depend on.
    """

    kinds: str
    function: Callable[..., Any]
    inputs: tuple[Tensor | tuple[int, ...], ...]
    modules: dict[str, nn.Parameter | Tensor]
    values: bool


def case(
    kinds: str,
    function: Callable[..., Any],
    *inputs: Tensor | tuple[int, ...],
    values: bool = True,
    **modules: Any,
) -> Case:
    return Case(kinds, function, inputs, modules, values)


def P(*shape: int) -> nn.Parameter:  # noqa: N802
    return nn.Parameter(torch.rand(shape))


torch.manual_seed(0)
X = (2, 3, 4)
IMAGE = (2, 4, 6, 6)
POSITIVE = torch.rand(X) * 0.8 + 0.1
WHOLE = torch.randint(1, 9, X)
SIGNED = torch.randint(-9, 9, X)
MASK = torch.rand(X) > 0.5
AT = torch.tensor([2, 0, 1])
PLACES = torch.randint(0, 3, X)
ENDS = torch.tensor([2, 5], dtype=torch.int32)
COMPLEX = torch.rand(2, 3, dtype=torch.complex64)
NOT_ALL = torch.tensor([1.0, -torch.inf, torch.nan, torch.inf, 0.0])

UNARY = {
    **{
        name: name
        for name in (
            *("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "reciprocal"),
            *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "erf"),
            *("floor", "ceil", "trunc", "sign", "relu", "relu6", "selu", "silu", "mish"),
            *("sigmoid", "tanh", "abs", "square", "round", "log_sigmoid"),
        )
    },
    "neg": "negative",
    "sgn": "sign",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "isnan": "is_nan",
    "isinf": "is_inf",
}
BINARY = {
    "add": "sum",
    "sub": "difference",
    "mul": "product",
    "div": "quotient",
    "floor_divide": "floor_quotient",
    "remainder": "remainder",
    "pow": "power",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}

CASES: dict[str, list[Case]] = {
    # --- layers --------------------------------------------------------------------------------
    "conv1d": [
        case("conv", lambda s, x: A.conv1d(x, s.w, s.b, [2], [1]), (2, 4, 9), w=P(6, 4, 3), b=P(6)),
        case("dynamic_conv", A.conv1d, (2, 4, 9), (6, 4, 3)),
    ],
    "conv2d": [
        case(
            "conv",
            lambda s, x: A.conv2d(x, s.w, None, [1, 1], [1, 1], [1, 1], 2),
            IMAGE,
            w=P(6, 2, 3, 3),
        ),
        case("conv", lambda s, x: A.conv2d.padding(x, s.w, padding="same"), IMAGE, w=P(6, 4, 3, 3)),
    ],
    "conv3d": [case("conv", lambda s, x: A.conv3d(x, s.w), (1, 2, 4, 4, 4), w=P(3, 2, 2, 2, 2))],
    "convolution": [
        case(
            "conv",
            lambda s, x: A.convolution(x, s.w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1),
            IMAGE,
            w=P(6, 4, 3, 3),
        ),
        case(
            "conv_transpose",
            lambda s, x: A.convolution(x, s.w, None, [2, 2], [1, 1], [1, 1], True, [1, 1], 2),
            IMAGE,
            w=P(4, 3, 3, 3),
        ),
    ],
    "_convolution": [
        case(
            "conv",
            lambda s, x: A._convolution(
                x, s.w, None, [1], [0], [1], False, [0], 1, False, False, True, True
            ),
            (2, 4, 9),
            w=P(6, 4, 3),
        )
    ],
    "conv_transpose1d": [
        case("conv_transpose", lambda s, x: A.conv_transpose1d(x, s.w), (2, 4, 9), w=P(4, 6, 3)),
        case("dynamic_conv_transpose", A.conv_transpose1d, (2, 4, 9), (4, 6, 3)),
    ],
    "conv_transpose2d": [
        case(
            "conv_transpose",
            lambda s, x: A.conv_transpose2d(x, s.w, s.b, [2, 2], [1, 1], [1, 1], 2, [2, 2]),
            IMAGE,
            w=P(4, 3, 3, 3),
            b=P(6),
        )
    ],
    "conv_transpose3d": [
        case(
            "conv_transpose",
            lambda s, x: A.conv_transpose3d(x, s.w),
            (1, 2, 3, 3, 3),
            w=P(2, 3, 2, 2, 2),
        )
    ],
    "linear": [
        case("linear", lambda s, x: A.linear(x, s.w, s.b), X, w=P(5, 4), b=P(5)),
        case("linear", lambda s, x: A.linear(x, s.w), (4,), w=P(5, 4)),
        case("linear sum", lambda s, x, b: A.linear(x, s.w, b), X, (5,), w=P(5, 4)),
        case("matmul sum", A.linear, X, (5, 4), (5,)),
    ],
    "matmul": [
        case("matmul", A.matmul, X, (4, 5)),
        case("matmul", A.matmul, (4,), (2, 4, 5)),
        case("matmul", A.matmul, X, (4,)),
    ],
    "bilinear": [
        case(
            "matmul matmul sum",
            lambda s, a, b: A.bilinear(a, b, s.w, s.b),
            (3, 4),
            (3, 5),
            w=P(6, 4, 5),
            b=P(6),
        )
    ],
    "mm": [case("matmul", A.mm, (3, 4), (4, 5))],
    "bmm": [case("matmul", A.bmm, X, (2, 4, 5))],
    "mv": [case("matmul", A.mv, (3, 4), (4,))],
    "dot": [case("matmul", A.dot, (4,), (4,))],
    "vdot": [case("matmul", A.vdot, (4,), (4,))],
    "addmm": [
        case("matmul sum", A.addmm, (5,), (3, 4), (4, 5)),
        case(
            "matmul rescale rescale sum",
            lambda c, a, b: A.addmm(c, a, b, beta=0.5, alpha=2),
            (5,),
            (3, 4),
            (4, 5),
        ),
        case("matmul", lambda c, a, b: A.addmm(c, a, b, beta=0), (5,), (3, 4), (4, 5)),
    ],
    "baddbmm": [case("matmul sum", A.baddbmm, (1, 3, 5), X, (2, 4, 5))],
    "addbmm": [case("matmul reduce_sum sum", A.addbmm, (3, 5), X, (2, 4, 5))],
    "addmv": [case("matmul sum", A.addmv, (3,), (3, 4), (4,))],
    "linalg_solve_triangular": [
        case(
            "solve_triangular",
            lambda a, b: A.linalg_solve_triangular(a, b, upper=False),
            torch.rand(3, 3) + 2 * torch.eye(3),
            (2, 3, 4),
        ),
        case(
            "solve_triangular",
            lambda a, b: A.linalg_solve_triangular(
                a, b, upper=True, left=False, unitriangular=True
            ),
            *((2, 3, 3), (2, 4, 3)),
        ),
    ],
    "_grouped_mm": [case("grouped_matmul", A._grouped_mm, (5, 16), (2, 16, 8), ENDS)],
    "embedding": [
        case("embedding", lambda s, i: A.embedding(s.w, i), PLACES, w=P(9, 5)),
        case("index_select", A.embedding, (9, 5), PLACES),
    ],
    "embedding_bag": [
        case(
            "embedding_bag",
            lambda s, i, at: A.embedding_bag(s.w, i, at, False, 1)[0],
            torch.randint(0, 9, (7,)),
            torch.tensor([0, 3]),
            w=P(9, 5),
            values=False,
        )
    ],
    "scaled_dot_product_attention": [
        case(
            "attention",
            lambda q, k, v: A.scaled_dot_product_attention(q, k, v, None, 0.0, True),
            *[(2, 3, 4, 8)] * 3,
        )
    ],
    "lstm.input": [
        case(
            "lstm",
            lambda s, x, h, c: A.lstm(x, [h, c], [s.a, s.b], False, 1, 0.0, False, False, True),
            *(X, (1, 2, 5), (1, 2, 5)),
            a=P(20, 4),
            b=P(20, 5),
        )
    ],
    **{
        f"{name}.input": [
            case(
                name,
                lambda s, x, h, name=name: getattr(A, name)(
                    x, h, [s.a, s.b, s.c, s.d], True, 1, 0.0, False, False, False
                ),
                *(X, (1, 3, 5)),
                a=P(5 * gates, 4),
                b=P(5 * gates, 5),
                c=P(5 * gates),
                d=P(5 * gates),
            )
        ]
        for name, gates in (("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1))
    },
    "batch_norm": [
        case(
            "batch_norm",
            lambda s, x: A.batch_norm(x, s.w, s.b, s.m, s.v, False, 0.1, 1e-5, False),
            IMAGE,
            **{name: P(4) for name in "wb"},
            **{name: torch.rand(4) + 0.5 for name in "mv"},
        ),
        case(
            "batch_norm product",
            lambda s, x, w: A.batch_norm(x, w, None, s.m, s.v, False, 0.1, 1e-5, False),
            IMAGE,
            (4,),
            **{name: torch.rand(4) + 0.5 for name in "mv"},
        ),
    ],
    "instance_norm": [
        case(
            "instance_norm",
            lambda s, x: A.instance_norm(x, s.w, s.b, None, None, True, 0.1, 1e-5, False),
            IMAGE,
            w=P(4),
            b=P(4),
        )
    ],
    "layer_norm": [
        case("layer_norm", lambda s, x: A.layer_norm(x, [4], s.w, s.b), X, w=P(4), b=P(4)),
        case("layer_norm product sum", lambda x, w, b: A.layer_norm(x, [4], w, b), X, (4,), (4,)),
    ],
    "native_layer_norm": [
        case(
            "layer_norm",
            lambda s, x: A.native_layer_norm(x, [4], s.w, s.b, 1e-5)[0],
            X,
            w=P(4),
            b=P(4),
        )
    ],
    "rms_norm": [
        case("rms_norm", lambda s, x: A.rms_norm(x, [4], s.w, 1e-6), X, w=P(4)),
        case("rms_norm", lambda x: A.rms_norm(x, [4]), X),
        case("rms_norm product", lambda x, w: A.rms_norm(x, [4], w), X, (4,)),
    ],
    "_fused_rms_norm": [
        case("rms_norm", lambda s, x: A._fused_rms_norm(x, [4], s.w, 1e-6)[0], X, w=P(4))
    ],
    "group_norm": [
        case("group_norm", lambda s, x: A.group_norm(x, 2, s.w, s.b), IMAGE, w=P(4), b=P(4))
    ],
    **{
        f"max_pool{rank}d": [
            case("max_pool", lambda x, f=f"max_pool{rank}d": getattr(A, f)(x, 2, 1), shape)
        ]
        for rank, shape in ((1, X), (2, IMAGE), (3, (1, 2, 4, 4, 4)))
    },
    **{
        f"max_pool{rank}d_with_indices": [
            case(
                "max_pool",
                lambda x, f=f"max_pool{rank}d_with_indices", rank=rank: getattr(A, f)(
                    x, [2] * rank
                ),
                shape,
            )
        ]
        for rank, shape in ((2, IMAGE), (3, (1, 2, 4, 4, 4)))
    },
    "max_pool1d_with_indices": [case("max_pool", lambda x: A.max_pool1d_with_indices(x, 2), X)],
    **{
        f"avg_pool{rank}d": [
            case(
                "avg_pool",
                lambda x, f=f"avg_pool{rank}d", rank=rank: getattr(A, f)(
                    x, [3] * rank, [2] * rank, [1] * rank, True, False
                ),
                shape,
            )
        ]
        for rank, shape in ((1, X), (2, IMAGE), (3, (1, 2, 4, 4, 4)))
    },
    **{
        f"adaptive_{mode}_pool{rank}d": [
            case(
                f"adaptive_{mode}_pool",
                lambda x, f=f"adaptive_{mode}_pool{rank}d", rank=rank, mode=mode: (
                    getattr(A, f)(x, [2] * rank)[0]
                    if mode == "max"
                    else getattr(A, f)(x, [2] * rank)
                ),
                shape,
            )
        ]
        for rank, shape in ((1, X), (2, IMAGE), (3, (1, 2, 4, 4, 4)))
        for mode in ("max", "avg")
    },
    "fractional_max_pool2d": [
        case(
            "fractional_max_pool",
            lambda x, u: A.fractional_max_pool2d(x, [2, 2], [3, 3], u)[0],
            IMAGE,
            torch.rand(2, 4, 2),
            values=False,
        )
    ],
    "fractional_max_pool3d": [
        case(
            "fractional_max_pool",
            lambda x, u: A.fractional_max_pool3d(x, [2] * 3, [2] * 3, u)[0],
            (1, 2, 4, 4, 4),
            torch.rand(1, 2, 3),
            values=False,
        )
    ],
    **{
        name: [case("upsample", lambda x, f=name, a=arguments: getattr(A, f)(x, *a), shape)]
        for name, shape, arguments in (
            ("upsample_nearest1d", X, ([7],)),
            ("upsample_nearest2d", IMAGE, ([9, 7],)),
            ("upsample_nearest3d", (1, 2, 3, 3, 3), ([4, 5, 6],)),
            ("_upsample_nearest_exact1d", X, ([8],)),
            ("_upsample_nearest_exact2d", IMAGE, ([12, 12],)),
            ("_upsample_nearest_exact3d", (1, 2, 3, 3, 3), ([6, 6, 6],)),
            ("upsample_linear1d", X, ([7], True)),
            ("upsample_bilinear2d", IMAGE, ([9, 7], False)),
            ("upsample_trilinear3d", (1, 2, 3, 3, 3), ([4, 5, 6], False)),
            ("upsample_bicubic2d", IMAGE, ([9, 7], False)),
            ("_upsample_bilinear2d_aa", IMAGE, ([4, 3], False)),
            ("_upsample_bicubic2d_aa", IMAGE, ([4, 3], False)),
        )
    },
    **{
        name: [
            case("grid_sample", lambda x, g, f=name: getattr(A, f)(x, g, 0, 0, False), shape, grid)
        ]
        for name, shape, grid in (
            ("grid_sampler", IMAGE, (2, 3, 3, 2)),
            ("grid_sampler_2d", IMAGE, (2, 3, 3, 2)),
            ("grid_sampler_3d", (1, 2, 3, 3, 3), (1, 2, 2, 2, 3)),
        )
    },
    # --- arithmetic ----------------------------------------------------------------------------
    **{name: [case(kind, getattr(A, name), POSITIVE)] for name, kind in UNARY.items()},
    "abs": [
        case("abs", A.abs, X),
        case("negative maximum", A.abs, SIGNED),
        case("reduce_l2", A.abs, COMPLEX),
    ],
    "acosh": [case("acosh", A.acosh, POSITIVE + 1)],
    "atanh": [case("atanh", A.atanh, POSITIVE / 2)],
    **{
        name: [case(kind, getattr(A, name), X, POSITIVE if name != "pow" else WHOLE.float())]
        for name, kind in BINARY.items()
    },
    "atan2": [case("atan2", A.atan2, X, X)],
    "fmod": [
        case("quotient trunc product difference", A.fmod, X, POSITIVE),
        case("quotient trunc rescale difference", lambda x: A.fmod(x, 0.3), X),
    ],
    "rsub": [
        case("rescale", lambda x: A.rsub(x, 2), X),
        case("difference", A.rsub, X, X),
        case("rescale difference", lambda x, y: A.rsub(x, y, alpha=3), X, X),
    ],
    **{
        name: [case(kind, getattr(A, name), MASK, X if "logical" in name else ~MASK)]
        for name, kind in (
            ("logical_and", "and"),
            ("logical_or", "or"),
            ("logical_xor", "xor"),
            ("bitwise_and", "and"),
            ("bitwise_or", "or"),
            ("bitwise_xor", "xor"),
        )
    },
    "logical_not": [case("not", A.logical_not, PLACES)],
    "bitwise_not": [case("not", A.bitwise_not, MASK), case("rescale", A.bitwise_not, SIGNED)],
    "maximum": [case("maximum", A.maximum, X, X)],
    "minimum": [case("minimum", A.minimum, X, X)],
    "max.other": [case("maximum", torch.max, X, X)],
    "min.other": [case("minimum", torch.min, X, X)],
    "fmax": [case("maximum", A.fmax, X, X)],
    "fmin": [case("minimum", A.fmin, X, X)],
    "clamp": [
        case("clamp", lambda x: A.clamp(x, -0.5, 1), X),
        case("clamp", lambda x: A.clamp(x, max=1), X),
        case("maximum minimum", A.clamp, X, X, X),
    ],
    "clamp_min": [case("clamp", lambda x: A.clamp_min(x, 0.1), X)],
    "clamp_max": [case("clamp", lambda x: A.clamp_max(x, 0.1), X)],
    "hardtanh": [
        case("hard_tanh", A.hardtanh, X),
        case("relu6", lambda x: A.hardtanh(x, 0, 6), X),
        case("clamp", lambda x: A.hardtanh(x, -2, 0.5), X),
    ],
    "isfinite": [case("abs less", A.isfinite, NOT_ALL)],
    "gelu": [
        case("gelu", A.gelu, X),
        case("gelu_tanh", lambda x: A.gelu(x, approximate="tanh"), X),
    ],
    "leaky_relu": [case("leaky_relu", lambda x: A.leaky_relu(x, 0.2), X)],
    "rrelu": [case("leaky_relu", A.rrelu, X)],
    "elu": [
        case("elu", lambda x: A.elu(x, 0.5), X),
    ],
    "celu": [case("celu", lambda x: A.celu(x, 0.5), X)],
    "softplus": [
        case("softplus", A.softplus, X),
        case("rescale softplus rescale", lambda x: A.softplus(x, 2), X),
    ],
    "threshold": [case("less_equal masked_fill", lambda x: A.threshold(x, 0.1, 7), X)],
    "hardshrink": [case("abs less_equal masked_fill", A.hardshrink, X)],
    "softshrink": [case("clamp difference", A.softshrink, X)],
    "prelu": [case("prelu", lambda s, x: A.prelu(x, s.w), X, w=P(3))],
    "glu": [case("sigmoid product", lambda x: A.glu(x, -1), X)],
    **{
        name: [case(kind, lambda x, f=name, a=more: getattr(A, f)(x, 1, *a), X)]
        for name, kind, more in (
            ("softmax", "softmax", ()),
            ("_softmax", "softmax", (False,)),
            ("log_softmax", "log_softmax", ()),
            ("_log_softmax", "log_softmax", (False,)),
        )
    },
    "dropout": [case("", lambda x: A.dropout(x, 0.3, False), X)],
    "alpha_dropout": [case("", lambda x: A.alpha_dropout(x, 0.3, False), X)],
    "feature_dropout": [case("", lambda x: A.feature_dropout(x, 0.3, False), X)],
    "feature_alpha_dropout": [case("", lambda x: A.feature_alpha_dropout(x, 0.3, False), X)],
    "native_dropout": [
        case("", lambda x: A.native_dropout(x, 0.3, False)[0], X),
    ],
    "where": [
        case("where", A.where, MASK, X, (3, 1)),
        case("constant where", lambda m, x: A.where(m, x, 2.0), MASK, X),
        case("masked_fill", lambda m, x: A.where(m, 2, x), MASK, X),
        case("nonzero", A.where, torch.ones(2, 3)),
    ],
    "masked_fill": [
        case("masked_fill", lambda x, m: A.masked_fill(x, m, -torch.inf), X, MASK),
        case("where", lambda x, m, v: A.masked_fill(x, m, v[0]), X, MASK, (1,)),
    ],
    "lerp": [
        case("difference rescale sum", lambda a, b: A.lerp(a, b, 0.3), X, X),
        case("difference product sum", A.lerp, X, X, X),
    ],
    "addcmul": [case("product rescale sum", lambda *x: A.addcmul(*x, value=2), X, X, X)],
    "addcdiv": [case("quotient sum", A.addcdiv, X, X, POSITIVE)],
    "mse_loss": [
        case("difference square reduce_mean", A.mse_loss, X, X),
        case("difference square", lambda a, b: A.mse_loss(a, b, 0), X, X),
    ],
    "polar": [
        case("cos product sin product stack", lambda r, a: A.view_as_real(A.polar(r, a)), X, X)
    ],
    "complex": [case("stack", lambda a, b: A.view_as_real(A.complex(a, b)), X, X)],
    "view_as_complex": [case("product", lambda a, b: A.view_as_complex(a) * b, (2, 3, 2), COMPLEX)],
    "view_as_real": [case("", A.view_as_real, COMPLEX)],
    "isin.Tensor_Tensor": [
        case("equal reduce_any", torch.isin, PLACES, AT[:2]),
        case("equal reduce_any not", lambda x, t: torch.isin(x, t, invert=True), PLACES, AT[:2]),
    ],
    # --- reductions ----------------------------------------------------------------------------
    **{
        name: [
            case(kind, lambda x, f=name: getattr(A, f)(x, 1), X if name != "any" else MASK),
            case(kind, lambda x, f=name: getattr(A, f)(x, -1, True), X if name != "any" else MASK),
        ]
        for name, kind in (
            ("prod", "reduce_prod"),
            ("any", "reduce_any"),
            ("argmax", "reduce_argmax"),
            ("argmin", "reduce_argmin"),
            ("max.dim", "reduce_max"),
        )
        if "." not in name
    },
    "sum": [
        case("reduce_sum", A.sum, X),
        case("reduce_sum", lambda x: A.sum(x, [0, 2], True), X),
        case("cast reduce_sum", lambda x: A.sum(x, [0], dtype=torch.float64), X),
        case("reduce_sum", A.sum, WHOLE),
        case("reduce_sum cast", lambda x: A.sum(x, [1], dtype=torch.int32), WHOLE),
    ],
    "mean": [case("reduce_mean", A.mean, X), case("reduce_mean", lambda x: A.mean(x, [0, 2]), X)],
    "amax": [case("reduce_max", lambda x: A.amax(x, [0, 2]), X)],
    "amin": [case("reduce_min", lambda x: A.amin(x, [0], True), X)],
    "all": [case("reduce_all", A.all, MASK), case("reduce_all", lambda x: A.all(x, 1), MASK)],
    "_is_any_true": [case("reduce_any", A._is_any_true, MASK)],
    "_is_all_true": [case("reduce_all", A._is_all_true, MASK)],
    "logsumexp": [case("reduce_logsumexp", lambda x: A.logsumexp(x, [1], True), X)],
    "max": [case("reduce_max", A.max, X)],
    "min": [case("reduce_min", A.min, X)],
    "max.dim": [case("reduce_max", lambda x: A.max(x, 1, True), X)],
    "min.dim": [case("reduce_min", lambda x: A.min(x, 1), X)],
    "aminmax": [
        case("reduce_min reduce_max", A.aminmax, X),
        case("reduce_min reduce_max", lambda x: A.aminmax(x, dim=1, keepdim=True), X),
    ],
    "nansum": [case("is_nan masked_fill reduce_sum", A.nansum, torch.tensor([1.0, torch.nan]))],
    "count_nonzero": [case("not_equal reduce_sum", lambda x: A.count_nonzero(x, 1), PLACES)],
    "median": [
        case("sort", A.median, X),
        case("sort", lambda x: A.median(x, 1, True), X),
        case("sort", lambda x: A.median(x, -1), X),
    ],
    "kthvalue": [case("sort", lambda x: A.kthvalue(x, 2), X)],
    **{
        f"{name}{mean}": [
            case(f"reduce_{name}{' reduce_mean' * bool(mean)}", getattr(A, name + mean), X),
            case(
                f"reduce_{name}{' reduce_mean' * bool(mean)}",
                lambda x, f=name + mean: getattr(A, f)(x, [1], False, True),
                X,
            ),
            case(
                f"reduce_{name}{' reduce_mean' * bool(mean)}",
                lambda x, f=name + mean: getattr(A, f)(x, False),
                X,
            ),
            case(
                f"reduce_{name}{' reduce_mean' * bool(mean)}",
                lambda x, f=name + mean: getattr(A, f)(x, [0, 2], correction=0),
                X,
            ),
        ]
        for name in ("var", "std")
        for mean in ("", "_mean")
    },
    "linalg_vector_norm": [
        case("reduce_l2", A.linalg_vector_norm, X),
        case("reduce_l1", lambda x: A.linalg_vector_norm(x, 1, [1], True), X),
        case("abs reduce_max", lambda x: A.linalg_vector_norm(x, torch.inf, [1]), X),
        case("abs reduce_min", lambda x: A.linalg_vector_norm(x, -torch.inf), X),
        case("abs not_equal cast reduce_sum", lambda x: A.linalg_vector_norm(x, 0), X),
        case("abs power reduce_sum power", lambda x: A.linalg_vector_norm(x, 3, [1]), X),
    ],
    "norm": [
        case("reduce_l2", A.norm, X),
        case("reduce_l1", lambda x: A.norm(x, 1, [1], True), X),
    ],
    **{
        name: [
            case(
                "reduce_l2 quotient product",
                lambda v, g, f=name: getattr(A, f)(v, g),
                (3, 4, 5),
                (3, 1, 1),
            )
        ]
        for name in ("_weight_norm", "_weight_norm_interface")
    },
    "_euclidean_dist": [
        case(
            "matmul square reduce_sum square reduce_sum sum rescale difference clamp sqrt",
            A._euclidean_dist,
            (2, 3, 4),
            (2, 5, 4),
        )
    ],
    "cumsum": [
        case("cumsum", lambda x: A.cumsum(x, 1), X),
        case("cumsum cast", lambda x: A.cumsum(x, 1, dtype=torch.int32), WHOLE),
    ],
    "cumprod": [case("cumprod", lambda x: A.cumprod(x, 1), X)],
    "cummax": [case("cummax", lambda x: A.cummax(x, 1), X)],
    "cummin": [case("cummin", lambda x: A.cummin(x, 1), X)],
    "sort": [
        case("sort", A.sort, X),
        case("sort", lambda x: A.sort(x, 1, True), X),
        case("sort", lambda x: A.sort.stable(x, stable=True, dim=0, descending=True), X),
    ],
    "argsort": [
        case("sort", lambda x: A.argsort(x, 1, True), X),
        case("sort", lambda x: A.argsort.stable(x, stable=True, dim=0), X),
    ],
    "topk": [
        case("top_k", lambda x: A.topk(x, 2), X),
        case("top_k", lambda x: A.topk(x, 2, 1, False), X),
    ],
    "histc": [
        case(
            "rescale floor cast constant constant scatter",
            lambda x: A.histc(x, 4, 0, 4),
            torch.rand(9) * 3.9,
        )
    ],
    # --- indices -------------------------------------------------------------------------------
    "gather": [case("gather", lambda x, i: A.gather(x, 1, i), X, PLACES)],
    "index_select": [case("index_select", lambda x, i: A.index_select(x, 1, i), X, AT)],
    "nonzero": [case("nonzero", A.nonzero, torch.ones(2, 3))],
    "argwhere": [case("nonzero", A.argwhere, torch.ones(2, 3))],
    "nonzero_numpy": [case("nonzero", A.nonzero_numpy, torch.ones(2, 3))],
    "index": [
        case("index", lambda x, i: x[:, i], X, AT),
        case("index", lambda x, i, j: x[i, :, j], X, AT[1:], AT[1:]),
        case("nonzero index", lambda x, m: x[m], X, torch.ones(2, 3, dtype=torch.bool)),
        case("nonzero index", lambda x, m: x[:, m], X, torch.ones(3, 4, dtype=torch.bool)),
    ],
    "_unsafe_index": [case("index", lambda x, i: A._unsafe_index(x, [None, i]), X, AT)],
    "masked_select": [
        case("nonzero index", A.masked_select, X, torch.ones(3, 1, dtype=torch.bool))
    ],
    "index_put": [
        case("index_put", lambda x, i, v: A.index_put(x, [None, i], v), X, AT, (2, 3, 4)),
        case("index_put", lambda x, i, v: A.index_put(x, [i], v, True), (3, 4), AT, (4,)),
        case("where", lambda x, m, v: A.index_put(x, [m], v[0]), X, MASK[:, :, 0], (1,)),
        case(
            "nonzero index_put",
            lambda x, m, v: A.index_put(x, [m], v),
            X,
            torch.ones(2, 3, dtype=torch.bool),
            (6, 4),
        ),
    ],
    "_index_put_impl": [
        case(
            "index_put",
            lambda x, i, v: A._index_put_impl(x, [i], v, True, True),
            (3, 4),
            AT,
            (4,),
        )
    ],
    "scatter": [
        case("scatter", lambda x, i, s: A.scatter(x, 1, i, s), X, PLACES[:1], X),
        case("constant scatter", lambda x, i: A.scatter(x, 1, i, 2.5), X, PLACES[:1]),
        case("scatter", lambda x, i, s: A.scatter(x, 1, i, s, reduce="multiply"), X, PLACES[:1], X),
    ],
    "scatter_reduce": [
        case("scatter", lambda x, i, s: A.scatter_reduce(x, 1, i, s, "amax"), X, PLACES, X),
        case("scatter", lambda x, i, s: A.scatter_reduce(x, 1, i, s, "sum"), X, PLACES, X),
        case(
            "constant scatter scatter constant constant scatter clamp quotient",
            lambda x, i, s: A.scatter_reduce(x, 1, i, s, "mean", include_self=False),
            *(X, PLACES, X),
        ),
        case(
            "constant scatter scatter",
            lambda x, i, s: A.scatter_reduce(x, 1, i, s, "prod", include_self=False),
            *(X, PLACES, X),
        ),
        case(
            "constant scatter scatter",
            lambda x, i, s: A.scatter_reduce(x, 1, i, s, "amax", include_self=False),
            *(SIGNED, PLACES, WHOLE),
        ),
    ],
    "scatter_add": [case("scatter", lambda x, i, s: A.scatter_add(x, 1, i, s), X, PLACES, X)],
    "index_add": [
        case("index_put", lambda x, i, s: A.index_add(x, 1, i, s), X, AT, X),
        case("rescale index_put", lambda x, i, s: A.index_add(x, 1, i, s, alpha=2), X, AT, X),
    ],
    "index_copy": [case("index_put", lambda x, i, s: A.index_copy(x, 1, i, s), X, AT, X)],
    "index_fill": [
        case("constant index_put", lambda x, i: A.index_fill(x, 1, i, 2.5), X, AT[:2]),
        case("index_put", lambda x, i, v: A.index_fill(x, 1, i, v[0]), X, AT[:2], (1,)),
    ],
    "masked_scatter": [case("assign", A.masked_scatter, X, MASK, X, values=False)],
    "slice_scatter": [
        case("assign", lambda x, s: A.slice_scatter(x, s, 2, 0, -1, 2), X, (2, 3, 2)),
        case("assign", lambda x, s: A.slice_scatter(x, s, 1, 1), X, (2, 2, 4)),
    ],
    "select_scatter": [case("assign", lambda x, s: A.select_scatter(x, s, 1, -1), X, (2, 4))],
    "diagonal_scatter": [case("assign", A.diagonal_scatter, (3, 4), (3,), values=False)],
    "as_strided_scatter": [
        case(
            "assign",
            lambda x, s: A.as_strided_scatter(x, s, [2, 2], [4, 1]),
            (3, 4),
            (2, 2),
            values=False,
        )
    ],
    "one_hot": [case("one_hot", lambda x: A.one_hot(x, 5), PLACES)],
    # --- views ---------------------------------------------------------------------------------
    "view": [
        case("", lambda x: A.view(x, [2, 12]), X),
        case("", lambda x: A.view(x, [-1]), X),
    ],
    "reshape": [case("", lambda x: A.reshape(x, [6, -1]), X)],
    "_unsafe_view": [case("", lambda x: A._unsafe_view(x, [2, 12]), X)],
    "_reshape_alias": [case("", lambda x: A._reshape_alias(x, [6, 4], [4, 1]), X)],
    "flatten.using_ints": [
        case("", A.flatten, X),
        case("", lambda x: A.flatten(x, 1, -1), X),
    ],
    "permute": [case("", lambda x: A.permute(x, [2, 0, -2]), X)],
    "transpose.int": [case("", lambda x: A.transpose(x, 0, -1), X)],
    "t": [case("", A.t, (3, 4)), case("", A.t, (4,))],
    "squeeze": [
        case("", A.squeeze, (1, 3, 1)),
        case("", lambda x: A.squeeze(x, 0), (1, 3, 1)),
        case("", lambda x: A.squeeze(x, [0, -1]), (1, 3, 1)),
        case("", lambda x: A.squeeze(x, 1), (1, 3, 1)),
    ],
    "unsqueeze": [case("", lambda x: A.unsqueeze(x, -1), X)],
    "expand": [case("", lambda x: A.expand(x, [2, -1, 4]), (3, 1))],
    "slice.Tensor": [
        case("", lambda x: A.slice(x, 1, 1, None, 2), X),
        case("", lambda x: A.slice(x, -1, -3, -1), X),
        case("", lambda x: A.slice(x, 1), X),
        case("constant", lambda x: A.slice(x, 1, 2, 2), X),
    ],
    "select.int": [case("", lambda x: A.select(x, 1, -1), X)],
    "unbind.int": [case("", lambda x: A.unbind(x, 1), X)],
    "split": [
        case("", lambda x: A.split(x, 2, 1), X),
        case("", lambda x: A.split(x, [1, 3], 2), X),
    ],
    "split_with_sizes": [
        case("", lambda x: A.split_with_sizes(x, [1, 2, 1], -1), X),
        case("constant", lambda x: A.split_with_sizes(x, [3, 0, 1], -1), X),
    ],
    "chunk": [case("", lambda x: A.chunk(x, 2, 2), X), case("", lambda x: A.chunk(x, 1), X)],
    "tensor_split": [case("", lambda x: A.tensor_split(x, 3, 2), X)],
    "unsafe_split": [case("", lambda x: A.unsafe_split(x, 2, 1), X)],
    "unsafe_chunk": [case("", lambda x: A.unsafe_chunk(x, 2, 2), X)],
    "as_strided": [
        case("", lambda x: A.as_strided(x, [3, 4], [2, 1]), X),
        case("", lambda x: A.as_strided(x[1], [3, 2], [4, 1], 13), X),
        case("", lambda x: A.as_strided(x.transpose(0, 1), [3, 4], [2, 1]), X),
    ],
    "unfold": [case("", lambda x: A.unfold(x, 2, 2, 1), X)],
    "diagonal": [case("", lambda x: A.diagonal(x, 1, 0, -1), X)],
    **{
        name: [case("sum", lambda x, f=name: getattr(A, f)(x) + x, X)]
        for name in ("detach", "alias", "lift", "lift_fresh_copy", "resolve_neg", "conj")
    },
    "resolve_conj": [case("sum", lambda x: A.resolve_conj(x) + x, X)],
    # --- copies --------------------------------------------------------------------------------
    "cat": [
        case("concat", lambda *x: A.cat(x, 1), X, (2, 1, 4)),
        case("concat", lambda *x: A.cat([*x, x[0][:0]]), X, X),
    ],
    "stack": [case("stack", lambda *x: A.stack(x, -1), X, X)],
    "repeat": [
        case("repeat", lambda x: A.repeat(x, [2, 1, 3, 1]), X),
        case("copy", lambda x: A.repeat(x, [1, 1, 1]), X),
    ],
    "repeat_interleave.self_int": [
        case("repeat_interleave", lambda x: A.repeat_interleave(x, 2, 1), X),
        case("repeat_interleave", lambda x: A.repeat_interleave(x, 2), X),
    ],
    "roll": [
        case("roll", lambda x: A.roll(x, [1, -1], [0, 2]), X),
        case("roll", lambda x: A.roll(x, [5]), X),
    ],
    "flip": [case("flip", lambda x: A.flip(x, [0, -1]), X)],
    "triu": [case("triangle", lambda x: A.triu(x, 1), X)],
    "tril": [case("triangle", A.tril, X)],
    "pad": [
        case("pad", lambda x: A.pad(x, [1, 2, 0, 1]), IMAGE),
        case("pad", lambda x: A.pad(x, [1, 2, 0, 1], "reflect"), IMAGE),
        case("pad_all", lambda x: A.pad(x, [1, 2], "circular"), X),
        case("pad_all", lambda x: A.pad(x, [1, -1], "constant", -torch.inf), IMAGE),
        case("pad_all", lambda x: A.pad(x, [1, 2, 1, 0, 2, 0]), X),
    ],
    "constant_pad_nd": [case("pad_all", lambda x: A.constant_pad_nd(x, [1, 0], 2.5), X)],
    **{
        f"{name}_pad{rank}d": [
            case(
                "pad",
                lambda x, f=f"{name}_pad{rank}d", rank=rank: getattr(A, f)(x, [1, 2] * rank),
                shape,
            )
        ]
        for name in ("reflection", "replication")
        for rank, shape in ((1, X), (2, IMAGE), (3, (1, 2, 4, 4, 4)))
    },
    "im2col": [case("unfold", lambda x: A.im2col(x, [3, 2], [1, 2], [1, 1], [2, 1]), IMAGE)],
    "col2im": [
        case("fold", lambda x: A.col2im(x, [4, 5], [2, 2], [1, 1], [0, 0], [1, 1]), (1, 12, 12))
    ],
    "pixel_shuffle": [case("pixel_shuffle", lambda x: A.pixel_shuffle(x, 2), IMAGE)],
    "pixel_unshuffle": [case("pixel_shuffle", lambda x: A.pixel_unshuffle(x, 2), IMAGE)],
    "channel_shuffle": [case("channel_shuffle", lambda x: A.channel_shuffle(x, 2), IMAGE)],
    "native_channel_shuffle": [
        case("channel_shuffle", lambda x: A.native_channel_shuffle(x, 2), IMAGE)
    ],
    "clone": [case("copy", A.clone, X)],
    "contiguous": [
        case("", A.contiguous, X),
        case("copy", lambda x: A.contiguous(x.transpose(0, 1)), X),
    ],
    "to.dtype": [case("cast", lambda x: A.to(x, torch.float64), X)],
    "to.dtype_layout": [case("cast", lambda x: A.to.dtype_layout(x, dtype=torch.int32), X)],
    "to.device": [case("cast", lambda x: A.to(x, "cpu", torch.float16), X)],
    "to.other": [case("cast", A.to, X, WHOLE)],
    "_to_copy": [case("cast", lambda x: A._to_copy(x, dtype=torch.float64), X)],
    "copy": [
        case("cast", A.copy, X, WHOLE),
        case("", A.copy, X, (1, 4)),
    ],
    # --- tensors made anew ---------------------------------------------------------------------
    "bernoulli": [case("constant less cast", A.bernoulli, POSITIVE, values=False)],
    "fill.Tensor": [case("copy", lambda x, v: A.fill(x, v[0]), X, (1,))],
}

MADE: dict[str, Callable[[Tensor], Any]] = {
    "arange": lambda x: A.arange(x.shape[1]),
    "linspace": lambda x: A.linspace(0, 1, 5),
    "logspace": lambda x: A.logspace(0, 1, 5),
    "eye": lambda x: A.eye(3),
    "full": lambda x: A.full([2, 3], 1.5),
    "zeros": lambda x: A.zeros([2, 3]),
    "ones": lambda x: A.ones([2, 3]),
    "empty": lambda x: A.empty([2, 3]),
    "empty_strided": lambda x: A.empty_strided([2, 3], [3, 1]),
    "empty_permuted": lambda x: A.empty_permuted([2, 3], [1, 0]),
    "range": lambda x: A.range(0, 4),
    "scalar_tensor": lambda x: A.scalar_tensor(1.5),
    "tril_indices": lambda x: A.tril_indices(3, 4),
    "triu_indices": lambda x: A.triu_indices(3, 4),
    "rand": lambda x: A.rand([2, 3]),
    "randn": lambda x: A.randn([2, 3]),
    "randint": lambda x: A.randint(5, [2, 3]),
    "randperm": lambda x: A.randperm(5),
    "normal.float_float": lambda x: A.normal(0.0, 1.0, [2, 3]),
    "hann_window": lambda x: A.hann_window(5),
    "hamming_window": lambda x: A.hamming_window(5),
    "blackman_window": lambda x: A.blackman_window(5),
    "bartlett_window": lambda x: A.bartlett_window(5),
    "kaiser_window": lambda x: A.kaiser_window(5),
    "zeros_like": A.zeros_like,
    "ones_like": A.ones_like,
    "full_like": lambda x: A.full_like(x, 1.5),
    "empty_like": A.empty_like,
    "rand_like": A.rand_like,
    "randn_like": A.randn_like,
    "randint_like": lambda x: A.randint_like(x, 5),
    "new_zeros": lambda x: A.new_zeros(x, [2, 3]),
    "new_ones": lambda x: A.new_ones(x, [2, 3]),
    "new_full": lambda x: A.new_full(x, [2, 3], 1.5),
    "new_empty": lambda x: A.new_empty(x, [2, 3]),
    "new_empty_strided": lambda x: A.new_empty_strided(x, [2, 3], [3, 1]),
    "bernoulli.p": lambda x: A.bernoulli(x, 0.5),
    "fill.Scalar": lambda x: A.fill(x, 1.5),
    "zero": A.zero,
    "uniform_": lambda x: A.uniform_(A.empty_like(x)),
    "normal_": lambda x: A.normal_(A.empty_like(x)),
    "random_": lambda x: A.random_(A.empty_like(x)),
    "exponential_": lambda x: A.exponential_(A.empty_like(x)),
    "bernoulli_.float": lambda x: A.bernoulli_(A.empty_like(x), 0.5),
    "log_normal_": lambda x: A.log_normal_(A.empty_like(x)),
    "geometric_": lambda x: A.geometric_(A.empty_like(x), 0.5),
    "cauchy_": lambda x: A.cauchy_(A.empty_like(x)),
}
"""Rule -> a call that makes a tensor of nothing, or of another's shape and dtype alone."""

ELSEWHERE = {
    "aten::set_.source_Tensor",
    "aten::_pack_padded_sequence",
    "aten::_pad_packed_sequence",
}
ELSEWHERE |= {f"aten::{mode}.data" for mode in ("lstm", "gru", "rnn_tanh", "rnn_relu")}
"""Rules of packed sequences, see test_torch_values."""


def operator_exists(name: str) -> bool:
    space, _, operator = name.partition("::")
    operator, _, overload = operator.partition(".")
    packet = getattr(getattr(torch.ops, space), operator, None)
    return packet is not None and (not overload or overload in packet.overloads())


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_for_an_operator_that_torch_has(name: str) -> None:
    if name.startswith("torchvision::"):
        pytest.importorskip("torchvision")
    assert operator_exists(name)


def test_every_rule_has_a_case() -> None:
    here = {name for name in RULES if name.startswith("aten::")} - ELSEWHERE
    assert here == {f"aten::{name}" for name in (*CASES, *MADE)}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The rules that are asked, by name."""
    found: set[str] = set()

    def watched(name: str, rule: Any) -> Any:
        def asked(*args: Any, **kwargs: Any) -> Any:
            found.add(name)
            return rule(*args, **kwargs)

        return asked

    for name, rule in list(RULES.items()):
        monkeypatch.setitem(RULES, name, watched(name, rule))
    return found


def made(input_: Tensor | tuple[int, ...]) -> Tensor:
    return input_ if isinstance(input_, Tensor) else torch.randn(input_)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        pytest.param(name, call, id=f"{name}-{number}" if number else name)
        for name, calls in CASES.items()
        for number, call in enumerate(calls)
    ],
)
def test_rule(name: str, call: Case, used: set[str]) -> None:
    torch.manual_seed(0)
    module = Of(call.function, **call.modules)
    graph = check(module, *map(made, call.inputs), values=call.values, macs=False)
    assert f"aten::{name}" in used
    kinds = [node.op.kind for node in graph if not node.op.view]
    assert kinds == call.kinds.split()


@pytest.mark.parametrize("name", MADE)
def test_rule_of_what_is_made_anew(name: str, used: set[str]) -> None:
    graph = check(Of(MADE[name]), torch.rand(2, 3), values=False, macs=False)
    assert f"aten::{name}" in used
    assert graph.outputs[0].producer.op.kind == "constant"


@pytest.mark.parametrize("name", [*UNARY, "add", "mul", "clamp_min", "masked_fill"])
def test_an_operator_that_writes_over_its_input_has_the_rule_of_the_other(name: str) -> None:
    function = getattr(A, f"{name}_", None)
    if function is None:
        pytest.skip("torch has none")
    more: tuple[Any, ...] = ()
    if name in ("add", "mul", "clamp_min"):
        more = (0.5,)
    if name == "masked_fill":
        more = (POSITIVE > 0.5, 2)
    apart = check(Of(lambda x: getattr(A, name)(x.clone(), *more)), POSITIVE, macs=False)
    within = check(Of(lambda x: function(x.clone(), *more)), POSITIVE, macs=False)
    assert [node.op for node in within] == [node.op for node in apart]
