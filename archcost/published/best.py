"""The best accuracy that is published of each of several networks, as they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from archcost.ir import Graph
from archcost.published.accuracies import PublishedAccuracy, published_accuracies
from archcost.published.files import PublishedError
from archcost.sources.zoo import Entry, find, squashed
from archcost.spec import nearest
from archcost.spec.errors import shown

TOP: Final = (1, 5)
"""The number of guesses of which one has to be right."""
OF_THE_DATASET: Final = "classes"
"""The setting that a network takes from the dataset it is tested on."""


def best_accuracies(
    networks: Mapping[str, tuple[Entry, Graph]], dataset: str, *, top: int = 1
) -> dict[str, PublishedAccuracy]:
    """The highest accuracy on ``dataset`` that is published of each network, by the same keys.

    A network without one is left out. An accuracy speaks of a graph that has the input of the
    network as the zoo has it, and the settings that are said with the number or the defaults;
    the number of classes may differ. Accuracies of several networks together are of none.

    Args:
        networks: networks of the zoo, each with its graph, by any keys.
        dataset: its name, whatever its case and hyphens.
        top: 1, or 5: one of five guesses is right.

    Raises:
        PublishedError: no accuracy on that dataset is published, or none of that kind.
    """
    by_name = _by_network(dataset, top)
    result = {}
    for key, (entry, graph) in networks.items():
        fitting = _fitting(by_name.get(entry.name, []), entry, graph)
        if fitting:
            result[key] = max(fitting, key=PublishedAccuracy.percent_correct)
    return result


def rated_families(dataset: str, *, top: int = 1) -> dict[str, tuple[str, ...]]:
    """By family the names of its networks of which accuracies on ``dataset`` are published.

    Args and Raises: as for :func:`best_accuracies`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in _by_network(dataset, top):
        family = str(find(name).about.get("family"))
        found[family] = (*found.get(family, ()), name)
    return found


def _by_network(dataset: str, top: int) -> dict[str, list[PublishedAccuracy]]:
    """The accuracies that are of one network of the zoo, by its name."""
    found: dict[str, list[PublishedAccuracy]] = {}
    for accuracy in accuracies_on(dataset, top):
        if accuracy.model is not None and not accuracy.ensemble:
            found.setdefault(find(accuracy.model).name, []).append(accuracy)
    return found


def accuracies_on(dataset: str, top: int) -> list[PublishedAccuracy]:
    """All on ``dataset`` of that many guesses.

    Args and Raises: as for :func:`best_accuracies`.
    """
    if top not in TOP:
        raise PublishedError(f"accuracies are published of 1 guess or of 5, not of {top}")
    everything = published_accuracies()
    datasets = sorted({accuracy.dataset for accuracy in everything})
    on = [a for a in everything if squashed(a.dataset) == squashed(dataset)]
    if not on:
        raise PublishedError(
            f"archcost knows no published accuracies on {shown(dataset)}"
            f"{nearest(dataset, datasets)}"
        )
    found = [a for a in on if a.metric.startswith("top5_") == (top == 5)]
    if not found:
        raise PublishedError(f"archcost knows no top-{top} accuracies on {on[0].dataset}")
    return found


def _fitting(
    accuracies: list[PublishedAccuracy], entry: Entry, graph: Graph
) -> list[PublishedAccuracy]:
    """Those that speak of the network as ``graph`` has it."""
    if not accuracies:
        return []
    own = entry.graph()
    if [v.shape[1:] for v in own.inputs] != [v.shape[1:] for v in graph.inputs]:
        return []
    has = _comparable(graph.metadata["parameters"])
    return [
        accuracy
        for accuracy in accuracies
        if _comparable({**own.metadata["parameters"], **accuracy.settings}) == has
    ]


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the number of classes; lists as tuples, as the graph has them."""
    return {key: _frozen(value) for key, value in settings.items() if key != OF_THE_DATASET}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
