"""Estimates: sums, bounds, memory and batches of what the layers take."""

from __future__ import annotations

from dataclasses import replace

import pytest

import archcost
from archcost.analysis import forward_memory, weight_bytes
from archcost.hardware.allocator import BLOCK, MIB
from archcost.hardware.costs import LayerTime, layer_times
from archcost.hardware.device import Device, DeviceError
from archcost.hardware.estimate import (
    CUBLAS_WORKSPACE,
    CUBLAS_WORKSPACE_SINCE_HOPPER,
    LARGEST_BATCH,
    LEAST_GAIN,
    SATURATED,
    Bounds,
    Curve,
    batch_curve,
    estimate,
    largest_batch,
    pass_memory,
)

GPU = Device(
    name="made-up-gpu",
    title="Made-up GPU",
    kind="gpu",
    peak={"fp32": 10e12, "tf32": 40e12, "fp16": 80e12},
    bandwidth=500e9,
    memory=8 * 2**30,
    overhead=5e-6,
    units=40,
    power=250,
)
CPU = replace(GPU, name="made-up-cpu", kind="cpu", peak={"fp32": 100e9}, bandwidth=20e9, power=None)
NETWORKS = ("simplenet", "lenet5", "alexnet", "squeezenet", "mobilenet-v1", "densenet121")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("device", [GPU, CPU], ids=lambda device: device.kind)
def test_the_whole_is_its_layers(name, device):
    graph = archcost.load(name, batch=4)
    found = estimate(graph, device)
    assert found.layers == layer_times(graph, device)
    assert [time.node for time in found.layers] == list(graph.nodes)
    assert found.seconds == pytest.approx(sum(time.seconds for time in found.layers))
    assert found.throughput == pytest.approx(4 / found.seconds)
    assert sum(found.bounds) == pytest.approx(found.seconds)
    assert found.flops == archcost.analyze(graph).totals.flops
    assert found.peak_share == pytest.approx(found.flops / found.seconds / device.peak["fp32"])
    assert found.dtype == "fp32"
    assert not found.unknown


def test_energy_is_power_throughout():
    graph = archcost.load("simplenet")
    found = estimate(graph, GPU)
    assert found.energy_joules == pytest.approx(250 * found.seconds)
    assert estimate(graph, CPU).energy_joules is None


def test_bounds_are_of_those_layers_that_they_hold_for():
    node = archcost.load("lenet5").nodes[0]
    layers = [
        LayerTime(node, 3.0, 2.9, 1.0, 0.1, "compute"),
        LayerTime(node, 2.0, 0.5, 1.9, 0.1, "memory"),
        LayerTime(node, 2.0, 0.5, 1.9, 0.1, "memory"),
        LayerTime(node, 0.5, 0.0, 0.0, 0.5, "nothing"),
    ]
    bounds = Bounds.of(layers)
    assert bounds == Bounds(3.0, 4.0, 0.5)
    assert bounds.longest == "memory"
    shares = [("memory", 4 / 7.5), ("compute", 3 / 7.5), ("launch", 0.5 / 7.5)]
    assert list(bounds.shares().items()) == shares
    assert Bounds.of([]).longest == "nothing"
    assert set(Bounds.of([]).shares().values()) == {0.0}


def test_a_dtype_without_units_is_refused():
    with pytest.raises(DeviceError, match="fp64"):
        estimate(archcost.load("lenet5", dtype="fp64"), GPU)


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("fused", [False, True])
def test_memory_of_a_cpu_is_liveness(name, fused):
    graph = archcost.load(name, batch=3)
    memory = pass_memory(graph, CPU, fused=fused)
    analysed = forward_memory(graph, inplace=fused, fold_norm=fused)
    assert memory.activations == analysed.activations
    assert memory.weights == weight_bytes(graph)
    assert memory.peak == memory.reserved == memory.weights + memory.activations
    assert memory.workspace == memory.rounding == 0


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 16])
def test_memory_of_a_gpu_is_that_and_what_the_allocator_adds(name, batch):
    graph = archcost.load(name, batch=batch)
    memory = pass_memory(graph, GPU)
    exact = weight_bytes(graph) + forward_memory(graph).activations
    assert memory.peak == exact + memory.workspace + memory.rounding
    assert memory.peak <= memory.reserved
    # At most a block less one byte for small tensors, 1 MiB for large ones.
    tensors = len(graph.parameters) + len(graph.nodes) + len(graph.inputs)
    assert 0 <= memory.rounding < tensors * (BLOCK + MIB)
    assert memory.peak % BLOCK == 0


def test_the_workspace_is_there_where_something_needs_it():
    assert pass_memory(archcost.load("alexnet"), GPU).workspace == CUBLAS_WORKSPACE
    assert pass_memory(archcost.load("squeezenet"), GPU).workspace == 0
    hopper = replace(GPU, chip="GH100 (Hopper)")
    memory = pass_memory(archcost.load("alexnet"), hopper)
    assert memory.workspace == CUBLAS_WORKSPACE_SINCE_HOPPER


def test_half_the_bytes_in_half_the_precision():
    whole = pass_memory(archcost.load("vgg16", batch=8), CPU)
    half = pass_memory(archcost.load("vgg16", batch=8, dtype="fp16"), CPU)
    assert half.peak * 2 == whole.peak


# --- batches --------------------------------------------------------------------------------------


def test_a_curve_has_the_batches_that_were_asked_for():
    graph = archcost.load("simplenet")
    curve = batch_curve(graph, GPU, (1, 3, 40))
    assert [point.batch for point in curve] == [1, 3, 40]
    assert [p.seconds for p in curve] == [
        estimate(graph.with_batch(batch), GPU).seconds for batch in (1, 3, 40)
    ]


def test_a_curve_goes_on_while_it_brings_something_and_fits():
    curve = batch_curve(archcost.load("simplenet"), GPU)
    assert [point.batch for point in curve] == [2**power for power in range(len(curve))]
    rates = [point.throughput for point in curve]
    assert max(rates) <= (1 + LEAST_GAIN) ** 2 * max(rates[:-2])
    small = replace(GPU, memory=2 * pass_memory(archcost.load("vgg16"), GPU).peak)
    short = batch_curve(archcost.load("vgg16"), small)
    assert all(point.fits for point in short)
    assert not estimate(archcost.load("vgg16", batch=2 * short[-1].batch), small).fits
    tiny = replace(GPU, memory=10**6)
    assert [point.batch for point in batch_curve(archcost.load("vgg16"), tiny)] == [1]


def test_saturation_is_the_first_that_is_nearly_best():
    points = batch_curve(archcost.load("resnet20"), GPU)
    curve = Curve(points, None)
    found = curve.saturation
    assert found is not None
    enough = SATURATED * curve.best.throughput
    assert found.throughput >= enough
    assert all(point.throughput < enough for point in points if point.batch < found.batch)
    assert Curve(points[:3], None).saturation is None  # still rising
    assert Curve((), None).saturation is None
    assert Curve((), None).best is None


@pytest.mark.parametrize("device", [GPU, CPU], ids=lambda device: device.kind)
@pytest.mark.parametrize("name", ["vgg16", "resnet50", "densenet121"])
def test_the_largest_batch_fits_and_the_next_does_not(name, device):
    graph = archcost.load(name)
    largest = largest_batch(graph, device)
    assert pass_memory(graph.with_batch(largest), device).peak <= device.memory
    assert pass_memory(graph.with_batch(largest + 1), device).peak > device.memory


def test_the_largest_batch_at_the_ends():
    graph = archcost.load("lenet5")
    assert largest_batch(graph, replace(CPU, memory=1000)) == 0
    assert largest_batch(graph, CPU) is None
    assert pass_memory(graph.with_batch(LARGEST_BATCH), CPU).peak <= CPU.memory
    one = pass_memory(graph, CPU).peak
    assert largest_batch(graph, replace(CPU, memory=one)) == 1
