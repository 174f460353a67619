"""What a node costs in time on a device: a roofline with efficiencies by operator class.

The time of a kernel is that of starting it, of its arithmetic and of moving its data:

    seconds = launch + compute + memory - overlap * min(compute, memory)

    compute = flops / (peak * efficiency * saturation * lanes) + ops * per_op / peak
    1 / saturation = ((1 + half_m/m) * (1 + half_n/n) + half_p/p) * (1 + half_k/k)
    lanes = fill_n ** lanes_n * fill_k ** lanes_k * inside ** -padding
    memory = (read * (reads + write * writes) + weight * weights + fresh * fresh) / bandwidth

Every name that is no size of :class:`archcost.hardware.kernels.Sizes` is a coefficient of the
node's class, fitted to micro-benchmarks of single operators; ``read`` and ``weight`` have one for
each level of memory, ``reads`` and ``weights`` the bytes that lie there. All are relative to the
device's peak, bandwidth and overhead, so that those of one device can stand in for another of its
kind that was never calibrated. A factor of 1 + half/x is that of a pipeline which takes ``half``
steps to fill, ``p = m * n * groups / units`` the results that each of the device's units has to
compute. A larger batch never takes less time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from archcost.hardware.device import DeviceError
from archcost.hardware.kernels import PRODUCTS, VIEW, Sizes, Traffic, kernels

if TYPE_CHECKING:
    from archcost.hardware.device import Device
    from archcost.ir import Graph, Node

Bound = Literal["compute", "memory", "launch", "nothing"]

LIKEST: Final = {"bf16": "fp16", "tf32": "fp16", "fp8": "fp16", "fp16": "bf16"}
"""What stands for a dtype without coefficients of its own: one that the same units compute."""
ANY: Final = "any"
"""The class of what has neither a class nor a family of its own."""


class LayerTime(NamedTuple):
    """Time that one node takes, in seconds.

    ``seconds`` is the whole; ``compute``, ``memory`` and ``launch`` are what arithmetic, moving
    data and starting kernels would take alone. ``bound`` names the largest of them, ``nothing``
    where a node only looks at its input in another way, or is fused into another.
    """

    node: Node
    seconds: float
    compute: float
    memory: float
    launch: float
    bound: Bound


Coefficients = Mapping[str, float]


class Parts(NamedTuple):
    """The time of one kernel and what it is made of, in seconds.

    ``issue`` is what the host takes to start it, while a GPU still works on what came before.
    """

    seconds: Any
    compute: Any
    memory: Any
    launch: Any
    issue: Any


class Rates(NamedTuple):
    """What coefficients are relative to: FLOP/s, bytes/s, seconds a kernel, units."""

    peak: Any
    bandwidth: Any
    overhead: Any
    units: Any


def parts(c: Coefficients, sizes: Sizes, traffic: Traffic, rates: Rates) -> Parts:
    """The time of a kernel of class ``sizes.group``, by the formula above.

    Numbers may be floats, or tensors of many kernels at once: fitting runs the same lines.
    """
    s = sizes
    launch = c["overhead"] * rates.overhead * s.launches
    compute = s.ops * c["per_op"] / rates.peak
    memory = sum(c[f"read_{level}"] * nbytes for level, nbytes in enumerate(traffic.reads))
    memory += sum(
        c[f"read_{level}"] * c["write"] * nbytes for level, nbytes in enumerate(traffic.writes)
    )
    if s.group in PRODUCTS:
        launch = launch + c["odd_overhead"] * rates.overhead * s.odd
        p = s.m * s.n * s.groups / rates.units
        filling = (1 + c["half_m"] / s.m) * (1 + c["half_n"] / s.n) + c["half_p"] / p
        saturation = 1 / (filling * (1 + c["half_k"] / s.k))
        lanes = s.fill_n ** c["lanes_n"] * s.fill_k ** c["lanes_k"] * s.inside ** -c["padding"]
        compute = compute + s.flops / (rates.peak * c["efficiency"] * saturation * lanes)
        memory = memory * (1 + c["odd"] * s.odd) * (1 + c["strided"] * s.strided)
    memory += sum(c[f"weight_{level}"] * nbytes for level, nbytes in enumerate(traffic.weights))
    memory = memory + c["fresh"] * traffic.fresh
    memory = memory / rates.bandwidth
    least = (compute + memory - abs(compute - memory)) / 2
    seconds = launch + compute + memory - c["overlap"] * least
    return Parts(seconds, compute, memory, launch, c["issue"] * rates.overhead * s.launches)


def coefficient_names(group: str, levels: int) -> tuple[str, ...]:
    """The coefficients of a class, where memory has so many levels."""
    each = tuple(f"{what}_{level}" for what in ("read", "weight") for level in range(levels))
    common = ("overhead", "issue", "per_op", "write", "fresh", "overlap", *each)
    if group not in PRODUCTS:
        return common
    return (
        *common,
        *("efficiency", "half_m", "half_n", "half_k", "half_p"),
        *("lanes_n", "lanes_k", "padding", "odd", "odd_overhead", "strided"),
    )


class Costs(NamedTuple):
    """The coefficients of one device, or of devices of a kind, by dtype and class.

    Attributes:
        caches: bytes of the levels of cache that they distinguish, the smallest first; memory is
            one level more.
        classes: dtype -> class -> coefficients.
    """

    caches: tuple[int, ...]
    classes: Mapping[str, Mapping[str, Coefficients]] = MappingProxyType({})

    def of(self, dtype: str, sizes: Sizes) -> Coefficients:
        """The coefficients for a node: of its class, else of its family, else of any; of its dtype,
        else of the one that is computed likest, relative to the peak of its own. A product's are
        always those of a product."""
        known = [name for name in (dtype, LIKEST.get(dtype, "")) if name in self.classes]
        classes = self.classes[(known or list(self.classes))[0]]
        products = PRODUCTS if sizes.group in PRODUCTS else ()
        for name in (sizes.group, sizes.family, *products):
            if name in classes:
                return classes[name]
        return classes[ANY]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Costs:
        """Costs of nested mappings of numbers, as :meth:`data` gives them.

        Raises:
            ValueError: a class lacks a coefficient or has one that is none of its, or one that
                makes no time; a dtype has no class for everything else or for products; levels of
                cache are not ordered.
        """
        if set(data) - {"caches", "classes"} or not isinstance(data.get("classes"), Mapping):
            raise ValueError("expected caches and classes")
        caches = tuple(int(size) for size in data.get("caches", {}).values())
        if list(caches) != sorted(set(caches)) or any(size < 1 for size in caches):
            raise ValueError("caches go from the smallest to the largest")
        if not data["classes"]:
            raise ValueError("there are no classes of any dtype")
        for dtype, classes in data["classes"].items():
            if ANY not in classes:
                raise ValueError(f"{dtype} has no class {ANY!r}")
            if not any(name in classes for name in PRODUCTS):
                raise ValueError(f"{dtype} has none of the classes {', '.join(PRODUCTS)}")
            for name, coefficients in classes.items():
                wanted = coefficient_names(name, len(caches) + 1)
                if set(coefficients) != set(wanted):
                    odd = sorted(set(coefficients) ^ set(wanted))
                    raise ValueError(f"{dtype}, {name}: {', '.join(odd)} missing or unknown")
                for coefficient, number in coefficients.items():
                    if not _makes_time(coefficient, number):
                        raise ValueError(f"{dtype}, {name}: {coefficient} is {number!r:.30}")
        return cls(caches, data["classes"])

    def data(self) -> dict[str, Any]:
        """Nested mappings of numbers, for a device file."""
        return {
            "caches": {f"level_{place}": size for place, size in enumerate(self.caches)},
            "classes": {
                dtype: {name: dict(found) for name, found in classes.items()}
                for dtype, classes in self.classes.items()
            },
        }


def _makes_time(name: str, number: float) -> bool:
    """Whether times stay positive and finite with a coefficient of this value."""
    if not isfinite(number) or number < 0:
        return False
    return {"efficiency": number > 0, "overlap": number <= 1}.get(name, True)


def layer_times(graph: Graph, device: Device, *, fused: bool = False) -> tuple[LayerTime, ...]:
    """The time of every node of ``graph`` on ``device``, in the graph's order and dtype.

    Nodes run one after the other. A CPU starts one when the one before is done; a GPU works
    through a queue that the host fills meanwhile, and waits where the host is slower: then a
    layer's time is that of the host.

    Args:
        graph: the network.
        device: where it runs.
        fused: element-wise operations and normalisations by fixed statistics are part of the
            operator whose result they alone read: they cost what else they read.

    Raises:
        DeviceError: the device has no figure for the graph's dtype.
    """
    dtype = graph.dtype
    peak = device.peak.get(dtype)
    if peak is None:
        known = ", ".join(device.peak)
        raise DeviceError(f"{device.title} has no peak for {dtype}; there are: {known}")
    costs = device.costs or class_costs(device)
    rates = Rates(peak, device.bandwidth, device.overhead, float(device.units))
    absent = fused_nodes(graph) if fused else {}
    executed = kernels(graph, costs.caches, pages=device.kind == "cpu")
    memo: dict[tuple[object, Traffic], Parts] = {}
    host = done = 0.0
    times = []
    for node, (sizes, moved) in zip(graph.nodes, executed, strict=True):
        if node in absent:
            extra = sum(value.type.nbytes for value in node.inputs[1:]) / device.bandwidth
            done += extra
            bound: Bound = "memory" if extra else "nothing"
            times.append(LayerTime(node, extra, 0.0, extra, 0.0, bound))
            continue
        key = (node.application, moved)
        found = memo.get(key)
        if found is None:
            found = memo[key] = parts(costs.of(dtype, sizes), sizes, moved, rates)
        before = done
        if device.kind == "gpu":
            host += found.issue
            done = max(host, done) + found.seconds
        else:
            done += found.seconds
        seconds = done - before
        launch = found.launch + max(0.0, seconds - found.seconds)
        if sizes.group == VIEW:
            bound = "nothing"
        else:
            most = max(found.compute, found.memory, launch)
            bound = "launch" if most == launch else "compute" if most == found.compute else "memory"
        times.append(LayerTime(node, seconds, found.compute, found.memory, launch, bound))
    return tuple(times)


FUSING: Final = frozenset({"activation", "arithmetic", "merge"})
"""Families of operators that work element by element, but for those in :data:`NOT_FUSING`."""
NOT_FUSING: Final = frozenset({"softmax", "log_softmax", "softmin", "concat", "maxout"})
FOLDING: Final = frozenset({"batch_norm", "scale_shift"})
"""Normalisations whose statistics are fixed at inference: a factor and a term for each channel."""


def fused_nodes(graph: Graph) -> dict[Node, Node]:
    """node -> the node that it is fused into, for those that compilers fuse.

    A node that works element by element becomes part of the one that makes its first input, itself
    fused or not, where nobody else reads that input and it has the output's shape.
    """
    into: dict[Node, Node] = {}
    outputs = set(graph.outputs)
    for node in graph.nodes:
        op = node.op
        family = type(op).__module__.rpartition(".")[2]
        if op.view or not (op.kind in FOLDING or (family in FUSING and op.kind not in NOT_FUSING)):
            continue
        value = node.inputs[0] if node.inputs else None
        if value is None or value.producer is None or value in outputs:
            continue
        alone = all(reader is node for reader in value.consumers)
        if alone and value.shape == node.outputs[0].shape and not value.producer.op.view:
            into[node] = into.get(value.producer, value.producer)
    return into


@cache
def _classes(kind: str) -> Costs:
    """What stands for devices of a kind that were never calibrated: a file in ``classes/``."""
    import json  # not before: a device that was calibrated needs none of these

    path = Path(__file__).parent / "classes" / f"{kind}.json"
    return Costs.from_data(json.loads(path.read_text(encoding="utf-8"))["costs"])


def class_costs(device: Device) -> Costs:
    """The coefficients of devices like this one, with its own caches in place of theirs."""
    costs = _classes(device.kind)
    sizes = sorted({c.bytes * (1 if c.shared else device.units) for c in device.caches})
    levels = len(costs.caches)
    own = sizes[-levels:]
    while len(own) < levels:  # a device with fewer levels has none of the nearest
        own.insert(0, (own[0] if own else costs.caches[-1]) // 8)
    return Costs(tuple(own), costs.classes)
