"""Runs a Graph in torch, node by node: what tests compare archcost's numbers with.

The nodes are executed by the calls of :func:`archcost.to_torch`; here they can be watched, work in
place, be folded or made smooth, and each tensor is dropped after its last reader.
:func:`small_graphs` draws random networks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils.fusion import fuse_conv_bn_eval

from archcost.ir import Graph, GraphBuilder, Node, Parameter, ShapeError, TensorType, Value
from archcost.ir.ops import make
from archcost.targets import to_torch
from archcost.targets.torch import GraphModule, Step
from archcost.targets.torch_operators import DTYPES, MODULES, Call, build


def outputs_of(net: GraphModule, *inputs: Tensor) -> tuple[Tensor, ...]:
    """What ``net`` gives in evaluation, whether one tensor or several."""
    with torch.no_grad():
        result = net.eval()(*inputs)
    return result if isinstance(result, tuple) else (result,)


def add_(x: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        x += other
    return x


def mean_(x: Tensor, *others: Tensor) -> Tensor:
    return add_(x, *others).div_(1 + len(others))


IN_PLACE = {
    "sum": add_,
    "mean": mean_,
    "relu": F.relu_,
    "relu6": lambda x: F.relu6(x, inplace=True),
    "elu": F.elu_,
    "silu": lambda x: F.silu(x, inplace=True),
    "hard_swish": lambda x: F.hardswish(x, inplace=True),
}


LEAK = 0.01
"""torch's own slope of a leaky ReLU."""


class TorchNet:
    """The weights of ``graph`` and its execution.

    ``smooth`` makes every dependence show in the gradient: weights are positive, in fp64, and
    max pools and maxout take means. ``fold`` has each batch normalisation that alone reads a
    convolution fused into it, by torch's own function.
    """

    def __init__(self, graph: Graph, *, smooth: bool = False, fold: bool = False) -> None:
        self.graph = graph
        self.dtype = torch.float64 if smooth else None
        self.module = to_torch(graph).to(self.dtype).eval()
        self.steps: dict[Node, Step] = dict(zip(graph, self.module.steps, strict=True))
        self.weights: dict[Parameter, Tensor] = {
            parameter: getattr(step.module, spec.name)
            for node, step in self.steps.items()
            for spec, parameter in zip(node.application.parameters, node.parameters, strict=True)
        }
        torch.manual_seed(0)
        for weight in self.weights.values():
            tensor = torch.rand_like(weight) + 0.5
            if weight.dim() > 1 and not smooth:
                tensor = torch.randn_like(weight) * (2 / max(1, weight[0].numel())) ** 0.5
            weight.data.copy_(tensor)
        if smooth:
            for node in graph:
                self._change(node, smoothed(node))
        if fold:
            for node in graph:
                (x, *_) = node.inputs
                if node.op.kind == "batch_norm" and x.producer and len(x.consumers) == 1:
                    self._fuse(x.producer, node)

    def _change(self, node: Node, calls: tuple[Call, ...] | None) -> None:
        if calls is not None:
            self.steps[node] = self.steps[node]._replace(calls=calls)

    def _fuse(self, conv: Node, norm: Node) -> None:
        if conv.op.kind not in ("conv", "depthwise_conv"):
            return
        old = self.steps[conv].module
        fused = fuse_conv_bn_eval(old, self.steps[norm].module)
        self._change(conv, tuple(fused if call is old else call for call in self.steps[conv].calls))
        self._change(norm, ())

    def inputs(self) -> list[Tensor]:
        """Random inputs of the graph."""
        result = []
        for value in self.graph.inputs:
            if value.type.dtype == "int64":
                result.append(torch.randint(0, 5, value.shape))
            else:
                dtype = self.dtype or DTYPES[value.type.dtype]
                result.append(torch.rand(value.shape, dtype=dtype) + 0.1)
        return result

    def weight_bytes(self) -> int:
        """Bytes of all weights that an execution uses."""
        modules = [step.module for step in self.steps.values() if step.module is not None]
        used = {
            tensor: tensor.nbytes
            for module in modules
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
            if name != "num_batches_tracked"
        }
        return sum(used.values())

    def __call__(
        self,
        *inputs: Tensor,
        training: bool = False,
        inplace: bool = False,
        observe: Callable[[Node, tuple[Tensor, ...]], None] | None = None,
    ) -> tuple[Tensor, ...]:
        """The graph's outputs. ``observe`` sees each node's outputs while its inputs still live."""
        self.module.train(training)
        live: dict[Value, Tensor] = dict(zip(self.graph.inputs, inputs, strict=True))
        kept = {*self.graph.inputs, *self.graph.outputs}
        unread = Counter(value for node in self.graph for value in node.inputs)
        for node in self.graph:
            tensors = [live[value] for value in node.inputs]
            unread.subtract(node.inputs)
            done = [v for v in {*node.inputs, *node.outputs} if not unread[v] and v not in kept]
            if inplace and node.op.inplace and self._writable(node, live, done):
                outputs: tuple[Tensor, ...] = (self._run_in_place(node, tensors),)
            else:
                outputs = self.steps[node].run(*tensors)
            live.update(zip(node.outputs, outputs, strict=True))
            if observe:
                observe(node, outputs)
            del tensors, outputs
            for value in done:
                del live[value]
        return tuple(live[value] for value in self.graph.outputs)

    @staticmethod
    def _writable(node: Node, live: dict[Value, Tensor], done: list[Value]) -> bool:
        """Whether nobody who still needs its storage would see ``node`` write over its input."""
        first = node.inputs[0]
        if first not in done or first in node.inputs[1:]:
            return False
        if live[first].shape != node.outputs[0].shape:
            return False
        pointer = live[first].untyped_storage().data_ptr()
        return not any(
            tensor.untyped_storage().data_ptr() == pointer
            for value, tensor in live.items()
            if value is not first and (value not in done or value in node.inputs)
        )

    @staticmethod
    def _run_in_place(node: Node, tensors: list[Tensor]) -> Tensor:
        op = node.op
        if op.kind == "leaky_relu":
            return F.leaky_relu_(*tensors, LEAK if op.slope is None else op.slope)
        if op.kind == "rescale":
            return tensors[0].mul_(op.scale).add_(op.shift)
        return IN_PLACE[op.kind](*tensors)


def smoothed(node: Node) -> tuple[Call, ...] | None:
    """Calls that take means where ``node`` takes maxima; None where it takes none."""
    op = node.op
    if op.kind == "maxout":
        return (lambda x: x.unflatten(1, (-1, op.pieces)).mean(2),)
    if op.kind == "global_max_pool":
        return (MODULES["global_avg_pool"](make("global_avg_pool"), node),)
    if op.kind == "max_pool":
        window = {name: getattr(op, name) for name in ("kernel", "stride", "padding", "rounding")}
        mean = MODULES["avg_pool"](make("avg_pool", **window), node)
        if not op.indices:
            return mean
        means, maxima = (Step("", calls, (), (), ()) for calls in (mean, build(node)))
        return (lambda x: (*means.run(x), maxima.run(x)[1]),)
    return None


class StorageTracker:
    """Bytes of the storages, of those that it was shown, that are alive: torch's own word."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[StorageWeakRef, int]] = {}

    def see(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._seen.setdefault(storage._cdata, (StorageWeakRef(storage), storage.nbytes()))

    def alive(self) -> int:
        return sum(size for reference, size in self._seen.values() if not reference.expired())


@st.composite
def small_graphs(draw: st.DrawFn, kinds: tuple[str, ...], most: int = 10) -> Graph:
    """Random networks of up to ``most`` operators, with branches, merges and several outputs."""
    builder = GraphBuilder("random")
    size = draw(st.integers(5, 9))
    shape = (2, draw(st.integers(1, 4)), size, size)
    values = [builder.input("input", TensorType(shape))]
    small = st.integers(1, 3)
    for number in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(kinds))
        near = values[-4:]
        inputs = [draw(st.sampled_from(near))]
        arguments: dict[str, object] = {}
        if kind in ("conv", "depthwise_conv", "max_pool", "avg_pool"):
            kernel = draw(small)
            arguments = {"kernel": kernel, "stride": draw(st.integers(1, 2))}
            arguments["padding"] = draw(st.integers(0, kernel // 2))
            if kind.endswith("conv"):
                arguments["bias"] = draw(st.booleans())
                arguments["dilation"] = draw(st.integers(1, 2))
            else:
                arguments["rounding"] = draw(st.sampled_from(["floor", "ceil"]))
            if kind == "conv":
                arguments["out"] = draw(small)
        elif kind in ("concat", "sum", "product"):
            inputs += draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
        elif kind == "linear":
            arguments = {"out": draw(small), "bias": draw(st.booleans())}
        elif kind == "slice":
            arguments = {"dim": draw(st.integers(1, 3)), "start": draw(st.integers(0, 1))}
            arguments["step"] = draw(st.integers(1, 2))
        elif kind == "split":
            arguments = {"parts": draw(st.integers(1, 3)), "dim": draw(st.integers(1, 3))}
        elif kind == "pad":
            arguments = {"padding": draw(st.integers(0, 2))}
        elif kind == "upsample":
            arguments = {"scale": 2}
        try:
            values += builder.add(make(kind, **arguments), inputs, f"{kind}{number}")
        except ShapeError:
            continue
    outputs = {"last": values[-1]}
    if draw(st.booleans()):
        outputs["other"] = draw(st.sampled_from(values))
    return builder.build(outputs)
