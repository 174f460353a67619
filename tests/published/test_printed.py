"""Printed numbers: how their text is read, and when a computed number agrees with them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archcost.published.files import PublishedError
from archcost.published.printed import UNITS, Printed


@pytest.mark.parametrize(
    ("printed", "unit", "digits", "computed", "expected"),
    [
        ("138", "M", None, 138_357_544, "rounded"),
        ("138", "M", None, 138_500_001, "cut off"),
        ("138", "M", None, 139_000_000, None),
        ("5.4", "M", None, 5_493_258, "cut off"),
        ("5.5", "M", None, 5_493_258, "rounded"),
        ("5.6", "M", None, 5_493_258, None),
        ("60,000", "1", None, 60_000, "rounded"),
        ("60,000", "1", None, 60_001, None),
        ("60,000", "1", 1, 60_001, "rounded"),
        ("60,000", "1", 1, 65_001, "cut off"),
        ("60,000", "1", 1, 70_001, None),
        ("11300", "M", None, 11_282_415_616, None),
        ("11300", "M", 3, 11_282_415_616, "rounded"),
        ("11300", "M", 4, 11_282_415_616, None),
        ("1.0", "M", None, 996_000, "rounded"),
        ("1.0", "M", None, 940_000, None),
        ("12", "%", None, Fraction(1, 8), "rounded"),
        ("13", "%", None, Fraction(1, 8), "rounded"),
        ("11", "%", None, Fraction(1, 8), None),
        ("33.3", "%", None, Fraction(1, 3), "rounded"),
        ("1.0", "MiB", None, 2**20, "rounded"),
        ("1.0", "MB", None, 2**20, "rounded"),
        ("1.00", "MB", None, 2**20, None),
    ],
)
def test_agreement_is_by_printed_precision(
    printed: str, unit: str, digits: int | None, computed: int | Fraction, expected: str | None
) -> None:
    assert Printed(printed, unit, digits).agreement(computed) == expected


DECIMAL = sorted(unit for unit, size in UNITS.items() if "i" not in unit and size >= 1)


@given(value=st.integers(0, 10**13), unit=st.sampled_from(DECIMAL), places=st.integers(0, 4))
@example(value=2_500, unit="k", places=0)
@example(value=3_500, unit="k", places=0)
def test_what_python_prints_agrees(value: int, unit: str, places: int) -> None:
    """Python's own formatting of decimal numbers, which rounds a half to the even digit."""
    text = f"{Decimal(value) / int(UNITS[unit]):.{places}f}"
    assert Printed(text, unit).agreement(value) == "rounded"
    assert Printed(f"{text}{unit}" if unit != "1" else text).agreement(value) == "rounded"


@given(
    value=st.fractions(0, 10**4, max_denominator=10**4),
    places=st.integers(0, 3),
    away=st.integers(-2, 2),
)
@example(value=Fraction(5, 2), places=0, away=0)
@example(value=Fraction(7, 2), places=0, away=0)
def test_agreement_is_an_interval(value: Fraction, places: int, away: int) -> None:
    """Rounded: at most half of the last digit away, the upper one or the even one of two equally
    near; cut off: less than one below the value."""
    step = Fraction(1, 10**places)
    steps = max(int(value / step) + away, 0)
    printed = Printed(f"{Decimal(steps).scaleb(-places):.{places}f}")
    assert printed.value == steps * step
    missing = value - printed.value
    if -step / 2 <= missing < step / 2 or (missing == step / 2 and steps % 2 == 0):
        expected = "rounded"
    else:
        expected = "cut off" if 0 <= missing < step else None
    assert printed.agreement(value) == expected


@given(value=st.fractions(0, 10**4, max_denominator=10**4), away=st.integers(-2, 2))
def test_rounded_up_is_an_interval(value: Fraction, away: int) -> None:
    steps = max(int(value * 10) + away, 0)
    printed = Printed(f"{Decimal(steps).scaleb(-1):.1f}")
    assert printed.rounds_up(value) == (0 <= printed.value - value < printed.step)


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("652 M", 652 * 10**6, 10**6),
        ("0.838M", 838_000, 1_000),
        ("1.7m", 1_700_000, 100_000),
        ("54K", 54_000, 1_000),
        ("1.8×10^9", 1_800_000_000, 10**8),
        ("2.2×10^6", 2_200_000, 10**5),
        ("4,300,000", 4_300_000, 1),
        ("≈ 2.5M", 2_500_000, 100_000),
        ("4.8MB", 4_800_000, 100_000),
        ("3.6B", 3_600_000_000, 10**8),
        ("1.5 billion", 1_500_000_000, 10**8),
        ("about 100,000", 100_000, 1),
        ("(3.60)", Fraction(36, 10), Fraction(1, 100)),
        ("32%", Fraction(32, 100), Fraction(1, 100)),
        ("17 layers", 17, 1),
    ],
)
def test_text_is_read(text: str, value: int | Fraction, step: int | Fraction) -> None:
    printed = Printed(text)
    assert (printed.value, printed.step) == (value, step)


def test_the_column_s_unit_stands_where_the_text_has_none() -> None:
    assert Printed("5.4", "M").value == 5_400_000
    assert Printed("5.4", "MiB").step == Fraction(2**20, 10)


def test_digits_widen_the_step() -> None:
    assert Printed("11300", "M", 3).step == 100 * 10**6


def test_another_reading_keeps_unit_and_precision() -> None:
    printed = Printed("about 15740M", digits=4).reading("15470")
    assert (printed.text, printed.value, printed.step) == ("about 15470M", 15470 * 10**6, 10**7)


def test_scaled() -> None:
    tenth = Printed("0.5M").scaled(Fraction(1, 10))
    assert (tenth.value, tenth.step) == (50_000, 10_000)


@pytest.mark.parametrize(("text", "unit"), [("many", None), ("", None), ("5", "furlongs")])
def test_no_number_or_unit(text: str, unit: str | None) -> None:
    with pytest.raises(PublishedError):
        Printed(text, unit)


@pytest.mark.parametrize(
    ("printed", "symbol", "binary"),
    [
        (Printed("5.4M"), "M", False),
        (Printed("5.4 million"), "M", False),
        (Printed("4.8", "MiB"), "MiB", True),
        (Printed("12 GB"), "GB", False),
        (Printed("1.2T"), "T", False),
        (Printed("19-layer"), "1", False),
    ],
)
def test_symbol(printed: Printed, symbol: str, binary: bool) -> None:
    assert (printed.symbol, printed.binary) == (symbol, binary)


def test_a_shape_is_the_product_of_its_sizes() -> None:
    assert Printed("3×3×32 dw").value == 288
    assert Printed("112×112×64").agreement(802_816) == "rounded"
    assert Printed("112×112×64").agreement(802_817) is None
    assert Printed("1.8×10^9").value == 1_800_000_000
    assert Printed("56×10^6").value == 56_000_000


@pytest.mark.parametrize(
    ("text", "within", "outside"),
    [
        ("> 6 M", 6_000_001, 6_000_000),
        ("more than 1,000", 1001, 999),
        ("less than 25 million", 24_999_999, 25_000_000),
        ("<1MB", 999_999, 1_000_000),
    ],
)
def test_bounds(text: str, within: int, outside: int) -> None:
    assert Printed(text).agreement(within) == "within the bound"
    assert Printed(text).agreement(outside) is None
