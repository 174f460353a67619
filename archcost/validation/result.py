"""The outcome of a validation: every measured pass beside its estimate, and what follows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.validation.bars import BARS, Bar
from archcost.validation.errors import Errors, Pair, errors, grouped, histogram
from archcost.validation.journal import Row, Session
from archcost.validation.judging import Judged, Part, summed

if TYPE_CHECKING:
    from archcost.hardware.device import Device

SIZES: Final = ((1e-3, "< 1 ms"), (1e-2, "1–10 ms"), (1e-1, "10–100 ms"), (1.0, "100 ms–1 s"))
LARGEST_SIZE: Final = ">= 1 s"
SHORTEST_LAYER: Final = 2e-5
"""Seconds of a layer from which on its own error is counted: below, the clock's part is large."""


class Verdict(NamedTuple):
    """What a bar came to; ``found`` is None where nothing it speaks of was measured."""

    bar: Bar
    found: float | None

    @property
    def met(self) -> bool | None:
        return None if self.found is None else self.bar.met(self.found)


class KindErrors(NamedTuple):
    """Layers of one kind over all networks: their seconds together, and their own errors.

    ``errors`` are those of layers of :data:`SHORTEST_LAYER` and more (layers of a network that do
    the same as one, with their mean); None where there is none.
    """

    kind: str
    layers: int
    measured: float
    estimated: float
    errors: Errors | None


class Noise(NamedTuple):
    """What measuring the same again comes to.

    ``again`` are the errors of taking the later measurement for an estimate of the first one,
    ``estimate`` those of the estimate in the same passes. ``spread`` is the median of the
    interquartile range over the median, within each of all measurements.
    """

    again: Errors | None
    estimate: Errors | None
    spread: float


class Agreement(NamedTuple):
    """How many networks' bytes are what the analysis says, to the byte, and those that are not."""

    checked: int
    equal: int
    differing: tuple[Judged, ...]


@dataclass(frozen=True)
class Validation:
    """All that was measured, beside the estimates for ``device``.

    Attributes:
        sessions: how it was measured; several where it was interrupted, or added to.
        judged: the measured passes, ordered by network, dtype and batch.
        missing: what has no time, with the reason.
        repeated: what was measured again: the first row and the later one.
        changed: networks that are no longer what they were when they were measured, left out.
    """

    device: Device
    sessions: tuple[Session, ...]
    judged: tuple[Judged, ...]
    missing: tuple[Row, ...] = ()
    repeated: tuple[tuple[Row, Row], ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def networks(self) -> list[str]:
        """The networks that were measured."""
        return list(dict.fromkeys(one.model for one in self.judged))

    @cached_property
    def held_out(self) -> list[Judged]:
        """Those that the estimate's coefficients were not fitted on."""
        return [one for one in self.judged if not one.fitted]

    def latency(self, judged: Sequence[Judged] | None = None) -> Errors | None:
        """The errors of the latency, of those held out unless ``judged`` says which."""
        return _errors([one.latency for one in (self.held_out if judged is None else judged)])

    def memory(self, judged: Sequence[Judged] | None = None) -> Errors | None:
        """The errors of the peak memory, as :meth:`latency`."""
        chosen = self.held_out if judged is None else judged
        return _errors([one.memory for one in chosen])

    def live_memory(self, judged: Sequence[Judged] | None = None) -> Errors | None:
        """The errors of liveness alone as an estimate of the peak memory."""
        chosen = self.held_out if judged is None else judged
        return _errors([one.live_memory for one in chosen])

    def groups(self, key: Callable[[Judged], Hashable]) -> dict[Any, list[Judged]]:
        """Those held out by what ``key`` gives of each, in the order of the keys."""
        found = grouped(self.held_out, key)
        return {name: found[name] for name in sorted(found)}  # type: ignore[type-var]

    @cached_property
    def by_setting(self) -> dict[tuple[str, int], list[Judged]]:
        """Those held out by dtype and batch."""
        return self.groups(lambda one: (one.dtype, one.batch))

    @cached_property
    def by_size(self) -> dict[str, list[Judged]]:
        """Those held out by how long their pass takes."""
        found = grouped(self.held_out, lambda one: size_of(one.measured))
        names = [*(name for _, name in SIZES), LARGEST_SIZE]
        return {name: found[name] for name in names if name in found}

    @cached_property
    def by_family(self) -> dict[str, list[Judged]]:
        """Those held out by the network's family."""
        return self.groups(lambda one: one.family)

    @property
    def verdicts(self) -> list[Verdict]:
        """What the bars for this kind of device came to."""
        return [
            Verdict(bar, bar.found(self.held_out)) for bar in BARS if bar.kind == self.device.kind
        ]

    @property
    def bins(self) -> list[int]:
        """How many estimates of latency have which error: :func:`errors.histogram`."""
        return histogram(one.latency.error for one in self.held_out)

    def worst(self, most: int) -> list[Judged]:
        """The largest errors of latency, the worst pass of each network."""
        ordered = sorted(self.judged, key=lambda one: -abs(one.latency.error))
        worst: dict[str, Judged] = {}
        for one in ordered:
            worst.setdefault(one.model, one)
        return list(worst.values())[:most]

    @property
    def blame(self) -> dict[str, int]:
        """Kind of operator -> the passes in whose error it has the largest part."""
        kinds = [one.culprit_kind.op for one in self.judged if one.culprit_kind]
        return dict(Counter(kinds).most_common())

    @cached_property
    def kinds(self) -> list[KindErrors]:
        """Layers by kind, those first that took longest."""
        parts = [part for one in self.held_out for part in one.parts]
        by_kind = grouped(parts, lambda part: part.op)
        totals = sorted(summed(parts).values(), key=lambda part: -part.measured)
        return [
            KindErrors(
                total.op,
                total.layers,
                total.measured,
                total.estimated,
                _errors([_layer_pair(part) for part in by_kind[total.op]]),
            )
            for total in totals
        ]

    @property
    def noise(self) -> Noise:
        """What measuring again comes to."""
        estimates = {one.row.key: one for one in self.judged}
        pairs = [
            (Pair(later.timing.median, first.timing.median), estimates.get(first.key))
            for first, later in self.repeated
            if first.timing and later.timing
        ]
        return Noise(
            _errors([pair for pair, _ in pairs]),
            _errors([one.latency for _, one in pairs if one]),
            median([one.timing.spread for one in self.judged]) if self.judged else 0.0,
        )

    def agreement(self, what: str) -> Agreement:
        """Whether ``parameters``, ``activations`` or ``file`` of :class:`Held` are as computed."""
        checked = [one for one in self.judged if one.row.held is not None]
        differing = [
            one for one in checked if getattr(one.row.held, what) != getattr(one.expected, what)
        ]
        return Agreement(len(checked), len(checked) - len(differing), tuple(differing))

    @property
    def file_headers(self) -> list[tuple[Judged, int]]:
        """For each network and dtype the bytes that its file has besides the stored numbers."""
        first = {(one.model, one.dtype): one for one in reversed(self.judged) if one.row.held}
        return [
            (one, one.row.held.file - one.expected.file)
            for one in reversed(first.values())
            if one.row.held
        ]

    @property
    def accuracy(self) -> list[dict[str, Any]]:
        """How accurate estimates are for each dtype, all batches together, with the fields of
        :class:`archcost.hardware.accuracy.Accuracy`."""
        return [
            self._accuracy(dtype, sorted({one.batch for one in judged}), judged)
            for dtype, judged in self.groups(lambda one: one.dtype).items()
        ]

    def _accuracy(
        self, dtype: str, batches: Sequence[int], judged: Sequence[Judged]
    ) -> dict[str, Any]:
        total = errors([one.latency for one in judged])
        return {
            "device": self.device.name,
            "kind": self.device.kind,
            "calibrated": self.device.costs is not None,
            "dtype": dtype,
            "batches": list(batches),
            "networks": len({one.model for one in judged}),
            "measurements": len(judged),
            "median_absolute_error": total.median_absolute,
            "mean_absolute_error": total.mean_absolute,
            "rank_correlation": total.spearman,
            "measured_by": "archcost",
        }


def size_of(seconds: float) -> str:
    """The class of passes that take so long."""
    return next((name for limit, name in SIZES if seconds < limit), LARGEST_SIZE)


def _errors(pairs: Sequence[Pair | None]) -> Errors | None:
    known = [pair for pair in pairs if pair is not None]
    return errors(known) if known else None


def _layer_pair(part: Part) -> Pair | None:
    measured = part.measured / part.layers
    if measured < SHORTEST_LAYER:
        return None
    return Pair(part.estimated / part.layers, measured)
