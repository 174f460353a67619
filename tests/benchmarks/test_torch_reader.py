"""A torch.nn.Module read and analysed, beside what torch's own counter takes on the same one."""

from __future__ import annotations

import pytest
from timing import Ratio, interleaved, milliseconds, number, ratio, show, versions

import archcost

torch = pytest.importorskip("torch")

ROUNDS = 8
INPUT = (1, 3, 224, 224)
BLOCKS = (100, 1_000)
GROWTH_BAR = 1.5


def analyse(graph):
    """Everything that a report shows, really worked out."""
    result = archcost.analyze(graph)
    for row in result.layers:
        _ = row.params, row.macs, row.flops, row.activations, row.receptive_field
    return result.totals


def models():
    """Name -> module, none of which has memory."""
    from torch_models import MobileNetV2, ResNet, ViT

    with torch.device("meta"):
        return {
            "ResNet-50": ResNet((3, 4, 6, 3)).eval(),
            "ResNet-152": ResNet().eval(),
            "MobileNetV2": MobileNetV2().eval(),
            "ViT-B/16": ViT().eval(),
        }


def test_reading_against_torchs_counter():
    from torch.utils.flop_counter import FlopCounterMode

    image = torch.empty(INPUT, device="meta")

    def counted(module):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(image)
        return counter.get_total_flops()

    rows = []
    for name, module in models().items():
        graph = archcost.load(module, inputs=INPUT[1:])
        totals = analyse(graph)
        assert totals.params == sum(p.numel() for p in module.parameters())
        assert 2 * totals.macs == counted(module)

        def read(module=module):
            return archcost.load(module, inputs=INPUT[1:])

        taken = interleaved(
            {
                "read": read,
                "both": lambda read=read: analyse(read()),
                "torch": lambda module=module: counted(module),
            },
            ROUNDS,
        )
        rows.append(
            (
                name,
                f"{len(graph):,}",
                f"{number(totals.macs / 1e9)} G",
                milliseconds(taken["read"].best),
                f"{milliseconds(taken['both'].best)} ({milliseconds(taken['both'].median)})",
                f"{milliseconds(taken['torch'].best)} ({milliseconds(taken['torch'].median)})",
                ratio(taken["torch"], taken["both"]),
            )
        )
    show(
        "A PyTorch module on meta tensors, warm: best (median)",
        (
            "model",
            "nodes",
            "MACs",
            "read",
            "read + analyse",
            "torch FlopCounterMode",
            "FlopCounterMode / (read + analyse)",
        ),
        rows,
        f"{ROUNDS} rounds, torch threads: {torch.get_num_threads()}; {versions('torch')}",
    )


def test_growth_with_blocks():
    from torch_models import Residual

    def chain(blocks):
        with torch.device("meta"):
            return torch.nn.Sequential(*[Residual() for _ in range(blocks)]).eval()

    chains = {blocks: chain(blocks) for blocks in BLOCKS}
    for blocks, module in chains.items():
        totals = analyse(archcost.load(module, inputs=(8, 16, 16)))
        assert totals.params == blocks * (8 * 8 * 9 + 8 + 16)
        assert totals.macs == blocks * 8 * 8 * 9 * 16 * 16
    taken = interleaved(
        {
            str(blocks): lambda module=module: analyse(archcost.load(module, inputs=(8, 16, 16)))
            for blocks, module in chains.items()
        },
        ROUNDS,
    )
    few, many = (taken[str(blocks)] for blocks in BLOCKS)
    whole = ratio(many, few)
    growth = Ratio(*(value * BLOCKS[0] / BLOCKS[1] for value in whole))
    show(
        "Growth: read + analyse, a block",
        ("blocks", "best", "median", "a block"),
        [
            (
                f"{blocks:,}",
                milliseconds(series.best),
                milliseconds(series.median),
                f"{number(series.best / blocks * 1e6)} us",
            )
            for blocks, series in zip(BLOCKS, (few, many), strict=True)
        ],
        f"a block of {BLOCKS[1]:,} to one of {BLOCKS[0]:,}: {growth}, bar <= {GROWTH_BAR}",
        f"{ROUNDS} rounds; {versions('torch')}",
    )
