"""``archcost export``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from command_line import call, ok

import archcost
from archcost.targets import ExportError, to_json, torch_source


def refused(*arguments: str, **options: object) -> str:
    result = call("export", *arguments, **options)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr


def test_torch_source() -> None:
    graph = archcost.load("simplenet", settings={"classes": 7})
    assert ok("export", "simplenet", "--to", "torch", "--set", "classes=7") == torch_source(graph)


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    assert ok("export", "lenet5", "--batch", "4", "-o", str(file)) == ""
    assert file.read_text("utf-8") == to_json(archcost.load("lenet5", batch=4))
    assert archcost.load(file).inputs[0].shape == (4, 1, 32, 32)


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    file = tmp_path / "net.onnx"
    ok("export", "simplenet-310k", "-o", str(file), "--opset", "19", "--seed", "3")
    model = onnx.load(file)
    assert model.opset_import[0].version == 19
    assert sum(map(_numel, model.graph.initializer)) >= 310_000
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    again = call("export", "simplenet-310k", "--to", "onnx", "--opset", "19", "--seed", "3")
    assert again.stdout_bytes == file.read_bytes()
    ok("export", "simplenet-310k", "-o", str(file), "--weights", "none")
    assert file.stat().st_size < 50_000


def _numel(tensor: object) -> int:
    product = 1
    for size in tensor.dims:
        product *= size
    return product


@pytest.mark.parametrize("name", ["net.py", "net.PY"])
def test_the_target_by_the_files_ending(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    ok("export", "lenet5", "-o", str(file))
    assert file.read_text("utf-8").startswith('"""LeNet-5')
    ok("export", "lenet5", "--to", "json", "-o", str(file))
    assert json.loads(file.read_text("utf-8"))


def test_what_is_asked_wrongly(tmp_path: Path) -> None:
    assert "--to what? There are: torch (.py), onnx (.onnx), json (.json)" in refused("lenet5")
    assert "--to what?" in refused("lenet5", "-o", str(tmp_path / "net.txt"))
    assert "did you mean 'torch'" in refused("lenet5", "--to", "toch")
    assert "--seed is for --to onnx" in refused("lenet5", "--to", "json", "--seed", "1")
    assert "did you mean 'lenet5'" in refused("lenet55", "--to", "torch")
    assert list(tmp_path.iterdir()) == []


def test_the_model_itself_is_spared(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    ok("export", "lenet5", "-o", str(file))
    before = file.read_bytes()
    assert "would overwrite the model itself" in refused(str(file), "-o", str(file))
    assert file.read_bytes() == before


@pytest.mark.parametrize("ending", ["py", "onnx", "json"])
def test_a_file_that_cannot_be_written(ending: str, tmp_path: Path) -> None:
    if ending == "onnx":
        pytest.importorskip("onnx")
    target = tmp_path / "none" / f"net.{ending}"
    assert "No such file or directory" in refused("lenet5", "-o", str(target))
    (tmp_path / f"net.{ending}").mkdir()
    assert "it is a directory" in refused("lenet5", "-o", str(tmp_path / f"net.{ending}"))


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch) -> None:
    def fail(graph, path, **options) -> None:
        path.write_bytes(b"half")
        raise ExportError("no")

    monkeypatch.setattr("archcost.targets.write_onnx", fail)
    file = tmp_path / "net.onnx"
    file.write_bytes(b"before")
    assert refused("lenet5", "-o", str(file)) == "archcost: error: no\n"
    assert file.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_weights_beside_the_model_come_with_it(tmp_path: Path, monkeypatch) -> None:
    def write(graph, path, **options) -> None:
        path.write_bytes(b"model")
        path.with_name(path.name + ".data").write_bytes(b"weights")

    monkeypatch.setattr("archcost.targets.write_onnx", write)
    link = tmp_path / "link.onnx"
    (tmp_path / "there").mkdir()
    link.symlink_to(tmp_path / "there" / "net.onnx")
    ok("export", "lenet5", "-o", str(link))
    files = {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    assert files == {"net.onnx": b"model", "net.onnx.data": b"weights"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_no_binary_for_a_terminal(monkeypatch) -> None:
    import pty
    import subprocess

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "archcost.cli", "export", "lenet5", "--to", "onnx"]
    done = subprocess.run(command, stdout=child, stderr=subprocess.PIPE, text=True, check=False)
    os.close(child)
    os.close(parent)
    assert done.returncode == 2
    assert "-o FILE writes it" in done.stderr
