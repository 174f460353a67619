"""Estimated and measured times in comparisons and reports."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import jsonschema
import pytest
from measured import measurement

import archcost
from archcost.analysis.comparison import ComparisonError
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.measure.matching import measurements_of, setups_of
from archcost.report import FORMATS, render
from archcost.report.compare import compare_document, compare_report, compare_table
from archcost.report.compare_times import estimate_remarks, estimated, measured
from archcost.report.json import document, schema
from archcost.report.model import GROUPINGS, model_report
from archcost.report.summary import facts

NAMES = ("simplenet", "vgg16", "resnet50", "mobilenet-v1")
ANALYSES = {name: archcost.analyze(archcost.load(name)) for name in NAMES}
DEVICES = tuple(map(find, ("rtx3090", "gtx980")))


def estimates(*devices):
    return [
        (device, {name: estimate(one.graph, device) for name, one in ANALYSES.items()})
        for device in devices or DEVICES[:1]
    ]


def report(*devices, **options):
    return compare_report(ANALYSES, extras=estimated(estimates(*devices)), **options)


def values(made, key):
    return {network.name: network.also.get(key) for network in made.networks}


# --- compare --------------------------------------------------------------------------------------


def test_estimates_are_columns():
    made = report()
    ((_, own),) = estimates()
    assert values(made, "estimated_seconds") == {name: own[name].seconds for name in NAMES}
    rates = values(made, "estimated_samples_per_second")
    assert rates == {name: own[name].throughput for name in NAMES}
    keys = [column.key for column in compare_table(made).columns]
    assert keys[-2:] == ["estimated_seconds", "estimated_samples_per_second"]


def test_the_best_is_marked_in_every_format():
    made = compare_table(report(columns=["params", "est-latency"]))
    best = min(row[2] for row in made.rows)
    assert made.columns[2].best == best
    for format_ in FORMATS:
        assert render(made, format_)
    text = render(made, "table")
    assert sum("µs*" in line or "ms*" in line for line in text.splitlines()) == 1
    row = next(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert float(row["estimated_seconds"]) == made.rows[0][2]
    throughput = compare_table(report(columns=["estimated_throughput"])).columns[1]
    assert throughput.best == max(values(report(), "estimated_samples_per_second").values())


def test_sorted_by_time():
    made = report(sort="estimated latency", reverse=True)
    times = list(values(made, "estimated_seconds").values())
    assert times == sorted(times)


def test_columns_that_are_asked_for_besides():
    shown = [c.key for c in compare_table(report(columns=["params"])).columns]
    assert shown == ["name", "params", "estimated_seconds"]
    shown = [c.key for c in compare_table(report(columns=["est-throughput", "params"])).columns]
    assert shown == ["name", "estimated_samples_per_second", "params"]


def test_a_front_judges_by_time_too():
    without = {n.name for n in compare_report(ANALYSES, pareto=True).networks}
    made = report(pareto=True)
    assert [q.key for q in made.comparison.judged] == ["params", "macs", "estimated_seconds"]
    assert without <= {network.name for network in made.networks}


def test_multiples_and_words():
    made = report(reference="vgg16")
    document_ = compare_document(made)
    ((_, own),) = estimates()
    ratio = next(n for n in document_["networks"] if n["name"] == "resnet50")["ratios"]
    assert ratio["estimated_seconds"] == own["resnet50"].seconds / own["vgg16"].seconds
    notes = " ".join(compare_table(made).notes)
    assert "less est. latency" in notes
    assert "throughput" not in notes  # the same multiple, the other way round


def test_several_devices_have_a_column_each():
    made = report(*DEVICES)
    keys = [column.key for column in compare_table(made).columns]
    for device in ("rtx_3090", "gtx_980"):
        assert {f"estimated_seconds_{device}", f"estimated_samples_per_second_{device}"} <= {*keys}
    about = compare_document(made)["columns"]
    assert about["estimated_seconds_gtx_980"]["about"] == {"device": "gtx-980"}
    assert about["estimated_seconds_gtx_980"]["kind"] == "seconds"
    assert about["estimated_seconds_gtx_980"]["better"] == "less"
    with pytest.raises(ComparisonError, match="did you mean"):
        report(*DEVICES, columns=["estimated_seconds"])


def test_an_operator_whose_work_is_not_known_has_no_time():
    builder = GraphBuilder("detector")
    x = builder.input("x", TensorType((2, 4, 8, 8)))
    nms = make("opaque", name="torchvision::nms", types=(((2, 4, 8, 8), "fp32"),))
    (y,) = builder.add(nms, [x], "nms")
    analysis = archcost.analyze(builder.build({"y": y}))
    own = {"detector": estimate(analysis.graph, DEVICES[0])}
    extras = estimated([(DEVICES[0], own)])
    assert [extra.values for extra in extras] == [{}, {}]
    shown = compare_table(compare_report({"detector": analysis}, extras=extras))
    assert "?" in render(shown, "table").splitlines()[4]


def test_what_does_not_fit_is_said():
    device = replace(DEVICES[0], memory=200 * 10**6)
    found = {name: estimate(one.graph, device) for name, one in ANALYSES.items()}
    said = " ".join(estimate_remarks([(device, found)], ANALYSES, fused=False))
    assert (
        "Does not fit the 200.00 MB (190.73 MiB) of rtx-3090, and has times as if it did: vgg16."
        in said
    )
    assert "each operator by itself" in said


def test_measured_times_and_their_spread():
    records = [measurement(ANALYSES[name].graph, 0.01) for name in ("simplenet", "vgg16")]
    found = {name: measurements_of(one.graph, records) for name, one in ANALYSES.items()}
    extras = [*estimated(estimates()), *measured(found, setups_of(found.values()))]
    made = compare_report(ANALYSES, extras=extras, pareto=False)
    assert values(made, "measured_seconds") == {
        **dict.fromkeys(NAMES),
        "simplenet": 0.01,
        "vgg16": 0.01,
    }
    networks = {entry["name"]: entry for entry in compare_document(made)["networks"]}
    spread = networks["vgg16"]["details"]["measured_seconds"]
    assert (spread["q1_seconds"], spread["runs"]) == (pytest.approx(0.009), 20)
    assert "details" not in networks["resnet50"]
    about = compare_document(made)["columns"]["measured_seconds"]["about"]
    assert about == {"device": "cpu", "threads": 2, "channels_last": False, "compiled": False}
    # Where nobody measured, no front can be told.
    assert len(compare_report(ANALYSES, extras=extras, pareto=True).networks) <= 2


def test_measured_in_two_ways():
    graph = ANALYSES["vgg16"].graph
    records = [measurement(graph), measurement(graph, threads=1)]
    found = {"vgg16": measurements_of(graph, records)}
    keys = [extra.quantity.key for extra in measured(found, setups_of(found.values()))]
    assert keys == [
        *("measured_seconds_2_threads", "measured_samples_per_second_2_threads"),
        *("measured_seconds_1_thread", "measured_samples_per_second_1_thread"),
    ]


# --- report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", GROUPINGS)
def test_times_of_groups_add_up(by):
    analysis = ANALYSES["mobilenet-v1"]
    own = estimate(analysis.graph, DEVICES[0])
    table = model_report(analysis, by=by, estimate=own).table
    index = [column.key for column in table.columns].index("estimated_seconds")
    assert sum(row[index] for row in table.rows) == pytest.approx(own.seconds)
    assert table.total is not None
    assert table.total[index] == own.seconds
    assert sum(row[index + 1] for row in table.rows) == pytest.approx(1)
    assert {row[index + 2] for row in table.rows} <= {"compute", "memory", "launch", None}


def test_without_a_device_a_report_is_as_ever():
    made = model_report(ANALYSES["vgg16"])
    assert not any("estimated" in column.key for column in made.table.columns)
    assert "estimate" not in document(made)


def test_sorted_by_time_in_a_report():
    analysis = ANALYSES["vgg16"]
    own = estimate(analysis.graph, DEVICES[0])
    table = model_report(analysis, by="layer", sort="estimated_seconds", estimate=own).table
    index = [column.key for column in table.columns].index("estimated_seconds")
    times = [row[index] for row in table.rows]
    assert times == sorted(times, reverse=True)


def test_the_summary_says_time_and_bounds():
    own = estimate(ANALYSES["vgg16"].graph, DEVICES[0])
    made = model_report(ANALYSES["vgg16"], estimate=own)
    fact = next(fact for fact in facts(made) if fact.label == "Estimated time")
    assert "on rtx-3090 (fp32, batch 1)" in fact.items[0]
    assert any("bound by" in item for item in fact.items)
    small = replace(DEVICES[0], memory=10**8)
    made = model_report(ANALYSES["vgg16"], estimate=estimate(ANALYSES["vgg16"].graph, small))
    fact = next(fact for fact in facts(made) if fact.label == "Estimated time")
    assert "though its 100.00 MB (95.37 MiB) of memory do not hold it" in fact.items


def test_the_document_has_the_estimate():
    own = estimate(ANALYSES["mobilenet-v1"].graph, DEVICES[0])
    made = model_report(ANALYSES["mobilenet-v1"], by="block", estimate=own)
    plain = json.loads(json.dumps(document(made)))
    jsonschema.validate(plain, schema())
    assert plain["estimate"]["seconds"] == own.seconds
    assert plain["estimate"]["device"] == "rtx-3090"
    assert sum(layer["estimated_seconds"] for layer in plain["layers"]) == own.seconds
    for format_ in FORMATS:
        assert render(made, format_)
