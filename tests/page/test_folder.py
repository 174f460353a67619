"""A folder of files of ours: written as a whole, and without harm to others' files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from archcost.page.folder import MANIFEST, file_names, written_folder
from archcost.report import OutputError


def write(path, files):
    with written_folder(path) as folder:
        for name, content in files.items():
            folder.put(name, content)


def content(path):
    return {
        file.relative_to(path).as_posix(): file.read_text()
        for file in path.rglob("*")
        if file.is_file() and file.name != MANIFEST
    }


FIRST = {"index.html": "one", "a/x.html": "x", "a/y.html": "é"}
SECOND = {"index.html": "two", "a/x.html": "x2", "b/z.html": b"z"}


@pytest.fixture
def place(tmp_path):
    """Where a folder can be; beside it is nothing else, before and after."""
    yield tmp_path / "site"
    assert list(tmp_path.rglob(".archcost*")) == []


@pytest.mark.parametrize("there", [False, True])
def test_a_new_or_an_empty_folder(place, there):
    if there:
        place.mkdir()
    write(place, FIRST)
    assert content(place) == FIRST
    assert json.loads((place / MANIFEST).read_text())["files"] == sorted(FIRST)
    umask = os.umask(0)
    os.umask(umask)
    assert place.stat().st_mode & 0o777 == 0o777 & ~umask


def test_an_empty_folder_stays_the_same_one(place, monkeypatch):
    place.mkdir(0o750)
    monkeypatch.chdir(place)
    write(".", FIRST)
    assert content(Path()) == FIRST
    assert place.stat().st_mode & 0o777 == 0o750


def test_a_folder_is_written_anew(place):
    write(place, FIRST)
    (place / "mine.txt").write_text("mine")
    (place / "a" / "mine.html").write_text("mine")
    write(place, SECOND)
    mine = {"mine.txt": "mine", "a/mine.html": "mine"}
    assert content(place) == {"index.html": "two", "a/x.html": "x2", "b/z.html": "z", **mine}
    write(place, FIRST)
    assert content(place) == {**FIRST, **mine}


def test_files_of_others_are_not_replaced(place):
    write(place, FIRST)
    (place / "b").mkdir()
    (place / "b" / "z.html").write_text("mine")
    with pytest.raises(OutputError, match=r"has a file b/z\.html that was not written by archcost"):
        write(place, SECOND)
    assert content(place) == {**FIRST, "b/z.html": "mine"}


@pytest.mark.parametrize("name", ["notes.txt", MANIFEST])
def test_a_folder_of_others_is_refused(place, name):
    place.mkdir()
    (place / name).write_text("[1]")
    with pytest.raises(OutputError, match="was not written by archcost; choose another"):
        write(place, FIRST)
    assert os.listdir(place) == [name]  # noqa: PTH208


def test_a_manifest_leads_nowhere_else(place, tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    write(place, FIRST)
    (place / "deep" / "er").mkdir(parents=True)
    (place / "deep" / "er" / "mine").write_text("mine")
    names = [*FIRST, "../kept.txt", str(tmp_path / "kept.txt"), "deep/er/mine", ".hidden", "", 3]
    (place / MANIFEST).write_text(json.dumps({"files": [n for n in names if n != 3]}))
    (place / ".hidden").write_text("mine")
    write(place, SECOND)
    assert (tmp_path / "kept.txt").read_text() == "kept"
    assert content(place)["deep/er/mine"] == content(place)[".hidden"] == "mine"
    (place / MANIFEST).write_text(json.dumps({"files": names}))
    with pytest.raises(OutputError, match="not written by archcost"):
        write(place, SECOND)


def test_a_link_in_it_is_not_followed(place, tmp_path):
    write(place, FIRST)
    elsewhere = tmp_path / "elsewhere"
    (place / "a").rename(elsewhere)
    (place / "a").symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"a/x\.html would lead out of it"):
        write(place, FIRST)
    write(place, {"index.html": "two"})
    assert sorted(os.listdir(elsewhere)) == ["x.html", "y.html"]  # noqa: PTH208


def failing(path, error):
    with written_folder(path) as folder:
        folder.put("index.html", "new")
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError(), ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_everything_as_it_was(place, error):
    with pytest.raises(type(error)):
        failing(place, error)
    assert not place.exists()
    write(place, FIRST)
    with pytest.raises(type(error)):
        failing(place, error)
    assert content(place) == FIRST


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "a/b/c", ".x", "a/.x", "a\\b", "a b"])
def test_names_of_files(place, name):
    with pytest.raises(OutputError, match="no name of a file"):
        write(place, {name: ""})
    assert not place.exists()


def test_a_file_is_written_once(place):
    with written_folder(place) as folder:
        folder.put("x", "1")
        with pytest.raises(OutputError, match="exists"):
            folder.put("x", "2")


def test_files_that_others_write(place):
    with written_folder(place) as folder:
        folder.place("a/x.html").write_text("x")
        folder.place("a/y.html")  # which nobody writes
    assert content(place) == {"a/x.html": "x"}
    assert json.loads((place / MANIFEST).read_text())["files"] == ["a/x.html"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("file", "it is no folder"), ("no/where", "No such file"), ("a\0b", "null")],
)
def test_what_cannot_be_written(tmp_path, name, message):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=message):
        write(tmp_path / name, FIRST)
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", FIRST)
    assert content(tmp_path / "real") == FIRST
    assert (tmp_path / "link").is_symlink()


def test_file_names():
    names = ["resnet50", "ResNet50", "a/b", "a\\b", "../x", "", ".", "con", "NUL.x", "é", "x" * 999]
    found = file_names(names)
    assert found["resnet50"] == "resnet50"
    assert list(found) == names
    stems = [stem.casefold() for stem in found.values()]
    assert len(set(stems)) == len(names)
    for stem in stems:
        assert 0 < len(stem) <= 110
        assert stem.strip(".-_abcdefghijklmnopqrstuvwxyz0123456789") == ""
        assert stem.partition(".")[0] not in ("con", "nul", "")
    zoo = ["simplenet-310k", "densenet-bc-100-12", "inception_v3", "wrn-28-10"]
    assert file_names(zoo) == {name: name for name in zoo}
