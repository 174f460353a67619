"""Devices in files: those that come with archcost, and anybody's.

Finding one parses one file; ``docs/devices.md`` has the format.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from archcost.hardware.device import KINDS, Device, DeviceError
from archcost.hardware.reading import parse
from archcost.ir import ArchcostError
from archcost.sources.files import read_text
from archcost.sources.zoo import squashed
from archcost.spec import nearest
from archcost.spec.errors import shown

SUFFIXES: Final = (".yaml", ".yml")
MOST_BYTES: Final = 1_000_000


@cache
def devices() -> tuple[Device, ...]:
    """The devices that come with archcost: GPUs, then CPUs, each by year and name."""
    found = [_shipped(path) for path in _files()]
    return tuple(sorted(found, key=lambda d: (KINDS.index(d.kind), d.year or 0, d.name)))


def names() -> list[str]:
    """The names of these devices, from A to Z; their files are not read."""
    return [path.stem for path in _files()]


def aliases() -> list[str]:
    """What else these devices are called."""
    return [alias for device in devices() for alias in device.aliases]


def find(text: str) -> Device:
    """The device called ``text``, by name, alias or title, or in the file ``text`` (``*.yaml``).

    Names are compared without case, hyphens, blanks and the maker's "NVIDIA".

    Raises:
        DeviceError: there is none, with the nearest name; or its file is wrong.
    """
    if text.lower().endswith(SUFFIXES):
        return load(text)
    wanted = squashed(text).removeprefix("nvidia")
    files = _files()
    for path in files:
        if squashed(path.stem) == wanted:
            return _shipped(path)
    for path in files:
        # Most files are never parsed: their text does not have the name.
        if wanted and wanted in squashed(path.read_text(encoding="utf-8")):
            device = _shipped(path)
            called = (device.name, device.title, *device.aliases)
            if wanted in (squashed(name).removeprefix("nvidia") for name in called):
                return device
    raise DeviceError(
        f"no device {shown(text)}{nearest(text, [*names(), *aliases()], listed=0)} "
        "(archcost devices list shows all; a file's name ends with .yaml)"
    )


def _files() -> list[Path]:
    return sorted(Path(__file__).parent.glob("*.yaml"))


@cache
def _shipped(path: Path) -> Device:
    return load(path)


def load(path: str | Path) -> Device:
    """The device in a file.

    Raises:
        DeviceError: it cannot be read, or is wrong; with file, line and column.
    """
    path = Path(path)
    try:
        return parse(read_text(path, MOST_BYTES, "a device file"), str(path))
    except DeviceError:
        raise
    except ArchcostError as error:
        raise DeviceError(str(error)) from None


def dump(device: Device) -> str:
    """``device`` as the text of a file; :func:`archcost.hardware.reading.parse` reads an equal one.

    Raises:
        DeviceError: the device is none that a file can hold: a figure is not finite, for one.
    """
    from archcost.hardware.writing import written_device

    return written_device(device)
