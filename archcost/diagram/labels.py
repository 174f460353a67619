"""What stands in boxes and on edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from archcost.analysis import LayerCost
from archcost.diagram.colors import BLOCK
from archcost.diagram.grouping import Frame, Leaf
from archcost.diagram.kinds import operation, short_kind
from archcost.diagram.units import Unit
from archcost.ir import Graph, Shape, Value, shape_text
from archcost.report.format import shortened
from archcost.report.palette import LayerKind, layer_kind

MOST_TITLE: Final = 36
MOST_LINE: Final = 44
MOST_TIP: Final = 120
MOST_TEXTS: Final = 3
"""The most lines that list what is in a box of several layers, and shapes on one edge."""
_NUMBERED: Final = re.compile(r"(?P<stem>.*?)(?P<number>[0-9]{1,9})", re.DOTALL)
_UNIQUE: Final = re.compile(r"_[0-9]+$")
"""What makes a name one that is given once: ``sum_2``."""
MOST_LISTED_LETTERS: Final = 150
LONGEST_PERIOD: Final = 8
"""The most texts that are looked for as repeated together."""
MOST_LISTED: Final = 400
"""Layers of one box beyond which nobody looks for repeats among them."""


class Shapes:
    """Shapes as they are shown: without the batch where every tensor of the network has it."""

    def __init__(self, graph: Graph) -> None:
        batch = graph.batch
        self.batched = all(
            len(value.shape) > 1 and value.shape[0] == batch
            for value in graph.values()
            if value.producer is None or value.producer.inputs
        )

    def text(self, value: Value) -> str:
        """``64x56x56``, with the dtype where that is none of the usual floating-point ones."""
        shape: Shape = value.shape
        made = value.producer is not None and not value.producer.inputs
        if self.batched and not made:
            shape = shape[1:]
        dtype = value.type.dtype
        return shape_text(shape) + ("" if dtype.startswith(("fp", "bf", "tf")) else f":{dtype}")

    def texts(self, values: Sequence[Value]) -> list[str]:
        """Each shape once, those of several tensors as ``3 x 8x10x64``."""
        counts = Counter(self.text(value) for value in values)
        texts = [text if count == 1 else f"{count} x {text}" for text, count in counts.items()]
        if len(texts) > MOST_TEXTS:
            texts[MOST_TEXTS - 1 :] = [f"and {sum(counts.values()) - MOST_TEXTS + 1} more"]
        return texts


def title(item: Leaf | Frame) -> str:
    """``block2``, or ``block2–36`` for what is repeated."""
    name = item.name if item.name.strip() else item.path
    if item.repeats == 1:
        return shortened(name, MOST_TITLE)
    most = MOST_TITLE // 2
    first, last = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(item.last)
    if first and last and first["stem"] == last["stem"]:
        return f"{shortened(name, most)}–{shortened(last['number'], most)}"
    return f"{shortened(name, most)} – {shortened(item.last, most)}"


def actions(leaf: Leaf, width: int) -> list[str]:
    """What the layers of a box do, in lines of about ``width`` characters."""
    if len(leaf.units) == 1:
        return _unit_lines(leaf.units[0], leaf.name, width)
    return _listed(leaf.units, width) or _counted(leaf.units, width)


def wrapped(texts: Sequence[str], separator: str, width: int) -> list[str]:
    """``texts`` joined to lines of no more than ``width`` characters where that is possible."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(separator) + len(text) <= width:
            lines[-1] += separator + text
        else:
            if lines:
                lines[-1] += separator.rstrip()
            lines.append(text)
    return lines


def _unit_lines(unit: Unit, name: str, width: int) -> list[str]:
    """``BN + ReLU + 1x1 conv, 64``, in the order in which it runs; nothing that its name says."""
    before, after = unit.beside()
    does = operation(unit.main)
    if not before and does.casefold() == _UNIQUE.sub("", name).casefold().replace("_", " "):
        does = ""
    texts = [shortened(text, MOST_LINE) for text in map(short_kind, before)]
    texts += [shortened(does, MOST_LINE)] if does else []
    texts += map(short_kind, after)
    if texts and not does:
        texts[0] = f"+ {texts[0]}"
    return wrapped(texts, " + ", width)


def _listed(units: Sequence[Unit], width: int) -> list[str]:
    """The layers with weights one after the other, repeats once: ``(1x1 conv, 64 ...) x 2``; none
    if that takes too much room.
    """
    ops = [operation(unit.main) for unit in units if unit.main.op.weighted]
    if not ops or len(ops) > MOST_LISTED:
        return []
    lines = []
    for texts, repeats in _runs(ops):
        lines += wrapped(_bracketed(texts, repeats), " · ", width)
    return lines if len("".join(lines)) <= MOST_LISTED_LETTERS else []


def _bracketed(texts: list[str], repeats: int) -> list[str]:
    if repeats == 1:
        return texts
    # "3x3 conv, 16 x 400" would seem to have 16 x 400 outputs.
    first, last = ("(", ")") if len(texts) > 1 or "," in texts[0] else ("", "")
    bracketed = [f"{first}{texts[0]}", *texts[1:]]
    bracketed[-1] += f"{last} x {repeats}"
    return bracketed


def _runs(texts: Sequence[str]) -> list[tuple[list[str], int]]:
    """``texts`` cut into stretches that are said so many times in a row, as short as possible."""
    count = len(texts)
    # For each place, from the last on: the length of what is said from there, and with which
    # stretch and how many times that begins.
    best: list[tuple[int, int, int]] = [(0, 0, 0)] * (count + 1)
    for at in reversed(range(count)):
        best[at] = (best[at + 1][0] + 1, 1, 1)
        for period in range(1, min(LONGEST_PERIOD, (count - at) // 2) + 1):
            end = at + period
            while end + period <= count and texts[end - period : end] == texts[end : end + period]:
                end += period
                length = period + 1 + best[end][0]
                if length < best[at][0]:
                    best[at] = (length, period, (end - at) // period)
    found: list[tuple[list[str], int]] = []
    at = 0
    while at < count:
        _, period, repeats = best[at]
        if repeats == 1 and found and found[-1][1] == 1:
            found[-1][0].append(texts[at])
        else:
            found.append((list(texts[at : at + period]), repeats))
        at += period * repeats
    return found


def _counted(units: Sequence[Unit], width: int) -> list[str]:
    """``35 conv, 1 max pool``: how many of what; of layers with weights only, if there are any."""
    nodes = [unit.main for unit in units]
    weighted = [node for node in nodes if node.op.weighted] or nodes
    counts = Counter(short_kind(node.op.kind) for node in weighted)
    texts = [f"{count} {kind}" for kind, count in counts.most_common(MOST_TEXTS)]
    if len(counts) > MOST_TEXTS:
        texts.append("...")
    return wrapped([shortened(text, MOST_LINE) for text in texts], ", ", width)


def known_macs(rows: Sequence[LayerCost], written: Callable[[int], str], unknown: str = "?") -> str:
    """``6.19 k``, ``6.19 k + ?`` or ``?``: the sum over the layers whose work is known, and whether
    there are others."""
    macs = sum([row.macs for row in rows])
    if all(row.known for row in rows):
        return written(macs)
    return f"{written(macs)} + {unknown}" if macs else unknown


def kind_of(leaf: Leaf) -> LayerKind:
    """By what a box is coloured."""
    return BLOCK if len(leaf.units) > 1 else layer_kind(leaf.units[0].main.op)
