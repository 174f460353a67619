"""Rules for what holds parameters or does the work: convolutions, products, norms, pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from archcost.ir import Parameter
from archcost.sources.torch.rules import MODULE_RULES, Rule, Slots, ints, rule

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace

# --- convolutions ------------------------------------------------------------------------------


def _convolution(rank: int) -> Rule:
    def convolution(
        t: Trace,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = (1,),
        padding: Any = (0,),
        dilation: Any = (1,),
        groups: int = 1,
    ) -> Slots:
        if input.dim() != rank + 2:
            return None
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                return None
            padding = "same" if padding == "same" else (0,)
        arguments = {
            "kernel": ints(weight.shape[2:]),
            "stride": ints(stride),
            "padding": padding if padding == "same" else ints(padding),
            "dilation": ints(dilation),
        }
        return _weighted(t, "conv", input, weight, bias, groups, weight.shape[0], arguments)

    return convolution


for _rank in (1, 2, 3):
    rule(f"conv{_rank}d")(_convolution(_rank))


@rule("convolution", "_convolution")
def _general_convolution(
    t: Trace,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *_: Any,
) -> Slots:
    if transposed:
        return _transposed(
            t, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return _convolution(input.dim() - 2)(t, input, weight, bias, stride, padding, dilation, groups)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(
    t: Trace,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = (1,),
    padding: Any = (0,),
    output_padding: Any = (0,),
    groups: int = 1,
    dilation: Any = (1,),
) -> Slots:
    if input.dim() != weight.dim():
        return None
    arguments = {
        "kernel": ints(weight.shape[2:]),
        "stride": ints(stride),
        "padding": ints(padding),
        "output_padding": ints(output_padding),
        "dilation": ints(dilation),
    }
    out = weight.shape[1] * groups
    return _weighted(t, "conv_transpose", input, weight, bias, groups, out, arguments)


def _weighted(
    t: Trace,
    kind: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    out: int,
    arguments: dict[str, Any],
) -> Slots:
    """A convolution with stored weights, or with weights that are computed in the pass."""
    own, shift = t.parameter(weight), t.parameter(bias)
    arguments |= {"out": int(out), "groups": int(groups), "bias": bias is not None}
    if own is not None and (bias is None or shift is not None):
        return t.apply(kind, [x], share={"weight": own, "bias": shift}, **arguments)
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return t.apply(f"dynamic_{kind}", inputs, **arguments)


@rule("torchvision::deform_conv2d")
def _deform_conv(
    t: Trace,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor,
    *numbers: Any,
) -> Slots:
    stride_h, stride_w, pad_h, pad_w, dil_h, dil_w, groups, offset_groups, use_mask = numbers
    own, shift = t.parameter(weight), t.parameter(bias)
    if own is None:
        return None
    return t.apply(
        "deform_conv",
        [input, offset, mask] if use_mask else [input, offset],
        share={"weight": own, "bias": shift},
        out=int(weight.shape[0]),
        kernel=ints(weight.shape[2:]),
        stride=(stride_h, stride_w),
        padding=(pad_h, pad_w),
        dilation=(dil_h, dil_w),
        groups=groups,
        offset_groups=offset_groups,
        bias=shift is not None,
    )


# --- linear layers and products ----------------------------------------------------------------


@rule("linear")
def _linear(t: Trace, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Slots:
    own, shift = t.parameter(weight), t.parameter(bias)
    if own is None or weight.dim() != 2 or input.dim() < 1:
        return _product(t, input, weight, bias)
    x = t.slot(input)
    if input.dim() == 1:
        (x,) = t.apply("unsqueeze", [x], dim=0)
    slots = t.apply(
        "linear",
        [x],
        share={"weight": own, "bias": shift},
        out=int(weight.shape[0]),
        bias=shift is not None,
        flatten=input.dim() < 4,
    )
    if bias is not None and shift is None:
        slots = t.apply("sum", [slots[0], bias])
    return slots if input.dim() > 1 else t.apply("squeeze", slots, dims=(0,))


def _product(t: Trace, x: Tensor, weight: Tensor, bias: Tensor | None) -> Slots:
    """A linear layer whose weights are computed."""
    if weight.dim() != 2 or x.dim() < 2:
        return None
    slots = t.apply("matmul", [x, weight], transpose_b=True)
    return slots if bias is None else t.apply("sum", [slots[0], bias])


@rule("bilinear")
def _bilinear(
    t: Trace, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Slots:
    """The first vector times the weights (out, in1, in2) as one matrix, times the second one."""
    out, in1, in2 = ints(weight.shape)
    (rows,) = t.apply("view", [input1], shape=(-1, in1))
    (matrix,) = t.apply("permute", [weight], dims=(1, 0, 2))
    (matrix,) = t.apply("view", [matrix], shape=(in1, out * in2))
    (y,) = t.apply("matmul", [rows, matrix])
    (y,) = t.apply("view", [y], shape=(-1, out, in2))
    (column,) = t.apply("view", [input2], shape=(-1, in2, 1))
    (y,) = t.apply("matmul", [y, column])
    (y,) = t.apply("view", [y], shape=ints(t.outs[0].shape))
    return [y] if bias is None else t.apply("sum", [y, bias])


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def _matmul(t: Trace, self: Tensor, other: Tensor) -> Slots:
    """Vectors are matrices of one row or column."""
    a, b = t.slot(self), t.slot(other)
    if self.dim() == 1:
        (a,) = t.apply("unsqueeze", [a], dim=0)
    if other.dim() == 1:
        (b,) = t.apply("unsqueeze", [b], dim=1)
    slots = t.apply("matmul", [a, b])
    if other.dim() == 1:
        slots = t.apply("squeeze", slots, dims=(-1,))
    if self.dim() == 1:
        slots = t.apply("squeeze", slots, dims=(-1 if other.dim() == 1 else -2,))
    return slots


@rule("addmm", "baddbmm", "addbmm", "addmv")
def _added_product(
    t: Trace, self: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Slots:
    slots = _matmul(t, mat1, mat2)
    assert slots is not None
    y = t.scaled(slots[0], alpha)
    if y.type.rank > self.dim() and t.outs[0].dim() < y.type.rank:  # addbmm sums over the batch
        (y,) = t.apply("reduce_sum", [y], dims=(0,))
    return [y] if beta == 0 else t.apply("sum", [t.scaled(t.slot(self), beta), y])


@rule("linalg_solve_triangular")
def _solve_triangular(
    t: Trace,
    self: Tensor,
    B: Tensor,  # noqa: N803
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Slots:
    return t.apply("solve_triangular", [self, B], upper=upper, left=left, unit=unitriangular)


@rule("_grouped_mm")
def _grouped_product(
    t: Trace,
    self: Tensor,
    mat2: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: Any = None,
) -> Slots:
    if bias is not None:
        return None
    if self.dim() == mat2.dim() == 3:
        return t.apply("matmul", [self, mat2])
    if offs is None or (self.dim(), mat2.dim()) != (2, 3):
        return None
    return t.apply("grouped_matmul", [self, mat2, offs])


# --- embeddings and attention ------------------------------------------------------------------


@rule("embedding")
def _embedding(t: Trace, weight: Tensor, indices: Tensor, *_: Any) -> Slots:
    own = t.parameter(weight)
    if own is None:
        return t.apply("index_select", [weight, indices], dim=0)
    count, width = ints(weight.shape)
    dtype = t.type_of(weight).dtype
    return t.apply(
        "embedding", [indices], share={"weight": own}, count=count, width=width, dtype=dtype
    )


@rule("embedding_bag")
def _embedding_bag(
    t: Trace,
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    *_: Any,
) -> Slots:
    own = t.parameter(weight)
    if own is None or per_sample_weights is not None:
        return None
    count, width = ints(weight.shape)
    (bags,) = t.apply(
        "embedding_bag",
        [indices, offsets],
        share={"weight": own},
        count=count,
        width=width,
        mode=("sum", "mean", "max")[mode],
        dtype=t.type_of(weight).dtype,
    )
    return [bags, *t.constants(t.outs[1:])]


@rule("scaled_dot_product_attention")
def _attention(
    t: Trace,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Slots:
    inputs = [query, key, value] if attn_mask is None else [query, key, value, attn_mask]
    return t.apply(
        "attention",
        inputs,
        causal=is_causal,
        scale=None if scale is None else float(scale),
        dropout=dropout_p,
        grouped=enable_gqa,
    )


# --- recurrent layers --------------------------------------------------------------------------


def _recurrent(mode: str) -> Rule:
    def recurrent(
        t: Trace,
        input: Tensor,
        hx: Any,
        params: list[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Slots:
        states = list(hx) if isinstance(hx, list | tuple) else [hx]
        if all(t.made_by(state, nn.RNNBase) for state in states):
            states = []  # the zeros that the module takes where it is given none
        ways = 2 if bidirectional else 1
        each = 4 if has_biases else 2
        projected = len(params) > each * num_layers * ways
        each += projected
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if has_biases else [])]
        names += ["weight_hr"] if projected else []
        gates = {"lstm": 4, "gru": 3}.get(mode, 1)
        hidden = params[1].shape[0] // gates
        share: dict[str, Parameter | None] = {}
        for number, tensor in enumerate(params):
            layer, way = divmod(number // each, ways)
            end = f"l{layer}_reverse" if way else f"l{layer}"
            share[f"{names[number % each]}_{end}"] = t.parameter(tensor)
        if None in share.values():
            return None
        return t.apply(
            mode,
            [input, *states],
            share=share,
            hidden=int(hidden),
            layers=num_layers,
            bias=has_biases,
            bidirectional=bidirectional,
            projection=int(params[1].shape[1]) if projected else 0,
            batch_first=batch_first,
            dropout=dropout,
        )

    return recurrent


def _packed_recurrent(mode: str) -> Rule:
    """On packed sequences that are all as long: their steps lie one behind the other."""
    whole = _recurrent(mode)

    def recurrent(t: Trace, data: Tensor, batch_sizes: Tensor, *arguments: Any) -> Slots:
        (x,) = t.apply("view", [data], shape=(batch_sizes.shape[0], -1, int(data.shape[1])))
        slots = whole(t, x, *arguments, False)
        if slots is None:
            return None
        (y,) = t.apply("view", [slots[0]], shape=(-1, int(t.outs[0].shape[1])))
        return [y, *slots[1:]]

    return recurrent


for _mode in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
    rule(f"{_mode}.input")(_recurrent(_mode))
    rule(f"{_mode}.data")(_packed_recurrent(_mode))


@rule("_pack_padded_sequence")
def _pack(t: Trace, input: Tensor, lengths: Tensor, batch_first: bool) -> Slots:
    x = t.slot(input)
    if batch_first:
        (x,) = t.apply("permute", [x], dims=(1, 0, *range(2, input.dim())))
    (x,) = t.apply("copy", [x])
    data = t.apply("view", [x], shape=(-1, *ints(input.shape[2:])))
    return [*data, *t.constants(t.outs[1:])]


@rule("_pad_packed_sequence")
def _pad_packed(
    t: Trace, data: Tensor, batch_sizes: Tensor, batch_first: bool, value: Any, length: int
) -> Slots:
    steps = batch_sizes.shape[0]
    if length > steps:
        return None
    (y,) = t.apply("view", [data], shape=(steps, -1, *ints(data.shape[1:])))
    if batch_first:
        (y,) = t.apply("permute", [y], dims=(1, 0, *range(2, data.dim() + 1)))
    return [*t.apply("copy", [y]), *t.constants(t.outs[1:])]


# --- normalisations ----------------------------------------------------------------------------


def _affine(
    t: Trace, slots: Sequence[Slot], weight: Tensor | None, bias: Tensor | None, shape: Any
) -> Slots:
    """Weights that are computed, as operators of their own behind a norm without any."""
    for kind, tensor in (("product", weight), ("sum", bias)):
        if tensor is not None:
            value = t.slot(tensor)
            if tuple(tensor.shape) != tuple(shape):
                (value,) = t.apply("view", [value], shape=ints(shape))
            slots = t.apply(kind, [slots[0], value])
    return slots


def _stored(t: Trace, *tensors: Tensor | None) -> bool:
    return all(tensor is None or t.parameter(tensor) is not None for tensor in tensors)


def _norm_by_statistics(kind: str) -> Rule:
    def norm(
        t: Trace,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
        *_: Any,
    ) -> Slots:
        share = {
            "running_mean": t.parameter(running_mean),
            "running_var": t.parameter(running_var),
        }
        track = None not in share.values()
        if running_mean is not None and not track:
            return None
        affine = weight is not None and bias is not None and _stored(t, weight, bias)
        if affine:
            share |= {"weight": t.parameter(weight), "bias": t.parameter(bias)}
        slots = t.apply(kind, [input], share=share, affine=affine, track=track, eps=eps)
        return slots if affine else _affine(t, slots, weight, bias, _by_channel(input))

    return norm


for _kind in ("batch_norm", "instance_norm"):
    rule(_kind)(_norm_by_statistics(_kind))


def _by_channel(x: Tensor) -> tuple[int, ...]:
    """The shape that a number for each channel of ``x`` has beside it."""
    return (-1, *[1] * (x.dim() - 2))


@rule("layer_norm")
def _layer_norm(
    t: Trace,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Slots:
    affine = weight is not None and _stored(t, weight, bias)
    share = {"weight": t.parameter(weight), "bias": t.parameter(bias)} if affine else {}
    slots = t.apply(
        "layer_norm",
        [input],
        share=share,
        dims=len(normalized_shape),
        affine=affine,
        bias=bias is not None if affine else True,
        eps=eps,
    )
    return slots if affine else _affine(t, slots, weight, bias, normalized_shape)


@rule("native_layer_norm")
def _layer_norm_with_statistics(
    t: Trace,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Slots:
    slots = _layer_norm(t, input, normalized_shape, weight, bias, eps)
    return slots and [*slots, *t.constants(t.outs[1:])]


@rule("rms_norm", "_fused_rms_norm")
def _rms_norm(
    t: Trace,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Slots:
    affine = weight is not None and _stored(t, weight)
    share = {"weight": t.parameter(weight)} if affine else {}
    precision = 2.0**-52 if input.dtype.itemsize == 8 else 2.0**-23
    slots = t.apply(
        "rms_norm",
        [input],
        share=share,
        dims=len(normalized_shape),
        affine=affine,
        eps=precision if eps is None else eps,
    )
    result = slots if affine else _affine(t, slots, weight, None, normalized_shape)
    return result and [*result, *t.constants(t.outs[1:])]


@rule("group_norm")
def _group_norm(
    t: Trace,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Slots:
    affine = weight is not None and bias is not None and _stored(t, weight, bias)
    share = {"weight": t.parameter(weight), "bias": t.parameter(bias)} if affine else {}
    slots = t.apply("group_norm", [input], share=share, groups=num_groups, affine=affine, eps=eps)
    return slots if affine else _affine(t, slots, weight, bias, _by_channel(input))


def _local_response_norm(t: Trace, module: nn.LocalResponseNorm, input: Tensor) -> Slots:
    return t.apply(
        "lrn",
        [input],
        size=module.size,
        alpha=module.alpha,
        beta=module.beta,
        k=module.k,
    )


MODULE_RULES[nn.LocalResponseNorm] = _local_response_norm


def _max_unpool(t: Trace, module: nn.MaxUnpool2d, input: Tensor, indices: Tensor) -> Slots:
    window = _window(
        _each(module.kernel_size, input), _each(module.stride, input), (0,), ceil_mode=False
    )
    del window["rounding"]
    return t.apply("max_unpool", [input, indices], **window, size=ints(t.outs[0].shape[2:]))


def _each(size: Any, x: Tensor) -> tuple[int, ...]:
    """A size of a module for each of the spatial dimensions of ``x``."""
    return ints(size) if isinstance(size, tuple | list) else (int(size),) * (x.dim() - 2)


for _class in (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d):
    MODULE_RULES[_class] = _max_unpool  # the operator itself does not know its windows

# --- pools -------------------------------------------------------------------------------------


def _sliding(t: Trace, x: Tensor, rank: int, add: Callable[[Slot], Slots]) -> Slots:
    """A pool on an input that may lack the batch."""
    if x.dim() == rank + 2:
        return add(t.slot(x))
    if x.dim() != rank + 1:
        return None
    (lifted,) = t.apply("unsqueeze", [x], dim=0)
    slots = add(lifted)
    return None if slots is None else [t.apply("squeeze", [y], dims=(0,))[0] for y in slots]


def _window(kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> dict[str, Any]:
    kernel, steps = ints(kernel_size), ints(stride)
    return {
        "kernel": kernel,
        "stride": None if steps in ((), kernel) else steps,
        "padding": ints(padding),
        "rounding": "ceil" if ceil_mode else "floor",
    }


def _max_pool(rank: int, indices: bool) -> Rule:
    def max_pool(
        t: Trace,
        self: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = (0,),
        dilation: Any = (1,),
        ceil_mode: bool = False,
    ) -> Slots:
        window = _window(kernel_size, stride, padding, ceil_mode)
        return _sliding(
            t,
            self,
            rank,
            lambda x: t.apply("max_pool", [x], **window, dilation=ints(dilation), indices=indices),
        )

    return max_pool


def _avg_pool(rank: int) -> Rule:
    def avg_pool(
        t: Trace,
        self: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Slots:
        window = _window(kernel_size, stride, padding, ceil_mode)
        if divisor_override is not None:
            sums = _sliding(t, self, rank, lambda x: t.apply("sum_pool", [x], **window))
            return sums and [t.scaled(sums[0], 1 / divisor_override)]
        return _sliding(
            t,
            self,
            rank,
            lambda x: t.apply("avg_pool", [x], **window, count_padding=count_include_pad),
        )

    return avg_pool


def _adaptive_pool(rank: int, mode: str) -> Rule:
    def adaptive_pool(t: Trace, self: Tensor, output_size: Any) -> Slots:
        sizes = ints(output_size)
        pool = f"global_{mode}_pool" if set(sizes) == {1} else f"adaptive_{mode}_pool"
        arguments: dict[str, Any] = {} if set(sizes) == {1} else {"size": sizes}
        slots = _sliding(t, self, rank, lambda x: t.apply(pool, [x], **arguments))
        return slots and [*slots, *t.constants(t.outs[1:])]

    return adaptive_pool


for _rank in (1, 2, 3):
    rule(f"max_pool{_rank}d")(_max_pool(_rank, indices=False))
    rule(f"max_pool{_rank}d_with_indices")(_max_pool(_rank, indices=True))
    rule(f"avg_pool{_rank}d")(_avg_pool(_rank))
    for _mode in ("max", "avg"):
        rule(f"adaptive_{_mode}_pool{_rank}d")(_adaptive_pool(_rank, _mode))


@rule("fractional_max_pool2d", "fractional_max_pool3d")
def _fractional_max_pool(
    t: Trace, self: Tensor, kernel_size: Any, output_size: Any, random_samples: Tensor
) -> Slots:
    slots = t.apply("fractional_max_pool", [self], kernel=ints(kernel_size), size=ints(output_size))
    return [*slots, *t.constants(t.outs[1:])]


# --- resampling --------------------------------------------------------------------------------


def _upsample(mode: str, antialias: bool = False) -> Rule:
    def upsample(t: Trace, input: Tensor, output_size: Any, *rest: Any) -> Slots:
        x, y = input.shape, t.outs[0].shape
        corners = rest[0] if rest and isinstance(rest[0], bool) else False
        more: dict[str, Any] = {"align_corners": True} if corners and mode != "nearest" else {}
        if antialias:
            more["antialias"] = True
        whole = output_size is None and all(b % a == 0 for a, b in zip(x[2:], y[2:], strict=True))
        if whole:
            scale = tuple(b // a for a, b in zip(x[2:], y[2:], strict=True))
            return t.apply("upsample", [input], scale=scale, mode=mode, **more)
        return t.apply("upsample", [input], size=ints(y[2:]), mode=mode, **more)

    return upsample


for _name, _mode in (
    ("nearest1d", "nearest"),
    ("nearest2d", "nearest"),
    ("nearest3d", "nearest"),
    ("linear1d", "bilinear"),
    ("bilinear2d", "bilinear"),
    ("trilinear3d", "bilinear"),
    ("bicubic2d", "bicubic"),
):
    rule(f"upsample_{_name}")(_upsample(_mode))
for _name, _mode in (("bilinear2d", "bilinear"), ("bicubic2d", "bicubic")):
    rule(f"_upsample_{_name}_aa")(_upsample(_mode, antialias=True))
for _rank in (1, 2, 3):
    rule(f"_upsample_nearest_exact{_rank}d")(_upsample("nearest"))


@rule("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def _grid_sample(
    t: Trace,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Slots:
    return t.apply(
        "grid_sample",
        [input, grid],
        mode=("bilinear", "nearest", "bicubic")[interpolation_mode],
        padding=("zeros", "border", "reflection")[padding_mode],
        align_corners=align_corners,
    )


@rule("torchvision::roi_align")
def _roi_align(
    t: Trace,
    input: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Slots:
    return t.apply(
        "roi_align",
        [input, rois],
        size=(pooled_height, pooled_width),
        samples=max(0, sampling_ratio),
        scale=spatial_scale,
        aligned=aligned,
    )
