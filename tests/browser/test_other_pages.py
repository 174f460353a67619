"""The pages of comparisons and of tables. What they may not do is checked by ``watched``."""

from __future__ import annotations

import pytest
from looking import PHONE, background, brightness, column, order, unnamed, weak_texts

import archcost

NETWORKS = ("simplenet", "vgg16", "resnet18", "squeezenet")
PAGES = {
    "compare": ("compare", *NETWORKS),
    "layers": ("compare", "simplenet", "simplenet-310k", "--layers"),
    "conventions": ("conventions", "simplenet"),
    "all conventions": ("conventions",),
    "zoo": ("zoo", "list", "--family", "resnet"),
    "operators": ("operators",),
    "reproduce": ("reproduce", "simplenet"),
    "claims": ("reproduce", "--claims"),
}
EVERY = pytest.mark.parametrize("name", PAGES)


@pytest.fixture
def opened(watched, written):
    """Opens the page that a command writes."""

    def open_(name):
        return watched.open(written(*PAGES[name], statuses=(0, 1)))

    return open_


@EVERY
def test_every_page_can_be_read(opened, name):
    page = opened(name)
    assert page.title()
    assert page.locator("h1").count() == 1
    assert unnamed(page) == []
    for scheme, least, most in (("light", 0.8, 1), ("dark", 0, 0.2)):
        page.emulate_media(color_scheme=scheme)
        assert least <= brightness(background(page)) <= most
        assert weak_texts(page) == {}
    page.click("#theme")
    assert brightness(background(page)) > 0.8


@EVERY
def test_every_page_fits_a_phone_and_paper(watched, opened, name):
    watched.page.set_viewport_size(PHONE)
    page = opened(name)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    page.emulate_media(media="print")
    assert not page.is_visible("#theme")
    assert page.pdf().startswith(b"%PDF")


def test_networks_are_sorted(opened):
    page = opened("compare")
    params = {name: archcost.analyze(archcost.load(name)).totals.params for name in NETWORKS}
    assert page.locator("#compared tbody tr").count() == len(NETWORKS)
    page.locator("#compared th[data-key=params] button").click()
    assert order(page, "#compared", "params") in ("ascending", "descending")
    found = column(page, "#compared", "params")
    assert found in (sorted(params.values()), sorted(params.values(), reverse=True))
    first = page.locator("#compared tbody tr").first
    assert params[first.get_attribute("data-name")] == found[0]


def test_networks_are_filtered(opened):
    page = opened("zoo")
    table = "table[data-sortable]"
    every = column(page, table, "name")
    page.fill("#filter", "resnet1001")
    assert column(page, table, "name") == [name for name in every if "resnet1001" in name]
    assert f"of {len(every)}" in page.inner_text("#filter-count")


def test_figures_of_networks(opened):
    page = opened("compare")
    figures = page.locator("[data-figure]")
    assert figures.count() >= 1
    for place in range(figures.count()):
        figures.nth(place).scroll_into_view_if_needed()
        figures.nth(place).locator(".main-svg").first.wait_for(timeout=30_000)


def test_on_a_phone_every_bar_says_its_value(watched, opened):
    watched.page.set_viewport_size(PHONE)
    page = opened("compare")
    totals = page.locator("[data-figure]", has=page.locator(".bars")).first
    for place in range(page.locator("[data-figure]").count()):
        page.locator("[data-figure]").nth(place).scroll_into_view_if_needed()
        page.locator("[data-figure] .main-svg").nth(place).wait_for(timeout=30_000)
    labels = totals.locator(".textpoint text")
    assert labels.count() == 4 * len(NETWORKS)
    for box in (label.bounding_box() for label in labels.all()):
        assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
    assert [label for label in labels.all() if not label.is_visible()] == []
