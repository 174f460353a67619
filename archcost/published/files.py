"""The files in which published numbers stand, and how their networks are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from archcost.ir import ArchcostError
from archcost.sources.zoo import find, squashed

NOT_AS_MEANT: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises where data is not what the code that reads it takes it for."""


class PublishedError(ArchcostError, ValueError):
    """Published data is broken, or speaks of what a network does not have."""


def documents(folder: str) -> Iterator[tuple[Path, Any]]:
    """The YAML files of ``folder`` beside this module, by name, each with what it holds.

    Raises:
        PublishedError: a file is no YAML.
    """
    for path in sorted((Path(__file__).parent / folder).glob("*.yaml")):
        try:
            document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise PublishedError(f"{path.name}: {error}") from None
        yield path, document


def names_of(model: str) -> frozenset[str]:
    """All that the network called ``model`` is called, as :func:`squashed` compares names.

    Raises:
        UnknownModelError: no such network in the zoo.
    """
    entry = find(model)
    return frozenset(map(squashed, (entry.name, *entry.aliases)))
