"""What a trace records, before it is a graph: steps, the values between them, calls of modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from archcost.ir import Op, Parameter, TensorType, Value
from archcost.ir.names import UniqueNames
from archcost.ir.op import Application


@dataclass(eq=False, slots=True)
class Slot:
    """A value of the graph to be: output ``index`` of ``step``, or an input of the graph."""

    type: TensorType
    step: Step | None = None
    index: int = 0
    value: Value | None = None


@dataclass(eq=False, slots=True)
class Step:
    """A node of the graph to be."""

    op: Op
    application: Application
    inputs: tuple[Slot, ...]
    call: Call
    share: dict[str, Parameter]
    inplace: bool
    source: object = None
    outputs: tuple[Slot, ...] = ()


@dataclass(eq=False, slots=True)
class Call:
    """One call of a module: where it is in the model, and what it did itself."""

    path: str
    module: nn.Module | None
    children: int = 0
    steps: int = 0
    first: int = 0  # index of the step that it began with


def named(steps: Sequence[Step]) -> Iterator[str]:
    """A name for each step: that of its module where it is all that the module does, else its kind
    within the module's."""
    own: dict[Call, int] = {}
    for step in steps:
        if step.inputs or not step.op.view:
            own[step.call] = own.get(step.call, 0) + 1
    unique = UniqueNames()
    for step in steps:
        call, kind = step.call, step.op.kind.replace("/", "_")
        alone = call.path and not call.children and own.get(call) == 1 and step.inputs
        name = call.path if alone else f"{call.path}/{kind}" if call.path else kind
        yield unique.take(name)
