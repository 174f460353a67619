"""What is known of the errors of estimates: read from reports, found for a device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archcost.hardware import accuracy
from archcost.hardware.accuracy import Accuracy, AccuracyError, accuracies, collected, found
from archcost.hardware.costs import Costs
from archcost.hardware.device import Device

REPORTS = Path(__file__).parents[2] / "reports"
DEVICE = Device("that-gpu", "That GPU", "gpu", {"fp32": 1e12}, 1e11, 2**30, 5e-6, 10)
OTHER = Accuracy("other-gpu", "gpu", False, "fp32", (1,), 5, 5, 0.3, 0.4, 0.9, "somebody")
OWN = OTHER._replace(device="that-gpu", batches=(1, 8))
OWN_BF16 = OWN._replace(dtype="bf16")
CPU = OTHER._replace(device="cpu", kind="cpu")
CALIBRATED = OTHER._replace(device="own-gpu", calibrated=True)


def entry(one):
    fields = one._asdict()
    del fields["report"], fields["calibration"]
    return json.loads(json.dumps(fields))


def test_a_report_is_read():
    assert found({"accuracy": [entry(OWN)], "else": 1}, "x.json") == (
        OWN._replace(report="x.json"),
    )
    assert found({"accuracy": []}, "x.json") == ()


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"accuracy": {}},
        {"accuracy": [{}]},
        {"accuracy": [3]},
        {"accuracy": [{"batches": 1}]},
        {"accuracy": [{"batches": [1]}]},
        {"accuracy": [{**entry(OWN), "more": 1}]},
    ],
)
def test_a_report_that_says_nothing_is_refused(report):
    with pytest.raises(AccuracyError, match=r"^x\.json"):
        found(report, "x.json")


def test_what_is_nearest_to_a_device():
    everything = (OTHER, CPU, CALIBRATED)
    assert accuracies(DEVICE, "fp32", (*everything, OWN, OWN_BF16)) == (OWN,)
    assert accuracies(DEVICE, "bf16", (*everything, OWN, OWN_BF16)) == (OWN_BF16,)
    # No error is known in tf32: those in other dtypes are.
    assert accuracies(DEVICE, "tf32", (*everything, OWN, OWN_BF16)) == (OWN, OWN_BF16)
    assert accuracies(DEVICE, "fp32", everything) == (OTHER,)
    calibrated = replace(DEVICE, costs=Costs(()))
    assert accuracies(calibrated, "fp32", everything) == (CALIBRATED,)
    assert accuracies(DEVICE, "fp32", (CPU,)) == ()


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "accuracy.json"
    monkeypatch.setattr(accuracy, "PATH", path)
    for name, content in (("b", [entry(CPU)]), ("a", [entry(OWN)])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"accuracy": content}))
    (tmp_path / "none.json").write_text(json.dumps({"rows": []}))
    path.write_text(accuracy.document(collected(tmp_path.glob("*.json"))))
    accuracy.known.cache_clear()
    try:
        assert accuracy.known() == (OWN._replace(report="a.json"), CPU._replace(report="b.json"))
    finally:
        accuracy.known.cache_clear()


@pytest.mark.skipif(not REPORTS.is_dir(), reason="reports/ is not in an installed archcost")
def test_what_is_known_is_what_the_reports_say():
    assert accuracy.known() == collected(REPORTS.glob("*.json"))


def test_a_calibration_is_not_taken_for_another_of_the_same_name():
    how = {"date": "2026-01-01", "samples": 5000}
    report = {"accuracy": [entry(OWN._replace(calibrated=True))], "calibrated": how}
    (its,) = found(report, "x.json")
    calibrated = replace(DEVICE, costs=Costs(()), calibrated=how)
    again = replace(calibrated, calibrated={**how, "samples": 20})
    assert its.of(calibrated)
    assert not its.of(again)
    assert not its.of(DEVICE)
    assert accuracies(calibrated, "fp32", (CALIBRATED, its)) == (its,)
    assert accuracies(again, "fp32", (CALIBRATED, its)) == (CALIBRATED, its)
