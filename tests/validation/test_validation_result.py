"""What recorded passes come to beside estimates."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, median

import pytest
from recorded_passes import DEVICE, journal, judged

import archcost
from archcost.analysis import forward_memory, weight_bytes
from archcost.hardware.accuracy import found as found_accuracy
from archcost.hardware.estimate import estimate
from archcost.ir import ArchcostError
from archcost.validation.assembling import FITTED_KEY, assemble, validation
from archcost.validation.bars import BARS, Bar
from archcost.validation.journal import Journal, Key
from archcost.validation.judging import alike, judge, short_fingerprint
from archcost.validation.result import SIZES, size_of


def test_every_recorded_pass_is_judged() -> None:
    found = judged()
    assert not found.changed
    assert [one.row for one in found.judged] == sorted(journal().measured, key=lambda row: row.key)
    assert len(found.networks) == 12
    assert [row.skipped for row in found.missing] == ["time: 5.2 s a pass estimated, more than 5 s"]
    assert len(found.repeated) == 8


def test_a_pass_beside_its_estimate() -> None:
    for one in judged().judged:
        graph = archcost.load(one.model, batch=one.batch)
        expected = estimate(graph, DEVICE)
        assert one.estimated == expected.seconds
        assert one.latency.error == pytest.approx((one.estimated - one.measured) / one.measured)
        assert one.peak == expected.peak_memory
        assert one.live == forward_memory(graph).peak
        assert one.measured_peak >= one.live
        assert one.expected.parameters == weight_bytes(graph)
        assert one.row.fingerprint == short_fingerprint(graph)


def test_layers() -> None:
    for one in judged().judged:
        graph = archcost.load(one.model, batch=one.batch)
        groups = alike(graph)
        assert sorted(place for group in groups for place in group) == list(range(len(graph)))
        assert [part.layers for part in one.parts] == [len(group) for group in groups]
        assert sum(part.estimated for part in one.parts) == pytest.approx(one.estimated)
        whole = sum(part.measured for part in one.parts)
        assert one.between == pytest.approx(one.measured - whole)
        for name in ("layers", "measured", "estimated"):
            parts = sum(getattr(part, name) for part in one.parts)
            assert sum(getattr(kind, name) for kind in one.kinds.values()) == pytest.approx(parts)


def test_the_layers_responsible_go_in_the_direction_of_the_error() -> None:
    found = judged()
    for one in found.judged:
        for part in (one.culprit, one.culprit_kind):
            if part is not None:
                assert (part.difference > 0) == (one.estimated > one.measured)
                assert one.share(part) > 0
        if one.culprit is not None:
            same_way = [part for part in one.parts if one.share(part) > one.share(one.culprit)]
            assert not same_way
    assert sum(found.blame.values()) <= len(found.judged)


def test_errors_in_all_groups_are_of_the_same_passes() -> None:
    found = judged()
    signed = [one.latency.error for one in found.judged]
    total = found.latency()
    assert total is not None
    assert total.mean_absolute == pytest.approx(fmean(map(abs, signed)))
    for groups in (found.by_setting, found.by_size, found.by_family):
        assert sum(map(len, groups.values())) == len(signed)
        means = [found.latency(group).mean_absolute * len(group) for group in groups.values()]
        assert sum(means) / len(signed) == pytest.approx(total.mean_absolute)
    assert list(found.by_setting) == [("fp32", 1), ("fp32", 8)]
    assert sum(found.bins) == len(signed)


def test_size_classes() -> None:
    assert [size_of(limit) for limit, _ in SIZES] == [
        *(name for _, name in SIZES[1:]),
        ">= 1 s",
    ]
    assert size_of(0.0) == "< 1 ms"


def test_worst_cases() -> None:
    worst = judged().worst(5)
    largest = [abs(one.latency.error) for one in worst]
    assert largest == sorted(largest, reverse=True)
    assert len({one.model for one in worst}) == 5
    assert largest[0] == max(abs(one.latency.error) for one in judged().judged)


def test_noise() -> None:
    found = judged().noise
    ratios = [later.timing.median / first.timing.median for first, later in journal().repeated]
    assert found.again.signed == pytest.approx([ratio - 1 for ratio in ratios])
    assert found.estimate.count == found.again.count == 8
    assert found.spread == median(one.timing.spread for one in judged().judged)


def test_bytes_that_torch_showed() -> None:
    found = judged()
    for what in ("parameters", "activations"):
        agreement = found.agreement(what)
        assert (agreement.checked, agreement.equal) == (12, 12)
    assert all(0 < extra < 200_000 for _, extra in found.file_headers)
    assert len(found.file_headers) == 12


def test_bars() -> None:
    found = judged()
    assert [verdict.bar for verdict in found.verdicts] == [b for b in BARS if b.kind == "cpu"]
    batch_1 = found.latency([one for one in found.judged if one.batch == 1])
    mean, rank = found.verdicts[:2]
    assert mean.found == batch_1.mean_absolute
    assert rank.found == batch_1.spearman
    assert mean.met == (batch_1.mean_absolute < mean.bar.limit)
    assert rank.met == (batch_1.spearman > rank.bar.limit)
    gpu = validation(journal(), replace(DEVICE, kind="gpu"), found.judged)
    assert [verdict.found for verdict in gpu.verdicts[:-1]] == [None] * 4
    assert gpu.verdicts[-1].found == found.memory().median_absolute


def test_a_bar_of_nothing() -> None:
    assert Bar("cpu", "latency", "mean absolute error", 0.1, 64, "fp32").found([]) is None


def test_fitted_networks_are_not_held_out() -> None:
    device = replace(DEVICE, calibrated={FITTED_KEY: "lenet5 resnet18"})
    found = validation(journal(), device, list(assemble(journal(), device)))
    assert {one.model for one in found.judged if one.fitted} == {"lenet5", "resnet18"}
    assert len(found.held_out) == len(found.judged) - 4
    assert found.latency().count == len(found.held_out)


def test_accuracy_is_as_estimates_read_it() -> None:
    (found,) = found_accuracy({"accuracy": judged().accuracy}, "validation.json")
    total = judged().latency()
    assert (found.dtype, found.batches, found.networks, found.measurements) == (
        "fp32",
        (1, 8),
        12,
        24,
    )
    assert found.mean_absolute_error == total.mean_absolute
    assert found.rank_correlation == total.spearman


def test_a_network_that_has_changed_is_left_out() -> None:
    rows = {key: row for key, row in journal().rows.items() if key.model in ("lenet5", "alexnet")}
    for batch in (1, 8):
        key = Key("alexnet", "fp32", batch)
        rows[key] = replace(rows[key], fingerprint="0" * 16)
    gone = Key("no-such-network", "fp32", 1)
    rows[gone] = replace(rows[Key("lenet5", "fp32", 1)], key=gone)
    changed = Journal(journal().sessions, rows)
    found = validation(changed, DEVICE, list(assemble(changed, DEVICE)))
    assert found.changed == ("alexnet", "no-such-network")
    assert found.networks == ["lenet5"]


def test_layers_of_another_network_are_refused() -> None:
    row = journal().rows[Key("lenet5", "fp32", 1)]
    about = {"title": "LeNet-5", "family": "lenet"}
    graph = archcost.load("lenet5")
    with pytest.raises(ArchcostError, match="15 different layers|different layers, and times of 1"):
        judge(replace(row, layers=(1.0,)), graph, DEVICE, about)
    with pytest.raises(ArchcostError, match="has no time"):
        judge(replace(row, timing=None), graph, DEVICE, about)
    assert judge(replace(row, layers=None), graph, DEVICE, about).culprit is None


def test_nothing_measured() -> None:
    with pytest.raises(ArchcostError, match="nothing was measured"):
        validation(Journal(journal().sessions), DEVICE, [])
