"""Numbers and names for people."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.report.format import (
    binary_bytes,
    count,
    decimal_bytes,
    exact,
    joules,
    per_second,
    setting,
    visible,
)
from archcost.spec import parse_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (999_994, "999.99 k"),
        (999_996, "1.00 M"),
        (5_493_258, "5.49 M"),
        (652_151_296, "652.15 M"),
        (1_815_000_000, "1.81 G"),
        (10**21, "1,000.00 E"),
    ],
)
def test_count(value, text):
    assert count(value) == text


def test_bytes_say_which_mega_they_mean():
    assert decimal_bytes(21_988_904) == "21.99 MB"
    assert binary_bytes(21_988_904) == "20.97 MiB"
    assert decimal_bytes(2**20) == "1.05 MB"
    assert binary_bytes(2**20) == "1.00 MiB"
    assert decimal_bytes(80) == binary_bytes(80) == "80 B"
    assert binary_bytes(2**20 - 1) == "1.00 MiB"


FACTORS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


@given(st.integers(0, 10**20))
def test_scaled_numbers_are_near(value):
    number, _, prefix = count(value).partition(" ")
    read = float(number.replace(",", "")) * FACTORS[prefix]
    assert math.isclose(read, value, rel_tol=0.006)
    assert int(exact(value).replace(",", "")) == value


@given(st.text())
def test_visible_text_is_one_harmless_line(text):
    shown = visible(text)
    assert not re.search(
        "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]", shown
    )
    shown.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 J"),
        (3.25e-6, "3.25 µJ"),
        (0.0123, "12.3 mJ"),
        (0.9996, "1.00 J"),
        (345.6, "346 J"),
        (12345.0, "12.3 kJ"),
    ],
)
def test_energies(value, text):
    assert joules(value) == text


def test_rates_have_the_unit_that_they_count():
    assert per_second(9.3e12, "FLOP") == "9.30 TFLOP/s"
    assert per_second(9.3e12) == "9.30 T/s"
    assert per_second(12.0) == "12.0/s"
    assert per_second(12.0, "B") == "12.0 B/s"


def test_visible_leaves_the_rest():
    assert visible("fire2/expand3x3 – Größe 汉字") == "fire2/expand3x3 – Größe 汉字"
    assert visible("\x1b[31m\u202e") == r"\x1b[31m\u202e"


@pytest.mark.parametrize("value", [1, 0.5, True, False, None, "word", (1, 2.5, (3,)), ()])
def test_settings_are_spelt_as_set_reads_them(value):
    def tuples(read):
        return tuple(map(tuples, read)) if isinstance(read, list | tuple) else read

    assert tuples(parse_value(setting(value))) == value
