"""Installed counters, run and compared in one call."""

from __future__ import annotations

import pytest

from archcost import load
from archcost.conventions import convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.targets import TargetError
from archcost.verify import COUNTERS, Check, NoCounterError, counters, verify

pytest.importorskip("torch")


def test_torch_itself_is_a_counter() -> None:
    assert "torch" in counters()
    assert set(counters()) <= set(COUNTERS)


def test_every_counter_is_a_convention_and_counts_its_quantities() -> None:
    for name in COUNTERS:
        assert convention(name).name == name


@pytest.mark.parametrize("batch", [1, 2])
def test_all_agree_quietly(batch: int, capfd: pytest.CaptureFixture[str]) -> None:
    graph = load("lenet5").with_batch(batch)
    checks = list(verify(graph))
    assert {check.convention for check in checks} == set(counters())
    assert [check.quantity for check in checks if check.convention == "torch"] == ["flops"]
    for check in checks:
        assert check.agrees, check
    assert capfd.readouterr() == ("", "")


def test_only_those_that_are_named() -> None:
    checks = list(verify(load("lenet5"), ["torch"]))
    assert [check.convention for check in checks] == ["torch"]
    with pytest.raises(NoCounterError, match="'exact'.*fvcore"):
        verify(load("lenet5"), ["exact"])


def test_a_program_s_failure_is_told_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: object, graph: object) -> dict[str, int]:
        raise AttributeError("no such thing")

    monkeypatch.setattr("archcost.verify.torch.count", broken)
    (check,) = verify(load("lenet5"), ["torch"])
    assert isinstance(check, Check)
    assert (check.counted, check.agrees) == (None, False)
    assert check.error == "AttributeError: no such thing"


def test_what_torch_cannot_execute_is_refused() -> None:
    builder = GraphBuilder("odd")
    x = builder.input("x", TensorType((1, 1, 1, 1, 1, 4)))
    (y,) = builder.add(make("batch_norm"), [x], "norm")
    with pytest.raises(TargetError, match="node 'norm': torch has no BatchNorm4d"):
        list(verify(builder.build({"y": y})))
