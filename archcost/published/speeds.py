"""Times of forward passes that others measured and printed, as data.

Each is of a network of the zoo: what a source says of its parameters and operations is compared
with archcost's own numbers (:meth:`SpeedNetwork.statements`). The keys of the files are described
in ``speeds/README.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from archcost.conventions import convention
from archcost.ir import Graph
from archcost.ir.ops.normalization import BatchNorm
from archcost.published.files import NOT_AS_MEANT, PublishedError, documents
from archcost.published.printed import Printed
from archcost.sources import load
from archcost.spec import nearest
from archcost.spec.errors import shown

FOLDED: Final = "folded"
"""How inference engines count and store parameters: batch normalisation is folded into the
convolution before it, which gets a bias for it."""
STORED: Final = "bytes"
"""A quantity: bytes of the parameters so counted, four each."""


class Statement(NamedTuple):
    """What a source says of a network, and archcost's number for it.

    ``side`` is that of the input image, None for what does not depend on it; ``convention`` the
    one that the source counts by.
    """

    quantity: str
    convention: str
    side: int | None
    printed: Printed
    computed: int

    @property
    def agrees(self) -> bool:
        """Whether the number is the printed one at the printed precision, or cut off there."""
        return self.printed.agreement(Fraction(self.computed)) is not None


@dataclass(frozen=True)
class SpeedNetwork:
    """A network as a source calls it, and as the zoo does.

    ``said`` has (quantity, convention, side of the input or None, printed number).
    """

    printed_name: str
    model: str
    settings: Mapping[str, Any]
    said: tuple[tuple[str, str, int | None, Printed], ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        """The zoo's name and the settings: equal for what is the same network."""
        return self.model, json.dumps(self.settings, sort_keys=True)

    def graph(self, side: int | None = None, batch: int = 1, dtype: str = "fp32") -> Graph:
        """The network for images of ``side`` x ``side`` pixels; by default of its own size."""
        return _graph(*self.identity, side, batch, dtype)

    def statements(self) -> Iterator[Statement]:
        """What the source says of it, beside archcost's numbers."""
        for quantity, name, side, printed in self.said:
            yield Statement(
                quantity, name, side, printed, _counted(self.graph(side), quantity, name)
            )


class Run(NamedTuple):
    """Measurements that were made alike.

    Attributes:
        place: where in the source they stand.
        device: the name of the device.
        dtype: what products were computed in.
        channels_last: the layout in memory; else channels first.
        fused: whether a compiler or an engine fused operators.
        framework: what ran, with its version.
        autocast: whether weights were kept in fp32 and cast in every pass.
        date: of the file that they stand in; "" where it is not known.
        commit: that has the file, where it is not the one that the source's address names.
    """

    place: str
    device: str
    dtype: str
    channels_last: bool
    fused: bool
    framework: str
    autocast: bool = False
    date: str = ""
    commit: str = ""


class PublishedSpeed(NamedTuple):
    """One printed time: ``seconds`` of a pass of ``batch`` images of ``side`` x ``side`` pixels.

    ``source`` is the name of the :class:`SpeedSource`.
    """

    source: str
    run: Run
    network: SpeedNetwork
    side: int
    batch: int
    seconds: float

    @property
    def graph(self) -> Graph:
        """The network at the batch and in the dtype of the measurement."""
        return self.network.graph(self.side, self.batch, self.run.dtype)


@dataclass(frozen=True)
class SpeedSource:
    """A text or file that prints times.

    ``measured`` says how they were measured, ``left_out`` what of it is not here and why.
    """

    name: str
    title: str
    url: str
    measured: str
    networks: Mapping[str, SpeedNetwork]
    left_out: Mapping[str, str]
    speeds: tuple[PublishedSpeed, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(dict.fromkeys(speed.run for speed in self.speeds))


@lru_cache(maxsize=1)
def speed_sources() -> tuple[SpeedSource, ...]:
    """All sources, by name.

    Raises:
        PublishedError: a file of speeds is broken.
    """
    return tuple(_source(path, document) for path, document in documents("speeds"))


def source_names() -> list[str]:
    """The names of the sources; their files are not read."""
    return sorted(path.stem for path in (Path(__file__).parent / "speeds").glob("*.yaml"))


def speed_source(name: str) -> SpeedSource:
    """The source called ``name``.

    Raises:
        PublishedError: there is none.
    """
    for source in speed_sources():
        if source.name == name:
            return source
    raise PublishedError(f"no source of speeds {shown(name)}{nearest(name, source_names())}")


def folded_params(graph: Graph) -> int:
    """Parameters with every batch normalisation as one bias for each of its channels."""
    normalisations = [node for node in graph.nodes if isinstance(node.op, BatchNorm)]
    gone = {parameter for node in normalisations for parameter in node.parameters}
    kept = sum(p.numel for p in graph.parameters if p.trainable and p not in gone)
    return kept + sum(node.inputs[0].type.shape[1] for node in normalisations)


def _counted(graph: Graph, quantity: str, name: str) -> int:
    if name != FOLDED:
        return convention(name).count(graph).numbers[quantity]
    return folded_params(graph) * (4 if quantity == STORED else 1)


@lru_cache(maxsize=1024)
def _graph(model: str, settings: str, side: int | None, batch: int, dtype: str) -> Graph:
    if batch == 1 and dtype == "fp32":
        shape = None if side is None else (3, side, side)
        return load(model, settings=json.loads(settings), inputs=shape)
    return _graph(model, settings, side, 1, "fp32").with_batch(batch).with_dtype(dtype)


def _source(path: Path, document: Any) -> SpeedSource:
    try:
        counts = document.get("counts", {})
        networks = {
            name: _network(name, entry, counts) for name, entry in document["networks"].items()
        }
        speeds: list[PublishedSpeed] = []
        for entry in document["runs"]:
            values = dict(entry)
            rows = values.pop("rows")
            run = Run(**values)
            speeds += [
                PublishedSpeed(path.stem, run, networks[name], side, batch, milliseconds / 1e3)
                for name, side, batch, milliseconds in rows
            ]
        return SpeedSource(
            name=path.stem,
            title=document["source"]["title"],
            url=document["source"]["url"],
            measured=document["measured"].strip(),
            networks=networks,
            left_out={one["name"]: one["why"].strip() for one in document.get("left_out", ())},
            speeds=tuple(speeds),
        )
    except NOT_AS_MEANT as error:
        raise PublishedError(f"{path.name}: {error!r:.200}") from None


def _network(name: str, entry: Mapping[str, Any], counts: Mapping[str, Any]) -> SpeedNetwork:
    def printed(quantity: str, text: str, side: int | None) -> tuple[str, str, int | None, Printed]:
        counted_by, unit = counts[quantity]
        return quantity, counted_by, side, Printed(text, unit)

    said = [printed(key, entry[key], None) for key in counts if key in entry]
    for side, numbers in entry.get("at", {}).items():
        said += [printed(key, text, side) for key, text in numbers.items()]
    return SpeedNetwork(name, entry["model"], entry.get("set", {}), tuple(said))
