"""The networks that accuracies are published of, each as the accuracy speaks of it."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

from archcost.ir import Graph
from archcost.published.accuracies import PublishedAccuracy
from archcost.published.best import accuracies_on
from archcost.sources import load
from archcost.sources.zoo import find


def rated_networks(
    dataset: str, *, top: int = 1, only: Container[str] | None = None
) -> list[tuple[Graph, tuple[PublishedAccuracy, ...]]]:
    """Each network with an accuracy on ``dataset``, with the settings that are said with it.

    Accuracies that are said of no network of the zoo, or of several together, are left out.

    Args:
        dataset: its name, whatever its case and hyphens.
        top: 1, or 5: one of five guesses is right.
        only: canonical names of networks; None: all.

    Raises:
        PublishedError: no accuracy on that dataset is published, or none of that kind.
    """
    found: dict[tuple[str, str], tuple[dict[str, Any], list[PublishedAccuracy]]] = {}
    for accuracy in accuracies_on(dataset, top):
        if accuracy.model is None or accuracy.ensemble:
            continue
        name = find(accuracy.model).name
        if only is None or name in only:
            key = (name, json.dumps(accuracy.settings, sort_keys=True))
            found.setdefault(key, (accuracy.settings, []))[1].append(accuracy)
    return [
        (load(name, settings=settings or None), tuple(accuracies))
        for (name, _), (settings, accuracies) in found.items()
    ]
