"""The text of a device file -> :class:`Device`; ``docs/devices.md`` is the format.

A file is data and may be anybody's: it is read as specs are, by
:class:`archcost.spec.document.Document`, which bounds its size and depth and knows where everything
stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from archcost.hardware.device import KINDS, PEAKS, Cache, Device, DeviceError, Source
from archcost.hardware.quantity import (
    BANDWIDTH,
    BYTES,
    PURE,
    RATE,
    SECONDS,
    SPEED,
    WATTS,
    Dimension,
    Quantity,
    QuantityError,
    as_fraction,
    is_formula,
    quantity,
)
from archcost.spec import SpecError, nearest
from archcost.spec.document import Document, Node, describe
from archcost.spec.document import Mapping as MappingNode
from archcost.spec.errors import shown

if TYPE_CHECKING:
    from archcost.hardware.costs import Costs

T = TypeVar("T")

LONGEST_NAME: Final = 80
LONGEST_TEXT: Final = 2_000
MOST_ENTRIES: Final = 200
MOST_COSTS: Final = 20_000
DEEPEST_COSTS: Final = 8
LARGEST: Final = 10**21
"""No device computes this many FLOP/s, nor has this many bytes."""
KEYS: Final = (
    *("name", "title", "kind", "chip", "year", "aliases", "notes", "sources", "units", "clock"),
    *("peak", "bandwidth", "memory", "caches", "overhead", "power", "costs", "calibrated"),
)
FIGURE_KEYS: Final = ("value", "source", "place", "note", "printed")
CACHE_KEYS: Final = (*FIGURE_KEYS, "shared", "bandwidth")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")


def parse(text: str, file: str) -> Device:
    """The device that ``text`` describes; ``file`` is its name, for messages.

    Raises:
        DeviceError: it is wrong; with file, line and column.
    """
    try:
        return _Reader(text, file).device()
    except SpecError as error:
        raise DeviceError(str(error)) from None


class _Figure(NamedTuple):
    """The number, where it is from, and the node that says so."""

    number: float
    source: Source | None
    node: Node


class _Reader:
    """Reads one file; errors are SpecErrors, which know the place."""

    def __init__(self, text: str, file: str) -> None:
        self.document = Document(text, file, "device file", "name, title, kind, peak ...")
        self.sources: dict[str, tuple[str, str]] = {}
        self.names: dict[str, Quantity] = {}
        self.told: dict[str, Source] = {}

    def device(self) -> Device:
        entries = self.entries(self.document.root, "a device", KEYS)
        needed = ("name", "title", "kind", "units", "peak", "bandwidth", "memory", "overhead")
        if missing := [key for key in needed if key not in entries]:
            raise self.document.error(self.document.root, f"a device needs {', '.join(missing)}")
        if "sources" in entries:
            self.read_sources(entries["sources"])
        units = self.whole(self.figure(entries["units"], PURE, "units"), "units")
        self.names["units"] = Quantity(as_fraction(units), PURE)
        clock = self.optional(entries, "clock", RATE)
        if clock is not None:
            self.names["clock"] = Quantity(as_fraction(clock), RATE)
        return Device(
            name=self.name(entries["name"]),
            title=self.text(entries["title"]),
            kind=self.one_of(entries["kind"], KINDS),
            peak=self.peaks(entries["peak"]),
            bandwidth=self.figure(entries["bandwidth"], BANDWIDTH, "bandwidth").number,
            memory=self.whole(self.figure(entries["memory"], BYTES, "memory"), "memory"),
            overhead=self.figure(entries["overhead"], SECONDS, "overhead").number,
            units=units,
            caches=self.caches(entries["caches"]) if "caches" in entries else (),
            power=self.optional(entries, "power", WATTS),
            year=self.year(entries["year"]) if "year" in entries else None,
            aliases=self.texts(entries.get("aliases")),
            sources=self.told,
            costs=self.costs(entries["costs"]) if "costs" in entries else None,
            calibrated=self.calibrated(entries["calibrated"]) if "calibrated" in entries else {},
            chip=self.text(entries["chip"]) if "chip" in entries else "",
            clock=clock,
            notes=self.texts(entries.get("notes")),
        )

    def entries(self, node: Node, what: str, known: Iterable[str] = ()) -> dict[str, Node]:
        """The values of a mapping by key; where ``known`` are given there may be no others."""
        found = self.document.mapping(node, what)
        known = tuple(known)
        if len(found) > MOST_ENTRIES:
            raise self.document.error(node, f"more than {MOST_ENTRIES} entries in {what}")
        for key, (place, _) in found.items():
            if known and key not in known:
                raise self.document.error(
                    place, f"{what} has no {shown(key)}{nearest(key, known, listed=30)}"
                )
        return {key: value for key, (_, value) in found.items()}

    def text(self, node: Node) -> str:
        text = self.document.text(node, "a text")
        if len(text) > LONGEST_TEXT:
            raise self.document.error(
                node, f"a text of {len(text)} characters, at most {LONGEST_TEXT}"
            )
        return text

    def texts(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        items = self.document.sequence(node, "a list of texts")
        if len(items) > MOST_ENTRIES:
            raise self.document.error(node, f"more than {MOST_ENTRIES} texts")
        return tuple(map(self.text, items))

    def name(self, node: Node) -> str:
        name = self.text(node)
        if len(name) > LONGEST_NAME or not NAME.match(name):
            raise self.document.error(
                node,
                f"{shown(name)} is no name: letters, digits, dots, hyphens and underscores, at "
                f"most {LONGEST_NAME}",
            )
        return name

    def one_of(self, node: Node, choices: tuple[T, ...]) -> T:
        text = self.text(node)
        for choice in choices:
            if choice == text:
                return choice
        raise self.document.error(
            node, f"expected one of {', '.join(map(str, choices))}, found {describe(node)}"
        )

    def year(self, node: Node) -> int:
        year = self.document.scalar(node)
        if type(year) is not int or not 1940 <= year <= 2100:
            raise self.document.error(node, f"expected a year, found {describe(node)}")
        return year

    def read_sources(self, node: Node) -> None:
        for key, value in self.entries(node, "sources").items():
            about = self.entries(value, f"source {key!r}", ("title", "url"))
            if "title" not in about:
                raise self.document.error(value, f"source {key!r} needs a title")
            url = self.text(about["url"]) if "url" in about else ""
            if url and not url.startswith(("https://", "http://")):
                raise self.document.error(about["url"], f"{shown(url)} is no https:// address")
            self.sources[key] = self.text(about["title"]), url

    def optional(self, entries: Mapping[str, Node], key: str, dimension: Dimension) -> float | None:
        return self.figure(entries[key], dimension, key).number if key in entries else None

    def figure(
        self, node: Node, dimension: Dimension, name: str, keys: Iterable[str] = FIGURE_KEYS
    ) -> _Figure:
        """A quantity, bare or as ``{value, source, ...}``; where it is from is kept as ``name``."""
        if not isinstance(node, MappingNode):
            number, formula = self.quantity(node, dimension)
            if formula:
                self.told[name] = Source("", formula=formula)
            return _Figure(number, self.told.get(name), node)
        entries = self.entries(node, name, keys)
        if "value" not in entries:
            raise self.document.error(node, f"{name} needs a value")
        number, formula = self.quantity(entries["value"], dimension)
        title, url = self.source(entries["source"]) if "source" in entries else ("", "")
        note, place = (
            self.text(entries[key]) if key in entries else "" for key in ("note", "place")
        )
        printed = self.text(entries["printed"]).strip() if "printed" in entries else ""
        if printed:
            self.quantity(entries["printed"], dimension)
        source = Source(title, url, note, place, formula, printed)
        if source != Source(""):
            self.told[name] = source
        return _Figure(number, self.told.get(name), entries["value"])

    def source(self, node: Node) -> tuple[str, str]:
        key = self.text(node)
        if key not in self.sources:
            raise self.document.error(
                node, f"no source {shown(key)} in sources{nearest(key, self.sources)}"
            )
        return self.sources[key]

    def quantity(self, node: Node, dimension: Dimension) -> tuple[float, str]:
        """The number, and its text where that is a formula."""
        text = self.text(node).strip()
        try:
            number = quantity(text, dimension, self.names)
        except QuantityError as error:
            raise self.document.error(node, str(error)) from None
        if not 0 < number <= LARGEST:
            raise self.document.error(node, f"{text!r:.60} is out of range")
        return float(number), " ".join(text.split()) if is_formula(text) else ""

    def whole(self, figure: _Figure, what: str) -> int:
        if figure.number != int(figure.number):
            raise self.document.error(figure.node, f"{what}: expected a whole number")
        return int(figure.number)

    def peaks(self, node: Node) -> dict[str, float]:
        entries = self.entries(node, "peak", PEAKS)
        if not entries:
            raise self.document.error(node, "peak: expected FLOP/s of at least one dtype")
        return {
            dtype: self.figure(entries[dtype], SPEED, f"peak.{dtype}").number
            for dtype in PEAKS
            if dtype in entries
        }

    def caches(self, node: Node) -> tuple[Cache, ...]:
        return tuple(self.cache(value, key) for key, value in self.entries(node, "caches").items())

    def cache(self, node: Node, key: str) -> Cache:
        name = f"caches.{key}"
        size = self.whole(self.figure(node, BYTES, name, CACHE_KEYS), name)
        if not isinstance(node, MappingNode):
            return Cache(size, name=key)
        entries = self.entries(node, name)
        shared = self.document.scalar(entries["shared"]) if "shared" in entries else True
        if not isinstance(shared, bool):
            raise self.document.error(entries["shared"], "shared: expected true or false")
        bandwidth = None
        if "bandwidth" in entries:
            bandwidth = self.figure(entries["bandwidth"], BANDWIDTH, f"{name}.bandwidth").number
        return Cache(size, bandwidth, key, shared)

    def costs(self, node: Node) -> Costs:
        from archcost.hardware.costs import Costs

        data = self.coefficients(node, [0], 0)
        try:
            return Costs.from_data(data)
        except ValueError as error:
            raise self.document.error(node, f"costs: {error}") from None
        except (AttributeError, LookupError, TypeError):  # a number where a mapping should be
            raise self.document.error(
                node, "costs are not nested as archcost calibrate writes them"
            ) from None

    def coefficients(self, node: Node, counted: list[int], depth: int) -> dict[str, Any]:
        """Finite numbers in nested mappings."""
        if depth > DEEPEST_COSTS:
            raise self.document.error(node, f"costs are nested more than {DEEPEST_COSTS} deep")
        result: dict[str, Any] = {}
        for key, value in self.entries(node, "costs").items():
            if isinstance(value, MappingNode):
                result[key] = self.coefficients(value, counted, depth + 1)
                continue
            number = self.document.scalar(value)
            if type(number) not in (int, float):
                raise self.document.error(value, f"expected a number, found {describe(value)}")
            counted[0] += 1
            if counted[0] > MOST_COSTS:
                raise self.document.error(value, f"more than {MOST_COSTS} numbers in costs")
            result[key] = number
        return result

    def calibrated(self, node: Node) -> dict[str, str | int | float]:
        result: dict[str, str | int | float] = {}
        for key, value in self.entries(node, "calibrated").items():
            said = self.document.scalar(value)
            if isinstance(said, bool) or not isinstance(said, str | int | float):
                raise self.document.error(
                    value, f"expected a text or number, found {describe(value)}"
                )
            result[key] = self.text(value) if isinstance(said, str) else said
        return result
