"""What a spec says, parsed and checked but not yet expanded for any parameters.

The items mirror the spec language one to one (``docs/spec-language.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Final

from archcost.ir import ArgumentError, Op
from archcost.spec.errors import Mark, SpecError, shown
from archcost.spec.expression import Environment, Expression, ExpressionError, bounded, spelled

MAX_KEPT: Final = 4096
MAX_NESTED: Final = 16
MAX_WORD: Final = 1_000


class Term:
    """An expression with its place: errors in its value point at it.

    ``literal`` is its value where that is a constant text, so that names need no evaluation.
    """

    __slots__ = ("expression", "literal", "mark")

    def __init__(self, expression: Expression, mark: Mark) -> None:
        self.expression = expression
        self.mark = mark
        value = None if expression.names else self(Environment({}))
        self.literal = value if isinstance(value, str) else None

    @property
    def names(self) -> tuple[str, ...]:
        return self.expression.names

    def __call__(self, environment: Environment) -> Any:
        try:
            return self.expression(environment)
        except ExpressionError as error:
            raise SpecError(str(error), self.mark) from None

    def holds(self, environment: Environment) -> bool:
        """The value as a condition. Raises SpecError for words, which would always hold."""
        made: bool | None = environment.made.get(self)
        if made is not None:
            return made
        value = self(environment)
        if isinstance(value, str):
            raise SpecError(
                f"a condition is true or false, found the word {value!r:.60}"
                " (a parameter is written $name)",
                self.mark,
            )
        environment.made[self] = result = bool(value)
        return result


def key_of(environment: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    """The values of ``names``, to find again what was made of them; 1, 1.0 and true differ."""
    values = [environment[name] for name in names]
    return (*values, *map(type, values))


@dataclass(eq=False, repr=False)
class Item:
    """What every item may say; ``sources`` and ``labels`` are its ``from`` and ``as``."""

    mark: Mark
    name: Term | None = None
    when: Term | None = None
    sources: tuple[Term, ...] = ()
    labels: tuple[Term, ...] = ()

    def terms(self) -> Iterator[Term]:
        """The item's own expressions, without those of the items inside it."""
        yield from (term for term in (self.name, self.when) if term is not None)
        yield from self.sources
        yield from self.labels

    def bodies(self) -> Iterator[Sequence[Item]]:
        """The lists of items inside it."""
        yield from ()


@dataclass(eq=False, repr=False)
class Apply(Item):
    """An operator. ``fixed`` are the arguments that its name stands for."""

    kind: str = ""
    operator: type[Op] = Op
    fixed: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Term] = field(default_factory=dict)
    share: Term | None = None

    def __post_init__(self) -> None:
        names = dict.fromkeys(n for term in self.arguments.values() for n in term.names)
        self._variables = tuple(names)
        self._made: dict[tuple[Any, ...], Op] = {}
        self._distinct: dict[tuple[Any, ...], Op] = {}

    def terms(self) -> Iterator[Term]:
        yield from super().terms()
        yield from self.arguments.values()
        if self.share is not None:
            yield self.share

    def op(self, environment: Environment) -> Op:
        """The operator under ``environment``; the same object for the same variables."""
        made: Op | None = environment.made.get(self)
        if made is None:
            made = environment.made[self] = self._op(environment)
        return made

    def _op(self, environment: Environment) -> Op:
        key = key_of(environment, self._variables) if self._variables else ()
        op = self._made.get(key)
        if op is not None:
            return op
        values = {name: term(environment) for name, term in self.arguments.items()}
        # Other variables (a loop's index) often give the same arguments.
        exact = key_of(values, tuple(values))
        op = self._distinct.get(exact)
        if op is None:
            try:
                op = self.operator(**self.fixed, **values)
            except ArgumentError as error:
                at = self.arguments.get(error.argument)
                raise SpecError(f"{self.kind}: {error}", at.mark if at else self.mark) from None
        for kept, its in ((self._made, key), (self._distinct, exact)):
            if len(kept) >= MAX_KEPT:
                kept.clear()
            kept[its] = op
        return op


@dataclass(eq=False, repr=False)
class Use(Item):
    """A block used with arguments."""

    block: Block | None = None
    arguments: Mapping[str, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = dict.fromkeys(n for term in self.arguments.values() for n in term.names)
        self.variables = tuple(names)

    def terms(self) -> Iterator[Term]:
        yield from super().terms()
        yield from self.arguments.values()


@dataclass(eq=False, repr=False)
class Scope(Item):
    """A named group of layers."""

    layers: Sequence[Item] = ()

    def bodies(self) -> Iterator[Sequence[Item]]:
        yield self.layers


@dataclass(eq=False, repr=False)
class Repeat(Item):
    """The layers again and again: ``times``, or once for each entry of the lists of ``each``.

    ``dense`` concatenates every round's result to its input.
    """

    times: Term | None = None
    each: Mapping[str, Term] = field(default_factory=dict)
    index: str | None = None
    layers: Sequence[Item] = ()
    dense: bool = False

    def terms(self) -> Iterator[Term]:
        yield from super().terms()
        yield from self.each.values()
        if self.times is not None:
            yield self.times

    def bodies(self) -> Iterator[Sequence[Item]]:
        yield self.layers


@dataclass(eq=False, repr=False)
class Parallel(Item):
    """Branches from one value, merged. A branch's scope is None where it opens none."""

    branches: Sequence[tuple[str | None, Sequence[Item]]] = ()
    merge: str = "concat"

    def bodies(self) -> Iterator[Sequence[Item]]:
        for _, layers in self.branches:
            yield layers


@dataclass(eq=False, repr=False)
class If(Item):
    """One list of items or the other."""

    condition: Term | None = None
    then: Sequence[Item] = ()
    otherwise: Sequence[Item] = ()

    def terms(self) -> Iterator[Term]:
        yield from super().terms()
        if self.condition is not None:
            yield self.condition

    def bodies(self) -> Iterator[Sequence[Item]]:
        yield self.then
        yield self.otherwise


@dataclass(eq=False, repr=False)
class Head(Item):
    """A side branch whose result is an output of the network."""

    layers: Sequence[Item] = ()

    def bodies(self) -> Iterator[Sequence[Item]]:
        yield self.layers


def walk(items: Iterable[Item]) -> Iterator[Item]:
    """``items`` and all inside them, at any depth of structure; not into the blocks they use."""
    for item in items:
        yield item
        for body in item.bodies():
            yield from walk(body)


@dataclass(eq=False, repr=False)
class Setting:
    """A parameter: of the network, which ``--set`` may change, or of a block.

    ``default`` is None where a value must be given.
    """

    name: str
    mark: Mark
    default: Term | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""

    @property
    def bounded(self) -> bool:
        """Whether values have to be compared with anything."""
        return bool(self.choices) or self.least is not None or self.most is not None

    def check(self, value: Any, like: Any, mark: Mark | str | None) -> Any:
        """``value`` in the type of ``like``, the default's value. Raises SpecError."""
        if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if like is not None and type(value) is not type(like):
            hint = ""
            if type(like) is int and isinstance(value, float):
                hint = (
                    f" (its default, {spelled(like)}, is an integer; for decimals write {like}.0)"
                )
            raise SpecError(
                f"parameter {self.name!r} needs {_TYPES[type(like)]}, found {_shown(value)}{hint}",
                mark,
            )
        if self.choices and value not in self.choices:
            raise SpecError(
                f"parameter {self.name!r} is one of "
                f"{', '.join(map(_shown, self.choices))}; found {_shown(value)}",
                mark,
            )
        entries = value if isinstance(value, tuple) else (value,)
        for entry in entries:
            if isinstance(entry, bool) or not isinstance(entry, int | float):
                continue
            if self.least is not None and entry < self.least:
                raise SpecError(f"parameter {self.name!r} is at least {self.least}", mark)
            if self.most is not None and entry > self.most:
                raise SpecError(f"parameter {self.name!r} is at most {self.most}", mark)
        return value


_TYPES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a word",
    tuple: "a list",
}


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as expressions know values: lists become tuples, sizes are bounded.

    Raises:
        ExpressionError: it is none of null, true, false, a number, text and a list of such.
    """
    if isinstance(value, list | tuple):
        if depth > MAX_NESTED:
            raise ExpressionError(f"a list nested more than {MAX_NESTED} levels deep")
        bounded((None,) * len(value))
        value = tuple([plain(entry, depth + 1) for entry in value])
    elif not isinstance(value, bool | int | float):  # numpy's numbers
        if isinstance(value, Integral):
            value = int(value)
        elif isinstance(value, Real):
            value = float(value)
    if isinstance(value, str) and len(value) > MAX_WORD:
        raise ExpressionError(f"a text of {len(value)} characters, at most {MAX_WORD}")
    return bounded(value)


def _shown(value: Any) -> str:
    if isinstance(value, str) and not value[:1].isalpha():
        return shown(value)  # the text '10' is not the number 10
    text = spelled(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(eq=False, repr=False)
class Block:
    """A reusable piece."""

    name: str
    mark: Mark
    settings: Mapping[str, Setting]
    layers: Sequence[Item] = ()


@dataclass(eq=False, repr=False)
class InputDecl:
    """An input: its shape without the batch, and its dtype."""

    name: str
    mark: Mark
    shape: Term
    dtype: str = "fp32"


@dataclass(eq=False, repr=False)
class Variant:
    """A named setting of the network, or one with ``layers`` of its own. ``about`` replaces
    entries of the network's own (see :meth:`Spec.describe` for notes)."""

    name: str
    mark: Mark
    settings: Mapping[str, tuple[Any, Mark]]
    about: Mapping[str, Any]
    inputs: Sequence[InputDecl] | None = None
    layers: Sequence[Item] | None = None


class Bindings:
    """The parameters of a network under one setting, and what its blocks made of them.

    ``blocks`` has the variables that a block sees, by its use and arguments; nobody changes them.
    """

    __slots__ = ("blocks", "environment")

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.blocks: dict[tuple[Any, ...], Environment] = {}


@dataclass(eq=False, repr=False)
class Spec:
    """A whole file. ``about`` holds title, family, year, dataset, source, notes and aliases."""

    name: str
    file: str
    about: Mapping[str, Any]
    inputs: Sequence[InputDecl]
    settings: Mapping[str, Setting]
    blocks: Mapping[str, Block]
    layers: Sequence[Item]
    variants: Mapping[str, Variant]
    bindings: dict[tuple[Any, ...], Bindings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parameters: dict[str, Mapping[str, Setting]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The networks of the file: its own name first, then its variants."""
        return (self.name, *self.variants)

    def describe(self, name: str) -> dict[str, Any]:
        """``about`` of the network or variant ``name``.

        A variant's notes follow the network's, if it has no layers of its own; a source without a
        year has the network's.
        """
        about = dict(self.about)
        if name != self.name:
            variant = self.variants[name]
            own = dict(variant.about)
            if variant.layers is None:
                own["notes"] = (*about.get("notes", ()), *own.get("notes", ()))
            about |= {"aliases": (), **own}
        if "source" in about and "year" in about:
            about["source"] = {**about["source"]}
            about["source"].setdefault("year", str(about["year"]))
        return about

    def aliases(self, name: str) -> tuple[str, ...]:
        """Other names of the network or variant ``name``."""
        aliases: tuple[str, ...] = self.describe(name).get("aliases", ())
        return aliases

    def network(self, name: str) -> tuple[Sequence[InputDecl], Sequence[Item]]:
        """The inputs and layers of the network or variant ``name``."""
        variant = self.variants.get(name)
        if variant is None:
            return self.inputs, self.layers
        return (
            self.inputs if variant.inputs is None else variant.inputs,
            self.layers if variant.layers is None else variant.layers,
        )

    def parameters(self, name: str) -> Mapping[str, Setting]:
        """What may be set in the network or variant ``name``.

        Where a file's networks have layers of their own, each has those of the file's parameters
        that its layers, inputs and title use; to set another would change nothing.
        """
        if all(variant.layers is None for variant in self.variants.values()):
            return self.settings
        found = self._parameters.get(name)
        if found is None:
            inputs, layers = self.network(name)
            title = self.describe(name).get("title")
            used = _names_in(layers, {})
            used.update(*(declaration.shape.names for declaration in inputs))
            if isinstance(title, Term):
                used.update(title.names)
            for setting in reversed(
                tuple(self.settings.values())
            ):  # defaults use those before them
                if setting.name in used and setting.default is not None:
                    used.update(setting.default.names)
            found = self._parameters[name] = {
                name: setting for name, setting in self.settings.items() if name in used
            }
        return found


def _names_in(layers: Sequence[Item], blocks: dict[Block, set[str]]) -> set[str]:
    """The variables that ``layers`` and the blocks they use take from around them.

    A loop's variable counts too where a parameter has its name: it hides the parameter, so no
    more than a setting without effect comes of it. ``blocks`` is filled as blocks are met.
    """
    names: set[str] = set()
    for item in walk(layers):
        for term in item.terms():
            names.update(term.names)
        if isinstance(item, Use) and item.block is not None:
            names |= _names_of(item.block, blocks)
    return names


def _names_of(block: Block, blocks: dict[Block, set[str]]) -> set[str]:
    if block not in blocks:
        names = _names_in(block.layers, blocks) - block.settings.keys()
        own: set[str] = set()  # a default sees the block's parameters before its own
        for setting in block.settings.values():
            if setting.default is not None:
                names.update(set(setting.default.names) - own)
            own.add(setting.name)
        blocks[block] = names
    return blocks[block]
