"""Estimated peak memory against torch's own CUDA allocator."""

from __future__ import annotations

from statistics import median

import pytest

import archcost
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.measure.passes import Settings, measure

pytestmark = pytest.mark.cuda

NETWORKS = (
    "alexnet",
    "googlenet",
    "vgg16",
    "resnet18",
    "resnet50",
    "inception-v3",
    "squeezenet",
    "mobilenet-v1",
    "simplenet",
    "highway-19",
)


def test_peak_memory_is_what_the_allocator_gave_out() -> None:
    import torch

    # What torch keeps for cuBLAS depends on the architecture; no more of the device matters here.
    device = find("h200" if torch.cuda.get_device_capability()[0] >= 9 else "a100")
    errors = {}
    for name in NETWORKS:
        for dtype in ("fp32", "bf16"):
            graph = archcost.load(name).with_batch(8)
            found = measure(graph, Settings(device="cuda", dtype=dtype, min_run_time=0.1))
            estimated = estimate(graph.with_dtype(dtype), device).peak_memory
            errors[name, dtype] = estimated / found.peak_memory - 1
    report = "\n".join(f"{name} {dtype}: {error:+.1%}" for (name, dtype), error in errors.items())
    assert median(map(abs, errors.values())) < 0.05, report
    assert max(map(abs, errors.values())) < 0.5, report
