"""The graph: nodes, values and the builder that puts them together.

::

    Graph.inputs ─► Value ─► Node(op, parameters) ─► Value ─► ... ─► Graph.outputs
                      ▲ producer          consumers ▲

Relationships are object references. A graph is built once, in topological order, by
:class:`GraphBuilder` and is only read afterwards; ``with_batch`` and its like replay the
operators on other inputs and give a new graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archcost.ir.errors import GraphError, ShapeError
from archcost.ir.op import Application, Op
from archcost.ir.types import FLOATS, Parameter, Shape, TensorType

if TYPE_CHECKING:
    import networkx


class Value:
    """One tensor: made by ``producer`` (None: an input of the graph), read by ``consumers``."""

    __slots__ = ("consumers", "name", "producer", "type")

    def __init__(self, name: str, type_: TensorType, producer: Node | None) -> None:
        self.name = name
        self.type = type_
        self.producer = producer
        self.consumers: list[Node] = []

    @property
    def shape(self) -> Shape:
        return self.type.shape

    def __repr__(self) -> str:
        return f"<value {self.name} {self.type}>"


class Node:
    """One operator at its place: ``name`` is hierarchical, ``fire2/expand3x3/conv``.

    ``source`` says where the node was read from (``file:line:column``), for messages.
    """

    __slots__ = ("_parameters", "application", "inputs", "name", "outputs", "source")

    def __init__(
        self,
        name: str,
        application: Application,
        inputs: tuple[Value, ...],
        source: object,
    ) -> None:
        self.name = name
        self.application = application
        self.inputs = inputs
        self.outputs: tuple[Value, ...] = ()
        self._parameters: tuple[Parameter, ...] | None = None
        self.source = source

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters and buffers; its own ones are made when they are first asked for."""
        if self._parameters is None:
            self._parameters = tuple(
                [Parameter(self.name + p.suffix, *p[1:]) for p in self.application.stored]
            )
        return self._parameters

    @property
    def op(self) -> Op:
        return self.application.op

    @property
    def scope(self) -> str:
        """The name without its last part: what reports and diagrams group by."""
        return self.name.rpartition("/")[0]

    def __repr__(self) -> str:
        return f"<node {self.name} {self.op}>"


class Graph:
    """A network: its nodes in topological order. Made by :class:`GraphBuilder`; read-only.

    ``shares`` says whether any node uses another's parameters.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[Value, ...],
        outputs: Mapping[str, Value],
        nodes: tuple[Node, ...],
        metadata: Mapping[str, Any],
        *,
        shares: bool,
    ) -> None:
        self.name = name
        self.shares = shares
        self.inputs = inputs
        self.named_outputs = dict(outputs)
        self.nodes = nodes
        self.metadata = dict(metadata)

    @property
    def outputs(self) -> tuple[Value, ...]:
        return tuple(self.named_outputs.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __repr__(self) -> str:
        inputs = ", ".join(str(value.type) for value in self.inputs)
        return f"<graph {self.name}: {inputs}, {len(self.nodes)} nodes>"

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters and buffers, a shared one once, in order of first use."""
        return tuple(dict.fromkeys(p for node in self.nodes for p in node.parameters))

    def values(self) -> Iterator[Value]:
        """All tensors: the inputs, then every node's outputs in order."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def with_inputs(self, types: Sequence[TensorType]) -> Graph:
        """The same network on inputs of other types.

        Raises:
            GraphError: the number of inputs differs, or a size is below 1.
            ShapeError: a node cannot take what reaches it.
        """
        return self._replayed(types, lambda node: node.op)

    def rewritten(self, change: Callable[[Node], Op | None]) -> Graph:
        """The same network with the operator that ``change`` gives for each node in its place.

        Where it gives None the node is left out and its first input goes on in its place.

        Raises:
            ShapeError: a node cannot take what reaches it now.
        """
        return self._replayed([value.type for value in self.inputs], change)

    def _replayed(self, types: Sequence[TensorType], change: Callable[[Node], Op | None]) -> Graph:
        if len(types) != len(self.inputs):
            raise GraphError(f"{self.name} has {len(self.inputs)} inputs, not {len(types)}")
        builder = GraphBuilder(self.name)
        values: dict[Value, Value] = {}
        kept: dict[Parameter, Parameter] = {}
        for old, type_ in zip(self.inputs, types, strict=True):
            values[old] = builder.input(old.name, type_)
        for node in self.nodes:
            op = change(node)
            if op is None:
                values.update(dict.fromkeys(node.outputs, values[node.inputs[0]]))
                continue
            share = {
                name: kept[old]
                for name, old in zip(_names(node), node.parameters, strict=True)
                if old in kept
            }
            outputs = builder.add(
                op,
                [values[value] for value in node.inputs],
                node.name,
                share=share,
                source=node.source,
            )
            values.update(zip(node.outputs, outputs, strict=True))
            new = outputs[0].producer
            assert new is not None
            # By name: another operator may have others.
            own = dict(zip(_names(new), new.parameters, strict=True))
            before = zip(_names(node), node.parameters, strict=True)
            kept.update({old: own[name] for name, old in before if name in own})
        outputs_ = {name: values[value] for name, value in self.named_outputs.items()}
        return builder.build(outputs_, self.metadata)

    def with_batch(self, batch: int) -> Graph:
        """The same network on ``batch`` samples at once: dimension 0 of every input."""
        return self.with_inputs(
            [value.type.with_shape((batch, *value.shape[1:])) for value in self.inputs]
        )

    def with_dtype(self, dtype: str) -> Graph:
        """The same network computed in another floating-point dtype; integer inputs stay.

        Raises:
            GraphError: ``dtype`` is no floating-point dtype.
        """
        if dtype not in FLOATS:
            raise GraphError(f"{dtype!r} is no floating-point dtype ({', '.join(sorted(FLOATS))})")
        types = [
            TensorType(value.shape, dtype) if value.type.dtype in FLOATS else value.type
            for value in self.inputs
        ]
        return self._replayed(types, lambda node: node.op.with_dtype(dtype))

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """The nodes as a networkx graph: node names as keys, the :class:`Node` under ``node``.

        An edge carries the tensor's shape under ``shape``. Inputs appear as nodes of their own.
        """
        import networkx

        result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        for value in self.inputs:
            result.add_node(value.name, node=None)
        for node in self.nodes:
            result.add_node(node.name, node=node)
        for value in self.values():
            origin = value.producer.name if value.producer else value.name
            for consumer in value.consumers:
                result.add_edge(origin, consumer.name, shape=value.shape)
        return result


class GraphBuilder:
    """Builds one graph front to back: every node takes values that exist already.

    >>> from archcost.ir import GraphBuilder, TensorType
    >>> from archcost.ir.ops.convolution import Conv
    >>> builder = GraphBuilder("tiny")
    >>> x = builder.input("image", TensorType((1, 3, 32, 32)))
    >>> (y,) = builder.add(Conv(out=8, kernel=3, padding=1), [x], "conv")
    >>> builder.build({"output": y}).outputs[0].shape
    (1, 8, 32, 32)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._inputs: list[Value] = []
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._shares = False
        self._values: set[Value] = set()
        self._built = False

    def __len__(self) -> int:
        return len(self._nodes)

    def input(self, name: str, type_: TensorType) -> Value:
        """Declare an input of the graph. Raises GraphError for an empty shape or a taken name."""
        if not type_.shape or any(size < 1 for size in type_.shape):
            raise GraphError(f"input {name!r} has shape {type_}; every size must be >= 1")
        self._take(name)
        value = Value(name, type_, None)
        self._inputs.append(value)
        self._values.add(value)
        return value

    def add(
        self,
        op: Op,
        inputs: Sequence[Value],
        name: str,
        *,
        share: Mapping[str, Parameter] | None = None,
        source: object = None,
    ) -> tuple[Value, ...]:
        """Apply ``op`` to ``inputs`` and return its outputs.

        ``share`` gives existing parameters, by their name within the node, that this node uses
        instead of own ones; they then count once.

        Raises:
            ShapeError: ``op`` cannot take these inputs, or a shared parameter does not fit.
            GraphError: the name is taken, or an input is a value of another graph.
        """
        if not self._values.issuperset(inputs):
            raise GraphError(f"node {name!r} reads a value of another graph")
        types = (inputs[0].type,) if len(inputs) == 1 else tuple([v.type for v in inputs])
        try:
            application = op.apply(types)
        except ShapeError as error:
            raise ShapeError(error.needs, node=name, inputs=types, source=_place(source)) from None
        self._take(name)
        node = Node(name, application, tuple(inputs), source)
        if share:
            self._shares = True
            node._parameters = self._shared(node.parameters, application, share, name, source)
        for value in inputs:
            value.consumers.append(node)
        types = application.outputs
        if len(types) == 1:
            node.outputs = (Value(name, types[0], node),)
        else:
            node.outputs = tuple(
                [Value(f"{name}:{index}", type_, node) for index, type_ in enumerate(types)]
            )
        self._nodes.append(node)
        self._values.update(node.outputs)
        return node.outputs

    def build(
        self, outputs: Mapping[str, Value], metadata: Mapping[str, Any] | None = None
    ) -> Graph:
        """The finished graph, with ``outputs`` by name.

        Raises:
            GraphError: there is no output, one is a value of another graph, or the graph has been
                built already.
        """
        self._open()
        if not outputs:
            raise GraphError(f"{self.name} has no output")
        for name, value in outputs.items():
            if value not in self._values:
                raise GraphError(f"output {name!r} is a value of another graph")
        self._built = True
        return Graph(
            self.name,
            tuple(self._inputs),
            outputs,
            tuple(self._nodes),
            metadata or {},
            shares=self._shares,
        )

    def _open(self) -> None:
        if self._built:
            raise GraphError(f"{self.name} is built; a graph is only read afterwards")

    def _take(self, name: str) -> None:
        self._open()
        if name in self._names:
            raise GraphError(f"two nodes are named {name!r}")
        self._names.add(name)

    @staticmethod
    def _shared(
        own: Iterable[Parameter],
        application: Application,
        share: Mapping[str, Parameter],
        name: str,
        source: object,
    ) -> tuple[Parameter, ...]:
        result = []
        for spec, parameter in zip(application.parameters, own, strict=True):
            other = share.get(spec.name, parameter)
            if (other.shape, other.dtype, other.trainable) != (
                parameter.shape,
                parameter.dtype,
                parameter.trainable,
            ):
                raise ShapeError(
                    f"shares {other!r} but needs {parameter!r}",
                    node=name,
                    inputs=application.inputs,
                    source=_place(source),
                )
            result.append(other)
        return tuple(result)


def _names(node: Node) -> list[str]:
    """Its parameters' names within it."""
    return [spec.name for spec in node.application.parameters]


def _place(source: object) -> str | None:
    return None if source is None else str(source)
