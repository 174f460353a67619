"""Models of every kind on the command line: what is said of them, and what is refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from command_line import call, ok

PROTOTXT = """
name: "net"  # trained on images
layer { name: "data" type: "ImageData" top: "data" top: "label"
        transform_param { crop_size: 32 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
"""
MODULE = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.spare = nn.Linear(5, 5)

    def forward(self, x):
        return self.conv(x)
"""


def refused(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("archcost: error: ")
    return result.stderr


@pytest.fixture
def prototxt(tmp_path: Path) -> str:
    pytest.importorskip("lark")
    file = tmp_path / "train_val.prototxt"
    file.write_text(PROTOTXT)
    return str(file)


@pytest.fixture
def module(tmp_path: Path) -> str:
    pytest.importorskip("torch")
    file = tmp_path / "model.py"
    file.write_text(MODULE)
    return f"{file}:Net"


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "latex"])
def test_conventions_tell_what_is_assumed(prototxt: str, format_: str) -> None:
    text = ok("conventions", prototxt, "--only", "mult-adds", "--format", format_)
    assert ("Assumed: images of 3 channels" in text) is (format_ != "csv")
    assert '"assumptions": ["images of 3 channels' in ok(
        "conventions", prototxt, "--only", "mult-adds", "--format", "json"
    )


def test_source_counts_the_parameters_that_it_has(module: str, tmp_path: Path) -> None:
    text = ok("export", module, "--input", "3x8x8", "--to", "torch")
    assert "Parameters: 112." in text
    assert "spare" not in text


@pytest.mark.parametrize("options", [(), ("--batch", "none")])
def test_inputs_beyond_all_sizes(module: str, options: tuple[str, ...]) -> None:
    said = refused("report", module, "--input", "3x999999999x999999999", *options)
    assert "too large" in said


@pytest.mark.parametrize("batch", ["0", "99999999999999", "9" * 30])
def test_batches_beyond_all_sizes(module: str, batch: str) -> None:
    assert "batch" in refused("report", module, "--input", "3x8x8", "--batch", batch)


def test_conventions_options_need_a_model() -> None:
    assert "--arg" in refused("conventions", "--arg", "x=1")


def test_a_python_file_without_a_name(module: str) -> None:
    file = module.rpartition(":")[0]
    said = refused("report", file)
    assert f"{file}:Net" in said
    assert "one of its classes or functions" in said


def test_a_file_of_a_package_that_imports_its_neighbours(module: str) -> None:
    file = Path(module.rpartition(":")[0])
    file.write_text("from .layers import Net")
    said = refused("report", f"{file}:Net")
    assert "attempted relative import" in said
    assert "package.module:factory" in said


@pytest.mark.parametrize("ending", ["onnx", "prototxt", "json", "yaml"])
def test_a_file_beyond_all_sizes_is_not_read(ending: str, tmp_path: Path) -> None:
    if ending == "onnx":
        pytest.importorskip("onnx")
    file = tmp_path / f"net.{ending}"
    with file.open("wb") as sparse:
        sparse.truncate(3 * 10**9)
    call("report", str(tmp_path / f"missing.{ending}"))  # loads the reader
    tracemalloc.start()
    try:
        assert "more than" in refused("report", str(file))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["model", "package.model", "package"])
def test_the_python_code_is_spared(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = "package/__init__.py" if name == "package" else f"{name.replace('.', '/')}.py"
    Path("package").mkdir()
    Path(path).write_text(MODULE)
    for model in (f"{name}:Net", f"{path}:Net"):
        said = refused("export", model, "--input", "3x8x8", "--to", "torch", "-o", path)
        assert "would overwrite the model itself" in said
    assert Path(path).read_text() == MODULE


def test_places_are_short(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused("report", "model.py:Net", "--input", "4x8x8")
    assert "at model.py:12, in forward: return self.conv(x)" in said
