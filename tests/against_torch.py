"""What tests of one operator compare it with: what torch gives, reads and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from archcost.ir import (
    NUMPY_NAMES,
    Application,
    ArgumentError,
    Op,
    Saved,
    ShapeError,
    TensorType,
)

DTYPES = {getattr(torch, name): ours for ours, name in NUMPY_NAMES.items() if hasattr(torch, name)}
"""torch's dtype -> ours."""

Function = Callable[..., Any]


def type_of(tensor: Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), DTYPES[tensor.dtype])


def types_of(result: Any) -> tuple[TensorType, ...]:
    """The types of one tensor, or of several."""
    tensors = (result,) if isinstance(result, Tensor) else tuple(result)
    return tuple(map(type_of, tensors))


def applied(op: Op, *tensors: Tensor) -> Application:
    return op.apply(types_of(tensors))


def refused(function: Function, *arguments: Any) -> Any:
    """What ``function`` gives, or None where it refuses its arguments."""
    try:
        return function(*arguments)
    except (ArgumentError, ShapeError, RuntimeError, IndexError, TypeError, ValueError):
        return None


def agrees(make: Callable[[], Op], function: Function, *tensors: Tensor) -> Application | None:
    """The application of what ``make`` makes: of the types that ``function`` gives, or None where
    both refuse."""
    expected = refused(function, *tensors)
    application = refused(lambda: applied(make(), *tensors))
    assert (application is None) == (expected is None), (application, expected)
    if application is not None:
        assert application.outputs == types_of(expected)
        assert application.params == application.buffers == 0
    return application


def kept(function: Function, *tensors: Tensor) -> Saved:
    """What torch keeps of ``function`` on these tensors, which need gradients where they can."""
    tensors = tuple(x.clone().requires_grad_(x.is_floating_point()) for x in tensors)
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        result = function(*tensors)
    results = (result,) if isinstance(result, Tensor) else tuple(result)
    pointers = {tensor.data_ptr(): tensor for tensor in saved}
    inputs = tuple(
        at for at, x in enumerate(tensors) if pointers.pop(x.data_ptr(), None) is not None
    )
    outputs = tuple(
        at for at, y in enumerate(results) if pointers.pop(y.data_ptr(), None) is not None
    )
    return Saved(inputs, outputs, sum(tensor.nbytes for tensor in pointers.values()))


def keeps_as_torch(op: Op, function: Function, *tensors: Tensor) -> None:
    """``op`` keeps the inputs and outputs that torch keeps, and as many bytes besides."""
    application = applied(op, *tensors)
    inputs, outputs, extra = application.saved
    places = [
        which if isinstance(which, tuple) else tuple(range(count)) if which else ()
        for which, count in (
            (inputs, len(application.inputs)),
            (outputs, len(application.outputs)),
        )
    ]
    assert Saved(*places, extra) == kept(function, *tensors)


def check_reach(application: Application, function: Function, *, exact: bool = True) -> None:
    """Along each spatial dimension, each output position reads inside its reach, by gradient.

    ``exact``: and some position reads to each of its ends.
    """
    shape = application.inputs[0].shape
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    y = function(x)
    assert application.reach is not None
    for place, reach in enumerate(application.reach, 2):
        lows, highs = [], []
        for u in range(y.shape[place]):
            (grad,) = torch.autograd.grad(y.select(place, u).sum(), x, retain_graph=True)
            others = tuple(d for d in range(x.ndim) if d != place)
            read = grad.abs().amax(others).nonzero().flatten().tolist()
            if not read:
                continue  # padding
            lows.append(read[0] - u * reach.stride)
            highs.append(read[-1] - u * reach.stride)
        assert min(lows) >= reach.low - 1e-9
        assert max(highs) <= reach.high + 1e-9
        if exact:
            assert min(lows) == pytest.approx(reach.low)
            assert max(highs) == pytest.approx(reach.high)
