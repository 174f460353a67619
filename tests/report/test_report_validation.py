"""The report of a validation, in every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html import unescape

import pytest
from recorded_passes import DEVICE, journal, judged

from archcost.report import render, validation
from archcost.report.json import dump
from archcost.validation import errors


def test_headings_are_what_the_numbers_are() -> None:
    edges = tuple(f"{100 * edge:+.0f} %" if edge else "0 %" for edge in errors.EDGES)
    within = tuple(f"{100 * share:.0f} %" for share in errors.WITHIN)
    assert (edges, within) == (validation.EDGES, validation.WITHIN)
    keys = [column.key for column in validation.ERROR_COLUMNS]
    assert [f"p{percent}_error" for percent in errors.PERCENTILES] == keys[3:8]
    assert len(keys) == len(validation.error_cells(judged().latency()))
    assert len(keys) == len(validation.error_cells(None))


@pytest.mark.parametrize("format_", ["table", "markdown", "html"])
def test_documents(format_) -> None:
    text = render(validation.validation_document(judged()), format_)
    for heading in (
        "Against the bars",
        "How it was measured",
        "Errors of the latency",
        "The machine's noise",
        "Worst cases",
        "Layers by operator",
        "Errors of the peak memory",
        "Parameters, activations and files",
        "Not measured",
        "Networks",
    ):
        assert heading in unescape(text)
    for name in judged().networks:
        assert name in text


def test_markdown_says_what_was_found() -> None:
    text = render(validation.validation_document(judged()), "markdown")
    total = judged().latency()
    assert f" {100 * total.mean_absolute:.1f} % |" in text
    assert f"| {total.spearman:.3f} " in text
    assert "AMD EPYC, 2 threads of 2 cores" in text
    assert "PyTorch 2.13.0+cpu" in text
    assert "No coefficient of the estimates was fitted on a network" in text
    assert "12 of 12 networks" in text
    assert "skipped, time: 5.2 s a pass estimated" in text


def test_csv_is_one_line_a_pass() -> None:
    rows = list(csv.DictReader(io.StringIO(render(validation.networks_table(judged()), "csv"))))
    assert len(rows) == len(judged().judged)
    for row, one in zip(rows, judged().judged, strict=True):
        assert (row["network"], int(row["batch"])) == (one.model, one.batch)
        assert float(row["measured_seconds"]) == one.measured
        assert float(row["error"]) == one.latency.error
        assert int(row["measured_peak_bytes"]) == one.measured_peak


def test_json() -> None:
    data = json.loads(dump(validation.validation_data(judged())))
    assert data["schema"] == validation.SCHEMA
    assert data["networks"] == 12
    assert len(data["passes"]) == 24
    assert data["latency_errors"]["all"]["passes"] == 24
    assert {one["batch"] for one in data["latency_errors"]["by_setting"]} == {1, 8}
    assert data["sessions"][0]["environment"]["torch"] == "2.13.0+cpu"
    assert [bar["met"] for bar in data["bars"]] == [v.met for v in judged().verdicts]
    assert data["missing"] == [
        {
            "model": "enet",
            "dtype": "fp32",
            "batch": 8,
            "round": 0,
            "why": "skipped, time: 5.2 s a pass estimated, more than 5 s",
        }
    ]
    held = [one["held_bytes"] for one in data["passes"] if one["batch"] == 1]
    assert all(set(one) == {"parameters", "activations", "file"} for one in held)


def test_what_was_not_measured_is_not_said() -> None:
    bare = [
        replace(one, parts=(), row=replace(one.row, memory=None, held=None, layers=None))
        for one in judged().judged
    ]
    found = replace(judged(), judged=tuple(bare), repeated=(), missing=())
    text = render(validation.validation_document(found), "markdown")
    assert "Layers by operator" not in text
    assert "Errors of the peak memory" not in text
    assert "Parameters, activations and files" not in text
    assert "Nothing was measured twice." in text
    assert "Every network was measured in every way." in text
    assert "layers were not timed" in text


def test_fitted_networks_are_named() -> None:
    some = [replace(one, fitted=one.model == "lenet5") for one in judged().judged]
    found = replace(judged(), judged=tuple(some))
    text = render(validation.validation_document(found), "markdown")
    assert "fitted on 1 of them (lenet5)" in text
    assert DEVICE.title in text
    assert len(journal().sessions) == 1
