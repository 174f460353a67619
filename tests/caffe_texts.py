"""Prototxts for tests, put together of their layers."""

from __future__ import annotations

from archcost.analysis import analyze
from archcost.sources.caffe import network


def declared(**shapes):
    """Input layers of these shapes, ``"1x3x8x8"``."""
    return "\n".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ {' '.join(f'dim: {n}' for n in shape.split('x'))} }} }} }}"
        for name, shape in shapes.items()
    )


def layer(type_, fields="", bottoms=("x",), tops=("y",), name="layer"):
    ends = [f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in tops]
    return f'layer {{ name: "{name}" type: "{type_}" {" ".join(ends)} {fields} }}'


def totals(graph):
    return analyze(graph).totals


def kinds(graph):
    return [node.op.kind for node in graph]


def single(type_, fields, inputs, outputs, **options):
    """A network of one layer."""
    names = [f"x{index}" for index in range(len(inputs))]
    tops = [f"y{index}" for index in range(len(outputs))]
    text = declared(**dict(zip(names, inputs, strict=True)))
    return network(f"{text}\n{layer(type_, fields, names, tops)}", "net.prototxt", **options)


def sizes(value):
    return "x".join(map(str, value.shape))
