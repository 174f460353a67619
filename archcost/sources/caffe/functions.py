"""Functions of one element."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from archcost.ir import Value
from archcost.sources.caffe.fields import Fields
from archcost.sources.caffe.layer import Build, Layer, Step, layer_type


def function(kind: str) -> Build:
    """A layer that is one operator without arguments."""

    def build(layer: Layer) -> Sequence[Value]:
        layer.count(1, 1)
        return layer.op(kind)

    return build


for _name, _kind in {
    "AbsVal": "abs",
    "BNLL": "softplus",
    "Sigmoid": "sigmoid",
    "TanH": "tanh",
}.items():
    layer_type(_name)(function(_kind))


@layer_type("ReLU")
def relu(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    slope = layer.section("relu_param").number("negative_slope", 0.0)
    return layer.op("leaky_relu", slope=slope) if slope else layer.op("relu")


@layer_type("PReLU")
def prelu(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    return layer.op("prelu", shared=layer.section("prelu_param").boolean("channel_shared", False))


@layer_type("ELU")
def elu(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    return layer.op("elu", slope=layer.section("elu_param").number("alpha", 1.0))


@layer_type("Swish")
def swish(layer: Layer) -> Sequence[Value]:
    """x * sigmoid(beta * x)"""
    layer.count(1, 1)
    beta = layer.section("swish_param").number("beta", 1.0)
    if beta == 1:
        return layer.op("silu")
    scaled = layer.part("rescale", "rescale", [layer.bottom], scale=beta)
    gate = layer.part("sigmoid", "sigmoid", [scaled])
    return [layer.part("product", "product", [layer.bottom, gate])]


@layer_type("Clip")
def clip(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    section = layer.section("clip_param")
    for name in ("min", "max"):
        if name not in section:
            layer.wrong(f"needs clip_param.{name}")
    return layer.op("clamp", low=section.number("min", 0), high=section.number("max", 0))


@layer_type("Dropout")
def dropout(layer: Layer) -> Sequence[Value]:
    layer.count(1, 1)
    return layer.op("dropout", rate=layer.section("dropout_param").number("dropout_ratio", 0.5))


@layer_type("Threshold")
def threshold(layer: Layer) -> Sequence[Value]:
    """1 where the bottom is above the threshold, else 0."""
    layer.count(1, 1)
    bound = layer.section("threshold_param").number("threshold", 0.0)
    return layer.steps(("greater", {"scalar": bound}), ("cast", {"dtype": layer.net.dtype}))


def _affine(section: Fields, factor: float = 1.0) -> list[Step]:
    """(shift + scale * x) * factor, as steps: none where it is x."""
    scaled = section.number("scale", 1.0) * factor
    shifted = section.number("shift", 0.0) * factor
    return [("rescale", {"scale": scaled, "shift": shifted})] if (scaled, shifted) != (1, 0) else []


def _base(layer: Layer, section: Fields) -> float:
    """The logarithm of ``base``; -1 stands for e."""
    base = section.number("base", -1.0)
    if base == -1:
        return 1.0
    if base <= 0 or base == 1:
        layer.wrong(f"has the base {base}")
    return log(base)


@layer_type("Power")
def power(layer: Layer) -> Sequence[Value]:
    """(shift + scale * x) ^ power"""
    layer.count(1, 1)
    section = layer.section("power_param")
    exponent = section.number("power", 1.0)
    steps = _affine(section)
    if exponent == 1:
        return layer.steps(*steps or [("rescale", {})])
    special = {2: "square", 0.5: "sqrt", -1: "reciprocal", -0.5: "rsqrt"}
    if exponent in special:
        return layer.steps(*steps, (special[exponent], {}))
    return layer.steps(*steps, ("power", {"scalar": exponent}))


@layer_type("Exp")
def exp(layer: Layer) -> Sequence[Value]:
    """base ^ (shift + scale * x)"""
    layer.count(1, 1)
    section = layer.section("exp_param")
    return layer.steps(*_affine(section, _base(layer, section)), ("exp", {}))


@layer_type("Log")
def logarithm(layer: Layer) -> Sequence[Value]:
    """The logarithm of shift + scale * x to the base"""
    layer.count(1, 1)
    section = layer.section("log_param")
    factor = 1 / _base(layer, section)
    last = [("rescale", {"scale": factor})] if factor != 1 else []
    return layer.steps(*_affine(section), ("log", {}), *last)
