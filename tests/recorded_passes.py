"""Passes that were measured on one machine, and a made-up device that estimates are for.

``validation/recorded.jsonl`` was written by :func:`archcost.validation.measuring.run` on two
cores of an AMD EPYC with nothing else running. The device is none that was ever calibrated:
nothing here says how good estimates are.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archcost.hardware.device import Device
from archcost.validation.assembling import assemble, validation
from archcost.validation.journal import Journal, read
from archcost.validation.result import Validation

RECORDED = Path(__file__).parent / "validation" / "recorded.jsonl"
DEVICE = Device(
    name="made-up-cpu",
    title="Made-up CPU",
    kind="cpu",
    peak={"fp32": 250e9},
    bandwidth=20e9,
    memory=24 * 2**30,
    overhead=5e-6,
    units=2,
)
DEVICE_FILE = """\
name: made-up-cpu
title: Made-up CPU
kind: cpu
units: {value: 2}
peak: {fp32: {value: 250 GFLOP/s}}
bandwidth: {value: 20 GB/s}
memory: {value: 24 GiB}
overhead: {value: 5 us}
"""


@cache
def journal() -> Journal:
    return read(RECORDED)


@cache
def judged() -> Validation:
    """The recorded passes beside estimates for :data:`DEVICE`."""
    return validation(journal(), DEVICE, list(assemble(journal(), DEVICE)))
