"""What a module holds, makes in a pass and stores in a file, in bytes, as torch itself shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.measure.memory import tensor_bytes
from archcost.validation.journal import Held

if TYPE_CHECKING:
    from torch import Tensor

    from archcost.targets.torch import GraphModule, Step

COUNTERS: Final = "num_batches_tracked"
"""Buffers that count what a normalisation has seen in training; no buffers to archcost."""


def held(module: GraphModule, inputs: Sequence[Tensor]) -> Held:
    """The bytes of ``module``'s parameters and buffers, of what its layers make in a pass over
    ``inputs``, and of the file of its state. Runs one pass."""
    return Held(parameter_bytes(module), activation_bytes(module, inputs), file_bytes(module))


def parameter_bytes(module: GraphModule) -> int:
    """Bytes of the storages of all parameters and buffers but :data:`COUNTERS`, each once."""
    named = (*module.named_parameters(), *module.named_buffers())
    return tensor_bytes(*(tensor for name, tensor in named if not name.endswith(COUNTERS)))


def activation_bytes(module: GraphModule, inputs: Sequence[Tensor]) -> int:
    """Bytes of the storages that the layers make in a pass: those on which their outputs lie, and
    which are none that was there before (an input's, a weight's, that of an earlier output)."""
    import torch

    known = {_storage(t) for t in (*inputs, *module.parameters(), *module.buffers())}
    kept: list[Tensor] = []  # while a tensor is held its address is no other's
    total = 0

    def watch(_step: Step, made: tuple[Tensor, ...]) -> None:
        nonlocal total
        for tensor in made:
            storage = _storage(tensor)
            if storage not in known:
                known.add(storage)
                kept.append(tensor)
                total += tensor.untyped_storage().nbytes()

    with torch.inference_mode():
        module.watched(watch, *inputs)
    return total


def _storage(tensor: Tensor) -> Any:
    return tensor.untyped_storage()._cdata


def file_bytes(module: GraphModule) -> int:
    """Bytes that ``torch.save`` writes of the module's state."""
    import torch

    counter = _Counter()
    torch.save(module.state_dict(), counter)  # type: ignore[arg-type]
    return counter.written


class _Counter:
    """A file that keeps nothing but its size."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.written += size
        return size

    def flush(self) -> None:
        """Nothing waits."""
