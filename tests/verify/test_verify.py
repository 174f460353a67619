"""Installed counters, run and compared in one call."""

from __future__ import annotations

import pytest

from archcost import load
from archcost.analysis import analyze
from archcost.conventions import convention
from archcost.ir import Graph, GraphBuilder, Parameter, TensorType
from archcost.ir.ops import make
from archcost.targets import TargetError
from archcost.verify import (
    COUNTERS,
    Check,
    NoCounterError,
    counters,
    cross_check,
    exact,
    quantities,
    verify,
    versions,
)

torch = pytest.importorskip("torch")


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
    with pytest.raises(NoCounterError, match="'weights'.*fvcore"):
        verify(load("lenet5"), ["weights"])


def test_the_module_itself_is_compared_with_the_graph() -> None:
    graph = load("lenet5", batch=2)  # with a table of connections
    checks = {(c.convention, c.quantity): c for c in verify(graph, ["exact", "mult-adds"])}
    totals = analyze(graph).totals
    assert all(check.agrees for check in checks.values())
    assert checks["exact", "params"].counted == totals.params
    assert checks["exact", "buffers"].counted == totals.buffers
    assert checks["exact", "output shapes"].counted == len(graph)
    assert checks["mult-adds", "macs"].counted == totals.macs
    assert [q for name, q in checks if name == "exact"] == [*quantities("exact")]


def test_a_layer_of_another_shape_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load("lenet5")
    broken = exact.executed_shapes

    def shapes(module: object, graph: Graph) -> dict[str, list[tuple[int, ...]]]:
        return {**broken(module, graph), graph.nodes[3].name: [(1, 2, 3)]}

    monkeypatch.setattr("archcost.verify.exact.executed_shapes", shapes)
    (check,) = (c for c in verify(graph, ["exact"]) if not c.agrees)
    assert (check.quantity, check.computed, check.counted) == ("output shapes", 15, 14)


def test_torch_computes_in_no_fp8() -> None:
    with pytest.raises(NoCounterError, match="lenet5 is in fp8, .*fp64, fp32, tf32, fp16, bf16"):
        verify(load("lenet5", dtype="fp8"))
    assert all(check.agrees for check in verify(load("lenet5", dtype="bf16"), ["torch", "exact"]))


def test_many_networks() -> None:
    builder = GraphBuilder("odd")
    x = builder.input("x", TensorType((1, 1, 1, 1, 1, 4)))
    odd = builder.build({"y": builder.add(make("batch_norm"), [x], "norm")[0]})
    good, bad = cross_check([load("lenet5"), odd], ["mult-adds", "torch"])
    assert (good.name, good.layers, good.agrees) == ("lenet5", 15, True)
    assert [check.convention for check in good.checks] == ["mult-adds", "mult-adds", "torch"]
    assert not bad.agrees
    assert [check.convention for check in bad.checks] == ["mult-adds", "mult-adds", "torch"]
    assert all("torch has no BatchNorm4d" in str(check.error) for check in bad.checks)


def test_versions() -> None:
    assert versions(["torch", "exact"]) == dict.fromkeys(
        ["torch", "exact"], f"torch {torch.__version__}"
    )


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


def test_parameters_that_no_layer_reads_are_counted_as_the_programs_do() -> None:
    stored = Parameter("aux.weight", (7, 3), "fp32", True, 21, 84)
    builder = GraphBuilder("unread")
    x = builder.input("input", TensorType((1, 3, 8, 8)))
    (y,) = builder.add(make("conv", out=4, kernel=3), [x], "conv")
    graph = builder.build({"output": y}, unread=(stored,))
    checks = list(verify(graph))
    assert {check.convention for check in checks} >= {"fvcore", "thop", "torchinfo", "ptflops"}
    assert [check for check in checks if not check.agrees] == []
