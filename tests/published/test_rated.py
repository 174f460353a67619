"""The networks that accuracies are published of."""

from __future__ import annotations

import pytest

from archcost.published.accuracies import published_accuracies
from archcost.published.files import PublishedError
from archcost.published.rated import rated_networks
from archcost.sources import load
from archcost.sources.zoo import find


@pytest.mark.parametrize(("dataset", "top"), [("cifar10", 1), ("ImageNet", 1), ("ImageNet", 5)])
def test_every_accuracy_of_one_network_is_there_once(dataset: str, top: int) -> None:
    found = [a for _, accuracies in rated_networks(dataset, top=top) for a in accuracies]
    expected = [
        accuracy
        for accuracy in published_accuracies(dataset=dataset)
        if accuracy.model and not accuracy.ensemble
        if accuracy.metric.startswith("top5") == (top == 5)
    ]
    assert len(found) == len(expected)
    assert all(accuracy in expected for accuracy in found)


def test_a_network_has_the_settings_that_are_said() -> None:
    for graph, accuracies in rated_networks("imagenet", only={"resnet34"}):
        assert graph.name == "resnet34"
        for accuracy in accuracies:
            for key, value in accuracy.settings.items():
                assert graph.metadata["parameters"][key] == value
            own = load(find(str(accuracy.model)).name, settings=accuracy.settings or None)
            assert len(own.nodes) == len(graph.nodes)


def test_unknown() -> None:
    with pytest.raises(PublishedError, match="there are: CIFAR-10"):
        rated_networks("CIFAR-11")
    with pytest.raises(PublishedError, match="top-5"):
        rated_networks("CIFAR-10", top=5)
    assert rated_networks("CIFAR-10", only=set()) == []
