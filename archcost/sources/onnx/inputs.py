"""The inputs of an ONNX graph: what the file declares, what the user asks for, what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.ir import Shape, TensorType
from archcost.ir.arguments import LARGEST
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx.tensors import MOST_RANK, dtype_of, shown

if TYPE_CHECKING:
    from onnx import TypeProto, ValueInfoProto

Dim = int | str | None
"""A size, the name of one, or neither."""

_BATCH: Final = re.compile(r"(.*batch.*|n|b|bs)\Z", re.IGNORECASE | re.DOTALL)
"""Names that exporters and their users give the number of samples."""


class Declared(NamedTuple):
    """A tensor as the file declares it; ``dims`` is None where not even the rank is known."""

    name: str
    dims: tuple[Dim, ...] | None
    dtype: str

    @property
    def batch_place(self) -> int | None:
        """Which dimension is the batch: the one that is called so, else the first."""
        if not self.dims:
            return None if self.dims == () else 0
        named = (at for at, dim in enumerate(self.dims) if isinstance(dim, str))
        return next((at for at in named if _BATCH.match(str(self.dims[at]))), 0)

    def __str__(self) -> str:
        if self.dims is None:
            return "of unknown rank"
        return f"({', '.join('?' if dim is None else str(dim) for dim in self.dims)})"


class Resolved(NamedTuple):
    """The inputs' types; ``symbols``, the sizes that names stand for; ``changed``: whether a size
    that the file has as a number was given another; ``notes``, what was taken for granted."""

    types: tuple[TensorType, ...]
    symbols: dict[str, int]
    changed: bool
    notes: tuple[str, ...]


def declared(info: ValueInfoProto, what: str) -> Declared:
    """What the file says about a tensor. Raises ModelFileError where it is none."""
    what = f"{what} {shown(info.name)}"
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        found = "no type" if kind is None else f"the type {kind.removesuffix('_type')}"
        raise ModelFileError(f"{what} has {found}; archcost reads tensors")
    dtype = dtype_of(info.type.tensor_type.elem_type, what)
    dims = dims_of(info.type)
    if dims is not None and len(dims) > MOST_RANK:
        raise ModelFileError(f"{what} has {len(dims)} dimensions, at most {MOST_RANK} are read")
    return Declared(info.name, dims, dtype)


def dims_of(type_: TypeProto) -> tuple[Dim, ...] | None:
    """The sizes of a tensor type. A size below 1, or a name like "?", is how some exporters
    write an unknown one."""
    tensor = type_.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims: list[Dim] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value") and dim.dim_value > 0:
            dims.append(dim.dim_value)
        else:
            name = dim.dim_param
            known = isinstance(name, str) and name != "None" and any(c.isalnum() for c in name)
            dims.append(name if known else None)
    return tuple(dims)


def resolve(
    inputs: Sequence[Declared], shapes: Sequence[Shape] | None, batch: int | None
) -> Resolved:
    """The inputs with a size for every dimension.

    The batch is ``batch``, else what the file has, else 1. Where the first input has a number as
    its batch, others have ``batch`` in its place where they have the same number. ``shapes``,
    without the batch, are one for each input that has more dimensions, or for those alone that
    need one: a name that one of them gives a size has it everywhere.

    Raises:
        ModelFileError: a size is missing, or two do not fit each other.
    """
    return _Resolution(inputs, batch).resolved(list(shapes or ()))


class _Resolution:
    def __init__(self, inputs: Sequence[Declared], batch: int | None) -> None:
        self.inputs = inputs
        self.batch = batch
        self.symbols: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.changed = False
        first = next((info for info in inputs if info.dims), None)
        self.fixed = None if first is None or not first.dims else first.dims[first.batch_place or 0]
        for info in inputs:
            place = info.batch_place
            if info.dims and place is not None and isinstance(info.dims[place], str):
                self._bind(str(info.dims[place]), 1 if batch is None else batch, info)

    def resolved(self, shapes: list[Shape]) -> Resolved:
        takers = [info for info in self.inputs if _takes_sizes(info)]
        if len(shapes) > len(takers):
            raise ModelFileError(
                f"{len(shapes)} input shapes are given, the model has {len(takers)}: "
                f"{', '.join(f'{shown(i.name)} {i}' for i in takers[:8])}"
            )
        given: dict[int, Shape] = {}
        left = list(shapes)
        every = len(shapes) == len(takers)
        for number, info in enumerate(self.inputs):
            if left and _takes_sizes(info) and (every or self._unknown(info)):
                given[number] = self._given(info, left.pop(0))
        if left:
            raise ModelFileError(
                f"{len(shapes)} input shapes are given; give one for each of the model's inputs: "
                f"{', '.join(f'{shown(i.name)} {i}' for i in takers[:8])}"
            )
        types = [
            TensorType(given.get(number) or self._own(info), info.dtype)
            for number, info in enumerate(self.inputs)
        ]
        return Resolved(tuple(types), self.symbols, self.changed, tuple(self._notes()))

    def _notes(self) -> Iterator[str]:
        """Which open dimensions were taken for the batch though nothing calls them so."""
        for info in self.inputs:
            first = info.dims[0] if info.dims and info.batch_place == 0 else 1
            if self.batch is None and isinstance(first, str) and not _BATCH.match(first):
                yield f"{first!r}, dimension 0 of input {shown(info.name)}, is the batch, of 1"

    def _unknown(self, info: Declared) -> bool:
        """Whether a size is missing that is not the batch's."""
        if info.dims is None:
            return True
        others = [dim for at, dim in enumerate(info.dims) if at != info.batch_place]
        return any(
            dim is None or (isinstance(dim, str) and dim not in self.symbols) for dim in others
        )

    def _given(self, info: Declared, sizes: Shape) -> Shape:
        """The whole shape of an input for which the user gave ``sizes`` behind the batch."""
        place = info.batch_place or 0
        rank = len(sizes) + 1
        dims = (None,) * rank if info.dims is None else info.dims
        if len(dims) != rank:
            example = "x".join(
                str(d) if isinstance(d, int) else "64" for d in _without(dims, place)
            )
            raise ModelFileError(
                f"input {shown(info.name)} is {info}: it needs {len(dims) - 1} sizes without the "
                f"batch{f', like {example}' if example else ''}; {len(sizes)} are given"
            )
        wanted = [*sizes[:place], self._batch_of(dims[place]), *sizes[place:]]
        for dim, size in zip(dims, wanted, strict=True):
            self._size(size, info)
            if isinstance(dim, str):
                self._bind(dim, size, info)
            self.changed |= isinstance(dim, int) and dim != size
        return tuple(wanted)

    def _own(self, info: Declared) -> Shape:
        """The shape of an input by the file alone."""
        if info.dims == ():
            return ()
        if info.dims is None or self._unknown(info):
            sizes = _without(info.dims or (None, "3", 224, 224), info.batch_place or 0)
            example = "x".join(str(d) if isinstance(d, int) else "64" for d in sizes)
            raise ModelFileError(
                f"input {shown(info.name)} is {info}: give its sizes without the batch with "
                f"--input, like --input {example}"
            )
        shape = []
        for at, dim in enumerate(info.dims):
            if at == info.batch_place:
                size = self._batch_of(dim)
                self.changed |= isinstance(dim, int) and dim != size
            else:
                assert dim is not None
                size = dim if isinstance(dim, int) else self.symbols[dim]
            shape.append(self._size(size, info))
        return tuple(shape)

    def _batch_of(self, dim: Dim) -> int:
        if isinstance(dim, int) and (self.batch is None or dim != self.fixed):
            return dim
        return 1 if self.batch is None else self.batch

    def _bind(self, symbol: str, size: int, info: Declared) -> None:
        known = self.symbols.setdefault(symbol, size)
        owner = self.owners.setdefault(symbol, info.name)
        if known != size:
            raise ModelFileError(
                f"the size {shown(symbol)} is {known} in input {shown(owner)} and {size} in "
                f"{shown(info.name)}"
            )

    @staticmethod
    def _size(size: int, info: Declared) -> int:
        if not 1 <= size <= LARGEST:
            raise ModelFileError(
                f"input {shown(info.name)} has a size of {size}; expected 1 to {LARGEST}"
            )
        return size


def _takes_sizes(info: Declared) -> bool:
    """Whether it has dimensions besides the batch."""
    return info.dims is None or len(info.dims) > 1


def _without(dims: Sequence[Dim], place: int) -> list[Dim]:
    return [dim for at, dim in enumerate(dims) if at != place]
