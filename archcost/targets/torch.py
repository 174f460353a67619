"""The PyTorch module of a graph: its nodes, each executed by the calls of its operator."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archcost.ir import Graph, Node, Op, Parameter, Value
from archcost.ir.ops.convolution import Conv, LocalConv
from archcost.ir.types import NUMPY_NAMES
from archcost.targets import torch_modules
from archcost.targets.torch_operators import Call, build


class Step(NamedTuple):
    """What executes one node.

    ``inputs``, ``outputs`` and ``dropped``, what nobody reads afterwards, are places in the list of
    all values.
    """

    name: str
    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def module(self) -> nn.Module | None:
        """The node's module; None where it is only called."""
        return next((call for call in self.calls if isinstance(call, nn.Module)), None)

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The node's outputs, by its inputs in their order."""
        for call in self.calls:
            result = call(*tensors)
            tensors = (result,) if isinstance(result, Tensor) else tuple(result)
        return tensors


Watch = Callable[[Step, tuple[Tensor, ...]], object]
"""Is told of a step that has run and of its outputs."""


class Scope(nn.Module):
    """Modules of nodes whose names begin alike."""

    def __init__(self) -> None:
        super().__init__()
        self._scopes: dict[str, str] = {}

    def _legal(self, part: str) -> str:
        """``part`` as a name that torch takes and that is free here."""
        name = re.sub(r"\W", "_", part) or "_"
        while hasattr(self, name):
            name += "_"
        return name

    def place(self, name: str, module: nn.Module) -> str:
        """Hold ``module`` at ``name``, hierarchical as a node's; torch's path to it."""
        first, _, rest = name.partition("/")
        if not rest:
            legal = self._legal(first)
            self.add_module(legal, module)
            return legal
        if first not in self._scopes:
            self._scopes[first] = self._legal(first)
            self.add_module(self._scopes[first], Scope())
        legal = self._scopes[first]
        scope = self.get_submodule(legal)
        assert isinstance(scope, Scope)
        return f"{legal}.{scope.place(rest, module)}"


class GraphModule(Scope):
    """The module that executes ``graph``.

    Its submodules follow the nodes' names: that of ``fire2/expand3x3/conv`` is
    ``fire2.expand3x3.conv``. A parameter that nodes share is one in all of their modules; those
    that no node reads are in a scope ``unread``.

    Attributes:
        paths: name of a node -> torch's path to its module, for nodes that have one.
        steps: what executes each node, in the graph's order.
        device: where it was built, which nothing else tells of a module without weights.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.paths: dict[str, str] = {}
        self.device = torch.get_default_device()
        self.steps: tuple[Step, ...] = ()  # taken, like all names here, before nodes have theirs
        places = {value: place for place, value in enumerate(graph.values())}
        last = _last_readers(graph)
        kept = {*graph.inputs, *graph.outputs}
        self._inputs = len(graph.inputs)
        self._outputs = tuple(places[value] for value in graph.outputs)
        self._unmade = (None,) * (len(places) - self._inputs)
        shared: dict[Parameter, Tensor] = {}
        steps = []
        for node in graph:
            step = Step(
                node.name,
                build(node),
                tuple(places[value] for value in node.inputs),
                tuple(places[value] for value in node.outputs),
                tuple(places[value] for value in last[node] if value not in kept),
            )
            steps.append(step)
            if step.module is not None:
                self.paths[node.name] = self.place(node.name, step.module)
                if type(step.module).__module__ == torch_modules.__name__:
                    # torch has none such: whoever traces it is told what it is.
                    step.module.archcost_op = _own_part(node, step)  # type: ignore[assignment]
                _share(node, step.module, shared)
        self.steps = tuple(steps)
        for parameter in graph.unread:
            dtype = getattr(torch, NUMPY_NAMES[parameter.dtype])
            held = torch_modules.Weight(parameter.shape, dtype, parameter.trainable)
            self.place("/".join(("unread", *re.split(r"[./]", parameter.name))), held)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The graph's outputs, by its inputs in their order: a tensor if it has one output."""
        results = self._run(inputs, None)
        return results[0] if len(results) == 1 else results

    def watched(self, watch: Watch, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs; ``watch`` is told of each step and what it gave, before what nobody
        reads afterwards is dropped."""
        return self._run(inputs, watch)

    def _run(self, inputs: tuple[Tensor, ...], watch: Watch | None) -> tuple[Tensor, ...]:
        if len(inputs) != self._inputs:
            raise TypeError(f"the network has {self._inputs} inputs, {len(inputs)} were given")
        # No name but `live` holds a tensor while a step runs: what is dropped is free.
        live: list[Any] = [*inputs, *self._unmade]
        # Where tensors are made that come of no other.
        device = inputs[0].device if inputs else self.device
        for step in self.steps:
            _, calls, places, made, dropped = step
            if len(calls) == len(places) == len(made) == 1:  # most are so: the short way
                live[made[0]] = calls[0](live[places[0]])
                if not isinstance(live[made[0]], Tensor):
                    (live[made[0]],) = live[made[0]]
            elif places:
                _put(live, made, step.run(*[live[place] for place in places]))
            else:
                with device:
                    _put(live, made, step.run())
            if watch is not None:
                watch(step, tuple([live[place] for place in made]))
            for place in dropped:
                live[place] = None
        return tuple([live[place] for place in self._outputs])


def _put(live: list[Any], places: tuple[int, ...], tensors: tuple[Tensor, ...]) -> None:
    for place, tensor in zip(places, tensors, strict=True):
        live[place] = tensor


def _own_part(node: Node, step: Step) -> Op:
    """What the module of ``step`` does of the node's operator: padding may come before it."""
    op = node.op
    if isinstance(op, Conv | LocalConv) and step.calls[0] is not step.module:
        return replace(op, padding=0)
    return op


def _last_readers(graph: Graph) -> dict[Node, list[Value]]:
    """node -> values that nobody reads after it: what it reads last, what it gives in vain."""
    last: dict[Value, Node] = {}
    for node in graph:
        last.update(dict.fromkeys((*node.outputs, *node.inputs), node))
    result: dict[Node, list[Value]] = {node: [] for node in graph}
    for value, node in last.items():
        result[node].append(value)
    return result


def _share(node: Node, module: nn.Module, shared: dict[Parameter, Tensor]) -> None:
    """Give ``module`` the tensors of parameters that another one holds already."""
    for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
        setattr(module, spec.name, shared.setdefault(parameter, getattr(module, spec.name)))
