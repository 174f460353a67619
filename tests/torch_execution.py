"""Runs a Graph in torch, node by node: what tests compare archcost's numbers with.

It knows the operators that the zoo and the tests need, by torch's own functions, does nothing
cleverly, and drops each tensor after its last reader. :func:`small_graphs` draws random networks
of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils.fusion import fuse_conv_bn_weights

from archcost.ir import Graph, GraphBuilder, Node, Parameter, ShapeError, TensorType, Value
from archcost.ir.ops import make
from archcost.ir.ops.windows import Windows

DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "int64": torch.int64}

PLAIN = {
    "relu": F.relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "scaled_tanh": lambda x: 1.7159 * torch.tanh(x * (2 / 3)),
    "softplus": F.softplus,
    "abs": torch.abs,
    "identity": lambda x: x,
}
"""kind -> function of one tensor, for operators without arguments."""


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
    convolution fused into it, by torch's own function. On the ``device`` meta tensors have shapes
    and no elements: nothing is computed.
    """

    def __init__(
        self, graph: Graph, *, smooth: bool = False, fold: bool = False, device: str = "cpu"
    ) -> None:
        torch.manual_seed(0)
        self.graph = graph
        self.smooth = smooth
        self.device = device
        self.weights: dict[Parameter, Tensor] = {}
        for parameter in graph.parameters:
            dtype = torch.float64 if smooth else DTYPES[parameter.dtype]
            if device == "meta":
                self.weights[parameter] = torch.empty(parameter.shape, dtype=dtype, device=device)
                continue
            tensor = torch.rand(parameter.shape, dtype=dtype) + 0.5
            if len(parameter.shape) > 1 and not smooth:
                tensor = torch.randn(parameter.shape, dtype=dtype)
                tensor *= (2 / max(1, tensor[0].numel())) ** 0.5
            self.weights[parameter] = tensor.requires_grad_(parameter.trainable)
        self.fused: dict[Node, tuple[Tensor, Tensor]] = {}
        self.absent: set[Node] = set()
        if fold:
            for node in graph:
                (x, *_) = node.inputs
                if node.op.kind == "batch_norm" and x.producer and len(x.consumers) == 1:
                    self._fuse(x.producer, node)

    def _fuse(self, conv: Node, norm: Node) -> None:
        if not conv.op.kind.endswith("conv"):
            return
        w, n = self._named(conv), self._named(norm)
        weight, bias = fuse_conv_bn_weights(
            w["weight"],
            w.get("bias"),
            n["running_mean"],
            n["running_var"],
            1e-5,
            n.get("weight"),
            n.get("bias"),
        )
        self.fused[conv] = (weight, bias)
        self.absent.add(norm)

    def inputs(self) -> list[Tensor]:
        """Random inputs of the graph."""
        result = []
        for value in self.graph.inputs:
            if value.type.dtype == "int64":
                result.append(torch.randint(0, 5, value.shape, device=self.device))
            else:
                dtype = torch.float64 if self.smooth else DTYPES[value.type.dtype]
                result.append(torch.rand(value.shape, dtype=dtype, device=self.device) + 0.1)
        return result

    def weight_bytes(self) -> int:
        """Bytes of all weights that an execution uses."""
        replaced = {*self.absent, *self.fused}
        used = {p: self.weights[p] for n in self.graph for p in n.parameters if n not in replaced}
        fused = [tensor for pair in self.fused.values() for tensor in pair]
        return sum(t.numel() * t.element_size() for t in (*used.values(), *fused))

    def __call__(
        self,
        *inputs: Tensor,
        training: bool = False,
        inplace: bool = False,
        observe: Callable[[Node, tuple[Tensor, ...]], None] | None = None,
    ) -> tuple[Tensor, ...]:
        """The graph's outputs. ``observe`` sees each node's outputs while its inputs still live."""
        live: dict[Value, Tensor] = dict(zip(self.graph.inputs, inputs, strict=True))
        kept = {*self.graph.inputs, *self.graph.outputs}
        unread = Counter(value for node in self.graph for value in node.inputs)
        for node in self.graph:
            tensors = [live[value] for value in node.inputs]
            unread.subtract(node.inputs)
            done = [v for v in {*node.inputs, *node.outputs} if not unread[v] and v not in kept]
            if node in self.absent:
                outputs: tuple[Tensor, ...] = (tensors[0],)
            elif inplace and node.op.inplace and self._writable(node, live, done):
                outputs = (self._run_in_place(node, tensors),)
            else:
                result = self._run(node, tensors, training)
                outputs = result if isinstance(result, tuple) else (result,)
                del result
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

    def _named(self, node: Node) -> dict[str, Tensor]:
        names = [spec.name for spec in node.application.parameters]
        tensors = [self.weights[parameter] for parameter in node.parameters]
        return dict(zip(names, tensors, strict=True))

    @staticmethod
    def _run_in_place(node: Node, tensors: list[Tensor]) -> Tensor:
        op = node.op
        if op.kind == "leaky_relu":
            return F.leaky_relu_(*tensors, LEAK if op.slope is None else op.slope)
        if op.kind == "rescale":
            return tensors[0].mul_(op.scale).add_(op.shift)
        return IN_PLACE[op.kind](*tensors)

    def _run(self, node: Node, tensors: list[Tensor], training: bool):
        op, x, w = node.op, tensors[0], self._named(node)
        kind = op.kind
        rank = x.dim() - 2
        if kind in PLAIN:
            return PLAIN[kind](x)
        if kind == "leaky_relu":
            return F.leaky_relu(x, LEAK if op.slope is None else op.slope)
        if kind == "prelu":
            return F.prelu(x, w["weight"])
        if kind == "maxout":
            pieces = x.unflatten(1, (-1, op.pieces))
            return pieces.mean(2) if self.smooth else pieces.max(2).values
        if kind in ("conv", "depthwise_conv"):
            weight, bias = self.fused.get(node, (w["weight"], w.get("bias")))
            if kind == "depthwise_conv":
                op = op.grouped(node.inputs[0].type)
            elif op.connections is not None:
                rows = [row for row, channels in enumerate(op.connections) for _ in channels]
                columns = [channel for channels in op.connections for channel in channels]
                dense = weight.new_zeros(op.out, x.shape[1], *weight.shape[1:])
                place = (torch.tensor(at, device=x.device) for at in (rows, columns))
                weight = dense.index_put(tuple(place), weight)
            x, padding = padded(x, op.windows(node.inputs[0].type), up=op.rounding == "ceil")
            function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
            return function(x, weight, bias, op.stride, padding, op.dilation, op.groups)
        if kind == "local_conv":
            windows = op.windows(node.inputs[0].type)
            x, padding = padded(x, windows, up=op.rounding == "ceil")
            patches = F.unfold(x, windows.kernel, 1, padding, windows.stride)  # (N, C k k, places)
            weight = w["weight"].flatten(0, 1).flatten(2)  # (places, out, C k k)
            y = (weight @ patches.permute(2, 1, 0)).permute(2, 1, 0)
            if op.bias:
                y = y + w["bias"].flatten(0, 1).t()
            return y.contiguous().unflatten(2, windows.out)
        if kind == "conv_transpose":
            function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
            return function(
                x,
                w["weight"],
                w.get("bias"),
                op.stride,
                op.padding,
                op.output_padding,
                op.groups,
                op.dilation,
            )
        if kind == "linear":
            flat = x.flatten(1) if op.flattens(node.inputs[0].type) else x
            return F.linear(flat, w["weight"], w.get("bias"))
        if kind == "matmul":
            return x @ (tensors[1].transpose(-1, -2) if op.transpose_b else tensors[1])
        if kind == "rbf":
            return (x[:, None] - w["centers"]).square().sum(-1)
        if kind == "embedding":
            return F.embedding(x, w["weight"])
        if kind == "batch_norm":
            mean, variance = w.get("running_mean"), w.get("running_var")
            batch = training or not op.track
            return F.batch_norm(x, mean, variance, w.get("weight"), w.get("bias"), batch)
        if kind == "scale_shift":
            shape = (-1, *(1,) * rank) if op.per == "channel" else x.shape[1:]
            y = x * w["weight"].view(shape) if op.scale else x
            return y + w["bias"].view(shape) if op.bias else y
        if kind == "lrn":
            return F.local_response_norm(x, op.size, op.alpha, op.beta, op.k)
        if kind in ("max_pool", "avg_pool", "sum_pool"):
            ceil = op.rounding == "ceil"
            if kind == "max_pool" and (op.indices or not self.smooth):
                function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
                padding = op.padding
                if padding == "same":
                    lowest = float("-inf")
                    x, padding = padded(x, op.windows(node.inputs[0].type), fill=lowest)
                y = function(x, op.kernel, op.stride, padding, op.dilation, ceil, op.indices)
                if not self.smooth:
                    return y
                return F.avg_pool2d(x, op.kernel, op.stride, padding, ceil), y[1]
            function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
            counted = getattr(op, "count_padding", True)
            if kind == "sum_pool":
                return F.avg_pool2d(x, op.kernel, op.stride, op.padding, ceil, counted, 1)
            if op.padding == "same":
                x, padding = padded(x, op.windows(node.inputs[0].type))
                return function(x, op.kernel, op.stride, padding, ceil, counted)
            return function(x, op.kernel, op.stride, op.padding, ceil, counted)
        if kind == "lp_pool":
            function = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[rank - 1]
            return function(x, float(op.norm), op.kernel, op.stride, op.rounding == "ceil")
        if kind == "fractional_max_pool":
            function = (F.fractional_max_pool2d, F.fractional_max_pool3d)[rank - 2]
            return function(x, op.kernel, op.size, op.ratio)
        if kind == "max_unpool":
            return F.max_unpool2d(*tensors, op.kernel, op.stride, op.padding, op.size)
        if kind == "global_avg_pool" or (kind == "global_max_pool" and self.smooth):
            means = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
            return means[rank - 1](x, 1)
        if kind == "global_max_pool":
            maxima = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
            return maxima[rank - 1](x, 1)
        if kind == "concat":
            return torch.cat(tensors, op.dim)
        if kind == "mean":
            return torch.stack(torch.broadcast_tensors(*tensors)).mean(0)
        if kind == "rescale":
            return x * op.scale + op.shift
        if kind in ("sum", "product", "maximum"):
            function = {"sum": torch.add, "product": torch.mul, "maximum": torch.maximum}[kind]
            y = function(x, tensors[1])
            for other in tensors[2:]:
                y = function(y, other)
            return y
        if kind == "flatten":
            return x.flatten(op.start, op.end)
        if kind == "reshape":
            return x.reshape(x.shape[0], *[n or x.shape[at] for at, n in enumerate(op.shape, 1)])
        if kind == "channel_shuffle":
            return F.channel_shuffle(x, op.groups)
        if kind == "slice":
            part = slice(op.start, op.stop, op.step)
            return x[(slice(None),) * (op.dim % x.dim()) + (part,)]
        if kind == "crop":
            sizes = node.outputs[0].shape[2:]
            starts = [0, 0, *op._offsets(node.inputs[0].type, sizes)]
            for dim, (start, size) in enumerate(zip(starts[2:], sizes, strict=True), 2):
                x = x.narrow(dim, start, size)
            return x
        if kind == "split":
            return x.split([value.shape[op.dim] for value in node.outputs], op.dim)
        if kind == "pad":
            sides = [side for pair in reversed(op._sides(node.inputs[0].type)) for side in pair]
            mode = op.mode
            return F.pad(
                x, [*sides, *(op.channels or (0, 0))] if mode == "constant" else sides, mode
            )
        if kind == "upsample":
            return F.interpolate(x, node.outputs[0].shape[2:], mode=op.mode)
        if kind == "drop_path":  # stochastic depth: one draw for each sample
            if not training or not op.rate:
                return x
            return x * F.dropout(x.new_ones(len(x), *[1] * (x.dim() - 1)), op.rate)
        if kind == "dropout":
            per = F.dropout if op.per == "element" else F.dropout2d
            return per(x, op.rate, training)
        if kind in ("softmax", "log_softmax"):
            return (F.log_softmax if op.log else F.softmax)(x, op.dim)
        raise NotImplementedError(f"tests do not execute {kind}")


def padded(
    x: Tensor, windows: Windows, *, up: bool = False, fill: float = 0.0
) -> tuple[Tensor, list[int]]:
    """``x`` and the padding that torch's function is to add to it, the same on both sides: where
    the sides differ, or ``up`` lets windows hang over the end, ``x`` is padded before."""
    sides = list(windows.padding)
    if up:
        for dim, (before, after) in enumerate(sides):
            extent = windows.dilation[dim] * (windows.kernel[dim] - 1) + 1
            end = (windows.out[dim] - 1) * windows.stride[dim] + extent
            sides[dim] = (before, max(after, end - windows.sizes[dim] - before))
    if all(before == after for before, after in sides):
        return x, [before for before, _ in sides]
    return F.pad(x, [n for pair in reversed(sides) for n in pair], value=fill), [0] * len(sides)


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
