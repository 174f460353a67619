"""Where passes are measured: the device, its driver and clocks, torch and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archcost import __version__
from archcost.measure.records import Environment, MeasureError
from archcost.targets import need_torch

if TYPE_CHECKING:
    import torch

CPUINFO: Final = Path("/proc/cpuinfo")
MEMINFO: Final = Path("/proc/meminfo")
FREQUENCIES: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq")
PATIENCE: Final = 20.0
"""Seconds that nvidia-smi has to answer."""
QUERIED: Final = {
    "driver_version": "driver",
    "clocks.sm": "sm_mhz",
    "clocks.mem": "memory_mhz",
    "clocks.max.sm": "max_sm_mhz",
    "clocks.max.mem": "max_memory_mhz",
    "pstate": "performance_state",
    "temperature.gpu": "celsius",
    "power.draw": "watts",
    "power.limit": "watts_limit",
    "utilization.gpu": "utilization_percent",
}
"""What nvidia-smi is asked, and under which name a record has the answer."""


def check_device(device: str) -> torch.device:
    """The device that ``device`` names.

    Raises:
        MeasureError: there is no such device here, or torch cannot use it.
        MissingFrameworkError: torch is not installed.
    """
    need_torch()
    import torch

    kind, colon, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
        raise MeasureError("device", f"no device {device!r:.60}; there are cpu, cuda and cuda:0 on")
    if kind == "cpu":
        if number not in ("", "0"):
            raise MeasureError("device", f"no device {device!r:.60}: all cores are one, cpu")
        return torch.device("cpu")
    if torch.version.cuda is None:
        raise MeasureError(
            "device", f"no CUDA: this PyTorch, {torch.__version__}, was built without it"
        )
    count = torch.cuda.device_count()
    if not torch.cuda.is_available() or not count:
        raise MeasureError("device", f"no CUDA device: {_why_none()}")
    if int(number or 0) >= count:
        known = ", ".join(f"cuda:{index}" for index in range(count))
        raise MeasureError("device", f"no device {device!r:.60}; there are: {known}")
    index = int(number) if number else torch.cuda.current_device()
    return torch.device("cuda", index)


def current(device: torch.device) -> AbstractContextManager[object]:
    """With this ``device`` is the one that events, streams and torch's timer mean; all cores are
    so anyway."""
    if device.type == "cpu":
        return nullcontext()
    import torch

    return torch.cuda.device(device)


def _why_none() -> str:
    """What torch says of CUDA where it has found none."""
    import torch

    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:  # torch raises what the driver made of it
        return str(error).splitlines()[0][:300]
    return "torch finds none"


def check_dtype(dtype: str, device: torch.device) -> None:
    """Raises MeasureError where ``device`` does not compute in ``dtype``."""
    import torch

    from archcost.targets.torch_operators import DTYPES

    if dtype not in DTYPES:
        raise MeasureError(
            "dtype", f"torch runs no network in {dtype}; there are: {', '.join(DTYPES)}"
        )
    if device.type == "cpu":
        if dtype == "tf32":
            raise MeasureError("dtype", "tf32 is computed by CUDA devices alone; a CPU has fp32")
        return
    capability = torch.cuda.get_device_capability(device)
    least = {"tf32": (8, 0), "bf16": (8, 0), "fp16": (5, 3)}.get(dtype, (0, 0))
    if capability < least:
        name = torch.cuda.get_device_name(device)
        raise MeasureError(
            "dtype",
            f"{name} has no units for {dtype}: its compute capability is "
            f"{'.'.join(map(str, capability))}, and {dtype} needs {'.'.join(map(str, least))}",
        )


def environment(device: torch.device, clocks: Mapping[str, Any]) -> Environment:
    """The device and the machine, with what :class:`Clocks` says of the clocks."""
    import torch

    told = dict(clocks)
    gpu = device.type == "cuda"
    about = torch.cuda.get_device_properties(device) if gpu else None
    version = torch.backends.cudnn.version() if gpu else None  # type: ignore[no-untyped-call]
    return Environment(
        device=about.name if about else cpu_name(),
        kind="gpu" if gpu else "cpu",
        memory_bytes=about.total_memory if about else _memory(),
        driver=told.pop("driver", None),
        cuda=torch.version.cuda if gpu else None,
        cudnn=str(version) if version is not None else None,
        capability=f"{about.major}.{about.minor}" if about else None,
        cpu=cpu_name(),
        cores=_cores(),
        system=platform.platform(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        archcost=__version__,
        threads=torch.get_num_threads(),
        settings=_settings(device),
        clocks=told,
    )


def _settings(device: torch.device) -> dict[str, Any]:
    """What torch was told that changes how fast it is."""
    import torch

    if device.type == "cpu":
        backends: Any = torch.backends
        return {
            "mkldnn": backends.mkldnn.is_available() and backends.mkldnn.enabled,
            "mkl": backends.mkl.is_available(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }
    cudnn = torch.backends.cudnn
    return {
        "cudnn": cudnn.enabled,
        "cudnn_benchmark": cudnn.benchmark,
        "cudnn_deterministic": cudnn.deterministic,
        "cudnn_allow_tf32": cudnn.allow_tf32,
        "matmul_allow_tf32": torch.backends.cuda.matmul.allow_tf32,
        "allocator": os.environ.get("PYTORCH_CUDA_ALLOC_CONF")
        or os.environ.get("PYTORCH_ALLOC_CONF")
        or "",
    }


class Clocks:
    """Asks for a device's clocks beside what runs meanwhile: nvidia-smi takes a while.

    It is started with the warm-up, and read when all is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._child = _ask(device) if device.type == "cuda" else None
        self._before = {} if self._child else cpu_clocks()

    def read(self) -> dict[str, Any]:
        """Names of :data:`QUERIED` -> values; what is not known is not there."""
        if self._child is None:
            return self._before
        try:
            text, _ = self._child.communicate(timeout=PATIENCE)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            self._child.kill()
            self._child.wait()
            return {}
        return answers(text) if self._child.returncode == 0 else {}


def _ask(device: torch.device) -> subprocess.Popen[str] | None:
    import torch

    # CUDA_VISIBLE_DEVICES gives devices other numbers than nvidia-smi has for them, and CUDA counts
    # from the fastest on: without an identity (torch < 2.4) only a single GPU is surely meant.
    identity = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    if identity is None and (torch.cuda.device_count() > 1 or "CUDA_VISIBLE_DEVICES" in os.environ):
        return None
    try:
        return subprocess.Popen(
            [
                "nvidia-smi",
                f"--id={0 if identity is None else f'GPU-{identity}'}",
                f"--query-gpu={','.join(QUERIED)}",
                "--format=csv,noheader,nounits",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return None


def answers(text: str) -> dict[str, Any]:
    """What nvidia-smi answered to :data:`QUERIED`, one line of values with commas between."""
    values = [
        value.strip() for value in text.strip().splitlines()[-1:] for value in value.split(",")
    ]
    found: dict[str, Any] = {}
    if len(values) != len(QUERIED):
        return found
    for name, value in zip(QUERIED.values(), values, strict=True):
        if value.startswith("[") or value in ("", "N/A"):  # [N/A], [Not Supported]
            continue
        try:
            found[name] = value if name == "driver" else float(value)
        except ValueError:
            found[name] = value
    return found


def cpu_clocks() -> dict[str, Any]:
    """What the system says of the processor's clocks now, and how busy it is."""
    found: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        mhz = [
            float(line.partition(":")[2])
            for line in CPUINFO.read_text().splitlines()
            if line.startswith("cpu MHz")
        ]
        if mhz:
            found |= {"cpu_mhz_least": min(mhz), "cpu_mhz_most": max(mhz)}
    for name, key in (("cpuinfo_max_freq", "cpu_mhz_limit"), ("scaling_cur_freq", "cpu0_mhz")):
        with suppress(OSError, ValueError):
            found[key] = int((FREQUENCIES / name).read_text()) / 1e3
    with suppress(OSError):
        found["governor"] = (FREQUENCIES / "scaling_governor").read_text().strip()
    with suppress(OSError, AttributeError):
        found["load"] = os.getloadavg()[0]
    return found


@cache
def cpu_name() -> str:
    """What the processor calls itself."""
    with suppress(OSError):
        for line in CPUINFO.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model") and value.strip():
                return value.strip()
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            told = subprocess.run(
                asked, capture_output=True, text=True, timeout=PATIENCE, check=True
            )
            return told.stdout.strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    """Cores that this process may use."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
