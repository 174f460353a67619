"""Accuracies that the source texts print, as data: which network, on which dataset, said where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from archcost.published.files import NOT_AS_MEANT, PublishedError, documents, names_of
from archcost.sources.zoo import squashed

# Whether the number counts what went wrong.
METRICS: Final[dict[str, bool]] = {
    "accuracy": False,
    "top1_accuracy": False,
    "top5_accuracy": False,
    "error": True,
    "top1_error": True,
    "top5_error": True,
}
AUGMENTATIONS: Final = ("none", "standard", "extreme")


@dataclass(frozen=True)
class PublishedAccuracy:
    """One printed number and what it speaks of; keys are described in ``accuracies/README.md``."""

    printed_name: str
    dataset: str
    metric: str
    printed: str
    source: str
    place: str
    model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    table: str | None = None
    cell: str | None = None
    unit: str = "%"
    of: int | None = None
    spread: str | None = None
    augmentation: str | None = None
    training: str | None = None
    views: str | None = None
    ensemble: bool | None = None
    params_printed: str | None = None
    marks: dict[str, str] = field(default_factory=dict)
    note: str | None = None

    def percent_correct(self) -> float:
        """The share of right answers (for ``top5_…`` among five guesses), in percent."""
        number = float(self.printed)
        if self.of is not None:
            number = 100 * number / self.of
        return round(100 - number, 10) if METRICS[self.metric] else number


def published_accuracies(
    model: str | None = None, dataset: str | None = None
) -> tuple[PublishedAccuracy, ...]:
    """All published accuracies, or those of one network of the zoo or on one dataset.

    ``model`` is a name or an alias; ``dataset`` is found whatever its case and hyphens.

    Raises:
        UnknownModelError: no such network.
        PublishedError: a file of accuracies is broken.
    """
    called = None if model is None else names_of(model)
    on = None if dataset is None else squashed(dataset)
    return tuple(
        accuracy
        for accuracy in _everything()
        if (called is None or (accuracy.model and squashed(accuracy.model) in called))
        and (on is None or squashed(accuracy.dataset) == on)
    )


@lru_cache(maxsize=1)
def _everything() -> tuple[PublishedAccuracy, ...]:
    """All accuracies, by document and in the order of the document."""
    return tuple(
        accuracy
        for path, document in documents("accuracies")
        for accuracy in _accuracies(path, document)
    )


def _accuracies(path: Path, document: Any) -> Iterator[PublishedAccuracy]:
    try:
        for table in document["tables"]:
            entries, meanings = table.pop("entries"), table.pop("marks", {})
            for entry in entries:
                values = {"source": document["source"], **table, **entry}
                values["settings"] = values.pop("set", {})
                values["marks"] = {mark: meanings[mark] for mark in values.get("marks", ())}
                yield PublishedAccuracy(**values)
    except NOT_AS_MEANT as error:
        raise PublishedError(f"{path.name}: {error!r:.200}") from None
