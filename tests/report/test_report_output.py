"""A file is written wholly or not at all, and nothing is left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from archcost.ir import ArchcostError
from archcost.report import write_atomically
from archcost.report.output import OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path):
    target = tmp_path / "report.json"
    write_atomically(target, "one é\n")
    assert target.read_text(encoding="utf-8") == "one é\n"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask
    target.chmod(0o640)
    write_atomically(str(target), "two\n")
    assert target.read_text() == "two\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert names(tmp_path) == ["report.json"]


def test_a_link_is_followed(tmp_path):
    real = tmp_path / "real"
    real.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_the_longest_name_there_can_be(tmp_path):
    target = tmp_path / ("n" * 255)
    write_atomically(target, "text")
    assert target.read_text() == "text"


def test_a_device_is_written_to_not_replaced():
    write_atomically("/dev/null", "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("text")
    for target, reason in (
        (tmp_path, "it is a directory"),
        (tmp_path / "missing" / "x", "No such file or directory"),
        (tmp_path / "file" / "x", "Not a directory"),
        (tmp_path / ("n" * 300), "File name too long"),
        ("bad\0name", "null"),
    ):
        with pytest.raises(OutputError, match=reason) as caught:
            write_atomically(target, "text")
        assert isinstance(caught.value, ArchcostError)
        assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_nothing_is_left_when_it_fails(tmp_path, monkeypatch, step, error):
    target = tmp_path / "report.json"
    target.write_text("old")

    def fail(*_arguments):
        raise error

    if step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((OutputError, KeyboardInterrupt)) as caught:
        write_atomically(target, "new")
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["report.json"]
