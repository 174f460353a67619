"""Attention as one operator: scores, softmax and weighted sum."""

from __future__ import annotations

from typing import ClassVar, Final

from archcost.ir.arguments import Fraction, Number
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Saved, operator
from archcost.ir.ops.activation import Softmax
from archcost.ir.ops.dimensions import broadcast, same_dtype
from archcost.ir.types import Shape, TensorType, Work, bytes_for, shape_text

_BATCH: Final = "attention before the last two dimensions"


@operator
class Attention(Op):
    """Scaled dot-product attention (Vaswani et al. 2017), ``softmax(q k^T * scale + mask) v``.

    Queries (..., L, E), keys (..., S, E) and values (..., S, Ev) -> (..., L, Ev); the dimensions
    before the last two are broadcast. ``grouped``: dimension -3 of the queries, their heads, is a
    multiple of that of keys and values, each of which serves as many heads. A mask, if given as
    the fourth input, fits (..., L, S): true where a score counts, or numbers to add to the scores.
    ``causal``: query i sees the keys up to i. ``scale`` None is 1 / sqrt(E). ``dropout`` zeroes
    scores with this probability in training.

    Both products are counted in full, causal or not, as every counter has it. The scores are not
    materialised: the fused kernels of all frameworks work on blocks of them.
    """

    kind: ClassVar[str] = "attention"
    arity: ClassVar[tuple[int, int | None]] = (3, 4)

    causal: bool = False
    scale: Number | None = None
    dropout: Fraction = 0.0
    grouped: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        q, k, v, *mask = inputs
        if min(x.rank for x in (q, k, v)) < 2:
            raise ShapeError("attention needs queries, keys and values of 2 dimensions or more")
        if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
            raise ShapeError(
                "attention needs (..., L, E), (..., S, E) and (..., S, Ev), has "
                + ", ".join(shape_text(x.shape) for x in (q, k, v))
            )
        same_dtype(self.kind, (q, k, v))
        scores = self._scores(inputs)
        if mask:
            if self.causal:
                raise ShapeError("attention is causal or has a mask, not both")
            if mask[0].dtype not in ("bool", q.dtype):
                raise ShapeError(f"attention needs a mask of bool or {q.dtype}")
            if broadcast("attention's mask", [scores.shape, mask[0].shape]) != scores.shape:
                raise ShapeError(
                    f"attention needs a mask that fits {shape_text(scores.shape)}, has "
                    f"{shape_text(mask[0].shape)}"
                )
        batch = broadcast(_BATCH, [scores.shape[:-2], self._repeated(v, q)])
        return (q.with_shape((*batch, q.shape[-2], v.shape[-1])),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Each score is a scalar product of E terms, each output one of S; a score is scaled, and
        # numbers of a mask are added to it.
        q, _, _, *mask = inputs
        (y,) = outputs
        scores = self._scores(inputs)
        products = scores.numel * q.shape[-1] + y.numel * scores.shape[-1]
        added = scores.numel if mask and mask[0].dtype != "bool" else 0
        own = Work(mac=products, mul=0 if self.scale == 1 else scores.numel, add=added)
        return own + Softmax(log=False, dim=-1).work((scores,), (scores,))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # Of the softmax one logarithm of a sum for each query, in no less than fp32; the scores
        # are computed again. A mask of bool is made one of numbers to add.
        q, _, _, *mask = inputs
        rows = self._scores(inputs).shape[:-1]
        sums = bytes_for(TensorType(rows).numel, "fp64" if q.dtype == "fp64" else "fp32")
        if mask and mask[0].dtype == "bool":
            return Saved((0, 1, 2), True, sums + bytes_for(mask[0].numel, q.dtype))
        return Saved(True, True, sums)

    def _scores(self, inputs: tuple[TensorType, ...]) -> TensorType:
        """The type of the scores, (..., L, S)."""
        q, k = inputs[:2]
        batch = broadcast(_BATCH, [q.shape[:-2], self._repeated(k, q)])
        return q.with_shape((*batch, q.shape[-2], k.shape[-2]))

    def _repeated(self, x: TensorType, q: TensorType) -> Shape:
        """Sizes before the last two of keys or values, each repeated for the heads it serves."""
        if not self.grouped:
            return x.shape[:-2]
        if min(x.rank, q.rank) < 3 or q.shape[-3] % x.shape[-3]:
            raise ShapeError(
                "grouped attention needs heads of queries in dimension -3 that are a multiple of "
                f"those of keys and values, has {shape_text(q.shape)} and {shape_text(x.shape)}"
            )
        return (*x.shape[:-3], q.shape[-3])
