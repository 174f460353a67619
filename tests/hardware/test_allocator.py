"""The caching allocator, against what torch's documentation and source say of it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from archcost.hardware.allocator import KIB, MIB, CachingAllocator


def test_nothing_is_nothing():
    allocator = CachingAllocator()
    assert allocator.allocate(0) is None
    allocator.free(None)
    assert allocator.allocated == allocator.reserved == 0


@pytest.mark.parametrize(
    ("nbytes", "allocated", "reserved"),
    [
        (1, 512, 2 * MIB),
        (512, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        # A segment of its own in whole 2 MiB; up to 1 MiB that is left belongs to the request.
        (10 * MIB, 10 * MIB, 10 * MIB),
        (11 * MIB, 12 * MIB, 12 * MIB),
        (10 * MIB + 512, 10 * MIB + 512, 12 * MIB),
    ],
)
def test_one_request(nbytes, allocated, reserved):
    allocator = CachingAllocator()
    allocator.allocate(nbytes)
    assert (allocator.allocated, allocator.reserved) == (allocated, reserved)


def test_small_requests_share_a_segment():
    allocator = CachingAllocator()
    for _ in range(2 * MIB // 512):
        allocator.allocate(100)
    assert allocator.reserved == allocator.allocated == 2 * MIB
    allocator.allocate(100)
    assert allocator.reserved == 4 * MIB


def test_freed_blocks_are_taken_again_and_joined():
    allocator = CachingAllocator()
    first, second = allocator.allocate(4 * MIB), allocator.allocate(4 * MIB)
    allocator.free(first)
    allocator.free(second)
    assert allocator.allocated == 0
    allocator.allocate(9 * MIB)  # only fits where both were, joined
    assert allocator.reserved == 20 * MIB
    assert allocator.peak_allocated == 9 * MIB


def test_the_smallest_block_that_fits_is_taken_whole_where_little_is_left():
    allocator = CachingAllocator()
    large = allocator.allocate(14 * MIB)
    small = allocator.allocate(12 * MIB)
    allocator.free(large)
    allocator.free(small)
    allocator.allocate(11 * MIB + 512)
    # Of 12 MiB less than 1 MiB would be left.
    assert allocator.allocated == 12 * MIB
    assert allocator.reserved == 26 * MIB


def test_whatever_is_freed_is_there_again():
    allocator = CachingAllocator()
    generator = random.Random(7)
    held = []
    for _ in range(3000):
        if held and generator.random() < 0.5:
            allocator.free(held.pop(generator.randrange(len(held))))
        else:
            held.append(allocator.allocate(generator.choice([1, 700, 90 * KIB, MIB, 3 * MIB])))
        assert allocator.allocated == sum(block.size for block in held)
        assert allocator.allocated <= allocator.peak_allocated <= allocator.reserved
    places = sorted((block.address, block.size) for block in held)
    assert all(a + size <= b for (a, size), (b, _) in pairwise(places))
    for block in held:
        allocator.free(block)
    assert allocator.allocated == 0
    free = sum(size for sizes in allocator._free.values() for size, _ in sizes)
    assert free == allocator.reserved
    segments = sum(len(sizes) for sizes in allocator._free.values())
    assert segments == sum(
        1 for block in allocator._blocks.values() if block.before is None and block.after is None
    )
