"""What is raised when a model cannot be read."""

from __future__ import annotations

from archcost.ir import ArchcostError


class ModelFileError(ArchcostError, ValueError):
    """A model's file is broken, or says something that archcost does not understand."""


class FactoryError(ArchcostError, ValueError):
    """A path like ``package.module:factory`` names nothing, or nothing that gives a module."""


class TraceError(ArchcostError, ValueError):
    """A PyTorch model cannot be traced: ``operator`` says at what, ``place`` where in its code."""

    def __init__(
        self, message: str, *, operator: str | None = None, place: object | None = None
    ) -> None:
        super().__init__(f"{message}\n  at {place}" if place else message)
        self.operator = operator
        self.place = place
