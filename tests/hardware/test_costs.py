"""Costs: the formula's properties, whatever the coefficients; files of them; every network."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcost
from archcost.hardware.costs import (
    ANY,
    Costs,
    Rates,
    class_costs,
    coefficient_names,
    fused_nodes,
    layer_times,
    parts,
)
from archcost.hardware.device import DeviceError
from archcost.hardware.files import devices, find
from archcost.hardware.kernels import PRODUCTS, Sizes, Traffic
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops.activation import Activation
from archcost.sources.zoo import names

RATES = Rates(1e12, 1e11, 1e-6, 8.0)
LEVELS = 2


def coefficients(group):
    """Any that a file may have."""
    return st.fixed_dictionaries(
        {
            name: st.floats(0, 1)
            if name == "overlap"
            else st.floats(0.01, 100)
            if name == "efficiency"
            else st.floats(0, 100)
            for name in coefficient_names(group, LEVELS)
        }
    )


counts = st.floats(1, 1e9)
nbytes = st.tuples(counts, counts)


@st.composite
def cases(draw):
    group = draw(st.sampled_from(["conv", "relu"]))
    m, n, k = (float(draw(st.integers(1, 4096))) for _ in range(3))
    found = Sizes(group, group, 2 * m * n * k, draw(counts), 1.0, m, n, k)
    return found, Traffic(draw(nbytes), draw(nbytes), draw(nbytes)), draw(coefficients(group))


@given(cases())
def test_time_is_what_it_is_made_of(case):
    sizes, traffic, c = case
    found = parts(c, sizes, traffic, RATES)
    assert all(part >= 0 for part in found)
    parallel = found.launch + max(found.compute, found.memory)
    assert found.seconds >= parallel * (1 - 1e-9)
    assert found.seconds <= (found.launch + found.compute + found.memory) * (1 + 1e-9)


@given(cases(), st.floats(1, 100))
def test_more_work_takes_no_less_time(case, factor):
    sizes, traffic, c = case
    least = parts(c, sizes, traffic, RATES).seconds * (1 - 1e-9)
    more = sizes._replace(flops=factor * sizes.flops, ops=factor * sizes.ops)
    assert parts(c, more, traffic, RATES).seconds >= least
    reads = tuple(factor * each for each in traffic.reads)
    assert parts(c, sizes, traffic._replace(reads=reads), RATES).seconds >= least
    faster = Rates(*(factor * rate for rate in RATES[:2]), *RATES[2:])
    assert parts(c, sizes, traffic, faster).seconds <= least / (1 - 1e-9) ** 2


def test_the_formula_by_hand():
    c = dict.fromkeys(coefficient_names("relu", LEVELS), 0.0) | {
        "overhead": 2.0,
        "per_op": 3.0,
        "read_0": 0.5,
        "read_1": 1.0,
        "write": 2.0,
        "weight_0": 1.0,
        "weight_1": 4.0,
        "fresh": 5.0,
        "overlap": 1.0,
    }
    sizes = Sizes("relu", "activation", 0.0, 1e6, 1.0)
    traffic = Traffic((1e5, 2e5), (0.0, 1e5), (0.0, 1e5), 1e5)
    found = parts(c, sizes, traffic, RATES)
    assert found.launch == pytest.approx(2e-6)
    assert found.compute == pytest.approx(3e-6)
    moved = 0.5 * 1e5 + 2e5 + 2 * 1e5 + 4 * 1e5 + 5 * 1e5
    assert found.memory == pytest.approx(moved / 1e11)
    assert found.seconds == pytest.approx(2e-6 + moved / 1e11)  # arithmetic hides behind memory


def test_a_saturated_product_reaches_its_efficiency():
    c = dict.fromkeys(coefficient_names("conv", LEVELS), 0.0) | {"efficiency": 0.5}
    nothing = Traffic((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    sizes = Sizes("conv", "matmul", 2e9, 0.0, 1.0, 1000.0, 1000.0, 1000.0)
    assert parts(c, sizes, nothing, RATES).seconds == pytest.approx(4e-3)
    half = parts(c | {"half_m": 1000.0}, sizes, nothing, RATES)
    assert half.seconds == pytest.approx(8e-3)


@pytest.mark.parametrize("device", devices(), ids=lambda device: device.name)
def test_shipped_devices_have_costs_with_their_own_caches(device):
    costs = class_costs(device)
    assert list(costs.caches) == sorted(costs.caches)
    assert len(costs.caches) == len(class_costs(find("rtx-3090")).caches) or device.kind == "cpu"
    for dtype in device.peak:
        if dtype in ("fp32", "fp16", "bf16"):
            graph = archcost.load("simplenet").with_dtype(dtype)
            assert all(isfinite(one.seconds) for one in layer_times(graph, device))


def test_every_network_has_a_finite_time():
    for name in names():
        graph = archcost.load(name)
        for device in ("rtx-3090", "core-i7-6700k"):
            times = layer_times(graph, find(device))
            assert all(isfinite(one.seconds) and one.seconds >= 0 for one in times), name
            assert sum(one.seconds for one in times) > 0, name


@pytest.mark.parametrize("device", ["v100-16gb", "raspberry-pi-4"])
@pytest.mark.parametrize("name", ["resnet50", "mobilenet-v1", "vgg16"])
def test_fusing_saves_time(name, device):
    graph = archcost.load(name, batch=8)
    eager, fused = (layer_times(graph, find(device), fused=on) for on in (False, True))
    assert sum(one.seconds for one in fused) < sum(one.seconds for one in eager)
    gone = fused_nodes(graph)
    assert "relu" in {node.op.kind for node in gone}
    for one in fused:
        if one.node in gone and len(one.node.inputs) == 1:
            assert (one.seconds, one.bound) == (0, "nothing")


def test_what_others_read_is_not_fused():
    builder = GraphBuilder("fork")
    x = builder.input("x", TensorType((1, 8)))
    (a,) = builder.add(Activation("relu"), [x], "a")
    (b,) = builder.add(Activation("tanh"), [a], "b")
    (c,) = builder.add(Activation("tanh"), [b], "c")
    graph = builder.build({"a": a, "c": c})
    assert {node.name: into.name for node, into in fused_nodes(graph).items()} == {"c": "b"}


def test_a_gpu_waits_for_a_host_that_is_slower():
    gpu = find("h100")
    graph = archcost.load("densenet121")
    costs = class_costs(gpu)
    slow = Costs(
        costs.caches,
        {"fp32": {name: {**found, "issue": 50.0} for name, found in costs.classes["fp32"].items()}},
    )
    times = layer_times(graph, replace(gpu, costs=slow))
    whole, host = sum(one.seconds for one in times), 50 * gpu.overhead * len(times)
    assert host <= whole < 1.1 * host
    assert {one.bound for one in times} <= {"launch", "nothing"}
    large = graph.with_batch(4096)
    times = layer_times(large, replace(gpu, costs=slow))
    assert sum(one.seconds for one in times) > 10 * host  # the host is done long before
    assert "memory" in {one.bound for one in times}


def test_a_dtype_without_units_is_refused():
    with pytest.raises(DeviceError, match="no peak for bf16; there are: "):
        layer_times(archcost.load("lenet5").with_dtype("bf16"), find("gtx-980"))


def data():
    classes = {
        name: dict.fromkeys(coefficient_names(name, LEVELS), 0.5) for name in (ANY, "conv", "relu")
    }
    return {"caches": {"level_0": 2**20}, "classes": {"fp32": classes}}


def test_costs_survive_as_data():
    costs = Costs.from_data(data())
    assert costs.caches == (2**20,)
    assert costs.data() == data()
    assert Costs.from_data(costs.data()) == costs


def change(key, value):
    def changed(found):
        found["classes"]["fp32"]["conv"][key] = value

    return changed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.pop("classes"), "expected caches and classes"),
        (lambda d: d.update(more={}), "expected caches and classes"),
        (lambda d: d["classes"].clear(), "no classes of any dtype"),
        (lambda d: d["caches"].update(level_1=2**10), "from the smallest to the largest"),
        (lambda d: d["caches"].update(level_0=0), "from the smallest to the largest"),
        (lambda d: d["caches"].update(level_1=2**25), "conv: read_2, weight_2 missing or unknown"),
        (lambda d: d["classes"]["fp32"].pop(ANY), "fp32 has no class 'any'"),
        (lambda d: d["classes"]["fp32"].pop("conv"), "fp32 has none of the classes conv, "),
        (change("half_m", -1.0), "fp32, conv: half_m is -1.0"),
        (change("half_m", float("nan")), "half_m is nan"),
        (change("read_1", float("inf")), "read_1 is inf"),
        (change("efficiency", 0.0), "efficiency is 0.0"),
        (change("overlap", 1.5), "overlap is 1.5"),
        (change("haste", 1.0), "conv: haste missing or unknown"),
    ],
)
def test_bad_costs_are_refused(spoil, message):
    bad = data()
    del bad["classes"]["fp32"]["relu"]
    # The class whose coefficients are looked at first is the one that is spoilt.
    bad["classes"]["fp32"] = dict(reversed(bad["classes"]["fp32"].items()))
    spoil(bad)
    with pytest.raises(ValueError, match=message):
        Costs.from_data(bad)


@settings(max_examples=30)
@given(st.sampled_from(PRODUCTS), st.sampled_from(["fp32", "fp16", "bf16", "tf32", "fp8"]))
def test_a_product_has_coefficients_of_a_product(group, dtype):
    assert "efficiency" in Costs.from_data(data()).of(dtype, Sizes(group, "matmul", 1.0, 0.0, 1.0))


def test_what_stands_for_a_class_without_coefficients():
    costs = Costs.from_data(data())
    classes = costs.classes["fp32"]
    relu = Sizes("relu", "activation", 0.0, 1.0, 1.0)
    assert costs.of("fp32", relu) is classes["relu"]
    assert costs.of("fp32", relu._replace(group="tanh", family="relu")) is classes["relu"]
    assert costs.of("fp32", relu._replace(group="tanh")) is classes[ANY]
    assert costs.of("fp32", relu._replace(group="linear")) is classes["conv"]
