"""Memory over time: what is alive in a forward pass and in a training step."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, NamedTuple

from archcost.ir import FLOATS, Graph, Node, Value, bytes_for

Optimizer = Literal["sgd", "momentum", "adam"]

OPTIMIZER_STATES: Final[dict[str, int]] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Values that each optimiser keeps for every trainable parameter."""


class ForwardMemory(NamedTuple):
    """Memory of one forward pass at inference, in bytes.

    ``activations`` is the largest sum of live tensors; it is reached first while ``at`` runs.
    ``timeline`` has the live tensors' bytes while each node runs, in order.
    """

    weights: int
    activations: int
    at: str
    timeline: tuple[int, ...]

    @property
    def peak(self) -> int:
        """Weights, buffers and live tensors together."""
        return self.weights + self.activations


class TrainingMemory(NamedTuple):
    """Memory of one training step, in bytes.

    ``saved`` is what the forward pass keeps for the backward pass: every storage once, the
    graph's inputs and the weights left out, which are there anyway. ``activations`` is the
    largest sum of live tensors in both passes: inputs, activations, what is kept besides, and the
    gradients of activations. ``gradients``, those of the parameters, count as alive throughout.
    """

    weights: int
    gradients: int
    optimizer: int
    saved: int
    activations: int

    @property
    def peak(self) -> int:
        """Weights, buffers, their gradients, the optimiser's values and live tensors together."""
        return self.weights + self.gradients + self.optimizer + self.activations


class Lifetime(NamedTuple):
    """When a storage of ``nbytes`` is there: made by node number ``made`` (-1: the caller's input)
    and read last by number ``last``; that is the number of nodes where the caller holds it."""

    nbytes: int
    made: int
    last: int


def weight_bytes(graph: Graph) -> int:
    """Bytes of all parameters and buffers, a shared one once, and of those that no node reads."""
    if graph.shares or graph.unread:
        return sum([parameter.nbytes for parameter in graph.parameters])
    return sum([node.application.parameter_bytes for node in graph.nodes])


def forward_memory(
    graph: Graph, *, inplace: bool = False, fold_norm: bool = False
) -> ForwardMemory:
    """Peak memory of a forward pass by liveness, nodes run in the graph's order.

    A tensor lives from the node that makes it until its last reader has run; while a node runs,
    its inputs and outputs live together. A view lives on its origin's storage, the whole of which
    lives as long as any view of it, and so does what a node that works in place writes over. The
    graph's inputs and outputs belong to the caller: inputs live throughout, outputs from when they
    are made. A weight that is read as a tensor is among the weights. Workspaces of libraries, and
    the allocator's rounding, are not counted.

    Args:
        graph: the network.
        inplace: let all operators that can (ReLU ...) write over their first input, where nobody
            reads its storage afterwards and it is neither an input nor an output of the graph.
        fold_norm: let a batch normalisation (or scale-and-shift) that alone reads a convolution's
            or linear layer's output be folded into it, as inference engines do: it then neither
            computes nor stores anything of its own, its buffers are gone too, and the folded layer
            has a bias. Not one that normalises by the batch's own statistics, nor into a layer
            whose weights other nodes share.
    """
    absent = _folded(graph) if fold_norm else set()
    storage = _Storage(graph, training=False, inplace=inplace, absent=absent)
    freed = [0] * (len(graph.nodes) + 1)
    for origin, index in storage.last.items():
        freed[index] += storage.size[origin]
    alive = _input_bytes(graph)
    timeline = []
    for made, gone in zip(storage.allocated, freed[:-1], strict=True):
        alive += made
        timeline.append(alive)
        alive -= gone
    weights = _weights_after_folding(graph, absent)
    if not timeline:
        return ForwardMemory(weights, alive, "", ())
    peak = max(timeline)
    return ForwardMemory(weights, peak, graph.nodes[timeline.index(peak)].name, tuple(timeline))


def lifetimes(
    graph: Graph, *, inplace: bool = False, fold_norm: bool = False
) -> tuple[Lifetime, ...]:
    """The storages of a forward pass, in the order in which they are made.

    They are what :func:`forward_memory` adds up, by the same rules and with the same arguments.
    """
    absent = _folded(graph) if fold_norm else set()
    storage = _Storage(graph, training=False, inplace=inplace, absent=absent)
    position = {value: index for index, node in enumerate(graph.nodes) for value in node.outputs}
    return tuple(
        Lifetime(nbytes, position.get(origin, -1), storage.last[origin])
        for origin, nbytes in storage.size.items()
    )


def training_memory(graph: Graph, *, optimizer: Optimizer = "sgd") -> TrainingMemory:
    """Peak memory of one training step: forward, backward, update.

    Only nodes that are in place in the graph itself are so here. The forward pass keeps what the
    operators' backward formulas need (:meth:`Op.saved`), of those nodes that have a backward pass:
    trainable parameters lie before or in them, and an output of the graph behind them. Which of
    their inputs need a gradient is not looked at: a product keeps both factors. The loss is the
    caller's; it gives every output a gradient.

    The backward pass runs the nodes in reverse: while one runs, the gradients of its outputs and
    inputs live together, and what it had saved is freed afterwards. Gradients of a tensor with
    several readers are summed in place; a view's gradient is its origin's, and that of a tensor
    which was written over another is its own. Inputs of the graph have none, nor has a parameter
    that no node reads. That is a simple rule for all operators: an implementation can do with less,
    where it hands on the same gradient to all terms of a sum.

    Args:
        graph: the network.
        optimizer: ``sgd`` keeps no state, ``momentum`` one value for each parameter, ``adam`` two.

    Raises:
        ValueError: no such optimiser.
    """
    if optimizer not in OPTIMIZER_STATES:
        raise ValueError(f"optimizer is one of {', '.join(OPTIMIZER_STATES)}, not {optimizer!r}")
    storage = _Storage(graph, training=True, inplace=False, absent=set())
    root, size, count = storage.root, storage.size, len(graph.nodes)
    owner = _gradient_owners(graph, storage)
    graded, backward = _backward(graph)
    kept = {node: _kept(node, storage) for node in backward}
    held = {root[value] for value in (*graph.inputs, *graph.outputs)}
    # How many nodes keep each storage; the caller's are never freed.
    keepers = Counter(origin for origins in kept.values() for origin in origins)
    extra = {node: node.application.saved.extra for node in backward}
    inputs = set(graph.inputs)
    saved = sum(size[origin] for origin in keepers if origin not in inputs) + sum(extra.values())

    freed = [0] * (count + 1)
    for origin, index in storage.last.items():
        if origin not in keepers:
            freed[index] += size[origin]
    alive = peak = _input_bytes(graph)
    for index, node in enumerate(graph.nodes):
        alive += storage.allocated[index] + extra.get(node, 0)
        peak = max(peak, alive)
        alive -= freed[index]

    gradients: dict[Value, int] = {}
    for value in graph.outputs:
        if value in graded:
            gradients[owner[value]] = storage.bytes_of(owner[value])
    alive += sum(gradients.values())
    peak = max(peak, alive)
    for node in backward:
        for value in _sources(node):
            if value in graded and owner[value] not in gradients:
                gradients[owner[value]] = storage.bytes_of(owner[value])
                alive += gradients[owner[value]]
        peak = max(peak, alive)
        for value in node.outputs:
            if owner[value] is value:
                alive -= gradients.pop(value, 0)
        for origin in kept[node]:
            keepers[origin] -= 1
            if not keepers[origin] and origin not in held:
                alive -= size[origin]
        alive -= extra[node]

    trainable = sum(p.nbytes for p in graph.parameters if p.trainable)
    trainable -= sum(p.nbytes for p in graph.unread if p.trainable)
    state = OPTIMIZER_STATES[optimizer] * trainable
    return TrainingMemory(weight_bytes(graph), trainable, state, saved, peak)


class _Storage:
    """Which tensors share storage, and when each storage is allocated and last read.

    ``root`` maps a tensor to the one that owns its storage; ``allocated`` has the bytes that each
    node allocates. ``last`` is the index of a storage's last reader, by its owner (of the node
    that makes it, where nobody reads it), and the number of nodes for those that the caller holds
    or that lie among the weights.
    """

    def __init__(self, graph: Graph, *, training: bool, inplace: bool, absent: set[Node]) -> None:
        nodes = graph.nodes
        count = len(nodes)
        position = {node: index for index, node in enumerate(nodes)}
        outputs = set(graph.outputs)
        self.root: dict[Value, Value] = {value: value for value in graph.inputs}
        self.size: dict[Value, int] = {value: value.type.nbytes for value in graph.inputs}
        self.last: dict[Value, int] = dict.fromkeys(graph.inputs, count)
        self.allocated: list[int] = []
        root, size, last = self.root, self.size, self.last
        for index, node in enumerate(nodes):
            application = node.application
            op = application.op
            shared = (
                (op.view and (op.view_in_training or not training))
                or (absent and node in absent)
                or (inplace and op.inplace and self._overwritable(node, index))
            )
            over = node.inplace and application.output_bytes[0] == node.inputs[0].type.nbytes
            stored = shared and not node.inputs
            allocated = 0
            for value, nbytes in zip(node.outputs, application.output_bytes):  # noqa: B905 (speed)
                readers = value.consumers
                end = count if value in outputs else position[readers[-1]] if readers else index
                if stored:
                    root[value] = value
                    size[value] = 0
                    last[value] = count
                elif shared or over:
                    origin = root[value] = root[node.inputs[0]]
                    if end > last[origin]:
                        last[origin] = end
                    over = False  # only the first output
                else:
                    root[value] = value
                    size[value] = nbytes
                    last[value] = end
                    allocated += nbytes
            self.allocated.append(allocated)

    def bytes_of(self, value: Value) -> int:
        """Bytes of a tensor on a storage of its own, or written over another's."""
        return self.size.get(value, value.type.nbytes)

    def _overwritable(self, node: Node, index: int) -> bool:
        """Whether ``node`` may write over its first input: nobody reads its storage later, and
        of the node's inputs no other lies on it. ``last`` speaks of all tensors on it so far; a
        later one could only come of a reader of these."""
        value, *others = node.inputs
        origin = self.root[value]
        return (
            self.last[origin] == index
            and value.type == node.outputs[0].type
            and not any(self.root[other] is origin for other in others)
        )


def _input_bytes(graph: Graph) -> int:
    return sum(value.type.nbytes for value in graph.inputs)


def _sources(node: Node) -> tuple[Value, ...]:
    """The inputs whose elements a node reads: of a view the first, others give only a size."""
    return node.inputs[:1] if node.op.view else node.inputs


def _gradient_owners(graph: Graph, storage: _Storage) -> dict[Value, Value]:
    """Whose gradient each tensor shares: as storage, but for what is written over an input."""
    if not any(node.inplace for node in graph.nodes):
        return storage.root
    owner = {value: value for value in graph.inputs}
    for node in graph.nodes:
        view = node.op.view and node.op.view_in_training and bool(node.inputs)
        owner.update((value, owner[node.inputs[0]] if view else value) for value in node.outputs)
    return owner


def _backward(graph: Graph) -> tuple[set[Value], list[Node]]:
    """The tensors that need a gradient, and the nodes that have a backward pass, last first."""
    graded: set[Value] = set()
    for node in graph.nodes:
        if any(value in graded for value in _sources(node)) or any(
            parameter.trainable for parameter in node.parameters
        ):
            graded.update(value for value in node.outputs if value.type.dtype in FLOATS)
    reached = graded.intersection(graph.outputs)
    backward = []
    for node in reversed(graph.nodes):
        if not reached.isdisjoint(node.outputs):
            backward.append(node)
            reached.update(value for value in _sources(node) if value in graded)
    return reached, backward


def _kept(node: Node, storage: _Storage) -> set[Value]:
    """The storages that a node keeps for its backward pass."""
    saved = node.application.saved
    kept: list[Value] = []
    for values, which in ((node.inputs, saved.inputs), (node.outputs, saved.outputs)):
        if isinstance(which, tuple):
            kept += [values[index] for index in which]
        elif which:
            kept += values
    root = storage.root
    return {root[value] for value in kept}


FOLDS: Final = ("batch_norm", "scale_shift")
FOLDED_INTO: Final = ("conv", "depthwise_conv", "local_conv", "conv_transpose", "linear")


def _folded(graph: Graph) -> set[Node]:
    """Normalisations that can be folded into the layer before them."""
    users = Counter(parameter for node in graph.nodes for parameter in node.parameters)
    outputs = set(graph.outputs)
    folded: set[Node] = set()
    for node in graph.nodes:
        if node.op.kind not in FOLDS or not getattr(node.op, "track", True):
            continue
        if getattr(node.op, "per", "channel") != "channel":  # scales of positions have no place
            continue
        value = node.inputs[0]
        origin = value.producer
        if origin is None or len(value.consumers) != 1 or value in outputs:
            continue
        if origin in folded or (
            origin.op.kind in FOLDED_INTO
            and all(users[parameter] == 1 for parameter in origin.parameters)
            # Dimension 1 is what is normalised; a linear layer maps to the last one.
            and (origin.op.kind != "linear" or value.type.rank == 2)
        ):
            folded.add(node)
    return folded


def _weights_after_folding(graph: Graph, absent: set[Node]) -> int:
    """Bytes of what is stored; a layer without bias gets one where what it absorbs shifts."""
    if not absent:
        return weight_bytes(graph)
    kept = {p for node in graph.nodes if node not in absent for p in node.parameters}
    kept.update(graph.unread)
    biases: dict[Node, int] = {}
    for node in graph.nodes:
        if node not in absent or (node.op.kind == "scale_shift" and not _has_bias(node)):
            continue
        origin = node.inputs[0].producer
        while origin in absent:
            origin = origin.inputs[0].producer
        assert origin is not None
        if not _has_bias(origin):
            type_ = origin.outputs[0].type
            local = origin.op.kind == "local_conv"  # has one for each position
            size = type_.numel // type_.shape[0] if local else type_.channels
            biases[origin] = bytes_for(size, type_.dtype)
    return sum(parameter.nbytes for parameter in kept) + sum(biases.values())


def _has_bias(node: Node) -> bool:
    return any(spec.name == "bias" for spec in node.application.parameters)
