"""Recurrent layers: cells applied along a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import ClassVar, Final, Literal

from archcost.ir.arguments import Count, Fraction, Natural
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Saved, operator
from archcost.ir.ops.activation import FORMULAS
from archcost.ir.ops.dimensions import same_dtype
from archcost.ir.types import ParameterSpec, Shape, TensorType, Work, bytes_for, shape_text

GATES: Final = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""mode -> rows of its matrices for each hidden unit."""

_SIGMOID, _TANH, _RELU = (FORMULAS[name].work for name in ("sigmoid", "tanh", "relu"))

CELLS: Final = {
    # i, f, o sigmoids and g a tanh; c' = f * c + i * g; h' = o * tanh(c')
    "lstm": _SIGMOID.times(3) + _TANH.times(2) + Work(mul=3, add=1),
    # r, z sigmoids; n a tanh with r * (W h + b) inside; h' = (1 - z) * n + z * h
    "gru": _SIGMOID.times(2) + _TANH + Work(mul=3, add=2),
    "rnn_tanh": _TANH,
    "rnn_relu": _RELU,
}
"""mode -> what a hidden unit costs at one step, behind the sums of products."""

MOST_LAYERS: Final = 1024
"""Most layers that one operator is believed to have."""

KEPT: Final = {"lstm": 5, "gru": 5, "rnn_tanh": 0, "rnn_relu": 0}
"""mode -> values for each hidden unit and step that PyTorch's fused cells keep for the backward
pass, outputs left out: an LSTM's gates and cell, a GRU's gates, state before and W h + b."""


@operator
class Recurrent(Op):
    """Recurrent layers over a sequence, by PyTorch's formulas and with its parameters' names.

    (N, T, in) -> (N, T, D * out), or (T, N, in) without ``batch_first``, or (T, in) without a
    batch; D is 2 if ``bidirectional``, else 1; out is ``hidden``, or ``projection`` where an LSTM
    has one (Sak et al. 2014). Second output: the last state of each layer and direction,
    (layers * D, N, out); third, of an LSTM, the last cell, (layers * D, N, hidden). Initial state
    and cell, of these types, may be further inputs; they are zeros otherwise. ``dropout`` acts in
    training on the output of each layer but the last.

    An instance's ``kind`` is its mode. Multiply-accumulates are those of all matrices at each step.
    A hidden unit's gates each take the sum of its two products and, with ``bias``, of two biases.
    """

    kind: ClassVar[str] = "recurrent"
    named_by: ClassVar[str | None] = "mode"
    arity: ClassVar[tuple[int, int | None]] = (1, 3)
    weighted: ClassVar[bool] = True

    mode: Literal["lstm", "gru", "rnn_tanh", "rnn_relu"]
    hidden: Count
    layers: Count = 1
    bias: bool = True
    bidirectional: bool = False
    projection: Natural = 0
    batch_first: bool = True
    dropout: Fraction = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", self.mode)
        if self.mode != "lstm":
            object.__setattr__(self, "arity", (1, 2))
        if self.projection and self.mode != "lstm":
            raise ArgumentError("projection", f"{self.mode} has none")
        if self.projection >= self.hidden:
            raise ArgumentError("projection", f"expected less than hidden, {self.hidden}")
        if self.layers > MOST_LAYERS:
            raise ArgumentError("layers", f"expected at most {MOST_LAYERS}, found {self.layers}")

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def width(self) -> int:
        """Size of the state of one direction, which is its output."""
        return self.projection or self.hidden

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, *given = inputs
        if x.rank not in (2, 3):
            sides = "(N, T, features)" if self.batch_first else "(T, N, features)"
            raise ShapeError(f"{self.kind} needs an input {sides} or (T, features)")
        same_dtype(self.kind, inputs)
        states = self._states(x)
        for name, state, wanted in zip(("state", "cell"), given, states, strict=False):
            if state.shape != wanted:
                raise ShapeError(
                    f"{self.kind} needs an initial {name} of {shape_text(wanted)}, has "
                    f"{shape_text(state.shape)}"
                )
        y = x.with_shape((*x.shape[:-1], self.directions * self.width))
        return (y, *map(x.with_shape, states))

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return tuple(
            spec
            for layer in range(self.layers)
            for suffix in ("", "_reverse")[: self.directions]
            for spec in self._cell(layer, suffix, inputs[0].shape[-1])
        )

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        matrices = sum(prod(p.shape) for p in self.parameters(inputs) if len(p.shape) == 2)
        cells = self.layers * self.directions * self.hidden
        sums = GATES[self.mode] * (3 if self.bias else 1)
        step = Work(mac=matrices) + (CELLS[self.mode] + Work(add=sums)).times(cells)
        return step.times(prod(inputs[0].shape[:-1]))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # Each step's gates, cells and, before a projection, states, in every layer; of the layers
        # below the last the outputs too, and with dropout these once more and their masks.
        x, y = inputs[0], outputs[0]
        steps = prod(x.shape[:-1])
        kept = KEPT[self.mode] + (1 if self.projection else 0)
        values = self.layers * self.directions * self.hidden * kept * steps
        below = (self.layers - 1) * y.numel
        dropped = below if self.dropout else 0
        extra = bytes_for(values + below + dropped, x.dtype) + bytes_for(dropped, "bool")
        return Saved(inputs=True, outputs=(0,), extra=extra)

    def _states(self, x: TensorType) -> tuple[Shape, ...]:
        """Shapes of the state and, of an LSTM, the cell."""
        batch = () if x.rank == 2 else (x.shape[0 if self.batch_first else 1],)
        sizes = (self.width, self.hidden) if self.mode == "lstm" else (self.width,)
        return tuple((self.layers * self.directions, *batch, size) for size in sizes)

    def _cell(self, layer: int, suffix: str, features: int) -> Iterator[ParameterSpec]:
        """The parameters of one layer in one direction."""
        rows = GATES[self.mode] * self.hidden
        read = self.directions * self.width if layer else features
        end = f"l{layer}{suffix}"
        yield ParameterSpec(f"weight_ih_{end}", (rows, read))
        yield ParameterSpec(f"weight_hh_{end}", (rows, self.width))
        if self.bias:
            yield ParameterSpec(f"bias_ih_{end}", (rows,))
            yield ParameterSpec(f"bias_hh_{end}", (rows,))
        if self.projection:
            yield ParameterSpec(f"weight_hr_{end}", (self.projection, self.hidden))
