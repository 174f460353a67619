"""Memory of a pass: torch's own allocator against the analysis by liveness, and the kernel's word.

Where operators take no room besides what they give, every byte is the analysis'. docs/measure.md
tells what others take besides: convolutions copies in other layouts, pools where maxima lay.
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from torch_execution import small_graphs

import archcost
from archcost.analysis.memory import forward_memory
from archcost.ir import Graph
from archcost.measure.memory import MemoryOfPasses, allocated_peak, held_bytes, tensor_bytes
from archcost.measure.passes import Settings, measure, prepared

torch = pytest.importorskip("torch")

# Operators whose kernels need no room besides what they give.
PLAIN = ("relu", "sigmoid", "tanh", "concat", "linear", "pad")


def test_a_known_sequence_of_allocations() -> None:
    def call() -> None:
        a = torch.empty(1000, dtype=torch.uint8)
        b = torch.empty(5000, dtype=torch.uint8)
        del a
        c = torch.empty(2000, dtype=torch.uint8)  # 7000, the highest
        del b, c
        torch.empty(100, dtype=torch.uint8)

    assert allocated_peak(call) == 7000
    assert allocated_peak(lambda: None) == 0


def test_what_was_there_before_is_not_counted() -> None:
    before = [torch.empty(10_000, dtype=torch.uint8)]

    def call() -> None:
        before.clear()
        torch.empty(100, dtype=torch.uint8)

    assert allocated_peak(call) == 100


def test_a_storage_counts_once() -> None:
    x = torch.empty(10, dtype=torch.float32)
    assert tensor_bytes(x, x[2:], x.view(2, 5), torch.empty(3, dtype=torch.int8)) == 43


def live_peak(graph: Graph) -> int:
    """The most bytes that a pass had on top of its inputs."""
    module, inputs = prepared(graph, Settings())
    module(*inputs)
    return allocated_peak(lambda: module(*inputs))


@settings(max_examples=25, deadline=None)
@given(small_graphs(PLAIN))
def test_the_allocator_agrees_with_liveness_to_the_byte(graph: Graph) -> None:
    inputs = sum(value.type.nbytes for value in graph.inputs)
    assert live_peak(graph) == forward_memory(graph).activations - inputs


# The networks of the zoo at whose peak nothing but tensors is alive, on any processor.
@pytest.mark.parametrize("name", ["squeezenet-1.1"])
def test_networks_of_the_zoo(name: str) -> None:
    graph = archcost.load(name)
    found = measure(graph, Settings(min_run_time=0.01))
    assert found.memory.allocator_bytes == forward_memory(graph).peak


def test_weights_are_the_analysis() -> None:
    graph = archcost.load("resnet20")
    module, _ = prepared(graph, Settings())
    # torch's normalisations count the batches that they have seen, in 8 bytes each.
    norms = sum(node.op.kind == "batch_norm" for node in graph.nodes)
    assert held_bytes(module) == forward_memory(graph).weights + 8 * norms


@pytest.mark.skipif(sys.platform != "linux", reason="the resident set is Linux' /proc")
def test_the_resident_set_grows_by_what_is_used() -> None:
    memory = MemoryOfPasses(torch.device("cpu"))
    memory.restart()
    x = torch.ones(200_000_000, dtype=torch.uint8)
    del x
    taken = memory.read()
    grown = taken.resident_bytes - taken.resident_before_bytes
    assert 190_000_000 < grown < 300_000_000
    memory.restart()
    assert memory.read().resident_bytes < taken.resident_bytes - 150_000_000
