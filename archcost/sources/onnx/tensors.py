"""What an ONNX file knows before any input does: stored tensors, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import BITS, FLOATS, Parameter, TensorType, Value, bytes_for
from archcost.ir.op import MAX_ELEMENTS
from archcost.sources.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import SparseTensorProto, TensorProto

    from archcost.sources.onnx.call import Call

    Array = NDArray[Any]

MOST_ELEMENTS: Final = 2**20
"""Elements of the largest tensor whose values are worked out."""
MOST_RANK: Final = 16
"""Dimensions of any tensor."""

TRAINABLE: Final = "trainable"
"""The key under which a tensor's metadata says whether it is learned: archcost's own."""
LEAST_LEARNED: Final = -9999.0

DTYPES: Final[dict[int, str]] = {
    1: "fp32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "fp16",
    11: "fp64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bf16",
    17: "fp8",
    18: "fp8",
    19: "fp8",
    20: "fp8",
    21: "uint4",
    22: "int4",
}
"""ONNX's ``TensorProto.DataType`` -> ours; strings and types of 1 and 2 bits have none."""

QUANTISED: Final = frozenset({"int8", "uint8", "int4", "uint4"})
ON_INTEGERS: Final = "layers on integers are counted as if on numbers, with casts around them"

_BYTES_EACH: Final = {"float_data": 4, "double_data": 8, "int32_data": 1, "int64_data": 1}
"""Fewest bytes that an element takes in a field other than ``raw_data``."""


class Stored:
    """A tensor that the file holds; ``parameter`` once a node has taken it as one.

    ``inline``: it stands in a Constant node, not among the initializers. ``declared``: whether it
    is learned, where the file says so, as those that archcost writes do.
    """

    __slots__ = ("declared", "inline", "name", "parameter", "proto", "type", "used")

    def __init__(
        self, name: str, type_: TensorType, proto: TensorProto | None, *, inline: bool = False
    ) -> None:
        self.name = name
        self.type = type_
        self.proto = proto
        self.inline = inline
        self.parameter: Parameter | None = None
        self.used = False
        entries = () if proto is None else proto.metadata_props
        said = next((entry.value for entry in entries if entry.key == TRAINABLE), None)
        self.declared: bool | None = None if said is None else said == "true"

    def values(self) -> Array | None:
        """The elements, of a small tensor that lies in the file itself."""
        proto = self.proto
        if proto is None or self.type.numel > MOST_ELEMENTS or proto.data_location == 1:
            return None
        from onnx.numpy_helper import to_array

        try:
            return to_array(proto)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ModelFileError(
                f"the data of tensor {shown(self.name)} cannot be read: {error!s:.200}"
            ) from None


Rows = tuple[tuple[Stored, int, int], ...]
"""(stored tensor, first row, the one behind the last)."""


class Known:
    """A tensor that does not depend on the inputs.

    ``roots`` are the stored tensors that it comes from. ``whole`` says that it has just their
    elements, in another order perhaps: it can be taken as a parameter in their place. ``rows``:
    it is these rows of its roots, one behind the other; None where it is not known to be so. Its
    values are known where it is small. A ``call`` not carried out yet gives it as output ``index``;
    it becomes nodes of the graph only where a node needs it as a tensor.
    """

    __slots__ = ("_values", "call", "index", "name", "roots", "rows", "type", "value", "whole")

    def __init__(
        self,
        name: str,
        type_: TensorType,
        *,
        values: Array | None = None,
        roots: tuple[Stored, ...] = (),
        whole: bool = False,
        rows: Rows | None = None,
        call: Call | None = None,
        index: int = 0,
    ) -> None:
        self.name = name
        self.type = type_
        self.roots = roots
        self.whole = whole
        self.rows = rows
        self.call = call
        self.index = index
        self.value: Value | None = None
        self._values = values

    @property
    def values(self) -> Array | None:
        """The elements, where they are known."""
        if self._values is None and self.call is None and len(self.roots) == 1 and self.whole:
            self._values = self.roots[0].values()
        return self._values

    @property
    def is_mask(self) -> bool:
        """Whether it holds -inf, or what stands for it: no learned tensor does, but masks that are
        added to scores of attention do."""
        if self.type.dtype not in FLOATS or (values := self.values) is None or not values.size:
            return False
        return bool(values.astype("float32").min() < LEAST_LEARNED)

    def learn(self, other: Known) -> None:
        """Take over what ``other``, the same tensor, knows of its values."""
        self._values = other._values

    @property
    def is_weight(self) -> bool:
        """Whether it is, as a tensor among others, taken for something that is stored to be so."""
        if any(root.declared is not None for root in self.roots):
            return True
        return bool(self.roots) and learned(self.type)


def held(tensor: Stored) -> Known:
    """A stored tensor as it is."""
    shape = tensor.type.shape
    rows = ((tensor, 0, shape[0]),) if shape else None
    return Known(tensor.name, tensor.type, roots=(tensor,), whole=True, rows=rows)


Item = Value | Known
"""A tensor: of our graph, or known before the pass."""


class Many:
    """A sequence of tensors, as ONNX' sequence operators have it."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)


Entry = Item | Many
"""What a name in an ONNX graph stands for."""


def learned(type_: TensorType) -> bool:
    """Whether a stored tensor of this type is taken for something learned: more than one number,
    in floating point or, in a quantised model, in 8 bits or less. Others are indices, masks and
    settings."""
    return type_.numel > 1 and (type_.dtype in FLOATS or type_.dtype in QUANTISED)


def stored(proto: TensorProto, name: str | None = None, *, inline: bool = False) -> Stored:
    """A tensor of the file. Raises ModelFileError where it cannot be what it says it is."""
    name = proto.name if name is None else name
    what = f"tensor {shown(name)}"
    dtype = dtype_of(proto.data_type, what)
    shape = tuple(proto.dims)
    if len(shape) > MOST_RANK:
        raise ModelFileError(f"{what} has {len(shape)} dimensions, at most {MOST_RANK} are read")
    if any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS:
        raise ModelFileError(f"{what} cannot have the shape {list(shape)}")
    type_ = TensorType(shape, dtype)
    if proto.data_location != 1 and proto.ByteSize() < _fewest_bytes(proto, type_):
        raise ModelFileError(
            f"{what} of {type_.shape} {dtype} has {proto.ByteSize()} bytes in the file: too few"
        )
    return Stored(name, type_, proto, inline=inline)


def _fewest_bytes(proto: TensorProto, type_: TensorType) -> int:
    if proto.HasField("raw_data"):
        return type_.nbytes
    # Half bytes are packed by two; numbers of a variable length have at least one byte.
    each = next((size for field, size in _BYTES_EACH.items() if getattr(proto, field)), 1)
    return bytes_for(type_.numel, type_.dtype) if BITS[type_.dtype] < 8 else type_.numel * each


def dtype_of(code: int, what: str) -> str:
    """Our name for an ONNX element type. Raises ModelFileError where there is none."""
    dtype = DTYPES.get(code)
    if dtype is None:
        from onnx import TensorProto

        known = TensorProto.DataType.values()
        name = TensorProto.DataType.Name(code).lower() if code in known else f"type {code}"
        raise ModelFileError(
            f"{what} holds {'strings' if name == 'string' else name}, which archcost does not read"
        )
    return dtype


def array_type(values: Array) -> TensorType | None:
    """The type of an array that was worked out; None where we have no such dtype."""
    dtype = _FROM_NUMPY.get(values.dtype.name)
    return None if dtype is None else TensorType(tuple(values.shape), dtype)


def _from_numpy() -> dict[str, str]:
    from archcost.ir.types import NUMPY_NAMES

    names = {theirs: ours for ours, theirs in NUMPY_NAMES.items()}
    return names | {f"float8_{kind}": "fp8" for kind in ("e4m3fnuz", "e5m2", "e5m2fnuz")}


_FROM_NUMPY: Final = _from_numpy()


def parameter(name: str, type_: TensorType, trainable: bool) -> Parameter:
    """A parameter of a graph under the name that the file has for it."""
    return Parameter(name, type_.shape, type_.dtype, trainable, type_.numel, type_.nbytes)


def shown(name: str) -> str:
    """A name out of a file, as a message quotes it."""
    text = repr(name)
    return text if len(text) <= 120 else f"{text[:117]}..."


def dense(sparse: SparseTensorProto) -> Stored:
    """A sparse tensor, as if all its elements were stored."""
    type_ = stored(sparse.values).type.with_shape(tuple(sparse.dims))
    if min(type_.shape, default=0) < 0 or type_.numel > MAX_ELEMENTS:
        raise ModelFileError(f"a sparse tensor cannot have the shape {list(type_.shape)}")
    return Stored(sparse.values.name, type_, None)
