"""Units in the boxes of a level, and boxes in frames: a tree of scopes with boxes as its leaves."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from archcost.diagram.model import Level
from archcost.diagram.units import Unit
from archcost.ir import Graph, Node

DEEPEST: Final = 12
"""The most scopes within one another; a name with more goes on as one."""

Path = tuple[str, ...]
Links = Mapping[int, set[int]]
"""From the number of a unit to those of the units that read what it makes."""


@dataclass(eq=False)
class Leaf:
    """What becomes a box. ``name`` is its name within the frame around it, ``path`` the whole."""

    name: str
    path: str
    units: list[Unit]
    repeats: int = 1
    last: str = ""
    """The name of the last of its repeats."""

    @property
    def nodes(self) -> Iterator[Node]:
        return (node for unit in self.units for node in unit.nodes)

    def leaves(self) -> Iterator[Leaf]:
        yield self


@dataclass(eq=False)
class Frame:
    """What becomes a frame around boxes: a scope, or several that are repeated together."""

    name: str
    path: str
    children: list[Leaf | Frame] = field(default_factory=list)
    repeats: int = 1
    last: str = ""

    @property
    def nodes(self) -> Iterator[Node]:
        return (node for child in self.children for node in child.nodes)

    def leaves(self) -> Iterator[Leaf]:
        for child in self.children:
            yield from child.leaves()


def tree(graph: Graph, units: Sequence[Unit], level: Level) -> Frame:
    """The boxes of ``level`` in their frames; the root is a frame without a name.

    At level ``layer`` each unit is a box; at ``block`` and ``stage`` those of one block or stage
    are. Where scopes wait for each other in turn (a model goes back to one) they are cut into as
    few boxes, and frames, as it takes for none to wait for itself by way of others.
    """
    paths = [tuple(unit.main.name.split("/", DEEPEST)) for unit in units]
    links = unit_links(graph, units)
    keys = paths if level == "layer" else _keys(paths, level)
    cut = [[at] for at in range(len(units))]
    if level != "layer":
        cut = _cut(range(len(units)), links, keys)
    home = {at: box for box, members in enumerate(cut) for at in members}
    between: dict[int, set[int]] = {box: set() for box in range(len(cut))}
    for at, readers in links.items():
        between[home[at]].update(home[reader] for reader in readers if home[reader] != home[at])
    box_keys = [keys[members[0]] for members in cut]
    boxes = [
        Leaf(_again(key[-1], count), "/".join(key), [units[at] for at in members])
        for key, count, members in zip(box_keys, _counted(box_keys), cut, strict=True)
    ]
    root = _framed(boxes, box_keys, between)
    while len(root.children) == 1 and isinstance(root.children[0], Frame):
        root.children = root.children[0].children
    return root


def _keys(paths: Sequence[Path], level: Level) -> list[Path]:
    """The names of the blocks or stages that units with these names are in."""
    shared = _shared_scopes(paths)
    if level == "stage":
        return [path[: shared + 1] for path in paths]
    keys = [path[: shared + _block(path[shared:])] for path in paths]
    around = {key[:depth] for key in keys for depth in range(len(key))}
    # What stands beside blocks is one by itself: a norm behind the layers of an encoder.
    return [
        path[: len(key) + 1] if key in around else key
        for key, path in zip(keys, paths, strict=True)
    ]


def _shared_scopes(paths: Sequence[Path]) -> int:
    """How many scopes are around the whole network."""
    first, last = min(paths, default=()), max(paths, default=())
    most = min((len(path) for path in paths), default=0) - 1
    shared = 0
    while shared < most and first[shared] == last[shared]:
        shared += 1
    return shared


def _block(path: Path) -> int:
    """How many parts of a name say which block it is in: its first two scopes, or those up to a
    number (``encoder/layers/0``), which counts the members of a list of blocks.
    """
    scopes = path[:-1]
    number = next((at for at, part in enumerate(scopes) if part.isdecimal()), None)
    if number is not None:
        return number + 1
    return min(len(scopes), 2) or 1


# --- boxes and frames that never wait for each other ---------------------------------------------


def _cut(inside: Sequence[int], links: Links, keys: Sequence[Hashable]) -> list[list[int]]:
    """What is ``inside`` in groups with the same key, in the order of their first ones.

    ``keys`` belong to ``inside`` in order. The keys of groups that wait for each other in turn
    are cut into stretches that run one after the other.
    """
    number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    group = {index: number[key] for index, key in zip(inside, keys, strict=True)}
    parts: dict[int, int] = {}
    for tangle in _tangles(links, group):
        tangled = [index for index in inside if group[index] in tangle]
        parts |= _stretches(tangled, links, group)
    groups: dict[tuple[int, int], list[int]] = {}
    for index in inside:
        groups.setdefault((group[index], parts.get(index, 0)), []).append(index)
    return list(groups.values())


def _counted(keys: Sequence[Hashable]) -> list[int]:
    """For each key how often it has come by then."""
    counts: dict[Hashable, int] = {}
    found = []
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
        found.append(counts[key])
    return found


def _again(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count})"


def unit_links(graph: Graph, units: Sequence[Unit]) -> dict[int, set[int]]:
    """Which units read what which others make."""
    home = {node: index for index, unit in enumerate(units) for node in unit.nodes}
    links: dict[int, set[int]] = {index: set() for index in range(len(units))}
    for node in graph.nodes:
        reader = home[node]
        for value in node.inputs:
            if value.producer is not None and home[value.producer] != reader:
                links[home[value.producer]].add(reader)
    return links


def _tangles(links: Links, group: Mapping[int, int]) -> list[set[int]]:
    """Sets of groups that all wait for each other, directly or not."""
    between: dict[int, set[int]] = {number: set() for number in group.values()}
    for index, number in group.items():
        between[number].update(group[reader] for reader in links[index] if reader in group)
    for number, readers in between.items():
        readers.discard(number)
    if in_order(between) is not None:
        return []
    from networkx import DiGraph, strongly_connected_components

    edges = [(number, reader) for number, readers in between.items() for reader in readers]
    return [set(found) for found in strongly_connected_components(DiGraph(edges)) if len(found) > 1]


def in_order(links: Links) -> list[int] | None:
    """An order in which everything comes behind what it waits for; None where there is none."""
    waiting = dict.fromkeys(links, 0)
    for readers in links.values():
        for reader in readers:
            waiting[reader] += 1
    ready = [index for index, count in waiting.items() if not count]
    for index in ready:  # grows
        for reader in links[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return ready if len(ready) == len(waiting) else None


def _stretches(inside: list[int], links: Links, group: Mapping[int, int]) -> dict[int, int]:
    """The units ``inside`` in an order that stays in a group as long as it can: to each the number
    of the stretch in which it stays there.

    No two stretches wait for each other: each reads only of those before it. Units outside cannot
    lie between them, or their groups would be in the same tangle.
    """
    within = set(inside)
    waiting = dict.fromkeys(inside, 0)
    for index in inside:
        for reader in links[index] & within:
            waiting[reader] += 1
    ready: dict[int, list[int]] = {}  # group -> heap of its units
    first: list[tuple[int, int]] = []  # heap of (unit, its group)

    def release(index: int) -> None:
        heapq.heappush(ready.setdefault(group[index], []), index)
        heapq.heappush(first, (index, group[index]))

    for index in inside:
        if not waiting[index]:
            release(index)
    stretches: dict[int, int] = {}
    current, stretch = -1, 0
    while len(stretches) < len(inside):
        if not ready.get(current):
            while first[0][0] in stretches:
                heapq.heappop(first)
            current, stretch = first[0][1], stretch + 1
        index = heapq.heappop(ready[current])
        stretches[index] = stretch
        for reader in links[index] & within:
            waiting[reader] -= 1
            if not waiting[reader]:
                release(reader)
    return stretches


def _framed(boxes: Sequence[Leaf], keys: Sequence[Path], links: Links) -> Frame:
    """All ``boxes`` in frames by the parts of their keys but the last."""
    root = Frame("", "")
    # Frames whose boxes are still to be put into frames within them: (frame, boxes, depth).
    pending = [(root, list(range(len(boxes))), 0)]
    made = []
    while pending:
        frame, inside, depth = pending.pop()
        made.append(frame)
        # A box that is in no scope any more is a group by itself.
        scopes: list[Hashable] = [
            keys[at][depth] if len(keys[at]) > depth + 1 else at for at in inside
        ]
        groups = _cut(inside, links, scopes)
        counts = _counted([keys[group[0]][: depth + 1] for group in groups])
        for group, count in zip(groups, counts, strict=True):
            key = keys[group[0]]
            if len(key) == depth + 1:
                frame.children.append(boxes[group[0]])
            else:
                inner = Frame(_again(key[depth], count), "/".join(key[: depth + 1]))
                frame.children.append(inner)
                pending.append((inner, group, depth + 1))
    for frame in reversed(made):
        _dissolve(frame)
    return root


def _dissolve(frame: Frame) -> None:
    """Leave out the frames around one thing only, which then bears their names."""
    whole = Counter(child.path for child in frame.children)
    for at, child in enumerate(frame.children):
        if isinstance(child, Frame) and len(child.children) == 1:
            (only,) = child.children
            if isinstance(only, Leaf) and whole[child.path] == 1:
                only.name, only.path = child.name, child.path
            else:
                only.name = f"{child.path.rpartition('/')[2]}/{only.name}"
            frame.children[at] = only
