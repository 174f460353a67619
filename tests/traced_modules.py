"""Reading PyTorch modules in tests, and what a graph that was read is compared with: torch."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils import _pytree
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.analysis import analyze
from archcost.ir import NUMPY_NAMES, Graph, GraphBuilder, Op
from archcost.ir.ops import make
from archcost.sources.torch import reading
from archcost.sources.torch.aliasing import Held
from archcost.sources.torch.steps import Slot, Step
from archcost.sources.torch.trace import Trace
from archcost.targets import torch as executed
from archcost.targets.torch import GraphModule

DTYPES = {ours: getattr(torch, name) for ours, name in NUMPY_NAMES.items() if hasattr(torch, name)}
OURS = {dtype: ours for ours, dtype in DTYPES.items()}


class Of(nn.Module):
    """A module that applies a function to its inputs, after its own modules are made."""

    def __init__(self, function: Any, **modules: nn.Module | nn.Parameter | Tensor) -> None:
        super().__init__()
        self.function = function
        for name, value in modules.items():
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs) if self.takes_self else self.function(*inputs)

    @property
    def takes_self(self) -> bool:
        return bool(self._modules or self._parameters or self._buffers)


def stirred(module: nn.Module) -> nn.Module:
    """``module`` with weights and statistics none of which is 0 or 1, in evaluation."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=generator), alpha=0.3)
    return module.eval()


def leaves(result: Any) -> list[Tensor]:
    """The tensors in a module's result, in order."""
    return [leaf for leaf in _pytree.tree_leaves(result) if isinstance(leaf, Tensor)]


class Observed(Trace):
    """A trace that keeps what the graph has no place for: which elements are assigned to, and the
    values of constants."""

    last: Observed

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self.nodes: list[Step] = []
        self.written: dict[Step, tuple[tuple[Op, int], ...]] = {}
        self.values: dict[Step, Tensor] = {}
        Observed.last = self

    def _read_steps(self, ends: Iterable[Slot]) -> list[Step]:
        self.nodes = super()._read_steps(ends)
        return self.nodes

    def constants(self, tensors: Sequence[Tensor]) -> list[Slot]:
        slots = super().constants(tensors)
        for slot, tensor in zip(slots, tensors, strict=True):
            self._keep(slot, tensor)
        return slots

    def _first_seen(self, tensor: Tensor) -> Held:
        held = super()._first_seen(tensor)
        self._keep(held.slot, tensor)
        return held

    def _keep(self, slot: Slot, tensor: Tensor) -> None:
        assert slot.step is not None
        if self._is_known(tensor) and slot.step.op.kind == "constant":
            self.values[slot.step] = tensor.clone()

    def _write(self, target: Tensor, slot: Slot) -> None:
        held = self._held.get(id(target))
        views = held.views if held is not None else ()
        super()._write(target, slot)
        if views and self.steps[-1].op.kind == "assign":
            self.written[self.steps[-1]] = views


def observed(module: nn.Module, *inputs: Tensor) -> tuple[Graph, Observed]:
    """The graph of ``module``, and how it was traced."""
    with mock.patch.object(reading, "Trace", Observed):
        graph = archcost.load(module, inputs=list(inputs))
    return graph, Observed.last


def executable(graph: Graph, trace: Observed, module: nn.Module) -> GraphModule:
    """``graph`` as torch executes it, with the weights of ``module``, from which it was read, and
    with what the trace alone knows."""
    stored = stored_in(module)
    calls = {
        node.name: replaced
        for node, step in zip(graph, trace.nodes, strict=True)
        if (replaced := _known_to_trace(step, trace)) is not None
    }
    build = executed.build
    with mock.patch.object(
        executed, "build", lambda node: calls[node.name] if node.name in calls else build(node)
    ):
        net = archcost.to_torch(graph).eval()
    with torch.no_grad():
        for node, step in zip(graph, net.steps, strict=True):
            for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
                getattr(step.module, spec.name).copy_(stored[parameter.name])
    return net


def _known_to_trace(step: Step, trace: Observed) -> tuple[Any, ...] | None:
    if step in trace.values:
        return (trace.values[step].clone,)
    if step not in trace.written:
        return None

    def assign(x: Tensor, new: Tensor) -> Tensor:
        whole = x.clone()
        part = whole
        for op, index in trace.written[step]:
            part = _view(op, part, index)
        assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        part.copy_(new)
        return whole

    return (assign,)


def _view(op: Op, x: Tensor, index: int) -> Tensor:
    """Output ``index`` of a view of ``x``."""
    builder = GraphBuilder("view")
    like = make("constant", shape=tuple(x.shape), dtype=OURS[x.dtype])  # inputs are no scalars
    (value,) = builder.add(like, [], "x")
    builder.add(op, [value], "view")
    node = builder.build({"x": value}).node("view")
    return executed.Step("", executed.build(node), (), (), ()).run(x)[index]


def check_types(graph: Graph, results: list[Tensor]) -> None:
    """The graph's outputs have the shapes and dtypes of these tensors."""
    expected = [(tuple(y.shape), y.dtype) for y in results]
    assert [(v.shape, DTYPES[v.type.dtype]) for v in graph.outputs] == expected


def stored_in(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, a shared one once. Batches seen are no buffer to archcost."""
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: t for name, t in found.items() if not name.endswith("num_batches_tracked")}


def check_parameters(graph: Graph, module: nn.Module) -> None:
    """As many parameters and buffers as the module has, of the same names and shapes."""
    totals = analyze(graph).totals
    stored = stored_in(module)
    assert totals.params == sum(p.numel() for p in module.parameters())
    assert totals.buffers == sum(b.numel() for n, b in module.named_buffers() if n in stored)
    found = {p.name: (p.shape, DTYPES[p.dtype]) for p in graph.parameters}
    assert found == {name: (tuple(t.shape), t.dtype) for name, t in stored.items()}


def check_macs(graph: Graph, module: nn.Module, *inputs: Tensor) -> None:
    """As many multiply-accumulates as torch's own counter finds."""
    twin = copy.deepcopy(module).to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(*[x.to("meta") for x in inputs])
    assert 2 * analyze(graph).totals.macs == counter.get_total_flops()


def check_values(graph: Graph, trace: Observed, module: nn.Module, *inputs: Tensor) -> None:
    """The graph, executed with the module's weights, gives what the module gives."""
    with torch.no_grad():
        expected = leaves(module(*[x.clone() for x in inputs]))
        found = leaves(executable(graph, trace, module)(*[x.clone() for x in inputs]))
    assert len(found) == len(expected)
    for y, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-5)


@contextmanager
def one_thread() -> Iterator[None]:
    """Tensors as small as those of tests are computed sooner by one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def check(
    module: nn.Module,
    *inputs: Tensor,
    values: bool = True,
    macs: bool = True,
    known: bool = True,
) -> Graph:
    """Reads ``module`` and compares the graph with it in all that both have; the graph."""
    graph, trace = observed(module, *inputs)
    with torch.no_grad():
        results = leaves(module(*[x.clone() for x in inputs]))
    check_types(graph, results)
    check_parameters(graph, module)
    if known:
        assert [node.op.kind for node in graph if not node.op.known] == []
    if macs:
        check_macs(graph, module, *inputs)
    if values:
        check_values(graph, trace, module, *inputs)
    return graph
