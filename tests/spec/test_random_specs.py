"""Random valid specs: what archcost says of them is what their execution shows.

A hundred in the suite; ``ARCHCOST_EXAMPLES=5000`` runs as many.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnx
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from random_specs import random_specs
from same_graph import difference

import archcost
from archcost.analysis import analyze
from archcost.ir import Graph
from archcost.sources.graph_json import from_json
from archcost.sources.zoo import libraries
from archcost.spec import expand, parse
from archcost.targets import TargetError, to_json, to_onnx, to_torch
from archcost.verify import exact, verify

EXAMPLES = int(os.environ.get("ARCHCOST_EXAMPLES", "100"))
examples = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def graph_of(document: dict[str, Any], batch: int = 1) -> Graph:
    text = yaml.safe_dump(document, sort_keys=False)
    return expand(parse(text, "random.yaml", libraries()), "random", batch=batch)


@examples
@given(document=random_specs())
def test_execution_agrees(document: dict[str, Any]) -> None:
    graph = graph_of(document, batch=2)
    # Parameters, buffers, shapes and mult-adds, where nothing is computed.
    assert [check for check in verify(graph, ["exact", "mult-adds"]) if not check.agrees] == []
    shapes = exact.executed_shapes(to_torch(graph), graph)
    assert shapes == {node.name: [value.shape for value in node.outputs] for node in graph}


@examples
@given(document=random_specs())
def test_what_is_written_is_read(document: dict[str, Any], tmp_path_factory: Any) -> None:
    graph = graph_of(document)
    assert difference(graph, from_json(to_json(graph))) is None
    totals = analyze(graph).totals
    with torch.device("meta"):
        module = to_torch(graph).eval()
    traced = analyze(archcost.load(module, inputs=[v.shape[1:] for v in graph.inputs])).totals
    assert (traced.params, traced.macs) == (totals.params, totals.macs)
    path: Path = tmp_path_factory.getbasetemp() / "random.onnx"
    try:
        onnx.save(to_onnx(graph, weights="none"), path)
    except TargetError:  # ONNX has no running maxima, for one
        return
    # Not params: a stored number is a setting there, and a table of constants is a weight.
    assert analyze(archcost.load(path)).totals.macs == totals.macs
