"""Recurrent layers, over (T, N, ...)."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.ir import Parameter, Value
from archcost.sources.caffe.layer import Layer, layer_type, parameters_of


@layer_type("LSTM")
def lstm(layer: Layer) -> Sequence[Value]:
    """Over (T, N, ...), with one bias: (T, N, num_output)."""
    out = _recurrent(layer)
    # Caffe's gates have one bias where the operator has two.
    bias = layer.parameter("bias", (4 * out,))
    return _exposed(layer, "lstm", out, bias, [_steps(layer), *layer.bottoms[1:]])


@layer_type("RNN")
def rnn(layer: Layer) -> Sequence[Value]:
    """h = tanh(W h + V x + b) over (T, N, ...), and o = tanh(U h + c): (T, N, num_output)."""
    out = _recurrent(layer)
    bias = layer.parameter("bias", (out,))
    hidden, *states = _exposed(layer, "rnn_tanh", out, bias, [_steps(layer), *layer.bottoms[1:]])
    inner = layer.part("linear", "linear", [hidden], out=out, flatten=False)
    return [layer.part("tanh", "tanh", [inner]), *states]


def _recurrent(layer: Layer) -> int:
    """``num_output``, after a check of the bottoms: the input and, if exposed, first states. The
    markers of where sequences begin are not among them."""
    section = layer.section("recurrent_param")
    states = 0
    if section.boolean("expose_hidden", False):
        states = 2 if layer.type == "LSTM" else 1
    if len(layer.bottoms) == 2 + states:
        layer.wrong("has a static input, which is not understood")
    layer.count(1 + states, 1 + states)
    if layer.rank < 3:
        layer.wrong("needs a bottom (T, N, ...)")
    return section.required("num_output", layer.called)


def _steps(layer: Layer) -> Value:
    """The bottom as (T, N, features)."""
    if layer.rank == 3:
        return layer.bottom
    return layer.part("reshape", "reshape", [layer.bottom], shape=(0, -1))


def _exposed(
    layer: Layer, kind: str, out: int, bias: Parameter, inputs: Sequence[Value]
) -> list[Value]:
    """The node, and its last states where the layer has them as tops."""
    op = layer.make(kind, hidden=out, batch_first=False)
    tied = layer.net.tied
    # In Caffe's order.
    roles = ("weight_ih_l0",), ("bias_ih_l0", "bias_hh_l0"), ("weight_hh_l0",)
    ties = dict(zip(roles, layer.untie(len(roles)), strict=False))
    share = dict.fromkeys(roles[1], bias)
    share |= {role: tied[tie] for both, tie in ties.items() if tie in tied for role in both}
    name = layer.name if kind == "lstm" else layer.net.unique(f"{layer.name}/{kind}")
    outputs = layer.node(name, op, inputs, share=share)
    made = parameters_of(outputs[0])
    for both, tie in ties.items():
        if tie:
            tied.setdefault(tie, made[both[0]])
    return outputs[: layer.tops]
