"""Anything -> :class:`~archcost.ir.Graph`: the zoo, spec files, and the resolver between them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from operator import index
from pathlib import Path
from typing import Any, Final

from archcost.ir import FLOATS, ArchcostError, Graph, TensorType
from archcost.ir.arguments import LARGEST
from archcost.sources.zoo import UnknownModelError, find, member, read
from archcost.spec import check_rank, expand, nearest

__all__ = ["SourceError", "UnknownModelError", "load"]

SPEC_SUFFIXES: Final = (".yaml", ".yml")

Inputs = Sequence[int] | Sequence[Sequence[int]]


class SourceError(ArchcostError, ValueError):
    """The model was named in a way that no reader understands."""


def load(
    model: str | os.PathLike[str] | Graph,
    *,
    inputs: Inputs | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph of a model.

    Args:
        model: a zoo name (``resnet50``), a spec's path (``net.yaml``; ``net.yaml:variant`` for one
            of its variants), or a graph, which is rebuilt for the other arguments.
        inputs: the input's shape without the batch (``(3, 224, 224)``), or one for each input;
            default: the model's own.
        batch: samples at once; default 1.
        dtype: dtype of the floating-point inputs and of the parameters; default fp32.
        settings: values for the model's parameters (``{"classes": 10}``).

    Raises:
        UnknownModelError: no such network in the zoo.
        SourceError: ``model`` is no name and no readable kind of file.
        SpecError: a spec, or a setting, is wrong.
        ShapeError: an operator cannot take what reaches it.
    """
    shapes = _shapes(inputs)
    if isinstance(model, Graph):
        return _rebuilt(model, shapes, batch, dtype, settings)
    text = os.fspath(model)
    path, variant = _spec_path(text)
    if path is None:
        try:
            entry = find(text)
        except UnknownModelError:
            if os.path.isfile(text):  # noqa: PTH113 - which a name too long does not upset
                raise SourceError(
                    f"{text!r:.200} is no zoo name, and as a file it is no spec: those end in "
                    ".yaml or .yml"
                ) from None
            raise
        spec, name = entry.spec, entry.name
    else:
        spec = read(path)
        found = member(spec, variant or spec.name)
        if found is None:
            wanted = variant or ""
            raise SourceError(f"{path} has no variant {wanted!r}{nearest(wanted, spec.names)}")
        name = found
    return expand(
        spec,
        name,
        settings,
        inputs=shapes,
        batch=1 if batch is None else batch,
        dtype=dtype or "fp32",
    )


def _shapes(inputs: Inputs | None) -> list[tuple[int, ...]] | None:
    if inputs is None:
        return None
    try:
        if all(isinstance(size, Integral) for size in inputs):
            return [_sizes(inputs)]
        return [_sizes(shape) for shape in inputs]
    except TypeError:
        raise SourceError(f"inputs is one shape or a list of shapes, not {inputs!r:.80}") from None


def _sizes(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, str):
        raise TypeError
    sizes = tuple([index(size) for size in shape])
    if any(abs(size) > LARGEST for size in sizes):
        raise SourceError(f"an input's sizes are at most {LARGEST}")
    return sizes


def _spec_path(text: str) -> tuple[Path | None, str | None]:
    """The path and variant in ``text``; no path where it is a zoo name."""
    if text.lower().endswith(SPEC_SUFFIXES):
        return Path(text), None
    head, colon, variant = text.rpartition(":")
    if colon and head.lower().endswith(SPEC_SUFFIXES):
        return Path(head), variant
    if os.sep in text or colon or Path(text).suffix in (".onnx", ".prototxt", ".py", ".pt", ".pth"):
        raise SourceError(
            f"{text!r:.200} is neither a zoo name nor a spec file (.yaml, .yml), "
            "which are what this version reads"
        )
    return None, None


def _rebuilt(
    graph: Graph,
    shapes: list[tuple[int, ...]] | None,
    batch: int | None,
    dtype: str | None,
    settings: Mapping[str, Any] | None,
) -> Graph:
    if settings:
        raise SourceError("a graph has no parameters to set; load its spec with them")
    if dtype is not None and dtype not in FLOATS:
        raise SourceError(f"no floating-point dtype {dtype!r}{nearest(dtype, FLOATS)}")
    if batch is not None and (type(batch) is not int or not 1 <= batch <= LARGEST):
        raise SourceError(f"the batch is an integer from 1 to {LARGEST}")
    if shapes is not None:
        if len(shapes) != len(graph.inputs):
            raise SourceError(f"{graph.name} has {len(graph.inputs)} inputs, {len(shapes)} given")
        for value, shape in zip(graph.inputs, shapes, strict=True):
            check_rank(graph.name, value.name, value.shape[1:], shape)
        types = [
            TensorType((value.shape[0], *shape), value.type.dtype)
            for value, shape in zip(graph.inputs, shapes, strict=True)
        ]
        graph = graph.with_inputs(types)
    if dtype is not None:
        graph = graph.with_dtype(dtype)
    return graph if batch is None else graph.with_batch(batch)
