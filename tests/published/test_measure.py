"""What a published number speaks of, on networks whose numbers can be worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from archcost.ir import ArchcostError
from archcost.published.files import PublishedError
from archcost.published.measure import Measure

# 8x8 pixels, padding everywhere: every convolution has 64 outputs a channel.
SPEC = """
name: tiny
input: [$c, 8, 8]
parameters: {c: 4}
layers:
  - conv: {name: a, out: $c, kernel: 3, padding: 1, bias: false}
  - batch_norm: {name: norm}
  - conv: {name: b/grouped, out: $c, kernel: 3, padding: 1, groups: 2, bias: false}
  - depthwise_conv: {name: b/depthwise, kernel: 3, padding: 1, bias: false}
  - conv: {name: c, out: 2 * $c, bias: true}
"""
A, NORM, GROUPED, DEPTHWISE, C = 9 * 16, 8, 2 * 9 * 4, 9 * 4, 32 + 8
PARAMS = A + NORM + GROUPED + DEPTHWISE + C


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return str(path)


def value(model: str, quantity: str = "params", **keys: Any) -> Fraction:
    return Measure(model, quantity).changed(keys).value()


def test_quantities(tiny: str) -> None:
    assert value(tiny) == PARAMS
    assert value(tiny, "macs") == 64 * (A + GROUPED + DEPTHWISE + 32)
    assert value(tiny, "depth") == 4
    assert value(tiny, "connections") == 64 * (A + GROUPED + DEPTHWISE + C)
    assert value(tiny, "activations") == 64 * (4 * 4 + 8)


def test_bits(tiny: str) -> None:
    """A running mean and variance of 4 channels are stored too, whatever convention."""
    stored = PARAMS + 8
    assert value(tiny, "storage_bytes") == 4 * stored
    assert value(tiny, "storage_bytes", bits=16) == 2 * stored
    assert value(tiny, "storage_bytes", bits=1, layer="a") == A // 8


def test_input_elements(tiny: str) -> None:
    assert value(tiny, "input_elements") == 4 * 64
    assert value(tiny, "input_elements", layer="c") == 4 * 64
    assert value(tiny, "input_elements", set={"c": 8}) == 8 * 64


def test_layer(tiny: str) -> None:
    assert value(tiny, layer="a") == A
    assert value(tiny, layer="b") == GROUPED + DEPTHWISE
    assert value(tiny, layer=["b/grouped", "c"]) == GROUPED + C
    assert value(tiny, "storage_bytes", layer="norm") == 4 * 16
    assert value(tiny, "depth", layer=["b", "norm"]) == 2
    with pytest.raises(PublishedError, match="no layer 'b/dept'"):
        value(tiny, layer=["a", "b/dept"])


def test_only(tiny: str) -> None:
    assert value(tiny, only={"op": "conv"}) == A + GROUPED + C
    assert value(tiny, only={"op": ["conv", "batch_norm"]}) == A + NORM + GROUPED + C
    assert value(tiny, only={"op": "conv", "kernel": 3, "groups": 1}) == A
    assert value(tiny, only={"kernel": 3}) == A + GROUPED + DEPTHWISE
    assert value(tiny, only={"op": "conv"}, layer="b") == GROUPED
    with pytest.raises(PublishedError, match="linear"):
        value(tiny, only={"op": "linear"})


def test_without(tiny: str) -> None:
    assert value(tiny, without=["batch_norm"]) == PARAMS - NORM
    with pytest.raises(PublishedError, match="dropout"):
        value(tiny, without=["batch_norm", "dropout"])


def test_ungrouped(tiny: str) -> None:
    ungrouped = A + NORM + 2 * GROUPED + 4 * DEPTHWISE + C
    assert value(tiny, grouped=False) == ungrouped
    assert value(tiny, "macs", grouped=False, layer="b") == 64 * (2 * GROUPED + 4 * DEPTHWISE)


def test_times(tiny: str) -> None:
    assert value(tiny, times=10) == 10 * PARAMS
    assert value(tiny, times=1.75) == Fraction(7, 4) * PARAMS
    assert value(tiny, times=0.1) == Fraction(PARAMS, 10)


def test_per(tiny: str) -> None:
    """9 C^2, whatever C is set to."""
    for channels in (2, 6, 50):
        assert value(tiny, layer="a", set={"c": channels}, per={"c": 2}) == 9
    assert value(tiny, layer="b/depthwise", set={"c": 6}, per={"c": 1}) == 9
    with pytest.raises(PublishedError, match="c is not set"):
        value(tiny, layer="a", per={"c": 2})


def test_relation(tiny: str) -> None:
    b: dict[str, Any] = {"layer": "b/grouped", "to": {"layer": "a"}}
    assert value(tiny, relation="ratio", **b) == Fraction(1, 2)
    assert value(tiny, relation="decrease", **b) == Fraction(1, 2)
    assert value(tiny, relation="increase", **b) == -Fraction(1, 2)
    twice = {"set": {"c": 8}, "to": {"settings": {"c": 4}}, "layer": "a"}
    assert value(tiny, relation="ratio", **twice) == 4
    assert value(tiny, relation="increase", **twice) == 3
    assert value(tiny, relation="ratio", to={"quantity": "macs"}, layer="a") == Fraction(1, 64)
    with pytest.raises(PublishedError, match="no relation 'share'"):
        value(tiny, relation="share", to={"layer": "a"})


def test_relation_of_coefficients(tiny: str) -> None:
    """`per` and `times` hold for both sides."""
    keys = {"set": {"c": 6}, "per": {"c": 2}, "times": 3, "layer": "b/grouped"}
    assert value(tiny, relation="ratio", to={"layer": "a"}, **keys) == Fraction(1, 2)
    assert value(tiny, relation="ratio", to={"layer": "a", "times": 1}, **keys) == Fraction(3, 2)


def test_convention(tiny: str) -> None:
    assert Measure(tiny, "params").under == "exact"
    assert Measure(tiny, "macs").under == "mult-adds"
    assert value(tiny, convention="weights") == PARAMS - NORM - 8
    assert value(tiny, convention="keras") == PARAMS + 8
    with pytest.raises(PublishedError, match=r"weights counts no 'storage_bytes'"):
        value(tiny, "storage_bytes", convention="weights")


def test_input_and_settings(tiny: str) -> None:
    assert value(tiny, "macs", layer="a", input=[4, 16, 16]) == 256 * A
    assert value(tiny, layer="a", set={"c": 8}) == 4 * A
    with pytest.raises(ArchcostError):
        value(tiny, set={"width": 8})


def test_changes_add_settings_and_name_their_keys() -> None:
    measure = Measure("wrn-28-10", "params").changed({"set": {"depth": 16}})
    assert measure.changed({"set": {"k": 4}}).settings == {"depth": 16, "k": 4}
    with pytest.raises(PublishedError, match="colour"):
        measure.changed({"colour": "red"})


def test_an_example_is_found_by_its_name() -> None:
    """A network that only a worked example speaks of."""
    assert value("perceptron", set={"units": [300, 10]}) == 785 * 300 + 301 * 10
