"""The zoo's site: what the index says, and where its links lead."""

from __future__ import annotations

import multiprocessing
import os
import posixpath
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pytest
from command_line import call
from reading import data, harmless, parsed, rows

import archcost
from archcost.page import site
from archcost.page.folder import MANIFEST, written_folder
from archcost.page.shell import About
from archcost.page.site import site_files
from archcost.plot import bundle
from archcost.published.accuracies import published_accuracies
from archcost.sources.zoo import find, select

ABOUT = About("archcost zoo --format html", "1.2.3")


def written(entries, **options):
    """The files of the site of these networks, by default made without another process."""
    with TemporaryDirectory() as place:
        path = Path(place) / "zoo"
        with written_folder(path) as folder:
            site_files(entries, ABOUT, folder, **{"processes": 1, **options})
        return {
            file.relative_to(path).as_posix(): file.read_text(encoding="utf-8")
            for file in path.rglob("*")
            if file.is_file() and file.name != MANIFEST
        }


@pytest.fixture(scope="module")
def entries():
    return [find(name) for name in ("lenet5", "squeezenet", "squeezenet-1.1", "simplenet-310k")]


@pytest.fixture(scope="module")
def files(entries):
    return written(entries)


def test_there_is_a_page_for_each_network(files, entries):
    pages = [f"networks/{entry.name}.html" for entry in entries]
    assert sorted(files) == sorted([*pages, "index.html", "plotly.min.js"])
    assert files["plotly.min.js"] == bundle.script()
    for page in pages:
        assert len(files[page]) < 700_000
        assert bundle.packed_script() not in files[page]


def links(page):
    """Every URL in a page that is not one of its own places."""
    for element in parsed(page).every():
        for name in ("href", "src", "data-plotly"):
            value = element.attributes.get(name, "")
            if value and not value.startswith("#"):
                yield element, value


def test_every_link_leads_to_a_file_or_a_citation(files):
    for name, page in files.items():
        if name.endswith(".html"):
            for element, url in links(page):
                if url.startswith(("http:", "https:")):
                    assert name != "index.html"
                    assert element.attributes["rel"] == "noopener noreferrer"
                else:
                    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), url))
                    assert unquote(target) in files, url


def test_pages_lead_to_their_neighbours(files, entries):
    names = [entry.name for entry in entries]
    for place, name in enumerate(names):
        root = parsed(files[f"networks/{name}.html"])
        urls = {
            rel: [e.attributes["href"] for e in root.every("a", rel=rel)]
            for rel in ("up", "prev", "next")
        }
        assert urls == {
            "up": ["../index.html"],
            "prev": [f"{names[place - 1]}.html"] if place else [],
            "next": [f"{names[place + 1]}.html"] if place + 1 < len(names) else [],
        }


def test_the_index(files, entries):
    harmless_index(files["index.html"])
    table = parsed(files["index.html"]).one("table", id="networks-table")
    found = {row[1]: row for row in rows(table)}
    assert list(found) == [entry.name for entry in entries]
    assert found["squeezenet"][:5] == ["SqueezeNet", "squeezenet", "2016", "ImageNet", "3x227x227"]
    totals = archcost.analyze(archcost.load("squeezenet")).totals
    cells = table.every("tr")[2].children
    values = [cell.attributes.get("data-v") for cell in cells]
    assert values[5:7] == [str(totals.params), str(totals.macs)]
    assert values[10] == str(totals.peak_memory_bytes)
    best = max(a.percent_correct() for a in published_accuracies("simplenet-310k", "CIFAR-10"))
    assert float(table.every("tr")[4].children[8].attributes["data-v"]) == pytest.approx(best)
    for row in table.one("tbody").every("tr"):
        (link,) = row.every("a")
        assert link.attributes["href"] == f"networks/{row.children[1].text}.html"


def harmless_index(page):
    """As ``harmless``, but that links to pages beside it."""
    urls = [url for _, url in links(page)]
    for url in urls:
        page = page.replace(f'href="{url}"', 'href="#"').replace(f' data-plotly="{url}"', "")
    return harmless(page)


def test_a_point_of_a_figure_leads_to_its_page(files, entries):
    root = parsed(files["index.html"])
    targets = data(root, "targets")
    assert targets["SqueezeNet"] == "networks/squeezenet.html"
    assert len(targets) == len(entries)
    (place,) = root.every("div", **{"data-figure": "costs"})
    figure = data(root, "figure-costs")
    said = {
        text.split("\n")[0]
        for trace in figure["data"]
        if trace.get("meta") == "named"
        for text in trace["hovertext"]
    }
    assert said == set(targets)
    assert place.attributes["aria-label"]


def test_figures_of_accuracy(tmp_path):
    chosen = select(families=["vgg", "resnet", "alexnet", "googlenet"], datasets=["ImageNet"])
    analyses = {e.name: archcost.analyze(e.graph()) for e in chosen}
    links = {name: f"networks/{name}.html" for name in analyses}
    root = parsed(site.index_page(chosen, analyses, links, ABOUT, "plotly.min.js"))
    first = root.one("section", id="accuracy")
    (place,) = first.every("div", **{"data-figure": "accuracy-0"})
    assert "ImageNet" in place.attributes["aria-label"]
    labels = {
        label.split("\n")[0]
        for trace in data(root, "figure-accuracy-0")["data"]
        for label in trace.get("hovertext", ())
        if trace.get("meta") == "named"
    }
    assert labels
    assert labels <= set(data(root, "targets"))


def test_the_same_input_gives_the_same_files(files, entries):
    assert written(entries) == files
    assert written(entries, processes=2) == files


def test_without_plotly_there_are_no_figures(monkeypatch, entries):
    bundle.script.cache_clear()
    monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    said = []
    try:
        files = written(entries[:1], warn=said.append)
    finally:
        bundle.script.cache_clear()
    assert sorted(files) == ["index.html", "networks/lenet5.html"]
    assert any("pip install 'archcost[html]'" in text for text in said)
    assert "<div data-figure" not in files["index.html"]


def test_one_broken_network_does_not_hide_the_others(monkeypatch, entries):
    own = site.network_page

    def broken(job):
        return site.Made(job.name, error="no") if job.name == "squeezenet" else own(job)

    monkeypatch.setattr(site, "network_page", broken)
    said = []
    files = written(entries[:2], warn=said.append)
    assert said == ["squeezenet has no page: no"]
    table = rows(parsed(files["index.html"]).one("table", id="networks-table"))
    assert [row[1] for row in table] == ["lenet5", "squeezenet"]
    assert "networks/squeezenet.html" not in files["index.html"]


def killed(job):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
def test_a_process_that_is_ended_is_a_message(monkeypatch, entries):
    if multiprocessing.get_start_method() != "fork":
        pytest.skip("only a forked process has what this test changes")
    monkeypatch.setattr(site, "network_page", killed)
    with pytest.raises(site.PageError, match="out of memory"):
        written(entries, processes=2)


def test_an_interruption_ends_the_processes(tmp_path, entries):
    def interrupted(made, total):
        yield next(iter(made))
        raise KeyboardInterrupt

    others = multiprocessing.active_children()
    with pytest.raises(KeyboardInterrupt), written_folder(tmp_path / "zoo") as folder:
        site_files(entries, ABOUT, folder, processes=2, progress=interrupted)
    assert multiprocessing.active_children() == others
    assert list(tmp_path.iterdir()) == []


# --- the command ----------------------------------------------------------------------------------


def test_the_command(tmp_path):
    folder = tmp_path / "zoo"
    for _ in range(2):  # the second time over the first
        result = call(*f"zoo --format html --family lenet -o {folder}/".split())
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        pages = sorted(path.name for path in (folder / "networks").iterdir())
        assert pages == ["lenet1.html", "lenet4.html", "lenet5.html"]
    assert (folder / MANIFEST).is_file()
    assert f"{folder}" not in (folder / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_nothing(tmp_path, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("whoever runs the tests ignores the signal, and so will the command")
    program = [sys.executable, "-m", "archcost.cli", "zoo", "--format", "html", "-o", "zoo"]
    running = subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".archcost-*/site/networks/*")):  # where it has begun
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said.strip()) == (128 + number, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("zoo --format html", 2, "a site is a folder"),
        ("zoo --format html -o -", 2, "a site is a folder"),
        ("zoo --family lenet", 2, "a site is a folder"),
        ("zoo --format html -o {}.HTML", 2, "a site is a folder"),
        ("zoo --format csv -o zoo.csv", 2, "no 'csv'"),
        ("zoo --format html list", 2, "the options of archcost zoo list stand behind it"),
        ("zoo --family nothing --format html -o {}", 2, "no family"),
        ("zoo --year 1900 --format html -o {}", 1, "no network fits"),
    ],
)
def test_a_wrong_request(tmp_path, arguments, status, message):
    result = call(*arguments.format(tmp_path / "zoo").split())
    assert result.exit_code == status
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = call("zoo", "--format", "html", "--family", "lenet", "-o", str(tmp_path))
    assert result.exit_code == 2
    assert "was not written by archcost" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_zoo_alone_is_its_help():
    result = call("zoo")
    assert result.exit_code == 0
    assert "archcost zoo --format html -o zoo/" in result.stdout
