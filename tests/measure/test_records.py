"""Measurements as JSON Lines: written, read back, and files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from measured import measurement

import archcost
from archcost.measure.records import (
    FAILURES,
    Ceilings,
    Environment,
    Measurement,
    Memory,
    RecordError,
    append,
    as_dict,
    fingerprint,
    from_dict,
    read,
    schema,
)

ENVIRONMENT = Environment(
    *("NVIDIA A100", "gpu", 2**34, "550.1", "12.4", "90100", "8.0"),
    *("AMD EPYC", 8, "Linux", "3.11.7", "2.13.0", "0.1.0", 8),
    settings={"cudnn_benchmark": False},
    clocks={"sm_mhz": 1410.0, "performance_state": "P0"},
)


@pytest.fixture(scope="module")
def full() -> Measurement:
    graph = archcost.load("lenet5")
    return replace(
        measurement(graph, layers=[0.001] * len(graph)),
        environment=ENVIRONMENT,
        memory=Memory(10**9, 10**9 - 5, 2 * 10**9),
        ceilings=Ceilings("A100", 19.5e12, 1.555e12, True),
        build_seconds=0.5,
        measuring_seconds=1.1,
        passes_seconds=1.05,
        command="archcost measure lenet5 --layers",
    )


@pytest.fixture
def failure(full: Measurement) -> Measurement:
    return replace(
        full,
        timing=None,
        memory=None,
        layers=None,
        ceilings=None,
        environment=None,
        failure="no CUDA",
        failure_kind="device",
    )


def test_what_is_written_is_read(full: Measurement, failure: Measurement, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    for one in (full, failure, full):
        append(path, one)
    assert read(path) == [full, failure, full]
    assert len(path.read_text().splitlines()) == 3


def test_a_line_is_what_the_schema_says(full: Measurement, failure: Measurement) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    for one in (full, failure):
        jsonschema.validate(json.loads(json.dumps(as_dict(one))), schema())
    broken = as_dict(full) | {"seconds": {"median": "fast"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())


def test_the_schema_has_every_key_and_every_failure(full: Measurement) -> None:
    document, properties = as_dict(full), schema()["properties"]
    assert document.keys() == properties.keys()
    for key, value in document.items():
        inner = properties[key].get("properties", {})
        if inner and isinstance(value, dict):
            assert value.keys() == inner.keys(), key
    assert properties["failure"]["properties"]["kind"]["enum"] == list(FAILURES)


def test_rates_and_shares(full: Measurement) -> None:
    assert full.seconds == full.timing.median == 0.002
    assert full.throughput == 500
    assert full.flops_per_second == full.flops / 0.002
    assert full.flops_share == full.flops / 0.002 / 19.5e12
    assert full.timing.spread == pytest.approx(0.3)
    bare = replace(full, ceilings=Ceilings("unknown", None, None, False))
    assert bare.flops_share is bare.bytes_share is None


def test_the_fingerprint_is_the_graphs_in_its_batch_and_dtype() -> None:
    graph = archcost.load("lenet5")
    assert fingerprint(graph) == fingerprint(archcost.load("lenet-5"))
    others = (graph.with_batch(2), graph.with_dtype("bf16"), archcost.load("alexnet"))
    assert len({fingerprint(one) for one in (graph, *others)}) == 4


def test_an_unfinished_line_is_cut_off(full: Measurement, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    append(path, full)
    whole = path.read_bytes()
    for end in (len(whole) - 2, len(whole) // 2, 30, 1):
        path.write_bytes(whole + whole[:end])
        assert read(path) == [full]
        append(path, full)
        assert path.read_bytes() == whole * 2


def test_a_line_that_lacks_nothing_but_its_end(full: Measurement, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    append(path, full)
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip())
    assert read(path) == [full]
    append(path, full)
    assert path.read_bytes() == whole * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello", "line 1: no JSON"),
        ("name: net\nlayers: []\n", "line 1: no JSON"),
        ('{"schema": "archcost.report/1"}\n', "its schema is 'archcost.report/1'"),
        ('{"schema": "archcost.measurement/1"}\n', "a measurement without 'failure'"),
        ("[1]\n", "line 1: no measurement"),
        ("[" * 100_000 + "\n", "line 1: no JSON"),
    ],
    ids=range(6),
)
def test_another_file(content: str, message: str, tmp_path: Path, full: Measurement) -> None:
    path = tmp_path / "other"
    path.write_text(content)
    with pytest.raises(RecordError, match=message):
        read(path)
    if not content.endswith("\n"):
        with pytest.raises(RecordError, match="something else"):
            append(path, full)
        assert path.read_text() == content


@pytest.mark.parametrize(
    "change",
    [
        {"params": -1},
        {"macs": "many"},
        {"seconds": {"median": 0, "q1": 1, "q3": 1, "min": 1, "max": 1, "runs": 1, "passes": 1}},
        {"seconds": [1, 2]},
        {"layers": 3},
        {"inputs": [["a"]]},
        {"environment": {}},
        {"settings": None},
    ],
    ids=str,
)
def test_values_of_other_types(change: dict[str, object], full: Measurement) -> None:
    with pytest.raises(RecordError):
        from_dict(json.loads(json.dumps(as_dict(full))) | change)


def test_files_that_cannot_be_used(tmp_path: Path, full: Measurement) -> None:
    with pytest.raises(RecordError, match="No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(RecordError, match="cannot write"):
        append(tmp_path, full)


def test_reading_needs_no_torch() -> None:
    code = "import sys; from archcost.measure.records import read; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
