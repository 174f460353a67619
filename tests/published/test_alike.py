"""The appendix's networks counted alike."""

from __future__ import annotations

import archcost
from archcost.published.alike import Alike, appendix_alike
from archcost.published.tables import select_tables
from archcost.published.verdicts import judge

(APPENDIX,) = select_tables(("simplenet/appendix",))
VERDICTS = [judge(APPENDIX, cell) for cell in APPENDIX.cells]
NETWORKS = {network.row: network for network in appendix_alike(VERDICTS)}


def test_every_row_and_simplenet_for_imagenet() -> None:
    assert list(NETWORKS) == [*APPENDIX.rows, "SimpleNet for ImageNet"]
    last = NETWORKS["SimpleNet for ImageNet"]
    totals = archcost.analyze(archcost.load("simplenet-imagenet")).totals
    assert (last.macs, last.flops, last.params) == (totals.macs, totals.flops, totals.params)
    assert last.input == (3, 227, 227)


def test_who_is_charged_for_normalisation() -> None:
    charged = {row: network.charged for row, network in NETWORKS.items()}
    assert charged["ResNet-50"] is True
    assert charged["SimpleNet"] is False
    assert charged["VGG16"] is None


def test_normalised_elements_of_alexnet() -> None:
    # Two local response normalisations: behind conv1 (96 maps of 55x55) and conv2 (256 of 27x27).
    assert NETWORKS["AlexNet"].normalised == 96 * 55 * 55 + 256 * 27 * 27
    assert NETWORKS["VGG16"].normalised == 0


def test_the_convention_ignores_groups() -> None:
    assert [row for row, network in NETWORKS.items() if network.ungrouped] == ["AlexNet"]
    assert all(network.ungrouped is not False for network in NETWORKS.values())


def test_macs_a_pixel() -> None:
    network = Alike("x", (3, 4, 5), 0, None, None, {}, 600, 0, 0)
    assert network.pixel_macs == 30


def test_nothing_is_left_out_of_what_is_counted() -> None:
    for row, network in NETWORKS.items():
        assert network.counted["add"] >= network.normalised, row
