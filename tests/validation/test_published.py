"""Published times beside estimates."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archcost.hardware.accuracy import found as accuracies
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find, names
from archcost.published.speeds import PublishedSpeed, speed_source, speed_sources
from archcost.sources import load
from archcost.validation.published import PublishedValidation, judged_speeds

REPORT = Path(__file__).parents[2] / "reports" / "published-speeds.json"
TFLITE = speed_source("tflite").speeds


def test_the_estimate_is_that_of_the_network_alone() -> None:
    speed = next(s for s in speed_source("nvidia-resnet50").speeds if s.batch == 64)
    (judged,) = judged_speeds([speed])
    graph = load("resnet50", settings={"stride_in": "3x3"}, batch=64, dtype=speed.run.dtype)
    expected = estimate(graph, find(speed.run.device))
    assert judged.estimated == expected.seconds
    assert judged.error == expected.seconds / speed.seconds - 1
    assert judged.family == "resnet"


def test_every_device_comes_with_archcost() -> None:
    devices = {speed.run.device for source in speed_sources() for speed in source.speeds}
    assert devices <= set(names())


def test_a_pass_on_an_unknown_device_has_no_estimate() -> None:
    unknown = [s._replace(run=s.run._replace(device="abacus")) for s in TFLITE[:3]]
    found = PublishedValidation(tuple(judged_speeds([*unknown, *TFLITE])))
    ((why, judged),) = found.missing.items()
    assert "no such device" in why
    assert [one.speed for one in judged] == unknown
    assert {one.error for one in judged} == {None}
    assert [one.speed for one in found.estimated] == list(TFLITE)
    errors = found.errors()
    assert errors is not None
    assert errors.count == len(TFLITE)
    assert found.errors(judged) is None


def test_a_dtype_without_a_peak_is_said() -> None:
    speed = next(s for s in TFLITE if s.run.device == "snapdragon-855")
    (judged,) = judged_speeds([speed._replace(run=speed.run._replace(dtype="fp8"))])
    assert judged.estimated is None
    assert "fp8" in judged.why


def test_runs_that_differ_in_software_alone_are_compared() -> None:
    chosen = [s for s in speed_source("cnn-benchmarks").speeds if s.run.device == "gtx-1080"]
    found = PublishedValidation(tuple(judged_speeds(chosen)))
    (again,) = found.again
    assert (again.earlier.framework, again.later.framework) == (
        "Torch7, cuDNN 5.0.05",
        "Torch7, cuDNN 5.1.05",
    )
    assert again.errors.count == 8
    first = {s.network.printed_name: s.seconds for s in chosen if s.run == again.earlier}
    second = {s.network.printed_name: s.seconds for s in chosen if s.run == again.later}
    expected = sorted(second[name] / first[name] - 1 for name in first)
    assert sorted(again.errors.signed) == pytest.approx(expected)


def test_accuracy_is_in_the_words_of_estimates() -> None:
    found = PublishedValidation(tuple(judged_speeds(speed_source("ncnn").speeds)))
    (one,) = accuracies({"accuracy": found.accuracy}, "published-speeds.json")
    assert (one.device, one.dtype, one.batches) == ("raspberry-pi-4", "fp32", (1,))
    assert one.networks == one.measurements == 6
    assert one.measured_by == "ncnn: benchmark"


def _sample() -> Iterator[PublishedSpeed]:
    """A pass of each run."""
    for source in speed_sources():
        for run in source.runs:
            speeds = [speed for speed in source.speeds if speed.run == run]
            yield speeds[len(speeds) // 2]


@pytest.mark.skipif(not REPORT.exists(), reason="the reports are not part of an installation")
def test_the_report_is_what_is_estimated_now() -> None:
    """A pass of each run; ``make docs`` makes the report anew."""
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    passes, runs = report["passes"], report["runs"]
    assert len(passes) == sum(len(source.speeds) for source in speed_sources())
    kept = {
        (
            *(runs[one["run"]][key] for key in ("source", "place")),
            *(one[key] for key in ("network", "side", "batch")),
        ): one
        for one in passes
    }
    assert len(kept) == len(passes)
    for judged in judged_speeds(_sample()):
        speed = judged.speed
        name = speed.network.printed_name
        one = kept[speed.source, speed.run.place, name, speed.side, speed.batch]
        assert one["measured_seconds"] == speed.seconds
        if judged.estimated is None:
            assert one["estimated_seconds"] is None
        else:
            assert math.isclose(one["estimated_seconds"], judged.estimated, rel_tol=1e-9), name
