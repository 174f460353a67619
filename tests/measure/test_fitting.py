"""Fitting: coefficients that made the times are found again; recorded times are met."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcost.hardware.costs import ANY, Costs, Rates, coefficient_names, parts
from archcost.hardware.kernels import PRODUCTS, VIEW, kernels
from archcost.measure.calibration import read_samples
from archcost.measure.fitting import BEGIN, FEWEST, fit, fit_kernels
from archcost.measure.samples import Sample
from archcost.measure.stacks import CPU_LIMITS, stacks
from archcost.sources.graph_json import from_json

pytest.importorskip("torch")

RECORDED = Path(__file__).parent / "data" / "calibration.jsonl"
RATES = Rates(4.6e11, 7.4e10, 7.3e-7, 2.0)
CACHES = (2**21, 2**25)
KNOWN = {
    "overhead": 6.0,
    "per_op": 12.0,
    "write": 1.5,
    "fresh": 4.0,
    "overlap": 0.5,
    "read_0": 0.4,
    "read_1": 0.8,
    "read_2": 2.0,
    "efficiency": 0.6,
    "half_m": 20.0,
}


def coefficients(group):
    return {
        name: KNOWN.get(name, BEGIN.get(name, 1.0)) for name in coefficient_names(group, levels=3)
    }


def computed(graph):
    """The stack with times by the formula itself."""
    times = (
        parts(coefficients(sizes.group), sizes, traffic, RATES).seconds
        for sizes, traffic in kernels(graph, CACHES)
    )
    return Sample(graph, tuple(times))


@pytest.fixture(scope="module")
def fitted():
    samples = [computed(graph) for graph in stacks(CPU_LIMITS, 80)]
    return (*fit(samples, RATES, CACHES), samples)


def test_times_of_the_formula_are_met(fitted):
    classes, fits, _ = fitted
    assert {"conv", "conv_pointwise", "linear", "relu", "batch_norm", ANY} <= set(classes)
    assert all(one.median < 0.03 for one in fits.values()), fits
    assert set(classes) == set(fits)


@pytest.mark.parametrize(
    ("group", "name", "tolerance"),
    [
        ("relu", "overhead", 0.1),
        (ANY, "overhead", 0.1),
        ("conv", "efficiency", 0.15),
        ("conv_pointwise", "efficiency", 0.15),
    ],
)
def test_coefficients_that_made_the_times_are_found(fitted, group, name, tolerance):
    assert fitted[0][group][name] == pytest.approx(KNOWN[name], rel=tolerance)


def test_other_stacks_are_met_too(fitted):
    classes, _, _ = fitted
    costs = Costs(CACHES, {"fp32": classes})
    errors = []
    for graph in stacks(CPU_LIMITS, 20, seed=1):
        known = computed(graph).seconds
        for (sizes, traffic), seconds in zip(kernels(graph, CACHES), known, strict=True):
            found = parts(costs.of("fp32", sizes), sizes, traffic, RATES).seconds
            errors.append(abs(found / seconds - 1))
    assert sorted(errors)[len(errors) // 2] < 0.05


def test_what_was_fitted_is_what_a_file_may_have(fitted):
    costs = Costs.from_data({"caches": {"a": 2**21, "b": 2**25}, "classes": {"fp32": fitted[0]}})
    assert costs.caches == CACHES


def test_few_samples_and_times_of_nothing_make_no_class(fitted):
    _, _, samples = fitted
    executed = [one for sample in samples for one in sample.kernels(CACHES)]
    relus = [one for one in executed if one.sizes.group == "relu"][:FEWEST]
    times = [1e-5] * FEWEST
    classes, fits = fit_kernels(relus, times, [RATES] * FEWEST, 3)
    assert set(classes) == {"relu", "activation", ANY}
    assert fits["relu"].samples == FEWEST
    assert not fit_kernels(relus, [0.0, *times[1:]], [RATES] * FEWEST, 3)[0]


def test_the_host_s_times_are_medians(fitted):
    _, _, samples = fitted
    some = [one._replace(issue=tuple(3e-6 for _ in one.seconds)) for one in samples[:25]]
    classes, _ = fit(some, RATES, CACHES)
    assert classes["relu"]["issue"] == pytest.approx(3e-6 / RATES.overhead, rel=1e-3)
    assert classes["conv"]["issue"] == pytest.approx(3e-6 / RATES.overhead, rel=1e-3)


def test_recorded_times_are_met():
    samples, machine = read_samples(RECORDED.read_text(), from_json)
    found = machine.ceilings
    rates = Rates(found.peak["fp32"], found.bandwidth, found.overhead, float(machine.units))
    classes, fits = fit(samples, rates, CACHES)
    assert {"conv", "linear", "relu", ANY} <= set(classes)
    for name, one in fits.items():
        assert one.median < (0.5 if name in (ANY, VIEW) else 0.3), (name, one)
    assert all(fits[name].samples >= FEWEST for name in PRODUCTS if name in fits)
