"""``archcost measure``."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGINT
from time import sleep

import jsonschema
import pytest
from command_line import call, completed, ok, refused

import archcost
from archcost.hardware.files import find
from archcost.measure import passes, timing
from archcost.measure.records import MeasureError, read, schema
from archcost.measure.timing import MIN_RUN_TIME

torch = pytest.importorskip("torch")

SHORT = ("--min-run-time", "0.01")
NET = "{name: NAME, input: [3, 8, 8], layers: [flatten, {linear: 5}]}"


def measured(*arguments: str) -> list[dict]:
    return json.loads(ok("measure", *arguments, *SHORT, "--format", "json"))


def test_the_default_is_the_librarys() -> None:
    from archcost.cli import measure

    assert measure.MIN_RUN_TIME == MIN_RUN_TIME == timing.MIN_RUN_TIME


def test_one_network() -> None:
    (found,) = measured("lenet5")
    jsonschema.validate(found, schema())
    totals = archcost.analyze(archcost.load("lenet5")).totals
    assert found["model"] == "lenet5"
    assert found["macs"] == totals.macs
    assert found["flops_per_second"] == totals.flops / found["seconds"]["median"]
    assert found["settings"]["batch"] == 1
    assert found["command"] == "archcost measure lenet5 --min-run-time 0.01 --format json"
    assert found["ceilings"] is None


def test_every_batch_in_every_dtype() -> None:
    found = measured("lenet5", "--batch", "2,1", "--dtype", "bf16,fp32", "--threads", "1")
    ways = [(one["settings"]["dtype"], one["settings"]["batch"]) for one in found]
    assert ways == [("bf16", 1), ("bf16", 2), ("fp32", 1), ("fp32", 2)]
    assert {one["settings"]["threads"] for one in found} == {1}


def test_networks_are_chosen_as_elsewhere(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(NET.replace("NAME", name))
    paths = [str(tmp_path / f"{name}.yaml") for name in "ab"]
    assert [one["model"] for one in measured(*paths)] == ["a", "b"]
    assert [one["model"] for one in measured("lenet-[5]")] == ["lenet5"]
    (found,) = measured(paths[0], "--input", "3x4x4", "--batch", "2")
    assert found["inputs"] == [[2, 3, 4, 4]]
    assert "name the networks" in refused("measure")


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "latex", "html"])
def test_formats(format_: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    for more in ((), ("--layers",)):
        assert ok("measure", "lenet5", *SHORT, *more, "--format", format_, "-o", str(path)) == ""
        assert "lenet5" in path.read_text(encoding="utf-8")


def test_the_table_fits_a_terminal_and_says_where_it_was_measured() -> None:
    text = ok("measure", "lenet5", "alexnet", *SHORT, "--layers")
    assert max(map(len, text.splitlines())) <= 80
    assert f"torch {torch.__version__}" in text
    assert "No shares of the device's peak" in text
    assert "C3/squash" in text
    assert "Together" in text


def test_csv_has_raw_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(ok("measure", "lenet5", *SHORT, "--format", "csv"))))
    assert rows[0]["model"] == "lenet5"
    assert float(rows[0]["q1_seconds"]) <= float(rows[0]["seconds"]) < 10
    assert int(rows[0]["peak_memory_bytes"]) > 250_000
    text = ok("measure", "lenet5", *SHORT, "--layers", "--format", "csv")
    layers = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in layers] == [n.name for n in archcost.load("lenet5").nodes]
    assert sum(float(row["share"]) for row in layers) == pytest.approx(1)


def test_shares_of_what_a_device_can_do(tmp_path: Path) -> None:
    name = next(one.name for one in devices() if one.kind == "cpu" and "fp32" in one.peak)
    device = find(name)
    (found,) = measured("lenet5", "--ceilings", name)
    ceilings = found["ceilings"]
    assert ceilings["flops_per_second"] == device.peak["fp32"]
    assert ceilings["flops_share"] == found["flops_per_second"] / device.peak["fp32"]
    assert ceilings["bytes_share"] == found["bytes_per_second"] / device.bandwidth
    assert ceilings["measured"] is bool(device.calibrated)
    assert f"Shares: of what {device.title}" in " ".join(
        ok("measure", "lenet5", *SHORT, "--ceilings", name).split()
    )
    gpu = next(one.name for one in devices() if one.kind == "gpu")
    assert "is a gpu, which --device cpu is not" in refused("measure", "lenet5", "--ceilings", gpu)
    assert "did you mean" in refused("measure", "lenet5", "--ceilings", f"{gpu}x")


def devices() -> tuple:
    from archcost.hardware.files import devices

    return devices()


def test_what_fails_is_said_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    result = call(
        *("measure", "lenet5", "alexnet", "--dtype", "tf32,fp32", "--batch", "1,2", *SHORT),
        *("--record", str(path), "--format", "csv"),
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "archcost: warning: cpu: tf32 is computed by CUDA devices alone; a CPU has fp32"
    ]
    records = read(path)
    assert len(records) == 8
    assert [one.failure_kind for one in records] == [*["dtype"] * 2, None, None] * 2
    assert len(result.stdout.splitlines()) == 9
    assert "tf32 is computed" in result.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda() -> None:
    result = call("measure", "lenet5", "--device", "cuda,cpu", *SHORT, "--format", "json")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    failed, done = json.loads(result.stdout)
    assert failed["failure"]["kind"] == "device"
    assert failed["environment"] is None
    assert done["failure"] is None
    for one in (failed, done):
        jsonschema.validate(one, schema())


def test_records_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    for _ in range(2):
        ok("measure", "lenet5", *SHORT, "--record", str(path))
    assert [one.model for one in read(path)] == ["lenet5", "lenet5"]
    assert read(path)[0].command.startswith("archcost measure lenet5")


def test_another_file_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    assert "no JSON" in refused("measure", "lenet5", *SHORT, "--record", str(path))
    assert path.read_text() == NET
    assert "cannot write" in refused("measure", "lenet5", *SHORT, "--record", f"{tmp_path}/x/y")


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = passes.measure, []

    def measure(*args: object, **options: object) -> object:
        count.append(None)
        if len(count) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(passes, "measure", measure)
    path = tmp_path / "all.jsonl"
    result = call("measure", "lenet5", "--batch", "1,2,3", *SHORT, "--record", str(path))
    assert result.exit_code == 130
    assert "lenet5" in result.stdout
    assert "interrupted: 1 of 3 measured" in result.stderr
    assert [one.batch for one in read(path)] == [1]
    count[:] = [None]
    alone = call("measure", "lenet5", *SHORT)
    assert alone.exit_code == 130
    assert alone.stdout == ""


COMMAND = (sys.executable, "-m", "archcost.cli", "measure", "lenet5", "--batch", "1,2,3")


@pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")
def test_interrupted_by_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    child = subprocess.Popen(
        [*COMMAND, "--min-run-time", "1", "--record", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if path.exists() and path.read_bytes().endswith(b"\n"):
            break
        sleep(0.1)
    child.send_signal(SIGINT)
    output, told = child.communicate(timeout=60)
    assert child.returncode == 130, told
    assert "lenet5" in output
    assert "Traceback" not in told
    assert 1 <= len(read(path)) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")
def test_a_bar_on_standard_error_tells_the_time_left() -> None:
    import pty

    terminal, end = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *SHORT, "--format", "csv"],
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(end)
    told = b""
    with suppress(OSError):  # Linux' way to say that the other end is closed
        while some := os.read(terminal, 4096):
            told += some
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0, told
    assert len(output.splitlines()) == 4  # and nothing of the bar
    assert b"Measuring" in told
    assert re.search(rb"\d:\d\d:\d\d", told)


def test_a_network_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(graph: object, *_: object, **__: object) -> None:
        raise MeasureError("out of memory", "out of memory: none is left")

    monkeypatch.setattr(passes, "measure", measure)
    result = call("measure", "lenet5", "--batch", "8", "--dtype", "fp32", *SHORT)
    assert result.exit_code == 1
    assert "lenet5 in fp32 at batch 8: out of memory: none is left" in result.stderr
    assert re.search("out of memory: none is left", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "gpu"), "no device 'gpu'"),
        (("--device", "cpu,tpu"), "no device 'tpu'"),
        (("--device", ","), "no device ''"),
        (("--dtype", "fp33"), "no dtype 'fp33'; did you mean"),
        (("--batch", "1,x"), "no list of batch sizes"),
        (("--batch", "0"), "no list of batch sizes"),
        (("--min-run-time", "0"), "min-run-time"),
        (("--threads", "0"), "threads"),
        (("--threads", "100000"), "threads"),
        (("--ceilings", "t4"), "'t4' is a gpu, which --device cpu is not"),
        (("--layers", "--compile"), "--layers does not go with --compile"),
        (("--format", "svg"), "svg"),
    ],
    ids=str,
)
def test_requests_that_are_wrong(arguments: tuple[str, ...], message: str) -> None:
    assert message in refused("measure", "lenet5", *arguments)


def test_completion() -> None:
    assert {"--layers", "--record", "--min-run-time"} <= completed("archcost measure lenet5 --")
    assert "alexnet" in completed("archcost measure alex")
