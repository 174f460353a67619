"""Networks side by side, in every format."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hostile import STRINGS, network
from rich.cells import cell_len
from rich.console import Console

import archcost
from archcost.analysis.comparison import QUANTITIES, ComparisonError
from archcost.cli.compare import COLUMNS as COLUMNS_OF_THE_CLI
from archcost.conventions import CONVENTIONS, convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.published.best import best_accuracies
from archcost.report import FORMATS, Column, Table, render
from archcost.report.compare import (
    COLUMNS,
    DEFAULT,
    column_of,
    compare_document,
    compare_report,
    compare_table,
)
from archcost.report.format import count, percent, times
from archcost.report.terminal import TableView
from archcost.sources.zoo import find

NAMES = ("simplenet", "vgg16", "resnet50", "mobilenet-v1", "lenet5")
ANALYSES = {name: archcost.analyze(archcost.load(name)) for name in NAMES}


def report(*names, **options):
    return compare_report({name: ANALYSES[name] for name in names or NAMES}, **options)


def table(*names, **options):
    return compare_table(report(*names, **options))


def column(table, key):
    index = [column.key for column in table.columns].index(key)
    return [row[index] for row in table.rows]


def notes(*names, **options):
    return " ".join(table(*names, **options).notes)


# --- what is shown --------------------------------------------------------------------------------


def test_every_quantity_can_be_shown():
    assert set(QUANTITIES) | {"accuracy"} == set(COLUMNS) == set(COLUMNS_OF_THE_CLI)
    made = table(columns=list(QUANTITIES))
    assert [c.key for c in made.columns] == ["name", *QUANTITIES]
    for format_ in FORMATS:
        assert "resnet50" in render(made, format_)


def test_a_row_a_network_in_their_order():
    made = table()
    assert column(made, "name") == list(NAMES)
    assert column(made, "params") == [a.totals.params for a in ANALYSES.values()]
    assert [c.key for c in made.columns] == ["name", *DEFAULT]


def test_columns_in_the_order_asked_for_whatever_their_spelling():
    made = table(columns=["Peak-Memory", " macs", "name", "storage:INT8", "params", "MACs"])
    assert [c.key for c in made.columns] == [
        *("name", "peak_memory_bytes", "macs", "storage_bytes_int8", "params")
    ]
    assert {c.rank for c in made.columns} == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["parms"]}, "no column 'parms'; did you mean 'params'?"),
        ({"columns": ["xyzzy"]}, "no column 'xyzzy'; there are: title, family"),
        ({"columns": ["accuracy"]}, "--accuracy CIFAR-10"),
        ({"sort": "dept"}, "did you mean 'depth'?"),
        ({"columns": ["depth", "title"], "pareto": True}, "the columns are: depth, title"),
        ({"columns": ["\x1b[31m"]}, r"no column '\x1b[31m'"),
    ],
)
def test_columns_that_there_are_not(options, message):
    with pytest.raises(ComparisonError) as raised:
        report(**options)
    assert message in str(raised.value)


def test_sort():
    assert column(table(sort="params"), "name")[0] == "vgg16"
    assert column(table(sort="params", reverse=True), "name")[0] == "lenet5"
    assert column(table(sort="name"), "name") == sorted(NAMES)
    assert column(table(sort="year", columns=["params"]), "name")[0] == "lenet5"
    assert column(table(reverse=True), "name") == list(reversed(NAMES))


def test_the_input_is_a_column_only_where_it_differs():
    assert "input" in [c.key for c in table().columns]
    same = table("vgg16", "resnet50")
    assert "input" not in [c.key for c in same.columns]
    assert "Input 1x3x224x224" in " ".join(same.notes)
    assert "input" in [c.key for c in table("vgg16", "resnet50", columns=["input"]).columns]
    assert "Counted at 3 different inputs" in notes()
    assert "different inputs" not in notes("vgg16", "resnet50")


def test_different_datasets_are_named():
    assert "Made for 3 different datasets: CIFAR-10, ImageNet, MNIST." in notes()
    assert "datasets" not in notes("vgg16", "resnet50")


# --- best, reference, front -----------------------------------------------------------------------


def test_best_are_marked_in_every_format():
    made = table("vgg16", "resnet50", columns=["params", "depth"])
    text = render(made, "table")
    assert "25.56 M*" in text
    assert "138.36 M*" not in text
    assert "50*" not in text
    assert "*: the best of its column." in text
    assert "**25,557,032**" in render(made, "markdown")
    assert "Bold: the best of its column." in render(made, "markdown")
    assert r"\textbf{25,557,032}" in render(made, "latex")
    assert "<strong>25,557,032</strong>" in render(made, "html")
    assert render(made, "csv").splitlines()[2] == "resnet50,25557032,50"
    assert "best of its column" not in render(table("vgg16"), "table")


def test_the_best_has_a_colour_where_there_are_some():
    for system, expected in (("standard", "\x1b[1;32m25.56 M*\x1b[0m"), (None, "25.56 M*")):
        file = io.StringIO()
        Console(file=file, force_terminal=True, color_system=system, width=80).print(
            TableView(table("vgg16", "resnet50", columns=["params"]))
        )
        assert expected in file.getvalue()
        assert ("\x1b[1;32m" in file.getvalue()) == (system is not None)


def test_digits_align_beside_marks():
    lines = render(table("vgg16", "resnet50", columns=["params", "macs"]), "table").splitlines()
    label, rows = lines[2], lines[4:6]
    assert {row.rstrip("* ").rfind("G") for row in rows} == {label.rfind("s")}


def test_a_reference_gives_ratios():
    made = table("simplenet", "vgg16", reference="vgg16")
    macs = column(made, "macs")
    assert column(made, "macs_ratio") == [macs[0] / macs[1], 1.0]
    assert "depth_ratio" not in [c.key for c in made.columns]
    assert "x: how many times vgg16's." in made.notes


def test_a_reference_in_words():
    params = [ANALYSES[name].totals.params for name in ("simplenet", "vgg16")]
    said = notes("simplenet", "vgg16", reference="vgg16", columns=["params", "depth"])
    factor = f"{params[1] / params[0]:.1f}"
    assert f"simplenet against vgg16: {factor} x fewer params." in said
    said = notes("simplenet", "vgg16", reference="simplenet", columns=["params", "peak_memory"])
    assert f"vgg16 against simplenet: {factor} x as many params, " in said
    assert "x as much peak memory." in said
    assert "against" not in notes("simplenet", columns=["params"], reference="simplenet")
    twins = {"one": ANALYSES["lenet5"], "two": ANALYSES["lenet5"]}
    made = compare_table(compare_report(twins, reference="one", columns=["macs"]))
    assert "two against one: as many MACs." in made.notes


def test_the_front_is_shown_and_the_rest_counted():
    made = report("simplenet", "vgg16", "lenet5", pareto=True, columns=["params", "macs"])
    assert [n.name for n in made.networks] == ["lenet5"]
    assert (made.dominated, made.incomplete) == (2, 0)
    kept = report("vgg16", "lenet5", pareto=True, reference="vgg16")
    assert [n.name for n in kept.networks] == ["vgg16", "lenet5"]
    assert "vgg16 is shown in any case." in compare_table(kept).notes
    assert report(pareto=True).dominated == 4


# --- conventions and accuracies -------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_counts_instead(name):
    by = convention(name)
    counts = {name: by.count(analysis.graph) for name, analysis in ANALYSES.items()}
    made = table(counts=counts)
    for quantity in by.quantities:
        assert column(made, quantity) == [c.numbers[quantity] for c in counts.values()]
    keys = {c.key for c in made.columns}
    assert {"depth", "peak_memory_bytes"} <= keys
    assert {"macs", "params", "flops", "activations"} & keys == {
        "macs",
        "params",
        "flops",
        "activations",
    } & {*by.quantities}
    assert f"by the convention {name}" in " ".join(made.notes)
    assert compare_document(report(counts=counts))["convention"] == name


def test_operators_that_are_not_known():
    builder = GraphBuilder("odd")
    x = builder.input("input", TensorType((1, 4)))
    (x,) = builder.add(make("opaque", name="other::op", types=(((1, 4), "fp32"),)), [x], "odd")
    analyses = {"odd": archcost.analyze(builder.build({"x": x})), "lenet5": ANALYSES["lenet5"]}
    made = compare_table(compare_report(analyses))
    assert column(made, "macs")[0] is None
    assert "The work of odd is not known (?), since that of operators is not: 1 x other::op." in (
        made.notes
    )
    # Only where a value is missing for it.
    made = compare_table(compare_report(analyses, columns=["params"]))
    assert not any("other::op" in note for note in made.notes)
    counts = {name: convention("exact").count(a.graph) for name, a in analyses.items()}
    (said,) = [n for n in compare_table(compare_report(analyses, counts=counts)).notes if "::" in n]
    assert said.startswith("The convention's numbers of odd are without operators that")


def test_what_a_convention_does_not_count_is_refused():
    counts = {name: convention("torch").count(a.graph) for name, a in ANALYSES.items()}
    with pytest.raises(ComparisonError, match="does not count macs; there are: .*flops"):
        report(counts=counts, columns=["macs"])


def with_accuracy(*names, dataset="ImageNet", top=1, **options):
    networks = {name: (find(name), ANALYSES[name].graph) for name in names}
    accuracies = best_accuracies(networks, dataset, top=top)
    return report(*names, dataset=dataset, top=top, accuracies=accuracies, **options)


def test_accuracies_are_a_column_with_their_source():
    made = with_accuracy("vgg16", "resnet50", "lenet5", columns=["params"])
    shown = compare_table(made)
    found = column(shown, "accuracy")
    assert found == [
        *(made.accuracies[name].percent_correct() for name in ("vgg16", "resnet50")),
        None,
    ]
    said = " ".join(shown.notes)
    assert "percent of ImageNet images with the first guess right" in said
    for accuracy in made.accuracies.values():
        assert accuracy.source in said
    assert percent(max(found[:2])) + "*" in render(shown, "table")


def test_of_a_few_networks_without_an_accuracy_the_family_s_are_named():
    made = with_accuracy("vgg16", "lenet5", rated={"lenet": ["lenet1", "lenet4"]})
    assert [note for note in compare_table(made).notes if "No such number" in note] == [
        "No such number of lenet5 as it is here; of its family there are those of lenet1, lenet4."
    ]
    many = compare_report({f"net{n}": ANALYSES["lenet5"] for n in range(5)}, dataset="ImageNet")
    assert not any("No such number" in note for note in compare_table(many).notes)


def test_top_5_is_said():
    made = with_accuracy("vgg16", "resnet50", top=5)
    assert "one of five guesses right (top-5)" in " ".join(compare_table(made).notes)


def test_accuracies_on_a_front_and_in_words():
    made = with_accuracy("vgg16", "resnet50", "lenet5", pareto=True, columns=["params"])
    assert [n.name for n in made.networks] == ["resnet50"]
    assert (made.dominated, made.incomplete) == (1, 1)
    made = with_accuracy("vgg16", "resnet50", reference="vgg16", columns=["accuracy"])
    points = made.networks[1].also["accuracy"] - made.networks[0].also["accuracy"]
    assert f"accuracy {percent(points)[:-2]} points higher" in " ".join(compare_table(made).notes)


# --- formats --------------------------------------------------------------------------------------


def test_json_is_raw():
    made = with_accuracy("vgg16", "resnet50", reference="vgg16")
    document = json.loads(json.dumps(compare_document(made)))
    assert list(document["columns"]) == [*DEFAULT, "accuracy"]
    assert document["reference"] == "vgg16"
    assert document["accuracy"] == {"dataset": "ImageNet", "top": 1}
    first, second = document["networks"]
    assert second["values"]["params"] == ANALYSES["resnet50"].totals.params
    assert second["values"]["input"] == [3, 224, 224]
    assert second["ratios"]["params"] == second["values"]["params"] / first["values"]["params"]
    assert {*first["best"]} | {*second["best"]} == {
        "params",
        "macs",
        "activations",
        "peak_memory_bytes",
        "accuracy",
    }
    assert second["accuracy"]["source"] == made.accuracies["resnet50"].source
    for key, about in document["columns"].items():
        assert about["label"] == column_of(QUANTITIES.get(key) or made.comparison.judged[-1]).label


def test_csv_has_every_number():
    rows = list(csv.DictReader(io.StringIO(render(table(reference="vgg16"), "csv"))))
    for row, (name, analysis) in zip(rows, ANALYSES.items(), strict=True):
        assert row["name"] == name
        assert int(row["macs"]) == analysis.totals.macs
        assert float(row["macs_ratio"]) == analysis.totals.macs / ANALYSES["vgg16"].totals.macs


@pytest.mark.parametrize("width", [20, 40, 80, 120, 160])
def test_it_fits(width):
    for made in (table(), table(reference="vgg16"), table(columns=list(QUANTITIES))):
        text = render(made, "table", width=width)
        assert max(map(len, text.splitlines())) <= width


def test_columns_that_were_asked_for_and_do_not_fit_are_named():
    text = " ".join(render(table(columns=list(QUANTITIES)), "table", width=80).split())
    assert "No room for: " in text
    assert text.endswith("Depth, Layers, Receptive field.")
    made = table(columns=["params", "macs", "activations", "peak_memory"], reference="vgg16")
    assert "No room for: x of MACs, x of Activations, x of Peak memory." in " ".join(
        render(made, "table", width=80).split()
    )
    assert "No room" not in render(table(), "table", width=80)


def test_a_ratio_comes_and_goes_with_its_column():
    for width in range(30, 160, 7):
        head = render(table(reference="vgg16"), "table", width=width).splitlines()[2].split("  ")
        labels = [label.strip() for label in head if label.strip()]
        if "Activations" in labels:
            assert labels[labels.index("Activations") + 1] == "x"


def test_names_are_cut_late_enough_to_differ():
    analyses = {f"resnet{n}-plain-of-cifar": ANALYSES["lenet5"] for n in (20, 32)}
    made = compare_table(compare_report(analyses, columns=["params", "macs", "flops", "depth"]))
    assert all(name in render(made, "table", width=80) for name in analyses)


@pytest.mark.parametrize("name", STRINGS)
def test_hostile_names(name):
    analyses = {STRINGS[name]: archcost.analyze(network(STRINGS[name]))} | {
        "lenet5": ANALYSES["lenet5"]
    }
    made = compare_report(analyses, reference=STRINGS[name], columns=["title", "params"])
    for format_ in FORMATS:
        text = render(compare_table(made), format_)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<script" not in text or format_ in ("table", "csv", "json", "latex")
    rows = list(csv.reader(io.StringIO(render(compare_table(made), "csv"))))
    assert not rows[1][0].startswith(("=", "+", "-", "@"))
    lines = render(compare_table(made), "table", width=80).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert max(map(len, compare_table(made).notes)) < 400
    json.dumps(compare_document(made))


def test_nothing_to_compare():
    made = compare_report({}, sort="params", pareto=True)
    assert made.networks == ()
    for format_ in FORMATS:
        render(compare_table(made), format_)
    assert compare_document(made)["networks"] == []


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00x"), (0.4666, "0.47x"), (0.0397, "0.040x"), (0.00012, "0.00012x"),
        (2.104, "2.10x"), (9.994, "9.99x"), (9.996, "10.0x"), (25.19, "25.2x"),
        (99.96, "100x"), (12345.6, "12,346x"), (0.0, "0.00x"), (0.09951, "0.10x"),
    ],
)  # fmt: skip
def test_times(value, text):
    assert times(value) == text


def test_percent_has_the_digits_that_were_printed():
    assert [percent(x) for x in (95.51, 95.4, 78.0, 99.79)] == [
        "95.51 %",
        "95.4 %",
        "78 %",
        "99.79 %",
    ]


def test_a_best_cell_is_marked_wherever_it_goes():
    made = Table(
        "",
        (Column("name", "Name", "text"), Column("n", "N", "count", best=3)),
        (("a", 3), ("b", 5), ("c", 3), ("d", None)),
    )
    assert render(made.sorted_by("n"), "table").count(f"{count(3)}*") == 2
    assert render(made.without(["name"]), "markdown").count("**3**") == 2
    assert "best" not in render(made.without(["n"]), "markdown")
