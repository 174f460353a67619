"""What is committed as a command's output is what it prints; `make docs` makes it anew."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import archcost
from archcost.cli.main import main
from archcost.conventions import CONVENTIONS, convention
from archcost.sources import zoo
from archcost.verify import COUNTERS, cross_check

TOP = Path(__file__).resolve().parents[1]
REPORTS = TOP / "reports"
DOCS = TOP / "docs"


@pytest.mark.skipif(not REPORTS.exists(), reason="the reports are not part of an installation")
@pytest.mark.parametrize(("name", "status"), [("zoo.md", {0}), ("published-tables.md", {0, 1})])
def test_reports(name: str, status: set[int]) -> None:
    header, _, body = (REPORTS / name).read_text(encoding="utf-8").partition("\n")
    command = header.removeprefix("<!-- made by: archcost ").removesuffix(" -->")
    printed = CliRunner().invoke(main, command.split())
    assert printed.exit_code in status
    assert body == printed.stdout


def cross_checked() -> dict[str, dict[str, str]]:
    """What reports/cross-check.md says of each network, by column."""
    text = (REPORTS / "cross-check.md").read_text(encoding="utf-8").partition("## Networks\n")[2]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    columns, _, *rows = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    columns[0], columns[-1] = columns[0][2:], columns[-1].removesuffix(" |")
    return {row[0][2:]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.skipif(not REPORTS.exists(), reason="the reports are not part of an installation")
def test_every_network_is_cross_checked_by_every_program() -> None:
    rows = cross_checked()
    assert list(rows) == archcost.zoo_names()
    columns = ["Layers", "Numbers", *COUNTERS, "What is not equal"]
    assert all(list(row) == columns for row in rows.values())


@pytest.mark.skipif(not REPORTS.exists(), reason="the reports are not part of an installation")
@pytest.mark.parametrize("family", sorted({entry.stem for entry in zoo.entries()}))
def test_cross_check(family: str) -> None:
    """The whole report takes minutes: here the cheapest network of each family."""
    pytest.importorskip("torch")
    graphs = [entry.graph() for entry in zoo.entries() if entry.stem == family]
    graph = min(graphs, key=lambda graph: archcost.analyze(graph).totals.macs)
    quick = len(graph) <= 30 and archcost.analyze(graph).totals.macs < 1e8
    (network,) = cross_check([graph], list(COUNTERS) if quick else ["exact", "mult-adds", "torch"])
    row = cross_checked()[graph.name]
    assert int(row["Layers"]) == len(graph)
    for check in network.checks:
        assert (row[check.convention] == "equal") == check.agrees, check


@pytest.mark.skipif(not DOCS.exists(), reason="the documents are not part of an installation")
@pytest.mark.parametrize(
    ("name", "part", "command"),
    [
        ("spec-language.md", "operators", "operators --format markdown"),
        ("conventions.md", "conventions", "conventions --format markdown"),
        ("published.md", "claims", "reproduce --claims --format markdown"),
    ],
)
def test_docs(name: str, part: str, command: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    shown = text.partition(f"<!-- {part}:begin -->")[2].partition(f"<!-- {part}:end -->")[0]
    printed = CliRunner().invoke(main, command.split())
    assert printed.exit_code == 0
    assert shown.strip() == printed.stdout.strip()


def pictures() -> dict[str, str]:
    """Each picture in docs/pictures with the command that its README says it is made by."""
    readme = DOCS / "pictures" / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    return dict(re.findall(r"^\| \[(.+)\]\(\1\) \| `archcost (.*)` \|$", text, re.MULTILINE))


@pytest.mark.parametrize(("name", "command"), pictures().items())
def test_pictures(name: str, command: str) -> None:
    """They say what they would say today; where things stand depends on a system's fonts."""
    printed = CliRunner().invoke(main, [*command.split(), "--format", "svg"])
    assert printed.exit_code == 0
    committed = (DOCS / "pictures" / name).read_text(encoding="utf-8")
    texts = [sorted(ElementTree.fromstring(svg).itertext()) for svg in (committed, printed.stdout)]
    assert texts[0] == texts[1]


@pytest.mark.skipif(not DOCS.exists(), reason="the documents are not part of an installation")
def test_every_picture_says_how_it_is_made() -> None:
    folder = DOCS / "pictures"
    assert {path.name for path in folder.glob("*.svg")} == set(pictures())
    shown = "".join(
        path.read_text(encoding="utf-8") for path in (TOP / "README.md", *DOCS.glob("*.md"))
    )
    names = set(re.findall(r"pictures/([\w-]+\.\w+)\)", shown))
    assert names <= {path.name for path in folder.iterdir()}


@pytest.mark.skipif(not DOCS.exists(), reason="the documents are not part of an installation")
def test_the_numbers_of_the_guide_to_conventions() -> None:
    text = (DOCS / "conventions.md").read_text(encoding="utf-8")
    introduction, example = text.partition("## ")[0], text.partition("```json")[2]
    for settings in ({}, {"stride_in": "3x3"}):
        graph = archcost.load("resnet50", settings=settings)
        counts = {name: convention(name).count(graph) for name in CONVENTIONS}
        for name in ("mult-adds", "fvcore", "ptflops", "torch"):
            giga = counts[name].main / 1e9
            assert f"{giga:.2f}" in introduction or f"{giga:.1f}" in introduction, name
        if not settings:
            netscope, fvcore = counts["netscope-2016"], counts["fvcore"]
            assert f'"macc": {netscope.numbers["macc"]}' in example
            assert f'"comp": {netscope.numbers["comp"]}' in example
            assert f'"macs": {fvcore.numbers["macs"]}' in example
            assert f'"amount": {fvcore.reasons[0].amount}' in example


@pytest.mark.skipif(not (TOP / "README.md").exists(), reason="not part of an installation")
def test_readme() -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- report:begin -->")[2].partition("<!-- report:end -->")[0]
    printed = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["report", "simplenet"])
    assert printed.exit_code == 0
    assert shown == f"\n```text\n{printed.stdout}```\n"


@pytest.mark.skipif(not (TOP / "README.md").exists(), reason="not part of an installation")
def test_the_reason_in_the_readme() -> None:
    """Why SimpleNet is cheaper than VGG-16."""
    text = " ".join((TOP / "README.md").read_text(encoding="utf-8").split())
    simplenet, vgg = (archcost.analyze(archcost.load(name)) for name in ("simplenet", "vgg16"))
    assert "Nearly nine tenths of VGG-16's parameters are in fully connected layers" in text
    layers = [row for row in vgg.layers if row.op == "linear"]
    assert 0.88 < sum(row.params for row in layers) / vgg.totals.params < 0.9
    assert "SimpleNet has one, the size of its ten classes" in text
    (layer,) = [row for row in simplenet.layers if row.op == "linear"]
    assert layer.outputs == ((1, 10),)
    for size, analysis in (("224x224", vgg), ("32x32", simplenet)):
        assert size in text.partition("## Start")[0]
        assert analysis.layers[0].outputs[0][2:] == tuple(map(int, size.split("x")))


@pytest.mark.skipif(not (TOP / "README.md").exists(), reason="not part of an installation")
def test_readme_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    spec = text.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "tinynet.yaml").write_text(spec, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(main, ["report", "tinynet.yaml"])
    assert f"$ archcost report tinynet.yaml\n{refused.stderr}```" in text
    mending = "parameters: {classes: 10, width: 16}"
    assert f"`{mending}` mends it" in text
    (tmp_path / "tinynet.yaml").write_text(
        spec.replace("parameters: {classes: 10}", mending), encoding="utf-8"
    )
    for options in ([], ["--set", "width=32"]):
        assert CliRunner().invoke(main, ["report", "tinynet.yaml", *options]).exit_code == 0
