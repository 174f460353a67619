"""The file of measurements: what is written is read, and an interrupted run goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.measure.records import Environment, Memory, Timing
from archcost.validation.journal import (
    SCHEMA,
    Held,
    JournalError,
    Key,
    Row,
    Session,
    append,
    begin,
    read,
)

HERE = Environment(
    device="A CPU",
    kind="cpu",
    memory_bytes=2**34,
    driver=None,
    cuda=None,
    cudnn=None,
    capability=None,
    cpu="A CPU",
    cores=2,
    system="Linux",
    python="3.11.7",
    torch="2.13.0",
    archcost="0.1.0",
    threads=2,
)
SESSION = Session(HERE, "a-cpu", "archcost validate", "2026-11-21T22:00:00+00:00", {"longest": 5})
ROW = Row(
    Key("lenet5", "fp32", 8),
    "0123456789abcdef",
    Timing(0.00123456, 0.0012, 0.0013, 0.0011, 0.002, 17, 10),
    Memory(allocator_bytes=1234, resident_bytes=5678),
    (1.5e-06, 0.000123, 0.0),
    Held(100, 200, 300),
    started="2026-11-21T22:01:00+00:00",
    took=0.5,
)

seconds = st.floats(1e-9, 1e4)


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    begin(path, SESSION)
    append(path, ROW)
    skipped = Row(Key("vgg16", "bf16", 64), skipped="memory: too much", started="now")
    append(path, skipped)
    journal = read(path)
    assert journal.sessions == [SESSION]
    assert ROW.timing is not None
    rounded = replace(ROW, timing=ROW.timing._replace(median=0.0012346))
    assert list(journal.rows.values()) == [rounded, skipped]
    assert journal.measured == [rounded]
    assert journal.missing == [skipped]


@given(st.tuples(seconds, seconds, seconds, seconds, seconds), st.lists(seconds), seconds)
def test_digits_that_are_kept(tmp_path_factory, times, layers, took) -> None:
    path = tmp_path_factory.mktemp("journal") / "v.jsonl"
    begin(path, SESSION)
    append(path, replace(ROW, timing=Timing(*times, 3, 1), layers=tuple(layers), took=took))
    (row,) = read(path).rows.values()
    assert row.timing is not None
    assert row.timing[:5] == pytest.approx(times, rel=6e-5)
    assert row.layers == pytest.approx(tuple(layers), rel=6e-3)
    assert row.took == pytest.approx(took, rel=6e-3)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    begin(path, SESSION)
    append(path, ROW)
    with path.open("ab") as file:
        file.write(b'{"model":"alexnet","dty')
    again = replace(SESSION, started="2026-11-22T08:00:00+00:00")
    journal = begin(path, again)
    assert [key.model for key in journal.rows] == ["lenet5"]
    assert journal.sessions == [SESSION, again]
    append(path, replace(ROW, key=Key("alexnet", "fp32", 8)))
    assert [key.model for key in read(path).rows] == ["lenet5", "alexnet"]
    assert b'"dty{' not in path.read_bytes()


def test_what_was_skipped_or_failed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    journal = begin(path, SESSION)
    append(path, Row(ROW.key, skipped="time: too long"))
    assert not read(path).has(ROW.key)
    append(path, Row(ROW.key, failure="out of memory"))
    assert not read(path).has(ROW.key)
    assert [row.failure for row in read(path).missing] == ["out of memory"]
    append(path, ROW)
    assert read(path).has(ROW.key)
    assert len(read(path).measured) == 1
    assert not journal.rows


def test_repeated_rows_stand_beside_the_first(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    begin(path, SESSION)
    append(path, ROW)
    append(path, replace(ROW, key=ROW.key._replace(round=1)))
    append(path, replace(ROW, key=Key("alexnet", "fp32", 8, 1)))  # whose first one is missing
    ((first, later),) = read(path).repeated
    assert (first.key.round, later.key.round) == (0, 1)


@pytest.mark.parametrize("name", ["device", "torch", "threads"])
def test_another_machine_needs_another_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "v.jsonl"
    begin(path, SESSION)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=f"measured with {name} .*another file"):
        begin(path, replace(SESSION, environment=replace(HERE, **{name: "another"})))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no measurements"),
        ("{}\n", "1: .*does not say how"),
        ("nonsense\n", "1: no line of"),
        (json.dumps({"schema": "archcost.measurement/1"}) + "\n", "1: .*its schema is"),
        (json.dumps({"schema": SCHEMA}) + "\n", "1: .*environment"),
        ("[]\n", "1: "),
    ],
)
def test_other_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(text)
    with pytest.raises(JournalError, match=message):
        read(path)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    begin(path, SESSION)
    append(path, ROW)
    with path.open("a") as file:
        file.write('{"model": "lenet5"}\n')
    with pytest.raises(JournalError, match="v.jsonl:3: no line of"):
        read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(JournalError, match="cannot write"):
        begin(tmp_path / "none" / "v.jsonl", SESSION)
