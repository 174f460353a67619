"""A :class:`Spec` and the values of its parameters -> :class:`Graph`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from archcost.ir import (
    FLOATS,
    Graph,
    GraphBuilder,
    GraphError,
    Op,
    Parameter,
    Shape,
    TensorType,
    Value,
    shape_text,
)
from archcost.ir.arguments import LARGEST
from archcost.ir.collector import collector_paused
from archcost.ir.ops import make
from archcost.spec.errors import SpecError, nearest, shown
from archcost.spec.expression import Environment, ExpressionError
from archcost.spec.model import (
    MAX_KEPT,
    Apply,
    Bindings,
    Block,
    Head,
    If,
    InputDecl,
    Item,
    Parallel,
    Repeat,
    Scope,
    Spec,
    Term,
    Use,
    key_of,
    plain,
)

MAX_NODES: Final = 250_000
MAX_IDLE: Final = 200_000
MAX_LEVELS: Final = 150
MAX_INPUT: Final = 2**40
MAX_NAME: Final = 500
MAX_SETTINGS: Final = 16


def expand(
    spec: Spec,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[Sequence[int]] | None = None,
    batch: int = 1,
    dtype: str = "fp32",
) -> Graph:
    """The graph of ``spec``'s network or variant ``name``.

    ``settings`` overrides parameters, ``inputs`` the input shapes (without the batch), in the
    order they are declared; ``dtype`` is that of every floating-point input.

    Raises:
        SpecError: a setting, a size or an expression's value is wrong.
        ShapeError: an operator cannot take what reaches it; names the node and its place.
    """
    if name is not None and name not in spec.names:
        raise SpecError(f"{spec.file} has no variant {shown(name)}{nearest(name, spec.names)}")
    name = name or spec.name
    bindings = _bindings(spec, name, settings or {})
    environment = bindings.environment
    about = spec.describe(name)
    about["title"] = _title(about, name, environment)
    about["name"] = name
    about["parameters"] = dict(environment)
    declared, layers = spec.network(name)
    builder = GraphBuilder(name)
    values = _declare_inputs(builder, declared, environment, inputs, batch, dtype)
    with collector_paused():
        outputs = _Expansion(builder, bindings, values).run(layers)
    return builder.build(outputs, about)


def title(spec: Spec, name: str) -> str:
    """The title of ``spec``'s network or variant ``name``, with its parameters' defaults.

    Raises:
        SpecError: the title's value, or a parameter's, is wrong.
    """
    return _title(spec.describe(name), name, _bindings(spec, name, {}).environment)


def _title(about: Mapping[str, Any], name: str, environment: Environment) -> str:
    term = about.get("title")
    return str(term(environment)) if isinstance(term, Term) else name


def _bindings(spec: Spec, network: str, given: Mapping[str, Any]) -> Bindings:
    """The parameters' values; those of an earlier network where they are the same."""
    known = spec.parameters(network)
    for name in given:
        if name not in known:
            raise SpecError(
                f"{network} has no parameter {shown(str(name))}{nearest(str(name), known)}"
            )
    variant = spec.variants.get(network)
    chosen = variant.settings if variant else {}
    environment = Environment({})
    for name, setting in known.items():
        assert setting.default is not None
        value = setting.default(environment)
        environment[name] = setting.check(value, value, setting.mark)
        if name in chosen:
            changed, mark = chosen[name]
            environment[name] = setting.check(changed, value, mark)
        if name in given:
            try:
                environment[name] = setting.check(plain(given[name]), value, None)
            except ExpressionError as error:
                raise SpecError(f"parameter {name!r}: {error}") from None
    key = (tuple(environment), *key_of(environment, tuple(environment)))
    bindings = spec.bindings.get(key)
    if bindings is None:
        if len(spec.bindings) >= MAX_SETTINGS:
            spec.bindings.clear()
        bindings = spec.bindings[key] = Bindings(environment)
    bindings.environment.meter.refill()
    return bindings


def check_rank(model: str, name: str, own: Shape, given: Shape) -> None:
    """Refuse a shape with more or fewer sizes than the model's own input has.

    Convolutions would take 3x224 as a signal, and a slip would become another network's cost.
    """
    if len(own) != len(given):
        raise SpecError(
            f"{model}: the shape of {shown(name)} has {len(own)} size{'s' if len(own) > 1 else ''} "
            f"without the batch, like {shape_text(own)}; {shape_text(given)} has {len(given)}"
        )


def _declare_inputs(
    builder: GraphBuilder,
    declared: Sequence[InputDecl],
    environment: Environment,
    given: Sequence[Sequence[int]] | None,
    batch: int,
    dtype: str,
) -> dict[str, Value]:
    if given is not None and len(given) != len(declared):
        raise SpecError(
            f"{builder.name} has {len(declared)} input{'s' if len(declared) > 1 else ''}, "
            f"{len(given)} given"
        )
    if type(batch) is not int or not 1 <= batch <= LARGEST:
        raise SpecError(f"the batch is an integer from 1 to {LARGEST}")
    if dtype not in FLOATS:
        raise SpecError(f"no floating-point dtype {shown(dtype)}{nearest(dtype, FLOATS)}")
    values = {}
    for index, declaration in enumerate(declared):
        shape = declaration.shape(environment)
        if given is not None:
            own, shape = shape, tuple(given[index])
            check_rank(builder.name, declaration.name, own, shape)
        place = declaration.mark if given is None else None
        if not shape or any(
            isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in shape
        ):
            raise SpecError(f"an input's sizes are integers >= 1, found {list(shape)}", place)
        type_ = TensorType(
            (batch, *shape), dtype if declaration.dtype in FLOATS else declaration.dtype
        )
        if type_.numel > MAX_INPUT or len(shape) > 8:
            raise SpecError(f"an input of {type_} is too large", place)
        values[declaration.name] = builder.input(declaration.name, type_)
    return values


class _Frame:
    """Where expansion stands: the variables, the scope's prefix and the labels it can see."""

    __slots__ = ("environment", "labels", "prefix")

    def __init__(self, environment: Environment, prefix: str, labels: dict[str, Value]) -> None:
        self.environment = environment
        self.prefix = prefix
        self.labels = labels


class _Expansion:
    def __init__(
        self,
        builder: GraphBuilder,
        bindings: Bindings,
        inputs: dict[str, Value],
    ) -> None:
        self.builder = builder
        self.environment = bindings.environment
        self.blocks = bindings.blocks
        self.inputs = inputs
        self.outputs: dict[str, Value] = {}
        self.shared: dict[str, dict[str, Parameter]] = {}
        self._steps = 0
        self._made = 0
        self._levels = 0
        self._counts: dict[str, int] = {}
        self._merges: dict[str, Op] = {}
        self._expanders: dict[type[Item], Callable[[Any, Value, _Frame], Value]] = {
            Apply: self._apply,
            Use: self._use,
            Scope: self._scope,
            Repeat: self._repeat,
            Parallel: self._parallel,
            If: self._if,
            Head: self._head,
        }

    def run(self, layers: Sequence[Item]) -> dict[str, Value]:
        """All layers; the outputs by name, the main one first."""
        first = next(iter(self.inputs.values()))
        main = self._chain(layers, first, _Frame(self.environment, "", {}))
        return {"output": main, **self.outputs}

    def _step(self, item: Item, steps: int = 1) -> None:
        """Refuse a spec that goes on and on and hardly makes an operator."""
        self._steps += steps
        if self._steps > MAX_IDLE + 8 * self._made:
            raise SpecError(
                f"unfolding takes {self._steps} steps for {self._made} operators", item.mark
            )

    def _chain(self, items: Sequence[Item], value: Value, frame: _Frame) -> Value:
        if not items:
            return value
        self._step(items[0], len(items))
        self._levels += 1
        if self._levels > MAX_LEVELS:
            raise SpecError(f"the items nest more than {MAX_LEVELS} levels deep", items[0].mark)
        for item in items:
            if item.when is not None and not item.when.holds(frame.environment):
                continue
            if item.sources and type(item) is not Apply:
                value = self._look_up(item, value, frame)[0]
            value = self._expanders[type(item)](item, value, frame)
            if item.labels and type(item) is not Apply:
                self._label(item, (value,), frame)
        self._levels -= 1
        return value

    # --- one method a kind of item --------------------------------------------------------------

    def _apply(self, item: Apply, value: Value, frame: _Frame) -> Value:
        op = item.op(frame.environment)
        inputs = self._look_up(item, value, frame) if item.sources else (value,)
        if item.name is None:
            name = self._numbered(frame.prefix, item.kind)
        else:
            own = item.name.literal or item.name(frame.environment)
            if not own:
                raise SpecError("an operator's name is not empty", item.name.mark)
            name = frame.prefix + own
        share = None
        if item.share is not None:
            key = item.share(frame.environment)
            share = self.shared.get(key)
        outputs = self._add(op, inputs, name, item, share)
        if item.share is not None and share is None:
            node = outputs[0].producer
            assert node is not None
            specs = node.application.parameters
            self.shared[key] = {
                spec.name: parameter for spec, parameter in zip(specs, node.parameters, strict=True)
            }
        if item.labels:
            self._label(item, outputs, frame)
        return outputs[0]

    def _add(
        self,
        op: Op,
        inputs: Sequence[Value],
        name: str,
        item: Item,
        share: Mapping[str, Parameter] | None = None,
    ) -> tuple[Value, ...]:
        self._made += 1
        if self._made > MAX_NODES:
            raise SpecError(f"the network has more than {MAX_NODES} operators", item.mark)
        _check_name(name, item)
        try:
            return self.builder.add(op, inputs, name, share=share, source=item.mark)
        except GraphError as error:
            raise SpecError(str(error), item.mark) from None

    def _use(self, item: Use, value: Value, frame: _Frame) -> Value:
        block = item.block
        assert block is not None
        environment: Environment | None = frame.environment.made.get(item)
        if environment is None:
            environment = self._inside(item, block, frame.environment)
            frame.environment.made[item] = environment
        prefix = self._open(item, block.name, frame)
        return self._chain(block.layers, value, _Frame(environment, prefix, {}))

    def _inside(self, item: Use, block: Block, outer: Environment) -> Environment:
        """What ``block`` sees; the same object for the same arguments."""
        key = (item, *key_of(outer, item.variables))
        environment = self.blocks.get(key)
        if environment is None:
            given = {name: term(outer) for name, term in item.arguments.items()}
            # Other variables (a loop's index) often give the same arguments.
            exact = (item, block, *key_of(given, tuple(given)))
            environment = self.blocks.get(exact) or self._bind(item, block, given)
            for its in (key, exact):
                if len(self.blocks) >= MAX_KEPT:
                    self.blocks.clear()
                self.blocks[its] = environment
        return environment

    def _bind(self, item: Use, block: Block, given: Mapping[str, Any]) -> Environment:
        """The variables that ``block`` sees when it is used with the arguments ``given``."""
        environment = self.environment.extended({})
        for name, setting in block.settings.items():
            term = item.arguments.get(name) or setting.default
            assert term is not None
            value = given[name] if name in given else term(environment)
            environment[name] = setting.check(value, None, term.mark) if setting.bounded else value
        return environment

    def _scope(self, item: Scope, value: Value, frame: _Frame) -> Value:
        prefix = self._open(item, None, frame)
        return self._chain(item.layers, value, _Frame(frame.environment, prefix, frame.labels))

    def _repeat(self, item: Repeat, value: Value, frame: _Frame) -> Value:
        for index, variables in enumerate(self._rounds(item, frame), start=1):
            environment = frame.environment
            if item.index is not None or variables:
                environment = environment.extended(variables)
                if item.index is not None:
                    environment[item.index] = index
            if item.name is None:
                prefix = f"{frame.prefix}{index}/"
            else:
                name = item.name(environment)
                prefix = f"{frame.prefix}{name}/" if name else frame.prefix
            _check_name(prefix, item)
            self._step(item)
            before = value
            value = self._chain(item.layers, value, _Frame(environment, prefix, frame.labels))
            if item.dense:
                value = self._merge(item, "concat", [before, value], prefix)
        return value

    def _rounds(self, item: Repeat, frame: _Frame) -> Sequence[Mapping[str, Any]]:
        if item.times is not None:
            times = item.times(frame.environment)
            if isinstance(times, bool) or not isinstance(times, int) or times < 0:
                raise SpecError(f"times is an integer >= 0, found {times!r:.40}", item.times.mark)
            if times > MAX_NODES:
                raise SpecError(f"{times} repetitions, at most {MAX_NODES}", item.times.mark)
            return [{}] * times
        columns = {}
        for name, term in item.each.items():
            column = term(frame.environment)
            if not isinstance(column, tuple):
                raise SpecError(f"each {name!r} is a list, found {column!r:.40}", term.mark)
            columns[name] = column
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise SpecError(f"the lists of each differ in length: {shown}", item.mark)
        return [
            dict(zip(columns, entries, strict=True))
            for entries in zip(*columns.values(), strict=True)
        ]

    def _parallel(self, item: Parallel, value: Value, frame: _Frame) -> Value:
        prefix = frame.prefix if item.name is None else self._open(item, None, frame)
        results = []
        for name, layers in item.branches:
            inner = prefix if name is None else f"{prefix}{name}/"
            results.append(
                self._chain(layers, value, _Frame(frame.environment, inner, frame.labels))
            )
        if len(results) == 1:
            return results[0]
        return self._merge(item, item.merge, results, prefix)

    def _merge(self, item: Item, kind: str, values: Sequence[Value], prefix: str) -> Value:
        op = self._merges.get(kind)
        if op is None:
            op = self._merges[kind] = make(kind)
        return self._add(op, values, self._numbered(prefix, kind), item)[0]

    def _if(self, item: If, value: Value, frame: _Frame) -> Value:
        assert item.condition is not None
        chosen = item.then if item.condition.holds(frame.environment) else item.otherwise
        return self._chain(chosen, value, frame)

    def _head(self, item: Head, value: Value, frame: _Frame) -> Value:
        assert item.name is not None
        name = item.name(frame.environment)
        prefix = self._open(item, None, frame)
        if not name:
            raise SpecError("an output's name is not empty", item.name.mark)
        result = self._chain(
            item.layers, value, _Frame(frame.environment, prefix, dict(frame.labels))
        )
        if name in self.outputs or name == "output":
            raise SpecError(f"two outputs are named {name!r}", item.mark)
        self.outputs[name] = result
        return value

    # --- names and labels -----------------------------------------------------------------------

    def _open(self, item: Item, default: str | None, frame: _Frame) -> str:
        """The prefix of the scope that ``item`` opens."""
        if item.name is None:
            assert default is not None
            return self._numbered(frame.prefix, default) + "/"
        name = item.name.literal
        if name is None:
            name = item.name(frame.environment)
        if not name:
            return frame.prefix
        prefix = f"{frame.prefix}{name}/"
        _check_name(prefix, item)
        return prefix

    def _numbered(self, prefix: str, kind: str) -> str:
        """``prefix`` + ``kind``, numbered from the second one on."""
        name = prefix + kind
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def _look_up(self, item: Item, value: Value, frame: _Frame) -> list[Value]:
        """The values that ``item`` takes by its ``from``."""
        found = []
        for term in item.sources:
            label = term(frame.environment)
            if label == ".":
                found.append(value)
                continue
            source = frame.labels.get(label) or self.inputs.get(label)
            if source is None:
                known = (*frame.labels, *self.inputs, ".")
                raise SpecError(f"no label {shown(label)} here{nearest(label, known)}", term.mark)
            found.append(source)
        if type(item) is not Apply and len(found) != 1:
            raise SpecError("only an operator takes several inputs", item.sources[0].mark)
        return found

    def _label(self, item: Item, values: Sequence[Value], frame: _Frame) -> None:
        if len(item.labels) > len(values):
            raise SpecError(
                f"{len(item.labels)} labels for {len(values)} outputs", item.labels[0].mark
            )
        for term, value in zip(item.labels, values, strict=False):
            label = term(frame.environment)
            if label == "." or label in self.inputs:
                meaning = "the value before" if label == "." else "an input"
                raise SpecError(f"{label!r} is no label: it means {meaning}", term.mark)
            frame.labels[label] = value


def _check_name(name: str, item: Item) -> None:
    if len(name) > MAX_NAME:
        raise SpecError(f"a name of {len(name)} characters, at most {MAX_NAME}", item.mark)
    if not name.isprintable():
        raise SpecError(f"a name is printable, found {name!r:.100}", item.mark)
