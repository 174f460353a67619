"""Bytes that torch shows of a module, beside files that it writes and what the analyses say."""

from __future__ import annotations

import pytest

import archcost
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.linear import Linear

torch = pytest.importorskip("torch")

from archcost.measure.inputs import random_inputs  # noqa: E402
from archcost.validation.held import activation_bytes, file_bytes, held  # noqa: E402
from archcost.validation.judging import expected  # noqa: E402


@pytest.mark.parametrize("name", ["lenet5", "simplenet-310k", "squeezenet-1.1", "sharesnet-164"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_analyses_say_what_torch_shows(name, dtype) -> None:
    graph = archcost.load(name, dtype=dtype)
    module = archcost.to_torch(graph).eval()
    found, computed = held(module, random_inputs(graph)), expected(graph)
    assert found.parameters == computed.parameters
    assert found.activations == computed.activations
    assert 0 < found.file - computed.file < 1000 * (len(graph) + 10)


def test_the_file_is_as_large_as_the_one_on_a_disk(tmp_path) -> None:
    module = archcost.to_torch(archcost.load("alexnet", settings={"classes": 10}))
    path = tmp_path / "alexnet.pt"
    torch.save(module.state_dict(), path)
    # A file's own name is in it.
    assert abs(file_bytes(module) - path.stat().st_size) < 20 * len(module.state_dict())


def test_a_view_makes_no_storage() -> None:
    graph = archcost.load("simplenet-310k")
    module = archcost.to_torch(graph).eval()
    made = [node for node in graph if not node.op.view]
    assert len(made) < len(graph)
    total = sum(node.outputs[0].type.nbytes for node in made)
    assert activation_bytes(module, random_inputs(graph)) == total


def test_a_copy_where_a_view_was_meant_is_seen() -> None:
    builder = GraphBuilder("copying")
    x = builder.input("x", TensorType((1, 8)))
    (y,) = builder.add(Linear(out=4), [x], "linear")
    (z,) = builder.add(make("relu"), [y], "relu")
    graph = builder.build({"output": z})
    module = archcost.to_torch(graph).eval()
    inputs = random_inputs(graph)
    assert activation_bytes(module, inputs) == expected(graph).activations == 32
    step = module.steps[0]
    module.steps = (step._replace(calls=(*step.calls, lambda t: t.double())), *module.steps[1:])
    assert activation_bytes(module, inputs) == 32 + 32
