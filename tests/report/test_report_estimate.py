"""An estimate as tables, facts and JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from referencing import Registry
from schemas import strict

import archcost
from archcost.hardware.accuracy import Accuracy
from archcost.hardware.costs import Costs
from archcost.hardware.device import Device
from archcost.hardware.estimate import Curve, Estimate, batch_curve, estimate, largest_batch
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.report import ReportError, render
from archcost.report.estimate import (
    columns,
    estimate_data,
    estimate_document,
    estimate_report,
    estimate_view,
    estimates_table,
)
from archcost.report.json import dump, schema
from archcost.report.model import model_report
from archcost.report.terminal import plain

GPU = Device("a-gpu", "A GPU", "gpu", {"fp32": 10e12}, 500e9, 8 * 2**30, 5e-6, 40, power=250)
CPU = Device("a-cpu", "A CPU", "cpu", {"fp32": 100e9}, 20e9, 4 * 2**30, 2e-6, 4)
KNOWN = Accuracy("a-gpu", "gpu", False, "fp32", (1, 8), 7, 14, 0.112, 0.14, 0.98, "archcost")


def made(name="simplenet", device=GPU, *, batches=None, fused=False, **options):
    graph = archcost.load(name, batch=2)
    curve = None
    if batches:
        points = batch_curve(graph, device, batches, fused=fused)
        curve = Curve(points, largest_batch(graph, device, fused=fused))
    found = estimate(graph, device, fused=fused)
    return estimate_report(archcost.analyze(graph), found, curve=curve, **options)


def cells(report, key):
    index = [column.key for column in report.table.columns].index(key)
    return [row[index] for row in report.table.rows], report.table.total[index]


def shown(report, width=80):
    return plain(estimate_view(report), width)


@pytest.mark.parametrize("by", ["layer", "block", "stage", "op"])
@pytest.mark.parametrize("name", ["simplenet", "resnet50", "mobilenet-v1"])
def test_rows_are_those_of_a_report_and_add_up(name, by):
    report = made(name, by=by)
    counted = model_report(archcost.analyze(archcost.load(name, batch=2)), by=by).table
    assert [row[0] for row in report.table.rows] == [row[0] for row in counted.rows]
    for key in ("seconds", "seconds_share", "compute_seconds", "memory_seconds", "launch_seconds"):
        parts, whole = cells(report, key)
        assert sum(parts) == pytest.approx(whole)
    assert cells(report, "seconds")[1] == pytest.approx(report.estimate.seconds)
    flops, whole = cells(report, "flops")
    assert sum(flops) == whole == report.estimate.flops


def test_a_top_is_what_takes_longest():
    report = made("resnet50", by="layer", top=3)
    times, whole = cells(report, "seconds")
    every, _ = cells(made("resnet50", by="layer"), "seconds")
    assert times[:3] == sorted(every, reverse=True)[:3]
    assert report.table.rows[3][0] == f"other ({len(every) - 3})"
    assert sum(times) == pytest.approx(whole)
    assert cells(made("resnet50", by="layer", sort="name", top=2), "name")[0][0] == "conv1/bn"


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ReportError, match="no column 'speed'"):
        made(sort="speed")
    with pytest.raises(ReportError, match="by 'year'"):
        made(by="year")
    with pytest.raises(ReportError, match="top is at least 1"):
        made(top=0)


@pytest.mark.parametrize("name", ["simplenet", "googlenet-training", "lenet5"])
@pytest.mark.parametrize("by", ["layer", "op"])
def test_json_is_what_its_schema_says(name, by):
    reports = [
        made(name, GPU, by=by, batches=(1, 2), accuracies=[KNOWN]),
        made(name, CPU, by=by, top=2, fused=True),
    ]
    document = json.loads(dump(estimate_data(reports, {"c": "no bf16"}, version="1.2.3")))
    own = strict(schema("estimate-1"))
    jsonschema.Draft202012Validator.check_schema(own)
    registry = Registry().with_contents([("urn:archcost:report:1", strict(schema()))])
    jsonschema.Draft202012Validator(own, registry=registry).validate(document)
    assert list(document["devices"]) == ["a-gpu", "a-cpu"]
    for found in document["devices"].values():
        whole = found["estimate"]
        assert sum(layer["seconds"] for layer in found["layers"]) == pytest.approx(whole["seconds"])
        assert sum(whole["bound_seconds"].values()) == pytest.approx(whole["seconds"])
        parts = ("weights", "activations", "workspace", "rounding")
        assert sum(whole[f"{part}_bytes"] for part in parts) == whole["peak_memory_bytes"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_shows_it_all_in_its_width(width):
    text = shown(made("resnet50", batches=(1, 8, 64), accuracies=[KNOWN]), width)
    assert all(len(line) <= width for line in text.splitlines())
    words = " ".join(text.split())
    for label in ("Latency", "Throughput", "Bound by", "Peak memory", "Energy", "Saturates"):
        assert label in words
    assert "on 7 networks measured by archcost" in words
    assert "the median error was 11.2 %" in words


def test_what_an_estimate_rests_on_is_said():
    assert "not known: no such estimate was compared" in shown(made())
    assert "those of its class (GPU): it was not calibrated" in shown(made())
    others = [KNOWN._replace(device="b-gpu"), KNOWN._replace(median_absolute_error=0.3, device="c")]
    text = " ".join(shown(made(accuracies=others)).split())
    assert "not known for this device, the median error for others of its kind was" in text
    assert "between 11.2 % and 30.0 % (b-gpu, c)" in text
    text = " ".join(shown(made(accuracies=others[:1])).split())
    assert "was 11.2 % (b-gpu)" in text


def test_a_calibrated_device_says_so():
    graph = archcost.load("lenet5")
    calibrated = replace(GPU, costs=Costs(()), calibrated={"torch": "2.13.0", "date": "2026-01-02"})
    found = Estimate(graph, calibrated, False, estimate(graph, GPU).layers)
    report = estimate_report(archcost.analyze(graph), found)
    text = " ".join(shown(report).split())
    assert "calibrated on this device, torch 2.13.0, date 2026-01-02" in text


def test_energy_says_what_kind_of_bound_it_is():
    assert "were the board's 250 W drawn throughout" in " ".join(shown(made()).split())
    assert "no figure: the device's power is not known" in shown(made(device=CPU))
    text = " ".join(shown(made(device=replace(CPU, power=65))).split())
    assert "at 65 W throughout, the power that it is built for, not a limit" in text


def test_memory_that_does_not_fit_is_said():
    small = replace(GPU, memory=10**6)
    text = shown(made(device=small, batches=(1, 2)))
    assert "does not fit in 1.00 MB" in text
    assert "too large" in text
    assert "none fits" in text


def test_operators_whose_work_is_not_known_are_named():
    builder = GraphBuilder("net")
    x = builder.input("x", TensorType((1, 8, 4, 4)))
    y = builder.add(make("relu"), [x], "known")[0]
    unknown = make("opaque", name="some::nms", types=(((1, 8, 4, 4), "fp32"),))
    z = builder.add(unknown, [y], "odd")[0]
    graph = builder.build({"output": z})
    report = estimate_report(archcost.analyze(graph), estimate(graph, GPU), by="layer")
    assert cells(report, "seconds")[0][1] is None
    assert "1 x some::nms" in shown(report)
    assert "Without" in shown(report)


def test_devices_side_by_side():
    reports = [made("simplenet", GPU), made("simplenet", CPU)]
    table = estimates_table(reports[0].model, [r.estimate for r in reports], {"c-gpu": "no bf16"})
    keys = [column.key for column in table.columns]
    assert [row[keys.index("device")] for row in table.rows] == ["a-gpu", "a-cpu"]
    assert "batch" not in keys
    assert "at batch 2" in table.title
    assert "c-gpu: no bf16" in table.notes
    rates = [row[keys.index("samples_per_second")] for row in table.rows]
    assert table.columns[keys.index("samples_per_second")].best == max(rates)


def test_one_estimate_alone_has_all_columns():
    report = made("simplenet", GPU)
    table = estimates_table(report.model, [report.estimate])
    assert {"device", "batch"} <= {column.key for column in table.columns}


@pytest.mark.parametrize("format_", ["markdown", "html"])
def test_documents_say_the_same(format_):
    report = made("simplenet", batches=(1, 8), by="layer")
    text = render(estimate_document(report), format_)
    for words in ("Throughput against batch", "Latency", "by layer", "A GPU"):
        assert words in text


def test_columns_are_named_once():
    for by in ("layer", "block", "stage", "op"):
        keys = [column.key for column in columns(by)]
        assert len(keys) == len(set(keys))
