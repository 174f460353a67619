"""Runs of alike boxes or frames, drawn once: "x 35".

Members of a run do the same to tensors of the same types, have as many parameters of their own,
and each takes from the one before it what that took from its predecessor (or all take the same
tensors, as the layers of a decoder the encoder's result). What members but the last make is read
by the next alone, so that nothing of what is left out could be missed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archcost.analysis import Analysis
from archcost.diagram.grouping import Frame, Leaf
from archcost.ir import Node, Value

LONGEST_PERIOD: Final = 8
"""The most neighbours that are tried as one member of a run."""
LEAST_SAVED: Final = 3
"""Boxes that a fold must save; two or three alike are rather all seen."""

_Links = tuple[tuple[int, int] | None, ...]


@dataclass
class Folds:
    """What has been folded: where each node that is not drawn is drawn instead.

    ``first`` maps the nodes of all repeats but the first to their places in the first, ``handed``
    has the pairs of nodes between which a repeat hands a tensor to the next.
    """

    first: dict[Node, Node] = field(default_factory=dict)
    handed: set[tuple[Node, Node]] = field(default_factory=set)
    paths: list[tuple[str, ...]] = field(default_factory=list)
    """For each fold the paths of its members."""

    def drawn(self, node: Node) -> Node:
        """The node in whose box ``node`` is."""
        while node in self.first:
            node = self.first[node]
        return node

    def hands_on(self, producer: Node, reader: Node) -> bool:
        """Whether a tensor goes from one repeat of a fold to the next."""
        while (producer, reader) not in self.handed:
            above = self.first.get(producer, producer), self.first.get(reader, reader)
            if above == (producer, reader):
                return False
            producer, reader = above
        return True


def fold(root: Frame, analysis: Analysis, kept: Collection[str] = ()) -> Folds:
    """Fold the runs in ``root``, outermost ones first, in place.

    Runs in a scope of ``kept``, or with a member that is one or has one within it, stay unfolded.
    """
    folder = _Folder(analysis, kept)
    folder.visit(root)
    _dissolve(root)
    return folder.folds


def _dissolve(frame: Frame) -> None:
    """Leave out the frames around nothing but one that is repeated, which then bears their names.

    ``layers`` around ``0`` to ``5`` becomes ``layers/0`` to ``layers/5``.
    """
    for at, child in enumerate(frame.children):
        if not isinstance(child, Frame):
            continue
        _dissolve(child)
        only = child.children[0]
        if len(child.children) == child.repeats == 1 and isinstance(only, Frame):
            only.name, only.last = f"{child.name}/{only.name}", f"{child.name}/{only.last}"
            frame.children[at] = only


@dataclass(eq=False)
class _Member:
    """A candidate: its nodes in the graph's order, and how they hang together."""

    nodes: list[Node]
    index: dict[Node, int]
    signature: tuple[Any, ...]
    """Equal for two that do the same, whatever they do it to."""
    taken: list[Value]
    """Tensors from outside, in order of first use."""
    given: dict[tuple[int, int], Value]
    """Tensors that others read or the network gives: (node, output) -> tensor."""


class _Folder:
    def __init__(self, analysis: Analysis, kept: Collection[str]) -> None:
        graph = analysis.graph
        self.position = {node: index for index, node in enumerate(graph.nodes)}
        self.outputs = set(graph.outputs)
        self.rows = analysis.layers if graph.shares else ()
        self.kept = tuple(kept)
        self.folds = Folds()
        self.kinds: dict[Any, int] = {}
        self.numbers: dict[int, int] = {}  # id of an application -> number of what it does
        self.signatures: dict[tuple[Any, ...], int] = {}

    def visit(self, frame: Frame) -> None:
        frame.children = self._folded(frame)
        for child in frame.children:
            if isinstance(child, Frame):
                self.visit(child)

    def _folded(self, frame: Frame) -> list[Leaf | Frame]:
        children = frame.children
        if len(children) < 2 or self._stays(frame.path, within=True):
            return children
        # What they do, without how it hangs together: enough to see where a run may be.
        does = [tuple([self._kind(node) for node in child.nodes]) for child in children]
        signatures = [self._number(kinds) for kinds in does]
        sizes = [sum(1 for _ in child.leaves()) for child in children]
        folded: list[Leaf | Frame] = []
        at = 0
        while at < len(children):
            period, repeats = self._run(children, signatures, sizes, at)
            run = children[at : at + period * repeats]
            if repeats == 1 or any(self._stays(child.path) for child in run):
                folded += run
            else:
                folded.append(self._fold(run, period))
            at += len(run)
        return folded

    def _stays(self, path: str, *, within: bool = False) -> bool:
        """Whether ``path`` is kept: named, in a scope that is, or (not ``within``) around one."""
        return any(
            path == kept
            or path.startswith(f"{kept}/")
            or (not within and kept.startswith(f"{path}/"))
            for kept in self.kept
        )

    def _run(
        self, children: Sequence[Leaf | Frame], signatures: list[int], sizes: list[int], at: int
    ) -> tuple[int, int]:
        """The run that begins ``at``: (neighbours in a member, members); (1, 1) for none."""
        best, most = (1, 1), 0
        for period in range(1, min(LONGEST_PERIOD, (len(children) - at) // 2) + 1):
            repeats = self._repeats(children, signatures, at, period)
            saved = (repeats - 1) * sum(sizes[at : at + period])
            if saved >= max(LEAST_SAVED, most + 1):
                best, most = (period, repeats), saved
        return best

    def _repeats(
        self, children: Sequence[Leaf | Frame], signatures: list[int], at: int, period: int
    ) -> int:
        """How many members of ``period`` neighbours are alike from ``at`` on, and linked."""
        wanted = signatures[at : at + period]
        before: _Member | None = None
        links: _Links | None = None
        repeats = 1
        while True:
            start = at + repeats * period
            if signatures[start : start + period] != wanted:
                return repeats
            following = children[start : start + period]
            before = before or self._member(children[at : at + period])
            member = self._member(following)
            if member.signature != before.signature:
                return repeats
            now = _links(before, member)
            if (
                now is None
                or links not in (None, now)
                or not self._only_for(before, member)
                or not member.given.keys() <= before.given.keys()
            ):
                return repeats
            before, links = member, now
            repeats += 1

    def _only_for(self, member: _Member, after: _Member) -> bool:
        """Whether what ``member`` gives is read by ``after`` alone."""
        return all(
            value not in self.outputs
            and all(
                reader in after.index for reader in value.consumers if reader not in member.index
            )
            for value in member.given.values()
        )

    def _fold(self, run: Sequence[Leaf | Frame], period: int) -> Leaf | Frame:
        members = [
            self._member(run[start : start + period]).nodes for start in range(0, len(run), period)
        ]
        place = {node: at for at, nodes in enumerate(members) for node in nodes}
        for at, nodes in enumerate(members[1:], 1):
            self.folds.first.update(zip(nodes, members[0], strict=True))
            for node in nodes:
                for value in node.inputs:
                    if value.producer is not None and place.get(value.producer) == at - 1:
                        self.folds.handed.add((value.producer, node))
        self.folds.paths.append(tuple(item.path for item in run))
        first = run[0] if period == 1 else Frame(run[0].name, run[0].path, list(run[:period]))
        first.repeats, first.last = len(members), run[-1].name
        return first

    def _number(self, signature: tuple[Any, ...]) -> int:
        return self.signatures.setdefault(signature, len(self.signatures))

    def _member(self, items: Sequence[Leaf | Frame]) -> _Member:
        nodes = sorted(
            (node for item in items for node in item.nodes), key=self.position.__getitem__
        )
        index = {node: at for at, node in enumerate(nodes)}
        taken: dict[Value, int] = {}
        does = []
        for node in nodes:
            inputs = []
            for value in node.inputs:
                at = index.get(value.producer) if value.producer is not None else None
                if at is None:
                    inputs.append((-1, taken.setdefault(value, len(taken))))
                else:
                    assert value.producer is not None
                    inputs.append((at, value.producer.outputs.index(value)))
            does.append((self._kind(node), *inputs))
        given = {
            (at, output): value
            for at, node in enumerate(nodes)
            for output, value in enumerate(node.outputs)
            if value in self.outputs or any(reader not in index for reader in value.consumers)
        }
        return _Member(nodes, index, tuple(does), list(taken), given)

    def _kind(self, node: Node) -> int:
        """The same number for nodes that do the same, with as many parameters of their own."""
        application = node.application
        kind = self.numbers.get(id(application))
        if kind is None:
            key = application.op, application.inputs
            kind = self.numbers[id(application)] = self.kinds.setdefault(key, len(self.kinds))
        if self.rows:
            row = self.rows[self.position[node]]
            kind = self.kinds.setdefault((kind, row.params, row.buffers), len(self.kinds))
        return kind


def _links(before: _Member, member: _Member) -> _Links | None:
    """Where ``before`` gives each tensor that ``member`` takes; None where both take the same.

    None altogether if it takes another tensor from elsewhere, or nothing from ``before``.
    """
    links: list[tuple[int, int] | None] = []
    for own, other in zip(member.taken, before.taken, strict=True):
        at = before.index.get(own.producer) if own.producer is not None else None
        if at is not None:
            assert own.producer is not None
            links.append((at, own.producer.outputs.index(own)))
        elif own is other:
            links.append(None)
        else:
            return None
    return tuple(links) if any(links) else None
