"""A :class:`Device` -> the text of a device file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, Final

import yaml

from archcost.hardware.device import Cache, Device, DeviceError, Source
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
    quantity,
    written,
)
from archcost.hardware.reading import KEYS, parse
from archcost.spec.errors import shown

UNITS: Final = {
    PURE: "",
    BYTES: "B",
    SECONDS: "s",
    WATTS: "W",
    RATE: "Hz",
    SPEED: "FLOP/s",
    BANDWIDTH: "B/s",
}
"""The unit in which figures of a dimension are written."""
_PLAIN: Final = re.compile(r"[A-Za-z](?:[\w .(),/+-]*[\w).+])?\Z", re.ASCII)
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class _Dumper(yaml.CSafeDumper):
    """Writes every text so that it is read as a text again."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    plain = _PLAIN.match(text) and text.lower() not in _RESERVED
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def written_device(device: Device) -> str:
    """``device`` as the text of a file; :func:`parse` reads an equal one.

    Raises:
        DeviceError: the device is none that a file can hold: a figure is not finite, for one.
    """
    keys = {
        source: f"source-{number}"
        for number, source in enumerate(
            dict.fromkeys((s.title, s.url) for s in device.sources.values() if s.title), start=1
        )
    }
    text: str = yaml.dump(
        _document(device, keys),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=100,
    )
    read = parse(text, f"{device.name}.yaml")
    if read != device:
        raise DeviceError(f"{shown(device.name)}: what was written reads as another device")
    return text


def _document(device: Device, keys: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The device as plain data, in the order of :data:`KEYS`."""
    names = {"units": Quantity(as_fraction(device.units), PURE)}
    if device.clock is not None:
        names["clock"] = Quantity(as_fraction(device.clock), RATE)

    def figure(number: float | None, dimension: Dimension, name: str) -> Any:
        source = device.sources.get(name)
        value = None if number is None else _value(number, dimension, source, names)
        if source is None or source == Source("", formula=source.formula):
            return value
        key = keys.get((source.title, source.url))
        said = {
            "printed": source.printed,
            "source": key,
            "place": source.place,
            "note": source.note,
        }
        return {"value": value} | {key: text for key, text in said.items() if text}

    def cache(cache: Cache) -> Any:
        name = f"caches.{cache.name}"
        size = figure(cache.bytes, BYTES, name)
        if cache.shared and cache.bandwidth is None:
            return size
        result = size if isinstance(size, dict) else {"value": size}
        result |= {} if cache.shared else {"shared": False}
        bandwidth = figure(cache.bandwidth, BANDWIDTH, f"{name}.bandwidth")
        return result | ({} if bandwidth is None else {"bandwidth": bandwidth})

    entries = {
        "name": device.name,
        "title": device.title,
        "kind": device.kind,
        "chip": device.chip,
        "year": device.year,
        "aliases": list(device.aliases),
        "notes": list(device.notes),
        "sources": {
            key: {"title": title} | ({"url": url} if url else {})
            for (title, url), key in keys.items()
        },
        "units": figure(device.units, PURE, "units"),
        "clock": figure(device.clock, RATE, "clock"),
        "peak": {
            dtype: figure(number, SPEED, f"peak.{dtype}") for dtype, number in device.peak.items()
        },
        "bandwidth": figure(device.bandwidth, BANDWIDTH, "bandwidth"),
        "memory": figure(device.memory, BYTES, "memory"),
        "caches": {each.name: cache(each) for each in device.caches},
        "overhead": figure(device.overhead, SECONDS, "overhead"),
        "power": figure(device.power, WATTS, "power"),
        "costs": device.costs and device.costs.data(),
        "calibrated": dict(device.calibrated),
    }
    return {key: entries[key] for key in KEYS if entries[key] not in (None, "", [], {})}


def _value(
    number: float, dimension: Dimension, source: Source | None, names: Mapping[str, Quantity]
) -> Any:
    """The formula, where it still gives this number, else the number with its unit."""
    if not isfinite(number):
        raise DeviceError(f"{number} is no figure that a device can have")
    if source is not None and source.formula:
        with suppress(QuantityError):
            if float(quantity(source.formula, dimension, names)) == number:
                return source.formula
    return written(number, UNITS[dimension]) if UNITS[dimension] else int(number)
