"""ptflops' own numbers of a module."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from archcost.ir import ArchcostError, Graph
from archcost.verify.running import counted, example_inputs

if TYPE_CHECKING:
    import torch


class PtflopsError(ArchcostError, RuntimeError):
    """ptflops gave up."""


def count(module: torch.nn.Module, graph: Graph, backend: str = "pytorch") -> dict[str, int]:
    """``macs`` and ``params`` of ``module`` on the graph's inputs.

    ``pytorch`` is ptflops' default backend. It patches functions that torch's operators on the
    meta device call too: there it counts more. ``aten`` is the other one.

    Raises:
        PtflopsError: ptflops gave up; its message.
    """
    inputs = example_inputs(module, graph)
    with counted(module), redirect_stdout(io.StringIO()) as printed:
        import ptflops

        # It hands on one tensor, or several by name.
        several = len(inputs) > 1
        macs, params = ptflops.get_model_complexity_info(
            _by_name(module) if several else module,
            tuple(inputs[0].shape),
            print_per_layer_stat=False,
            as_strings=False,
            input_constructor=lambda _: (
                {f"input{at}": x for at, x in enumerate(inputs)} if several else inputs[0]
            ),
            ost=printed,
            backend=backend,
        )
    if macs is None or params is None:
        raise PtflopsError(printed.getvalue().strip().rpartition("\n")[2])
    return {"macs": int(macs), "params": int(params)}


def _by_name(module: torch.nn.Module) -> torch.nn.Module:
    """``module`` as one that takes its inputs by name, in their order."""
    import torch

    class ByName(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, **inputs: torch.Tensor) -> object:
            return self.module(*inputs.values())

    return ByName()
