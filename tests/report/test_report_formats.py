"""Every format says the same, and none lets a hostile name do anything."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from html.parser import HTMLParser

import jsonschema
import pytest
from rich.console import Console
from schemas import strict

import archcost
from archcost.ir import GraphBuilder, Parameter, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.convolution import Conv
from archcost.ir.types import WORK_KINDS
from archcost.report import FORMATS, Column, Stored, Table, display, model_report, render
from archcost.report import html as html_format
from archcost.report import json as json_format
from archcost.report.format import exact, share
from archcost.report.terminal import ReportView

NETWORKS = ("simplenet", "lenet5", "googlenet-training", "squeezenet", "resnet56", "mobilenet-v1")


def report(name="simplenet", **options):
    return model_report(archcost.analyze(archcost.load(name)), **options)


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("by", ["layer", "block", "stage", "op"])
def test_json_is_what_its_schema_says(name, by):
    schema = json_format.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    made = report(name, by=by, top=4, stored=Stored(5, 0.9, 4))
    text = render(made, "json", version="1.2.3")
    document = json.loads(text)
    jsonschema.validate(document, strict(schema))
    assert text.endswith("}\n")
    assert text.isascii()
    assert list(document) == [
        "schema",
        "archcost",
        "model",
        "totals",
        "memory",
        "stored",
        "groups",
        "layers",
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_json_adds_up(name):
    document = json.loads(render(report(name), "json"))
    layers, totals = document["layers"], document["totals"]
    for key in ("params", "buffers", "macs", "flops", "activations", "traffic_bytes"):
        assert sum(layer[key] for layer in layers) == totals[key]
        assert sum(row[key] for row in document["groups"]["rows"]) == totals[key]
        assert type(totals[key]) is int
    for kind in WORK_KINDS:
        assert sum(layer["work"][kind] for layer in layers) == totals["work"][kind]
    others = sum(totals["work"].values()) - totals["work"]["mac"]
    assert totals["flops"] == 2 * totals["macs"] + others
    assert totals["storage_bytes"]["fp32"] == 4 * (totals["params"] + totals["buffers"])
    forward = document["memory"]["forward"]
    assert totals["peak_memory_bytes"] == forward["peak_bytes"]
    assert forward["peak_bytes"] == forward["weights_bytes"] + forward["activations_bytes"]
    for step in document["memory"]["training"].values():
        parts = ("weights_bytes", "gradients_bytes", "optimizer_bytes", "activations_bytes")
        assert step["peak_bytes"] == sum(step[part] for part in parts)
    last = next(layer for layer in reversed(layers) if layer["receptive_field"])
    assert last["receptive_field"]["size"] == totals["receptive_field"]


def test_json_is_the_network_it_says():
    graph = archcost.load("simplenet", batch=3, dtype="bf16", settings={"classes": 7})
    made = model_report(archcost.analyze(graph), inplace=True)
    model = json.loads(render(made, "json"))["model"]
    assert model["inputs"] == [[3, 3, 32, 32]]
    assert model["outputs"] == {"output": [3, 7]}
    assert (model["batch"], model["dtype"], model["parameters"]["classes"]) == (3, "bf16", 7)
    assert model["source"]["arxiv"] == "1608.06037"
    memory = json.loads(render(made, "json"))["memory"]["forward"]
    assert memory["inplace"] is True
    assert memory["fold_norm"] is False


# --- the same numbers everywhere ------------------------------------------------------------------


def cells_of_markdown(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[unescaped(cell.strip()) for cell in row] for row in split if "---" not in row[0]]


def unescaped(text):
    return html.unescape(re.sub(r"\\([^\w\s])", r"\1", text))


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows, self.tags = [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and self.lasttag in ("td", "th") and data != "\n":
            self.rows[-1][-1] += data


def cells_of_latex(text):
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r"\\")]
    return [[cell.replace(r"\_", "_") for cell in row.split(" & ")] for row in rows]


def cells_of_html(text):
    parser = Cells()
    parser.feed(text)
    return parser.rows


@pytest.mark.parametrize("by", ["block", "op", "layer"])
@pytest.mark.parametrize("name", ["simplenet", "resnet18"])
def test_all_formats_have_the_same_numbers(name, by):
    made = report(name, by=by)
    table = made.table
    keys = [column.key for column in table.columns]
    data = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert list(data[0]) == keys
    assert [int(row["macs"]) for row in data] == [row[keys.index("macs")] for row in table.rows]
    for row, raw in zip(data, table.rows, strict=True):
        for column, value in zip(table.columns, raw, strict=True):
            if column.kind in ("count", "bytes", "integer"):
                assert int(row[column.key]) == value
            elif column.kind == "share":
                assert float(row[column.key]) == value
            elif column.kind == "shape":
                assert row[column.key] == "x".join(map(str, value))
            else:
                assert row[column.key] == value

    documents = {
        "markdown": cells_of_markdown(render(made, "markdown")),
        "latex": cells_of_latex(render(made, "latex")),
        "html": cells_of_html(html_format.report_text(made)),
    }
    for rows in documents.values():
        header, *body, total = rows
        params, macs = header.index("Params"), header.index("MACs")
        assert [row[0] for row in body] == [row["name"] for row in data]
        assert [row[params] for row in body] == [exact(int(row["params"])) for row in data]
        assert [row[macs] for row in body] == [exact(int(row["macs"])) for row in data]
        assert total[macs] == exact(made.analysis.totals.macs)


def partly_known():
    """A known layer, two of an operator that is not, and parameters that nobody reads."""
    builder = GraphBuilder("detector")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    (x,) = builder.add(Conv(out=4, kernel=1), [x], "conv")
    nms = make("opaque", name="torchvision::nms", types=(((1, 4, 8, 8), "fp32"),))
    for name in ("first", "second"):
        (x,) = builder.add(nms, [x], name)
    unread = [Parameter("aux.weight", (30, 100), "fp32", True, 3000, 12000)]
    graph = builder.build({"y": x}, {"assumptions": ["every box is kept"]}, unread)
    return archcost.analyze(graph)


@pytest.mark.parametrize("style", ["table", "markdown", "latex", "html"])
def test_every_format_for_people_names_what_is_not_counted(style):
    made = model_report(partly_known())
    shown = html_format.report_text(made) if style == "html" else render(made, style)
    shown = " ".join(unescaped(shown).replace("{}", "").split())
    assert "2 x torchvision::nms" in shown
    assert "3.00 k parameters of 1 tensor (aux.weight)" in shown
    assert "Assumed: every box is kept." in shown
    if style != "latex":  # which has the table alone
        assert "Not counted" in shown
        assert "Never read" in shown
        assert len(re.findall(r"(?<![(\w])\?(?!\))", shown)) == 2 * (3 if style == "table" else 2)


def test_data_formats_tell_what_is_not_known_from_nothing():
    made = model_report(partly_known())
    document = json.loads(render(made, "json", version="1.2.3"))
    jsonschema.validate(document, strict(json_format.schema()))
    assert document["totals"]["unknown"] == {"torchvision::nms": 2}
    assert document["totals"]["unread"] == {"params": 3000, "buffers": 0, "tensors": ["aux.weight"]}
    assert document["model"]["assumptions"] == ["every box is kept"]
    assert [layer["known"] for layer in document["layers"]] == [True, False, False]
    assert [layer["op"] for layer in document["layers"]][1:] == ["torchvision::nms"] * 2
    assert [row["macs"] for row in document["groups"]["rows"]] == [1024, None, None]
    assert document["totals"]["receptive_field"] == []
    rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert [row["flops"] for row in rows] == ["2304", "", ""]


# --- terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("name", archcost.zoo_names())
def test_a_report_fits_its_terminal(name, width):
    made = report(name)
    lines = render(made, "table", width=width).splitlines()
    assert max(map(len, lines)) <= width
    rules = [index for index, line in enumerate(lines) if line.startswith("──")]
    body = lines[rules[0] + 1 : rules[1]]
    assert len(body) == len(made.table.rows)
    # Nothing is cut: names, shapes and numbers of the default report are there in full.
    for line, row in zip(body, made.table.rows, strict=True):
        assert line.startswith(row[0])
        assert "…" not in line
        assert re.search(r"  \d[\dx]*  .* %  +[\d.]+( [kMG])?", line)
    total = lines[rules[1] + 1]
    assert total.startswith("Total")


@pytest.mark.parametrize("name", ["googlenet", "resnet50"])
def test_layers_fit_too_and_lose_only_letters(name):
    made = report(name, by="layer")
    for width in (40, 60, 80):
        lines = render(made, "table", width=width).splitlines()
        assert max(map(len, lines)) <= width
        cut = [line for line in lines if "…" in line]
        assert all("…" in line.split()[0] for line in cut)
        if width == 80:
            assert not cut


def test_every_number_of_the_report_is_there():
    text = render(report(), "table", width=200)
    for said in (
        "5,493,258 (5.49 M)",
        "652,151,296 (652.15 M)",
        "1,306,917,690 (1.31 G)",
        "1,924,372 elements",
        "23.05 MB (21.98 MiB)",
        "21.99 MB",
        "116x116",
        "14 layers",
        "classes=10",
        "arXiv:1608.06037",
        "FLOPs/byte",
    ):
        assert said in text


def test_colours_are_for_terminals(monkeypatch):
    def printed(**environment):
        for key in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(key, raising=False)
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        file = io.StringIO()
        Console(file=file, width=80, force_terminal=True, color_system="standard").print(
            ReportView(report())
        )
        return file.getvalue()

    assert "\x1b[36m" in printed()
    assert "\x1b[36m" not in printed(NO_COLOR="1")
    assert "\x1b" not in render(report(), "table")


def test_a_terminal_without_unicode_gets_ascii():
    class Latin(io.StringIO):
        encoding = "iso-8859-1"

    file = Latin()
    Console(file=file, width=60).print(ReportView(report("googlenet", by="layer")))
    assert file.getvalue().isascii()


# --- plain tables ---------------------------------------------------------------------------------

TABLE = Table(
    "Some things",
    (
        Column("name", "Name", "text"),
        Column("year", "Year", "year"),
        Column("size", "Size", "shape"),
        Column("params", "Params", "count"),
        Column("part", "Part", "share"),
        Column("extra", "Extra", "bytes", 5),
    ),
    (("one", 2016, (3, 2), 999_999, 0.25, 1500), ("two", None, None, None, None, None)),
    notes=("A note.",),
)


@pytest.mark.parametrize("style", FORMATS)
def test_a_table_can_lack_values_and_a_total(style):
    text = render(TABLE, style)
    assert text.endswith("\n")
    assert "two" in text
    assert "None" not in text
    assert "2016" in text
    assert "2,016" not in text


def test_documents_leave_out_the_lesser_columns():
    assert "1,500" not in render(TABLE, "markdown")
    assert "Extra" not in html_format.table_text(TABLE)
    assert ",1500" in render(TABLE, "csv")
    assert json.loads(render(TABLE, "json"))[0]["extra"] == 1500


def test_json_writes_no_number_that_json_lacks():
    assert json.loads(json_format.dump({"x": float("inf"), "y": (1, 2.5)})) == {
        "x": "inf",
        "y": [1, 2.5],
    }


def test_an_analysis_shows_itself():
    costs = archcost.analyze(archcost.load("lenet5"))
    assert display.html(costs).startswith("<div>")
    file = io.StringIO()
    Console(file=file, width=80).print(display.rich(costs))
    assert "LeNet-5" in file.getvalue()


def test_shares_are_words_for_people():
    assert share(0.00001) == "< 0.1 %"
    assert share(0.0) == "0.0 %"
    assert share(1.0) == "100.0 %"


def test_shares_above_all_or_below_nothing_are_read_whole():
    """They have no bar, which would end where the line does; others of the table have theirs."""
    columns = (Column("a", "Error", "share"), Column("b", "Spread", "share"))
    table = Table("Errors", columns, ((-1.0, 0.5), (3.379, 0.25), (None, None)))
    text = render(table, "table")
    assert "-100.0 %" in text
    assert "337.9 %" in text
    assert re.search("█ +50.0 %", text)
    assert max(map(len, text.splitlines())) <= 80
