"""Anything -> :class:`~archcost.ir.Graph`: the zoo, files of several formats, PyTorch modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import FLOATS, ArchcostError, Graph, Shape, TensorType
from archcost.ir.arguments import LARGEST
from archcost.sources.errors import FactoryError, ModelFileError, TraceError
from archcost.sources.inputs import Input, InputError, Inputs, shapes
from archcost.sources.zoo import UnknownModelError, find, member, read
from archcost.spec import check_rank, expand, nearest

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "FactoryError",
    "Input",
    "InputError",
    "ModelFileError",
    "SourceError",
    "TraceError",
    "UnknownModelError",
    "load",
]

SPEC_SUFFIXES: Final = (".yaml", ".yml")
READERS: Final = {
    ".onnx": ("archcost.sources.onnx", "onnx"),
    ".prototxt": ("archcost.sources.caffe", "lark"),
    ".json": ("archcost.sources.graph_json", None),
}
"""how a file's name ends -> the module that reads it, and the package that it needs."""
PICKLES: Final = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".safetensors")


class SourceError(ArchcostError, ValueError):
    """The model was named in a way that no reader understands."""


def load(
    model: str | os.PathLike[str] | Graph | nn.Module,
    *,
    inputs: Inputs | None = None,
    batch: int | str | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph of a model.

    Args:
        model: a zoo name (``resnet50``); a file's path: a spec (``net.yaml``; ``net.yaml:variant``
            for one of its variants), ``net.onnx``, ``deploy.prototxt``, or a graph as
            ``archcost export`` writes it (``net.json``); a ``torch.nn.Module``, or the path of one
            or of what makes one (``package.module:factory``, ``file.py:Net``), whose code is then
            run; or a graph, which is rebuilt for the other arguments.
        inputs: the input's shape without the batch (``(3, 224, 224)``), or one for each input;
            default: the model's own. For a PyTorch module also tensors, which have their batch,
            texts like ``"128:int64"``, and a mapping of the names of arguments to any of these.
        batch: samples at once; default 1. For a PyTorch module ``"none"`` says that the shapes
            are whole.
        dtype: dtype of the floating-point inputs and of the parameters; default fp32, for a
            PyTorch module its own.
        settings: values for the model's parameters (``{"classes": 10}``).
        arguments: what a PyTorch factory is called with.

    Raises:
        UnknownModelError: no such network in the zoo.
        SourceError: ``model`` is no name and no readable kind of file, or does not take these
            arguments.
        InputError: the inputs are not understood.
        ModelFileError: a file is broken, or says what archcost does not understand.
        SpecError: a spec, or a setting, is wrong.
        FactoryError: a PyTorch factory fails, or gives no module.
        TraceError: a PyTorch module cannot be traced.
        ShapeError: an operator cannot take what reaches it.
    """
    if dtype is not None and dtype not in FLOATS:
        raise SourceError(f"no floating-point dtype {dtype!r:.40}{nearest(str(dtype), FLOATS)}")
    if _is_module(model):
        _refuse(settings, "a PyTorch module has no parameters to set")
        _refuse(arguments, "a PyTorch module is made already: it takes no arguments")
        return _traced(model, inputs, batch, dtype)
    if not isinstance(model, Graph | str | os.PathLike):
        raise SourceError(
            f"a model is a name, a path, a graph or a torch.nn.Module, not {model!r:.80}"
        )
    if not isinstance(model, Graph):
        text = os.fspath(model)
        if _is_python(text):
            _refuse(settings, f"{text} takes arguments, not settings: --arg, or arguments=")
            return _from_factory(text, inputs, batch, dtype, arguments)
    _refuse(arguments, "only a PyTorch factory takes arguments; settings are what a spec takes")
    if batch == "none":
        raise SourceError("only a PyTorch module takes shapes that have the batch")
    if batch is not None and (type(batch) is not int or not 1 <= batch <= LARGEST):
        raise SourceError(f"the batch is an integer from 1 to {LARGEST}")
    assert not isinstance(batch, str)
    if isinstance(model, Graph):
        return _rebuilt(model, shapes(inputs, "a graph"), batch, dtype, settings)
    found = shapes(inputs, f"{text:.200}")
    reader = _reader(text)
    if reader is not None:
        graph: Graph = reader(
            Path(text), inputs=found, batch=batch, dtype=dtype, settings=settings or {}
        )
        return graph
    return _from_spec(text, found, batch, dtype, settings)


def _from_spec(
    text: str,
    inputs: list[Shape] | None,
    batch: int | None,
    dtype: str | None,
    settings: Mapping[str, Any] | None,
) -> Graph:
    path, variant = _spec_path(text)
    if path is None:
        try:
            entry = find(text)
        except UnknownModelError:
            if os.path.isfile(text):  # noqa: PTH113 - which a name too long does not upset
                raise SourceError(
                    f"{text!r:.200} is no zoo name, and as a file it is of no kind that is read: "
                    f"those end in {', '.join((*SPEC_SUFFIXES, *READERS))}"
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
        inputs=inputs,
        batch=1 if batch is None else batch,
        dtype=dtype or "fp32",
    )


def _spec_path(text: str) -> tuple[Path | None, str | None]:
    """The path and variant in ``text``; no path where it is a zoo name."""
    if text.lower().endswith(SPEC_SUFFIXES):
        return Path(text), None
    head, colon, variant = text.rpartition(":")
    if colon and head.lower().endswith(SPEC_SUFFIXES):
        return Path(head), variant
    if text.lower().endswith(PICKLES) or (colon and head.lower().endswith(PICKLES)):
        raise SourceError(
            f"{text!r:.200} holds weights, maybe pickled, and is not opened; name the code that "
            "makes the model, package.module:factory, or export it to ONNX"
        )
    if text.lower().endswith(".py"):
        raise SourceError(
            f"{text!r:.200} is Python code, and one of its classes or functions, or a module in "
            f"it, makes the model: name that too, like {text:.200}:Net"
        )
    if os.sep in text or colon:
        raise SourceError(
            f"{text!r:.200} is neither a zoo name nor a file of a kind that is read "
            f"({', '.join((*SPEC_SUFFIXES, *READERS))}), nor the path of a PyTorch model "
            "(package.module:factory, file.py:Net)"
        )
    return None, None


def _reader(text: str) -> Callable[..., Graph] | None:
    """The function that reads files that are named like ``text``."""
    for suffix, (module, package) in READERS.items():
        if text.lower().endswith(suffix):
            try:
                return import_module(module).read  # type: ignore[no-any-return]
            except ModuleNotFoundError as error:
                if package is None or error.name is None or error.name.split(".")[0] != package:
                    raise
                raise SourceError(
                    f"reading {suffix} files needs a package that is not installed: "
                    f"pip install 'archcost[{package}]'"
                ) from None
    return None


def _is_module(model: object) -> bool:
    torch = sys.modules.get("torch")  # where it is not loaded there is none of its modules
    return torch is not None and hasattr(torch, "nn") and isinstance(model, torch.nn.Module)


def _is_python(text: str) -> bool:
    """Whether ``text`` names code, which is then run: no file of another kind does."""
    head, colon, _ = text.rpartition(":")
    if not colon or head.lower().endswith((*SPEC_SUFFIXES, *READERS, *PICKLES)):
        return False
    if os.path.isfile(head) and not head.lower().endswith(".py"):  # noqa: PTH113 - as above
        return False
    from archcost.sources.torch.factory import is_path

    return is_path(text)


def _refuse(given: object, why: str) -> None:
    if given:
        raise SourceError(why)


def _from_factory(
    text: str,
    inputs: Inputs | None,
    batch: int | str | None,
    dtype: str | None,
    arguments: Mapping[str, Any] | None,
) -> Graph:
    try:
        from archcost.sources.torch.factory import build

        assumed: list[str] = []
        module = build(text, arguments, assumed.append)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise SourceError(
            "reading PyTorch models needs PyTorch: pip install 'archcost[torch]'"
        ) from None
    name = text.rpartition(":")[2].rpartition(".")[2]
    with redirect_stdout(sys.stderr):  # what the user's code prints is no data
        return _traced(module, inputs, batch, dtype, name, assumed)


def _traced(
    module: Any,
    inputs: Inputs | None,
    batch: int | str | None,
    dtype: str | None,
    name: str | None = None,
    assumed: Sequence[str] = (),
) -> Graph:
    from archcost.sources.torch import read as trace

    graph = trace(module, inputs=inputs, batch=batch, name=name, assumed=assumed)
    return graph if dtype is None else graph.with_dtype(dtype)


def _rebuilt(
    graph: Graph,
    shapes: list[Shape] | None,
    batch: int | None,
    dtype: str | None,
    settings: Mapping[str, Any] | None,
) -> Graph:
    _refuse(settings, "a graph has no parameters to set; load its spec with them")
    if shapes is not None:
        if len(shapes) != len(graph.inputs):
            number = f"{len(graph.inputs)} input{'' if len(graph.inputs) == 1 else 's'}"
            raise SourceError(f"{graph.name} has {number}, {len(shapes)} given")
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
