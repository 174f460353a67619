"""Grouping, sorting and summing: whatever is shown, it adds up to the network's totals."""

from __future__ import annotations

import pytest

import archcost
from archcost.ir import GraphBuilder, Parameter, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.convolution import Conv
from archcost.ir.ops.linear import Linear
from archcost.report import ReportError, Stored, model_report
from archcost.report.model import GROUPINGS, columns

NETWORKS = ("simplenet", "lenet5", "googlenet-training", "squeezenet", "resnet56", "mobilenet-v1")
SUMMED = ("params", "macs", "flops", "activations", "traffic_bytes", "buffers")


def analysis(name):
    return archcost.analyze(archcost.load(name))


def column(report, key, *, total=False):
    index = [column.key for column in report.table.columns].index(key)
    return report.table.total[index] if total else [row[index] for row in report.table.rows]


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_add_up_to_the_totals(name, by):
    costs = analysis(name)
    for top in (None, 3):
        report = model_report(costs, by=by, top=top)
        for key in SUMMED:
            expected = getattr(costs.totals, key)
            assert sum(column(report, key)) == column(report, key, total=True) == expected
        for share in ("params_share", "macs_share"):
            assert sum(column(report, share)) == pytest.approx(1)
        if by != "layer":
            assert sum(column(report, "layers")) == len(costs.graph)


def test_groups_are_the_first_parts_of_names():
    costs = analysis("resnet18")
    stages = column(model_report(costs, by="stage"), "name")
    assert stages[:3] == ["conv1", "pool1", "conv2_x"]
    blocks = column(model_report(costs, by="block"), "name")
    # A layer without scope stands alone, scopes below the second part do not.
    assert blocks[:4] == ["conv1", "pool1", "conv2_x/block1", "conv2_x/block2"]
    assert column(model_report(costs, by="layer"), "name") == [n.name for n in costs.graph]
    assert set(column(model_report(costs, by="op"), "name")) == {n.op.kind for n in costs.graph}


def test_a_group_has_the_shape_of_its_last_layer():
    report = model_report(analysis("resnet18"), by="stage")
    shapes = dict(zip(column(report, "name"), column(report, "output"), strict=True))
    assert shapes["conv2_x"] == (64, 56, 56)
    assert shapes["conv5_x"] == (512, 7, 7)


@pytest.mark.parametrize(
    ("name", "by"), [("simplenet", "block"), ("resnet50", "block"), ("resnet1202", "stage")]
)
def test_the_default_fits_on_a_screen(name, by):
    assert model_report(analysis(name)).by == by


def test_sorting():
    costs = analysis("resnet18")
    flops = column(model_report(costs, by="op", sort="flops"), "flops")
    assert flops == sorted(flops, reverse=True)
    names = column(model_report(costs, by="layer", sort="name"), "name")
    assert names == sorted(names)
    sizes = column(model_report(costs, by="stage", sort="output"), "output")
    assert sizes[0] == (64, 112, 112)
    assert model_report(costs, sort="macs").table.total == model_report(costs).table.total


def test_the_top_rows_are_those_with_most_macs():
    costs = analysis("resnet18")
    macs = column(model_report(costs, by="layer"), "macs")
    report = model_report(costs, by="layer", top=5)
    assert column(report, "macs")[:5] == sorted(macs, reverse=True)[:5]
    assert column(report, "name")[5:] == [f"other ({len(macs) - 5})"]
    assert column(report, "output")[5] is None
    assert len(model_report(costs, by="layer", top=10_000).table.rows) == len(costs.graph)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "lyer"}, "by one of layer, block, stage, op"),
        ({"sort": "cost"}, "no column 'cost'"),
        ({"by": "op", "sort": "output"}, "no column 'output'"),
        ({"top": 0}, "at least 1"),
        ({"stored": Stored(0)}, "bits"),
        ({"stored": Stored(4, float("nan"))}, "sparsity"),
    ],
)
def test_what_cannot_be_reported(options, message):
    with pytest.raises(ReportError, match=message):
        model_report(analysis("lenet5"), **options)


def test_keys_are_unique_and_every_grouping_has_them():
    for by in GROUPINGS:
        keys = [column.key for column in columns(by)]
        assert len(set(keys)) == len(keys)
        assert set(SUMMED) <= set(keys)


def test_shapes_keep_the_batch_where_it_is_not_everywhere():
    graph = archcost.load("lenet5", batch=7)
    report = model_report(archcost.analyze(graph))
    assert column(report, "output")[0] == (6, 28, 28)
    assert "a batch of 7; shapes are written without it" in " ".join(report.table.notes)

    builder = GraphBuilder("two")
    first = builder.input("a", TensorType((2, 8)))
    second = builder.input("b", TensorType((3, 8)))
    (x,) = builder.add(Linear(out=4), [first], "x")
    (y,) = builder.add(Linear(out=4), [second], "y")
    report = model_report(archcost.analyze(builder.build({"x": x, "y": y})))
    assert column(report, "output") == [(2, 4), (3, 4)]
    assert "shapes are whole" in " ".join(report.table.notes)


def test_shared_parameters_are_counted_once_and_said_to_be():
    builder = GraphBuilder("tied")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    (y,) = builder.add(Conv(out=4, kernel=3, padding=1), [x], "a")
    own = dict(zip(("weight", "bias"), y.producer.parameters, strict=True))
    (z,) = builder.add(Conv(out=4, kernel=3, padding=1), [y], "b", share=own)
    report = model_report(archcost.analyze(builder.build({"z": z})))
    assert column(report, "params") == [148, 0]
    assert "share: 2" in report.table.notes[-1]
    assert len(model_report(analysis("lenet5")).table.notes) == len(report.table.notes) - 1


def test_forward_memory_follows_the_options():
    costs = analysis("resnet18")
    plain, lean = (model_report(costs, inplace=on, fold_norm=on).forward for on in (False, True))
    assert plain == costs.memory
    assert lean.peak < plain.peak
    assert model_report(costs, stored=Stored(5, 0.5, 4)).stored_bytes == costs.storage_bytes(
        5, sparsity=0.5, index_bits=4
    )


def detector():
    """A convolution, an operator that nobody knows, and an auxiliary head that nobody reads."""
    builder = GraphBuilder("detector")
    x = builder.input("x", TensorType((2, 4, 8, 8)))
    (table,) = builder.add(make("weight", shape=(1, 4, 8, 8)), [], "embed/table")
    (x,) = builder.add(make("sum"), [x, table], "embed/sum")
    (x,) = builder.add(Conv(out=4), [x], "body/conv")
    nms = make("opaque", name="torchvision::nms", types=(((2, 4, 8, 8), "fp32"),))
    (x,) = builder.add(nms, [x], "body/nms")
    (x,) = builder.add(nms, [x], "last/nms")
    unread = [Parameter(f"aux.{n}", (5, 2), "fp32", True, 10, 40) for n in range(4)]
    assumed = ["torchvision::nms keeps every box (at model.py:7)", "A mask is true."]
    return builder.build({"y": x}, {"assumptions": assumed}, unread)


def test_what_is_unknown_is_not_shown_as_nothing():
    costs = archcost.analyze(detector())
    report = model_report(costs, by="layer")
    for key in ("macs", "macs_share", "flops"):
        assert [cell is None for cell in column(report, key)] == [False] * 3 + [True] * 2
    assert None not in (*column(report, "activations"), *column(report, "traffic_bytes"))
    # A group that has others, too, has their numbers.
    report = model_report(costs, by="stage")
    assert column(report, "macs") == [0, 2 * 16 * 64, None]
    assert column(model_report(costs, top=1), "macs") == [2 * 16 * 64, 0]
    assert column(report, "macs", total=True) == costs.totals.macs
    assert "Not counted, as their work is not known (?): 2 x torchvision::nms." in (
        report.table.notes
    )


def test_the_total_has_what_no_row_has():
    report = model_report(archcost.analyze(detector()), by="stage")
    assert column(report, "params") == [4 * 64, 20, 0]
    assert column(report, "params", total=True) == report.analysis.totals.params == 276 + 40
    note = "Total includes what no layer reads: 40 parameters of 4 tensors (aux.0, aux.1, aux.2, "
    assert any(line.startswith(note) for line in report.table.notes)


def test_assumptions_are_notes():
    notes = model_report(archcost.analyze(detector())).table.notes
    assert notes[-2:] == (
        "Assumed: torchvision::nms keeps every box (at model.py:7).",
        "Assumed: A mask is true.",
    )


def test_the_shape_of_what_is_made_from_nothing_is_whole():
    report = model_report(archcost.analyze(detector()), by="layer")
    assert column(report, "output")[:2] == [(1, 4, 8, 8), (4, 8, 8)]
