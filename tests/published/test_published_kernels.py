"""Published times of kernels: well-formed, and possible."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from archcost.hardware.files import find, names
from archcost.ir import TensorType
from archcost.ir.ops.convolution import Conv
from archcost.published import files
from archcost.published import kernels as module
from archcost.published.files import PublishedError
from archcost.published.kernels import DIMS, KernelTime, kernels

KERNELS = kernels()


def test_they_are_well_formed() -> None:
    assert len(KERNELS) > 2_500
    for kernel in KERNELS:
        assert tuple(kernel.dims) == DIMS[kernel.op]
        assert kernel.dtype in ("fp32", "fp16", "bf16")
        assert kernel.seconds > 0
        assert kernel.source.startswith("https://")
        assert kernel.software
        assert all(isinstance(size, int) and size >= 0 for size in kernel.dims.values())


def test_every_device_has_a_file() -> None:
    assert {kernel.device for kernel in KERNELS} <= set(names())


def test_every_column_has_every_kernel() -> None:
    """As many of each kind on every device and dtype of a file."""
    counts = Counter((k.source, k.op) for k in KERNELS if "DeepBench" in k.source)
    for op in DIMS:
        assert len({count for (_, kind), count in counts.items() if kind == op}) == 1


def test_selection() -> None:
    chosen = kernels("t4", "conv")
    assert {(k.device, k.op) for k in chosen} == {("t4", "conv")}
    assert 0 < len(chosen) < len(kernels("t4"))
    assert kernels("no-such-device") == ()


def test_no_product_is_faster_than_its_device() -> None:
    """Products have no shortcut; whoever swaps two columns or sizes is found."""
    for kernel in KERNELS:
        if kernel.op == "gemm":
            peak = find(kernel.device).peak
            # fp16 without units for it is computed in fp32.
            most = peak.get(kernel.dtype, peak["fp32"])
            assert 2 * kernel.macs / kernel.seconds < 1.15 * most, kernel


@pytest.mark.parametrize("kernel", kernels("v100-16gb", "conv")[::31], ids=lambda k: str(k.seconds))
def test_sizes_of_convolutions_are_those_of_the_operator(kernel: KernelTime) -> None:
    size = kernel.dims
    op = Conv(
        out=size["out_channels"],
        kernel=(size["kernel_height"], size["kernel_width"]),
        stride=(size["stride_height"], size["stride_width"]),
        padding=(size["padding_height"], size["padding_width"]),
    )
    shape = (size["batch"], size["in_channels"], size["in_height"], size["in_width"])
    (output,) = op.infer((TensorType(shape),))
    assert output.numel == kernel.out_elements


def test_a_broken_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "source: {url: 'https://x', title: x}\nunit: furlongs\n"
        "columns: [{device: t4, dtype: fp32, file: f, sheet: s, software: s}]\n"
        "gemm: {rows: [[[1, 1, 1, 0, 0], [1.0]]]}\n"
    )
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "broken.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(files, "__file__", str(tmp_path / "files.py"))
    module._everything.cache_clear()
    with pytest.raises(PublishedError, match=r"broken\.yaml: .*furlongs"):
        kernels()
    module._everything.cache_clear()
