"""ResNet-152: archcost from the spec and from the graph, beside those who count a torch module."""

from __future__ import annotations

import logging

import pytest
from timing import interleaved, milliseconds, number, ratio, show, versions

import archcost
from archcost.sources import zoo

torch = pytest.importorskip("torch")
fvcore_nn = pytest.importorskip("fvcore.nn")
ptflops = pytest.importorskip("ptflops")
torchinfo = pytest.importorskip("torchinfo")

ROUNDS, CALLS = 12, 10
SPEC_BAR, GRAPH_BAR = 30, 100
# The twin has the stride of a bottleneck in its 3x3 convolution.
SETTINGS = {"stride_in": "3x3"}
SPEC, GRAPH, PARSED_ANEW = "load + analyse", "analyse a graph", "parse + load + analyse"
FORWARD = "(forward pass alone)"
INPUT = (1, 3, 224, 224)


def load():
    return archcost.load("resnet152", settings=SETTINGS)


def analyse(graph):
    """Everything that a report shows, really worked out."""
    result = archcost.analyze(graph)
    for row in result.layers:
        _ = row.params, row.macs, row.flops, row.activations, row.receptive_field
    return result.totals


def from_nothing():
    zoo._read.cache_clear()
    return analyse(load())


def peers():
    """Name -> (what it runs on, how to run it, MACs in what it returns)."""
    from torch.utils.flop_counter import FlopCounterMode
    from torch_models import ResNet

    with torch.device("meta"):
        meta, image = ResNet().eval(), torch.empty(INPUT)
    real, real_image = ResNet().eval(), torch.zeros(INPUT)

    def flop_counter():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            meta(image)
        return counter.get_total_flops() // 2

    def torchinfo_summary():
        found = torchinfo.summary(meta, input_data=image, device="meta", depth=1, verbose=0)
        return found.total_mult_adds

    def ptflops_with(backend):
        def count():
            with torch.no_grad():
                macs, _ = ptflops.get_model_complexity_info(
                    meta, INPUT[1:], print_per_layer_stat=False, as_strings=False, backend=backend
                )
            return macs

        return count

    def fvcore():
        # Tracing a convolution of meta tensors fails in torch._check ("cond must be a bool").
        with torch.no_grad():
            counter = fvcore_nn.FlopCountAnalysis(real, real_image)
            counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return int(counter.tracer_warnings("none").total())

    def forward():
        with torch.no_grad():
            meta(image)

    weights = sum(p.numel() for p in meta.parameters())
    return weights, {
        "torch FlopCounterMode": ("meta tensors", flop_counter),
        "torchinfo": ("meta tensors", torchinfo_summary),
        "ptflops, pytorch": ("meta tensors", ptflops_with("pytorch")),
        "ptflops, aten": ("meta tensors", ptflops_with("aten")),
        "fvcore": ("CPU tensors", fvcore),
        FORWARD: ("meta tensors", forward),
    }


@pytest.mark.filterwarnings("ignore")  # peers on this torch
def test_resnet152_against_peers():
    logging.disable(logging.WARNING)
    params, others = peers()
    totals = analyse(load())
    assert totals == from_nothing()
    assert totals.params == params
    counted = {name: count() for name, (_, count) in others.items() if name != FORWARD}
    assert counted["torch FlopCounterMode"] == totals.macs
    for name, macs in counted.items():  # each by its own convention, which adds a little
        assert abs(macs / totals.macs - 1) < 0.02, name

    graph = load()
    own = {
        SPEC: lambda: analyse(load()),
        GRAPH: lambda: analyse(graph),
        PARSED_ANEW: from_nothing,
    }
    actions = {**own, **{name: count for name, (_, count) in others.items()}}
    taken = interleaved(actions, ROUNDS, dict.fromkeys(own, CALLS))
    logging.disable(logging.NOTSET)

    fastest = min(counted, key=lambda name: taken[name].best)
    rows = [
        (
            name,
            others[name][0] if name in others else "spec" if name != GRAPH else "graph",
            milliseconds(taken[name].best),
            milliseconds(taken[name].median),
            f"{number(counted.get(name, totals.macs) / 1e9)} G" if name != FORWARD else "",
            *(ratio(taken[name], taken[way]) for way in (SPEC, GRAPH, PARSED_ANEW)),
        )
        for name in actions
    ]
    show(
        "ResNet-152, warm",
        ("counter", "runs on", "best", "median", "MACs", *(f"/ {way}" for way in own)),
        rows,
        f"fastest peer: {fastest}. "
        f"/ {SPEC}: {ratio(taken[fastest], taken[SPEC])}, bar >= {SPEC_BAR}; "
        f"/ {GRAPH}: {ratio(taken[fastest], taken[GRAPH])}, bar >= {GRAPH_BAR}; "
        f"/ {PARSED_ANEW}: {ratio(taken[fastest], taken[PARSED_ANEW])}, no bar",
        f"{ROUNDS} rounds, torch threads: {torch.get_num_threads()}; "
        + versions("torch", "fvcore", "ptflops", "torchinfo"),
    )
