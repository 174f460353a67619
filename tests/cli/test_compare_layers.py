"""``archcost compare A B --layers``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call, ok, refused

from archcost.cli.compare import GROUPINGS
from archcost.report import difference

SPEC = """
name: net
input: [3, 8, 8]
layers:
  - conv: {name: first, out: WIDTH, kernel: 3, padding: 1}
  - relu
  - linear: {name: last, out: 5}
variants:
  other: {}
"""


@pytest.fixture
def specs(tmp_path: Path) -> tuple[str, str]:
    """A spec before and after an edit."""
    paths = []
    for name, width in (("before", "4"), ("after", "8")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(SPEC.replace("WIDTH", width))
        paths.append(str(path))
    return paths[0], paths[1]


def test_a_spec_before_and_after_an_edit(specs: tuple[str, str]) -> None:
    text = ok("compare", *specs, "--layers")
    assert "~   first" in text
    assert "out 4 -> 8" in text
    assert ".   last" in text
    assert "0 layers the same, 3 changed (2 of them only by the shapes that reach them)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_variants_of_a_spec(specs: tuple[str, str]) -> None:
    text = ok("compare", f"{specs[0]}:net", f"{specs[0]}:other", "--layers")
    assert "... 3 layers alike ..." in text


def test_status_is_0_whether_they_differ_or_not() -> None:
    assert call("compare", "vgg16", "vgg19", "--layers").exit_code == 0
    assert call("compare", "resnet18", "resnet50", "--layers").exit_code == 0


def test_by_and_full() -> None:
    assert "\n+   conv3/conv3_4/conv" in ok("compare", "vgg16", "vgg19", "--layers")
    assert "\n~   conv3 " in ok("compare", "vgg16", "vgg19", "--layers", "--by", "stage")
    assert "alike" not in ok("compare", "vgg16", "vgg19", "--layers", "--full")


def test_groupings_are_the_library_s() -> None:
    assert GROUPINGS == difference.GROUPINGS


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "json", "latex", "html"])
def test_formats(format_: str, tmp_path: Path) -> None:
    arguments = ("compare", "vgg16", "vgg19", "--layers", "--format", format_)
    text = ok(*arguments)
    assert "conv3/conv3_4/conv" in text.replace("\\_", "_")
    assert text.endswith("\n")
    path = tmp_path / "out"
    assert ok(*arguments, "-o", str(path)) == ""
    assert path.read_text() == text


def test_data_formats_are_by_layer() -> None:
    arguments = ("compare", "resnet50", "googlenet", "--layers", "--format")
    data = json.loads(ok(*arguments, "json"))
    assert sum(data["counts"][key] for key in ("same", "changed", "left", "right")) == len(
        data["layers"]
    )
    assert len(ok(*arguments, "csv").splitlines()) == len(data["layers"]) + 1
    assert len(ok(*arguments, "csv", "--by", "stage").splitlines()) < 40


def test_what_does_not_go_together() -> None:
    assert "two networks, not 1" in refused("compare", "vgg16", "--layers")
    assert "two networks, not 1" in refused("compare", "vgg16", "vgg16", "--layers")
    assert "two networks, not 3" in refused("compare", "vgg16", "vgg19", "alexnet", "--layers")
    assert "--by needs --layers" in refused("compare", "vgg16", "vgg19", "--by", "block")
    assert "--full needs --layers" in refused("compare", "vgg16", "vgg19", "--full")
    assert "no 'op'" in refused("compare", "vgg16", "vgg19", "--layers", "--by", "op")
    for option in (
        *("--sort=macs", "--columns=params", "--accuracy=ImageNet", "--reference=vgg16"),
        *("--convention=exact", "--reverse", "--pareto"),
    ):
        said = refused("compare", "vgg16", "vgg19", "--layers", option)
        assert f"{option.partition('=')[0]} does not go with --layers" in said
