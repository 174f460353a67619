"""Which layers of two networks belong together: the scores by which they are aligned.

What is the same pairs best: the same operator with the same arguments on the same shapes. What
differs scores the more the more of its arguments and sizes agree, and less than nothing where too
few do, unless it has the same name. Otherwise names only choose between what is equally good, so
that one layer more does not shift all those whose names are numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from itertools import pairwise, zip_longest
from typing import Any, Final, NamedTuple

from archcost.analysis.sequences import NEVER, Pairs, best_pairs, longest_common, longest_rising
from archcost.ir import Application, Node
from archcost.ir.ops.convolution import Conv, DepthwiseConv
from archcost.ir.ops.linear import Linear

SAME: Final = 10_000
DIFFERENT: Final = 6_000
"""What two heavy layers score that differ in next to nothing."""
TOO_DIFFERENT: Final = 0.4
"""The share of what is looked at from which on heavy layers that differ in it score below 0."""
WEIGHTS: Final = {"op": 2, "kernel": 2, "in": 2, "out": 2}
"""How much more than others some of what is looked at counts."""
NAMESAKES: Final = 3_900
"""What two heavy layers that differ score more under the same name; they stay below SAME."""
LEAST: Final = 1_000
"""What heavy layers of the same name score at least if they are related, or both have weights."""
LIGHT: Final = 1_500
"""What two light layers lose, and once more if they differ in all."""
BONUS: Final = 2_000
"""What a pair right behind another one scores more. It is more than LIGHT and less than twice that:
light layers are paired next to others, and not on their own."""


class Signature(NamedTuple):
    """An operator on inputs of given types, and what is looked at where two of them differ.

    ``heavy`` are those by which networks are told apart: with a window or multiply-accumulates.
    The others (activations, normalizations, sums, views) are found everywhere.
    """

    number: int
    application: Application
    heavy: bool
    facts: frozenset[tuple[str, Any]]


class Signatures:
    """Finds the signature of each layer; those of both networks, so that they can be compared."""

    def __init__(self) -> None:
        self.all: list[Signature] = []
        self._found: dict[Hashable, Signature] = {}
        self._of: dict[Application, Signature] = {}

    def of(self, node: Node) -> Signature:
        application = node.application
        signature = self._of.get(application)
        if signature is None:
            key = essence(application)
            signature = self._found.get(key)
            if signature is None:
                signature = self._found[key] = _signature(len(self.all), application)
                self.all.append(signature)
            self._of[application] = signature
        return signature


def essence(application: Application) -> Hashable:
    """What an operator does to its inputs, in whatever words: a depthwise convolution is one of as
    many groups as channels; stride, padding and rounding are where the windows lie; and a linear
    layer need not say that it does not flatten what is flat."""
    op = application.op
    kind: type = type(op)
    values = {field.name: getattr(op, field.name) for field in op._fields}
    if isinstance(op, DepthwiseConv):
        kind = Conv
        del values["multiplier"]
        values |= {"groups": application.inputs[0].channels, "connections": None}
        values["out"] = application.outputs[0].channels
    elif isinstance(op, Linear):
        values["flatten"] = op.flattens(application.inputs[0])
    if application.reach and values.keys() >= {"kernel", "stride", "padding"}:
        for name in ("stride", "padding", "rounding"):
            values.pop(name, None)
    facts = frozenset(values.items())
    return kind, facts, application.reach, application.inputs, application.outputs


def _signature(number: int, application: Application) -> Signature:
    op = application.op
    window = any(reach.high > reach.low for reach in application.reach or ())
    facts = {"op": op.kind, **op.settings()}
    for place, types in (("in", application.inputs), ("out", application.outputs)):
        if len(types) > 1:
            facts[f"{place} tensors"] = len(types)
        if types:
            facts.setdefault(place, types[0].shape[1:2])  # channels; "out" is often an argument
            facts[f"{place} sizes"] = types[0].shape[2:]
    heavy = window or op.weighted or application.macs > 0
    return Signature(number, application, heavy, frozenset(facts.items()))


def score(left: Signature, right: Signature) -> int:
    """What two layers score as a pair, under different names."""
    if left is right:
        return SAME if left.heavy else -LIGHT
    one, other = left.application.op, right.application.op
    # The module is an operator's family: convolution, pooling, activation ...
    related = type(one).__module__ == type(other).__module__
    if one.kind != other.kind and not (related and one.known and other.known):
        return NEVER
    differing = {name for name, _ in left.facts ^ right.facts}
    alike = sum([WEIGHTS.get(name, 1) for name, _ in left.facts & right.facts])
    unlike = sum([WEIGHTS.get(name, 1) for name in differing])
    share = unlike / (alike + unlike)
    if left.heavy or right.heavy:
        return round(DIFFERENT * (1 - share / TOO_DIFFERENT))
    return -LIGHT - round(LIGHT * share)


def score_of_namesakes(left: Signature, right: Signature) -> int:
    """What two layers score as a pair, under the same name."""
    if left is right:
        return score(left, right)
    one, other = left.application.op, right.application.op
    heavy = left.heavy or right.heavy
    if one == other:  # what reaches them differs, not they themselves
        return SAME - 6 if heavy else -LIGHT - 3  # the names' part makes up for it
    found = score(left, right)
    if (heavy and found > NEVER) or (one.weighted and other.weighted):
        return max(found + NAMESAKES, LEAST)
    return found


class _Row(dict[int, int]):
    """What one signature scores with others, by their numbers, worked out when first asked for."""

    def __init__(self, signature: Signature, others: Sequence[Signature]) -> None:
        self._signature = signature
        self._others = others

    def __missing__(self, number: int) -> int:
        found = self[number] = score(self._signature, self._others[number])
        return found


class _Names:
    """Where in a network names end alike: in their last part, in their last two, in all."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._places: dict[Hashable, list[int]] = {}
        for index, node in enumerate(nodes):
            for end in _ends(node.name):
                self._places.setdefault(end, []).append(index)

    def alike(self, name: str, low: int, high: int) -> list[int]:
        """The places from ``low`` to before ``high`` of names that end as this one does; those
        that end with more of it more often."""
        found = []
        for end in _ends(name):
            places = self._places.get(end, [])
            found += places[bisect_left(places, low) : bisect_left(places, high)]
        return found


def _ends(name: str) -> tuple[Hashable, ...]:
    parts = name.rsplit("/", 2)
    return tuple(dict.fromkeys([("", name), tuple(parts[-2:]), (parts[-1],)]))


class _Scores:
    """What the layers of one network score with those of another; as functions, those that
    :func:`archcost.analysis.sequences.best_pairs` asks for."""

    def __init__(self, left: Sequence[Node], right: Sequence[Node]) -> None:
        signatures = Signatures()
        self.left, self.right = ([signatures.of(node) for node in nodes] for nodes in (left, right))
        self._names = [node.name for node in left]
        self._ends = _Names(right)
        self._numbers = [signature.number for signature in self.right]
        self._rows = {one.number: _Row(one, signatures.all) for one in self.left}
        places = {node.name: index for index, node in enumerate(right)}
        self.namesakes = [places.get(node.name, -1) for node in left]
        self._depths = _depths(left)
        depths = _depths(right)
        self._bonuses = {
            depth: [BONUS + min(depth, other) for other in depths] for depth in set(self._depths)
        }

    def scores(self, index: int, low: int, high: int) -> list[int]:
        """What a layer scores with those from ``low`` to before ``high``."""
        row = self._rows[self.left[index].number]
        scores = [row[number] for number in self._numbers[low:high]]
        namesake = self.namesakes[index]
        if low <= namesake < high:
            scores[namesake - low] = score_of_namesakes(self.left[index], self.right[namesake])
        weight = 1 + self.left[index].heavy
        for place in self._ends.alike(self._names[index], low, high):
            scores[place - low] += weight
        return scores

    def bonuses(self, index: int, low: int, high: int) -> list[int]:
        """What a pair right behind another one scores more: the more the deeper the scope that the
        layers have in common with those before, so that what is inserted begins where one ends."""
        return self._bonuses[self._depths[index]][low:high]

    def total(self, pairs: Pairs) -> int:
        """What ``pairs`` score together."""
        last = (-1, -1)
        result = 0
        for index, partner in pairs:
            result += self.scores(index, partner, partner + 1)[0]
            if last == (index - 1, partner - 1):
                result += self.bonuses(index, partner, partner + 1)[0]
            last = (index, partner)
        return result

    def guide(self) -> Pairs:
        """A first guess: the best of what names, signatures, and operators with the sizes of their
        outputs would have."""
        guesses = [self.between_namesakes((0, 0), (len(self.left), len(self.right)))]
        for key in (_number, _outline):
            guesses.append(longest_common([*map(key, self.left)], [*map(key, self.right)]))
        return max(guesses, key=self.total)

    def between_namesakes(self, start: tuple[int, int], stop: tuple[int, int]) -> Pairs:
        """The most pairs of the same name that there are from ``start`` to before ``stop``, where
        their operators are related."""
        places = []
        for index in range(start[0], stop[0]):
            place = self.namesakes[index]
            inside = start[1] <= place < stop[1]
            if inside and score_of_namesakes(self.left[index], self.right[place]) > NEVER:
                places.append(place)
            else:
                places.append(-1)
        return [(start[0] + at, places[at]) for at in longest_rising(places)]


def _depths(nodes: Sequence[Node]) -> list[int]:
    """How many parts of its scope each layer has in common with the one before; and at the end."""
    scopes = [[], *(node.name.split("/")[:-1] for node in nodes), []]
    return [
        next((n for n, (a, b) in enumerate(zip_longest(*pair)) if a != b), len(pair[0]))
        for pair in pairwise(scopes)
    ]


def _number(signature: Signature) -> int:
    return signature.number


def _outline(signature: Signature) -> tuple[str, Any]:
    outputs = signature.application.outputs
    return signature.application.op.kind, outputs[0].shape[2:] if outputs else ()


def pairs_of(left: Sequence[Node], right: Sequence[Node]) -> Pairs:
    """The indices of the layers that belong together, rising in both.

    The other way round there are the same pairs; between equal networks all are.
    """
    most = min(len(left), len(right))
    start = 0
    while start < most and _equal(left[start], right[start]):
        start += 1
    end = 0
    while end < most - start and _equal(left[-1 - end], right[-1 - end]):
        end += 1
    between = _best(left[start : len(left) - end], right[start : len(right) - end])
    return [
        *((index, index) for index in range(start)),
        *((start + index, start + partner) for index, partner in between),
        *((len(left) - back, len(right) - back) for back in range(end, 0, -1)),
    ]


def _equal(left: Node, right: Node) -> bool:
    one, other = left.application, right.application
    return left.name == right.name and (
        one is other
        or (one.op == other.op and one.inputs == other.inputs and one.outputs == other.outputs)
    )


def _best(left: Sequence[Node], right: Sequence[Node]) -> Pairs:
    """:func:`pairs_of` of two that neither begin nor end with equal layers."""
    if not left or not right:
        return []
    # Of what is equally good the earliest is taken, which depends on the direction. It is always
    # gone in the same one, so that either way round the same pairs are found.
    if _direction(right) < _direction(left):
        return [(index, partner) for partner, index in _best(right, left)]
    layers = _Scores(left, right)
    pairs = best_pairs(layers.scores, layers.bonuses, len(left), len(right), layers.guide)
    # Light ones of the same name may still stand alone.
    result: Pairs = []
    at = (0, 0)
    for pair in [*pairs, (len(left), len(right))]:
        result += layers.between_namesakes(at, pair)
        result.append(pair)
        at = (pair[0] + 1, pair[1] + 1)
    return result[:-1]


def _direction(nodes: Sequence[Node]) -> tuple[int, str]:
    application = nodes[0].application
    key = (nodes[0].name, application.op, application.inputs, application.outputs)
    return len(nodes), repr(key)
