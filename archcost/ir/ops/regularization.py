"""Regularisers that act in training only: at inference each hands on its input."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import Fraction
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Saved, operator
from archcost.ir.types import TensorType


@operator
class Dropout(Op):
    """Zeroes elements with probability ``rate`` in training, and scales the others by 1/(1 - rate).

    ``per`` says what is zeroed at once: an element, or a channel of (N, C, ...) with all its
    positions (PyTorch's Dropout2d). For the backward pass it keeps the mask, one byte for each of
    these (on CUDA; PyTorch's mask on the CPU has the input's dtype). A ``rate`` of 0 does nothing
    in training either.
    """

    kind: ClassVar[str] = "dropout"
    view: ClassVar[bool] = True
    view_in_training: ClassVar[bool] = False

    rate: Fraction = 0.5
    per: Literal["element", "channel"] = "element"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate:
            object.__setattr__(self, "view_in_training", True)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        if self.per == "channel" and inputs[0].rank < 2:
            raise ShapeError("dropout of whole channels needs an input (N, C, ...)")
        return inputs

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        if not self.rate:
            return Saved()
        (x,) = inputs
        return Saved(extra=x.numel if self.per == "element" else x.shape[0] * x.channels)


@operator
class DropPath(Op):
    """Zeroes whole samples of (N, ...) with probability ``rate`` in training: stochastic depth.

    Stands at the end of a residual branch. For the backward pass it keeps a mask of one byte for
    each sample. A ``rate`` of 0 does nothing in training either.
    """

    kind: ClassVar[str] = "drop_path"
    view: ClassVar[bool] = True
    view_in_training: ClassVar[bool] = False

    rate: Fraction

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate:
            object.__setattr__(self, "view_in_training", True)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return inputs

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(extra=inputs[0].shape[0] if self.rate else 0)
