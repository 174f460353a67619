"""Quantities: numbers with units, their dimension, and how they are written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.hardware.quantity import (
    BANDWIDTH,
    BYTES,
    PURE,
    RATE,
    SECONDS,
    SPEED,
    WATTS,
    Quantity,
    QuantityError,
    quantity,
    written,
)

NAMES = {"units": Quantity(Fraction(82), PURE), "clock": Quantity(Fraction(1695 * 10**6), RATE)}


@pytest.mark.parametrize(
    ("text", "dimension", "number"),
    [
        ("82", PURE, 82),
        ("82 SMs", PURE, 82),
        ("24 GiB", BYTES, 24 * 2**30),
        ("24 GB", BYTES, 24 * 10**9),
        ("25769803776", BYTES, 24 * 2**30),
        ("936.2 GB/s", BANDWIDTH, Fraction(9362 * 10**8)),
        ("384 bit * 19.5 GT/s", BANDWIDTH, 936 * 10**9),
        ("32 B * 2 GHz", BANDWIDTH, 64 * 10**9),
        ("4.2 us", SECONDS, Fraction("4.2e-6")),
        ("4.2 µs", SECONDS, Fraction("4.2e-6")),
        ("1e-6", SECONDS, Fraction("1e-6")),
        ("350 W", WATTS, 350),
        ("1 kW", WATTS, 1000),
        ("35.6 TFLOPS", SPEED, Fraction("35.6e12")),
        ("units * clock * 256 FLOP/cycle", SPEED, 82 * 1695 * 10**6 * 256),
        ("units*clock*1024 OP/cycle/2", SPEED, 82 * 1695 * 10**6 * 512),
        ("1 core * 3 GHz * 16 FLOP/cycle + 4 cores * 2 GHz * 8 FLOP/cycle", SPEED, 112 * 10**9),
    ],
)
def test_what_is_read(text: str, dimension: object, number: object) -> None:
    assert quantity(text, dimension, NAMES) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing is written there"),
        ("5 foo", "no unit 'foo'"),
        ("5 GB/foo", "no unit 'GB/foo'"),
        ("3 GB", "expected bytes/s, like 936 GB/s, found B"),
        ("-1 GB/s", "expected a number, found '-'"),
        ("5 GB/s / 0", "division by 0"),
        ("82 *", "found 'the end'"),
        ("GB/s 5", "a unit stands behind its number"),
        ("flops * 5 B/s", "'flops' is no name (units, clock)"),
        ("4 GB + 5 s", "B and s cannot be added"),
        ("5 GB/s 3", "expected *, / or +"),
        ("1e999 GB/s", "expected *, / or +"),
        ("5 GB/s ; import os", "'; import os' is no number, unit or sign"),
        ("__import__", "is no number"),
        ("9" * 301, "301 characters"),
        ("1" * 21 + " B/s", "expected *, / or +"),
    ],
)
def test_what_is_no_quantity(text: str, message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        quantity(text, BANDWIDTH, NAMES)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (936.2e9, "B/s", "936.2 GB/s"),
        (24 * 2**30, "B", "24 GiB"),
        (1536 * 2**10, "B", "1536 KiB"),
        (1001, "B", "1001 B"),
        (4.2e-6, "s", "4.2 us"),
        (1.695e9, "Hz", "1.695 GHz"),
        (0.5, "W", "0.5 W"),
    ],
)
def test_what_is_written(number: float, unit: str, text: str) -> None:
    assert written(number, unit) == text


DIMENSIONS = {"B/s": BANDWIDTH, "s": SECONDS, "W": WATTS, "Hz": RATE, "FLOP/s": SPEED}


@given(st.floats(min_value=1e-12, max_value=1e20), st.sampled_from(sorted(DIMENSIONS)))
def test_what_is_written_reads_as_the_same_number(number: float, unit: str) -> None:
    assert float(quantity(written(number, unit), DIMENSIONS[unit])) == number


@given(st.integers(min_value=1, max_value=2**60))
def test_bytes_are_written_whole(number: int) -> None:
    assert quantity(written(number, "B"), BYTES) == number
