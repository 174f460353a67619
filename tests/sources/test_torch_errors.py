"""A model that cannot be read: one message that says why, where in whose code, and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn
from traced_modules import Of

import archcost
from archcost.sources.errors import TraceError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files below the current folder are named as seen from there. The ones here are not."""
    monkeypatch.chdir(tmp_path)


def failure(module: nn.Module, inputs: Any = "4") -> TraceError:
    with pytest.raises(TraceError) as caught:
        archcost.load(module, inputs=inputs)
    assert "archcost/sources" not in str(caught.value)
    return caught.value


def branches(x: Tensor) -> Tensor:
    if x.sum() > 0:
        return x
    return -x


def loops(x: Tensor) -> Tensor:
    while (x > 1).any():
        x = x / 2
    return x


def asks_item(x: Tensor) -> Tensor:
    return x * x.max().item()


def asks_float(x: Tensor) -> Tensor:
    return x * float(x.max())


def asks_list(x: Tensor) -> Tensor:
    return x * x[0].tolist()[0]


def asks_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy() * 2)


def asks_array(x: Tensor) -> Tensor:
    return torch.tensor(numpy.asarray(x))


def asks_equal(x: Tensor) -> Tensor:
    return x if torch.equal(x, x * 2) else -x


VALUES = {
    branches: "aten::is_nonzero",
    loops: "aten::is_nonzero",
    asks_item: "aten::item",
    asks_float: "aten::item",
    asks_list: "tolist",
    asks_numpy: "numpy",
    asks_array: "__array__",
    asks_equal: "aten::equal",
}


def line_of(function: Callable[..., Any], at: int = 1) -> int:
    """The number of the line of ``function`` behind its first."""
    return inspect.getsourcelines(function)[1] + at


@pytest.mark.parametrize("function", VALUES, ids=lambda f: f.__name__)
def test_values_that_are_not_known(function: Callable[[Tensor], Tensor]) -> None:
    error = failure(Of(function))
    assert error.operator == VALUES[function]
    assert error.place is not None
    assert error.place[:3] == (__file__, line_of(function), function.__name__)
    message = str(error)
    assert f"asks for the value of a tensor ({error.operator})" in message
    assert "works out shapes alone" in message
    assert "let the code depend on shapes there" in message
    assert f"\n  at {__file__}:{line_of(function)}, in {function.__name__}: " in message


def test_values_that_are_known() -> None:
    """What the code itself knows it may ask for."""

    def forward(x: Tensor) -> Tensor:
        steps = torch.arange(6).view(2, 3)
        if steps.sum() > 3 and torch.equal(steps, steps):
            x = x[:, : int(steps.max()) - 2] * steps[0].tolist()[1]
        for size in torch.tensor([1, 2]):
            x = x.repeat(1, size)
        return x + float(torch.linspace(0, 1, 3)[1].item()) + numpy.asarray(steps).sum()

    graph = archcost.load(Of(forward), inputs="4")
    assert graph.outputs[0].shape == (1, 6)


def test_an_operator_of_which_torch_cannot_tell_the_shape() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.bincount(x.long().flatten())

    error = failure(Of(forward))
    assert error.operator == "aten::bincount"
    assert error.place == (__file__, line_of(forward), "forward")
    assert "cannot tell what shape aten::bincount gives without running it" in str(error)


def test_an_operator_that_takes_functions() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y + 1, (x,))

    assert "calls torch's cond, which archcost does not know" in str(failure(Of(forward)))


def test_a_wrong_shape_names_the_module_that_refuses_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 3)))
    message = str(failure(net.eval(), "3x8x8"))
    assert message.startswith(
        "Sequential fails in 1/1 (Conv2d) on 1x3x8x8 (batch included): RuntimeError: "
    )
    message = str(failure(Of(lambda s, x: s.layer(x), layer=nn.Linear(5, 4))))
    assert message.startswith("Of fails in layer (Linear) on 1x4 (batch included): RuntimeError: ")
    assert f"\n  at {__file__}:" in message


@pytest.mark.parametrize("inputs", [["4", "4"], {"image": "4"}, []])
def test_inputs_that_forward_does_not_take(inputs: Any) -> None:
    message = str(failure(nn.Linear(4, 4), inputs))
    assert "TypeError: " in message
    assert message.endswith("; forward takes (input: torch.Tensor) -> torch.Tensor")


def test_a_mistake_in_the_module_is_no_matter_of_its_signature() -> None:
    def forward(x: Tensor) -> Tensor:
        return x + None

    message = str(failure(Of(forward)))
    assert "TypeError: " in message
    assert "forward takes" not in message
    assert message.endswith(f"\n  at {__file__}:{line_of(forward)}, in forward: return x + None")


@pytest.mark.parametrize(("result", "kind"), [(None, "NoneType"), ({"a": 3}, "dict"), ([], "list")])
def test_no_tensor_comes_out(result: object, kind: str) -> None:
    assert str(failure(Of(lambda x: result))) == f"Of gives no tensor, but {kind}"


def test_lazy_modules() -> None:
    net = nn.Sequential(nn.LazyLinear(3))
    message = str(failure(net))
    assert message.startswith("Sequential takes the shape of 0.weight from its first input: call")
    net(torch.zeros(1, 4))
    assert archcost.load(net, inputs="4").outputs[0].shape == (1, 3)


def test_code_that_ends_the_process() -> None:
    def forward(x: Tensor) -> Tensor:
        raise SystemExit(3)

    assert "SystemExit: 3" in str(failure(Of(forward)))

    def interrupted(x: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archcost.load(Of(interrupted), inputs="4")


def test_code_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcost.sources.torch.trace.MOST_STEPS", 100)

    def forward(x: Tensor) -> Tensor:
        while True:
            x = x + 1

    message = str(failure(Of(forward)))
    assert message.startswith("the model's forward calls more than 100 operators; does a loop")
    assert "in forward: x = x + 1" in message


def test_a_recursion_is_shown_in_the_models_own_code() -> None:
    class Again(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return self(x)  # type: ignore[no-any-return]

    assert "in forward: return self(x)" in str(failure(Again()))


def test_an_error_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def forward(x: Tensor) -> Tensor:
        raise Mute

    assert "Mute: (it does not say why)" in str(failure(Of(forward)))


def test_gpus_are_not_needed() -> None:
    def forward(x: Tensor) -> Tensor:
        return x.cuda() * 2 + torch.zeros(4, device="cuda") + torch.arange(4).cuda()

    graph = archcost.load(Of(forward), inputs="4")
    assert str(graph.outputs[0].type) == "1x4"
    if not torch.cuda.is_available():
        with pytest.raises((AssertionError, RuntimeError)):
            torch.zeros(3).cuda()


def test_messages_are_short(tmp_path: Path) -> None:
    def forward(x: Tensor) -> Tensor:
        raise ValueError("why " * 1000 + "\n" + "more " * 1000)

    assert len(str(failure(Of(forward)))) < 700
