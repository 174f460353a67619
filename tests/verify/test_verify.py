"""Installed counters, run and compared in one call."""

from __future__ import annotations

import pytest

from archcost import load
from archcost.conventions import convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
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
    checks = verify(graph)
    assert {check.convention for check in checks} == set(counters())
    assert [check.quantity for check in checks if check.convention == "torch"] == ["flops"]
    for check in checks:
        assert check.agrees, check
    assert capfd.readouterr() == ("", "")


def test_only_those_that_are_named() -> None:
    checks = verify(load("lenet5"), ["torch"])
    assert [check.convention for check in checks] == ["torch"]
    with pytest.raises(NoCounterError, match="'exact'.*fvcore"):
        verify(load("lenet5"), ["exact"])


def test_a_failure_is_told_not_raised(capfd: pytest.CaptureFixture[str]) -> None:
    builder = GraphBuilder("odd")
    x = builder.input("x", TensorType((1, 1, 1, 1, 1, 4)))
    (y,) = builder.add(make("flatten", start=2), [x], "flatten")
    (y,) = builder.add(make("reshape", shape=(1, 2, 2)), [y], "reshape")
    (y,) = builder.add(make("upsample", scale=2, mode="bilinear"), [y], "upsample")
    (y,) = builder.add(make("batch_norm"), [y], "norm")
    graph = builder.build({"y": y}).with_dtype("fp8")
    checks = verify(graph)
    assert {check.convention for check in checks} == set(counters())
    for check in checks:
        assert isinstance(check, Check)
        assert check.counted is None
        assert check.error
        assert not check.agrees
    assert capfd.readouterr() == ("", "")
