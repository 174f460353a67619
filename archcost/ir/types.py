"""Tensor types, parameters and elementary work: the vocabulary of the graph."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod
from typing import Final, NamedTuple

BITS: Final[dict[str, int]] = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 32,  # computed with 19 bits, kept in 32
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "int64": 64,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "int4": 4,
    "uint64": 64,
    "uint32": 32,
    "uint16": 16,
    "uint8": 8,
    "uint4": 4,
    "bool": 8,  # one byte an element, as every framework stores it
    "complex64": 64,
    "complex128": 128,
}
"""Bits that one stored element takes, by dtype."""

NUMPY_NAMES: Final[dict[str, str]] = {
    "fp64": "float64",
    "tf32": "float32",
    "fp32": "float32",  # behind tf32: read backwards, float32 is fp32
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    **{name: name for name in BITS if name.lstrip("u").startswith(("int", "bool", "complex"))},
}
"""The name that numpy (with ml_dtypes), torch and ONNX have in common for each of our dtypes."""

FLOATS: Final[frozenset[str]] = frozenset({"fp64", "fp32", "tf32", "fp16", "bf16", "fp8"})
INTEGERS: Final[frozenset[str]] = frozenset(
    dtype for dtype in BITS if dtype.startswith(("int", "uint"))
)

Shape = tuple[int, ...]


def shape_text(shape: Shape) -> str:
    """``1x64x56x56``: the spelling of a shape in messages, tables and on the command line."""
    return "x".join(map(str, shape)) if shape else "scalar"


def bytes_for(elements: int, dtype: str) -> int:
    """Bytes that ``elements`` elements of ``dtype`` take when packed, rounded up to whole bytes."""
    return -(-elements * BITS[dtype] // 8)


class TensorType(NamedTuple):
    """Shape and element type of a tensor: batch first, channels second (N, C, H, W)."""

    shape: Shape
    dtype: str = "fp32"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def channels(self) -> int:
        """Size of dimension 1."""
        return self.shape[1]

    @property
    def spatial(self) -> Shape:
        """Sizes behind batch and channels."""
        return self.shape[2:]

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the packed tensor."""
        return bytes_for(self.numel, self.dtype)

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(shape, self.dtype)

    def __str__(self) -> str:
        text = shape_text(self.shape)
        return text if self.dtype == "fp32" else f"{text}:{self.dtype}"


class ParameterSpec(NamedTuple):
    """A parameter that an operator asks for: its name within the node, shape and kind.

    ``dtype`` is None for "the dtype the node computes in".
    """

    name: str
    shape: Shape
    trainable: bool = True
    dtype: str | None = None


class Parameter:
    """A stored tensor of a graph, compared by identity: a tied weight is one object in two nodes.

    A parameter that is not ``trainable`` is a buffer (running statistics, fixed codes): it is
    counted beside the params, never among them.
    """

    __slots__ = ("dtype", "name", "nbytes", "numel", "shape", "trainable")

    def __init__(
        self, name: str, shape: Shape, dtype: str, trainable: bool, numel: int, nbytes: int
    ) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.trainable = trainable
        self.numel = numel
        self.nbytes = nbytes

    def __repr__(self) -> str:
        kind = "parameter" if self.trainable else "buffer"
        return f"<{kind} {self.name} {shape_text(self.shape)}:{self.dtype}>"


@dataclass(frozen=True, slots=True)
class Work:
    """Elementary operations of one forward pass, by kind, as exact integers.

    ``mac`` is a multiply-accumulate of a convolution, linear layer or matrix product; every other
    kind is one scalar operation. Subtractions are ``add``, minima and maxima ``cmp``; ``trig`` is a
    sine, cosine, tangent or the inverse of one.
    """

    mac: int = 0
    add: int = 0
    mul: int = 0
    cmp: int = 0
    div: int = 0
    exp: int = 0
    log: int = 0
    pow: int = 0
    sqrt: int = 0
    erf: int = 0
    trig: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, k) + getattr(other, k) for k in WORK_KINDS))

    def times(self, count: int) -> Work:
        """The work of ``count`` repetitions."""
        return Work(*(getattr(self, kind) * count for kind in WORK_KINDS))

    @property
    def flops(self) -> int:
        """2 x ``mac`` plus every other elementary operation."""
        others = self.add + self.mul + self.cmp + self.div + self.exp
        return 2 * self.mac + others + self.log + self.pow + self.sqrt + self.erf + self.trig

    def as_dict(self) -> dict[str, int]:
        """Every kind, zeros included, so that readers of the JSON find each key."""
        return {kind: getattr(self, kind) for kind in WORK_KINDS}


WORK_KINDS: Final[tuple[str, ...]] = tuple(field.name for field in fields(Work))
