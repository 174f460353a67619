"""Forward passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from torch import nn

from archcost.ir import Value as GraphValue
from archcost.targets.torch_code import names
from archcost.targets.torch_code.classes import Symbol
from archcost.targets.torch_code.layout import Call, lines
from archcost.targets.torch_code.literals import NESTED, bracketed, literal
from archcost.targets.torch_code.structure import Body, Ref, Step
from archcost.targets.torch_code.templates import (
    Attribute,
    Gap,
    Operand,
)

DEEPEST: Final = 3
"""The most calls within one another."""


class Forward:
    """The lines of a forward pass.

    What is used once is written within what uses it, up to :data:`DEEPEST` calls; what takes the
    place of its input keeps the input's name.
    """

    def __init__(self, body: Body, attributes: Mapping[int, str], flat: bool = False) -> None:
        self.flat = flat  # a line for each scope
        self.body = body
        self.attributes = attributes
        self.readers = Counter(ref for step in body.steps for ref in step.inputs)
        self.readers.update(body.outputs)
        self.texts: dict[Ref, Symbol] = {}
        self.depths: dict[Ref, int] = {}
        self.variables: dict[Ref, str] = {}
        self.needs: dict[Ref, set[Ref]] = {}
        """The variables within an expression that has not been written yet."""
        self.lines: list[str] = []
        self.parameters: list[str] = []
        for at, value in enumerate(body.inputs):
            name = "x" if at == 0 else self._new(_hint(value))
            self._keep((~at, 0), name)
            self.parameters.append(name)
        for at, step in enumerate(body.steps):
            self._step(at, step)
        texts = [self.texts[ref].text for ref in body.outputs]
        self.lines += lines("return ", ", ".join(texts), "", 8)

    def _step(self, at: int, step: Step) -> None:
        text = self._text(at, step)
        needs = {need for ref in step.inputs for need in self.needs[ref]}
        depth = max((self.depths[ref] for ref in step.inputs), default=0)
        depth += step.module is not None
        self.readers.subtract(step.inputs)
        free = self._free(needs)
        ref = (at, 0)
        if step.loop > 1 and not step.plain:
            self._loop(at, step, free)
        elif not any(self.readers[at, which] for which in range(step.results)):
            if step.part:
                return
            self.lines += lines("", text.text, "", 8)  # for what it does, not what it gives
        elif step.results > 1:
            self._several(at, step, text, free)
        elif self._waits(ref, step, text, depth, bool(free)):
            self.texts[ref], self.needs[ref], self.depths[ref] = text, needs, depth
        else:
            name = free[0] if free else self._branch(step)
            self.lines += lines(f"{name} = ", text.text, "", 8)
            self._keep(ref, name)

    def _loop(self, at: int, step: Step, free: list[str]) -> None:
        """The same modules one after the other, which read something else too."""
        first, *others = (self.texts[ref].text for ref in step.inputs)
        name = first if first in free else self._branch(step)
        if name != first:
            self.lines += lines(f"{name} = ", first, "", 8)
        self._keep((at, 0), name)
        inner = self._new("block")
        self.lines.append(f"        for {inner} in self.{self.attributes[at]}:")
        self.lines += lines(f"{name} = ", Call(inner, [name, *others]), "", 12)

    def _text(self, at: int, step: Step) -> Symbol:
        parts = []
        for piece in step.pieces:
            if isinstance(piece, Operand):
                parts.append(bracketed(self.texts[step.inputs[piece.at]], piece.tight))
            elif isinstance(piece, Gap):
                parts.append(bracketed(literal(step.constants[piece.at]), piece.tight))
            elif isinstance(piece, Attribute):
                parts.append(self.attributes[at])
            else:
                parts.append(piece)
        return Symbol("".join(parts), step.tight)

    def _waits(self, ref: Ref, step: Step, text: Symbol, depth: int, free: bool) -> bool:
        """Whether the expression is written within the one that reads it."""
        rest = self.body.steps[ref[0] + 1 :]
        if self.readers[ref] == 1 and ref in self.body.outputs and all(s.part for s in rest):
            return step.module is None or len(self.body.outputs) == 1
        reader = next((other for other in rest if ref in other.inputs), None)
        if self.readers[ref] != 1 or reader is None or len(text.text) > NESTED or depth > DEEPEST:
            return False
        if step.module is not None and len(set(step.inputs)) > 1:
            return False
        merges = len(set(reader.inputs)) > 1
        # A branch: as long as all of it up to where it joins another is short.
        if not free and (merges or depth + self._to_merge(reader) <= DEEPEST):
            return True
        if reader is not rest[0]:
            return False
        if merges:
            return depth <= 1
        if step.module is None:
            return True
        return depth < DEEPEST and not (self.flat and (step.body or reader.body))

    def _to_merge(self, step: Step) -> int:
        """How many more calls there are on its way to where it joins another."""
        count = 0
        while len(set(step.inputs)) == 1:
            count += step.module is not None
            ref = (self.body.steps.index(step), 0)
            after = [other for other in self.body.steps if ref in other.inputs]
            if len(after) != 1 or step.results > 1:
                return DEEPEST
            step = after[0]
        return count

    def _keep(self, ref: Ref, name: str) -> None:
        self.variables[ref] = name
        self.texts[ref] = Symbol(name)
        self.needs[ref] = {ref}
        self.depths[ref] = 0

    def _used(self) -> set[str]:
        """The names of variables that are still to be read."""
        return {
            self.variables[need]
            for ref, needs in self.needs.items()
            if self.readers[ref] > 0
            for need in needs
        }

    def _free(self, needs: set[Ref]) -> list[str]:
        """The names among ``needs`` that nobody reads any more, ``x`` first."""
        free = {self.variables[need] for need in needs} - self._used()
        return sorted(free, key=lambda name: (name != "x", name))

    def _new(self, name: str) -> str:
        return names.free(name, self._used() | {"x"})

    def _branch(self, step: Step) -> str:
        used = self._used()
        return next((name for name in ("y", "z") if name not in used), None) or self._new(
            _variable(step.name)
        )

    def _several(self, at: int, step: Step, text: Symbol, free: list[str]) -> None:
        given = []
        for which in range(step.results):
            ref = (at, which)
            if not self.readers[ref]:
                given.append("_")
                continue
            if not which and free:
                name = free.pop(0)
            elif which:
                name = self._new(_result_hint(step, which))
            else:
                name = self._branch(step)
            self._keep(ref, name)
            given.append(name)
        self.lines += lines(f"{', '.join(given)} = ", text.text, "", 8)


def _hint(value: GraphValue) -> str:
    """What a variable for ``value`` may be called."""
    if value.producer is None:
        return _variable(value.name)
    if value.producer.op.kind == "max_pool" and value is not value.producer.outputs[0]:
        return "indices"
    return _variable(value.producer.name.rpartition("/")[2])


def _result_hint(step: Step, which: int) -> str:
    if step.body is not None:
        return _hint(step.body.results[which])
    (node,) = step.nodes
    if step.module is not None and step.module.callee in (nn.LSTM, nn.GRU, nn.RNN):
        return "state"
    return _hint(node.outputs[which]) if which < len(node.outputs) else _variable(step.name)


def _variable(name: str) -> str:
    name = names.snake(name) or "value"
    if name[0].isdigit():
        name = f"branch{name}"
    return f"{name}_" if names.reserved(name) else name
