"""What executes a node, as text with gaps: read off the very calls that `to_torch` makes of it.

The calls of a node are run on torch.fx's proxies, which write down what is done to them; so the
source of an operator cannot differ from its execution.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from inspect import Parameter as Argument
from inspect import signature
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from archcost.ir import ArchcostError, Node
from archcost.targets import TargetError, torch_modules

COMPARISON, OR, XOR, AND, SUM, PRODUCT, SIGN, POWER, ATOM = range(9)
"""How tightly an expression holds together."""

INFIX: Final = {
    operator.eq: ("==", COMPARISON),
    operator.ne: ("!=", COMPARISON),
    operator.lt: ("<", COMPARISON),
    operator.le: ("<=", COMPARISON),
    operator.gt: (">", COMPARISON),
    operator.ge: (">=", COMPARISON),
    operator.or_: ("|", OR),
    operator.xor: ("^", XOR),
    operator.and_: ("&", AND),
    operator.add: ("+", SUM),
    operator.sub: ("-", SUM),
    operator.mul: ("*", PRODUCT),
    operator.truediv: ("/", PRODUCT),
    operator.floordiv: ("//", PRODUCT),
    operator.mod: ("%", PRODUCT),
    operator.matmul: ("@", PRODUCT),
    operator.pow: ("**", POWER),
}
PREFIX: Final = {operator.neg: "-", operator.pos: "+", operator.invert: "~"}

REQUIRED: Final = Argument.empty
"""The default of an argument that has none."""


class Operand(NamedTuple):
    """A gap for the input ``at``, in brackets if it holds together less than ``tight``."""

    at: int
    tight: int


class Gap(NamedTuple):
    """A gap for the constant ``at``."""

    at: int
    tight: int


class Attribute(NamedTuple):
    """The gap for the module's name."""


Piece = str | Operand | Gap | Attribute


@dataclass(frozen=True)
class Value:
    """An argument of a constructor: what it is called, its default there and what it is here."""

    name: str
    default: Any
    value: Any


@dataclass
class Construction:
    """``callee(values)``: how a module is made. ``items``: the modules of an nn.Sequential."""

    callee: Any
    values: list[Value] = field(default_factory=list)
    items: list[tuple[str, Construction]] = field(default_factory=list)
    suffix: str = ""

    def walk(self) -> Iterator[Construction]:
        """It and the constructions within it."""
        yield self
        for _, item in self.items:
            yield from item.walk()

    def key(self, name: Callable[[Any], object]) -> tuple[Any, ...]:
        """What it has in common with others that differ in values alone."""
        return (
            name(self.callee),
            tuple(value.name for value in self.values),
            tuple(item.key(name) for _, item in self.items),
            self.suffix,
        )


@dataclass
class Primitive:
    """An expression: ``pieces`` with gaps for ``inputs`` and ``constants``, giving ``results``.

    An input is a number from 0 on for one of the node's, ~n for what the n-th primitive gives.
    """

    pieces: tuple[Piece, ...]
    tight: int
    inputs: list[tuple[int, int]]
    constants: list[Any]
    results: int
    module: nn.Module | None = None
    part: bool = False
    """Whether it only takes something out of what another gave."""


class NotExpressibleError(ArchcostError, ValueError):
    """A call that cannot be written down."""


# --- names of torch's functions ------------------------------------------------------------------


@cache
def _names() -> dict[int, str]:
    """What torch's functions are called in source, by their identity."""
    found: dict[int, str] = {}
    for prefix, home in (
        ("F", F),
        ("torch", torch),
        ("torch.special", torch.special),
        ("torch.linalg", torch.linalg),
    ):
        for name in dir(home):
            thing = getattr(home, name, None)
            if callable(thing) and not name.startswith("_"):
                found.setdefault(id(thing), f"{prefix}.{name}")
    for name in dir(torch):  # rather torch.relu than F.relu's alias, rather F.pad than none
        thing = getattr(torch, name, None)
        if callable(thing) and not name.startswith("_"):
            found[id(thing)] = f"torch.{name}"
    return found


@cache
def _defaults(function: Any) -> dict[str, Any]:
    """The defaults of its arguments, as far as Python knows them."""
    try:
        arguments = signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {argument.name: argument.default for argument in arguments}


POSITIONAL: Final = {
    "F.pad": ("pad",),
    "torch.squeeze": ("dim",),
    "torch.unsqueeze": ("dim",),
}
"""Arguments that people do not name."""
METHODS: Final = frozenset(
    f"torch.{name}"
    for name in (
        *("squeeze", "unsqueeze", "clone", "clamp", "roll", "flip", "tril", "triu", "diagonal"),
        *("repeat_interleave", "sum", "mean", "amax", "amin", "cumsum", "argmax", "argmin"),
    )
)
"""Functions that people call as methods."""
DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "F.scaled_dot_product_attention": {"is_causal": False, "scale": None, "enable_gqa": False},
}
"""Of functions whose defaults Python does not know."""
TRAILING: Final[dict[str, Any]] = {
    "F.scaled_dot_product_attention": None,
    **{f"torch.{name}": False for name in ("sum", "mean", "amax", "amin", "argmax", "argmin")},
}
"""What may be left out at the end of arguments without names."""


# --- from calls to primitives --------------------------------------------------------------------


class Written(NamedTuple):
    """The expressions of a node, and which of them gives each of its outputs (~n: the n-th)."""

    primitives: list[Primitive]
    outputs: list[tuple[int, int]]


def primitives(node: Node, calls: Sequence[Callable[..., Any]]) -> Written:
    """``calls``, which execute ``node``, as expressions in their order.

    Raises:
        TargetError: a call does what cannot be written as an expression of its inputs.
    """
    try:
        graph = _recorded(calls, len(node.inputs), len(node.outputs))
        writer = _Writer(graph, calls)
    except (NotExpressibleError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise TargetError(
            node, f"what executes {node.op.kind} cannot be written as source: {error}"
        ) from None
    return Written(writer.primitives, writer.outputs)


def _recorded(calls: Sequence[Callable[..., Any]], inputs: int, outputs: int) -> fx.Graph:
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    current: tuple[Any, ...] = tuple(
        fx.Proxy(graph.placeholder(f"x{at}"), tracer) for at in range(inputs)
    )
    for at, call in enumerate(calls):
        if isinstance(call, nn.Module) or as_module(call) is not None:
            given = _unwrapped(current)
            result: Any = fx.Proxy(graph.call_module(f"call{at}", given), tracer)
            if isinstance(call, nn.LSTM):
                result = result[0], (result[1][0], result[1][1])
            elif (count := results(call, outputs)) != 1:
                result = tuple(result[place] for place in range(count))
        elif not current and isinstance(call, partial):  # torch would run it at once
            made = graph.call_function(call.func, call.args, dict(call.keywords))
            result = fx.Proxy(made, tracer)
        else:
            result = call(*current)
        current = result if isinstance(result, tuple) else (result,)
        if len(calls) - 1 == at and outputs != len(current):
            current = tuple(current[0][place] for place in range(outputs))
    graph.output(_unwrapped(current))
    return graph


def as_module(call: Callable[..., Any]) -> nn.Module | None:
    """The module that does the same as the function ``call``, where people write one between
    modules: a flattening, a padding."""
    if not isinstance(call, partial) or call.args:
        return None
    if call.func is torch.flatten and call.keywords == {"start_dim": 1}:
        return nn.Flatten()
    if call.func is F.pad and "mode" not in call.keywords:
        pad, value = tuple(call.keywords["pad"]), call.keywords.get("value")
        rank = len(pad) // 2
        if rank in (1, 2, 3):
            name = f"ConstantPad{rank}d" if value else f"ZeroPad{rank}d"
            made: nn.Module = getattr(nn, name)(pad, *((value,) if value else ()))
            return made
    return None


def results(module: Any, outputs: int) -> int:
    """How many tensors ``module`` gives in a node that has so many outputs."""
    return 2 if getattr(module, "return_indices", False) else outputs


def _unwrapped(value: Any) -> Any:
    """``value`` with nodes for proxies."""
    if isinstance(value, tuple):
        return tuple(_unwrapped(part) for part in value)
    if isinstance(value, fx.Proxy):
        return value.node
    if isinstance(value, Tensor):
        raise NotExpressibleError("it makes a tensor from nothing")
    return value


class _Writer:
    """Turns a recorded graph into primitives: what is used once becomes part of what uses it."""

    def __init__(self, graph: fx.Graph, calls: Sequence[Callable[..., Any]]) -> None:
        self.primitives: list[Primitive] = []
        self.places: dict[fx.Node, tuple[int, int]] = {}
        *_, end = graph.nodes
        wanted: Any = end.args[0]
        tuples = self._tuples(graph, wanted)
        for at, node in enumerate(n for n in graph.nodes if n.op == "placeholder"):
            self.places[node] = (at, 0)
        for node in graph.nodes:
            if node.op in ("placeholder", "output") or node in self.places:
                continue
            if self._vanishes(node, wanted, tuples):
                continue
            module = None
            if node.op == "call_module":
                call = calls[int(str(node.target).removeprefix("call"))]
                module = call if isinstance(call, nn.Module) else as_module(call)
            self._add(node, module, tuples.get(node, 1))
        self.outputs = [self.places[node] for node in wanted]

    @staticmethod
    def _tuples(graph: fx.Graph, wanted: Sequence[fx.Node]) -> dict[fx.Node, int]:
        """Nodes of which all users take one element by its number: how many there are."""
        found = {}
        for node in graph.nodes:
            if node.op not in ("call_module", "call_method", "call_function") or node in wanted:
                continue
            users = list(node.users)
            if node.target in (getattr, operator.getitem) or not users:
                continue
            takes = all(
                user.target is operator.getitem
                and user.args[0] is node
                and isinstance(user.args[1], int)
                for user in users
            )
            if takes and (node.op == "call_module" or len(users) > 1):
                found[node] = 1 + max(user.args[1] for user in users)
        return found

    def _vanishes(
        self, node: fx.Node, wanted: Sequence[fx.Node], tuples: Mapping[fx.Node, int]
    ) -> bool:
        if node in wanted or node in tuples or node.op == "call_module":
            return False
        name = str(node.target)
        if node.op == "call_method" and name.endswith("_") and not name.endswith("__"):
            return False  # writes over a tensor
        # What nobody uses is left out; what is used once is part of what uses it.
        return sum(_uses(user, node) for user in node.users) <= 1

    def _add(self, node: fx.Node, module: nn.Module | None, count: int) -> None:
        primitive = Primitive((), ATOM, [], [], count, module)
        pieces, primitive.tight = self._expression(node, primitive)
        primitive.pieces = _joined(pieces)
        primitive.part = (
            node.target is operator.getitem
            and isinstance(node.args[1], int)
            and node.args[0] in self.places
        )
        at = len(self.primitives)
        self.primitives.append(primitive)
        self.places[node] = (~at, 0)
        if count > 1:
            self.places.update({user: (~at, user.args[1]) for user in node.users})  # type: ignore[misc]

    # Pieces of an expression, and how tightly it holds together.
    def _expression(self, node: fx.Node, to: Primitive) -> tuple[list[Piece], int]:
        target: Any = node.target
        args: tuple[Any, ...] = node.args
        if node.op == "call_module":
            if isinstance(to.module, torch_modules.Weight):
                return ["self.", Attribute()], ATOM
            inner = self._listed(args, to)
            return ["self.", Attribute(), "(", *inner, ")"], ATOM
        if node.op == "call_method":
            holder = self._value(args[0], to, ATOM)
            rest = args[1:]
            if target == "permute" and len(rest) == 1 and isinstance(rest[0], tuple):
                (rest,) = rest
            inner = self._listed(rest, to, node.kwargs)
            return [*holder, f".{target}(", *inner, ")"], ATOM
        if target is getattr:
            return [*self._value(args[0], to, ATOM), f".{args[1]}"], ATOM
        if target is operator.getitem:
            return [*self._value(args[0], to, ATOM), "[", *self._index(args[1], to), "]"], ATOM
        if target in INFIX:
            sign, tight = INFIX[target]
            left, right = (tight + 1, tight) if sign == "**" else (tight, tight + 1)
            if tight == COMPARISON:
                left = right
            first = self._value(args[0], to, left)
            return [*first, f" {sign} ", *self._value(args[1], to, right)], tight
        if target in PREFIX:
            return [PREFIX[target], *self._value(args[0], to, SIGN)], SIGN
        name = _names().get(id(target))
        if isinstance(target, torch._ops.OpOverloadPacket):
            name = f"torch.ops.{target}"
        if name is None:
            raise NotExpressibleError(f"{getattr(target, '__name__', target)} has no public name")
        defaults = DEFAULTS.get(name) or _defaults(target)
        kwargs: dict[str, Any] = {
            key: value
            for key, value in node.kwargs.items()
            if isinstance(value, fx.Node) or value != defaults.get(key, REQUIRED)
        }
        while not kwargs and args and args[-1] == TRAILING.get(name, REQUIRED):
            args = args[:-1]
        args += tuple(kwargs.pop(key) for key in POSITIONAL.get(name, ()) if key in kwargs)
        if name == "torch.select" and 0 <= kwargs["dim"] < 4:
            index = (*[slice(None)] * kwargs["dim"], kwargs["index"])
            return [*self._value(args[0], to, ATOM), "[", *self._index(index, to), "]"], ATOM
        if name in METHODS:
            inner = self._listed(args[1:], to, kwargs)
            method = name.removeprefix("torch")
            return [*self._value(args[0], to, ATOM), f"{method}(", *inner, ")"], ATOM
        return [f"{name}(", *self._listed(args, to, kwargs), ")"], ATOM

    def _listed(
        self, args: Sequence[Any], to: Primitive, kwargs: Mapping[str, Any] | None = None
    ) -> list[Piece]:
        parts = [self._value(arg, to, COMPARISON) for arg in args]
        for name, value in (kwargs or {}).items():
            parts.append([f"{name}=", *self._value(value, to, COMPARISON)])
        return _separated(parts)

    def _index(self, index: Any, to: Primitive) -> list[Piece]:
        if isinstance(index, tuple) and index and (len(index) > 1 or index[0] is not Ellipsis):
            return _separated([self._index(part, to) for part in index])
        if isinstance(index, slice):
            start, stop, step = (
                [] if part is None else self._value(part, to, COMPARISON)
                for part in (index.start or None, index.stop, index.step)
            )
            return [*start, ":", *stop, *([":", *step] if step else [])]
        if index is Ellipsis:
            return ["..."]
        return self._value(index, to, COMPARISON)

    def _value(self, value: Any, to: Primitive, tight: int) -> list[Piece]:
        if isinstance(value, fx.Node):
            if value in self.places:
                to.inputs.append(self.places[value])
                return [Operand(len(to.inputs) - 1, tight)]
            pieces, own = self._expression(value, to)
            return pieces if own >= tight else ["(", *pieces, ")"]
        if isinstance(value, list | tuple) and _holds_nodes(value):
            inner = _separated([self._value(part, to, COMPARISON) for part in value])
            opening, closing = "[]" if isinstance(value, list) else "()"
            return [opening, *inner, *("," if len(value) == 1 and closing == ")" else ""), closing]
        to.constants.append(constant(value))
        return [Gap(len(to.constants) - 1, tight)]


def _uses(user: fx.Node, node: fx.Node) -> int:
    count = 0

    def see(found: fx.Node) -> fx.Node:
        nonlocal count
        count += found is node
        return found

    fx.map_arg((user.args, user.kwargs), see)
    return count


def _holds_nodes(value: Sequence[Any]) -> bool:
    return any(
        isinstance(part, fx.Node) or (isinstance(part, list | tuple) and _holds_nodes(part))
        for part in value
    )


def _separated(parts: Sequence[Sequence[Piece]]) -> list[Piece]:
    result: list[Piece] = []
    for at, part in enumerate(parts):
        result += [", ", *part] if at else part
    return result


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbouring strings as one."""
    result: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and result and isinstance(result[-1], str):
            result[-1] += piece
        else:
            result.append(piece)
    return tuple(result)


LITERALS: Final = (bool, int, float, str, torch.dtype, torch.memory_format)


def constant(value: Any) -> Any:
    """``value`` as something that can be compared and written."""
    if isinstance(value, list | tuple):
        return tuple(constant(part) for part in value)
    if value is None or isinstance(value, LITERALS):
        return value
    raise NotExpressibleError(f"a {type(value).__name__} has no literal")
