"""Stored tensors as parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from archcost.ir import Parameter, Shape, TensorType
from archcost.sources.onnx.tensors import Known, Stored, held, learned, parameter


class Weights:
    """The tensors that a file stores, and the parameters that nodes of ours take them for."""

    def __init__(self) -> None:
        self._stored: dict[tuple[Any, ...], Stored] = {}
        self._joined: dict[Known | tuple[Stored, ...], Parameter] = {}
        self._parts: dict[tuple[Stored, str], Parameter] = {}
        self._taken: set[Parameter] = set()

    def take(self, parameters: Iterable[Parameter]) -> None:
        """Note that a node has these."""
        self._taken.update(parameters)

    def unread(self) -> list[Parameter]:
        """What is stored, and no node has."""
        return [
            s.parameter
            or parameter(s.name, s.type, learned(s.type) if s.declared is None else s.declared)
            for s in self._stored.values()
            if s.parameter not in self._taken and (s.parameter or not (s.used or s.inline))
        ]

    def kept(self, place: tuple[Any, ...], made: Callable[[], Stored]) -> Stored:
        """The tensor stored at that place of the file."""
        if place not in self._stored:
            self._stored[place] = made()
        return self._stored[place]

    def parameter(self, known: Known, shape: Shape, *, trainable: bool) -> Parameter | None:
        """The parameter that ``known`` is, in ``shape``; None where it is none of that shape."""
        type_ = known.type.with_shape(shape)
        if type_.numel != known.type.numel:
            return None
        if known.whole and len(known.roots) == 1:
            (root,) = known.roots
            if root.parameter is None:
                own = trainable if root.declared is None else root.declared
                root.parameter = parameter(root.name, root.type.with_shape(shape), trainable=own)
            return root.parameter if root.parameter.shape == shape else None
        if known.call is not None and not known.whole:
            return None
        key = known.roots if known.whole else known
        if key not in self._joined:
            dtype = known.roots[0].type.dtype if known.whole else type_.dtype
            # What is worked out from nothing that is stored is no parameter of the model.
            own = trainable and bool(known.roots)
            self._joined[key] = parameter(known.name, TensorType(shape, dtype), own)
        found = self._joined[key]
        return found if found.shape == shape else None

    def pieces(self, known: Known, shapes: Mapping[str, Shape]) -> dict[str, Parameter] | None:
        """The parameters that one stored tensor holds one behind the other, by their names."""
        if not (known.whole and len(known.roots) >= 1):
            return None
        root = known.roots[0]
        if sum(TensorType(shape).numel for shape in shapes.values()) != known.type.numel:
            return None
        if len(shapes) == 1:
            ((name, shape),) = shapes.items()
            found = self.parameter(known, shape, trainable=True)
            return None if found is None else {name: found}
        result = {}
        if len(known.roots) == len(shapes):  # which were separate once
            for stored_, (name, shape) in zip(known.roots, shapes.items(), strict=True):
                own = self.parameter(held(stored_), shape, trainable=True)
                if own is None:
                    return None
                result[name] = own
            return result
        for name, shape in shapes.items():
            key = (root, name)
            if key not in self._parts:
                type_ = TensorType(shape, root.type.dtype)
                self._parts[key] = parameter(f"{known.name}[{name}]", type_, trainable=True)
            result[name] = self._parts[key]
        return result

    def unpacked(self, root: Stored, shape: Shape, dtype: str) -> Parameter:
        """The parameter of ``shape`` that a tensor of bytes holds in fewer bits."""
        key = root, dtype
        if key not in self._parts:
            self._parts[key] = parameter(root.name, TensorType(shape, dtype), trainable=True)
        return self._parts[key]
