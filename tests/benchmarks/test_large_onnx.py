"""A large ONNX file: a whole process ``archcost report``."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper
from test_cold_start import CLI
from timing import Series, environment, milliseconds, run, show, versions

ROUNDS = 5
BAR = 2.0
LAYERS, WIDTH = 11, 1536


def write(path):
    """Linear layers of 100 MB, as PyTorch's exporter writes them."""
    nodes, weights = [], []
    for at in range(LAYERS):
        weights.append(numpy_helper.from_array(np.ones((WIDTH, WIDTH), "f"), f"{at}.weight"))
        weights.append(numpy_helper.from_array(np.ones(WIDTH, "f"), f"{at}.bias"))
        names = [f"t{at}", f"{at}.weight"]
        nodes.append(helper.make_node("MatMul", names, [f"m{at}"], name=f"/{at}/MatMul"))
        names = [f"{at}.bias", f"m{at}"]
        nodes.append(helper.make_node("Add", names, [f"t{at + 1}"], name=f"/{at}/Add"))
    shape = ["batch", 16, WIDTH]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in ("t0", f"t{LAYERS}")]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph), path)


def test_a_file_of_100_mb(tmp_path):
    path = tmp_path / "large.onnx"
    write(path)
    size = path.stat().st_size
    assert size > 100e6
    command = [sys.executable, "-m", CLI, "report", str(path), "--format", "json"]
    children = environment(tmp_path / "bytecode")
    taken, resident = Series(), 0
    for _ in range(1 + ROUNDS):
        finished = run(command, children)
        totals = json.loads(finished.output)["totals"]
        assert totals["params"] == LAYERS * (WIDTH**2 + WIDTH)
        assert totals["macs"] == LAYERS * 16 * WIDTH**2
        taken.append(finished.seconds)
        resident = max(resident, finished.resident)
    show(
        "A large ONNX file: a whole process",
        ("file", "best", "median", "bar", "resident"),
        [
            (
                f"{size / 1e6:.0f} MB",
                milliseconds(taken.best),
                milliseconds(taken.median),
                f"<= {BAR:g} s",
                f"{resident / 1e6:.0f} MB",
            )
        ],
        f"{ROUNDS} rounds after the first; {versions('onnx', 'protobuf')}",
    )
