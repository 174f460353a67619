"""The zoo's site, opened from its folder. What its pages may not do is checked by ``watched``."""

from __future__ import annotations

import pytest
from command_line import call
from looking import PHONE, column, unnamed, weak_texts

import archcost
from archcost.sources.zoo import select

FAMILIES = ("vgg", "squeezenet")
DRAWN = "[data-figure][data-drawn]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site of two families."""
    path = tmp_path_factory.mktemp("site") / "zoo"
    families = [word for name in FAMILIES for word in ("--family", name)]
    result = call("zoo", "--format", "html", *families, "-o", str(path))
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def index(watched, folder):
    """The site's index; its links lead to its pages, which may load plotly.js beside them."""
    return watched.open(folder / "index.html", folder=folder)


def test_the_index_has_every_network(index):
    chosen = select(families=FAMILIES)
    names = column(index, "#networks-table", "name")
    assert sorted(names) == sorted(entry.name for entry in chosen)
    shown = dict(zip(names, column(index, "#networks-table", "params"), strict=True))
    params = {e.name: archcost.analyze(e.graph()).totals.params for e in chosen}
    assert shown == params


def test_every_link_leads_somewhere(index, folder):
    """Every page is come to from the index, and every address in them is there."""
    seen, todo = set(), [folder / "index.html"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        index.goto(path.as_uri())
        for address in index.evaluate("() => [...document.links].map((link) => link.href)"):
            if not address.startswith("file:"):
                assert address.startswith(("https://", "http://"))
                continue
            file, _, fragment = address.partition("#")
            found = folder / file.removeprefix(f"{folder.as_uri()}/")
            assert found.is_file(), address
            if found == path and fragment:
                assert index.locator(f"[id='{fragment}']").count() == 1
            todo.append(found)
    assert seen == {*folder.rglob("*.html")}


def test_from_the_index_to_a_page_to_its_neighbour_and_back(index):
    name = "squeezenet"
    index.fill("#filter", name)
    assert index.locator("#networks-table tbody tr:visible").count() > 0
    index.get_by_role("row").get_by_role("link").first.click()
    index.wait_for_selector("table#layers")
    title = index.inner_text("h1")
    index.click("[rel=next]")
    assert index.inner_text("h1") != title
    index.click("[rel=prev]")
    assert index.inner_text("h1") == title
    index.click("[rel=up]")
    index.wait_for_selector("#networks-table")


def test_networks_are_sorted_by_the_keyboard(index):
    head = index.locator("#networks-table th[data-key=params]")
    head.get_by_role("button").focus()
    index.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    first = index.locator("#networks-table tbody tr").first
    assert "VGG-19" in first.inner_text()


def test_figures_share_a_plotly(index, folder):
    index.wait_for_selector(DRAWN, timeout=30_000)
    assert index.locator(f"{DRAWN} .point").count() > 5
    index.goto((folder / "networks" / "vgg11.html").as_uri())
    index.locator("[data-figure]").first.scroll_into_view_if_needed()
    index.wait_for_selector(DRAWN, timeout=30_000)


def test_a_point_leads_to_its_page(index):
    index.wait_for_selector(DRAWN, timeout=30_000)
    place = index.locator(DRAWN).first
    place.focus()
    index.keyboard.press("ArrowRight")
    said = place.locator("xpath=following-sibling::*[@role='status']").text_content()
    index.keyboard.press("Enter")
    index.wait_for_selector("table#layers")
    assert index.inner_text("h1").startswith(said.split(";")[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_index_can_be_read(index, scheme):
    index.emulate_media(color_scheme=scheme)
    assert unnamed(index) == []
    assert weak_texts(index) == {}


def test_the_site_fits_a_phone(watched, index, folder):
    watched.page.set_viewport_size(PHONE)
    for page in ("index.html", "networks/vgg11.html"):
        index.goto((folder / page).as_uri())
        assert index.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
