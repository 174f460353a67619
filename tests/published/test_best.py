"""Best published accuracies: the highest of those that speak of the network as it is compared."""

from __future__ import annotations

import pytest

import archcost
from archcost.published.accuracies import published_accuracies
from archcost.published.best import best_accuracies, rated_families
from archcost.published.files import PublishedError
from archcost.sources.zoo import entries, find


def best(name, dataset, top=1, **options):
    networks = {"it": (find(name), archcost.load(name, **options))}
    found = best_accuracies(networks, dataset, top=top)
    return found.get("it")


def kinds(top):
    return (
        ("top5_accuracy", "top5_error")
        if top == 5
        else ("accuracy", "error", "top1_accuracy", "top1_error")
    )


def own(name):
    """The settings that a network has by itself."""
    return find(name).graph().metadata["parameters"]


@pytest.mark.parametrize(
    ("dataset", "top"), [("CIFAR-10", 1), ("imagenet", 1), ("ImageNet", 5), ("mnist", 1)]
)
def test_it_is_the_highest_of_the_network(dataset, top):
    networks = {e.name: (e, e.graph()) for e in entries()}
    found = best_accuracies(networks, dataset, top=top)
    assert found
    for name, accuracy in found.items():
        assert accuracy.metric in kinds(top)
        assert not accuracy.ensemble
        same = [
            other.percent_correct()
            for other in published_accuracies(name, dataset)
            if other.metric in kinds(top)
            and not other.ensemble
            and all(
                key == "classes" or own(name)[key] == value for key, value in other.settings.items()
            )
        ]
        assert accuracy.percent_correct() == max(same)


def test_settings_must_be_those_of_the_number():
    plain = best("resnet34", "ImageNet", settings={"shortcuts": "A"})
    assert plain is not None
    assert plain.settings == {"shortcuts": "A"}
    assert best("resnet34", "ImageNet").settings in ({}, {"shortcuts": "B"})
    assert best("resnet34", "ImageNet", settings={"width": 32}) is None


def test_the_classes_are_the_dataset_s():
    (one, *_) = [
        a for a in published_accuracies(dataset="CIFAR-100") if a.settings == {"classes": 100}
    ]
    assert best(one.model, "CIFAR-100") == best(one.model, "CIFAR-100", settings={"classes": 100})


def test_another_input_is_another_network_and_a_batch_is_not():
    assert best("resnet20", "CIFAR-10", inputs=(3, 64, 64)) is None
    assert best("resnet20", "CIFAR-10", inputs=(3, 32, 32)) is not None
    assert best("resnet20", "CIFAR-10", batch=8) == best("resnet20", "CIFAR-10")


@pytest.mark.parametrize(("dataset", "top"), [("cifar10", 1), ("ImageNet", 5)])
def test_networks_by_family(dataset, top):
    found = rated_families(dataset, top=top)
    names = [name for names in found.values() for name in names]
    assert set(names) == {
        find(a.model).name
        for a in published_accuracies(dataset=dataset)
        if a.metric in kinds(top) and a.model and not a.ensemble
    }
    assert len(names) == len(set(names))
    for family, its in found.items():
        assert {find(name).about["family"] for name in its} == {family}


def test_what_nobody_published():
    assert best("resnet20", "ImageNet") is None
    with pytest.raises(PublishedError, match="did you mean 'ImageNet'|there are: CIFAR-10"):
        best("resnet20", "ImgeNet")
    with pytest.raises(PublishedError, match="no top-5 accuracies on CIFAR-10"):
        best("resnet20", "cifar10", top=5)
    with pytest.raises(PublishedError, match="not of 3"):
        best("resnet20", "cifar10", top=3)
