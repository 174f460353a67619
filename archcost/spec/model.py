"""What a spec says, parsed and checked but not yet expanded for any parameters.

The items mirror the spec language one to one (``docs/spec-language.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Final, NamedTuple

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
    length: int | None = None
    help: str = ""

    @property
    def bounded(self) -> bool:
        """Whether values have to be compared with anything."""
        return any((self.choices, self.length, self.least is not None, self.most is not None))

    def check(self, value: Any, like: Any, mark: Mark | str | None) -> Any:
        """``value`` in the type of ``like``, the default's value. Raises SpecError."""
        if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if like is not None and type(value) is not type(like):
            hint = ""
            if type(like) is int and isinstance(value, float) and mark is not None:
                hint = (
                    f" (its default, {spelled(like)}, is an integer; for decimals write {like}.0)"
                )
            raise SpecError(
                f"parameter {self.name!r} needs {_TYPES[type(like)]}, found {_shown(value)}{hint}",
                mark,
            )
        if isinstance(value, tuple):
            value = self._entries(value, like, mark)
        if self.choices and value not in self.choices:
            raise SpecError(
                f"parameter {self.name!r} is one of "
                f"{', '.join(map(_shown, self.choices))}; found {_shown(value)}",
                mark,
            )
        for entry in _flat(value):
            if isinstance(entry, bool) or not isinstance(entry, int | float):
                continue
            if self.least is not None and entry < self.least:
                raise SpecError(f"parameter {self.name!r} is at least {self.least}", mark)
            if self.most is not None and entry > self.most:
                raise SpecError(f"parameter {self.name!r} is at most {self.most}", mark)
        return value

    def _entries(
        self, value: tuple[Any, ...], like: Any, mark: Mark | str | None
    ) -> tuple[Any, ...]:
        """The list ``value``, whose entries are as those of the default ``like``."""
        if self.length is not None and len(value) != self.length:
            raise SpecError(
                f"parameter {self.name!r} has {self.length} entries, found {len(value)}", mark
            )
        if not isinstance(like, tuple) or not like:
            return value
        if not value:
            raise SpecError(f"parameter {self.name!r} needs at least one entry", mark)
        kinds = {type(entry) for entry in like}
        if float in kinds and kinds <= {int, float}:
            kinds = {float}
            value = tuple([float(e) if type(e) is int else e for e in value])
        for entry in value:
            if type(entry) not in kinds:
                wanted = " or ".join(sorted(_TYPES.get(kind, "null") for kind in kinds))
                raise SpecError(
                    f"each entry of parameter {self.name!r} is {wanted}, found {_shown(entry)}",
                    mark,
                )
        return value


def _flat(value: Any) -> Iterator[Any]:
    """``value``, or the entries of a list, those of its lists too."""
    if isinstance(value, tuple):
        for entry in value:
            yield from _flat(entry)
    else:
        yield value


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
        self._own_layers = any(variant.layers is not None for variant in self.variants.values())
        self._parameters: dict[str, Mapping[str, Setting]] = {}
        self._used: dict[int, frozenset[str]] = {}
        self._block_uses: dict[Block, _BlockUses] = {}

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
        if not self._own_layers:
            return self.settings
        found = self._parameters.get(name)
        if found is None:
            inputs, layers = self.network(name)
            used = set(self._used_by(layers))
            used.update(*(declaration.shape.names for declaration in inputs))
            title = self.describe(name).get("title")
            if isinstance(title, Term):
                used.update(title.names)
            # A default uses parameters that stand before its own.
            for setting in reversed(tuple(self.settings.values())):
                if setting.name in used and setting.default is not None:
                    used.update(setting.default.names)
            found = {key: setting for key, setting in self.settings.items() if key in used}
            self._parameters[name] = found
        return found

    def _used_by(self, layers: Sequence[Item]) -> frozenset[str]:
        used = self._used.get(id(layers))
        if used is None:
            local, file = _uses(layers, self._block_uses)
            used = self._used[id(layers)] = frozenset(local | file)
        return used


class _BlockUses(NamedTuple):
    """The file's parameters that a block takes: always, and in the default of each of its own."""

    always: frozenset[str]
    defaults: Mapping[str, frozenset[str]]


def _uses(items: Sequence[Item], blocks: dict[Block, _BlockUses]) -> tuple[set[str], set[str]]:
    """The variables that ``items`` take from around them, and what their blocks take of the file.

    A block sees the file's parameters whatever a loop or block around its use calls its own, so
    the two are told apart. ``blocks`` is filled as blocks are met.
    """
    local: set[str] = set()
    file: set[str] = set()
    for item in items:
        inside: set[str] = set()
        for body in item.bodies():
            names, of_blocks = _uses(body, blocks)
            inside |= names
            file |= of_blocks
        for term in item.terms():
            (inside if term is item.name else local).update(term.names)
        if isinstance(item, Repeat):  # its name and layers see its variables
            inside -= {item.index, *item.each}
        local |= inside
        if isinstance(item, Use) and item.block is not None:
            uses = _block_uses(item.block, blocks)
            file |= uses.always
            for name, names_ in uses.defaults.items():
                if name not in item.arguments:
                    file |= names_
    return local, file


def _block_uses(block: Block, blocks: dict[Block, _BlockUses]) -> _BlockUses:
    if block not in blocks:
        local, file = _uses(block.layers, blocks)
        defaults = {}
        before: set[str] = set()
        for setting in block.settings.values():
            if setting.default is not None:
                defaults[setting.name] = frozenset(setting.default.names) - before
            before.add(setting.name)
        blocks[block] = _BlockUses(frozenset(file | (local - block.settings.keys())), defaults)
    return blocks[block]
