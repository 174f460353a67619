"""A calibration: files of it, the device that it makes, and what it knows of this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archcost.hardware.costs import layer_times
from archcost.hardware.device import Cache
from archcost.hardware.files import dump
from archcost.hardware.reading import parse
from archcost.measure import calibration
from archcost.measure.calibration import Plan, calibrated, merged, read_samples, written
from archcost.measure.records import MeasureError
from archcost.sources.graph_json import from_json

pytest.importorskip("torch")

TEXT = (Path(__file__).parent / "data" / "calibration.jsonl").read_text()


@pytest.fixture(scope="module")
def recorded():
    return read_samples(TEXT, from_json)


def test_what_is_written_is_read_again(recorded):
    samples, machine = recorded
    again, same = read_samples(written(samples, machine), from_json)
    assert same == machine
    assert [one.seconds for one in again] == [one.seconds for one in samples]


@pytest.fixture(scope="module")
def device(recorded):
    return calibrated(*recorded).device


def test_the_device_has_what_was_measured(recorded, device):
    samples, machine = recorded
    assert (device.name, device.title, device.kind) == ("amd-epyc", "AMD EPYC", "cpu")
    assert device.peak["fp32"] == pytest.approx(machine.ceilings.peak["fp32"], rel=1e-3)
    assert device.bandwidth == pytest.approx(machine.ceilings.bandwidth, rel=1e-3)
    # Both cores' second level, and the third that they share.
    assert device.costs.caches == (2 * 2**20, 2**25)
    assert device.calibrated["samples"] == sum(len(one.seconds) for one in samples)
    assert device.sources["bandwidth"].title == "archcost calibrate"
    assert parse(dump(device), "x.yaml") == device
    times = layer_times(samples[0].graph, device)
    assert sum(one.seconds for one in times) == pytest.approx(sum(samples[0].seconds), rel=0.5)


def test_it_is_called_as_asked(recorded, device, monkeypatch):
    samples, machine = recorded
    monkeypatch.setattr(calibration, "fit", lambda *_: (device.costs.classes["fp32"], {}))
    assert calibrated(samples, machine, "mine").device.name == "mine"
    odd = machine._replace(environment=replace(machine.environment, device="???"))
    assert calibrated(samples, odd).device.name == "this-machine"


def test_fitting_again_keeps_the_day_of_the_measurement(recorded, device, monkeypatch):
    samples, machine = recorded
    monkeypatch.setattr(calibration, "fit", lambda *_: (device.costs.classes["fp32"], {}))
    dated = machine._replace(date="2001-02-03")
    _, again = read_samples(written(samples, dated), from_json)
    assert calibrated(samples, again).device.calibrated["date"] == "2001-02-03"
    assert "date" not in calibrated(samples, machine._replace(date="")).device.calibrated


@pytest.mark.parametrize("kept", [0, 1])
def test_too_few_samples_are_refused(recorded, kept):
    samples, machine = recorded
    with pytest.raises(MeasureError, match="too few samples to fit"):
        calibrated(samples[:kept], machine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda head: head.update(schema="archcost.report/1"), "its schema is"),
        (lambda head: head.pop("ceilings"), "ceilings"),
        (lambda head: head.update(ceilings=[]), "no samples of a calibration"),
        (lambda head: head["ceilings"].update(bandwidth=0), "a ceiling is not above 0"),
        (lambda head: head["ceilings"].update(overhead="fast"), "no samples of a calibration"),
        (lambda head: head["ceilings"].update(peak=7), "no samples of a calibration"),
        (lambda head: head["environment"].update(colour="red"), "colour"),
        (lambda head: head.update(caches=[7]), "no samples of a calibration"),
    ],
)
def test_a_head_that_is_none_is_refused(change, message):
    first, *rest = TEXT.splitlines()
    head = json.loads(first)
    change(head)
    with pytest.raises(MeasureError, match=message):
        read_samples("\n".join([json.dumps(head), *rest]), from_json)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", "{}"])
def test_what_is_no_calibration_is_refused(text):
    with pytest.raises(MeasureError, match="no samples of a calibration"):
        read_samples(text, from_json)


def test_a_torn_line_is_refused_with_its_number():
    lines = TEXT.splitlines()
    torn = "\n".join([*lines[:4], lines[4][:300]])
    with pytest.raises(MeasureError, match="line 5 is no sample"):
        read_samples(torn, from_json)


def test_runs_of_one_stack_become_one(recorded):
    samples, _ = recorded
    first, second = samples[:2]
    slower = first._replace(seconds=tuple(2 * one for one in first.seconds))
    found = merged([slower, None, second, first])
    assert [one.seconds for one in found] == [first.seconds, second.seconds]


def test_a_plan_runs_all_stacks_again_and_again(monkeypatch):
    monkeypatch.setattr(calibration, "sample", lambda graph, place: (graph.name, str(place)))
    plan = Plan("cpu", stacks=3, repeats=2)
    assert len(plan) == 6
    assert list(plan.samples()) == 2 * [(f"stack{number}", "cpu") for number in range(3)]


def test_a_plan_needs_a_device():
    with pytest.raises(MeasureError, match="no device 'gpu7'"):
        Plan("gpu7")


def said(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def test_caches_of_a_core_are_not_shared(tmp_path, monkeypatch):
    """Two threads a core, eight cores: as Linux tells it."""
    cache = tmp_path / "cache"
    shared = {"1": "0,8", "2": "0,8", "3": "0-15"}
    sizes = {"1": "48K", "2": "2048K", "3": "36864K"}
    for number, level in enumerate(("1", "1", "2", "3")):
        kind = ("Data", "Instruction", "Unified", "Unified")[number]
        own = {"level": level, "type": kind, "size": sizes[level], "shared_cpu_list": shared[level]}
        said(cache / f"index{number}", **own)
    said(tmp_path / "topology", core_cpus_list="0,8")
    monkeypatch.setattr(calibration, "LEVELS", cache)
    monkeypatch.setattr(calibration, "TOPOLOGY", tmp_path / "topology")
    import torch

    assert calibration._caches(torch.device("cpu")) == (
        Cache(2 * 2**20, name="L2", shared=False),
        Cache(36 * 2**20, name="L3", shared=True),
    )


def test_a_system_that_says_nothing_of_its_caches(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(calibration, "LEVELS", tmp_path / "none")
    assert calibration._caches(torch.device("cpu")) == ()
    said(tmp_path / "index0", level="2")
    monkeypatch.setattr(calibration, "LEVELS", tmp_path)
    assert calibration._caches(torch.device("cpu")) == ()
