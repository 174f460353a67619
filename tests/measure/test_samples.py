"""Samples: files of them, and repeated runs put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archcost.measure.samples import Sample, read, together
from archcost.sources.graph_json import from_json
from archcost.targets import to_json

LINES = (Path(__file__).parent / "data" / "calibration.jsonl").read_text().splitlines()[1:]


def test_recorded_samples_are_written_as_they_were_read():
    samples = list(read(LINES, from_json))
    assert len(samples) == 12
    for one, again in zip(samples, read([one.line() for one in samples], from_json), strict=True):
        assert again.seconds == one.seconds
        assert again.issue is None
        assert to_json(again.graph) == to_json(one.graph)


def test_times_of_a_host_are_kept():
    (first, *_) = read(LINES[:1], from_json)
    both = first._replace(issue=tuple(2e-6 for _ in first.seconds))
    (again,) = read([both.line()], from_json)
    assert again.issue == both.issue
    # An allocator of a GPU keeps its pages.
    assert all(one.traffic.fresh == 0 for one in again.kernels((2**20,)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.pop("graph"), "graph"),
        (lambda d: d.pop("seconds"), "seconds"),
        (lambda d: d["seconds"].pop(), "6 times of 7 operators"),
        (lambda d: d["seconds"].__setitem__(0, -1.0), "a time is negative, or none"),
        (lambda d: d["seconds"].__setitem__(0, float("nan")), "a time is negative, or none"),
        (lambda d: d.update(issue_seconds=[1e-6]), "1 times of 7 operators"),
        (lambda d: d["graph"].update(schema="x"), "schema"),
    ],
)
def test_what_is_no_sample_is_refused_by_its_line(spoil, message):
    data = json.loads(LINES[0])
    spoil(data)
    with pytest.raises(ValueError, match=rf"^line 2 is no sample: .*{message}"):
        list(read([LINES[1], json.dumps(data)], from_json))


@pytest.mark.parametrize("line", [LINES[0][:200], "[]", "7", "null", "nonsense"])
def test_a_torn_line_is_refused(line):
    with pytest.raises(ValueError, match=r"^line 9 is no sample"):
        list(read([line], from_json, first=9))


def test_the_shortest_of_repeats_counts():
    (one,) = read(LINES[:1], from_json)
    repeats = [one._replace(seconds=times) for times in ((1.0, 5.0), (2.0, 3.0), (4.0, 4.0))]
    assert together(repeats) == Sample(one.graph, (1.0, 3.0))
    issued = [each._replace(issue=(2.0, each.seconds[0])) for each in repeats]
    assert together(issued).issue == (2.0, 1.0)
