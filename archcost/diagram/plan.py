"""Which boxes a diagram has: the level, and what is folded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from archcost.analysis import Analysis
from archcost.diagram.folding import Folds, fold
from archcost.diagram.grouping import Frame, tree
from archcost.diagram.labels import MOST_LINE, MOST_TITLE
from archcost.diagram.model import LEVELS, DiagramError, Level
from archcost.diagram.units import Unit, units
from archcost.report.format import exact, shortened

COMFORTABLE: Final = 60
"""The most boxes with which a level is chosen that was not asked for."""
MOST_BOXES: Final = 2500
"""What Graphviz lays out in seconds; its time grows faster than the network."""
MOST_NAMES: Final = 4


@dataclass(eq=False)
class Plan:
    """Boxes in frames, and where that is drawn which is folded."""

    level: Level
    root: Frame
    folds: Folds

    @property
    def size(self) -> int:
        """The number of boxes."""
        return sum(1 for _ in self.root.leaves())


class Planner:
    """Plans diagrams of one network; the arguments are those of ``diagram``."""

    def __init__(self, analysis: Analysis, unfold: bool | Collection[str], merge: bool) -> None:
        self.analysis = analysis
        self.name = shortened(analysis.graph.name, MOST_TITLE)
        self.unfold = unfold
        self.merge = merge
        self._units: dict[bool, list[Unit]] = {}
        self._plans: dict[tuple[Level, bool | tuple[str, ...]], Plan] = {}

    def plan(self, level: Level | None) -> Plan:
        """The boxes at ``level``; of None at the finest with few enough, or where nothing is
        merged at that of layers.

        Raises:
            DiagramError: they are too many, or nothing of a name that is to be unfolded is folded.
        """
        level = level or (self._finest() if self.merge else "layer")
        plan = self.at(level, self.unfold)
        if plan.size > MOST_BOXES:
            raise self._too_many(plan)
        if self.unfold and self.unfold is not True:
            self._check_names(plan.level, self.unfold)
        return plan

    def unfolded(self, level: Level) -> Plan:
        """Nothing folded. Raises as :meth:`plan`."""
        plan = self.at(level, True)
        if plan.size > MOST_BOXES:
            raise self._too_many(plan)
        return plan

    def at(self, level: Level, unfold: bool | Collection[str]) -> Plan:
        key = level, unfold if isinstance(unfold, bool) else tuple(unfold)
        if key not in self._plans:
            root = self._tree(level)
            folds = Folds() if unfold is True else fold(root, self.analysis, unfold or ())
            self._plans[key] = Plan(level, root, folds)
        return self._plans[key]

    def _tree(self, level: Level) -> Frame:
        merge = self.merge or level != "layer"
        graph = self.analysis.graph
        if merge not in self._units:
            self._units[merge] = units(graph, merge=merge)
        return tree(graph, self._units[merge], level)

    def _finest(self) -> Level:
        """The finest level that fits on a page while all is folded that can be; unfolding some
        does not change it.
        """
        plans = []
        for level in reversed(LEVELS):
            plans.append(self.at(level, False))
            if plans[-1].size <= COMFORTABLE:
                return level
        return min(plans, key=lambda plan: plan.size).level

    def _too_many(self, plan: Plan) -> DiagramError:
        ways = []
        if self.unfold:
            folded = self.at(plan.level, False).size
            if folded <= MOST_BOXES:
                ways.append(f"without --unfold it has {exact(folded)}")
        for level in reversed(LEVELS[: LEVELS.index(plan.level)]):
            # Folding takes longest, and is rarely needed here.
            size = self.at(level, True).size
            if size > MOST_BOXES and self.unfold is not True:
                size = self.at(level, self.unfold).size
            if size <= MOST_BOXES:
                ways.append(f"--level {level} has {exact(size)}")
        others = "; ".join(ways) or "no other level has fewer, its layers are in no scopes"
        return DiagramError(
            f"{self.name} has {exact(plan.size)} boxes at level {plan.level}, and at most "
            f"{exact(MOST_BOXES)} can be laid out: {others}"
        )

    def _check_names(self, level: Level, names: Collection[str]) -> None:
        """Raises DiagramError for a name with nothing folded in or around it."""
        folded = self.at(level, False).folds.paths
        for name in names:
            if not any(
                path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/")
                for paths in folded
                for path in paths
            ):
                some = [
                    f"{shortened(paths[0], MOST_LINE)} to {shortened(paths[-1], MOST_LINE)}"
                    for paths in folded[:MOST_NAMES]
                ]
                more = ", ..." if len(folded) > MOST_NAMES else ""
                what = f"folded are {', '.join(some)}{more}" if some else "nothing is"
                raise DiagramError(
                    f"nothing called {shortened(name, MOST_LINE)!r} is folded at level {level}: "
                    f"{what}"
                )
