"""Classes as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from torch import nn

from archcost.ir import Node
from archcost.targets.torch_code import names
from archcost.targets.torch_code.classes import Class, made_by, stem
from archcost.targets.torch_code.constructions import BUFFER
from archcost.targets.torch_code.forward import Forward
from archcost.targets.torch_code.layout import Call, lines
from archcost.targets.torch_code.literals import literal
from archcost.targets.torch_code.making import Unnamed, making, run_from, sequential
from archcost.targets.torch_code.structure import Body, Ref, Step
from archcost.targets.torch_code.templates import (
    REQUIRED,
    Construction,
)

LOOP: Final = 4
"""The fewest modules in a row that become a loop of their own."""


def class_text(cls: Class, named: bool = False, ending: Sequence[str] = ()) -> list[str]:
    """The lines of a class. ``named``: its modules keep their names if they are a chain; ``ending``
    ends its constructor."""
    body = cls.body if cls.body.chain and not named else _with_loops(cls.body)
    shared: dict[int, str] = {}
    for number in body.received:
        taken = [*shared.values(), *(argument.name for argument in cls.arguments)]
        shared[number] = names.free(_shared_name(body, number), taken)
    signature = _signature(cls, list(shared.values()))
    if body.chain and not cls.stored and not any(step.optional for step in body.steps):
        result = [f"class {cls.name}(nn.Sequential):", *signature_lines(signature)]
        result += _sequential_body(body, shared, named)
        attributes = {at: step.name for at, step in enumerate(body.steps)} if named else {}
        cls.accessors = _accessors(body, attributes)
        return [*result, *(f"        {line}" for line in ending)]
    attributes, made = _attributes(body, shared)
    cls.accessors = _accessors(body, attributes)
    made += [f"        self.{name} = {symbol.text}" for name, symbol in cls.stored]
    made += [f"        {line}" for line in ending]
    forward = Forward(body, attributes, flat=named)
    result = [f"class {cls.name}(nn.Module):"]
    if signature or made:
        result += [*signature_lines(signature), "        super().__init__()"]
        result += [*made, ""]
    gives = "Tensor"
    if len(body.outputs) > 1:
        gives = f"tuple[{', '.join([gives] * len(body.outputs))}]"
    takes = [f"{name}: Tensor" for name in forward.parameters]
    result += lines("def ", Call("forward", ["self", *takes]), f" -> {gives}:", 4)
    return result + forward.lines


def _accessors(body: Body, attributes: Mapping[int, str]) -> list[str]:
    """How the module of each step is reached, of those that loops stand for too."""
    result = []
    for at, step in enumerate(body.steps):
        reach = f".{attributes[at]}" if at in attributes else f"[{at}]"
        result += [reach] if step.loop == 1 else [f"{reach}[{n}]" for n in range(step.loop)]
    return result


def path_to(node: Node, body: Body, classes: Mapping[int, Class]) -> str:
    """The expression of the module of ``node``, behind that of the module of ``body``.

    ``classes`` are those of bodies, by their identity; others are an nn.Sequential.
    """
    at, step = next(
        (at, step)
        for at, step in enumerate(body.steps)
        if node in step.nodes and (step.body is not None or step.module is not None)
    )
    cls = classes.get(id(body))
    reach = f"[{at}]" if cls is None else cls.accessors[at]
    return reach if step.body is None else reach + path_to(node, step.body, classes)


def _with_loops(body: Body) -> Body:
    """``body`` with long runs of the same modules, one after the other, as one nn.Sequential."""
    steps: list[Step] = []
    moved: dict[Ref, Ref] = {(~at, 0): (~at, 0) for at in range(len(body.inputs))}
    at = 0
    while at < len(body.steps):
        run = _chain_from(body, at)
        items = [(step.name, made_by(step)) for step in run]
        length, _ = run_from(items, 0, Unnamed()) if len(run) >= 3 else (1, "")
        step = body.steps[at]
        inputs = tuple(moved[ref] for ref in step.inputs)
        if length >= (LOOP if step.plain else 3) and (length < len(body.steps) or not step.plain):
            kind = "nn.Sequential" if step.plain else "nn.ModuleList"
            made = Construction(kind, items=items[:length])
            name = names.free(f"{stem(step.name)}s", {step.name for step in body.steps})
            steps.append(replace(step, name=name, module=made, inputs=inputs, loop=length))
        else:
            length = 1
            steps.append(replace(step, inputs=inputs))
        last = body.steps[at + length - 1]
        for which in range(last.results):
            moved[(at + length - 1, which)] = (len(steps) - 1, which)
        at += length
    return replace(body, steps=steps, outputs=[moved[ref] for ref in body.outputs])


def _chain_from(body: Body, at: int) -> list[Step]:
    """The modules from ``at`` on of which each alone reads what the one before gives."""
    result: list[Step] = []
    for place in range(at, len(body.steps)):
        step = body.steps[place]
        if not (step.plain or step.body) or step.results > 1 or step.optional:
            break
        if step.shared is not None:
            break
        if result:
            before = (place - 1, 0)
            readers = sum(ref == before for other in body.steps for ref in other.inputs)
            wanted = (before, *result[0].inputs[1:])
            if step.inputs != wanted or readers > 1 or before in body.outputs:
                break
        result.append(step)
    return result


def signature_lines(arguments: Sequence[str]) -> list[str]:
    return lines("def ", Call("__init__", ["self", *arguments]), " -> None:", 4)


def _signature(cls: Class, received: Sequence[str]) -> list[str]:
    result = [f"{name}: nn.Module" for name in received]
    for argument in cls.arguments:
        types = dict.fromkeys(_annotation(value) for value in argument.values)
        text = f"{argument.name}: {' | '.join(types)}"
        if argument.default is not REQUIRED:
            text += f" = {literal(argument.default).text}"
        result.append(text)
    return result


def _annotation(value: Any) -> str:
    if isinstance(value, tuple):
        inner = dict.fromkeys(_annotation(part) for part in value)
        if len(inner) != 1:
            return "tuple"
        (kind,) = inner
        return (
            f"tuple[{kind}, ...]" if len(value) > 3 else f"tuple[{', '.join([kind] * len(value))}]"
        )
    return "None" if value is None else type(value).__name__


def _shared_name(body: Body, number: int) -> str:
    """What a module that several steps use is called in ``body``."""
    for step in body.steps:
        if step.shared == number:
            return step.name
    for step in body.steps:
        if step.body is not None and number in step.body.received:
            return _shared_name(step.body, number)
    raise AssertionError


def _sequential_body(body: Body, shared: dict[int, str], named: bool) -> list[str]:
    """The constructor of a class that is an nn.Sequential."""
    result = []
    for number, made in body.owned.items():
        shared[number] = names.free(_shared_name(body, number), shared.values())
        result += lines(f"{shared[number]} = ", making(made, shared), "", 8)
    items = [(step.name, made_by(step)) for step in body.steps]
    call = sequential("super().__init__", items, shared)
    if named:
        inner = [_keyword(f"{name}=", making(made, shared)) for name, made in items]
        call = Call("super().__init__", [Call("OrderedDict", inner, tall=True)])
    return result + lines("", call, "", 8)


def _keyword(name: str, thing: str | Call) -> str | Call:
    if isinstance(thing, str):
        return name + thing
    return Call(name + thing.head, thing.arguments, thing.tall, thing.tail)


def _attributes(body: Body, shared: dict[int, str]) -> tuple[dict[int, str], list[str]]:
    """The attribute that each step calls, and the lines that make them."""
    attributes: dict[int, str] = {}
    result: list[str] = []
    direct = {step.shared for step in body.steps}
    activations = _activations(body)
    for at, step in enumerate(body.steps):
        if step.module is None:
            continue
        needed = [step.shared] if step.shared is not None else []
        needed += step.body.received if step.body is not None else []
        for number in needed:
            if number in body.owned and number not in shared:
                name = names.free(_shared_name(body, number), [*shared.values()])
                keep = number in direct
                shared[number] = f"self.{name}" if keep else name
                result += lines(f"{shared[number]} = ", making(body.owned[number], shared), "", 8)
        if step.shared is not None:
            name = shared[step.shared].removeprefix("self.")
            if step.shared in body.received and name not in attributes.values():
                result.append(f"        self.{name} = {name}")
            attributes[at] = name
            continue
        made_already = set(attributes.values())
        attributes[at] = activations.get(at, step.name)
        if attributes[at] in made_already:
            continue
        made = making(step.module, shared)
        if step.module.callee == BUFFER and isinstance(made, Call):
            given = [f'"{attributes[at]}"', *made.arguments]
            result += lines("self.", Call(BUFFER, given), "", 8)
            continue
        if step.optional:
            made = f"{made} if {step.flag} else nn.Identity()"
        result += lines(f"self.{attributes[at]} = ", made, "", 8)
    return attributes, result


def _activations(body: Body) -> dict[int, str]:
    """Steps that call the same function, which then is one module: their places and its name."""
    found: dict[str, list[int]] = {}
    for at, step in enumerate(body.steps):
        if step.module is None or step.optional or step.loop > 1:
            continue
        if step.module.callee in (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU):
            found.setdefault(str(making(step.module, Unnamed())), []).append(at)
    result: dict[int, str] = {}
    for call, places in found.items():
        others = {step.name for at, step in enumerate(body.steps) if at not in places}
        name = call.removeprefix("nn.").partition("(")[0].lower()
        if len(places) > 1 and name not in others and name not in result.values():
            result.update(dict.fromkeys(places, name))
    return result
