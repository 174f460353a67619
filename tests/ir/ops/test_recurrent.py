"""Recurrent layers: types, parameters and macs as torch's; the work of a cell as plain code's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from archcost.ir import ArgumentError, ShapeError, TensorType, Work
from archcost.ir.ops import make
from archcost.ir.ops.activation import FORMULAS
from archcost.ir.ops.recurrent import GATES, MOST_LAYERS, Recurrent

quick = settings(max_examples=60, deadline=None)
CLASSES = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}


@st.composite
def cases(draw):
    """(mode, shape, our arguments)"""
    mode = draw(st.sampled_from([*GATES]))
    hidden = draw(st.integers(1, 4))
    arguments = {
        "hidden": hidden,
        "layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
    }
    if mode == "lstm":
        arguments["projection"] = draw(st.integers(0, hidden - 1))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    return mode, shape, arguments


def module_of(mode, features, arguments):
    renamed = {"hidden": "hidden_size", "layers": "num_layers", "projection": "proj_size"}
    others = {renamed.get(name, name): value for name, value in arguments.items()}
    if mode == "rnn_relu":
        others["nonlinearity"] = "relu"
    return getattr(torch.nn, CLASSES[mode])(features, **others, device="meta")


@quick
@given(cases(), st.booleans())
def test_recurrent(case, given_states):
    mode, shape, arguments = case
    module = module_of(mode, shape[-1], arguments)
    x = torch.zeros(shape, device="meta")
    with FlopCounterMode(display=False) as counter:  # on meta, where each product is counted
        y, states = module(x)
    states = states if mode == "lstm" else (states,)
    outputs = tuple(TensorType(tuple(tensor.shape)) for tensor in (y, *states))
    op = Recurrent(mode, **arguments)
    application = op.apply((TensorType(shape), *(outputs[1:] if given_states else ())))
    assert op.kind == mode
    assert application.outputs == outputs
    expected = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert {p.name: p.shape for p in application.parameters} == expected
    assert [p.name for p in application.parameters] == list(expected)
    assert application.macs == counter.get_total_flops() // 2


class Counted:
    """A number that counts what is done with it."""

    def __init__(self, tally):
        self.tally = tally

    def did(self, work):
        self.tally.append(work)
        return self

    def __add__(self, other):
        return self.did(Work(add=1))

    def __rsub__(self, other):
        return self.did(Work(add=1))

    def __mul__(self, other):
        return self.did(Work(mul=1))

    def function(self, name):
        return self.did(FORMULAS[name].work)


def lstm(gate, h, c):
    i, f, o = (gate().function("sigmoid") for _ in range(3))
    g = gate().function("tanh")
    c = f * c + i * g
    return o * c.function("tanh")


def gru(gate, h, c):
    r, z = (gate().function("sigmoid") for _ in range(2))
    n = gate(r).function("tanh")
    return (1 - z) * n + z * h


CELLS = {
    "lstm": lstm,
    "gru": gru,
    "rnn_tanh": lambda gate, h, c: gate().function("tanh"),
    "rnn_relu": lambda gate, h, c: gate().function("relu"),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", GATES)
def test_work_of_a_hidden_unit_is_that_of_its_formulas(mode, bias):
    """torch.nn.LSTM's, GRU's and RNN's, as their documentation has them."""
    tally = []
    number = Counted(tally)

    def gate(reset=None):
        x, h = number, number  # W x and W h, whose products are macs
        if bias:
            x, h = x + number, h + number
        return x + (h if reset is None else reset * h)

    CELLS[mode](gate, number, number)
    total = sum(tally, Work())
    application = Recurrent(mode, hidden=1, bias=bias).apply((TensorType((1, 3)),))
    assert application.work == total + Work(mac=GATES[mode] * (3 + 1))
    several = Recurrent(mode, hidden=4, bias=bias).apply((TensorType((5, 2, 3)),))
    assert several.work == total.times(4 * 5 * 2) + Work(mac=GATES[mode] * 4 * (3 + 4) * 5 * 2)


def test_what_is_kept_by_hand():
    x = TensorType((2, 5, 3))  # 10 steps
    saved = make("lstm", hidden=4).apply((x,)).saved
    assert saved == (True, (0,), 4 * 10 * 4 * 5)  # four gates and the cell
    saved = make("lstm", hidden=4, projection=2).apply((x,)).saved
    assert saved == (True, (0,), 4 * 10 * 4 * 6)  # and the state before its projection
    two = {"hidden": 4, "layers": 2, "bidirectional": True}
    assert make("rnn_tanh", **two).apply((x,)).saved.extra == 4 * 10 * 8
    dropped = make("rnn_tanh", **two, dropout=0.5).apply((x,)).saved.extra
    assert dropped == 4 * 10 * 8 * 2 + 10 * 8
    assert make("rnn_tanh", hidden=4, dropout=0.5).apply((x,)).saved.extra == 0


def test_errors():
    with pytest.raises(ArgumentError, match="projection: gru has none"):
        make("gru", hidden=4, projection=2)
    with pytest.raises(ArgumentError, match="projection: expected less than hidden, 4"):
        make("lstm", hidden=4, projection=4)
    with pytest.raises(ArgumentError, match=f"layers: expected at most {MOST_LAYERS}"):
        make("lstm", hidden=4, layers=MOST_LAYERS + 1)
    x = TensorType((2, 5, 3))
    with pytest.raises(ShapeError, match=r"lstm needs an input \(N, T, features\)"):
        make("lstm", hidden=4).apply((TensorType((2, 5, 3, 1)),))
    with pytest.raises(ShapeError, match=r"lstm needs an input \(T, N, features\)"):
        make("lstm", hidden=4, batch_first=False).apply((TensorType((2,)),))
    with pytest.raises(ShapeError, match="initial state of 1x2x4, has 1x5x4"):
        make("lstm", hidden=4).apply((x, TensorType((1, 5, 4))))
    with pytest.raises(ShapeError, match="initial cell of 1x2x4, has 1x2x3"):
        make("lstm", hidden=4).apply((x, TensorType((1, 2, 4)), TensorType((1, 2, 3))))
    with pytest.raises(ShapeError, match="gru needs 1 to 2 inputs, not 3"):
        make("gru", hidden=4).apply((x,) * 3)
    with pytest.raises(ShapeError, match="one dtype"):
        make("gru", hidden=4).apply((x, TensorType((1, 2, 4), "fp16")))
