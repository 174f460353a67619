"""Times of single kernels that others measured and printed, as data: matrix products, convolutions.

They are what efficiencies of devices that nobody has at hand can be fitted on: no network is
among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

from archcost.published.files import NOT_AS_MEANT, PublishedError, documents

KernelOp = Literal["gemm", "conv"]

DIMS: Final[dict[KernelOp, tuple[str, ...]]] = {
    "gemm": ("m", "n", "k", "a_transposed", "b_transposed"),
    "conv": (
        "batch",
        "in_channels",
        "in_height",
        "in_width",
        "out_channels",
        "kernel_height",
        "kernel_width",
        "padding_height",
        "padding_width",
        "stride_height",
        "stride_width",
    ),
}
"""The sizes that a kernel of each kind has, in the order of the data's rows.

A product is ``op(A) (m x k) times op(B) (k x n)`` of matrices stored by column, as BLAS has
them; ``a_transposed`` is 1 where ``A`` is stored as k x m.
"""


class KernelTime(NamedTuple):
    """One printed time of one kernel on one device.

    ``dims`` holds the sizes that :data:`DIMS` names. ``source`` says where the number stands;
    ``software`` what ran.
    """

    device: str
    op: KernelOp
    dtype: str
    dims: Mapping[str, int]
    seconds: float
    source: str
    software: str

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the kernel, padding counted as input."""
        return kernel_macs(self.op, self.dims)

    @property
    def out_elements(self) -> int:
        """Elements that the kernel writes."""
        return out_elements(self.op, self.dims)


def out_elements(op: KernelOp, dims: Mapping[str, int]) -> int:
    """Elements that a kernel of these sizes writes."""
    if op == "gemm":
        return dims["m"] * dims["n"]
    spatial = 1
    for side in ("height", "width"):
        room = dims[f"in_{side}"] + 2 * dims[f"padding_{side}"] - dims[f"kernel_{side}"]
        spatial *= room // dims[f"stride_{side}"] + 1
    return dims["batch"] * dims["out_channels"] * spatial


def kernel_macs(op: KernelOp, dims: Mapping[str, int]) -> int:
    """Multiply-accumulates of a kernel of these sizes, padding counted as input."""
    if op == "gemm":
        return dims["m"] * dims["n"] * dims["k"]
    window = dims["in_channels"] * dims["kernel_height"] * dims["kernel_width"]
    return out_elements(op, dims) * window


def kernels(device: str | None = None, op: KernelOp | None = None) -> tuple[KernelTime, ...]:
    """All published kernel times, or those of one device (by name) or of one kind.

    Raises:
        PublishedError: a file of kernels is broken.
    """
    return tuple(
        kernel
        for kernel in _everything()
        if device in (None, kernel.device) and op in (None, kernel.op)
    )


@lru_cache(maxsize=1)
def _everything() -> tuple[KernelTime, ...]:
    """All kernel times, by file, kind, column and row."""
    return tuple(
        kernel for path, document in documents("kernels") for kernel in _times(path, document)
    )


def _times(path: Path, document: Any) -> Iterator[KernelTime]:
    try:
        url, unit = document["source"]["url"], document.get("unit", "ms")
        for op in get_args(KernelOp):
            rows = document.get(op, {"rows": ()})["rows"]
            sizes = [dict(zip(DIMS[op], dims, strict=True)) for dims, _ in rows]
            for index, column in enumerate(document["columns"]):
                source = f"{url}/{column['file']} ({column['sheet']})"
                for dims, (_, numbers) in zip(sizes, rows, strict=True):
                    if (number := numbers[index]) is not None:
                        yield KernelTime(
                            device=column["device"],
                            op=op,
                            dtype=column["dtype"],
                            dims=dims,
                            seconds=_seconds(number, unit, 2 * kernel_macs(op, dims)),
                            source=source,
                            software=column["software"],
                        )
    except NOT_AS_MEANT as error:
        raise PublishedError(f"{path.name}: {error!r:.200}") from None


def _seconds(number: float, unit: str, flops: int) -> float:
    """``number`` milliseconds, or the time of ``flops`` at ``number`` TFLOP/s."""
    if unit == "TFLOP/s":
        return flops / (number * 1e12)
    if unit == "ms":
        return number / 1e3
    raise ValueError(f"no unit {unit!r}")
