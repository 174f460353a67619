"""``archcost validate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call, refused
from recorded_passes import DEVICE_FILE, RECORDED, judged

from archcost.cli import validate
from archcost.validation import plan

REPORTS = Path(__file__).parents[2] / "reports"


@pytest.fixture
def device(tmp_path: Path) -> str:
    path = tmp_path / "here.yaml"
    path.write_text(DEVICE_FILE)
    return str(path)


def test_defaults_are_those_of_the_library() -> None:
    assert validate.LONGEST_PASS == plan.LONGEST_PASS
    assert validate.REPEATS == plan.REPEATS


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "json"])
def test_a_report_of_recorded_measurements(device, format_) -> None:
    arguments = ("--device", device, "--measurements", str(RECORDED), "--format", format_)
    result = call("validate", *arguments)
    met = all(verdict.met is not False for verdict in judged().verdicts)
    assert result.exit_code == (0 if met else 1), result.output
    assert result.stderr == ""
    assert "mobilenet-v1" in result.stdout
    assert call("validate", *arguments).stdout == result.stdout


def test_json_is_that_of_the_library(device) -> None:
    result = call(
        "validate", "--device", device, "--measurements", str(RECORDED), "--format", "json"
    )
    data = json.loads(result.stdout)
    assert data["latency_errors"]["all"]["spearman"] == judged().latency().spearman


def test_measuring_and_going_on(device, tmp_path, monkeypatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("archcost.validation.measuring.MIN_RUN_TIME", 0.005)
    output = tmp_path / "v.json"
    arguments = ("lenet5", "--device", device, "--repeats", "0", "-o", str(output))
    first = call("validate", *arguments, "--batch", "1")
    assert first.exit_code in (0, 1), first.output
    record = tmp_path / "v.jsonl"
    lines = record.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["command"].startswith("archcost validate lenet5 --device here.yaml")
    second = call("validate", *arguments, "--batch", "1,2")
    assert second.exit_code in (0, 1), second.output
    assert f"{record} has 1 of 2 passes already" in second.stderr
    assert record.read_text().splitlines()[:2] == lines
    data = json.loads(output.read_text())
    assert [one["batch"] for one in data["passes"]] == [1, 2]
    remade = call("validate", "--device", device, "--measurements", str(record), "--format", "json")
    assert remade.stdout == output.read_text()


def test_an_interrupt_says_what_goes_on(device, tmp_path, monkeypatch) -> None:
    pytest.importorskip("torch")

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archcost.validation.measuring._measured", interrupted)
    record = tmp_path / "v.jsonl"
    result = call("validate", "lenet5", "--device", device, "--record", str(record))
    assert result.exit_code == 130
    assert result.stdout == ""
    assert f"what was measured is in {record}, the same command goes on" in result.stderr


def test_what_makes_no_sense(device, tmp_path) -> None:
    measured = ("--device", device, "--measurements", str(RECORDED))
    assert "have no place beside it" in refused("validate", "lenet5", *measured)
    assert "have no place beside it" in refused("validate", "--batch", "1", *measured)
    assert "no network of the zoo" in refused("validate", "net.yaml", "--device", device)
    assert "no dtype 'fp33'; did you mean" in refused(
        "validate", "lenet5", "--device", device, "--dtype", "fp33"
    )
    assert "no device" in refused("validate", "--device", "no-such-device")
    missing = str(tmp_path / "none.jsonl")
    assert "No such file" in refused("validate", "--device", device, "--measurements", missing)
    assert "Missing option '--device'" in refused("validate")
    on_a_gpu = ("--device", "h100", "--measurements", str(RECORDED))
    assert "is a gpu: what was measured was measured on a cpu, AMD EPYC" in refused(
        "validate", *on_a_gpu
    )
    where = str(tmp_path / "v.jsonl")
    assert "v.yaml is not there" in refused("validate", "--device", "cpu", "--measurements", where)
    for place, said in (("tpu", "no device 'tpu'"), ("cuda", "is a cpu: cuda is no such device")):
        on = ("--on", place, "--record", where)
        assert said in refused("validate", "lenet5", "--device", device, *on)


def test_another_machines_file(device, tmp_path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "v.jsonl"
    path.write_text(RECORDED.read_text().replace("2.13.0+cpu", "1.0.0"))
    said = refused("validate", "lenet5", "--device", device, "--record", str(path))
    assert "was measured with" in said


@pytest.mark.parametrize("name", sorted(path.name for path in REPORTS.glob("validation-*.md")))
def test_committed_reports(name, monkeypatch) -> None:
    """They are what can be made of the committed measurements."""
    monkeypatch.chdir(REPORTS.parent)
    header, _, body = (REPORTS / name).read_text(encoding="utf-8").partition("\n")
    command = header.removeprefix("<!-- made by: archcost ").removesuffix(" -->").split()
    printed = call(*command)
    assert printed.exit_code in (0, 1)
    assert body == printed.stdout
    data = (REPORTS / name).with_suffix(".json").read_text(encoding="utf-8")
    assert call(*command[:-1], "json").stdout == data
