"""The costs that stand for GPUs that were never calibrated, fitted to published micro-benchmarks.

``python -m archcost.validation.classes`` prints ``archcost/hardware/classes/gpu.json``, and with a
device file behind it ``cpu.json``, which are the costs of that one calibrated CPU.

Published are products of matrices and convolutions (DeepBench), on which those classes are fitted,
over all devices at once. Nobody published the rest in such a form; it is assumed, and said so here:
what only moves data reaches 90 % of the memory's bandwidth, and three times that from the L2
cache; depthwise and grouped convolutions move their data at half of the bandwidth and compute at a
quarter of what dense ones do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from archcost.hardware.costs import ANY, Costs, Rates, coefficient_names
from archcost.hardware.device import DeviceError
from archcost.hardware.files import find
from archcost.hardware.kernels import VIEW, Kernel, kernels
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops.convolution import Conv
from archcost.ir.ops.linear import Linear
from archcost.measure.fitting import BEGIN, Fit, fit_kernels
from archcost.published.kernels import KernelTime
from archcost.published.kernels import kernels as published_kernels

if TYPE_CHECKING:
    from archcost.hardware.device import Device
    from archcost.ir import Graph

LEVELS: Final = 2
"""L2 cache and memory."""
TYPICAL_CACHE: Final = 6 * 2**20
"""Bytes of L2 of a GPU whose file has none: a V100's."""
MOVING: Final = {
    "read_0": 0.37,
    "read_1": 1.11,
    "overhead": 0.5,
    "per_op": 0.1,
    "fresh": 0.0,
    "overlap": 0.9,
}
"""Of everything that is no product: bytes over bandwidth, from L2 and from memory, and the rest."""
GROUPED: Final = {"read_0": 0.74, "read_1": 2.0}
"""Of depthwise and grouped convolutions; their efficiency is this share of the dense ones'."""
GROUPED_SHARE: Final = 0.25


def gpu_costs() -> tuple[Costs, dict[str, dict[str, Fit]]]:
    """The costs of the class of GPUs by dtype, and how well its classes were fitted."""
    classes: dict[str, dict[str, dict[str, float]]] = {}
    fits = {}
    for dtype in ("fp32", "fp16"):
        samples = list(_samples(dtype))
        found, fits[dtype] = fit_kernels(
            [kernel for kernel, _, _ in samples],
            [seconds for _, seconds, _ in samples],
            [rates for _, _, rates in samples],
            LEVELS,
        )
        classes[dtype] = _completed(found)
    return Costs((TYPICAL_CACHE,), classes), fits


def _samples(dtype: str) -> Iterator[tuple[Kernel, float, Rates]]:
    for one in published_kernels():
        device = find(one.device)
        peak = device.peak.get(one.dtype)
        # Products of fp16 on a P100 were summed by units for fp32.
        if one.dtype != dtype or peak is None or (dtype == "fp16" and not _tensor_cores(device)):
            continue
        rates = Rates(peak, device.bandwidth, device.overhead, float(device.units))
        cache = max((c.bytes for c in device.caches if c.shared), default=TYPICAL_CACHE)
        graph = _graph(one).with_dtype(dtype)
        yield kernels(graph, (cache,), pages=False)[0], one.seconds, rates


def _tensor_cores(device: Device) -> bool:
    """Vector units compute fp16 at twice the rate of fp32 at most."""
    return device.peak["fp16"] > 3 * device.peak["fp32"]


def _graph(one: KernelTime) -> Graph:
    """The graph of a single node that does what the kernel does."""
    dims = one.dims
    builder = GraphBuilder(one.op)
    if one.op == "gemm":
        x = builder.input("x", TensorType((dims["n"], dims["k"])))
        (y,) = builder.add(Linear(out=dims["m"], bias=False), [x], "y")
        return builder.build({"y": y})
    shape = (dims["batch"], dims["in_channels"], dims["in_height"], dims["in_width"])
    x = builder.input("x", TensorType(shape))
    op = Conv(
        out=dims["out_channels"],
        kernel=(dims["kernel_height"], dims["kernel_width"]),
        stride=(dims["stride_height"], dims["stride_width"]),
        padding=(dims["padding_height"], dims["padding_width"]),
        bias=False,
    )
    (y,) = builder.add(op, [x], "y")
    return builder.build({"y": y})


def _completed(found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The fitted classes, and those that are assumed."""
    moving = {
        name: MOVING.get(name, BEGIN.get(name, 1.0)) for name in coefficient_names(ANY, LEVELS)
    }
    result = {ANY: moving, VIEW: {**moving, "overhead": 0.0, "issue": 0.5}, **found}
    result.setdefault("conv_pointwise", dict(found["conv"]))
    result["conv_transpose"] = dict(found["conv"])
    result["matmul"] = dict(found["linear"])
    result.setdefault("linear_vector", dict(found["linear"]))
    share = GROUPED_SHARE * found["conv"]["efficiency"]
    for name in ("conv_grouped", "conv_depthwise"):
        result[name] = {
            **found["conv"],
            **GROUPED,
            "efficiency": share,
            "half_n": 0.0,
            "half_k": 0.0,
        }
    return {name: result[name] for name in sorted(result)}


def main(arguments: Iterable[str]) -> str:
    """The text of a file of ``archcost/hardware/classes``.

    Raises:
        DeviceError: what the arguments name is no device, or was never calibrated.
    """
    files = list(arguments)
    about: dict[str, Any] = {"made_by": "python -m archcost.validation.classes"}
    if files:
        device = find(files[0])
        if device.costs is None:
            raise DeviceError(f"{files[0]} was never calibrated")
        costs = device.costs
        about |= {"device": device.title, "calibrated": dict(device.calibrated)}
    else:
        costs, fits = gpu_costs()
        about["fitted"] = {
            dtype: {
                name: {"samples": one.samples, "median_error": round(one.median, 4)}
                for name, one in own.items()
            }
            for dtype, own in fits.items()
        }
    return json.dumps({**about, "costs": costs.data()}, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
