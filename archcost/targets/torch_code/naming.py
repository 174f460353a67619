"""Names for classes: from the scopes that they are, or from what they do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from archcost.ir import Graph
from archcost.targets.torch_code import names
from archcost.targets.torch_code.classes import Class, stem
from archcost.targets.torch_code.structure import Body
from archcost.targets.torch_code.templates import Construction

SHORT: Final = {"BatchNorm": "BN", "Softmax": "Softmax", "LocalResponseNorm": "LRN"}
LONGEST: Final = 40
LAYERS: Final = ("conv", "pool", "fc", "linear", "norm", "bn", "act", "relu")
GENERIC: Final = ("block", "layer", "unit", "module", "cell")


def name_classes(classes: Sequence[Class], graph: Graph, taken: Iterable[str]) -> None:
    """Name ``classes``; the last one is the network."""
    used = names.classes_taken() | {*taken}
    title = str(graph.metadata.get("title") or graph.name)
    network = names.free(_class_name(title) or "Network", used)
    used.add(network)
    classes[-1].name = network
    plain = [
        _class_name(_chain_name(cls.body) or _scope_name(cls)) or "Block" for cls in classes[:-1]
    ]
    often = Counter(plain)
    alike = {
        name: [cls for cls, its in zip(classes, plain, strict=False) if its == name]
        for name, count in often.items()
        if count > 1
    }
    chosen = [
        (_told_apart(cls, name, alike[name]) if name in alike else name, cls)
        for cls, name in zip(classes[:-1], plain, strict=True)
    ]
    # The one that is used most has the name without a number.
    for name, cls in sorted(chosen, key=lambda row: -len(row[1].bodies)):
        cls.name = names.free(name, used)
        used.add(cls.name)


def _class_name(text: str) -> str:
    name = names.camel(text)[:LONGEST]
    return f"Net{name}" if name[:1].isdigit() else name


def _parts(body: Body) -> list[str]:
    """What its steps do, in short: Conv, BN, ReLU; empty where one is a scope."""
    result = []
    for step in body.steps:
        callee: Any = step.module.callee if step.module is not None else None
        if isinstance(callee, type):
            short = re.sub(r"\dd$", "", callee.__name__)
            if step.module is not None and _is_depthwise(step.module):
                short = "Depthwise"
            result.append(SHORT.get(short, short))
        elif callee is not None:
            return []
        else:
            text = "".join(piece for piece in step.pieces if isinstance(piece, str))
            result += [name.title() for name in re.findall(r"(?:torch|F)\.(\w+)\(", text)]
    return result


def _is_depthwise(made: Construction) -> bool:
    values = {value.name: value.value for value in made.values}
    return values.get("groups") not in (None, 1) and values["groups"] == values.get("in_channels")


def _chain_name(body: Body) -> str:
    """``ConvBNReLU`` for a short chain of torch's modules; empty if it is none."""
    parts = _parts(body)
    return "".join(parts) if body.chain and len(body.steps) <= 4 else ""


def _scope_name(cls: Class) -> str:
    """What most of the scopes are called, without numbers at the end."""
    stems = Counter(re.sub(r"^\d+$", "block", stem(body.name)) for body in cls.bodies)
    ((often, _),) = stems.most_common(1)
    parts = [part for part in _parts(cls.body) if part != "Flatten"]
    if len(often) < 3 or (len(stems) > 1 and 0 < len(parts) <= 4):
        return "".join(parts[:4]) or f"{cls.body.path.rpartition('/')[2]}_{often}"
    if often[0].isdigit():
        often = f"Branch{often}"
    if often.lower() in GENERIC:
        return _kind(cls.body) + often[0].upper() + often[1:]
    if often.lower() in LAYERS:  # it is more than that
        return f"{often}_block"
    return often


def _kind(body: Body) -> str:
    """Residual, if it ends with a sum; Dense, if with what it was given beside what it made."""
    for step in body.steps[-2:]:
        text = "".join(piece for piece in step.pieces if isinstance(piece, str))
        if step.module is None and " + " in text:
            return "Residual"
        if step.module is None and "torch.cat(" in text and (~0, 0) in step.inputs:
            return "Dense"
    return ""


def _told_apart(cls: Class, name: str, others: Sequence[Class]) -> str:
    """``name`` with what only this class has before it: the scope that it is in, or a step."""
    places = [{body.path for body in other.bodies} for other in others]
    (place, *more) = sorted({body.path for body in cls.bodies})
    if not more and place and sum(place in its for its in places) == 1:
        own = _class_name(place.rpartition("/")[2])
        return name if own.lower() in name.lower() else own + name.removeprefix(_kind(cls.body))
    first = _class_name(cls.bodies[0].name)
    firsts = [_class_name(other.bodies[0].name) for other in others]
    own_letter = first.startswith(name) and re.search("[a-zA-Z]", first[len(name) :])
    if firsts.count(first) == 1 and (own_letter or (cls.body.chain and len(first) > 2)):
        return first
    having = Counter(step for other in others for step in {stem(s.name) for s in other.body.steps})
    for step in cls.body.steps:
        word = stem(step.name)
        if having[word] == 1 and step.module is not None and len(word) > 2 and not step.optional:
            own = _class_name(word)
            return name if own.lower() in name.lower() else own + name
    return name
