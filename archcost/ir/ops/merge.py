"""Operators that join several tensors into one."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import Dim
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Reach, operator
from archcost.ir.ops.dimensions import along, broadcast, dimension, promoted, same_dtype
from archcost.ir.types import TensorType, Work, shape_text


@operator
class Concat(Op):
    """The inputs one behind the other along dimension ``dim``; all other sizes are equal.

    It copies: the output is a tensor of its own.
    """

    kind: ClassVar[str] = "concat"
    computes: ClassVar[bool] = False
    arity: ClassVar[tuple[int, int | None]] = (1, None)

    dim: Dim = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        first = inputs[0]
        dim = dimension(self.kind, self.dim, first)
        rest = first.shape[:dim], first.shape[dim + 1 :]
        for x in inputs[1:]:
            if x.rank != first.rank or (x.shape[:dim], x.shape[dim + 1 :]) != rest:
                raise ShapeError(
                    f"concat along dimension {dim} needs inputs that are equal in all others; "
                    f"{shape_text(x.shape)} does not fit {shape_text(first.shape)}"
                )
        same_dtype(self.kind, inputs)
        size = sum(x.shape[dim] for x in inputs)
        return (first.with_shape((*rest[0], size, *rest[1])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        # Along a spatial dimension the last input's positions are moved the farthest.
        dim = dimension(self.kind, self.dim, inputs[0])
        moved = outputs[0].shape[dim] - inputs[-1].shape[dim]
        return along(inputs[0], dim, Reach(-moved, 0, 1))


@operator
class Elementwise(Op):
    """Sum, product, maximum or mean of two or more tensors, element by element.

    Shapes are equal or are broadcast by PyTorch's rules (a gate of (N, C, 1, 1) scales
    (N, C, H, W)), and so are dtypes. An instance's ``kind`` is its function. A sum or mean can be
    accumulated into its first input (``inplace``), but only where that has the output's type. Of
    more than two inputs the backward pass is taken to keep the inputs alone, no partial products
    or maxima.
    """

    kind: ClassVar[str] = "elementwise"
    computes: ClassVar[bool] = False
    named_by: ClassVar[str | None] = "function"
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    function: Literal["sum", "product", "maximum", "mean"]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", self.function)
        linear = self.function in ("sum", "mean")
        object.__setattr__(self, "inplace", linear)
        object.__setattr__(self, "keeps", "nothing" if linear else "inputs")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        shape = broadcast(self.kind, [x.shape for x in inputs])
        return (TensorType(shape, promoted(inputs)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # n inputs meet in n - 1 operations for each output element.
        # A mean is divided by n besides, as an average pool is.
        count = (len(inputs) - 1) * outputs[0].numel
        match self.function:
            case "sum":
                return Work(add=count)
            case "mean":
                return Work(add=count, div=outputs[0].numel)
            case "product":
                return Work(mul=count)
            case "maximum":
                return Work(cmp=count)
