"""Bodies that are alike as classes, and what differs between them as arguments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from archcost.targets.torch_code import names
from archcost.targets.torch_code.structure import Body, Ref, Step
from archcost.targets.torch_code.templates import (
    ATOM,
    PRODUCT,
    REQUIRED,
    SUM,
    Construction,
    Value,
)

CHANNELS: Final = frozenset(
    {
        *("in_channels", "out_channels", "channels", "num_features", "in_features"),
        *("out_features", "features", "out", "num_channels", "num_parameters"),
        *("normalized_shape", "embedding_dim", "input_size", "hidden_size"),
    }
)
"""Arguments that are numbers of channels: an equal number is the same one."""
MADE: Final = frozenset({"out_channels", "out_features", "out", "embedding_dim", "hidden_size"})
"""Those that a module decides."""


FEW: Final = 4
MANY: Final = 6
"""Numbers of arguments: what a row of blocks may have as a class, beyond which uses of a few sorts
are rather classes of their own."""
SORTS: Final = 3
"""How many sorts that may be."""
ROUNDS: Final = 64
"""How many pairs of kinds become one at most."""
ABSENT: Final = object()
"""The value of an argument of what a use leaves out."""


class Symbol(NamedTuple):
    """An expression of a class's arguments."""

    text: str
    tight: int = ATOM


@dataclass
class Argument:
    """An argument of a class's constructor: ``values`` in each of its uses."""

    name: str
    kind: str
    default: Any
    values: list[Any]


@dataclass(eq=False)
class Class:
    """A class of the source. ``bodies`` are its uses, ``body`` is what it does."""

    bodies: list[Body]
    name: str = ""
    arguments: list[Argument] = field(default_factory=list)
    stored: list[tuple[str, Symbol]] = field(default_factory=list)
    """Attributes that its forward pass needs, and what they are."""
    accessors: list[str] = field(default_factory=list)
    """How the module of each step is reached, once its source is written."""

    def __post_init__(self) -> None:
        self.uses = {id(body): at for at, body in enumerate(self.bodies)}

        # One that leaves nothing out, where there is one.
        self.body = max(self.bodies, key=lambda body: sum(not s.absent for s in body.steps))


@dataclass(frozen=True)
class Shared:
    """In place of a constructor: the module of that number, which exists already."""

    number: int


def classes_of(root: Body) -> list[Class]:
    """The classes that ``root`` needs, each behind those that it needs itself; ``root``'s last.

    Afterwards every step that is a scope has a ``module``, which makes it.
    """
    kinds = _Kinds(root)
    for _ in range(ROUNDS):
        if not kinds.unify():
            break
        kinds = _Kinds(root)
    classes: list[Class] = []
    homes: dict[int, Class] = {}
    for kind in kinds.in_order():
        bodies = kinds.bodies[kind]
        for body in bodies:
            _construct(body, homes)
        if kinds.inline(kind):
            continue
        groups = _groups(bodies)
        scopes = any(step.body is not None for step in bodies[0].steps)
        if bodies[0].chain and scopes and len(groups) > FEW and not bodies[0].owned:
            continue  # rather an nn.Sequential at each place
        for some in _divided(bodies, groups):
            cls = Class(some)
            _parametrise(cls)
            classes.append(cls)
            homes.update({id(body): cls for body in some})
    return classes


def _divided(bodies: list[Body], groups: Sequence[_Group]) -> list[list[Body]]:
    """``bodies``, or those that are the same where they would take many arguments to tell a few
    apart."""
    if len(groups) <= MANY or any(step.optional for step in bodies[0].steps):
        return [bodies]
    rows: dict[tuple[Any, ...], list[Body]] = {}
    for at, body in enumerate(bodies):
        row = tuple((type(group.values[at]), group.values[at]) for group in groups)
        rows.setdefault(row, []).append(body)
    return list(rows.values()) if len(rows) <= SORTS and 2 * len(rows) < len(bodies) else [bodies]


# --- which bodies are alike ----------------------------------------------------------------------


class _Kinds:
    """Numbers for what bodies do, whatever the values in it."""

    def __init__(self, root: Body) -> None:
        self.keys: dict[Any, int] = {}
        self.of: dict[int, int] = {}
        self.bodies: dict[int, list[Body]] = {}
        self.sites: dict[int, set[tuple[int, int]]] = {}
        self._number(root)

    def _number(self, body: Body) -> int:
        if id(body) in self.of:
            return self.of[id(body)]
        inner = [None if step.body is None else self._number(step.body) for step in body.steps]
        kind = self.keys.setdefault(self._key(body), len(self.keys))
        self.of[id(body)] = kind
        self.bodies.setdefault(kind, []).append(body)
        for at, child in enumerate(inner):
            if child is not None:
                self.sites.setdefault(child, set()).add((kind, at))
        return kind

    def _key(self, body: Body, without: int | None = None) -> Any:
        """What is common to all bodies of a kind: of ``body`` as it would be without a step."""
        locals_ = {number: at for at, number in enumerate((*body.received, *body.owned))}

        def placed(ref: Ref) -> Ref:
            if without is None or ref[0] < without:
                return ref
            return placed(body.steps[without].inputs[0]) if ref[0] == without else (ref[0] - 1, 0)

        def key(step: Step) -> tuple[Any, ...]:
            return (
                step.pieces,
                tuple(placed(ref) for ref in step.inputs),
                step.results,
                None if step.body is None else self.of[id(step.body)],
                None if step.module is None else step.module.key(_callee),
                None if step.shared is None else locals_[step.shared],
                () if step.body is None else tuple(locals_[n] for n in step.body.received),
            )

        steps = tuple(key(step) for at, step in enumerate(body.steps) if at != without)
        owned = tuple(made.key(_callee) for made in body.owned.values())
        outputs = tuple(placed(ref) for ref in body.outputs)
        return (len(body.inputs), steps, outputs, len(body.received), owned)

    def in_order(self) -> list[int]:
        """The kinds, each behind those of the scopes in it."""
        depths: dict[int, int] = {}

        def depth(body: Body) -> int:
            kind = self.of[id(body)]
            if kind not in depths:
                inner = [depth(step.body) for step in body.steps if step.body is not None]
                depths[kind] = 1 + max(inner, default=0)
            return depths[kind]

        for bodies in self.bodies.values():
            depth(bodies[0])
        return sorted(self.bodies, key=lambda kind: depths[kind])

    def inline(self, kind: int) -> bool:
        """Whether it is an nn.Sequential where it is used, rather than a class."""
        body = self.bodies[kind][0]
        if kind not in self.sites or not body.chain or body.owned:
            return False
        inner = [self.bodies[self.of[id(s.body)]][0] for s in body.steps if s.body is not None]
        return len(self.sites[kind]) == 1 or not all(child.chain for child in inner)

    def unify(self) -> bool:
        """Make one kind of two of which one has a step more, a module that the other goes without;
        whether there were such."""
        for kind, (body, *_) in list(self.bodies.items()):
            if body.chain or body.owned or body.received or kind not in self.sites:
                continue
            for at, step in enumerate(body.steps):
                optional = step.plain and step.shared is None and not step.absent
                less = self.keys.get(self._key(body, at)) if optional else None
                if less is None or less == kind or not self._akin(kind, less):
                    continue
                if not set(_within(step)).isdisjoint(map(id, self.bodies[less])):
                    continue  # which would then be within itself
                for other in self.bodies[less]:
                    _insert(other, at, body)
                for other in self.bodies[kind]:
                    other.steps[at].optional = True
                return True
        return False

    def _akin(self, one: int, two: int) -> bool:
        """Whether their scopes are named alike."""
        names_ = [{stem(body.name) for body in self.bodies[kind]} for kind in (one, two)]
        return bool(names_[0] & names_[1])


def _within(step: Step) -> Iterator[int]:
    """The identities of the bodies in it."""
    if step.body is not None:
        yield id(step.body)
        for inner in step.body.steps:
            yield from _within(inner)


def stem(name: str) -> str:
    """``name`` without numbers and letters at its end; a ``3x3`` stays."""
    words = names.ascii_words(name)
    while not re.search(r"\dx\d+$", words):
        shorter = re.sub(r"(_?[0-9]+[a-z]?|_[a-z])$", "", words)
        if shorter == words or not shorter:
            break
        words = shorter
    return words


def _insert(body: Body, at: int, like: Body) -> None:
    """Put the step that ``like`` has at ``at`` into ``body``, where it does nothing."""
    body.steps.insert(at, replace(like.steps[at], absent=True, optional=True))
    for step, other in zip(body.steps, like.steps, strict=True):
        step.inputs = other.inputs
    body.outputs = list(like.outputs)


def _callee(callee: Any) -> object:
    return callee if isinstance(callee, Shared | str) else callee.__name__


def _construct(body: Body, homes: Mapping[int, Class]) -> None:
    """Give the scopes among ``body``'s steps what makes them."""
    for step in body.steps:
        if step.body is not None:
            step.module = _scope(step.body, homes.get(id(step.body)))
        if step.absent and step.module is not None:
            step.module = _blank(step.module)


def _scope(body: Body, cls: Class | None) -> Construction:
    if cls is None:
        return Construction("nn.Sequential", items=[(s.name, made_by(s)) for s in body.steps])
    use = cls.uses[id(body)]
    values = [Value(a.name, a.default, a.values[use]) for a in cls.arguments]
    given = [Construction(Shared(number)) for number in body.received]
    return Construction(cls, values, [("", shared) for shared in given])


def made_by(step: Step) -> Construction:
    """What makes its module, or says which it is."""
    if step.shared is not None:
        return Construction(Shared(step.shared))
    assert step.module is not None
    return step.module


def _blank(made: Construction) -> Construction:
    return Construction(
        made.callee,
        [Value(value.name, value.default, ABSENT) for value in made.values],
        [(name, _blank(item)) for name, item in made.items],
        made.suffix,
    )


# --- what differs between them -------------------------------------------------------------------


class Slot(NamedTuple):
    """A place in a body for a value: ``holder[at]``, of ``step``."""

    holder: list[Any]
    at: int
    name: str
    default: Any
    step: Step | None
    unit: str = ""
    """The module that it is an argument of; empty for a number in the forward pass."""
    opens: bool = False
    """Whether the module takes the channels that the step is given,"""
    closes: bool = False
    """and gives those that the step gives."""

    @property
    def inner(self) -> bool:
        """Whether it is an argument of a module, not a number in the forward pass."""
        return bool(self.unit)

    @property
    def value(self) -> Any:
        found = self.holder[self.at]
        return found.value if isinstance(found, Value) else found

    def put(self, symbol: Any) -> None:
        found = self.holder[self.at]
        self.holder[self.at] = (
            Value(found.name, found.default, symbol) if isinstance(found, Value) else symbol
        )


def _slots(body: Body) -> Iterator[Slot]:
    for step in body.steps:
        for at in range(len(step.constants)):
            yield Slot(step.constants, at, step.name, REQUIRED, step)
        if step.module is not None and step.shared is None:
            yield from _made_with(step.module, step, step.name, True, True)
    for made in body.owned.values():
        yield from _made_with(made, None, "shared", False, False)


def _made_with(
    made: Construction, step: Step | None, unit: str, opens: bool, closes: bool
) -> Iterator[Slot]:
    for at, value in enumerate(made.values):
        yield Slot(made.values, at, value.name, value.default, step, unit, opens, closes)
    makers = [at for at, (_, item) in enumerate(made.items) if _makes(item)]
    for at, (name, item) in enumerate(made.items):
        first = opens and (not makers or at <= makers[0])
        last = closes and (not makers or at >= makers[-1])
        inner = unit if last else f"{unit}_{name}"
        yield from _made_with(item, step, inner, first, last)


def _decides(name: str) -> bool:
    """Whether an argument of that name is a number of channels that a module makes."""
    own = name.endswith("_channels") and not name.startswith("in_")
    return name in MADE or own or name == "width"


def _makes(made: Construction) -> bool:
    """Whether a module, or one in it, decides how many channels there are."""
    return any(_decides(value.name) for part in made.walk() for value in part.values)


def _kind(slot: Slot) -> str:
    """Slots of one kind with equal values are one argument."""
    if not slot.inner:
        return f"forward {slot.name}"
    made = slot.holder[slot.at]
    name: str = made.name
    return "channels" if name in CHANNELS or name.endswith("channels") else name


@dataclass
class _Group:
    """Slots that always have the same value: in each use, ABSENT where it does not matter."""

    kind: str
    values: list[Any]
    slots: list[Slot]

    def takes(self, kind: str, values: Sequence[Any]) -> bool:
        """Whether a slot of such ``values`` belongs to it."""
        return kind == self.kind and all(
            one is ABSENT or two is ABSENT or _same(one, two)
            for one, two in zip(self.values, values, strict=True)
        )

    def add(self, slot: Slot, values: Sequence[Any]) -> None:
        """Take ``slot`` in."""
        self.slots.append(slot)
        self.values = [
            two if one is ABSENT else one for one, two in zip(self.values, values, strict=True)
        ]


def _groups(bodies: Sequence[Body], mine: int = 0) -> list[_Group]:
    """What differs between ``bodies``, with the slots of the ``mine``-th of them."""
    groups: list[_Group] = []
    for column in zip(*(_slots(body) for body in bodies), strict=True):
        values = [slot.value for slot in column]
        present = [value for value in values if value is not ABSENT]
        slot, kind = column[mine], _kind(column[mine])
        if all(_same(value, present[0]) for value in present):
            continue
        group = next((group for group in groups if group.takes(kind, values)), None)
        if group is None and slot.name == "groups":  # a depthwise convolution
            group = next((group for group in groups if group.takes("channels", values)), None)
        if group is None:
            groups.append(_Group(kind, values, [slot]))
        else:
            group.add(slot, values)
    return groups


def _parametrise(cls: Class) -> None:
    """Find the arguments of ``cls`` and put them in its body's place of values."""
    groups = _groups(cls.bodies, cls.bodies.index(cls.body))
    for column in zip(*(_slots(body) for body in (cls.body, *cls.bodies)), strict=True):
        if column[0].value is ABSENT:  # where all others have the same
            present = (slot.value for slot in column if slot.value is not ABSENT)
            column[0].put(next(present))
    kinds = Counter(group.kind for group in groups)
    for group in groups:
        _argument(cls, group, kinds[group.kind] == 1)
    for at, step in enumerate(cls.body.steps):
        step.optional = any(body.steps[at].absent for body in cls.bodies)
        if step.optional:
            step.flag = names.free(step.name, _taken(cls))
            used = [not body.steps[at].absent for body in cls.bodies]
            cls.arguments.append(Argument(step.flag, "flag", False, used))
    cls.arguments.sort(key=lambda argument: argument.default is not REQUIRED)


def _argument(cls: Class, group: _Group, only: bool) -> None:
    """Put an argument of ``cls``, or an expression of those it has, in the slots of ``group``,
    which may be the only one of its kind."""
    slots = group.slots
    symbol = _derived(cls.arguments, group)
    if symbol is None:
        name = names.free(_name(cls.body, group, only), _taken(cls))
        default = slots[0].default if all(slot.inner for slot in slots) else REQUIRED
        if default is None or default not in group.values or group.kind == "channels":
            default = REQUIRED
        if ABSENT in group.values and default is REQUIRED:
            default = next(value for value in group.values if value is not ABSENT)
        values = [default if value is ABSENT else value for value in group.values]
        cls.arguments.append(Argument(name, group.kind, default, values))
        symbol = Symbol(name)
    for slot in slots:
        if slot.inner:
            slot.put(symbol)
        else:
            stored = next((name for name, its in cls.stored if its == symbol), None)
            if stored is None:
                taken = {name for name, _ in cls.stored} | {step.name for step in cls.body.steps}
                stored = names.free(symbol.text if symbol.tight == ATOM else slot.name, taken)
                cls.stored.append((stored, symbol))
            slot.put(Symbol(f"self.{stored}"))


def _sizes(group: _Group) -> bool:
    return all(isinstance(value, tuple) for value in group.values)


def _same(one: Any, two: Any) -> bool:
    """So that True is not 1 nor 1.0."""
    return type(one) is type(two) and bool(one == two)


def _taken(cls: Class) -> set[str]:
    return {argument.name for argument in cls.arguments}


def _derived(known: Sequence[Argument], group: _Group) -> Symbol | None:
    """The values of ``group`` as a simple expression of arguments that there are."""
    values = group.values
    if not _ints(values):
        return None
    if group.kind == "padding":
        kernels = [a for a in known if a.kind == "kernel_size" and _ints(a.values)]
        return next(
            (Symbol(f"{a.name} // 2", PRODUCT) for a in kernels if _fits(values, _halved, a)), None
        )
    if group.kind != "channels":
        return None
    others = [a for a in known if a.kind == "channels" and _ints(a.values)]
    for other in others:
        first, whole = _first(values, other.values)
        if len(set(other.values)) > 1 and first > whole and first % whole == 0:
            ratio = first // whole
            if _fits(values, lambda u, ratio=ratio: u * ratio, other):
                return Symbol(f"{ratio} * {other.name}", PRODUCT)
        if len(set(other.values)) > 1 and whole > first and whole % first == 0:
            ratio = whole // first
            if _fits(values, lambda u, ratio=ratio: u / ratio, other):
                return Symbol(f"{other.name} // {ratio}", PRODUCT)
    if len({value for value in values if value is not ABSENT}) < 3:
        return None  # any two numbers are so far from any others
    for other in others:
        first, whole = _first(values, other.values)
        added = first - whole
        if added > 0 and _fits(values, lambda u, added=added: u + added, other):
            return Symbol(f"{other.name} + {added}", SUM)
    for at, one in enumerate(others):
        for two in others[at + 1 :]:
            if _fits(values, lambda u, v: u + v, one, two):
                return Symbol(f"{one.name} + {two.name}", SUM)
    return None


def _halved(kernel: int) -> int:
    return kernel // 2


def _first(values: Sequence[Any], others: Sequence[Any]) -> tuple[int, int]:
    """The first value that matters, and the other's there."""
    return next((v, u) for v, u in zip(values, others, strict=True) if v is not ABSENT)


def _fits(values: Sequence[Any], rule: Callable[..., float], *others: Argument) -> bool:
    rows = zip(*(other.values for other in others), strict=True)
    return all(v is ABSENT or rule(*row) == v for v, row in zip(values, rows, strict=True))


def _ints(values: Sequence[Any]) -> bool:
    return all(type(value) is int or value is ABSENT for value in values)


def _name(body: Body, group: _Group, only: bool) -> str:
    """What the argument is called that goes into the slots of ``group``."""
    slots, first = group.slots, group.slots[0]
    if not first.inner:
        return f"{first.name}_size" if _sizes(group) else f"{first.name}_value"
    if group.kind != "channels":
        return first.name if only else f"{first.unit}_{first.name}"
    makers = [slot for slot in slots if _decides(slot.name)]
    given = _given(body)
    if any(s.opens and s.step in given and not _decides(s.name) for s in slots):
        return "channels" if makers else "in_channels"
    if not makers:
        return first.name if only else f"{first.unit}_{first.name}"
    giving = _giving(body)
    if any(s.closes and s.step in giving and s.name in MADE for s in makers):
        return "out_channels"
    units = dict.fromkeys(slot.unit for slot in makers)
    if len(units) > 1:
        return "width"
    return f"{makers[0].unit}_{makers[0].name if makers[0].name not in MADE else 'channels'}"


def _given(body: Body) -> list[Step]:
    """The steps that read the channels that ``body`` is given."""
    known: set[Ref] = {(~0, 0)}
    result = []
    for at, step in enumerate(body.steps):
        if step.inputs and known.issuperset(step.inputs):
            result.append(step)
            if step.module is None or not _makes(step.module):
                known.add((at, 0))
    return result


def _giving(body: Body) -> list[Step]:
    """The steps that make the channels that ``body`` gives, if it does not put some together."""
    reached = {ref[0] for ref in body.outputs[:1]}
    result = []
    for at in range(len(body.steps) - 1, -1, -1):
        step = body.steps[at]
        if at not in reached:
            continue
        if step.module is not None and _makes(step.module):
            result.append(step)
        elif any(isinstance(piece, str) and "torch.cat(" in piece for piece in step.pieces):
            return []
        else:
            reached |= {ref[0] for ref in step.inputs}
    return result


def count_classes(network: Class, count: int) -> None:
    """Make ``count``, of which there is one output each, an argument of ``network``."""
    heads = [slot for slot in _slots(network.body) if _decides(slot.name) and slot.closes]
    giving = _giving(network.body)
    ends = [slot for slot in heads if slot.step in giving]
    if not ends or any(slot.value != count for slot in ends):
        return
    if len([slot for slot in heads if slot.value == count]) != len(ends):
        return
    network.arguments.append(Argument("classes", "channels", count, [count]))
    for slot in ends:
        slot.put(Symbol("classes"))
