"""The colours of pictures: told apart by the colour-blind, on light and on dark ground.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), whose black is white on dark
ground; a kind of layer has the same one in every picture.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from archcost.ir import Op

ThemeName = Literal["light", "dark"]


class Theme(NamedTuple):
    """Colours as ``#rrggbb``: those around the data, and the ``hues`` of the data."""

    background: str
    text: str
    muted: str
    grid: str
    hues: tuple[str, ...]

    def inks(self) -> tuple[str, ...]:
        """The hues as text can have them: each as far from the ground as it must be."""
        return tuple(readable(hue, self.background) for hue in self.hues)


BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, NEUTRAL, YELLOW = range(8)
"""The places of the hues in :attr:`Theme.hues`, in the order in which they are best used: yellow,
which hardly shows on white, comes last."""

_BLACK, _YELLOW = "#000000", "#F0E442"
_HUES: Final = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7")
_ON_DARK: Final = ("#4A8CF0", *_HUES[1:4], "#9ADCF9", _HUES[5])
THEMES: Final[dict[ThemeName, Theme]] = {
    "light": Theme("#ffffff", "#1b1b1b", "#6b6b6b", "#dddddd", (*_HUES, _BLACK, _YELLOW)),
    # On dark ground the original blue has too little contrast for a line; sky blue is lightened
    # with it, so that the two stay apart.
    "dark": Theme("#16181c", "#ececec", "#a3a7ad", "#3a3e45", (*_ON_DARK, "#ffffff", _YELLOW)),
}


READABLE: Final = 4.5
"""The contrast that small text needs at least to what is behind it (WCAG 2, level AA)."""


def readable(color: str, ground: str) -> str:
    """``color`` for text on ``ground``: as it is where that can be read, else as much of black or
    white in it as it needs."""
    ink = ink_on(ground)
    steps = (mixed(color, ink, step / 20) for step in range(20))
    return next((found for found in steps if contrast(found, ground) >= READABLE), ink)


def ink_on(fill: str) -> str:
    """Black or white, whichever stands out more against ``fill``."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, fill))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21, as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    """Relative luminance, 0 to 1, as WCAG 2 defines it."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in channels(color))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mixed(color: str, other: str, share: float) -> str:
    """``color`` with ``share`` of another in it."""
    pairs = zip(channels(color), channels(other), strict=True)
    return "#{:02x}{:02x}{:02x}".format(*[round(a + (b - a) * share) for a, b in pairs])


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``, 0 to 255 each."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


class LayerKind(NamedTuple):
    """A kind of layers as pictures have it: its name and the place of its hue; None: it has the
    theme's muted grey."""

    label: str
    hue: int | None


OTHER: Final = LayerKind("other", None)
"""Everything else; what tells it from the other grey kind is a pattern or a shape."""
LAYER_KINDS: Final = (
    LayerKind("convolution", BLUE),
    LayerKind("depthwise convolution", SKY),
    LayerKind("fully connected", ORANGE),
    LayerKind("normalization", None),
    LayerKind("activation", YELLOW),
    LayerKind("pooling", VERMILION),
    LayerKind("sum, concatenation", GREEN),
    LayerKind("attention, recurrence", PURPLE),
    OTHER,
)
"""In the order in which a legend has them."""

_CONVOLUTION, _DEPTHWISE, _LINEAR, _NORM, _ACTIVATION, _POOLING, _MERGE, _SEQUENCE, _ = LAYER_KINDS
_BY_FAMILY: Final = {
    "convolution": _CONVOLUTION,
    "linear": _LINEAR,
    "normalization": _NORM,
    "activation": _ACTIVATION,
    "pooling": _POOLING,
    "merge": _MERGE,
    "attention": _SEQUENCE,
    "recurrent": _SEQUENCE,
}
_BY_OPERATOR: Final = {
    "depthwise_conv": _DEPTHWISE,
    "matmul": _SEQUENCE,
    "grouped_matmul": _SEQUENCE,
}


def layer_kind(op: Op) -> LayerKind:
    """The kind that an operator is of: that of its family, but for a few of their own."""
    return _BY_OPERATOR.get(op.kind) or _BY_FAMILY.get(
        type(op).__module__.rpartition(".")[2], OTHER
    )
