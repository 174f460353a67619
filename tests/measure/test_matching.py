"""Which measurements are of a network."""

from __future__ import annotations

import pytest
from measured import measurement

import archcost
from archcost.measure.matching import in_words, measurements_of, setup, setups_of

GRAPH = archcost.load("lenet5")


def test_only_the_same_graph_batch_and_dtype() -> None:
    records = [
        measurement(archcost.load("lenet5"), 0.001),
        measurement(archcost.load("lenet5", batch=2), 0.002),
        measurement(GRAPH.with_dtype("bf16"), 0.003),
        measurement(archcost.load("lenet5", settings={"classes": 7}), 0.004),
        measurement(GRAPH, failure="out of memory"),
    ]
    for index in range(3):
        graph = (GRAPH, GRAPH.with_batch(2), GRAPH.with_dtype("bf16"))[index]
        assert list(measurements_of(graph, records).values()) == [records[index]]
    assert measurements_of(archcost.load("simplenet"), records) == {}


def test_its_name_does_not_matter(tmp_path) -> None:
    text = "{name: NAME, input: [3, 8, 8], layers: [flatten, {linear: 5}]}"
    graphs = []
    for name in ("one", "other"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace("NAME", name))
        graphs.append(archcost.load(str(path)))
    record = measurement(graphs[0])
    assert list(measurements_of(graphs[1], [record]).values()) == [record]


def test_of_what_was_run_alike_the_last_counts() -> None:
    first, last = measurement(GRAPH, 0.001), measurement(GRAPH, 0.002)
    other = measurement(GRAPH, 0.003, threads=1)
    found = measurements_of(GRAPH, [first, other, last])
    assert found == {setup(last): last, setup(other): other}


def test_only_those_with_layers() -> None:
    plain = measurement(GRAPH)
    layered = measurement(GRAPH, layers=[0.001] * len(GRAPH.nodes), threads=1)
    assert list(measurements_of(GRAPH, [plain, layered], layers=True).values()) == [layered]


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        ([{}], [""]),
        ([{}, {"threads": 1}], ["2 threads", "1 thread"]),
        ([{}, {"channels_last": True}], ["", "channels last"]),
        ([{}, {"device": "cuda:0", "compiled": True}], ["cpu, 2 threads", "cuda:0, compiled"]),
    ],
)
def test_what_tells_ways_apart(ways: list[dict], told: list[str]) -> None:
    found = [measurements_of(GRAPH, [measurement(GRAPH, **way)]) for way in ways]
    assert list(setups_of(found).values()) == told


def test_a_way_in_words() -> None:
    assert (
        in_words(setup(measurement(GRAPH, channels_last=True))) == "cpu, 2 threads, channels last"
    )
    # How many threads of the processor start a GPU's kernels is no other way to run it.
    assert in_words(setup(measurement(GRAPH, device="cuda:0"))) == "cuda:0"
