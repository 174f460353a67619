"""Two networks as a diff: rows, folding, groups, and every format."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import yaml
from hostile import STRINGS, network
from hypothesis import given, settings
from random_specs import random_specs
from rich.cells import cell_len
from rich.console import Console

from archcost.analysis import Analysis, analyze
from archcost.analysis.alignment import COSTS, align
from archcost.report import ReportError, render
from archcost.report import difference as report
from archcost.report.difference import Difference, difference
from archcost.report.json import dump
from archcost.report.table import Table
from archcost.report.terminal import view
from archcost.sources import load
from archcost.sources.zoo import libraries
from archcost.spec import expand, parse


def shown(left: str, right: str, **options: Any) -> Difference:
    return difference(align(analyze(load(left)), analyze(load(right))), **options)


def cells(table: Table, *keys: str) -> list[tuple[Any, ...]]:
    indices = [[column.key for column in table.columns].index(key) for key in keys]
    return [tuple(row[index] for index in indices) for row in table.rows]


def test_rows_of_a_deeper_network() -> None:
    table = report.difference_table(shown("vgg16", "vgg19"))
    assert table.title == "vgg16 -> vgg19, by layer"
    assert cells(table, "sign", "name", "output", "params", "macs")[:4] == [
        (None, "... 16 layers alike ...", None, None, None),
        ("+", "conv3/conv3_4/conv", "256x56x56", 590_080, 1_849_688_064),
        ("+", "conv3/conv3_4/relu", "256x56x56", None, None),
        (None, "... 7 layers alike ...", None, None, None),
    ]
    left, right = analyze(load("vgg16")).totals, analyze(load("vgg19")).totals
    assert table.total is not None
    assert {right.params - left.params, right.macs - left.macs} <= set(table.total)
    assert table.notes[0] == ("40 layers the same, 0 changed, 0 only in vgg16, 6 only in vgg19.")
    assert table.notes[1].startswith("Params 138.36 M -> 143.67 M (1.04x), MACs 15.47 G ->")


def test_rows_of_a_thinner_network() -> None:
    table = report.difference_table(shown("simplenet", "simplenet-310k"))
    assert cells(table, "sign", "name", "op", "output", "changes")[1:4] == [
        ("~", "conv1_0/conv", "conv", "128x32x32 -> 32x32x32", ("out 128 -> 32",)),
        (".", "conv1_0/bn", "batch_norm", "128x32x32 -> 32x32x32", ()),
        (".", "conv1_0/relu", "relu", "128x32x32 -> 32x32x32", ()),
    ]
    # The last layer's own shape stays: what reaches it is said.
    assert cells(table, "sign", "name", "output", "changes")[-2:] == [
        (".", "ip1", "10", ("input 256 -> 64",)),
        ("", "softmax", "10", ()),
    ]
    assert "28 of them only by the shapes that reach them" in table.notes[0]
    assert ". changed only by the shapes" in table.notes[2]


def test_the_other_way_round() -> None:
    signs = str.maketrans("+-", "-+")
    one = report.difference_table(shown("vgg16", "vgg19"))
    other = report.difference_table(shown("vgg19", "vgg16"))
    assert [(sign or "").translate(signs) for (sign,) in cells(one, "sign")] == [
        sign or "" for (sign,) in cells(other, "sign")
    ]
    negated = [tuple(value and -value for value in row) for row in cells(one, "params", "macs")]
    assert negated == cells(other, "params", "macs")


def test_all_the_same() -> None:
    table = report.difference_table(shown("vgg16", "vgg16"))
    assert cells(table, "name") == [("... 40 layers alike ...",)]
    full = report.difference_table(shown("vgg16", "vgg16", full=True))
    assert len(full.rows) == 40
    assert {sign for (sign,) in cells(full, "sign")} == {""}
    assert table.notes[1].startswith("Params 138.36 M in both, MACs 15.47 G in both")


@pytest.mark.parametrize(
    ("left", "right", "by"),
    [
        ("vgg16", "vgg19", "layer"),
        ("resnet50", "resnet101", "block"),
        ("resnet50", "googlenet", "stage"),
        ("resnet1202", "resnet1001", "stage"),
    ],
)
def test_rows_that_fit_on_two_screens(left: str, right: str, by: str) -> None:
    made = shown(left, right)
    assert made.by == by
    assert by == "stage" or len(report.difference_table(made).rows) <= report.MOST_ROWS


def test_no_such_grouping() -> None:
    with pytest.raises(ReportError, match="by one of layer, block, stage, not by 'op'"):
        shown("vgg16", "vgg19", by="op")


@pytest.mark.parametrize("by", report.GROUPINGS)
@settings(max_examples=25)
@given(one=random_specs(), other=random_specs())
def test_every_layer_is_in_one_row(by: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    left, right = of(one), of(other)
    made = difference(align(left, right), by=by)
    for index, side in ((2, left), (3, right)):
        layers = [layer for part in made.parts for layer in part[index]]
        assert sorted(layers, key=id) == sorted(side.layers, key=id)
        if by == "layer":
            assert layers == list(side.layers)
    for cost in COSTS:
        more = sum(part.more(cost) for part in made.parts)
        assert more == sum(getattr(x, cost) for x in right.layers) - sum(
            getattr(x, cost) for x in left.layers
        )


def of(document: dict[str, Any]) -> Analysis:
    text = yaml.safe_dump(document, sort_keys=False)
    return analyze(expand(parse(text, "net.yaml", libraries()), document["name"]))


def test_groups() -> None:
    table = report.difference_table(shown("vgg16", "vgg19", by="stage"))
    assert cells(table, "sign", "name", "layers", "changes")[1:4] == [
        ("~", "conv3", "7 -> 9", ("+ conv3_4/conv, conv3_4/relu",)),
        ("~", "conv4", "7 -> 9", ("+ conv4_4/conv, conv4_4/relu",)),
        ("~", "conv5", "7 -> 9", ("+ conv5_4/conv, conv5_4/relu",)),
    ]
    table = report.difference_table(shown("resnet50", "resnet101", by="block"))
    assert cells(table, "name", "sign")[1:-1] == [
        (f"conv4_x/block{number}", "+") for number in range(7, 24)
    ]
    table = report.difference_table(shown("resnet50", "preresnet50", by="block"))
    (changes,) = (row[1] for row in cells(table, "name", "changes") if row[0] == "conv3_x/block2")
    assert changes[0].startswith("sum: reads conv3_x/block2/conv3/bn, conv3_x/block1/relu ->")
    assert changes[1:] == ("- conv3/bn", "+ bn1")


def test_a_group_without_partner_joins_that_of_its_layers() -> None:
    """ResNet's first block has scopes of its own in torchvision: conv1, bn1, relu."""
    groups = [(0, "a"), (1, "a"), (1, "b"), (1, "c"), (0, "d")]
    a, first, b, c, d = groups
    rows = [(a, first), (a, first), (a, b), (c,), (d, c), (d,)]
    numbers = report._together(rows)
    assert numbers[a] == numbers[first] == numbers[b]
    assert numbers[c] == numbers[d] != numbers[a]
    assert report._together([(a, first), (b,)])[b] != report._together([(a, first), (b,)])[a]


def test_names_of_both_where_they_differ() -> None:
    table = report.difference_table(shown("resnet50", "preresnet50", by="layer"))
    assert [column.label for column in table.columns[1:3]] == ["resnet50", "preresnet50"]
    rows = cells(table, "sign", "name", "partner")
    assert ("-", "conv2_x/block1/conv3/bn", None) in rows
    assert ("+", None, "conv2_x/block2/bn1") in rows
    made = shown("vgg16", "vgg19", names=("before", "after"))
    assert "0 only in before, 6 only in after" in report.difference_table(made).notes[0]


def test_colours_and_signs() -> None:
    table = report.difference_table(shown("alexnet", "vgg16"))
    console = Console(
        record=True, width=100, force_terminal=True, color_system="standard", file=io.StringIO()
    )
    console.print(view(table))
    text = console.export_text(styles=True)
    assert "\x1b[31m-" in text
    assert "\x1b[32m+" in text
    assert "\x1b[33m~" in text
    plain = render(table, "table", width=80)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    signs = {line[0] for line in plain.splitlines() if line[1:3] == "  "}
    assert {"-", "+", "~"} <= signs


@pytest.mark.parametrize("width", [40, 80, 120])
def test_numbers_are_never_cut(width: int) -> None:
    text = render(report.difference_table(shown("resnet50", "googlenet")), "table", width=width)
    assert max(map(len, text.splitlines())) <= width


def test_data_table() -> None:
    text = render(report.data_table(shown("simplenet", "simplenet-310k")), "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 44
    row = rows[3]
    assert (row["left"], row["right"], row["left_op"]) == ("conv1_0/conv", "conv1_0/conv", "conv")
    assert (row["left_output"], row["right_output"]) == ("1x128x32x32", "1x32x32x32")
    assert (row["left_params"], row["right_params"]) == ("73856", "18464")
    assert (row["left_macs"], row["right_macs"]) == ("75497472", "18874368")
    assert (row["left_activations"], row["right_activations"]) == ("131072", "32768")
    assert rows[3]["status"] == "changed"
    assert rows[3]["changes"].split()[:2] == ["out", "outputs"]
    alone = list(
        csv.DictReader(io.StringIO(render(report.data_table(shown("vgg16", "vgg19")), "csv")))
    )
    assert [row["left"] for row in alone if row["status"] == "right"] == [""] * 6


def test_data() -> None:
    made = shown("vgg16", "vgg19")
    data = report.difference_data(made)
    assert data["left"]["name"] == "vgg16"
    assert data["right"]["macs"] - data["left"]["macs"] == 4_161_798_144
    assert data["counts"] == {"same": 40, "changed": 0, "left": 0, "right": 6, "follows": 0}
    assert len(data["layers"]) == 46
    (entry,) = [e for e in data["layers"] if e["right"]["name"] == "conv5/conv5_4/conv"]
    assert entry["left"] is None
    assert entry["status"] == "right"
    assert entry["right"]["arguments"] == {"out": 512, "kernel": 3, "padding": 1}
    assert dump(data).isascii()


@pytest.mark.parametrize("name", STRINGS)
def test_hostile_names(name: str) -> None:
    alignment = align(analyze(network(STRINGS[name])), analyze(load("lenet5")))
    for by in report.GROUPINGS:
        made = difference(alignment, by=by)
        table = report.difference_table(made)
        for format_ in ("table", "markdown", "latex", "csv", "html"):
            text = render(table, format_)
            assert not any(ord(letter) < 32 and letter != "\n" for letter in text)
            if format_ in ("markdown", "html"):
                assert "<script" not in text
        lines = render(table, "table").splitlines()
        assert max(map(cell_len, lines)) <= 80
        assert len(table.title) < 200
    assert dump(report.difference_data(made)).isascii()
