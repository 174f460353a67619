"""Operators of the domain com.microsoft, which onnxruntime's optimisers put in others' place."""

from __future__ import annotations

from typing import Final

from archcost.ir import Parameter, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.layers import join_heads, linear, normalized, product, split_heads
from archcost.sources.onnx.tensors import shown
from archcost.sources.onnx.windows import conv

MICROSOFT: Final = "com.microsoft"

ACTIVATIONS: Final = {
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "LeakyRelu": "leaky_relu",
}


def sum_of(call: Call, *places: int, part: str = "") -> Value:
    """The sum of the inputs at these places that are given."""
    values = [call.value(at) for at in places if call.given(at)]
    return values[0] if len(values) == 1 else call.add("sum", *values, part=part)


@translates("Gelu", "FastGelu", "BiasGelu", domain=MICROSOFT)
def gelu(call: Call) -> Result:
    kind = "gelu_tanh" if call.op_type == "FastGelu" else "gelu"
    return call.add(kind, sum_of(call, 0, 1, part="bias"))


@translates("QuickGelu", domain=MICROSOFT)
def quick_gelu(call: Call) -> Result:
    x = call.value(0)
    scaled = call.add("rescale", x, scale=call.real("alpha", 1.702), part="scaled")
    return call.add("product", x, call.add("sigmoid", scaled, part="sigmoid"))


@translates("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_norm(call: Call) -> Result:
    """x + skip (+ bias), normalised; the sum is the fourth output."""
    if call.op_type == "SkipLayerNormalization":
        x = sum_of(call, 0, 1, 4, part="sum")
        y = normalized(call, "layer_norm", x, weight=2, bias=3, epsilon=1e-12)
    else:
        x = sum_of(call, 0, 1, 3, part="sum")
        y = normalized(call, "rms_norm", x, weight=2, epsilon=1e-12)
    return y, None, None, x


@translates("FusedMatMul", domain=MICROSOFT)
def fused_matmul(call: Call) -> Result:
    operands = [_turned(call, call.value(at), side) for at, side in enumerate("AB")]
    y = product(call, *operands)
    alpha = call.real("alpha", 1.0)
    return y if alpha == 1 else call.add("rescale", y, scale=alpha, part="alpha")


def _turned(call: Call, x: Value, side: str) -> Value:
    """An operand with its dimensions as the product takes them: ``transBatch`` moves the first one
    behind the others but the last, ``trans`` exchanges the last two."""
    dims = [*range(len(x.shape))]
    if len(dims) < 2:
        return x
    if call.integer(f"transBatch{side}", 0):
        dims.insert(-1, dims.pop(0))
    if call.integer(f"trans{side}", 0):
        dims[-1], dims[-2] = dims[-2], dims[-1]
    if dims == [*range(len(dims))]:
        return x
    return call.add("permute", x, dims=tuple(dims), part=f"permuted_{side.lower()}")


@translates("FusedConv", domain=MICROSOFT)
def fused_conv(call: Call) -> Result:
    function = call.text("activation")
    if function not in ("", *ACTIVATIONS):
        raise Unfit(f"its activation is {shown(function)}")
    y = conv(call)
    assert isinstance(y, Value)
    if call.given(3):
        y = call.add("sum", y, call.value(3), part="sum")
    return call.add(ACTIVATIONS[function], y, part=ACTIVATIONS[function]) if function else y


@translates("MatMulNBits", domain=MICROSOFT)
def matmul_bits(call: Call) -> Result:
    """A linear layer whose weights (N, K) are kept in a few bits each, with scales by blocks."""
    features, out, bits = call.integer("K"), call.integer("N"), call.integer("bits", 4)
    known = call.known(1)
    dtype = {4: "uint4", 8: "uint8"}.get(bits)
    if known is None or not known.roots or dtype is None:
        raise Unfit(f"its weights have {bits} bits, or are computed in the pass")
    packed = known.type.numel * 8 // bits
    if packed < features * out:
        raise call.error(f"has {packed} weights of {bits} bits for {out} x {features}")
    bias = call.weight(5, (out,)) if call.given(5) else None
    if call.given(5) and bias is None:
        raise Unfit("its biases are computed in the pass")
    weight = call.reader.weights.unpacked(known.roots[0], (out, features), dtype)
    return linear(call, call.value(0), weight, bias, out)


@translates("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(call: Call) -> Result:
    """Queries, keys and values of (N, T, features); the rest as masks or not at all."""
    if not (call.given(1) and call.given(2)) or any(call.given(at) for at in (6, 7)):
        raise Unfit("its queries, keys and values are packed, or it has some of the past")
    if any(len(call.shape(at)) != 3 for at in range(3)) or any(map(call.is_read, (1, 2, 3))):
        raise Unfit("it gives or takes keys and values by head")
    heads = call.integer("num_heads")
    q, k, v = map(call.value, range(3))
    if call.given(3):
        sizes = tuple(x.shape[-1] for x in (q, k, v))
        biases = call.add_all("split", call.value(3), sizes=sizes, dim=0, part="bias")
        q, k, v = (
            call.add("sum", x, bias, part=f"{name}_bias")
            for name, x, bias in zip("qkv", (q, k, v), biases, strict=True)
        )
    q, k, v = (split_heads(call, x, heads, name) for name, x in zip("qkv", (q, k, v), strict=True))
    mask = [call.value(5)] if call.given(5) else []
    causal = bool(call.integer("unidirectional", 0)) and not mask
    scale = call.real("scale", 0.0) or None
    y = call.add("attention", q, k, v, *mask, causal=causal, scale=scale)
    return join_heads(call, y)


@translates("Attention", domain=MICROSOFT)
def attention(call: Call) -> Result:
    """One linear layer for queries, keys and values of (N, T, features), then attention."""
    weight_shape, x = call.shape(1), call.value(0)
    if call.given(4) or any(map(call.is_read, (1, 2, 3))) or len(weight_shape) != 2:
        raise Unfit("it has keys and values of the past")
    out, heads = weight_shape[1], call.integer("num_heads")
    sizes = call.integers("qkv_hidden_sizes") or [out // 3] * 3
    weight = call.weight(1, (out, weight_shape[0]))
    bias = call.weight(2, (out,)) if call.given(2) else None
    if weight is None or (call.given(2) and bias is None) or call.given(5):
        raise Unfit("its weights are computed in the pass, or it has a bias of positions")
    share: dict[str, Parameter | None] = {"weight": weight, "bias": bias}
    y = call.add(
        "linear", x, out=out, bias=bias is not None, flatten=False, share=share, part="qkv"
    )
    parts = call.add_all("split", y, sizes=tuple(sizes), dim=-1, part="split")
    q, k, v = (split_heads(call, p, heads, name) for name, p in zip("qkv", parts, strict=True))
    causal, scale = bool(call.integer("unidirectional", 0)), call.real("scale", 0.0) or None
    return join_heads(call, call.add("attention", q, k, v, causal=causal, scale=scale))


@translates("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(call: Call) -> Result:
    """Attention of new queries to all keys, those of the past in front of the new ones."""
    if not (call.given(1) and call.given(2)):
        raise Unfit("its queries, keys and values are packed")
    heads, kv_heads = call.integer("num_heads"), call.integer("kv_num_heads")
    if call.integer("do_rotary", 0):
        call.reader.note(
            f"{call.op_type} nodes turn queries and keys by their positions; that is not counted"
        )
    q = split_heads(call, call.value(0), heads, "q")
    new = [split_heads(call, call.value(at), kv_heads, "kv"[at - 1]) for at in (1, 2)]
    if call.given(3) and call.given(4):
        new = [
            call.add("concat", call.value(at), x, dim=2, part=f"present_{name}")
            for at, x, name in zip((3, 4), new, ("key", "value"), strict=True)
        ]
    scale = call.real("scale", 0.0) or None
    y = call.add("attention", q, *new, causal=True, scale=scale, grouped=heads != kv_heads)
    return join_heads(call, y), *new
