"""The memory of a pass: what torch's allocator gave out, and what the process held."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from archcost.measure.records import Memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PROCESS = Path("/proc/self")
GROUP = Path("/sys/fs/cgroup")


def tensor_bytes(*tensors: Tensor) -> int:
    """Bytes of the storages that the tensors lie on, each once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def held_bytes(module: torch.nn.Module) -> int:
    """Bytes of all weights and buffers of ``module``, whether or not they are saved with it."""
    return tensor_bytes(*module.parameters(), *module.buffers())


class MemoryOfPasses:
    """Watches the memory of a device, from before a network is built there.

    On CUDA the allocator keeps its own highest count. On a CPU the kernel keeps that of the
    resident set, which also has torch itself, the network's inputs and everything else of the
    process, and :func:`allocated_peak` has the allocator's.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before: int | None
        if device.type == "cuda":
            import torch

            torch.cuda.synchronize(device)
            # cuBLAS takes its workspace from the allocator at a first product and keeps it: every
            # network is to pay for its own.
            with suppress(AttributeError):
                torch._C._cuda_clearCublasWorkspaces()
            torch.cuda.empty_cache()
            self._before = torch.cuda.memory_allocated(device)
        else:
            _give_back()
            self._before = _status("VmRSS")

    def restart(self) -> None:
        """Forget the highest count so far: passes begin now."""
        if self.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            with suppress(OSError):
                (PROCESS / "clear_refs").write_text("5")

    def read(self, allocated: int | None = None) -> Memory:
        """The highest counts since :meth:`restart`; ``allocated`` is a CPU's allocator's."""
        if self.device.type == "cpu":
            return Memory(
                allocator_bytes=allocated,
                resident_bytes=_status("VmHWM"),
                resident_before_bytes=self._before,
            )
        import torch

        assert self._before is not None
        numbers = torch.cuda.memory_stats(self.device)
        return Memory(
            allocator_bytes=torch.cuda.max_memory_allocated(self.device) - self._before,
            requested_bytes=numbers.get("requested_bytes.all.peak"),
            reserved_bytes=torch.cuda.max_memory_reserved(self.device),
        )


def allocated_peak(call: Callable[[], object]) -> int:
    """The most bytes that torch's CPU allocator had given out for ``call`` at one time, exactly:
    the running sum of what its profiler tells of every allocation and release.

    Everything that torch takes for the computation is in it: tensors, the copies in other layouts
    that oneDNN makes, workspaces. What was there before is not.
    """
    # Kineto tells of its own start and end on stderr, at any level below this.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    import torch
    from torch.profiler import ProfilerActivity, profile

    with (
        torch.inference_mode(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=False) as told,
    ):
        call()
    results = told.profiler.kineto_results if told.profiler else None
    assert results is not None
    changes = [(e.start_ns(), e.nbytes()) for e in results.events() if e.name() == "[memory]"]
    changes.sort(key=lambda change: change[0])
    peak: int = max(accumulate((nbytes for _, nbytes in changes), initial=0))
    return peak


def available_bytes() -> int | None:
    """Bytes of memory that this process could still take; None where nobody says."""
    found = []
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # "max" is no number: no limit
        limit = int((GROUP / "memory.max").read_text())
        found.append(limit - int((GROUP / "memory.current").read_text()))
    return min(found, default=None)


def _status(key: str) -> int | None:
    """Bytes that the kernel tells of this process under ``key``; None where it tells nothing."""
    with suppress(OSError, ValueError):
        for line in (PROCESS / "status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return None


def _give_back() -> None:
    """Let the C library return what was freed, so that it is not taken for somebody's."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
