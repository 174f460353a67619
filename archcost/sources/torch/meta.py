"""Running PyTorch code without computing: large tensors have no data, small known ones keep theirs.

Under :class:`MetaMode` every operator runs on the meta device, which works out shapes and dtypes
alone. Tensors whose values the code itself knows (``arange``, ``linspace``, ``tensor([...])`` and
what is computed from them) are computed for real as long as they are small: code may branch on
them, read them with ``item()`` or index by them. What depends on inputs or weights is never known.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.sources.torch.assumed import SELECTING
from archcost.sources.torch.errors import higher_order, shape_unknown, users_place, value_wanted
from archcost.sources.torch.operators import (
    META,
    NESTED,
    Overload,
    Overloaded,
    storage_of,
    tensors_in,
)

KNOWN_ELEMENTS: Final = 2**18
"""Elements of the largest tensor that is computed for real."""

PLACES_NAMED: Final = 3
"""Lines of code that are named where the same is assumed in several."""


class MetaMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it torch's operators give shapes instead of values, see the module's docstring.

    It collects what is assumed of values that nobody knows (:meth:`assume`).
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._assumed: dict[str, dict[str, None]] = {}  # what -> where, as keys
        self._about: dict[Overload, Overloaded] = {}
        # By id; the tensors are held so that an id stays theirs.
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}
        self._made: dict[int, Tensor] = {}  # real ones, which code may write to
        self._forms: dict[Any, _Form] = {}
        self._lost: set[int] = set()  # storages of real ones of which the values are not known

    supports_higher_order_operators = True

    def __torch_dispatch__(
        self, func: Overload, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if not isinstance(func, torch._ops.OpOverload):
            raise higher_order(func.name())
        return self.run(func, self.about(func), args, kwargs or {})

    def about(self, func: Overload) -> Overloaded:
        known = self._about.get(func)
        if known is None:
            known = self._about[func] = Overloaded(func, SELECTING.get(func._schema.name))
        return known

    def run(
        self, func: Overload, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """What ``func`` gives: a real result where all that it depends on is known, else one
        without data.

        Raises:
            TraceError: a value is asked for that depends on inputs or weights.
        """
        tensors = list(tensors_in(args))
        if kwargs:
            tensors += tensors_in(list(kwargs.values()))
        if known.base == "lift_fresh":  # torch.tensor([...]) was made outside of all modes
            self._made[id(tensors[0])] = tensors[0]
            return tensors[0]
        written = known.written(args, kwargs) if known.writes else []
        if known.pure and all(map(self._is_known, tensors)):
            result = self._real(func, known, args, kwargs, tensors, written)
            if result is not None:
                return result
        if known.asks:
            return self.answer(known, tensors)
        for target in written:
            if not target.is_meta:
                self._lost.add(storage_of(target))
        if known.selects is not None:
            chosen = known.selects(self, known, args, kwargs)
            if chosen is not None:
                return chosen
        result = self._on_meta(func, known, args, kwargs)
        # What writes gives back what it was given, not its twin.
        return written[0] if len(written) == 1 and isinstance(result, Tensor) else result

    def made(self, tensor: Tensor) -> None:
        """``tensor`` is real, and of the code that runs."""
        self._made[id(tensor)] = tensor

    def answer(self, known: Overloaded, tensors: Sequence[Tensor]) -> Any:
        """What is assumed of values that are asked for and that nobody knows.

        Raises:
            TraceError: nothing is to be assumed of these.
        """
        if known.base == NESTED:
            self.assume("no sequence has padding that could be left out")
            return False
        raise value_wanted(known.name)

    def count_true(self, mask: Tensor) -> int:
        """How many elements of a mask are taken to be true: all, the most there can be."""
        return mask.numel()

    def _is_known(self, tensor: Tensor) -> bool:
        """Whether the values of ``tensor`` do not depend on inputs or weights."""
        return (
            not tensor.is_meta
            and tensor.numel() <= KNOWN_ELEMENTS
            and not isinstance(tensor, torch.nn.Parameter)
            and storage_of(tensor) not in self._lost
        )

    def _real(
        self,
        func: Overload,
        known: Overloaded,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        tensors: list[Tensor],
        written: list[Tensor],
    ) -> Any:
        """The result computed for real; None where it would be large, or would change a tensor
        that was there before."""
        if any(id(target) not in self._made for target in written):
            return None
        if not known.asks and not written:
            try:
                shapes = self._on_meta(func, known, args, kwargs)
            except Exception:  # a shape that depends on the values, which are few
                shapes = None
            if any(prod(t.shape) > KNOWN_ELEMENTS for t in tensors_in([shapes])):
                return None
        result = func(*_on_cpu(args), **{name: _on_cpu(value) for name, value in kwargs.items()})
        for tensor in tensors_in([result]):
            self._made[id(tensor)] = tensor
        return result

    def _on_meta(
        self, func: Overload, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        changed = {name: self._meta(value) for name, value in kwargs.items()}
        if known.takes_device:
            if known.places["device"] >= len(args):
                changed["device"] = META
            if "pin_memory" in changed:
                changed["pin_memory"] = None
        if changed.get("generator") is not None:
            changed["generator"] = None
        given = [self._meta(value) for value in args]
        if not (known.fresh or known.in_place):
            return _called(func, known, given, changed)
        # Layers repeat, and torch works out the shapes of some in Python.
        try:
            key = func, _form(given), _form(list(changed.items()))
            made = self._forms.get(key)
        except TypeError:  # an argument that cannot be hashed
            return _called(func, known, given, changed)
        if made is not None:
            return given[0] if known.in_place else made.again()
        result = _called(func, known, given, changed)
        if isinstance(result, Tensor) and result.is_meta and type(result) is Tensor:
            self._forms[key] = _Form(result.shape, result.stride(), result.dtype)
        return result

    def _meta(self, value: Any) -> Any:
        """An argument with tensors without data in place of real ones."""
        if isinstance(value, Tensor):
            return value if value.is_meta else self.twin(value)
        if isinstance(value, list | tuple):
            return type(value)([self._meta(item) for item in value])
        return META if isinstance(value, torch.device) else value

    def twin(self, tensor: Tensor) -> Tensor:
        """A tensor without data, the same for ``tensor`` every time."""
        found = self._twins.get(id(tensor))
        if found is None or found[1].shape != tensor.shape or found[1].dtype != tensor.dtype:
            # Of the same kind: a view of a tensor for inference is no view of another.
            with torch.inference_mode(tensor.is_inference()):
                if tensor.layout == torch.strided:
                    twin = torch.empty_strided(
                        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META
                    )
                else:
                    twin = torch.empty(
                        tensor.shape, dtype=tensor.dtype, layout=tensor.layout, device=META
                    )
            found = self._twins[id(tensor)] = tensor, twin
        return found[1]

    def assume(self, what: str) -> None:
        """Note that ``what`` was assumed, and where."""
        places = self._assumed.setdefault(what, {})
        place = users_place()
        if place is not None:
            places[place.brief] = None

    def assumptions(self) -> list[str]:
        """What was assumed, each once, with the first lines of code that asked for it."""
        said = []
        for what, places in self._assumed.items():
            named = ", ".join(list(places)[:PLACES_NAMED])
            more = len(places) - PLACES_NAMED
            others = f" and {more} more line{'' if more == 1 else 's'}" if more > 0 else ""
            said.append(f"{what} (at {named}{others})" if places else what)
        return said


class BuildMode(MetaMode):  # type: ignore[no-untyped-call]
    """For building a module: nothing that is drawn at random is out of its bounds."""

    def answer(self, known: Overloaded, tensors: Sequence[Tensor]) -> Any:
        """``while mask.any(): draw again`` ends."""
        if len(tensors) == 1 and tensors[0].dtype == torch.bool:
            self.assume("building the model, what is asked of the values of weights is not so")
            return False
        return super().answer(known, tensors)


class _Form(NamedTuple):
    """A tensor without data, to be made again: not itself, which code may turn (``transpose_``)."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def again(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=META)


def _form(values: Sequence[Any]) -> tuple[Any, ...]:
    """What a result's shape can depend on, of arguments without data."""
    return tuple(
        [
            (value.shape, value.stride(), value.dtype)
            if isinstance(value, Tensor)
            else _form(value)
            if isinstance(value, list | tuple)
            # 1, 1.0 and True are equal, and are not alike.
            else (type(value), value)
            for value in values
        ]
    )


def _called(func: Overload, known: Overloaded, args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return func(*args, **kwargs)
    except NotImplementedError as error:
        raise shape_unknown(known.name, error) from error


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    if isinstance(value, list | tuple):
        return type(value)([_on_cpu(item) for item in value])
    return value
