"""What torch's CUDA caching allocator hands out for given requests, followed block by block.

The rules are those of ``c10/cuda/CUDACachingAllocator.cpp`` with its default settings (sizes:
``c10/core/AllocatorConfig.h``), on one stream. A request is rounded up to whole blocks of 512
bytes. Requests up to 1 MiB are cut from segments of 2 MiB, those below 10 MiB from segments of
20 MiB, larger ones get a segment of their own, rounded up to whole 2 MiB. The smallest free block
that is large enough is taken. What is left of it becomes a free block where it is worth one: 512
bytes in a small segment, more than 1 MiB in a large one; else it belongs to the request, and counts
as allocated. Freed blocks next to each other are joined.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
BLOCK: Final = 512
LARGEST_SMALL: Final = MIB
SMALL_SEGMENT: Final = 2 * MIB
LARGE_SEGMENT: Final = 20 * MIB
OWN_SEGMENT: Final = 10 * MIB
"""Requests of this size on have a segment of their own."""
OWN_SEGMENT_UNIT: Final = 2 * MIB


class Block:
    """A stretch of a segment, and its neighbours there."""

    __slots__ = ("address", "after", "before", "free", "size", "small")

    def __init__(self, address: int, size: int, small: bool) -> None:
        self.address = address
        self.size = size
        self.small = small
        self.free = False
        self.before: Block | None = None
        self.after: Block | None = None


class CachingAllocator:
    """``allocated``: bytes of the blocks in use; ``reserved``: of all segments; and their peaks."""

    def __init__(self) -> None:
        self.allocated = self.peak_allocated = 0
        self.reserved = 0  # segments are kept: this is its own peak
        self._free: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._blocks: dict[int, Block] = {}

    def allocate(self, nbytes: int) -> Block | None:
        """A block for ``nbytes``; None for nothing."""
        if nbytes <= 0:
            return None
        size = -(-nbytes // BLOCK) * BLOCK
        small = size <= LARGEST_SMALL
        block = self._found(size, small) or self._segment(size, small)
        left = block.size - size
        if left >= BLOCK if small else left > LARGEST_SMALL:
            self._split(block, size)
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block

    def free(self, block: Block | None) -> None:
        """Give ``block`` back."""
        if block is None:
            return
        self.allocated -= block.size
        if block.before is not None and block.before.free:
            block = self._joined(block.before, block)
        if block.after is not None and block.after.free:
            block = self._joined(block, block.after)
        self._keep(block)

    def _found(self, size: int, small: bool) -> Block | None:
        free = self._free[small]
        index = bisect_left(free, (size, 0))
        if index == len(free):
            return None
        _, address = free.pop(index)
        block = self._blocks.pop(address)
        block.free = False
        return block

    def _segment(self, size: int, small: bool) -> Block:
        if small:
            whole = SMALL_SEGMENT
        elif size < OWN_SEGMENT:
            whole = LARGE_SEGMENT
        else:
            whole = -(-size // OWN_SEGMENT_UNIT) * OWN_SEGMENT_UNIT
        block = Block(self.reserved, whole, small)
        self.reserved += whole
        return block

    def _split(self, block: Block, size: int) -> None:
        rest = Block(block.address + size, block.size - size, block.small)
        block.size = size
        rest.before, rest.after = block, block.after
        if rest.after is not None:
            rest.after.before = rest
        block.after = rest
        self._keep(rest)

    def _joined(self, first: Block, second: Block) -> Block:
        for block in (first, second):
            if block.free:
                free = self._free[block.small]
                del free[bisect_left(free, (block.size, block.address))]
                del self._blocks[block.address]
                block.free = False
        first.size += second.size
        first.after = second.after
        if first.after is not None:
            first.after.before = first
        return first

    def _keep(self, block: Block) -> None:
        block.free = True
        insort(self._free[block.small], (block.size, block.address))
        self._blocks[block.address] = block
