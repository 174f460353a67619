"""The colours of pictures."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from archcost.ir.ops import OPERATORS, make
from archcost.report.palette import LAYER_KINDS, OTHER, THEMES, layer_kind

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color
# Vision Deficiency", IEEE TVCG 15(6): the matrices at severity 1.0, for linear RGB.
DEFICIENT = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(color: str) -> tuple[float, ...]:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    weights = (0.2126, 0.7152, 0.0722)
    a, b = (sum(w * c for w, c in zip(weights, linear(x), strict=True)) for x in (one, other))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def lab(color: tuple[float, ...]) -> tuple[float, float, float]:
    """CIE L*a*b* of linear sRGB, with white D65."""
    matrix = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    white = (0.95047, 1.0, 1.08883)
    xyz = [sum(m * c for m, c in zip(row, color, strict=True)) for row in matrix]
    x, y, z = (
        t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29
        for t in (value / w for value, w in zip(xyz, white, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("name", THEMES)
def test_texts_can_be_read(name: str) -> None:
    theme = THEMES[name]
    assert contrast(theme.text, theme.background) > 12
    assert contrast(theme.muted, theme.background) > 4.5


@pytest.mark.parametrize("name", THEMES)
def test_hues_of_text_can_be_read(name: str) -> None:
    theme = THEMES[name]
    for hue, ink in zip(theme.hues, theme.inks(), strict=True):
        assert contrast(ink, theme.background) >= 4.5
        if contrast(hue, theme.background) >= 4.5:
            assert ink == hue.lower()


def test_dark_hues_show_on_dark() -> None:
    theme = THEMES["dark"]
    assert min(contrast(hue, theme.background) for hue in theme.hues) > 3


@pytest.mark.parametrize("deficiency", DEFICIENT)
@pytest.mark.parametrize("name", THEMES)
def test_the_colour_blind_tell_hues_apart(name: str, deficiency: str) -> None:
    seen = {}
    for hue in THEMES[name].hues:
        rows = DEFICIENT[deficiency]
        light = [sum(m * c for m, c in zip(row, linear(hue), strict=True)) for row in rows]
        seen[hue] = lab(tuple(min(1.0, max(0.0, c)) for c in light))
    for one, other in combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 10, (one, other)


def test_hues_are_colours() -> None:
    for theme in THEMES.values():
        for color in (*theme.hues, *theme[:4]):
            assert re.fullmatch(r"#[0-9A-Fa-f]{6}", color)


def test_every_kind_has_its_hue() -> None:
    hues = [kind.hue for kind in LAYER_KINDS if kind.hue is not None]
    assert len(hues) == len(set(hues))
    assert LAYER_KINDS[-1] is OTHER


@pytest.mark.parametrize(
    ("op", "label"),
    [
        (make("conv", out=1, kernel=1), "convolution"),
        (make("depthwise_conv", kernel=3), "depthwise convolution"),
        (make("linear", out=1), "fully connected"),
        (make("batch_norm"), "normalization"),
        (make("relu"), "activation"),
        (make("max_pool", kernel=2), "pooling"),
        (make("concat"), "sum, concatenation"),
        (make("matmul"), "attention, recurrence"),
        (make("flatten"), "other"),
    ],
)
def test_kinds_of_operators(op: object, label: str) -> None:
    assert op.kind in OPERATORS
    assert layer_kind(op).label == label
