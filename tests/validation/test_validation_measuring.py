"""Measuring: everything is written down when it is done, and nothing is done twice."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

import archcost

pytest.importorskip("torch")

from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.measure.records import MeasureError
from archcost.targets.torch import GraphModule
from archcost.validation import measuring
from archcost.validation.journal import Key, begin, read
from archcost.validation.judging import alike, short_fingerprint
from archcost.validation.measuring import run, session
from archcost.validation.plan import Planned

KEYS = (
    Key("lenet5", "fp32", 1),
    Key("lenet5", "fp32", 2),
    Key("lenet1", "fp32", 1),
    Key("lenet5", "fp32", 2, 1),
)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MIN_RUN_TIME", 0.005)


def planned(*keys: Key) -> list[Planned]:
    return [Planned(key, 0.001, 10**6, 10**5) for key in keys]


def test_rows_as_they_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    journal = begin(path, session("cpu", "here", command="archcost validate", repeats=1))
    done = [one.key for one in run(path, journal, planned(*KEYS), archcost.load, "cpu")]
    assert done == list(KEYS)
    rows = read(path).rows
    assert list(rows) == list(KEYS) == list(journal.rows)
    for key, row in rows.items():
        graph = archcost.load(key.model, batch=key.batch)
        assert row.failure is None
        assert row.fingerprint == short_fingerprint(graph)
        assert row.timing is not None
        assert 0 < row.timing.min <= row.timing.q1 <= row.timing.median <= row.timing.q3
        assert row.memory is not None
        assert row.memory.allocator_bytes >= archcost.analysis.forward_memory(graph).peak
        if key.round:
            assert row.layers is None
        else:
            assert row.layers is not None
            assert len(row.layers) == len(alike(graph))
            whole = sum(
                seconds * len(group)
                for seconds, group in zip(row.layers, alike(graph), strict=True)
            )
            assert whole > 0
        assert (row.held is not None) == (key.batch == 1)  # once for a network and dtype
    (repeated,) = journal.repeated
    assert repeated[1].key.round == 1
    assert journal.sessions[-1].settings == {"repeats": 1}


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    first = begin(path, session("cpu", "here"))
    running = run(path, first, planned(*KEYS), archcost.load, "cpu")
    next(running)
    next(running)
    running.close()  # as an interrupt does
    before = read(path)
    assert list(before.rows) == list(KEYS[:2])

    again = begin(path, session("cpu", "here"))
    loaded: list[str] = []

    def load(name: str):
        loaded.append(name)
        return archcost.load(name)

    assert len(list(run(path, again, planned(*KEYS), load, "cpu"))) == len(KEYS)
    assert loaded == ["lenet1", "lenet5"]
    after = read(path)
    assert {key: after.rows[key] for key in before.rows} == before.rows
    assert len(after.sessions) == 2


def test_what_fails_is_said_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = measuring.check_finite

    def failing(outputs, graph):
        if graph.name == "lenet1":
            raise MeasureError("not finite", "3 numbers are not finite")
        check(outputs, graph)

    monkeypatch.setattr(measuring, "check_finite", failing)
    path = tmp_path / "v.jsonl"
    journal = begin(path, session("cpu", "here"))
    skipped = Planned(Key("vgg16", "fp32", 8), 60.0, 10**9, 10**8, "time: too long")
    keys = (Key("lenet1", "fp32", 1), Key("lenet1", "fp32", 2), Key("lenet5", "fp32", 1))
    list(run(path, journal, [skipped, *planned(*keys)], archcost.load, "cpu"))
    said = {row.key: row.skipped or row.failure for row in read(path).missing}
    assert said == {
        skipped.key: "time: too long",
        keys[0]: "3 numbers are not finite",
        keys[1]: "3 numbers are not finite",
    }
    assert [row.key for row in journal.measured] == [keys[2]]
    lines = path.read_text()
    list(run(path, journal, [skipped], archcost.load, "cpu"))
    assert path.read_text() == lines  # what is said already is not said again


def test_looking_at_the_outputs_is_no_part_of_the_peak(tmp_path: Path) -> None:
    builder = GraphBuilder("wide")  # whose output is nearly all that it holds
    value = builder.input("x", TensorType((64, 4)))
    (value,) = builder.add(make("linear", out=20_000), [value], "linear")
    graph = builder.build({"y": value})
    path = tmp_path / "v.jsonl"
    journal = begin(path, session("cpu", "here"))
    list(run(path, journal, planned(Key("wide", "fp32", 64)), lambda name: graph, "cpu"))
    (row,) = read(path).measured
    assert row.memory is not None
    assert row.memory.allocator_bytes == archcost.analysis.forward_memory(graph).peak


def test_a_network_that_failed_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[weakref.ref[GraphModule]] = []
    alive: list[bool] = []
    build = measuring.built_module

    def remembered(*arguments):
        module, inputs = build(*arguments)
        built.append(weakref.ref(module))
        return module, inputs

    def failing(outputs, graph):
        raise MeasureError("not finite", "3 numbers are not finite")

    def freeing():
        gc.collect()
        alive.extend(module() is not None for module in built)

    monkeypatch.setattr(measuring, "built_module", remembered)
    monkeypatch.setattr(measuring, "check_finite", failing)
    monkeypatch.setattr(measuring, "free", freeing)
    path = tmp_path / "v.jsonl"
    journal = begin(path, session("cpu", "here"))
    list(run(path, journal, planned(Key("lenet1", "fp32", 1)), archcost.load, "cpu"))
    assert alive == [False]


def test_a_dtype_that_a_cpu_lacks(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    journal = begin(path, session("cpu", "here"))
    list(run(path, journal, planned(Key("lenet5", "tf32", 1)), archcost.load, "cpu"))
    (row,) = read(path).missing
    assert row.failure is not None
    assert "tf32 is computed by CUDA devices alone" in row.failure


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="no device 'tpu'"):
        session("tpu", "here")
