"""The accuracies that the source texts print: well-formed, and of networks that the zoo has."""

from __future__ import annotations

import re

import pytest

from archcost.published.accuracies import (
    AUGMENTATIONS,
    METRICS,
    PublishedAccuracy,
    published_accuracies,
)
from archcost.sources import load
from archcost.sources.zoo import find

ACCURACIES = list(published_accuracies())
NETWORKS = sorted({(a.model, repr(a.settings)): a for a in ACCURACIES if a.model}.items())
# As the zoo writes them, and how many classes a network of each tells apart.
CLASSES = {"CIFAR-10": 10, "CIFAR-100": 100, "MNIST": 10, "SVHN": 10, "ImageNet": 1000, "JFT": None}


@pytest.mark.parametrize("accuracy", [a for _, a in NETWORKS], ids=lambda a: a.model)
def test_the_network_is_in_the_zoo_and_made_for_the_dataset(accuracy: PublishedAccuracy) -> None:
    assert accuracy.model is not None
    assert accuracy.model == find(accuracy.model).name, "the canonical name, not an alias"
    (scores,) = load(accuracy.model, settings=accuracy.settings).outputs
    assert scores.type.shape[-1] == CLASSES[accuracy.dataset]


def test_networks_of_one_name_and_settings_are_of_one_dataset() -> None:
    datasets: dict[tuple[str, str], set[str]] = {}
    for accuracy in ACCURACIES:
        if accuracy.model:
            key = (accuracy.model, repr(accuracy.settings))
            datasets.setdefault(key, set()).add(accuracy.dataset)
    assert [key for key, found in datasets.items() if len(found) > 1] == []


def test_entries_are_well_formed() -> None:
    for accuracy in ACCURACIES:
        assert accuracy.metric in METRICS, accuracy
        assert accuracy.dataset in CLASSES, accuracy
        assert accuracy.augmentation in (None, *AUGMENTATIONS), accuracy
        assert accuracy.unit in ("%", "images"), accuracy
        assert (accuracy.unit == "images") == (accuracy.of is not None), accuracy
        assert isinstance(accuracy.printed, str), accuracy
        assert re.fullmatch(r"\d+(\.\d+)?", accuracy.printed), accuracy
        assert len(accuracy.source) > 10, accuracy
        assert len(accuracy.place) > 10, accuracy
        assert 0 < accuracy.percent_correct() < 100, accuracy
        for text in (accuracy.spread, accuracy.params_printed, accuracy.table, accuracy.cell):
            assert text is None or isinstance(text, str), accuracy


def test_top5_is_above_top1() -> None:
    """Of the same row: whoever swaps two columns is found."""
    rows: dict[tuple[object, ...], dict[str, float]] = {}
    for a in ACCURACIES:
        if a.metric.startswith("top"):
            row = (a.source, a.table, a.place, a.printed_name, a.cell, a.training, a.views)
            rows.setdefault(row, {})[a.metric.split("_")[0]] = a.percent_correct()
    both = [row for row in rows.values() if len(row) == 2]
    assert len(both) > 30
    assert all(row["top1"] < row["top5"] for row in both)


@pytest.mark.parametrize(
    ("metric", "printed", "unit", "of", "expected"),
    [
        ("accuracy", "95.32", "%", None, 95.32),
        ("error", "0.21", "%", None, 99.79),
        ("top5_error", "3.08", "%", None, 96.92),
        ("error", "146", "images", 10_000, 98.54),
    ],
)
def test_percent_correct(
    metric: str, printed: str, unit: str, of: int | None, expected: float
) -> None:
    accuracy = PublishedAccuracy(
        "a network", "MNIST", metric, printed, "nowhere", "an example", unit=unit, of=of
    )
    assert accuracy.percent_correct() == expected


def test_filters() -> None:
    """By name or alias, by dataset however it is written; Table 2 of arXiv 1608.06037."""
    by_name = [a for a in published_accuracies("simplenet_dropout", "cifar10") if a.table]
    assert [(a.table, a.printed, a.augmentation) for a in by_name] == [
        ("Table 2", "94.75", "none"),
        ("Table 2", "95.32", "standard"),
    ]
    assert {a.model for a in published_accuracies("vgg-d")} == {"vgg16"}
    assert {a.dataset for a in published_accuracies(dataset="SVHN")} == {"SVHN"}
    assert list(published_accuracies("lenet5")) == []


def test_marks_keep_their_meaning() -> None:
    (dropconnect,) = (a for a in ACCURACIES if a.printed_name.endswith("DropConnect"))
    assert list(dropconnect.marks) == ["**"]
    assert "ensemble" in dropconnect.marks["**"]
