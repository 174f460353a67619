"""What the stored parameters take on a disk."""

from __future__ import annotations

from typing import Final

from archcost.ir import Graph

STORAGE_DTYPES: Final[dict[str, int]] = {
    "fp64": 64,
    "fp32": 32,
    "fp16": 16,
    "bf16": 16,
    "int8": 8,
    "int4": 4,
}
"""The precisions that reports list, and their bits."""


def storage_bytes(graph: Graph, bits: int, *, sparsity: float = 0.0, index_bits: int = 0) -> int:
    """Bytes of the parameters and buffers at ``bits`` bits an element; see :func:`packed_bytes`.

    A shared parameter is stored once.
    """
    params = sum(p.numel for p in graph.parameters if p.trainable)
    buffers = sum(p.numel for p in graph.parameters if not p.trainable)
    return packed_bytes(params, buffers, bits, sparsity=sparsity, index_bits=index_bits)


def packed_bytes(
    params: int, buffers: int, bits: int, *, sparsity: float = 0.0, index_bits: int = 0
) -> int:
    """Bytes of so many parameters and buffers, packed and rounded up to whole bytes.

    Scales, zero points, code books and a file's own headers are not counted.

    Args:
        params: trainable parameters.
        buffers: other stored values; they are never pruned.
        bits: bits of a stored value, 1 to 64.
        sparsity: share of the trainable parameters that are pruned and not stored, from 0 to
            below 1, taken as the decimal number that it prints as. The number of those left is
            rounded up.
        index_bits: bits stored beside each value that is left, to say where it stands (4 to 8 in
            Han et al. 2016, "Deep Compression", arXiv:1510.00149). Only used with ``sparsity``.

    Raises:
        ValueError: an argument out of its range.
    """
    if not 1 <= bits <= 64:
        raise ValueError(f"bits is 1 to 64, not {bits}")
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity is at least 0 and below 1, not {sparsity}")
    if not 0 <= index_bits <= 64:
        raise ValueError(f"index_bits is 0 to 64, not {index_bits}")
    kept, width = params, bits
    if sparsity:
        from decimal import Decimal

        # Exact for any size, and for the share as it is written: 0.7 is 7/10.
        numerator, denominator = Decimal(str(sparsity)).as_integer_ratio()
        kept = -(-params * (denominator - numerator) // denominator)
        width += index_bits
    return -(-(kept * width + buffers * bits) // 8)
