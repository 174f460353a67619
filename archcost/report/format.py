"""Numbers and names as people read them."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from archcost.analysis import Unread
    from archcost.report.table import Column

MOST_NAMES: Final = 3
"""Names that a line of text gives before it breaks off."""
LONGEST_VALUE: Final = 60
"""Characters of a name or value within a line of text."""


def exact(value: int) -> str:
    """``5,493,258``."""
    return f"{value:,}"


def count(value: int) -> str:
    """``5.49 M``: three or more digits and an SI prefix; below 1000 as it is."""
    return _scaled(value, 1000, ("", " k", " M", " G", " T", " P", " E"))


def signed(value: int) -> str:
    """``+22.10 M``: a count with its sign."""
    return f"{'+' if value >= 0 else '-'}{count(abs(value))}"


def as_printed(value: Fraction, printed: str) -> str:
    """``value`` beside the number ``printed``, with two more decimals where it is not whole.

    >>> as_printed(Fraction(5493258, 10**6), "5.4")
    '5.493'
    """
    if value.denominator == 1:
        return exact(int(value))
    _, _, decimals = printed.partition(".")
    return f"{float(value):,.{len(decimals) + 2}f}"


def decimal_bytes(value: int) -> str:
    """``21.99 MB``, with 1 MB = 10^6 bytes."""
    return _scaled(value, 1000, (" B", " kB", " MB", " GB", " TB", " PB", " EB"))


def binary_bytes(value: int) -> str:
    """``20.97 MiB``, with 1 MiB = 2^20 bytes."""
    return _scaled(value, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"))


def both_bytes(value: int) -> str:
    """``25.77 GB (24.00 GiB)``; once where both are bytes."""
    decimal, binary = decimal_bytes(value), binary_bytes(value)
    return decimal if decimal == binary else f"{decimal} ({binary})"


def _scaled(value: int, base: int, units: tuple[str, ...]) -> str:
    if abs(value) < base:
        return f"{value}{units[0]}"
    power = 1
    # 999,999 is 1.00 M, not 1000.00 k.
    while power < len(units) - 1 and round(abs(value) / base**power, 2) >= base:
        power += 1
    return f"{value / base**power:,.2f}{units[power]}"


def seconds(value: float) -> str:
    """``12.3 ms``: a time in three digits, in ns, µs, ms or s."""
    if not value:
        return "0 s"
    # 999.6 µs is 1.00 ms, not 1,000 µs.
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if abs(value) * factor < 999.5:
            return f"{three_digits(value * factor)} {unit}"
    return f"{three_digits(value)} s"


def per_second(value: float, unit: str = "") -> str:
    """``12.3 k/s``, ``9.30 TFLOP/s``: a rate in three digits and an SI prefix."""
    power = 0
    while power < 6 and abs(value) / 1000**power >= 999.5:
        power += 1
    unit = f"{('', 'k', 'M', 'G', 'T', 'P', 'E')[power]}{unit}"
    return f"{three_digits(value / 1000**power)}{f' {unit}' if unit else ''}/s"


def samples_per_second(value: float) -> str:
    """``404 samples/s``, ``12.3 k samples/s``: a throughput in three digits."""
    return f"{per_second(value).removesuffix('/s')} samples/s"


def joules(value: float) -> str:
    """``12.3 mJ``: an energy in three digits, in µJ, mJ, J or kJ."""
    if not value:
        return "0 J"
    # 999.6 mJ is 1.00 J.
    for factor, unit in ((1e6, "µJ"), (1e3, "mJ"), (1, "J")):
        if abs(value) * factor < 999.5:
            return f"{three_digits(value * factor)} {unit}"
    return f"{three_digits(value / 1e3)} kJ"


def three_digits(value: float) -> str:
    """``0.123``, ``1.23``, ``12.3``, ``123``, ``1,234``; more before the point, and 0 is ``0``."""
    if not value:
        return "0"
    places = 2 - floor(log10(abs(float(f"{value:.3g}"))))
    return f"{value:,.{max(places, 0)}f}"


def share(value: float) -> str:
    """``37.2 %``; a share that is not nothing is never written as nothing."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return f"{100 * value:.1f} %"


def error(value: float) -> str:
    """``+12.3 %``, ``-4.5 %``: how much too high or too low, as a share of what is right."""
    return f"{100 * value:+.1f} %"


def percent(value: float) -> str:
    """``95.51 %``: no more digits than it has, which are those that somebody printed."""
    return f"{value:.4f}".rstrip("0").rstrip(".") + " %"


def times(value: float) -> str:
    """``0.47x``, ``12.3x``: how many times, in about three digits."""
    if value >= 99.95:
        return f"{value:,.0f}x"
    if value >= 9.995:
        return f"{value:.1f}x"
    return f"{value:.2f}x" if value >= 0.0995 or value == 0 else f"{value:#.2g}x"


def unknown_operators(unknown: Mapping[str, int]) -> tuple[str, ...]:
    """``3 x torchvision::nms``: each operator that is not known, with the number of layers."""
    return tuple(f"{exact(number)} x {name}" for name, number in unknown.items())


def unread_tensors(unread: Unread) -> str:
    """``2.30 M parameters of 12 tensors (aux.conv.weight, ...)``."""
    values = [f"{count(unread.params)} parameters"] if unread.params or not unread.buffers else []
    values += [f"{count(unread.buffers)} values in buffers"] if unread.buffers else []
    number, names = len(unread.tensors), list(unread.tensors[:MOST_NAMES])
    names += ["..."] if number > MOST_NAMES else []
    tensors = f"{exact(number)} tensor{'' if number == 1 else 's'}"
    return f"{' and '.join(values)} of {tensors} ({', '.join(names)})"


def listed(names: Sequence[str]) -> str:
    """``a, b, c and 4 more``."""
    shown = ", ".join(shortened(name, LONGEST_VALUE) for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{shown} and {exact(more)} more" if more > 0 else shown


def assumed(assumptions: Iterable[str]) -> tuple[str, ...]:
    """A note for each of what the reader of a model took for granted."""
    return tuple(f"Assumed: {text.rstrip('.')}." for text in assumptions)


def setting(value: Any) -> str:
    """A parameter's value as ``--set`` takes it: ``true``, ``0.5``, ``[3, 4]``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(setting, value))}]"
    return str(value)


def people(value: Any, column: Column) -> str:
    """A cell, scaled: for a terminal."""
    kind = column.kind
    if value is None:
        return column.missing
    if kind == "count":
        return count(value)
    if kind == "change":
        return signed(value)
    if kind == "bytes":
        return decimal_bytes(value)
    return precise(value, column)


def precise(value: Any, column: Column) -> str:
    """A cell with every digit: for documents."""
    kind = column.kind
    if value is None:
        return column.missing
    if kind in ("count", "integer"):
        return exact(value)
    if kind == "bytes":
        return f"{exact(value)} B"
    if kind == "change":
        return f"{value:+,}"
    if kind == "seconds":
        return seconds(value)
    if kind == "rate":
        return per_second(value)
    if kind == "joules":
        return joules(value)
    if kind == "share":
        return share(value)
    if kind == "error":
        return error(value)
    if kind == "percent":
        return percent(value)
    if kind == "ratio":
        return times(value)
    if kind == "number":
        return f"{value:,.2f}"
    if kind == "shape":
        return shape_text(value)
    if kind == "sentences":
        return visible("; ".join(value))
    return visible(str(value))


# C0 and C1 controls, and what reorders, hides or joins other characters: soft hyphen, bidirectional
# marks, zero-width characters, line and paragraph separators, byte order mark, tags, surrogates,
# and the two others that XML cannot hold.
_HIDDEN: Final = (
    (0x00, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x180E, 0x180E),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0xFFFE, 0xFFFF),
    (0xE0000, 0xE007F),
)
_ESCAPES: dict[int, str] = {}


def visible(text: str) -> str:
    """``text`` with each control and invisible character written as an escape, ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    if not _ESCAPES:
        for first, last in _HIDDEN:
            for code in range(first, last + 1):
                _ESCAPES[code] = ascii(chr(code))[1:-1]
    return text.translate(_ESCAPES)


def shortened(text: str, most: int) -> str:
    """``text`` made :func:`visible`, its middle left out where it is longer than ``most``.

    >>> shortened("features/denseblock4/denselayer32/conv2", 20)
    'features/d…r32/conv2'
    """
    # Only the ends are shown, so only they are made visible.
    if len(text) > 2 * most:
        text = f"{text[:most]}…{text[-most:]}"
    text = visible(text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"
