"""Measuring on an NVIDIA GPU, as it is there."""

from __future__ import annotations

import pytest

import archcost
from archcost.measure.passes import Settings, measure, prepared
from archcost.measure.records import MeasureError

pytestmark = pytest.mark.cuda

BRIEF = 0.2
"""Seconds that a pass is repeated for: these tests ask whether, not how fast."""
KEPT = 2**27
"""Bytes that libraries may keep for themselves; the weights of VGG-16 are four times that."""


def settings(**changes: object) -> Settings:
    return Settings(**{"device": "cuda", "min_run_time": BRIEF, **changes})


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16"])
@pytest.mark.parametrize("name", ["simplenet", "mobilenet-v1"])
def test_every_dtype_and_memory_format(name: str, dtype: str, channels_last: bool) -> None:
    graph = archcost.load(name)
    found = measure(graph, settings(dtype=dtype, batch=8, channels_last=channels_last))
    assert found.failure is None
    timing = found.timing
    assert 0 < timing.min <= timing.q1 <= timing.median <= timing.q3 <= timing.max < 1
    width = 4 if dtype in ("fp32", "tf32") else 2
    assert found.peak_memory > width * found.params
    assert found.memory.reserved_bytes >= found.memory.allocator_bytes
    assert found.throughput == pytest.approx(8 / timing.median)
    assert (found.dtype, found.batch, found.channels_last) == (dtype, 8, channels_last)


def test_the_machine_is_recorded() -> None:
    import torch

    environment = measure(archcost.load("lenet5"), settings()).environment
    properties = torch.cuda.get_device_properties(0)
    assert environment.kind == "gpu"
    assert properties.name in environment.device
    assert environment.memory_bytes == properties.total_memory
    assert environment.torch == torch.__version__
    assert environment.cuda == torch.version.cuda
    assert environment.driver
    assert environment.driver[0].isdigit()
    assert environment.clocks
    assert any(
        isinstance(value, int | float) and value > 0 for value in environment.clocks.values()
    )


def test_layers_add_up_to_the_pass() -> None:
    """Kernels so long that starting them is hidden: the parts are the whole, but for gaps."""
    found = measure(archcost.load("resnet50"), settings(batch=128, layers=True, min_run_time=1.0))
    total = sum(layer.seconds for layer in found.layers)
    assert 0.9 < total / found.timing.median < 1.15
    assert len(found.layers) == len(archcost.load("resnet50").nodes)


def test_layers_in_half_precision_too() -> None:
    graph = archcost.load("vgg16")
    found = measure(graph, settings(batch=64, dtype="bf16", layers=True, channels_last=True))
    total = sum(layer.seconds for layer in found.layers)
    assert 0.85 < total / found.timing.median < 1.25


def test_tf32_is_on_for_tf32_only_and_put_back() -> None:
    import torch

    def flags() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    if torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no TF32")
    graph = archcost.load("vgg16")
    before = flags()
    exact = measure(graph, settings(batch=64, dtype="fp32", min_run_time=1.0))
    assert flags() == before
    rounded = measure(graph, settings(batch=64, dtype="tf32", min_run_time=1.0))
    assert flags() == before
    # Whoever has tensor cores for TF32 is at least twice as fast with them.
    assert rounded.timing.median < 0.75 * exact.timing.median


def test_channels_last_holds_all_the_way() -> None:
    import torch

    graph = archcost.load("resnet18").with_batch(4).with_dtype("fp16")
    module, inputs = prepared(graph, settings(dtype="fp16", batch=4, channels_last=True))
    seen = []

    def look(_module: object, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.dim() == 4:
            seen.append(output.is_contiguous(memory_format=torch.channels_last))

    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(look)
    with torch.inference_mode():
        module(*inputs)
    assert inputs[0].is_contiguous(memory_format=torch.channels_last)
    assert len(seen) == 20
    assert all(seen)


def test_out_of_memory_is_said_and_the_rest_goes_on() -> None:
    import torch

    graph = archcost.load("vgg16")
    element = graph.inputs[0].type.numel * 4 // graph.batch
    batch = 2 * torch.cuda.get_device_properties(0).total_memory // element
    with pytest.raises(MeasureError) as raised:
        measure(graph, settings(batch=batch))
    assert raised.value.kind == "out of memory"
    assert len(str(raised.value).splitlines()) == 1
    assert torch.cuda.memory_allocated() < KEPT  # nothing of the failed pass is kept
    assert measure(graph, settings(batch=1)).failure is None


def test_half_way_out_of_memory() -> None:
    """The input fits; what the layers make of it does not."""
    import torch

    graph = archcost.load("vgg16")
    total = torch.cuda.get_device_properties(0).total_memory
    first = graph.nodes[0].outputs[0].type.numel * 4 // graph.batch
    with pytest.raises(MeasureError) as raised:
        measure(graph, settings(batch=total // first))
    assert raised.value.kind == "out of memory"
    assert torch.cuda.memory_allocated() < KEPT


def test_compiled() -> None:
    pytest.importorskip("triton", reason="torch.compile needs triton")
    found = measure(archcost.load("lenet5"), settings(batch=8, compile=True))
    assert found.compiled
    assert found.compile_seconds > 0
    assert found.timing.median < 1


def test_no_such_device() -> None:
    import torch

    count = torch.cuda.device_count()
    with pytest.raises(MeasureError) as raised:
        measure(archcost.load("lenet5"), settings(device=f"cuda:{count}"))
    assert raised.value.kind == "device"
    assert len(str(raised.value).splitlines()) == 1


def test_measuring_costs_little_more_than_the_passes() -> None:
    found = measure(archcost.load("resnet50"), settings(batch=64, min_run_time=2.0))
    assert found.measuring_seconds < 1.1 * found.passes_seconds
