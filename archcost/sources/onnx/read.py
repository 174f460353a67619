"""The way from a path to a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archcost.ir import Graph, Shape
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx.file import parsed
from archcost.sources.onnx.inputs import declared, resolve
from archcost.sources.onnx.names import clean


def read(
    path: Path,
    *,
    inputs: Sequence[Shape] | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph of the ONNX model in ``path``.

    Args:
        inputs: the inputs' shapes without the batch, one for each that is no scalar, or for those
            alone whose sizes the file leaves open.
        batch: samples at once; default: the file's number, 1 where it has a name for it.
        dtype: what to compute and store floating-point numbers in; default: what the file says.
        settings: an ONNX file has none.

    Raises:
        ModelFileError: the file cannot be read, is broken, or needs what archcost does not know.
        ShapeError: an operator cannot take what reaches it.
    """
    if settings:
        raise ModelFileError(f"{path}: an ONNX file has no parameters to set")
    model = parsed(path)
    from archcost.sources.onnx.reader import Reader

    try:
        stored = {tensor.name for tensor in model.graph.initializer}
        # Before IR version 4, initializers stood among the inputs.
        found = [declared(i, "input") for i in model.graph.input if i.name not in stored]
        resolved = resolve(found, inputs, batch)
        reader = Reader(model, clean(path.stem) or "model", str(path))
        for sentence in resolved.notes:
            reader.note(sentence)
        graph = reader.graph(found, resolved)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    except RecursionError:
        raise ModelFileError(f"{path}: its constants are too deeply made of one another") from None
    return graph if dtype is None else graph.with_dtype(dtype)
