"""Random stacks: the same for the same seed, within their limits, of every class of operators."""

from __future__ import annotations

from itertools import islice

import pytest

from archcost.hardware.kernels import PRODUCTS, VIEW, sizes_of
from archcost.measure.stacks import ACTIVATIONS, CPU_LIMITS, GPU_LIMITS, LONGEST, Limits, stacks
from archcost.targets import to_json

SMALL = Limits(macs=10**6, traffic=10**6, batch=4)


def test_the_same_seed_gives_the_same_stacks():
    first, again, other = (
        [to_json(graph) for graph in stacks(CPU_LIMITS, 15, seed=seed)] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    assert [to_json(graph) for graph in stacks(CPU_LIMITS, 5, seed=3)] == first[:5]


@pytest.mark.parametrize("limits", [CPU_LIMITS, GPU_LIMITS, SMALL], ids=["cpu", "gpu", "small"])
def test_operators_stay_within_the_limits(limits):
    for graph in stacks(limits, 60):
        assert 0 < len(graph.nodes) <= 2 * LONGEST
        assert graph.batch <= limits.batch
        for node in graph.nodes:
            application = node.application
            assert application.macs <= limits.macs
            assert application.read_bytes + application.written_bytes <= limits.traffic


def test_every_class_is_met():
    applications = [node.application for graph in stacks(CPU_LIMITS, 400) for node in graph.nodes]
    groups = {sizes_of(one).group for one in applications}
    assert groups >= {*PRODUCTS, VIEW, *ACTIVATIONS, "relu", "batch_norm", "layer_norm"}
    assert groups >= {"max_pool", "avg_pool", "concat", "sum", "product", "softmax", "prelu"}


def test_what_nobody_reads_is_an_output():
    for graph in stacks(CPU_LIMITS, 60):
        for node in graph.nodes:
            assert all(value.consumers or value in graph.outputs for value in node.outputs)


def test_torch_runs_them():
    torch = pytest.importorskip("torch")
    from archcost.measure.samples import sample

    for graph in islice(stacks(SMALL, 8), 8):
        found = sample(graph, torch.device("cpu"))
        assert found is not None, graph.name
        assert len(found.seconds) == len(graph.nodes)
        assert min(found.seconds) > 0
        assert found.issue is None
