"""A forward pass on tensors without data -> :class:`~archcost.ir.Graph`.

Every call of an ATen operator becomes steps (:mod:`.steps`): rules (:mod:`.rules`) say which
operators of archcost it is. A call that no rule knows is taken apart, where torch itself composes
it of others, and stays opaque elsewhere. The steps' output types are compared with those that torch
worked out; a step that disagrees is opaque too.

Python sees tensors, the graph has values. :class:`~.aliasing.Held` ties one to the other: tensors
that share storage are views of one :class:`~.aliasing.Storage`, and when one of them is written
to, the others are read anew from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch._decomp import decomposition_table

from archcost.ir import Graph, GraphBuilder, Op, Parameter, ShapeError, TensorType, Value, bytes_for
from archcost.ir.errors import ArgumentError
from archcost.ir.ops import make
from archcost.ir.types import NUMPY_NAMES
from archcost.sources.torch import rules
from archcost.sources.torch.aliasing import Held, Storage, part_of, views_between
from archcost.sources.torch.errors import endless, users_place
from archcost.sources.torch.meta import MetaMode
from archcost.sources.torch.operators import Overloaded, is_composite, storage_of, tensors_in
from archcost.sources.torch.rules import RULES, Rule, module_rule
from archcost.sources.torch.steps import Call, Slot, Step, named
from archcost.sources.torch.usual import USUAL, classes_of, usual

MOST_STEPS: Final = 250_000
"""Most operators of one pass: as many as a spec may have."""
DTYPES: Final = {
    torch_dtype: ours
    for ours, name in NUMPY_NAMES.items()
    if (torch_dtype := getattr(torch, name, None)) is not None
} | {
    # Halves of what a program calls complex32, and kinds of 8-bit floats: alike in cost.
    dtype: "fp8"
    for name in ("float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
    if (dtype := getattr(torch, name, None)) is not None
}


def dtype_of(dtype: torch.dtype) -> str:
    """archcost's name of a torch dtype; what it has none for is taken by its size."""
    found = DTYPES.get(dtype)
    if found is None:
        found = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}.get(dtype.itemsize, "fp32")
    return found


class IntegersWanted(Exception):
    """The graph's input ``name`` holds indices, and floats were given."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


TRAINED: Final = "num_batches_tracked"
"""The buffer in which a norm notes how often it was trained: nothing that inference reads, or that
other counters and papers count."""

RESHAPING: Final = frozenset(
    {"unsqueeze_", "squeeze_", "transpose_", "t_", "swapaxes_", "swapdims_", "detach_"}
)
"""Operators that make a tensor another view of its own storage."""

INDICES: Final = {"aten::embedding": 1, "aten::embedding_bag": 1, "aten::one_hot": 0}
"""operator -> the place of its argument that has to be integers."""


class Trace(MetaMode):  # type: ignore[no-untyped-call]
    """Records what is called within it; :meth:`graph` makes the graph of it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.steps: list[Step] = []
        self.inputs: list[tuple[str, Slot]] = []
        self.outs: list[Tensor] = []
        """What torch gave for the call that a rule is asked about."""
        self._held: dict[int, Held] = {}
        self._rules: dict[Any, Rule | None] = {}
        self._types: dict[tuple[torch.Size, torch.dtype], TensorType] = {}
        self._paths = {each: name.replace(".", "/") for name, each in module.named_modules()}
        self._root = Call("", module)
        self._calls: list[Call] = [self._root]
        self.failed: Call | None = None
        """The innermost of the calls that ended without a result just now."""
        self._parameters: dict[int, Parameter] = {}
        self._own: dict[int, tuple[str, Tensor]] = {}
        for name, parameter in module.named_parameters():
            self._own.setdefault(id(parameter), (name, parameter))
        for name, buffer in module.named_buffers():
            self._own.setdefault(id(buffer), (name, buffer))
        self._reads: set[Step] = set()  # those that say what a tensor is, not what is done with it
        self._operators: dict[tuple[Any, ...], Op] = {}  # equal ones are one: they work once
        rules.load()

    # --- what rules use ------------------------------------------------------------------------

    def type_of(self, tensor: Tensor) -> TensorType:
        key = tensor.shape, tensor.dtype
        found = self._types.get(key)
        if found is None:
            found = self._types[key] = TensorType(tuple(tensor.shape), dtype_of(tensor.dtype))
        return found

    def parameter(self, tensor: Tensor | None) -> Parameter | None:
        """The stored tensor that ``tensor`` is, itself and not a view of it."""
        if tensor is None:
            return None
        held = self._held.get(id(tensor))
        if held is not None:
            return held.parameter if held.version == held.storage.version else None
        return self._stored(tensor)

    def _stored(self, tensor: Tensor) -> Parameter | None:
        found = self._parameters.get(id(tensor))
        if found is None and (own := self._own.get(id(tensor))) is not None:
            type_ = self.type_of(tensor)
            numel = type_.numel
            found = self._parameters[id(tensor)] = Parameter(
                own[0],
                type_.shape,
                type_.dtype,
                isinstance(tensor, nn.Parameter)
                and (tensor.is_floating_point() or tensor.is_complex()),
                numel,
                bytes_for(numel, type_.dtype),
            )
        return found

    def slot(self, tensor: Tensor) -> Slot:
        """The value that ``tensor`` has now."""
        held = self._held.get(id(tensor))
        if held is None:
            held = self._first_seen(tensor)
        if held.version != held.storage.version:
            slot = held.storage.base
            for op, index in held.views:
                slot = self.add(op, [slot])[index]
                self._reads.add(self.steps[-1])
            held.slot, held.version, held.parameter = slot, held.storage.version, None
        return held.slot

    def _first_seen(self, tensor: Tensor) -> Held:
        """A stored tensor that is read as one, or one that the code has from elsewhere."""
        type_ = self.type_of(tensor)
        parameter = self._stored(tensor)
        if parameter is None:
            # Made outside of what is traced, so it is there before the pass.
            (slot,) = self.add(make("constant", shape=type_.shape, dtype=type_.dtype), [])
        else:
            (slot,) = self.add(
                make(
                    "weight",
                    shape=type_.shape,
                    dtype=type_.dtype,
                    trainable=parameter.trainable,
                ),
                [],
                share={"value": parameter},
            )
        self._reads.add(self.steps[-1])
        held = Held(tensor, slot, Storage(slot), parameter=parameter)
        self._held[id(tensor)] = held
        return held

    def apply(
        self,
        kind: str,
        inputs: Sequence[Tensor | Slot],
        *,
        share: Mapping[str, Parameter | None] | None = None,
        **arguments: Any,
    ) -> tuple[Slot, ...]:
        """A step of the operator of that kind with these arguments; see :meth:`add`."""
        key = (kind, *arguments.items())
        op = self._operators.get(key)
        if op is None:
            op = self._operators[key] = make(kind, **arguments)
        return self.add(op, inputs, share=share)

    def made_by(self, tensor: Tensor, module: type[nn.Module]) -> bool:
        """Whether the call of a ``module`` that is going on made ``tensor`` of nothing."""
        step, call = self.slot(tensor).step, self._calls[-1]
        return (
            step is not None
            and step.call is call
            and step.op.kind == "constant"
            and isinstance(call.module, module)
        )

    def cast(self, slot: Slot, dtype: str) -> Slot:
        """The value in another dtype."""
        return slot if slot.type.dtype == dtype else self.apply("cast", [slot], dtype=dtype)[0]

    def scaled(self, slot: Slot, factor: Any) -> Slot:
        """The value times a number."""
        return slot if factor == 1 else self.apply("rescale", [slot], scale=factor)[0]

    def constants(self, tensors: Sequence[Tensor]) -> list[Slot]:
        """Values of the types of ``tensors``, made of nothing."""
        types = [self.type_of(tensor) for tensor in tensors]
        return [
            self.apply("constant", [], shape=type_.shape, dtype=type_.dtype)[0] for type_ in types
        ]

    def add(
        self,
        op: Op,
        inputs: Sequence[Tensor | Slot],
        *,
        share: Mapping[str, Parameter | None] | None = None,
        inplace: bool = False,
    ) -> tuple[Slot, ...]:
        """A step: ``op`` applied to tensors, or to values of steps before it.

        ``share`` are the stored tensors that it uses, by their names in the operator.

        Raises:
            ShapeError: the operator cannot take these.
            TraceError: there are too many steps.
        """
        if len(self.steps) >= MOST_STEPS:
            raise endless(MOST_STEPS)
        slots = tuple([x if isinstance(x, Slot) else self.slot(x) for x in inputs])
        application = op.apply(tuple([slot.type for slot in slots]))
        call = self._calls[-1]
        stored = {name: p for name, p in (share or {}).items() if p is not None}
        step = Step(op, application, slots, call, stored, inplace)
        step.outputs = tuple(
            [Slot(type_, step, index) for index, type_ in enumerate(application.outputs)]
        )
        self.steps.append(step)
        return step.outputs

    # --- calls of operators --------------------------------------------------------------------

    def run(self, func: Any, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if known.base == "lift_fresh":
            return super().run(func, known, args, kwargs)
        if known.base in RESHAPING:
            return self._reshape(func, known.base[:-1], args, kwargs)
        if known.base == "set_" and len(args) == 2 and isinstance(args[1], Tensor):
            return self._set(func, known, args, kwargs)
        rule = self._rule(func)
        if rule is None and is_composite(func) and not known.selects and not known.asks:
            result = self._taken_apart(func, known, args, kwargs)
            if result is not NotImplemented:
                return result
        if known.name in INDICES:
            self._check_indices(args[INDICES[known.name]])
        result = super().run(func, known, args, kwargs)
        self.outs = list(tensors_in([result]))
        if not self.outs:
            return result
        written = known.written(args, kwargs) if known.writes else []
        if written and self._own.get(id(written[0]), ("",))[0].endswith(TRAINED):
            return result
        first = next(tensors_in(args), None)
        before = self.slot(first) if written and first is not None else None
        slots = self._slots_by_rule(rule, known, args, kwargs) if rule is not None else None
        if slots is None:
            parts = self._in_parts(func, known, args, kwargs)
            if parts is not None:
                return parts
            slots = self._opaque(known, args, kwargs)
        if before is not None and first is written[0]:
            self._over_its_input(slots[0], before)
        self._record(known, slots, first, written, args, kwargs)
        return result

    def _taken_apart(
        self, func: Any, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """What a call gives that torch composes of others."""
        first = len(self.steps)
        try:
            with self:
                return func.decompose(*args, **kwargs)
        except RuntimeError as error:
            if "device" not in str(error) or known.writes:
                raise
        # It wants its tensors in one place, a buffer with what the input became: all without data.
        self._forget(first)
        for tensor in tensors_in([*args, *kwargs.values()]):
            if not tensor.is_meta:
                self.slot(tensor)
                twin = self.twin(tensor)
                self._held[id(twin)] = replace(self._held[id(tensor)], tensor=twin)
        with self:
            return func.decompose(
                *self._meta(list(args)),
                **{name: self._meta(value) for name, value in kwargs.items()},
            )

    def _in_parts(
        self, func: Any, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """What a call gives that no rule fits, when done as torch composes it of others.

        None where torch does not, or where it does so in Python of others that are not known.
        """
        if known.writes or known.selects or known.asks:
            return None
        composite = is_composite(func)
        decomposed = func.decompose if composite else decomposition_table.get(func)
        if decomposed is None:
            return None
        outs, first = self.outs, len(self.steps)
        wanted = [self.type_of(tensor) for tensor in outs]
        try:
            with self:
                result = decomposed(*args, **kwargs)
        except Exception:  # what torch composes of others need not run without data
            result = NotImplemented
        self.outs = outs
        if (
            result is not NotImplemented
            and [self.type_of(tensor) for tensor in tensors_in([result])] == wanted
            and (composite or all(step.op.known for step in self.steps[first:]))
        ):
            return result
        self._forget(first)
        return None

    def _reshape(self, func: Any, view_of: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """``unsqueeze_``: the tensor is another view of its storage, in which nothing changes."""
        tensor, *rest = args
        with self:
            before = torch.ops.aten.alias(tensor)
            view = getattr(torch.ops.aten, view_of)(before, *rest, **kwargs)
        if not tensor.is_meta and id(tensor) not in self._made:
            return view  # the tensor was there before, and stays as it is
        func(*args, **kwargs)
        self._held[id(tensor)] = replace(self._held[id(view)], tensor=tensor)
        return tensor

    def _set(
        self, func: Any, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """``tensor.set_(source)``"""
        tensor, source = args
        self.slot(source)
        super().run(func, known, args, kwargs)
        self.replaced(tensor, source)
        return tensor

    def replaced(self, tensor: Tensor, source: Tensor) -> None:
        """``tensor.data = source``: what the tensor was before it is no more."""
        self.slot(source)
        self._held[id(tensor)] = replace(self._held[id(source)], tensor=tensor)

    def answer(self, known: Overloaded, tensors: Sequence[Tensor]) -> Any:
        """Inputs are taken to be usual ones, see :mod:`.usual`.

        Raises:
            TraceError: the question is another one.
        """
        if len(tensors) == 1 and tensors[0].numel() == 1:
            masks = [slot for name, slot in self.inputs if "mask" in name]
            found = usual(self.slot(tensors[0]), masks)
            if found is not None:
                self.assume(USUAL)
                if tensors[0].is_floating_point():
                    return float(found)
                return bool(found) if tensors[0].dtype == torch.bool else int(found)
        return super().answer(known, tensors)

    def count_true(self, mask: Tensor) -> int:
        """Of a mask that says which of several classes are chosen, each of them as often as the
        others: the experts that tokens are sent to."""
        return -(-mask.numel() // classes_of(self.slot(mask)))

    def _check_indices(self, tensor: Tensor) -> None:
        """Raises IntegersWanted where ``tensor`` is an input of floats, or a part of one."""
        if not tensor.is_floating_point():
            return
        slot = self.slot(tensor)
        while slot.step is not None and slot.step.inputs:
            slot = slot.step.inputs[0]
        for name, own in self.inputs:
            if own is slot:
                raise IntegersWanted(name)

    def _rule(self, func: Any) -> Rule | None:
        try:
            return self._rules[func]
        except KeyError:
            name = func._schema.name
            overload = f"{name}.{func._schema.overload_name}"
            found = RULES.get(overload) or RULES.get(name)
            if found is None and name.endswith("_") and not name.endswith("__"):
                # What writes over its first argument (add_) does what add does.
                own = name.removesuffix("_")
                found = RULES.get(f"{own}.{func._schema.overload_name}") or RULES.get(own)
            self._rules[func] = found
            return found

    def _record(
        self,
        known: Overloaded,
        slots: Sequence[Slot],
        first: Tensor | None,
        written: list[Tensor],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> None:
        """``slots`` are what the call gave, and wrote."""
        for tensor, slot in zip(self.outs, slots, strict=True):
            if any(tensor is target for target in written):
                self._write(tensor, slot)
            elif known.base.startswith("unsafe_"):
                # Parts of which torch takes it that what they are parts of is not read any more.
                self._held[id(tensor)] = Held(tensor, slot, Storage(slot))
            else:
                self._hold(tensor, slot, first)
        for target in written:
            if not any(target is tensor for tensor in self.outs):
                self._write(target, self._opaque_output(known, target, args, kwargs))

    @staticmethod
    def _over_its_input(slot: Slot, before: Slot) -> None:
        """``relu_``: the result is written where the input was."""
        step = slot.step
        if step is not None and step.inputs and step.inputs[0] is before and not step.op.view:
            step.inplace = slot.type == before.type

    def _slots_by_rule(
        self, rule: Rule, known: Overloaded | None, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Sequence[Slot] | None:
        """What the rule makes of the call; None, and no steps, where it does not fit."""
        before = len(self.steps)
        if known is not None and known.outs:  # whose results are the same, wherever they go
            kwargs = {name: value for name, value in kwargs.items() if name not in known.outs}
        try:
            slots = rule(self, *args, **kwargs)
        except (ArgumentError, ShapeError, TypeError):
            slots = None
        if slots is not None:
            types = [self.type_of(tensor) for tensor in self.outs]
            if len(slots) >= len(types) and all(
                slot.type == type_ for slot, type_ in zip(slots, types, strict=False)
            ):
                return slots[: len(types)]
        self._forget(before)
        return None

    def _forget(self, first: int) -> None:
        """The steps from ``first`` on were in vain, but for those that read a tensor anew."""
        kept: list[Step] = []
        gone: set[Step] = set()
        for step in self.steps[first:]:
            if step in self._reads and gone.isdisjoint(slot.step for slot in step.inputs):
                kept.append(step)
            else:
                gone.add(step)
        self.steps[first:] = kept

    def _opaque(self, known: Overloaded, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Slot]:
        inputs = [*tensors_in(args), *tensors_in(list(kwargs.values()))]
        if not inputs:
            return self.constants(self.outs)  # made of nothing
        types = [self.type_of(tensor) for tensor in self.outs]
        op = make(
            "opaque", name=known.name, types=tuple((type_.shape, type_.dtype) for type_ in types)
        )
        slots = list(self.add(op, inputs))
        self.steps[-1].source = users_place()
        return slots

    def _opaque_output(
        self, known: Overloaded, target: Tensor, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Slot:
        outs, self.outs = self.outs, [target]
        (slot,) = self._opaque(known, args, kwargs)
        self.outs = outs
        return slot

    # --- tensors and storages ------------------------------------------------------------------

    def _hold(self, tensor: Tensor, slot: Slot, first: Tensor | None) -> None:
        """``tensor`` is ``slot`` from now on."""
        held = self._held.get(id(first)) if first is not None else None
        if first is tensor and held is not None:
            held.slot = slot  # contiguous() of what is contiguous, dropout in evaluation
            return
        step = slot.step
        if (
            held is not None
            and step is not None
            and step.op.view
            and step.inputs
            and self._shares(tensor, held.tensor)
        ):
            # A view of several steps (matmul's operands) is read anew by the last of them alone
            # where those before it are views of the base as well.
            views = views_between(held.slot, slot)
            if views is not None:
                self._held[id(tensor)] = Held(
                    tensor, slot, held.storage, held.storage.version, (*held.views, *views)
                )
                return
        if held is not None and slot is held.slot and tensor.shape == held.tensor.shape:
            # The same tensor under another name: detach, alias.
            self._held[id(tensor)] = Held(
                tensor, slot, held.storage, held.version, held.views, held.parameter
            )
            return
        self._held[id(tensor)] = Held(tensor, slot, Storage(slot))

    def _shares(self, tensor: Tensor, other: Tensor) -> bool:
        """Whether they share storage; a tensor without data shares that of a real one's twin."""
        if tensor.is_meta and not other.is_meta:
            other = self.twin(other)
        return storage_of(tensor) == storage_of(other)

    def _write(self, target: Tensor, slot: Slot) -> None:
        """``target`` was written to: it is ``slot`` now, and so is its part of its storage."""
        held = self._held.get(id(target))
        if held is None:
            held = self._first_seen(target)
        storage = held.storage
        if held.views:
            part = part_of(held.views, storage.base.type.shape)
            op = make("assign") if part is None else make("assign", part=part)
            (base,) = self.add(op, [storage.base, slot], inplace=True)
            storage.base = base
        else:
            storage.base = slot
        storage.version += 1
        held.slot, held.version, held.parameter = slot, storage.version, None

    # --- calls of modules ----------------------------------------------------------------------

    def enter(self, module: nn.Module, args: Any) -> None:
        """A module is called."""
        self.failed = None
        self._calls[-1].children += 1
        path = self._paths.get(module)
        if path is None:
            path = self._calls[-1].path
        self._calls.append(Call(path, module, first=len(self.steps)))

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """The call of a module has ended; ``output`` is None where it failed."""
        call = self._calls[-1]
        if output is not None:
            self.failed = None
        elif self.failed is None:
            self.failed = call
        if call.module is module:
            rule = module_rule(module)
            if rule is not None:
                self._replace(call, rule, module, args, output)
            self._calls.pop()

    def _replace(self, call: Call, rule: Any, module: nn.Module, args: Any, output: Any) -> None:
        """One step in place of those that a module was taken apart into."""
        inputs = [tensor for tensor in tensors_in(args) if id(tensor) in self._held]
        self.outs = list(tensors_in([output]))
        for tensor in inputs:
            self.slot(tensor)
        steps = self.steps[call.first :]
        self._forget(call.first)
        slots = self._slots_by_rule(rule, None, (module, *inputs), {})
        if slots is None:
            self.steps[call.first :] = steps
            return
        gone = set(steps).difference(self.steps)
        for key, held in list(self._held.items()):
            if held.slot.step in gone or held.storage.base.step in gone:
                del self._held[key]
        for tensor, slot in zip(self.outs, slots, strict=True):
            self._held[id(tensor)] = Held(tensor, slot, Storage(slot))

    # --- the graph -----------------------------------------------------------------------------

    def take(self, name: str, tensor: Tensor) -> None:
        """``tensor`` is an input of the graph."""
        slot = Slot(self.type_of(tensor))
        self.inputs.append((name, slot))
        self._held[id(tensor)] = Held(tensor, slot, Storage(slot))

    def graph(self, name: str, outputs: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Graph:
        """The graph of what was recorded, with ``outputs`` by name.

        To the ``assumptions`` in ``metadata`` come those that were made on the way.
        """
        ends = {key: self.slot(tensor) for key, tensor in outputs.items()}
        steps = self._read_steps(ends.values())
        builder = GraphBuilder(name)
        for key, slot in self.inputs:
            slot.value = builder.input(key, slot.type)
        for step, node in zip(steps, named(steps), strict=True):
            values = builder.add(
                step.op,
                [_value(slot) for slot in step.inputs],
                node,
                share=step.share or None,
                source=step.source,
                inplace=step.inplace,
            )
            for slot, value in zip(step.outputs, values, strict=True):
                slot.value = value
        used = {parameter for step in steps for parameter in step.share.values()}
        unread = [
            parameter
            for name, tensor in self._own.values()
            if not name.endswith(TRAINED)
            and (parameter := self._stored(tensor)) is not None
            and parameter not in used
        ]
        about = dict(metadata)
        if assumed := [*about.pop("assumptions", ()), *self.assumptions()]:
            about["assumptions"] = assumed
        return builder.build(
            {key: _value(slot) for key, slot in ends.items()}, about, unread=tuple(unread)
        )

    def _read_steps(self, ends: Iterable[Slot]) -> list[Step]:
        """The steps, less tensors made of nothing that nobody reads: second results that are not
        asked for, memory that is filled later."""
        read = {slot for step in self.steps for slot in step.inputs}.union(ends)
        return [
            step
            for step in self.steps
            if step.inputs
            or step.op.kind not in ("constant", "weight")
            or not read.isdisjoint(step.outputs)
        ]


def _value(slot: Slot) -> Value:
    assert slot.value is not None
    return slot.value
