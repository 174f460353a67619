"""The commands on an NVIDIA GPU, from calibration to a validation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcost.cli.main import main
from archcost.hardware.device import Device, DeviceError
from archcost.hardware.files import find, load
from archcost.measure.records import read

pytestmark = pytest.mark.cuda


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code in (0, 1), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def device_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibrated") / "device.yaml"
    few = ("--stacks", "40", "--repeats", "1")
    assert call("calibrate", "--device", "cuda", *few, "--device-file", path).exit_code == 0
    return path


def described() -> Device:
    """What the maker says of this GPU."""
    import torch

    name = torch.cuda.get_device_name().removeprefix("NVIDIA ")
    try:
        return find(name)
    except DeviceError:
        pytest.skip(f"archcost has no description of {name}")


def test_calibration_writes_a_device_file(device_file: Path) -> None:
    import torch

    device = load(device_file)
    assert device.kind == "gpu"
    assert torch.cuda.get_device_name() in device.title
    assert device.costs is not None
    assert device.calibrated
    assert device.memory == pytest.approx(torch.cuda.get_device_properties(0).total_memory)
    assert 0 < device.overhead < 1e-3
    assert {"fp32", "fp16"} <= set(device.peak)


def test_ceilings_are_below_what_the_maker_says(device_file: Path) -> None:
    device, printed = load(device_file), described()
    ratios = {
        dtype: device.peak[dtype] / printed.peak[dtype]
        for dtype in ("fp32", "tf32", "fp16", "bf16")
        if dtype in device.peak and dtype in printed.peak
    }
    ratios["bandwidth"] = device.bandwidth / printed.bandwidth
    assert all(0.10 < ratio < 1.05 for ratio in ratios.values()), ratios


def test_shares_of_the_calibrated_ceilings(device_file: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    call(
        *("measure", "vgg16", "--device", "cuda", "--batch", "64", "--dtype", "fp32,bf16"),
        *("--ceilings", device_file, "--record", record, "--min-run-time", "0.5"),
    )
    found = read(record)
    assert [one.dtype for one in found] == ["fp32", "bf16"]
    for one in found:
        assert one.ceilings is not None
        assert one.ceilings.measured
        assert 0.05 < one.flops_share < 1.05


def test_what_fails_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    result = call(
        *("measure", "vgg16", "lenet5", "--device", "cuda", "--batch", "1,1048576"),
        *("--record", record, "--min-run-time", "0.1"),
    )
    assert result.exit_code == 1
    assert "out of memory" in result.stderr
    assert "Traceback" not in result.output
    kinds = {(one.model, one.batch): one.failure_kind for one in read(record)}
    assert kinds["vgg16", 1] is None
    assert kinds["vgg16", 1048576] == "out of memory"
    assert kinds["lenet5", 1] is None


def test_a_validation_from_end_to_end(device_file: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    arguments = (
        *("validate", "lenet5", "resnet18", "--device", device_file, "--batch", "1,8"),
        *("--dtype", "fp32,bf16", "--repeats", "1", "--record", record, "--format", "json"),
    )
    first = json.loads(call(*arguments).stdout)
    lines = record.read_text().splitlines()
    again = call(*arguments)
    assert json.loads(again.stdout).keys() == first.keys()
    # Nothing was measured a second time: only the second session's own line came to it.
    assert len(record.read_text().splitlines()) == len(lines) + 1
    report = call("validate", "--device", device_file, "--measurements", record)
    assert "resnet18" in report.stdout
