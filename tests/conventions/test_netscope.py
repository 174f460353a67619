"""The conventions ``netscope-2016`` and ``netscope-2018`` against the program's own totals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archcost.conventions import convention
from archcost.ir import Graph
from archcost.sources import load

SPECS = Path(__file__).with_name("netscope")
TOTALS = yaml.safe_load(SPECS.with_suffix(".yaml").read_text("utf-8"))["totals"]
CASES = [
    pytest.param(total, name, id=f"{name}-{total['preset']}")
    for total in TOTALS
    for name in ("netscope-2016", "netscope-2018")
    if name in total
]


def network(total: dict[str, Any]) -> Graph:
    model = total["network"]
    graph = load(
        str(SPECS / model) if ".yaml" in model else model,
        batch=total.get("batch"),
        settings=total.get("settings"),
    )
    without = total.get("without", ())
    return graph.rewritten(lambda node: None if node.op.kind in without else node.op)


@pytest.mark.parametrize(("total", "name"), CASES)
def test_the_program_s_totals(total: dict[str, Any], name: str) -> None:
    count = convention(name).count(network(total))
    printed = dict(zip(count.convention.quantities, total[name], strict=True))
    shown = {quantity: number for quantity, number in printed.items() if number is not None}
    assert shown
    assert {quantity: count.numbers[quantity] for quantity in shown} == shown
    assert count.ignored == ()


def test_every_spec_is_counted() -> None:
    counted = {total["network"].partition(":")[0] for total in TOTALS}
    assert {path.name for path in SPECS.glob("*.yaml")} <= counted


def test_layers_that_the_program_does_not_know_are_named() -> None:
    gated = load("genpool-gated")
    assert "sigmoid" in convention("netscope-2016").count(gated).ignored
    assert "sigmoid" in convention("netscope-2018").count(gated).ignored
    medley = load(f"{SPECS / 'medley.yaml'}:medley-2018")
    assert convention("netscope-2016").count(medley).ignored == ("elu", "prelu", "relu6", "rescale")


def test_reasons() -> None:
    reasons = dict(convention("netscope-2016").count(load("alexnet", batch=2)).reasons)
    elements = 96 * 55**2 + 256 * 27**2
    image = convention("mult-adds").count(load("alexnet")).main
    ungrouped = 5**2 * 48 * 256 * 27**2 + 3**2 * 192 * (384 + 256) * 13**2
    assert reasons == {
        "layers counted for 1 image of the batch": -image,
        "convolutions counted without their grouping": ungrouped,
        "local response normalisation counted as its size per element": 5 * elements,
    }
