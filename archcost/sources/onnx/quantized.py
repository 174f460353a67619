"""Quantised models: numbers become integers of few bits and numbers again.

A quantisation is counted as one scaling (and shift, where there is a zero point) and a cast, its
reverse likewise. A layer on integers is counted as its definition has it: numbers, layer, integers.
Scales and zero points are arguments, no parameters; weights are parameters in the type that they
are stored in.
"""

from __future__ import annotations

from archcost.ir import FLOATS, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.contrib import MICROSOFT
from archcost.sources.onnx.layers import linear, product, recurrent
from archcost.sources.onnx.tensors import ON_INTEGERS, dtype_of
from archcost.sources.onnx.windows import conv_arguments, convolved, pool_windows


def quantized(call: Call, x: Value, scale: int, zero: int, *, part: str = "") -> Value:
    """``x / scale + zero`` in the type of ``zero``, inputs of these numbers."""
    if call.given(zero):
        dtype = call.type_of(zero).dtype
    else:
        code = call.integer("output_dtype", 0)
        dtype = dtype_of(code, call.place) if code else "uint8"
    shift = _offset(call, zero)
    number = call.scalar(scale)
    name = f"{part}_scaled" if part else "scaled"
    if number is None:
        x = call.add("quotient", x, _along(call, scale, x), part=name)
    else:
        x = call.add("rescale", x, scale=1 / number if number else 1, shift=shift, part=name)
    return call.add("cast", x, dtype=dtype, part=part)


def numbers(call: Call, at: int, scale: int, zero: int, *, part: str = "") -> Value:
    """``(x - zero) * scale``, inputs of these numbers."""
    dtype = call.type_of(scale).dtype
    x = call.add("cast", call.value(at), dtype=dtype, part=f"{part}_cast" if part else "cast")
    number = call.scalar(scale)
    if number is None:
        return call.add("product", x, _along(call, scale, x), part=part)
    shift = -number * _offset(call, zero)
    return call.add("rescale", x, scale=number, shift=shift, part=part)


def _offset(call: Call, zero: int) -> int | float:
    """A zero point; where there are several or it is not known, any but 0."""
    if not call.given(zero):
        return 0
    known = call.known(zero)
    values = None if known is None else known.values
    if values is None:
        return 1
    return float(values.astype("float32").max())


def _along(call: Call, scale: int, x: Value) -> Value:
    """A scale for each position along an axis, as a tensor beside ``x``."""
    sizes, rank = call.shape(scale), len(x.shape)
    if len(sizes) == 1 and rank:
        sizes = (*sizes, *(1,) * (rank - 1 - call.integer("axis", 1) % rank))
    if call.known(scale) is not None:
        return call.add("constant", shape=sizes, dtype=call.type_of(scale).dtype, part="scale")
    value = call.value(scale)
    return value if value.shape == sizes else call.add("view", value, shape=sizes, part="scales")


def _by_position(call: Call) -> None:
    if call.integer("block_size", 0):
        raise Unfit("it has a scale for each block")


@translates("QuantizeLinear")
@translates("QuantizeLinear", domain=MICROSOFT)
def quantize(call: Call) -> Result:
    _by_position(call)
    return quantized(call, call.value(0), 1, 2)


@translates("DequantizeLinear")
@translates("DequantizeLinear", domain=MICROSOFT)
def dequantize(call: Call) -> Result:
    _by_position(call)
    return numbers(call, 0, 1, 2)


@translates("DynamicQuantizeLinear")
def dynamic_quantize(call: Call) -> Result:
    x = call.value(0)
    low = call.add("reduce_min", x, part="low")
    high = call.add("reduce_max", x, part="high")
    scale = call.add("difference", high, low, part="range")
    scale = call.add("rescale", scale, scale=1 / 255, part="scale")
    zero = call.add("quotient", low, scale, part="zero")
    zero = call.add("cast", zero, dtype="uint8", part="zero_cast")
    y = call.add("quotient", x, scale, part="scaled")
    return call.add("cast", y, dtype="uint8"), scale, zero


# --- layers -------------------------------------------------------------------------------------


def _note(call: Call) -> None:
    call.reader.note(ON_INTEGERS)


@translates("QLinearConv")
def q_linear_conv(call: Call) -> Result:
    _note(call)
    arguments = conv_arguments(call, call.shape(3))
    if call.weight(3) is None:
        raise Unfit("its weights are computed in the pass")
    x = numbers(call, 0, 1, 2, part="input")
    y = convolved(call, "conv", "dynamic_conv", arguments, x=x, places=(3, 8))
    return quantized(call, y, 6, 7, part="output")


@translates("ConvInteger")
def conv_integer(call: Call) -> Result:
    _note(call)
    arguments = conv_arguments(call, call.shape(1))
    weight = call.weight(1)
    if weight is None:
        raise Unfit("its weights are computed in the pass")
    x = call.add("cast", call.value(0), dtype="fp32", part="input")
    y = call.add("conv", x, bias=False, share={"weight": weight}, **arguments)
    return call.add("cast", y, dtype="int32", part="output")


def multiplied(call: Call, a: Value, at: int, scale: int, zero: int) -> Value:
    """The product of ``a`` and input ``at``, quantised with ``scale`` and ``zero``."""
    shape = call.shape(at)
    if len(shape) == 2 and len(a.shape) >= 2 and a.shape[-1] == shape[0]:
        weight = call.weight(at, shape[::-1])
        if weight is not None:
            return linear(call, a, weight, None, shape[1])
    if scale < 0:
        b = call.add("cast", call.value(at), dtype=a.type.dtype, part="other")
    else:
        b = numbers(call, at, scale, zero, part="other")
    return product(call, a, b)


@translates("MatMulInteger")
def matmul_integer(call: Call) -> Result:
    _note(call)
    a = call.add("cast", call.value(0), dtype="fp32", part="input")
    return call.add("cast", multiplied(call, a, 1, -1, -1), dtype="int32", part="output")


@translates("QLinearMatMul")
@translates("QLinearMatMul", domain=MICROSOFT)
def q_linear_matmul(call: Call) -> Result:
    _note(call)
    y = multiplied(call, numbers(call, 0, 1, 2, part="input"), 3, 4, 5)
    return quantized(call, y, 6, 7, part="output")


@translates("QGemm", domain=MICROSOFT)
def q_gemm(call: Call) -> Result:
    _note(call)
    shape, turned = call.shape(3), call.integer("transB", 0)
    out, features = shape if turned else shape[::-1]
    weight = call.weight(3, (out, features))
    bias = call.weight(6, (out,)) if call.given(6) else None
    if weight is None or call.integer("transA", 0) or (call.given(6) and bias is None):
        raise Unfit("its weights are computed in the pass")
    y = linear(call, numbers(call, 0, 1, 2, part="input"), weight, bias, out)
    return quantized(call, y, 7, 8, part="output") if call.given(7) else y


@translates("DynamicQuantizeMatMul", "MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_to_float(call: Call) -> Result:
    _note(call)
    a, shape = call.value(0), call.shape(1)
    bias_at = 4 if call.op_type == "DynamicQuantizeMatMul" else 6
    weight = call.weight(1, shape[::-1]) if len(shape) == 2 else None
    if weight is None:
        raise Unfit("its weights are computed in the pass")
    bias = call.weight(bias_at, (shape[1],)) if call.given(bias_at) else None
    if a.type.dtype not in FLOATS:
        a = call.add("cast", a, dtype="fp32", part="input")
    y = linear(call, a, weight, bias, shape[1])
    scale = call.add("constant", shape=(), dtype=y.type.dtype, part="scale")
    return call.add("product", y, scale, part="scaled")


@translates("DynamicQuantizeLSTM", domain=MICROSOFT)
def dynamic_quantize_lstm(call: Call) -> Result:
    _note(call)
    return recurrent(call, turned=True)


@translates("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def q_linear_pair(call: Call) -> Result:
    a, b = numbers(call, 0, 1, 2, part="a"), numbers(call, 3, 4, 5, part="b")
    y = call.add("sum" if call.op_type == "QLinearAdd" else "product", a, b)
    return quantized(call, y, 6, 7, part="output")


@translates("QLinearGlobalAveragePool", "QLinearAveragePool", domain=MICROSOFT)
def q_linear_pool(call: Call) -> Result:
    if call.integer("channels_last", 0):
        raise Unfit("its channels come last")
    x = numbers(call, 0, 1, 2, part="input")
    if call.op_type == "QLinearGlobalAveragePool":
        y = call.add("global_avg_pool", x)
    else:
        arguments = pool_windows(call)
        del arguments["dilation"]
        y = call.add("avg_pool", x, count_padding=False, **arguments)
    return quantized(call, y, 3, 4, part="output")


@translates("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", domain=MICROSOFT)
def q_linear_function(call: Call) -> Result:
    x = numbers(call, 0, 1, 2, part="input")
    if call.op_type == "QLinearSoftmax":
        y = call.add("softmax", x, dim=call.integer("axis", -1))
    else:
        y = call.add("sigmoid" if call.op_type == "QLinearSigmoid" else "leaky_relu", x)
    return quantized(call, y, 3, 4, part="output")


@translates("QLinearConcat", domain=MICROSOFT)
def q_linear_concat(call: Call) -> Result:
    parts = [
        numbers(call, at, at + 1, at + 2, part=f"input{at // 3}")
        for at in range(2, len(call.inputs), 3)
    ]
    y = call.add("concat", *parts, dim=call.integer("axis"))
    return quantized(call, y, 0, 1, part="output")
