"""Numbers and names as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archcost.ir import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from archcost.analysis import Unread
    from archcost.report.table import Column

MOST_NAMES: Final = 3
"""Names of tensors that a line of text gives before it breaks off."""


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


def _scaled(value: int, base: int, units: tuple[str, ...]) -> str:
    if abs(value) < base:
        return f"{value}{units[0]}"
    power = 1
    # 999,999 is 1.00 M, not 1000.00 k.
    while power < len(units) - 1 and round(abs(value) / base**power, 2) >= base:
        power += 1
    return f"{value / base**power:,.2f}{units[power]}"


def share(value: float) -> str:
    """``37.2 %``; a share that is not nothing is never written as nothing."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return f"{100 * value:.1f} %"


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
    """A cell with every digit: for documents. Bytes are named in the column's label."""
    kind = column.kind
    if value is None:
        return column.missing
    if kind in ("count", "bytes", "integer"):
        return exact(value)
    if kind == "change":
        return f"{value:+,}"
    if kind == "share":
        return share(value)
    if kind == "shape":
        return shape_text(value)
    if kind == "sentences":
        return visible("; ".join(value))
    return visible(str(value))


# C0 and C1 controls, and what reorders, hides or joins other characters: soft hyphen, bidirectional
# marks, zero-width characters, line and paragraph separators, byte order mark, tags, surrogates.
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
