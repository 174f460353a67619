"""How a counter's program is run on a network: inputs, and neither noise nor traces."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import chain
from typing import TYPE_CHECKING, Any

from archcost.ir import FLOATS, Graph

if TYPE_CHECKING:
    import torch


def example_inputs(module: torch.nn.Module, graph: Graph) -> tuple[torch.Tensor, ...]:
    """Zeros of the types of the graph's inputs, where the module's weights are or, if it has none,
    where it was built.

    A module under ``torch.device("meta")`` is counted without being computed.
    """
    import torch

    from archcost.targets.torch_operators import DTYPES

    held = next(chain(module.parameters(), module.buffers()), None)
    built = getattr(module, "device", torch.get_default_device())
    device = built if held is None else held.device
    return tuple(
        torch.zeros(
            value.shape,
            dtype=DTYPES[value.type.dtype]
            if value.type.dtype in FLOATS
            else getattr(torch, value.type.dtype),
            device=device,
        )
        for value in graph.inputs
    )


@contextmanager
def counted(module: torch.nn.Module) -> Iterator[None]:
    """Within it ``module`` is in evaluation mode, and nothing is printed, warned or logged.

    Hooks and buffers that a program leaves in the module, as THOP does, are gone afterwards, and
    so are methods, as of ptflops: bound to the module, they would keep it until garbage is
    collected, with all its weights.
    """
    import torch

    disabled = logging.root.manager.disable
    training = module.training
    held: list[tuple[dict[Any, Any], set[Any]]] = [
        (own, set(own))
        for each in module.modules()
        for own in (each._forward_hooks, each._forward_pre_hooks, each._buffers, vars(each))
    ]
    module.eval()
    logging.disable(logging.CRITICAL)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        module.train(training)
        for own, names in held:
            for name in own.keys() - names:
                del own[name]
