"""What is said of the errors of estimates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from archcost.hardware.accuracy import Accuracy
from archcost.hardware.costs import Costs
from archcost.hardware.device import Device
from archcost.report.reliability import coefficients, errors, in_short

DEVICE = Device("a-gpu", "A GPU", "gpu", {"fp32": 1e12}, 1e11, 2**30, 5e-6, 10)
OWN = Accuracy("a-gpu", "gpu", False, "fp16", (8, 64), 7, 14, 0.112, 0.14, 0.98, "somebody")
OTHER = OWN._replace(device="b-gpu", median_absolute_error=0.3)
CALIBRATED = replace(DEVICE, costs=Costs(()), calibrated={"date": "2026-01-01"})


def test_where_coefficients_are_from():
    assert coefficients(DEVICE) == ("those of its class (GPU): it was not calibrated",)
    assert coefficients(CALIBRATED) == ("calibrated on this device", "date 2026-01-01")


def test_errors_in_another_dtype_or_at_other_batches_are_told_as_such():
    (said,) = errors(DEVICE, "fp16", 32, [OWN])
    assert said.startswith("on 7 networks measured by somebody (fp16, batch 8, 64)")
    for dtype, batch in (("fp16", 1), ("fp32", 8)):
        (said,) = errors(DEVICE, dtype, batch, [OWN])
        assert said.startswith(f"not known at batch {batch} in {dtype}; on 7 networks")


def test_a_new_calibration_says_that_nobody_compared_it():
    said = errors(CALIBRATED, "fp32", 1, [OWN._replace(calibrated=True)])
    assert said[0].startswith("not known for this calibration")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ((), "how far off such estimates are is not known"),
        ((OWN,), "the median error of such estimates in fp16 was 11.2 %"),
        ((OTHER,), "the median error of such estimates for others of its kind was 30.0 %"),
        ((OWN._replace(dtype="fp32"),), "the median error of such estimates was 11.2 %"),
    ],
)
def test_in_one_sentence(known, said):
    estimate = SimpleNamespace(device=DEVICE, dtype="fp32", accuracies=known)
    assert in_short(estimate) == f"a-gpu: coefficients of its class (GPU); {said}."
