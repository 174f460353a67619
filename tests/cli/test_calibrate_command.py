"""``archcost calibrate``: a tiny run, its device in use, files of samples, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from command_line import call, ok, refused

from archcost.cli import calibrate as command
from archcost.hardware.files import load
from archcost.measure import calibration

torch = pytest.importorskip("torch")

RECORDED = Path(__file__).parents[1] / "measure" / "data" / "calibration.jsonl"


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Ceilings of next to nothing, in a folder of its own."""
    monkeypatch.setattr(calibration, "RUN_TIME", 0.01)
    monkeypatch.setattr(calibration, "SIDES", {"cpu": (64,)})
    monkeypatch.setattr(calibration, "CONVOLUTIONS", {"cpu": ((1, 8, 8),)})
    monkeypatch.setattr(calibration, "COPIED", {"cpu": 2**20})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_tiny_run_makes_a_device_for_estimates(quick):
    result = call(
        *("calibrate", "--stacks", "20", "--repeats", "1", "--name", "mine"),
        *("--samples", "samples.jsonl", "--threads", "1", "--format", "json"),
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "archcost: note: wrote mine.yaml: archcost estimate MODEL --device mine.yaml\n"
    )
    told = json.loads(result.stdout)
    assert told["device"]["name"] == "mine"
    assert {one["class"] for one in told["classes"]} >= {"any", "conv", "linear", "relu"}
    device = load("mine.yaml")
    assert device.costs is not None
    assert (device.units, device.calibrated["threads"]) == (1, 1)
    assert device.calibrated["torch"] == torch.__version__
    assert "Latency" in ok("estimate", "simplenet", "--device", "mine.yaml")
    again = call(
        "calibrate", "--from", "samples.jsonl", "--name", "mine", "--device-file", "b.yaml"
    )
    assert again.exit_code == 0, again.output
    assert load("b.yaml") == device


def test_recorded_samples_are_fitted(quick, monkeypatch):
    for name in ("machine", "samples"):
        monkeypatch.setattr(calibration.Plan, name, lambda *_: pytest.fail("something is measured"))
    result = call("calibrate", "--from", str(RECORDED), "-o", "table.md")
    assert result.exit_code == 0, result.output
    assert load("amd-epyc.yaml").title == "AMD EPYC"
    table = (quick / "table.md").read_text()
    assert "fp32 459 GFLOP/s, memory 73.8 GB/s" in table
    assert "| fp32 | relu | 26 |" in " ".join(table.split())


def test_an_interrupt_leaves_nothing(quick, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "sample", interrupted)
    result = call("calibrate", "--stacks", "20", "--samples", "samples.jsonl")
    assert result.exit_code == 130
    assert result.stdout == ""
    assert not list(quick.iterdir())


def test_what_is_no_file_of_samples(quick):
    torn = quick / "torn.jsonl"
    torn.write_text(RECORDED.read_text()[:9000])
    few = quick / "few.jsonl"
    few.write_text("".join(RECORDED.read_text().splitlines(keepends=True)[:2]))
    for name, message in (
        ("torn.jsonl", "is no sample"),
        ("few.jsonl", "too few samples to fit"),
        ("none.jsonl", "none.jsonl: cannot be read: No such file"),
        (".", "cannot be read"),
    ):
        result = call("calibrate", "--from", name)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not list(quick.glob("*.yaml"))


def test_what_makes_no_sense(quick):
    assert "no name for a device" in refused("calibrate", "--name", "a b")
    assert "no device 'gpu'" in refused("calibrate", "--device", "gpu")
    assert "there is no such folder" in refused("calibrate", "--device-file", "none/a.yaml")
    assert "there is no such folder" in refused("calibrate", "--samples", "none/a.jsonl")
    assert "--stacks" in call("calibrate", "--stacks", "3").stderr
    assert "no dtype 'fp33'" in refused("calibrate", "--dtype", "fp33")
    assert not list(quick.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(quick, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "its folder is read-only" in refused("calibrate")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(quick):
    assert "cuda" in refused("calibrate", "--device", "cuda").lower()


def test_help_says_what_is_done():
    assert (command.STACKS, command.REPEATS) == (calibration.STACKS, calibration.REPEATS)
    text = ok("calibrate", "--help")
    assert f"[{calibration.STACKS}]" in text
    assert "the shortest counts" in " ".join(text.split())
