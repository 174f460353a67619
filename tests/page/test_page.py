"""Pages: what they say, that it is what the other formats say, and that no name does harm."""

from __future__ import annotations

import json
import sys

import hostile
import pytest
from command_line import call, ok
from reading import data, harmless, parsed, rows

import archcost
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.page import About, figures, report_page, table_page
from archcost.page.figures import MOST_LAYERS, model_drawn
from archcost.page.network import Drawings
from archcost.page.views import MOST_ROWS, views
from archcost.plot import bundle
from archcost.published.about import published_about
from archcost.report import Column, Document, Section, Table, model_report, render
from archcost.report.format import exact, seconds, visible
from archcost.report.summary import facts

ABOUT = About("archcost report x --format html", "1.2.3")


@pytest.fixture(scope="module")
def report():
    return model_report(archcost.analyze(archcost.load("googlenet")), by="layer")


@pytest.fixture(scope="module")
def text(report):
    return report_page(report, ABOUT, published=published_about("googlenet"))


@pytest.fixture(scope="module")
def root(text):
    return harmless(text)


def test_the_totals_are_those_of_the_report(report, root):
    totals = report.analysis.totals
    cards = {
        card.children[0].text: card.children[2].text
        for card in root.every("li", **{"class": "card"})
    }
    assert cards["Parameters"] == exact(totals.params)
    assert cards["MACs"] == exact(totals.macs)
    assert cards["Activations"] == f"{exact(totals.activations)} elements"
    said = root.one("section", id="summary").text
    for label, items in facts(report):
        assert label in said
        assert all(item in said for item in items)


def test_the_layers_are_those_of_the_report(report, root):
    head, *body = rows_of_csv(report)
    shown = root.one("table", id="layers")
    keys = [th.attributes["data-key"] for th in shown.one("thead").every("th")]
    for cells, row in zip(rows(shown), body, strict=True):
        values = dict(zip(head, row, strict=True))
        shown_values = dict(zip(keys, cells, strict=True))
        assert shown_values["name"] == values["name"]
        assert shown_values["macs"].replace(",", "") == values["macs"]
        assert shown_values["params"].replace(",", "") == values["params"]


def rows_of_csv(report):
    import csv
    import io

    return list(csv.reader(io.StringIO(render(report, "csv"))))


def test_every_layer_is_in_a_row_of_each_view_once(report):
    layers = range(len(report.analysis.layers))
    for view in views(report):
        found = [place for row in view.grid.rows for place in spread(row.layers)]
        assert sorted(found) == list(layers), view.by


def test_boxes_stand_for_layers(report, root):
    boxes = data(root, "boxes")
    levels = {
        option.attributes["value"] for option in root.one("select", id="level").every("option")
    }
    assert levels == {
        drawing.attributes["data-level"] for drawing in root.every("div", **{"class": "drawing"})
    }
    for level in levels:
        own = {id_: box for id_, box in boxes.items() if id_.startswith(f"{level}-")}
        found = [place for box in own.values() for place in spread(box["layers"])]
        assert sorted(found) == list(range(len(report.analysis.layers))), level
        for id_, box in own.items():
            assert root.one("g", id=id_)
            if layers := [report.analysis.layers[place] for place in spread(box["layers"])]:
                said = " ".join(box["lines"])
                assert f"{exact(sum(row.macs for row in layers))} MACs" in said
                assert f"{exact(sum(row.params for row in layers))} params" in said


def spread(ranges):
    """``0-2,5`` -> 0, 1, 2, 5."""
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def test_ids_are_ids_of_one_element(root):
    ids = [e.attributes["id"] for e in root.every() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    named = {
        word
        for e in root.every()
        for key in ("aria-labelledby", "aria-describedby", "for", "data-for", "data-copy")
        for word in e.attributes.get(key, "").split()
    }
    named |= {e.attributes["href"][1:] for e in root.every("a") if e.attributes["href"][:1] == "#"}
    assert named <= set(ids)


def test_conventions_and_published_numbers(root):
    counted = {row[0]: row[2] for row in rows(root.one("table", id="conventions-table"))}
    document = json.loads(ok("conventions", "googlenet", "--format", "json"))
    for name, numbers in document["conventions"].items():
        assert int(counted[name].replace(",", "")) == next(iter(numbers.values()))
    sheet = json.loads(ok("zoo", "show", "googlenet", "--format", "json"))["published"]
    section = root.one("section", id="published")
    cells = [row for t in section.every("table") for row in rows(t)]
    assert len(cells) == len(sheet["costs"])
    assert f"{len(cells)} printed costs of it" in section.text
    assert root.one("ul", id="accuracies").every("li")


def test_the_source(root):
    links = {a.text: a.attributes["href"] for a in root.one("section", id="source").every("a")}
    assert links == {"arXiv:1409.4842": "https://arxiv.org/abs/1409.4842"}
    entry = root.one("pre", id="bibtex").text
    assert entry.startswith("@misc{szegedy")
    assert "eprint = {1409.4842}" in entry


def test_the_same_input_gives_the_same_bytes(report, text):
    again = model_report(archcost.analyze(archcost.load("googlenet")), by="layer")
    assert report_page(again, ABOUT, published=published_about("googlenet")) == text


def test_it_is_small(text):
    assert len(text.encode()) < 6_000_000


# --- other tables and documents -------------------------------------------------------------------


def test_a_table():
    columns = (Column("a", "A", "text"), Column("n", "N", "count"), Column("s", "S", "share"))
    table = Table("T", columns, (("x", 10, 0.5), ("y", None, None)), ("z", 10, 1.0), ("A note.",))
    root = harmless(table_page(table, ABOUT))
    assert root.one("h1").text == "T"
    assert rows(root.one("table")) == [["x", "10", "50.0 %"], ["y", "", ""]]
    assert [td.attributes.get("data-v") for td in root.one("tbody").every("td")] == [
        "10",
        "0.5",
        None,
        None,
    ]
    assert "A note." in root.one("main").text
    assert "archcost report x --format html" in root.one("code", id="command").text


def test_a_cell_that_leads_colours_its_row():
    columns = (
        Column("sign", "+-", "text", styles={"+": "bold green", "~": "yellow"}, leads=True),
        Column("name", "Name", "text"),
    )
    shown = parsed(table_page(Table("", columns, (("+", "a"), ("", "b"), ("~", "c")))))
    lines = shown.one("tbody").every("tr")
    assert [line.attributes.get("class") for line in lines] == ["green", None, "yellow"]


def test_a_document():
    column = Column("a", "A", "text")
    tables = [Table(f"T{n}", (column,), (("x",),)) for n in range(4)]
    root = harmless(table_page(Document("D", (Section("S", ("P `code` q.",)), *tables)), ABOUT))
    assert [h.text for h in root.every("h2")] == ["S", "T0", "T1", "T2", "T3"]
    assert [c.text for c in root.one("section", id="part-0").every("code")] == ["code"]
    assert len(root.one("details").every("a")) == 5


@pytest.mark.parametrize(
    "command",
    [
        "conventions",
        "conventions lenet5",
        "conventions --only thop",
        "operators pool",
        "reproduce lenet",
        "reproduce --claims",
        "reproduce lenet --summary",
        "zoo list --family lenet",
        "zoo show lenet5",
        "report lenet5 --by op --sort params",
        "report lenet5 --device v100 --sort estimated_seconds",
        "compare lenet5 simplenet alexnet --device v100",
    ],
)
def test_every_command_writes_pages(command, tmp_path):
    path = tmp_path / "page.html"
    result = call(*command.split(), "-o", str(path))
    assert result.exit_code in (0, 1), result.output
    page = path.read_text(encoding="utf-8")
    root = harmless(page)
    assert root.every("table") or root.every("p")
    assert root.one("code", id="command").text == f"archcost {command} --format html"
    assert str(tmp_path) not in page


def test_the_first_view_is_the_one_that_was_asked_for(tmp_path):
    for arguments, by in ((("--by", "stage"), "stage"), ((), "layer")):
        path = tmp_path / "x.html"
        ok("report", "lenet5", *arguments, "-o", str(path))
        chosen = parsed(path.read_text()).one("select", id="view").every("option", selected="")
        assert [option.attributes["value"] for option in chosen] == [by]


def test_top_and_sort_reach_the_page(tmp_path):
    path = tmp_path / "x.html"
    ok("report", "lenet5", "--top", "2", "-o", str(path))
    shown = rows(parsed(path.read_text()).one("table", id="layers"))
    assert len(shown) == 3
    assert shown[2][0].startswith("other (")


def test_a_network_with_settings_is_not_the_published_one(tmp_path):
    path = tmp_path / "x.html"
    for arguments, said in (((), False), (("--set", "classes=5"), True)):
        ok("report", "alexnet", *arguments, "-o", str(path))
        section = parsed(path.read_text()).one("section", id="published")
        assert ("without the settings of this page" in section.text) is said


def test_a_page_with_estimated_times(tmp_path):
    path = tmp_path / "x.html"
    ok("report", "lenet5", "--device", "v100", "--batch", "8", "-o", str(path))
    root = harmless(path.read_text())
    own = estimate(archcost.load("lenet5", batch=8), find("v100"))
    for id_ in ("layers", "by-block", "by-stage", "by-op"):
        table = root.one("table", id=id_)
        heads = table.every("th", scope="col")
        at = [head.attributes["data-key"] for head in heads].index("estimated_seconds")
        cells = [
            [c for c in row.children if c.tag in ("td", "th")][at]
            for row in table.one("tbody").every("tr")
        ]
        values = [float(cell.attributes["data-v"]) for cell in cells]
        assert sum(values) == pytest.approx(own.seconds, rel=1e-6)
    assert seconds(own.seconds) in root.one("section", id="summary").text
    drawn = {
        figure.attributes["data-figure"]
        for figure in root.every("div")
        if "data-figure" in figure.attributes
    }
    assert {"time", "intensity"} <= drawn


def test_points_of_a_comparison_have_rows(tmp_path):
    path = tmp_path / "x.html"
    ok("compare", "resnet34", "vgg16", "resnet50", "--accuracy", "ImageNet", "-o", str(path))
    root = harmless(path.read_text())
    picks = data(root, "picks")
    assert {row.attributes["data-name"] for row in root.one("tbody").every("tr")} == {
        *picks.values()
    }
    for key in ("accuracy", "costs"):
        traces = [t for t in data(root, f"figure-{key}")["data"] if t.get("meta") == "named"]
        called = {text.split("\n")[0] for trace in traces for text in trace["hovertext"]}
        assert called == {*picks}, key


# --- what is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize("plotly", [True, False])
def test_without_jinja2(monkeypatch, tmp_path, plotly):
    if not plotly:  # nothing is said of it where there is no page at all
        bundle.script.cache_clear()
        monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "markupsafe", None)
    from archcost.page import shell

    shell.template_environment.cache_clear()
    for command in ("report lenet5", "compare lenet5 lenet1", "zoo list --family lenet"):
        result = call(*command.split(), "-o", str(tmp_path / "x.html"))
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "pip install 'archcost[html]'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_without_plotly_a_page_has_no_figures(monkeypatch, tmp_path):
    bundle.script.cache_clear()
    monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    try:
        result = call("report", "lenet5", "-o", str(tmp_path / "x.html"))
    finally:
        bundle.script.cache_clear()
    assert result.exit_code == 0
    assert result.stderr.startswith("archcost: warning: the figures are left out")
    page = (tmp_path / "x.html").read_text()
    assert "pip install" in harmless(page).one("section", id="figures").text
    assert len(page) < 400_000


def test_without_graphviz_a_page_has_no_diagram(monkeypatch, tmp_path):
    from archcost.diagram import render as rendering

    def fail(*_arguments, **_options):
        raise rendering.RenderError("there is none: install it")

    monkeypatch.setattr(rendering, "_graphviz", fail)
    result = call("report", "lenet5", "-o", str(tmp_path / "x.html"))
    assert result.exit_code == 0
    assert "the diagram is left out: there is none: install it" in result.stderr
    root = harmless((tmp_path / "x.html").read_text())
    assert not root.every("svg")
    assert rows(root.one("table", id="layers"))


def test_figures_that_are_too_large_are_left_out(report, monkeypatch):
    every, problem = model_drawn(report.analysis, print)
    assert problem == ""
    monkeypatch.setattr(figures, "MOST_DATA", sum(len(drawn.data) for drawn in every) - 1)
    left_out = []
    kept, problem = model_drawn(report.analysis, left_out.append)
    assert kept == every[:-1]
    assert left_out == [f"too large for a page, and left out: {every[-1].title}"]
    assert problem == f"Too large for a page, and left out: {every[-1].title}."


# --- names that do harm ---------------------------------------------------------------------------


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without a diagram, which takes most of the time; tests/diagram proves its names."""
    none = Drawings([], "", "not drawn")
    monkeypatch.setattr("archcost.page.report.drawings", lambda analysis, warn: none)


@pytest.mark.parametrize("what", hostile.STRINGS)
def test_names_are_text(what, undrawn):
    name = hostile.STRINGS[what]
    page = report_page(hostile.report(name), About(f"archcost report {name}", "1"))
    assert hostile.harmless(page.replace("\t", " "))
    root = harmless(page)
    first = rows(root.one("table", id="layers"))[0][0]
    wanted = visible(name)
    if len(wanted) < 500:
        assert first == wanted.strip()
    else:
        assert len(first) <= 1100
    assert first[:100] == wanted.strip()[:100]
    for script in root.every("script", type="application/json"):
        json.loads(script.text)


def test_a_page_of_many_names():
    root = harmless(report_page(model_report(archcost.analyze(hostile.motley()), by="layer")))
    assert len(rows(root.one("table", id="layers"))) == len(hostile.motley().nodes)


@pytest.mark.parametrize("what", hostile.STRINGS)
def test_tables_and_documents_of_such_names(what):
    name = hostile.STRINGS[what]
    kinds = ("text", "sentences")
    columns = tuple(Column(name if kind == "text" else kind, name, kind) for kind in kinds)
    table = Table(name, columns, ((name, (name, name)),), (name, (name,)), (name,))
    for thing in (table, Document(name, (Section(name, (name,)), table))):
        page = table_page(thing, About(name, name))
        assert hostile.harmless(page)
        root = harmless(page)
        assert len(rows(root.one("table"))) == 1


@pytest.mark.parametrize("number_of_layers", [MOST_LAYERS + 1])
def test_very_many_layers(number_of_layers):
    from archcost.ir import GraphBuilder, TensorType
    from archcost.ir.ops import make

    builder = GraphBuilder("deep")
    x = builder.input("image", TensorType((1, 2, 4, 4)))
    for number in range(number_of_layers):
        (x,) = builder.add(make("conv", out=2, kernel=1), [x], f"stage{number % 7}/conv{number}")
    analysis = archcost.analyze(builder.build({"output": x}))
    left_out = []
    page = report_page(model_report(analysis, by="layer"), warn=left_out.append)
    assert bool(left_out) == (number_of_layers > MOST_LAYERS)
    assert len(page.encode()) < 6_000_000
    table = parsed(page).one("table", id="layers")
    assert len(rows(table)) == MOST_ROWS + 1
    said = parsed(page).one("div", id="views").text
    assert f"The 2,500 of {number_of_layers:,} with the most MACs" in said
