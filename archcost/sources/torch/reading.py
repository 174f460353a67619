"""A module and its inputs -> the trace of one forward pass -> the graph."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.nn.parameter import is_lazy

from archcost.ir import ArchcostError, Graph, Shape, TensorType, shape_text
from archcost.ir.arguments import LARGEST
from archcost.ir.collector import collector_paused
from archcost.ir.types import NUMPY_NAMES
from archcost.sources.errors import TraceError
from archcost.sources.inputs import Input, InputError, Inputs, listed
from archcost.sources.torch.errors import raised_place, words
from archcost.sources.torch.meta import KNOWN_ELEMENTS
from archcost.sources.torch.operators import META, storage_of
from archcost.sources.torch.patches import (
    Literals,
    batches_unchecked,
    checks_hold,
    masks_unread,
    no_autocast,
    not_compiled,
    without_gpus,
)
from archcost.sources.torch.trace import IntegersWanted, Trace, dtype_of

WHOLE: Final = "none"
"""The batch of inputs whose shapes have it already."""


@collector_paused()
def read(
    module: nn.Module,
    *,
    inputs: Inputs | None = None,
    batch: int | str | None = None,
    name: str | None = None,
    assumed: Sequence[str] = (),
) -> Graph:
    """The graph of one forward pass of ``module``, which stays as it is and where it is.

    It is traced in the mode it is in, training or evaluation. No weights are read.

    Args:
        module: any module.
        inputs: a shape without the batch, or several, or a mapping of the names of arguments of
            ``forward`` to shapes; tensors instead of shapes have their batch. Default: what the
            module itself says (``dummy_inputs``, ``default_cfg``). Where no dtype is said it is
            that of the module's weights, or int64 where an embedding reads the input.
        batch: samples at once, put in front of every shape; default 1. ``"none"``: the shapes are
            whole.
        name: the graph's name; default: the module's class.
        assumed: what was assumed when the module was made, for the graph's metadata.

    Raises:
        InputError: the inputs are not described, or not understood.
        TraceError: the module's code fails, or asks for what is not known without running it.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile was given
    given = own_inputs(module) if inputs is None else listed(inputs)
    about = {"title": type(module).__name__, "assumptions": assumed}
    name = name or type(module).__name__
    positional, named = _tensors(given, 1 if batch is None else batch, _usual_dtype(module))
    for _ in range(len(positional) + len(named)):
        try:
            return _trace(module, positional, named, name, about)
        except IntegersWanted as wanted:
            # A shape alone does not say that these are indices; the model's embedding does.
            key = wanted.name
            if key in named:
                named[key] = named[key].to(torch.int64)
            else:
                place = list(_arguments(positional, {})).index(key)
                positional[place] = positional[place].to(torch.int64)
    return _trace(module, positional, named, name, about)


def own_inputs(module: nn.Module) -> list[Any]:
    """What the module says that it is fed with.

    Raises:
        InputError: it says nothing.
    """
    try:
        dummies = getattr(module, "dummy_inputs", None)
    except Exception:  # a property that asks for what is not there
        dummies = None
    # Models of transformers have those of a language model unless they say otherwise.
    main = getattr(module, "main_input_name", None)
    if isinstance(dummies, Mapping) and main in (None, *dummies):
        found = [(key, value) for key, value in dummies.items() if isinstance(value, Tensor)]
        if found:
            return list(found)
    size = getattr(getattr(module, "config", None), "image_size", None)
    if main == "pixel_values" and isinstance(size, int):
        channels = getattr(module.config, "num_channels", 3)
        return [(main, torch.empty(1, channels, size, size, device=META))]
    for key in ("pretrained_cfg", "default_cfg"):
        config = getattr(module, key, None)
        if isinstance(config, Mapping) and config.get("input_size"):
            return listed(config["input_size"])
    if not _parameters(module):
        return []
    raise InputError(
        f"{type(module).__name__} does not say what it is fed with: give its input's shape "
        "without the batch, like --input 3x224x224 (once for each input; 128:int64 for tokens)"
    )


def _usual_dtype(module: nn.Module) -> str:
    """The floating-point dtype that the module computes in: that of its first weights."""
    dtypes = (dtype_of(p.dtype) for p in module.parameters() if p.is_floating_point())
    return next((dtype for dtype in dtypes if dtype in ("fp64", "fp32", "fp16", "bf16")), "fp32")


def _parameters(module: nn.Module) -> object:
    """What the module's forward takes; something where that cannot be told."""
    try:
        return inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return module


def _tensors(
    given: list[Any], batch: int | str, usual: str
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Tensors without data, by place and by name; of dtype ``usual`` where none is said."""
    if batch != WHOLE and (type(batch) is not int or not 1 <= batch <= LARGEST):
        raise InputError(
            f"the batch is an integer from 1 to {LARGEST}, or {WHOLE!r}, not {batch!r:.40}"
        )
    front = () if batch == WHOLE else (batch,)
    positional: list[Tensor] = []
    named: dict[str, Tensor] = {}
    for one in given:
        key = None
        if isinstance(one, Input):
            key = one.name
            tensor = _empty((*front, *one.shape), one.dtype or usual)
        else:
            key, value = one if isinstance(one, tuple) else (None, one)
            if not isinstance(value, Tensor):
                raise InputError(f"an input is a shape or a tensor, not {value!r:.80}")
            tensor = value if _keeps(value) else torch.empty_like(value, device=META)
        if key is None:
            positional.append(tensor)
        else:
            named[key] = tensor
    return positional, named


def _empty(shape: Shape, dtype: str) -> Tensor:
    try:
        return torch.empty(shape, dtype=getattr(torch, NUMPY_NAMES[dtype]), device=META)
    except RuntimeError:  # its bytes are more than 64 bits can tell
        raise InputError(f"an input of {shape_text(shape)} is too large") from None


def _keeps(tensor: Tensor) -> bool:
    """Whether the code may know the values of an input: a few whole numbers that were given, like
    the sizes of images or the lengths of sequences."""
    whole = not tensor.is_floating_point() and not tensor.is_complex()
    return whole and not tensor.is_meta and tensor.numel() <= KNOWN_ELEMENTS


def _arguments(positional: list[Tensor], named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The graph's inputs by name."""
    if len(positional) == 1 and not named:
        return {"input": positional[0]}
    return {**{f"input{at}": tensor for at, tensor in enumerate(positional)}, **named}


def _trace(
    module: nn.Module,
    positional: list[Tensor],
    named: dict[str, Tensor],
    name: str,
    about: Mapping[str, Any],
) -> Graph:
    lazy = [name for name, p in module.named_parameters() if is_lazy(p)]  # type: ignore[redundant-expr]
    if lazy:
        raise TraceError(
            f"{type(module).__name__} takes the shape of {lazy[0]} from its first input: call it "
            "once before, on a real one"
        )
    trace = Trace(module)
    for key, tensor in _arguments(positional, named).items():
        trace.take(key, tensor)
    try:
        with (
            _as_it_was(module),
            _watched(trace),
            not_compiled(),
            without_gpus(),
            checks_hold(),
            batches_unchecked(),
            masks_unread(),
            no_autocast(trace.assume),
            Literals(trace.replaced),
            torch.inference_mode(),
            trace,
        ):
            result = module(*positional, **named)
            outputs = dict(_outputs(result, "output"))
    except (ArchcostError, IntegersWanted):
        raise
    except (Exception, SystemExit) as error:
        raise _failed(trace, positional, named, error) from error
    if not outputs:
        raise TraceError(f"{type(module).__name__} gives no tensor, but {type(result).__name__}")
    return trace.graph(name, outputs, about)


@contextmanager
def _watched(trace: Trace) -> Iterator[None]:
    """Within it the trace hears of the calls of modules."""
    hooks = (
        module_hooks.register_module_forward_pre_hook(trace.enter),
        module_hooks.register_module_forward_hook(trace.leave, always_call=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Afterwards the attributes of ``module`` are what they were before, and so is what its lists
    and dictionaries hold: what code keeps for its next call (a table of positions) has no data.
    So is the ``data`` of its parameters."""
    stored = [(each, each.data) for each in module.parameters()]
    own = [vars(each) for each in module.modules()]
    values = [value for each in own for value in each.values()]
    dicts = [(each, dict(each)) for each in (*own, *values) if isinstance(each, dict)]
    lists = [(each, list(each)) for each in values if isinstance(each, list)]
    try:
        yield
    finally:
        for old, before in dicts:
            if len(old) != len(before) or any(old.get(k) is not v for k, v in before.items()):
                old.clear()
                old.update(before)
        for each, items in lists:
            each[:] = items
        for parameter, data in stored:
            if parameter.shape != data.shape or storage_of(parameter) != storage_of(data):
                parameter.data = data


def _outputs(result: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """The tensors in what a forward gives, by the names or places they have there."""
    if isinstance(result, Tensor):
        yield name, result
        return
    if depth > 20:
        return
    parts: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(result, Mapping):
        parts = iter(list(result.items()))
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        parts = zip(result._fields, result, strict=True)
    elif isinstance(result, list | tuple):
        parts = enumerate(result)
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        parts = ((f.name, getattr(result, f.name)) for f in dataclasses.fields(result))
    elif hasattr(result, "__dict__") and not callable(result):
        parts = iter(list(vars(result).items()))
    for key, value in parts:
        yield from _outputs(value, str(key) if depth == 0 else f"{name}.{key}", depth + 1)


def _failed(
    trace: Trace,
    positional: list[Tensor],
    named: dict[str, Tensor],
    error: Exception | SystemExit,
) -> TraceError:
    """What the module's own code raised, in one message."""
    module, place = trace.module, raised_place(error)
    said = words(error).partition("\n")[0]
    given = [
        (f"{key}=" if key in named else "")
        + str(TensorType(tuple(tensor.shape), dtype_of(tensor.dtype)))
        for key, tensor in _arguments(positional, named).items()
    ]
    call = trace.failed
    where = f" in {call.path} ({type(call.module).__name__})" if call and call.path else ""
    takes = _signature(module) if isinstance(error, TypeError) and place is None else ""
    return TraceError(
        f"{type(module).__name__} fails{where} on {', '.join(given)} (batch included): "
        f"{type(error).__name__}: {said:.300}{takes}",
        place=place,
    )


def _signature(module: nn.Module) -> str:
    """What the module is to be called with, where Python knows."""
    try:
        return f"; forward takes {inspect.signature(module.forward)}"
    except (TypeError, ValueError):
        return ""
