"""``archcost speeds``."""

from __future__ import annotations

import csv
import io
import json

import pytest
from command_line import call, completed

from archcost.cli.speeds import GROUPINGS, PASS
from archcost.report import speeds as report


def test_groupings_are_those_of_the_library() -> None:
    assert (*report.GROUPINGS, PASS) == GROUPINGS


def test_json() -> None:
    document = json.loads(call("speeds", "ncnn", "tflite", "--format", "json").stdout)
    assert [source["name"] for source in document["sources"]] == ["ncnn", "tflite"]
    assert {one["source"] for one in document["runs"]} == {"ncnn", "tflite"}
    assert {one["run"] for one in document["passes"]} == set(range(len(document["runs"])))


def test_csv_has_a_row_a_pass() -> None:
    text = call("speeds", "ncnn", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["network"] for row in rows] == [
        *("squeezenet-1.1", "mobilenet-v1", "googlenet", "alexnet", "vgg16", "resnet50"),
    ]


@pytest.mark.parametrize("by", GROUPINGS)
def test_terminal(by: str) -> None:
    result = call("speeds", "ncnn", "--by", by)
    assert result.exit_code == 0
    assert "Passes" in result.stdout or by == PASS


def test_markdown_is_a_whole_report() -> None:
    text = call("speeds", "tflite", "--format", "markdown").stdout
    assert text.startswith("# Published speeds beside estimates")
    assert "Pixel 4" in text
    part = call("speeds", "tflite", "--by", "device", "--format", "markdown").stdout
    assert "snapdragon-855" in part
    assert "Pixel 4" not in part


def test_one_device() -> None:
    text = call("speeds", "--device", "Pixel 4", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["device"] for row in rows} == {"snapdragon-855"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tim"], "no source of speeds 'tim'; did you mean 'timm'?"),
        (["--device", "h200"], "no published times on h200; there are "),
        (["ncnn", "--device", "rtx-309"], "no device 'rtx-309'; did you mean 'rtx-3090'?"),
        (["--by", "colour"], "colour"),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    result = call("speeds", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_completion() -> None:
    assert completed("archcost speeds tf") == {"tflite"}
    assert completed("archcost speeds --by dev") == {"device"}
