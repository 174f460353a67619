"""What NVIDIA's tools and torch print on machines with a GPU, as others recorded it in public."""

from __future__ import annotations

from types import SimpleNamespace

OUT_OF_MEMORY = (
    # torch 1.0; https://github.com/pytorch/pytorch/issues/16417, its title
    (
        "CUDA out of memory. Tried to allocate 12.50 MiB (GPU 0; 10.92 GiB total capacity; "
        "8.57 MiB already allocated; 9.28 GiB free; 4.68 MiB cached)"
    ),
    # torch 1.13 or 2.0; https://github.com/One-2-3-45/One-2-3-45/issues/25
    (
        "CUDA out of memory. Tried to allocate 1.69 GiB (GPU 0; 14.56 GiB total capacity; "
        "649.97 MiB already allocated; 1.31 GiB free; 1.01 GiB reserved in total by PyTorch) "
        "If reserved memory is >> allocated memory try setting max_split_size_mb to avoid "
        "fragmentation.  See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF"
    ),
    # torch 2.1; https://github.com/wxian3/NeuroLens/issues/2
    (
        "CUDA out of memory. Tried to allocate 55.57 GiB. GPU 0 has a total capacty of 12.00 "
        "GiB of which 9.02 GiB is free. Of the allocated memory 984.52 MiB is allocated by "
        "PyTorch, and 463.48 MiB is reserved by PyTorch but unallocated. If reserved but "
        "unallocated memory is large try setting max_split_size_mb to avoid fragmentation.  "
        "See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF"
    ),
    # torch 2.2; https://github.com/pytorch/pytorch/issues/16417, a comment of 2024-03-13
    (
        "CUDA out of memory. Tried to allocate 22.00 MiB. GPU 0 has a total capacity of "
        "23.65 GiB of which 11.06 MiB is free. Including non-PyTorch memory, this process "
        "has 23.60 GiB memory in use. Of the allocated memory 22.90 GiB is allocated by "
        "PyTorch, and 194.87 MiB is reserved by PyTorch but unallocated. If reserved but "
        "unallocated memory is large try setting "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See "
        "documentation for Memory Management  "
        "(https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
    ),
)

# RuntimeErrors that are about memory all the same, with the lines that follow.
ALSO_OUT_OF_MEMORY = (
    # https://github.com/QwenLM/Qwen3/issues/873
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    # torch.AcceleratorError, https://github.com/deepbeepmeep/Wan2GP/issues/1083
    (
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at "
        "some other API call, so the stacktrace below might be incorrect.\nFor debugging "
        "consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable "
        "device-side assertions."
    ),
)

# One answer of `nvidia-smi --query-gpu=... --format=csv,noheader,nounits`, field by field, while
# the GPU worked; https://github.com/Ricks-Lab/gpu-utils/issues/83
RTX_2080 = {
    "power.limit": "200.00",
    "power.min_limit": "105.00",
    "power.max_limit": "292.00",
    "memory.total": "7979",
    "vbios_version": "90.04.23.00.5F",
    "driver_version": "440.64",
    "name": "GeForce RTX 2080",
    "power.draw": "176.98",
    "temperature.gpu": "45",
    "temperature.memory": "N/A",
    "clocks.current.graphics": "1965",
    "clocks.current.sm": "1965",
    "clocks.current.memory": "7199",
    "utilization.gpu": "86",
    "utilization.memory": "55",
    "fan.speed": "100",
    "pcie.link.width.current": "8",
    "pstate": "P2",
}
# The same query with units; https://github.com/lestofante/ksysguard-gpu/issues/27
WITH_UNITS = {
    "index": "0",
    "temperature.gpu": "56",
    "utilization.gpu": "26 %",
    "utilization.memory": "4 %",
    "fan.speed": "34 %",
    "pstate": "P3",
    "power.draw": "83.92 W",
    "clocks.current.sm": "1320 MHz",
    "clocks.current.memory": "5001 MHz",
    "clocks.current.graphics": "1320 MHz",
}
# nvidia-smi's own second names of fields (`nvidia-smi --help-query-gpu`, as quoted in
# https://github.com/netdata/netdata/issues/10362)
SYNONYMS = {
    "clocks.gr": "clocks.current.graphics",
    "clocks.sm": "clocks.current.sm",
    "clocks.mem": "clocks.current.memory",
}

MIB = 2**20
# _CudaDeviceProperties(name='NVIDIA A100 80GB PCIe', major=8, minor=0, total_memory=81153MB,
# multi_processor_count=108, uuid=ffc79498-..., L2_cache_size=40MB), as torch 2.9 prints it;
# https://github.com/intel/torch-xpu-ops/issues/1955
A100 = SimpleNamespace(
    name="NVIDIA A100 80GB PCIe",
    major=8,
    minor=0,
    total_memory=81153 * MIB,
    multi_processor_count=108,
    L2_cache_size=40 * MIB,
    uuid="ffc79498-8ff3-c2dc-3b0d-fafd804516ae",
)
# _CudaDeviceProperties(name='Tesla P100-PCIE-16GB', major=6, minor=0, total_memory=16280MB,
# multi_processor_count=56), as older releases print it, which know neither uuid nor
# L2_cache_size: seen with torch 1.8.0+cu101 in many notebooks
P100 = SimpleNamespace(
    name="Tesla P100-PCIE-16GB",
    major=6,
    minor=0,
    total_memory=16280 * MIB,
    multi_processor_count=56,
)
