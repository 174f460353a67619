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
from math import prod
from typing import TYPE_CHECKING, Any

from archcost.ir.errors import GraphError, ShapeError
from archcost.ir.op import Application, Op
from archcost.ir.types import FLOATS, Parameter, Shape, TensorType, bytes_for

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

    ``source`` says where the node was read from (``file:line:column``), for messages. ``inplace``
    says that it writes its first output over its first input's storage, where they are as large.
    """

    __slots__ = ("_parameters", "application", "inplace", "inputs", "name", "outputs", "source")

    def __init__(
        self,
        name: str,
        application: Application,
        inputs: tuple[Value, ...],
        source: object,
        inplace: bool = False,
    ) -> None:
        self.name = name
        self.application = application
        self.inputs = inputs
        self.inplace = inplace
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
    def read_bytes(self) -> int:
        """Bytes that a forward pass reads: inputs, and parameters as they are stored; 0 for a view.

        Unlike :attr:`Application.read_bytes` it knows the dtypes of parameters that were given.
        """
        application = self.application
        op, types = application.op, application.inputs
        if self._parameters is None or op.view:
            return application.read_bytes
        nbytes = sum([parameter.nbytes for parameter in self._parameters])
        if nbytes == application.parameter_bytes:
            return application.read_bytes
        return op.read_bytes(types) + op.parameter_bytes_read(types, nbytes)

    @property
    def scope(self) -> str:
        """The name without its last part: what reports and diagrams group by."""
        return self.name.rpartition("/")[0]

    def __repr__(self) -> str:
        return f"<node {self.name} {self.op}>"


class Graph:
    """A network: its nodes in topological order. Made by :class:`GraphBuilder`; read-only.

    ``shares`` says whether any node was given its parameters: another's, or the source's own.
    ``unread`` are parameters and buffers that are stored with the network and that no node uses.
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
        unread: tuple[Parameter, ...] = (),
    ) -> None:
        self.name = name
        self.shares = shares
        self.unread = unread
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

    @property
    def batch(self) -> int:
        """Dimension 0 of the first input that has one; 1 where none has."""
        return next((value.shape[0] for value in self.inputs if value.shape), 1)

    @property
    def dtype(self) -> str:
        """What the network computes in: the dtype of its first floating-point tensor, inputs first;
        where there is none, of its first tensor."""
        dtypes = [value.type.dtype for value in self.values()]
        return next((dtype for dtype in dtypes if dtype in FLOATS), dtypes[0])

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters and buffers, a shared one once, in order of first use; then ``unread``."""
        used = dict.fromkeys(p for node in self.nodes for p in node.parameters)
        return (*used, *self.unread)

    def values(self) -> Iterator[Value]:
        """All tensors: the inputs, then every node's outputs in order."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def with_inputs(self, types: Sequence[TensorType]) -> Graph:
        """The same network on inputs of other types.

        Sizes that an operator has of its own (a constant's, those that an unknown operator was
        seen to give) stay as they are.

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

    def _replayed(
        self,
        types: Sequence[TensorType],
        change: Callable[[Node], Op | None],
        dtype: str | None = None,
    ) -> Graph:
        """``change``'s operators on other inputs; floating-point parameters in ``dtype`` if given.

        What is stored under another name, in another dtype or otherwise trainable than its
        operator would have it stays so.
        """
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
                inplace=node.inplace,
            )
            values.update(zip(node.outputs, outputs, strict=True))
            new = outputs[0].producer
            assert new is not None
            if self.shares:
                builder._give(new, _given(node, new, kept, dtype))
            # By name: another operator may have others.
            own = dict(zip(_names(new), new.parameters, strict=True))
            before = zip(_names(node), node.parameters, strict=True)
            kept.update({old: own[name] for name, old in before if name in own})
        outputs_ = {name: values[value] for name, value in self.named_outputs.items()}
        unread = [_like(old, old.shape, dtype) for old in self.unread]
        return builder.build(outputs_, self.metadata, unread)

    def with_batch(self, batch: int) -> Graph:
        """The same network on ``batch`` samples at once: dimension 0 of every input with any."""
        return self.with_inputs(
            [
                value.type.with_shape((batch, *value.shape[1:])) if value.shape else value.type
                for value in self.inputs
            ]
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
        return self._replayed(types, lambda node: node.op.with_dtype(dtype), dtype)

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
        """Declare an input of the graph. Raises GraphError for a size of 0 or a taken name."""
        if any(size < 1 for size in type_.shape):
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
        inplace: bool = False,
    ) -> tuple[Value, ...]:
        """Apply ``op`` to ``inputs`` and return its outputs.

        ``share`` gives existing parameters, by their name within the node, that this node uses
        instead of own ones; they then count once. Their shapes are those that ``op`` asks for;
        their dtype, and whether they are trainable, is theirs. ``inplace``: see :class:`Node`.

        Raises:
            ShapeError: ``op`` cannot take these inputs, or a shared parameter does not fit.
            GraphError: the name is taken, an input is a value of another graph, or there is none
                to write over.
        """
        if not self._values.issuperset(inputs):
            raise GraphError(f"node {name!r} reads a value of another graph")
        if inplace and not inputs:
            raise GraphError(f"node {name!r} has no input to write over")
        types = (inputs[0].type,) if len(inputs) == 1 else tuple([v.type for v in inputs])
        try:
            application = op.apply(types)
        except ShapeError as error:
            raise ShapeError(error.needs, node=name, inputs=types, source=_place(source)) from None
        self._take(name)
        node = Node(name, application, tuple(inputs), source, inplace)
        if share:
            self._give(node, share)
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

    def _give(self, node: Node, share: Mapping[str, Parameter]) -> None:
        """Let ``node``, of this builder, use the parameters ``share``, as :meth:`add` does.

        Raises:
            ShapeError: one does not have the shape that the node asks for.
        """
        self._open()
        if not share:
            return
        specs = node.application.parameters
        parameters = tuple(
            [share.get(spec.name, own) for spec, own in zip(specs, node.parameters, strict=True)]
        )
        for given, own in zip(parameters, node.parameters, strict=True):
            if given.shape != own.shape:
                raise ShapeError(
                    f"shares {given!r} but needs {own!r}",
                    node=node.name,
                    inputs=node.application.inputs,
                    source=_place(node.source),
                )
        self._shares = True
        node._parameters = parameters

    def build(
        self,
        outputs: Mapping[str, Value],
        metadata: Mapping[str, Any] | None = None,
        unread: Iterable[Parameter] = (),
    ) -> Graph:
        """The finished graph, with ``outputs`` by name and the parameters that no node uses.

        Raises:
            GraphError: there is no output, one is a value of another graph, a node uses one of
                ``unread``, or the graph has been built already.
        """
        self._open()
        if not outputs:
            raise GraphError(f"{self.name} has no output")
        for name, value in outputs.items():
            if value not in self._values:
                raise GraphError(f"output {name!r} is a value of another graph")
        unread = tuple(dict.fromkeys(unread))
        if unread and (used := {p for node in self._nodes for p in node.parameters} & {*unread}):
            raise GraphError(f"{used.pop().name} is used by a node, and not unread")
        self._built = True
        return Graph(
            self.name,
            tuple(self._inputs),
            outputs,
            tuple(self._nodes),
            metadata or {},
            shares=self._shares,
            unread=unread,
        )

    def _open(self) -> None:
        if self._built:
            raise GraphError(f"{self.name} is built; a graph is only read afterwards")

    def _take(self, name: str) -> None:
        self._open()
        if name in self._names:
            raise GraphError(f"two nodes are named {name!r}")
        self._names.add(name)


def _names(node: Node) -> list[str]:
    """Its parameters' names within it."""
    return [spec.name for spec in node.application.parameters]


def _given(
    old: Node, new: Node, kept: Mapping[Parameter, Parameter], dtype: str | None
) -> dict[str, Parameter]:
    """The parameters of ``new``, by name, that it has not from its operator but from ``old``,
    which it stands for. Those of ``kept`` it has already."""
    given = {}
    made: dict[Parameter, Parameter] = {}  # one may have two roles: Caffe's LSTM has one bias
    shapes = {spec.name: spec.shape for spec in new.application.parameters}
    stored = old.application.stored
    for role, parameter, own in zip(_names(old), old.parameters, stored, strict=True):
        is_own = (parameter.name, parameter.dtype, parameter.trainable) == (
            old.name + own.suffix,
            own.dtype,
            own.trainable,
        )
        if role in shapes and parameter not in kept and not is_own:
            given[role] = made.setdefault(parameter, _like(parameter, shapes[role], dtype))
    return given


def _like(parameter: Parameter, shape: Shape, dtype: str | None) -> Parameter:
    """``parameter`` in another shape and, if it holds floating-point numbers, in ``dtype``."""
    if dtype is None or parameter.dtype not in FLOATS:
        dtype = parameter.dtype
    numel = prod(shape)
    name, trainable = parameter.name, parameter.trainable
    return Parameter(name, shape, dtype, trainable, numel, bytes_for(numel, dtype))


def _place(source: object) -> str | None:
    return None if source is None else str(source)
