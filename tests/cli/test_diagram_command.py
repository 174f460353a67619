"""``archcost diagram``."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import call, ok, refused

import archcost
from archcost.analysis import analyze
from archcost.cli import diagram as command
from archcost.diagram import diagram, dot_source, mermaid_source, model
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.report.format import seconds


def drawn(name: str, **options: object) -> str:
    return dot_source(diagram(analyze(archcost.load(name)), **options))


def test_dot_to_standard_output() -> None:
    assert ok("diagram", "lenet5") == drawn("lenet5")
    assert ok("diagram", "lenet5", "-o", "-") == drawn("lenet5")


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--level", "stage"], {"level": "stage"}),
        (["--color-by", "macs", "--theme", "dark"], {"color_by": "macs", "theme": "dark"}),
        (["--direction", "right", "--no-legend"], {"direction": "right", "legend": False}),
        (["--unfold", "all"], {"unfold": True}),
        (["--unfold", "conv4_x", "--unfold", "conv3_x"], {"unfold": ["conv3_x", "conv4_x"]}),
        (["--level", "layer", "--every-layer"], {"level": "layer", "merge": False}),
        (["--dense"], {"dense": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_options(words: list[str], options: dict[str, object]) -> None:
    assert ok("diagram", "resnet50", *words) == drawn("resnet50", **options)


def test_the_options_that_the_library_knows() -> None:
    assert command.LEVELS == model.LEVELS
    assert command.COLORS == model.GRAPH_COLORS
    assert command.DIRECTIONS == model.DIRECTIONS
    assert command.THEMES == model.THEME_NAMES


def test_colours_by_time() -> None:
    analysis = analyze(archcost.load("lenet5", batch=8))
    own = estimate(analysis.graph, find("v100"))
    times = {layer.node: layer.seconds for layer in own.layers}
    text = dot_source(
        diagram(
            analysis, color_by="time", times=times, where=f"estimated on {own.device.name} in fp32"
        )
    )
    words = ("--color-by", "time", "--device", "v100", "--batch", "8")
    assert ok("diagram", "lenet5", *words) == text
    assert f"{seconds(own.seconds)} estimated on {own.device.name} in fp32" in text


def test_model_options() -> None:
    text = ok("diagram", "simplenet", "--set", "classes=7", "--input", "3x64x64", "--batch", "4")
    assert "input 3x64x64" in text
    assert "shapes without the batch of 4" in text
    assert ">7<" in text


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("net.svg", b"<?xml"),
        ("net.png", b"\x89PNG"),
        ("net.PDF", b"%PDF"),
        ("net.dot", b"digraph"),
        ("net.gv", b"digraph"),
        ("net.mmd", b"---\ntitle"),
    ],
)
def test_the_format_by_the_files_ending(name: str, begins: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    assert ok("diagram", "lenet5", "-o", str(file)) == ""
    assert file.read_bytes().startswith(begins)
    assert list(tmp_path.iterdir()) == [file]


def test_the_format_by_option(tmp_path: Path) -> None:
    file = tmp_path / "picture"
    ok("diagram", "lenet5", "--format", "svg", "-o", str(file))
    text = file.read_text("utf-8")
    drawing = diagram(analyze(archcost.load("lenet5")))
    assert drawing.alt in text
    assert 'id="n0"' in text
    assert ok("diagram", "lenet5", "--format", "svg") == text
    assert ok("diagram", "lenet5", "--format", "mermaid") == mermaid_source(drawing)
    assert call("diagram", "lenet5", "--format", "png").stdout_bytes.startswith(b"\x89PNG")


def test_volumes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "net.svg"
    ok("diagram", "vgg16", "--style", "volumes", "--theme", "dark", "-o", str(file))
    assert "<svg" in file.read_text("utf-8")
    assert "--level is for --style graph" in refused(
        "diagram", "vgg16", "--style", "volumes", "--level", "stage"
    )
    assert "--style volumes is drawn as svg, png, pdf, not dot" in refused(
        "diagram", "vgg16", "--style", "volumes", "--format", "dot"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet5", "-o", "net.txt"], "what is 'net.txt' to be? FILE's ending says it"),
        (["lenet5", "-o", "net"], "svg (.svg)"),
        (["lenet5", "--level", "stages"], "did you mean 'stage'?"),
        (["lenet5", "--color-by", "heat"], "no 'heat'"),
        (["lenet5", "--color-by", "time"], "--color-by time and --device go together"),
        (["lenet5", "--device", "v100"], "--color-by time and --device go together"),
        (
            ["lenet5", "--color-by", "time", "--device", "v100", "--style", "volumes"],
            "--color-by time is for --style graph",
        ),
        (["resnet50", "--unfold", "conv9"], "nothing called 'conv9' is folded"),
        (["lenet7"], "lenet7"),
        (["lenet5", "--every-layer", "--level", "block"], "--every-layer is for --level layer"),
        (["resnet1202", "--level", "block", "--unfold", "all", "--format", "mermaid"], "Mermaid"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_refused(words: list[str], message: str) -> None:
    assert message in refused("diagram", *words)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    assert "cannot write" in refused("diagram", "lenet5", "-o", str(tmp_path / "no" / "net.svg"))


def test_the_model_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    ok("export", "lenet5", "--to", "json", "-o", str(file))
    message = refused("diagram", str(file), "--format", "dot", "-o", str(file))
    assert "would overwrite the model itself" in message


@pytest.mark.parametrize("format_", ["png", "pdf"])
def test_a_terminal_gets_no_binary(format_: str) -> None:
    primary, secondary = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "archcost.cli", "diagram", "lenet5", "--format", format_],
        stdout=secondary,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(secondary)
    os.close(primary)
    assert done.returncode == 2
    assert f"a {format_.upper()} is no text for a terminal: -o FILE writes it" in done.stderr


def test_no_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    from archcost.diagram import render

    monkeypatch.setattr(render, "find_spec", lambda _name: None)
    monkeypatch.setattr(render.shutil, "which", lambda _name: None)
    assert "pip install pygraphviz" in refused("diagram", "lenet5", "--format", "svg")
    # What needs none is written all the same.
    ok("diagram", "lenet5", "--format", "dot")
    ok("diagram", "lenet5", "--format", "mermaid")
