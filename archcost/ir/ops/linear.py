"""Linear layers, matrix products and their kin: everything that maps whole vectors."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar, Literal

from archcost.ir.arguments import Count, DTypeName, Fraction
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.dimensions import broadcast, same_dtype
from archcost.ir.ops.windows import whole
from archcost.ir.types import FLOATS, ParameterSpec, TensorType, Work, bytes_for, shape_text


@operator
class Linear(Op):
    """y = W x + b, with ``out`` rows in W.

    (N, in) -> (N, out) and (N, T, in) -> (N, T, out): an input of rank 2 or 3 is mapped along its
    last dimension. Feature maps, of rank 4 and more, are flattened first, as Caffe's InnerProduct
    does: (N, C, H, W) -> (N, out), with in = C * H * W. ``flatten: false`` maps the last dimension
    there too. Feature maps in one spatial dimension, (N, C, L), cannot be told from (N, T, in):
    they need a flatten of their own before.

    ``drop_connect`` zeroes weights and biases with this probability in training, others for each
    vector that is mapped (Wan et al. 2013). The backward pass needs that mask again, kept in one
    bit an entry as section 4 of the paper does (dropout's takes a byte). At inference the layer is
    taken with its mean weights, not with the paper's sampling of a normal distribution.
    """

    kind: ClassVar[str] = "linear"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    bias: bool = True
    flatten: bool = True
    drop_connect: Fraction = 0.0

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError("linear needs an input (N, ..., features)")
        kept = x.shape[:1] if self.flattens(x) else x.shape[:-1]
        return (x.with_shape((*kept, self.out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        specs = (ParameterSpec("weight", (self.out, self.features(inputs[0]))),)
        return (*specs, ParameterSpec("bias", (self.out,))) if self.bias else specs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        return Work(mac=y.numel * self.features(x), add=y.numel if self.bias else 0)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return whole(inputs[0]) if self.flattens(inputs[0]) else None

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        saved = super().saved(inputs, outputs)
        if not self.drop_connect:
            return saved
        (x,), (y,) = inputs, outputs
        mask = y.numel * (self.features(x) + (1 if self.bias else 0))
        return saved._replace(extra=-(-mask // 8))

    def flattens(self, x: TensorType) -> bool:
        """Whether an input of type ``x`` is flattened to (N, features) first."""
        return self.flatten and x.rank >= 4

    def features(self, x: TensorType) -> int:
        """Length of the vectors that are mapped of an input of type ``x``."""
        return prod(x.shape[1:]) if self.flattens(x) else x.shape[-1]


@operator
class MatMul(Op):
    """Product of two tensors, (..., m, k) x (..., k, n) -> (..., m, n).

    The dimensions before the last two are broadcast. ``transpose_b`` takes the second one as
    (..., n, k), as attention does with its keys.
    """

    kind: ClassVar[str] = "matmul"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    transpose_b: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        a, b = inputs
        if a.rank < 2 or b.rank < 2:
            raise ShapeError("matmul needs inputs with 2 dimensions or more")
        rows, columns = b.shape[-2:]
        if self.transpose_b:
            rows, columns = columns, rows
        if a.shape[-1] != rows:
            second = "(..., n, k)" if self.transpose_b else "(..., k, n)"
            raise ShapeError(
                f"matmul needs (..., m, k) and {second} with one k, has {shape_text(a.shape)} "
                f"and {shape_text(b.shape)}"
            )
        same_dtype(self.kind, inputs)
        batch = broadcast("matmul before the last two dimensions", [a.shape[:-2], b.shape[:-2]])
        return (a.with_shape((*batch, a.shape[-2], columns)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Each output element is a scalar product of k terms.
        return Work(mac=outputs[0].numel * inputs[0].shape[-1])


@operator
class GroupedMatMul(Op):
    """Each row times its group's matrix: (m, k), (g, k, n) and ends (g) -> (m, n).

    The rows of a group are next to each other, and ``ends`` holds each group's end: the tokens
    that a mixture of experts sends to each of them. However many a group has, each row meets one
    matrix.
    """

    kind: ClassVar[str] = "grouped_matmul"
    arity: ClassVar[tuple[int, int | None]] = (3, 3)
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"
    in_specs: ClassVar[bool] = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, matrices, ends = inputs
        if (x.rank, matrices.rank) != (2, 3) or ends.shape != matrices.shape[:1]:
            raise ShapeError("grouped_matmul needs rows (m, k), matrices (g, k, n) and ends (g)")
        if x.shape[1] != matrices.shape[1]:
            raise ShapeError(
                f"grouped_matmul needs (m, k) and (g, k, n) with one k, has "
                f"{shape_text(x.shape)} and {shape_text(matrices.shape)}"
            )
        same_dtype(self.kind, inputs[:2])
        return (x.with_shape((x.shape[0], matrices.shape[2])),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(mac=outputs[0].numel * inputs[0].shape[1])

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        """Of the matrices no more than there are rows."""
        x, matrices, ends = inputs
        count, *sizes = matrices.shape
        read = bytes_for(min(count, x.shape[0]) * prod(sizes), matrices.dtype)
        return x.nbytes + read + ends.nbytes


@operator
class SolveTriangular(Op):
    """X of A X = B with a triangular A: (..., n, n) and (..., n, k) -> (..., n, k).

    ``left: false`` solves X A = B with B (..., k, n). Only the triangle that ``upper`` says is
    read, without its diagonal where that is of ones (``unit``). By substitution, n (n - 1) / 2
    multiplications and additions for each of the k vectors, and a division for each result.
    """

    kind: ClassVar[str] = "solve_triangular"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    in_specs: ClassVar[bool] = False

    upper: bool
    left: bool = True
    unit: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        a, b = inputs
        square = a.rank >= 2 and a.shape[-1] == a.shape[-2]
        if not square or b.rank < 2 or b.shape[-2 if self.left else -1] != a.shape[-1]:
            raise ShapeError(
                "solve_triangular needs (..., n, n) and vectors of n, has "
                f"{shape_text(a.shape)} and {shape_text(b.shape)}"
            )
        same_dtype(self.kind, inputs)
        batch = broadcast(
            "solve_triangular before the last two dimensions", [a.shape[:-2], b.shape[:-2]]
        )
        return (b.with_shape((*batch, *b.shape[-2:])),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        n, (y,) = inputs[0].shape[-1], outputs
        substituted = y.numel // max(1, n) * (n * (n - 1) // 2)
        return Work(mul=substituted, add=substituted, div=0 if self.unit else y.numel)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=(0,), outputs=True)


@operator
class RadialBasis(Op):
    """(N, in) -> (N, out): squared distances to ``out`` centers, y_i = sum_j (x_j - w_ij)^2.

    LeNet-5's output layer, whose centers are fixed codes: a buffer, unless ``trainable``. It is
    no weighted layer, trainable or not: papers count convolutions and linear layers, and
    the seven layers of LeNet-5's name count its subsampling too.
    """

    kind: ClassVar[str] = "rbf"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    trainable: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank != 2:
            raise ShapeError("rbf needs an input (N, features); flatten it before")
        return (x.with_shape((x.shape[0], self.out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("centers", (self.out, inputs[0].channels), self.trainable),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # n differences and squares, and n - 1 additions to sum them. No macs: these are neither
        # of a linear layer nor of a matrix product.
        n = inputs[0].channels
        return Work(add=n + n - 1, mul=n).times(outputs[0].numel)


@operator
class Embedding(Op):
    """Rows of a table of (``count``, ``width``), by index: (N, ...) of integers -> (N, ..., width).

    Nothing is computed. The table's ``dtype`` is also the output's.
    """

    kind: ClassVar[str] = "embedding"
    computes: ClassVar[bool] = False
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    count: Count
    width: Count
    dtype: DTypeName = "fp32"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.dtype in FLOATS or x.dtype == "bool":
            raise ShapeError(f"embedding needs an input of integers (int64), has {x.dtype}")
        return (TensorType((*x.shape, self.width), self.dtype),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("weight", (self.count, self.width)),)

    def compute_dtype(self, inputs: tuple[TensorType, ...]) -> str:
        return self.dtype

    def with_dtype(self, dtype: str) -> Embedding:
        return replace(self, dtype=dtype) if self.dtype in FLOATS else self

    def parameter_bytes_read(self, inputs: tuple[TensorType, ...], nbytes: int) -> int:
        """Only the rows that are looked up, and no more than there are."""
        return min(nbytes, bytes_for(inputs[0].numel * self.width, self.dtype))


@operator
class EmbeddingBag(Op):
    """The rows of a table of (``count``, ``width``) in each bag of indices, joined to one.

    Indices (B, K), K in each bag, or (n) with the bags' beginnings, offsets (B), as second input
    -> (B, width). Bags are taken to hold an index each at least: n - B rows meet others.
    """

    kind: ClassVar[str] = "embedding_bag"
    computes: ClassVar[bool] = False
    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    count: Count
    width: Count
    mode: Literal["sum", "mean", "max"] = "mean"
    dtype: DTypeName = "fp32"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, *offsets = inputs
        if x.rank + len(offsets) != 2 or any(bags.rank != 1 for bags in offsets):
            raise ShapeError("embedding_bag needs indices (B, K), or (n) and offsets (B)")
        for given in inputs:
            if given.dtype in FLOATS or given.dtype == "bool":
                raise ShapeError(f"embedding_bag needs integers (int64), has {given.dtype}")
        return (TensorType((inputs[-1].shape[0], self.width), self.dtype),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("weight", (self.count, self.width)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (y,) = outputs
        joined = max(0, inputs[0].numel - y.shape[0]) * self.width
        if self.mode == "max":
            return Work(cmp=joined)
        return Work(add=joined, div=y.numel if self.mode == "mean" else 0)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # Each index's bag, each bag's size, its beginning where no input says it and, of maxima,
        # whose they are.
        (x, *offsets), (y,) = inputs, outputs
        numbers = x.numel + y.shape[0] * (1 if offsets else 2)
        numbers += y.numel if self.mode == "max" else 0
        return Saved(inputs=True, extra=bytes_for(numbers, x.dtype))

    def compute_dtype(self, inputs: tuple[TensorType, ...]) -> str:
        return self.dtype

    def with_dtype(self, dtype: str) -> EmbeddingBag:
        return replace(self, dtype=dtype) if self.dtype in FLOATS else self

    def parameter_bytes_read(self, inputs: tuple[TensorType, ...], nbytes: int) -> int:
        """Only the rows that are looked up, and no more than there are."""
        return min(nbytes, bytes_for(inputs[0].numel * self.width, self.dtype))
