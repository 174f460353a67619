"""What is measured, and in which order."""

from __future__ import annotations

import pytest

import archcost
from archcost.hardware.device import Device, DeviceError
from archcost.validation.plan import MARGIN, Limits, free_memory, plan

DEVICE = Device(
    name="made-up-cpu",
    title="Made-up CPU",
    kind="cpu",
    peak={"fp32": 100e9},
    bandwidth=20e9,
    memory=8 * 2**30,
    overhead=5e-6,
    units=2,
)
NAMES = ("lenet5", "alexnet", "simplenet", "squeezenet", "nin-mnist", "ciresan-mlp1")


@pytest.fixture(scope="module")
def graphs():
    return [archcost.load(name) for name in NAMES]


def test_everything_is_planned_and_some_again(graphs) -> None:
    found = plan(graphs, DEVICE, batches=(1, 8), repeats=3)
    first = [one.key for one in found if not one.key.round]
    again = [one.key for one in found if one.key.round]
    assert sorted(first) == sorted((name, "fp32", batch, 0) for name in NAMES for batch in (1, 8))
    assert found[: len(first)] == [one for one in found if not one.key.round]
    assert len(again) == 2 * len({key.model for key in again}) == 6
    # The batches of a network stand together: its weights are made once.
    assert all(a.model == b.model for a, b in zip(first[::2], first[1::2], strict=True))
    by_time = sorted({one.key.model: one.seconds for one in found}.items(), key=lambda one: one[1])
    repeated = {key.model for key in again}
    assert {by_time[0][0], by_time[-1][0]} <= repeated


def test_the_order_is_random_and_repeatable(graphs) -> None:
    orders = [[one.key for one in plan(graphs, DEVICE, seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_limits(graphs) -> None:
    whole = {one.key: one for one in plan(graphs, DEVICE, batches=(8,), repeats=0)}
    slowest = max(whole.values(), key=lambda one: one.seconds)
    largest = max(whole.values(), key=lambda one: one.peak)
    assert all(one.skip is None and one.cost > 0.3 for one in whole.values())
    limits = Limits(0.99 * slowest.seconds, int(0.99 * MARGIN * largest.peak))
    found = plan(graphs, DEVICE, batches=(8,), limits=limits, repeats=len(NAMES))
    reasons = {one.key: one.skip for one in found if not one.key.round}
    assert reasons[largest.key].startswith("memory: ")
    assert reasons[slowest.key].startswith(("time: ", "memory: "))
    skipped = {key.model for key, why in reasons.items() if why}
    assert not skipped & {one.key.model for one in found if one.key.round}
    assert all((one.cost == 0) == (one.skip is not None) for one in found)


def test_a_dtype_that_the_device_has_no_units_for(graphs) -> None:
    with pytest.raises(DeviceError):
        plan(graphs, DEVICE, dtypes=("bf16",))


def test_free_memory() -> None:
    free = free_memory("cpu")
    assert free is None or free > 2**20
