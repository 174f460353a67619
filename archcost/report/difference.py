"""What ``archcost compare A B --layers`` shows: two networks as a diff shows two files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.analysis.alignment import COSTS, FOLLOWING
from archcost.ir import shape_text
from archcost.report.format import (
    LONGEST_VALUE,
    count,
    exact,
    listed,
    setting,
    shortened,
    times,
    unknown_operators,
    unread_tensors,
)
from archcost.report.json import layer_data
from archcost.report.model import (
    COMFORTABLE_ROWS,
    MACS_AND_FLOPS,
    PREFIXES,
    ReportError,
    grouped,
    output_shape,
)
from archcost.report.table import Column, Table

if TYPE_CHECKING:
    from archcost.analysis import LayerCost
    from archcost.analysis.alignment import Aligned, Alignment, Change, Status

GROUPINGS: Final = ("layer", "block", "stage")
SIGNS: Final[dict[Status, str]] = {"same": "", "changed": "~", "left": "-", "right": "+"}
FOLLOWS: Final = "."
"""The sign of what is changed, but only by the tensors that reach it."""
STYLES: Final = {"~": "yellow", "-": "red", "+": "green"}
MOST_ROWS: Final = 2 * COMFORTABLE_ROWS
"""Rows of differences up to which it is told layer by layer, unless asked for otherwise."""
MOST_SENTENCES: Final = 4


class Part(NamedTuple):
    """A row: one layer, or a group of them, and what belongs to it in the other network.

    ``rows`` are those of the alignment that have any of these layers.
    """

    left_names: tuple[str, ...]
    right_names: tuple[str, ...]
    left: tuple[LayerCost, ...]
    right: tuple[LayerCost, ...]
    rows: tuple[Aligned, ...]

    @property
    def left_name(self) -> str | None:
        return ", ".join(self.left_names) or None

    @property
    def right_name(self) -> str | None:
        return ", ".join(self.right_names) or None

    @property
    def status(self) -> Status:
        if not self.left_names:
            return "right"
        if not self.right_names:
            return "left"
        whole = len(self.left) == len(self.right) == len(self.rows)
        same = whole and all(row.status == "same" for row in self.rows)
        return "same" if same else "changed"

    @property
    def sign(self) -> str:
        its = {"follows" if row.follows else row.status for row in self.rows}
        return FOLLOWS if {"follows"} <= its <= {"follows", "same"} else SIGNS[self.status]

    def more(self, cost: str) -> int:
        """How much more of a cost the right network has here than the left."""
        left, right = (sum([getattr(x, cost) for x in side]) for side in (self.left, self.right))
        return int(right - left)


class Difference(NamedTuple):
    """Two networks side by side as they are shown: ``names`` tell them apart, ``parts`` are the
    rows by ``by``; those that are the same are folded unless it is ``full``."""

    alignment: Alignment
    names: tuple[str, str]
    by: str
    full: bool
    parts: tuple[Part, ...]

    @property
    def labels(self) -> tuple[str, str]:
        """The names, short enough for a sentence."""
        left, right = (shortened(name, LONGEST_VALUE) for name in self.names)
        return left, right


def difference(
    alignment: Alignment,
    names: tuple[str, str] | None = None,
    *,
    by: str | None = None,
    full: bool = False,
) -> Difference:
    """Arrange an alignment for showing.

    Args:
        alignment: of two networks.
        names: what they are called; default: their own names.
        by: one of :data:`GROUPINGS`. Default: by layer where that gives no more than about sixty
            rows, else by block where that does, else by stage.
        full: show what is the same, too.

    Raises:
        ReportError: no such grouping.
    """
    if by is not None and by not in GROUPINGS:
        raise ReportError(
            f"layers are compared by one of {', '.join(GROUPINGS)}, not by {by!r:.60}"
        )
    graphs = alignment.left.graph, alignment.right.graph
    names = names or (graphs[0].name, graphs[1].name)
    for grouping in (by,) if by else GROUPINGS:
        parts = _parts(alignment, grouping)
        made = Difference(alignment, names, grouping, full, parts)
        if len(_folded(made)) <= MOST_ROWS:
            break
    return made


_Group = tuple[int, str]
"""A group of layers: on which side it is, left 0 and right 1, and its name."""


def _parts(alignment: Alignment, by: str) -> tuple[Part, ...]:
    """The rows in order: where the first of its layers is."""
    if by == "layer":
        return tuple([_single(row) for row in alignment.rows])
    sides = grouped(alignment.left, by), grouped(alignment.right, by)
    of = [{layer: name for name, its in groups.items() for layer in its} for groups in sides]
    rows: list[tuple[Aligned, list[_Group]]] = []
    for row in alignment.rows:
        layers = enumerate((row.left, row.right))
        rows.append((row, [(side, of[side][layer]) for side, layer in layers if layer]))
    numbers = _together([groups for _, groups in rows])
    members: dict[int, tuple[list[str], list[str]]] = {}
    for group, number in numbers.items():
        members.setdefault(number, ([], []))[group[0]].append(group[1])
    found: dict[int, list[Aligned]] = {}
    for row, groups in rows:
        for number in dict.fromkeys(numbers[group] for group in groups):
            found.setdefault(number, []).append(row)
    parts = []
    for number, its in found.items():
        names = members[number]
        left, right = (
            tuple([layer for name in names[side] for layer in sides[side][name]]) for side in (0, 1)
        )
        parts.append(Part(tuple(names[0]), tuple(names[1]), left, right, tuple(its)))
    return tuple(parts)


def _together(rows: Sequence[Sequence[_Group]]) -> dict[_Group, int]:
    """A number for each group, the same for those that belong together.

    ``rows`` are the groups of each row of the alignment, one or two. Two groups belong together
    that share the most layers, or if they share as many, the most and the same name; and a group
    with no such partner to the one that has the partners of all its layers.
    """
    shared = Counter([(row[0], row[1]) for row in rows if len(row) == 2])
    met: dict[_Group, set[_Group | None]] = {}
    for row in rows:
        for group, other in zip(row, reversed(row), strict=True):
            met.setdefault(group, set()).add(other if len(row) == 2 else None)
    numbers: dict[_Group, int] = {}
    by_weight = sorted(shared.items(), key=lambda item: (-item[1], item[0][0][1] != item[0][1][1]))
    for (one, other), _ in by_weight:
        if one not in numbers and other not in numbers:
            numbers[one] = numbers[other] = len(numbers)
    alone = [group for group in met if group not in numbers]
    for group in alone:
        host = next(iter(met[group])) if len(met[group]) == 1 else None
        numbers[group] = len(numbers) if host is None else numbers[host]
    return {group: numbers[group] for group in met}


def _single(row: Aligned) -> Part:
    left, right = row.left, row.right
    return Part(
        () if left is None else (left.name,),
        () if right is None else (right.name,),
        () if left is None else (left,),
        () if right is None else (right,),
        (row,),
    )


# --- for people


def difference_table(shown: Difference) -> Table:
    """The rows as a diff has them: what is the same folded, what differs with its sign."""
    parts = _folded(shown)
    both = [part for part in shown.parts if part.left_names and part.right_names]
    renamed = any(part.left_names != part.right_names for part in both)
    left, right = shown.labels
    columns = (
        Column("sign", "+-", "text", 1, STYLES, leads=True),
        Column("name", left if renamed else shown.by.capitalize(), "text"),
        *([Column("partner", right, "text")] if renamed else []),
        Column("op", "Op", "text", 3)
        if shown.by == "layer"
        else Column("layers", "Layers", "text"),
        Column("output", "Output", "text", 2),
        Column("params", "Params", "change"),
        Column("macs", "MACs", "change"),
        Column("changes", "What differs", "sentences"),
    )
    keys = [column.key for column in columns]
    cells = _Cells(shown, renamed)
    rows = [cells.row(part) if isinstance(part, Part) else cells.alike(part) for part in parts]
    rows.append(cells.total())
    *body, total = [tuple([row.get(key) for key in keys]) for row in rows]
    title = f"{left} -> {right}, by {shown.by}"
    return Table(title, columns, tuple(body), total, notes(shown))


def _folded(shown: Difference) -> list[Part | int]:
    """The parts, with a number for so many in a row that are the same."""
    result: list[Part | int] = []
    same: list[Part] = []
    for part in shown.parts:
        if part.status == "same" and not shown.full:
            same.append(part)
            continue
        result += [len(same)] if len(same) > 1 else same
        same = []
        result.append(part)
    return [*result, *([len(same)] if len(same) > 1 else same)]


class _Cells:
    """What the rows have in each column, by its key."""

    def __init__(self, shown: Difference, renamed: bool) -> None:
        self.shown = shown
        self.renamed = renamed
        graphs = [side.graph for side in (shown.alignment.left, shown.alignment.right)]
        same = graphs[0].batch == graphs[1].batch
        both = same and shown.alignment.left.batched and shown.alignment.right.batched
        self.batch = graphs[0].batch if both else None

    def row(self, part: Part) -> dict[str, Any]:
        names = part.left_name, part.right_name
        result: dict[str, Any] = {
            "sign": part.sign,
            "name": names[0] if self.renamed else names[0] or names[1],
            "partner": names[1],
            "output": _arrow(*(self.shape(side) for side in (part.left, part.right))),
            "params": part.more("params") or None,
            "macs": part.more("macs") or None,
        }
        if self.shown.by == "layer":
            ops = [side[0].op if side else None for side in (part.left, part.right)]
            return {**result, "op": _arrow(*ops), "changes": described(part.rows[0], self.batch)}
        layers = [exact(len(side)) if side else None for side in (part.left, part.right)]
        return {**result, "layers": _arrow(*layers), "changes": summarised(part, self.batch)}

    def shape(self, layers: Sequence[LayerCost]) -> str | None:
        return (
            shape_text(output_shape(layers[-1], batched=self.batch is not None)) if layers else None
        )

    def alike(self, number: int) -> dict[str, Any]:
        return {"name": f"... {exact(number)} {self.shown.by}s alike ..."}

    def total(self) -> dict[str, Any]:
        left, right = (
            side.totals for side in (self.shown.alignment.left, self.shown.alignment.right)
        )
        return {
            "name": "Total",
            "params": right.params - left.params,
            "macs": right.macs - left.macs,
        }


def _arrow(left: str | None, right: str | None) -> str:
    if left is None or right is None or left == right:
        return left or right or ""
    return f"{left} -> {right}"


def described(row: Aligned, batch: int | None) -> tuple[str, ...]:
    """What differs in a layer: one sentence, or none where other columns say all.

    Shapes are without ``batch`` where all have it.
    """
    named = [change for change in row.own if change.field not in FOLLOWING]
    if not named and row.left and row.right:
        fields = ("dtypes",) if row.left.outputs != row.right.outputs else ("inputs", "dtypes")
        named = [change for change in row.changes if change.field in fields]
        named = named or [change for change in row.own if change.field in COSTS]
    said = [_said(change, batch) for change in named]
    return (", ".join(said),) if said else ()


def _said(change: Change, batch: int | None) -> str:
    if change.field == "inputs":
        every = (*change.left, *change.right)
        first = int(all(len(shape) > 1 and shape[0] == batch for shape in every))
        left, right = (
            ", ".join([shape_text(shape[first:]) for shape in side])
            for side in (change.left, change.right)
        )
        return f"input {left} -> {right}"
    if change.field in ("reads", "dtypes"):
        left, right = (", ".join(side) for side in (change.left, change.right))
    elif change.field == "op":
        left, right = change.left, change.right
    else:
        left, right = (setting(side) for side in (change.left, change.right))
    field = change.field.removesuffix("s") if change.field == "dtypes" else change.field
    left, right = (shortened(side, LONGEST_VALUE) for side in (left, right))
    return f"{field} {left} -> {right}"


def summarised(part: Part, batch: int | None) -> tuple[str, ...]:
    """What differs in a group that is in both networks, in a few sentences."""
    if not (part.left_names and part.right_names):
        return ()
    changed: dict[str, list[str]] = {}
    alone: dict[str, list[str]] = {SIGNS["left"]: [], SIGNS["right"]: []}
    for row in part.rows:
        layer = row.left or row.right
        assert layer is not None
        name = layer.name
        for group in part.left_names if row.left else part.right_names:
            name = name.removeprefix(f"{group}/")
        if row.own:
            changed.setdefault("; ".join(described(row, batch)), []).append(name)
        elif row.status in ("left", "right"):
            alone[SIGNS[row.status]].append(name)
    sentences = [f"{listed(names)}: {text}" for text, names in changed.items()]
    if len(sentences) > MOST_SENTENCES:
        rest = len(sentences) - MOST_SENTENCES + 1
        sentences[MOST_SENTENCES - 1 :] = [f"and {exact(rest)} other changes"]
    return (*sentences, *(f"{sign} {listed(names)}" for sign, names in alone.items() if names))


def notes(shown: Difference) -> tuple[str, ...]:
    """The summary, and what a reader must know to read the table."""
    left, right = shown.labels
    signs = f"~ changed, - only in {left}, + only in {right}"
    if any(part.sign == FOLLOWS for part in shown.parts):
        signs = f"{signs}, {FOLLOWS} changed only by the shapes that reach it"
    return (
        summary(shown),
        *_times(shown),
        f"{signs}. Params and MACs are differences: {right}'s less {left}'s.",
        f"{MACS_AND_FLOPS} {PREFIXES}",
        *_unknown(shown),
    )


def summary(shown: Difference) -> str:
    """``31 layers are the same, 13 changed, 0 are only in a, 0 only in b.``"""
    counts, follows = shown.alignment.counts, shown.alignment.follows
    changed = f"{exact(counts['changed'])} changed"
    if follows:
        changed += f" ({exact(follows)} of them only by the shapes that reach them)"
    same = counts["same"]
    return (
        f"{exact(same)} layer{'' if same == 1 else 's'} the same, {changed}, "
        f"{exact(counts['left'])} only in {shown.labels[0]}, "
        f"{exact(counts['right'])} only in {shown.labels[1]}."
    )


def _times(shown: Difference) -> list[str]:
    """``Params 5.49 M -> 310.46 k (0.057x), MACs ...``"""
    left, right = shown.alignment.left.totals, shown.alignment.right.totals
    said = []
    for label, key in (("Params", "params"), ("MACs", "macs"), ("activations", "activations")):
        before, after = getattr(left, key), getattr(right, key)
        ratio = f" ({times(after / before)})" if before else ""
        said.append(
            f"{label} {count(before)} -> {count(after)}{ratio}"
            if before != after
            else f"{label} {count(before)} in both"
        )
    return [f"{', '.join(said)}."]


def _unknown(shown: Difference) -> Iterable[str]:
    for name, side in zip(shown.labels, (shown.alignment.left, shown.alignment.right), strict=True):
        if unknown := unknown_operators(side.totals.unknown):
            yield f"Not counted in {name}, as their work is not known: {', '.join(unknown)}."
        if side.graph.unread:
            yield (
                f"Total includes what no layer of {name} reads: "
                f"{unread_tensors(side.totals.unread)}."
            )


# --- for machines


DATA_COLUMNS: Final = (
    Column("status", "Status", "text"),
    Column("left", "Left", "text"),
    Column("right", "Right", "text"),
    Column("left_op", "Left op", "text"),
    Column("right_op", "Right op", "text"),
    Column("changes", "Changes", "text"),
    Column("left_output", "Left output", "shape"),
    Column("right_output", "Right output", "shape"),
    *(
        Column(f"{side}_{cost}", f"{side.capitalize()} {cost}", "integer")
        for cost in COSTS
        for side in ("left", "right")
    ),
)
"""By block or stage the operators and shapes are those of the last layers."""


def data_table(shown: Difference) -> Table:
    """All rows, what is the same too, with the numbers of both networks."""
    return Table("", DATA_COLUMNS, tuple([_data_row(part) for part in shown.parts]))


def _data_row(part: Part) -> tuple[Any, ...]:
    sides = (part.left, part.right)
    fields = dict.fromkeys(change.field for row in part.rows for change in row.changes)
    return (
        part.status,
        part.left_name,
        part.right_name,
        *(side[-1].op if side else None for side in sides),
        " ".join(fields),
        *(side[-1].outputs[0] if side else None for side in sides),
        *(
            sum([getattr(layer, cost) for layer in side]) if side else None
            for cost in COSTS
            for side in sides
        ),
    )


def difference_data(shown: Difference) -> dict[str, Any]:
    """The alignment as plain data, layer by layer; ``docs/json.md`` describes it."""
    alignment = shown.alignment
    return {
        **{
            key: {"name": name, "layers": len(side.layers)}
            | {cost: getattr(side.totals, cost) for cost in COSTS}
            for key, name, side in zip(
                ("left", "right"), shown.names, (alignment.left, alignment.right), strict=True
            )
        },
        "counts": {**alignment.counts, "follows": alignment.follows},
        "layers": [
            {
                "status": row.status,
                "follows": row.follows,
                "changes": [change._asdict() for change in row.changes],
                "left": None if row.left is None else layer_data(row.left),
                "right": None if row.right is None else layer_data(row.right),
            }
            for row in alignment.rows
        ],
    }
