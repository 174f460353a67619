"""How counters' programs are run: quietly, anywhere, and without a trace in the module."""

from __future__ import annotations

import logging
from importlib import import_module

import pytest
import torch
from torch_counters import alone, mixer, module_of

from archcost import load
from archcost.ir import Graph, TensorType
from archcost.ir.ops import make
from archcost.targets import to_torch
from archcost.verify.running import example_inputs

PROGRAMS = ["thop", "torchinfo", "torch", "ptflops_aten"]
"""Those that count alike on the meta device and elsewhere."""
ALL = [*PROGRAMS, "fvcore", "ptflops"]


def count(program: str, module: torch.nn.Module, graph: Graph) -> dict[str, int]:
    pytest.importorskip(program.removesuffix("_aten"))
    numbers: dict[str, int] = import_module(f"archcost.verify.{program}").count(module, graph)
    return numbers


@pytest.mark.parametrize("program", ALL)
@pytest.mark.parametrize("training", [False, True])
def test_a_module_is_left_as_it_was(program: str, training: bool) -> None:
    graph = load("lenet5")
    module = to_torch(graph).train(training)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    attributes = [set(vars(each)) for each in module.modules()]
    numbers = count(program, module, graph)
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(each.training is training for each in module.modules())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())
    assert [set(vars(each)) for each in module.modules()] == attributes
    assert count(program, module, graph) == numbers


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["lenet5", "resnet20", "fmp-mnist"])
def test_numbers_are_the_same_where_nothing_is_computed(program: str, name: str) -> None:
    graph = load(name).with_batch(2)
    assert count(program, to_torch(graph), graph) == count(program, module_of(graph), graph)


@pytest.mark.parametrize("program", ALL)
def test_nothing_is_printed(program: str, capfd: pytest.CaptureFixture[str]) -> None:
    graph = alone(make("upsample", scale=2, mode="bilinear"), (1, 2, 3, 3, 3))  # THOP complains
    count(program, to_torch(graph), graph)
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


def test_inputs_have_the_graphs_types() -> None:
    tokens = example_inputs(to_torch(mixer()), mixer())
    assert [(tuple(x.shape), x.dtype) for x in tokens] == [((2, 5), torch.int64)]
    half = alone(make("linear", out=2), (2, 7)).with_inputs([TensorType((3, 7), "fp16")])
    (x,) = example_inputs(module_of(half), half)
    assert (x.shape, x.dtype, x.device.type) == ((3, 7), torch.float16, "meta")


class Broken(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        raise RuntimeError("broken")


@pytest.mark.parametrize("program", ALL)
def test_a_failure_leaves_no_trace_either(program: str) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(7, 2), Broken())
    hook = module[0].register_forward_hook(lambda module, inputs, output: None)
    with pytest.raises(RuntimeError):
        count(program, module, alone(make("linear", out=2), (2, 7)))
    assert module.training
    assert torch.is_grad_enabled()
    assert list(module[0]._forward_hooks) == [hook.id]
    assert not any(each._forward_pre_hooks for each in module)
    assert not module[1]._forward_hooks
    assert not list(module.buffers())
