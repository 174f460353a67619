"""Everything that is published about one network of the zoo."""

from __future__ import annotations

from typing import NamedTuple

from archcost.ir import ArchcostError
from archcost.published.accuracies import PublishedAccuracy, published_accuracies
from archcost.published.tables import cells_of
from archcost.published.verdicts import Verdict, judge
from archcost.sources import UnknownModelError


class Published(NamedTuple):
    """The verdicts on a network's printed costs, and its printed accuracies.

    ``problem`` says why there are not all of them: a file of them is broken.
    """

    costs: list[Verdict]
    accuracies: list[PublishedAccuracy]
    problem: str = ""


def published_about(name: str) -> Published:
    """What is published about the network of the zoo that is called ``name``.

    Broken data hides neither the network nor what was read before it.

    Raises:
        UnknownModelError: no such network.
    """
    found = Published([], [])
    try:
        for table, cell in cells_of(name):
            found.costs.append(judge(table, cell))
        found.accuracies.extend(published_accuracies(name))
    except UnknownModelError:
        raise
    except ArchcostError as error:
        return found._replace(problem=f"published numbers are left out: {error}")
    return found
