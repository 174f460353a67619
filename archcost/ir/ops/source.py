"""Operators that read nothing in the graph, and those that archcost does not know.

They come of files and traced modules; a spec has none of them.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import DTypeName, OperatorName, Sizes, Types
from archcost.ir.errors import ArgumentError
from archcost.ir.op import Op, operator
from archcost.ir.types import FLOATS, ParameterSpec, TensorType


@operator
class Constant(Op):
    """A tensor of ``shape`` made in the pass from nothing: zeros, a range, random numbers.

    It is written, not stored, and making it counts as no work.
    """

    kind: ClassVar[str] = "constant"
    computes: ClassVar[bool] = False
    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    in_specs: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    shape: Sizes
    dtype: DTypeName = "fp32"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return (TensorType(self.shape, self.dtype),)

    def with_dtype(self, dtype: str) -> Constant:
        return Constant(self.shape, dtype) if self.dtype in FLOATS else self


@operator
class Weight(Op):
    """The stored tensor ``value`` of ``shape`` read as a tensor: position embeddings, a token.

    A view: the tensor lies among the weights. It is a buffer where it is not ``trainable``.
    """

    kind: ClassVar[str] = "weight"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    in_specs: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    shape: Sizes
    dtype: DTypeName = "fp32"
    trainable: bool = True

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return (TensorType(self.shape, self.dtype),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("value", self.shape, self.trainable, self.dtype),)

    def with_dtype(self, dtype: str) -> Weight:
        return Weight(self.shape, dtype, self.trainable) if self.dtype in FLOATS else self


@operator
class Opaque(Op):
    """An operator that archcost does not know: any inputs, outputs of the ``types`` it was seen
    to give.

    An instance's ``kind`` is its ``name``, as its source has it (``torchvision::nms``). It reads
    its inputs, writes its outputs and is taken to keep its inputs for its backward pass; its work
    is unknown and not counted. ``make("opaque", **op.settings())`` makes it again.
    """

    kind: ClassVar[str] = "opaque"
    computes: ClassVar[bool] = False
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"
    arity: ClassVar[tuple[int, int | None]] = (0, None)
    known: ClassVar[bool] = False
    in_specs: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    name: OperatorName
    types: Types

    def __post_init__(self) -> None:
        from archcost.ir.ops import OPERATORS

        super().__post_init__()
        if self.name in OPERATORS:
            raise ArgumentError("name", f"{self.name!r} is an operator that archcost knows")
        object.__setattr__(self, "kind", self.name)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return self.types

    def with_dtype(self, dtype: str) -> Opaque:
        types = tuple(
            TensorType(shape, dtype if own in FLOATS else own) for shape, own in self.types
        )
        return Opaque(self.name, types)
