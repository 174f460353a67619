"""Passes that others measured and published, beside the estimates of the same networks.

Nothing is measured here, and nothing was fitted on these times: what the coefficients of devices
were fitted on are single kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from archcost.hardware.device import Device, DeviceError
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.published.speeds import PublishedSpeed, Run, speed_source
from archcost.sources.zoo import find as find_network
from archcost.validation.errors import Errors, Pair, grouped


class JudgedSpeed(NamedTuple):
    """A published time and the estimate, in seconds; None where there is none, ``why`` says why.

    ``bound`` is what the estimate says holds up the pass for most of its time.
    """

    speed: PublishedSpeed
    estimated: float | None = None
    bound: str = ""
    why: str = ""

    @property
    def pair(self) -> Pair | None:
        if self.estimated is None:
            return None
        return Pair(self.estimated, self.speed.seconds)

    @property
    def error(self) -> float | None:
        """The signed error, a share of what was measured."""
        return None if self.pair is None else self.pair.error

    @property
    def family(self) -> str:
        """The zoo's family of the network."""
        return str(find_network(self.speed.network.model).about["family"])


class Again(NamedTuple):
    """What two runs come to that differ in software alone: the later one taken for an estimate of
    the earlier, over the networks that both have, by seconds a sample."""

    earlier: Run
    later: Run
    errors: Errors


@dataclass(frozen=True)
class PublishedValidation:
    """Published times beside estimates, in the order of the sources."""

    judged: tuple[JudgedSpeed, ...]

    @property
    def estimated(self) -> list[JudgedSpeed]:
        """Those that there is an estimate for."""
        return [one for one in self.judged if one.estimated is not None]

    @property
    def missing(self) -> dict[str, list[JudgedSpeed]]:
        """Those that there is none for, by the reason."""
        return grouped([one for one in self.judged if one.estimated is None], lambda one: one.why)

    def errors(self, judged: Sequence[JudgedSpeed] | None = None) -> Errors | None:
        """The errors of those that have an estimate, of all unless ``judged`` says which."""
        pairs = [one.pair for one in (self.judged if judged is None else judged)]
        known = [pair for pair in pairs if pair is not None]
        return Errors(tuple(known)) if known else None

    def groups(self, key: Callable[[JudgedSpeed], Hashable]) -> dict[Any, list[JudgedSpeed]]:
        """Those that have an estimate, by what ``key`` gives of each."""
        return grouped(self.estimated, key)

    @cached_property
    def by_run(self) -> dict[tuple[str, Run], list[JudgedSpeed]]:
        """By source and run: measurements that were made alike."""
        return self.groups(lambda one: (one.speed.source, one.speed.run))

    @property
    def again(self) -> list[Again]:
        """Runs on one device, in one dtype, layout and way of fusing, of one source, each beside
        the next: how far apart measurements of the same networks are."""
        alike = grouped(
            self.by_run,
            lambda key: (
                key[0],
                key[1].device,
                key[1].dtype,
                key[1].channels_last,
                key[1].fused,
                key[1].autocast,
            ),
        )
        found = []
        for runs in alike.values():
            for earlier, later in pairwise(runs):
                pairs = _same(self.by_run[earlier], self.by_run[later])
                if len(pairs) > 2:
                    found.append(Again(earlier[1], later[1], Errors(tuple(pairs))))
        return found

    @property
    def accuracy(self) -> list[Mapping[str, Any]]:
        """How accurate estimates are on each device, in each dtype, by each source, with the fields
        of :class:`archcost.hardware.accuracy.Accuracy`."""
        return [
            _accuracy(find(device), dtype, source, judged)
            for (device, dtype, source), judged in self.groups(
                lambda one: (one.speed.run.device, one.speed.run.dtype, one.speed.source)
            ).items()
        ]


def judged_speeds(speeds: Iterable[PublishedSpeed]) -> Iterator[JudgedSpeed]:
    """Each time beside its estimate."""
    for speed in speeds:
        try:
            device = find(speed.run.device)
        except DeviceError:
            yield JudgedSpeed(speed, why="no such device comes with archcost")
            continue
        try:
            found = estimate(speed.graph, device, fused=speed.run.fused)
        except DeviceError as error:
            yield JudgedSpeed(speed, why=str(error))
        else:
            yield JudgedSpeed(speed, found.seconds, found.bounds.longest)


def _same(earlier: Sequence[JudgedSpeed], later: Sequence[JudgedSpeed]) -> list[Pair]:
    """Seconds a sample of the networks that both have, the later ones for estimates."""

    def by_network(judged: Sequence[JudgedSpeed]) -> dict[tuple[str, int], float]:
        return {
            (one.speed.network.printed_name, one.speed.side): one.speed.seconds / one.speed.batch
            for one in judged
        }

    first, second = by_network(earlier), by_network(later)
    return [Pair(second[name], seconds) for name, seconds in first.items() if name in second]


def _accuracy(
    device: Device, dtype: str, source: str, judged: Sequence[JudgedSpeed]
) -> dict[str, Any]:
    total = Errors(tuple(one.pair for one in judged if one.pair is not None))
    return {
        "device": device.name,
        "kind": device.kind,
        "calibrated": device.costs is not None,
        "dtype": dtype,
        "batches": sorted({one.speed.batch for one in judged}),
        "networks": len({one.speed.network.identity for one in judged}),
        "measurements": len(judged),
        "median_absolute_error": total.median_absolute,
        "mean_absolute_error": total.mean_absolute,
        "rank_correlation": total.spearman,
        "measured_by": speed_source(source).title,
    }
