"""The page about one network, used as a person uses it.

That it asks for no other file, says nothing on the console and opens nothing is checked at the end
of every test (``watched``). ``archcost/page/templates/report.html`` lists the elements' names.
"""

from __future__ import annotations

import json
import re

import pytest
from looking import PHONE, VISIBLE, background, brightness, column, order, unnamed, weak_texts
from watching import Watched

import archcost
from archcost.report import model_report

NETWORK = "simplenet"


@pytest.fixture(scope="module")
def analysis():
    return archcost.analyze(archcost.load(NETWORK))


@pytest.fixture
def page(watched, written):
    """The page of :data:`NETWORK`, its rows the layers."""
    page = watched.open(written("report", NETWORK, "--by", "layer"))
    assert page.title().startswith("SimpleNet")
    return page


def shown(page, selector):
    """The texts of those elements that can be seen."""
    return [e.inner_text() for e in page.query_selector_all(selector) if e.evaluate(VISIBLE)]


def box_of(page, place):
    """The id of the box in sight that stands for the layer at ``place``."""
    boxes = json.loads(page.text_content("#boxes"))
    level = page.get_attribute(".drawing:not([hidden])", "data-level")
    mine = [
        id_
        for id_, box in boxes.items()
        if id_.startswith(f"{level}-") and place in places(box["layers"])
    ]
    assert len(mine) == 1
    return mine[0]


def places(text):
    """``0-2,5`` -> 0, 1, 2, 5."""
    parts = [[int(end) for end in part.split("-")] for part in text.split(",") if part]
    return {place for part in parts for place in range(part[0], part[-1] + 1)}


def selected(page):
    """The places of the layers whose rows are selected in the table of layers."""
    rows = page.query_selector_all("#layers tbody tr.selected")
    return {place for row in rows for place in places(row.get_attribute("data-layers"))}


# --- what it says ---------------------------------------------------------------------------------


def test_what_it_says_first(page, analysis):
    totals = analysis.totals
    assert page.inner_text("h1").startswith("SimpleNet")
    cards = " ".join(shown(page, "#summary .card"))
    for number in (totals.params, totals.macs, totals.flops, totals.activations):
        assert f"{number:,}" in cards
    assert column(page, "#layers", "name") == [row.name for row in analysis.layers]
    assert f"archcost report {NETWORK}" in page.inner_text("#command")


def test_every_way_to_group_is_there(page):
    options = {o.get_attribute("value") for o in page.query_selector_all("#view option")}
    for by in options:
        page.select_option("#view", by)
        (view,) = (v for v in page.query_selector_all(".view") if v.evaluate(VISIBLE))
        assert view.get_attribute("data-by") == by
        table = model_report(archcost.analyze(archcost.load(NETWORK)), by=by).table
        assert len(view.query_selector_all("tbody tr")) == len(table.rows)
    assert options == {"layer", "block", "stage", "op"} & options | {"layer"}


# --- the table ------------------------------------------------------------------------------------


def test_a_column_is_sorted(page, analysis):
    before = column(page, "#layers", "name")
    macs = [row.macs for row in analysis.layers]
    button = page.locator("#layers th[data-key=macs] button")
    assert order(page, "#layers", "macs") == "none"
    button.click()
    assert order(page, "#layers", "macs") == "descending"
    assert [m or 0 for m in numbers(column(page, "#layers", "macs"))] == sorted(macs, reverse=True)
    button.click()
    assert order(page, "#layers", "macs") == "ascending"
    assert [m or 0 for m in numbers(column(page, "#layers", "macs"))] == sorted(macs)
    button.click()
    assert order(page, "#layers", "macs") == "none"
    assert column(page, "#layers", "name") == before


def numbers(cells):
    return [cell if isinstance(cell, int | float) else 0 for cell in cells]


def test_a_name_is_sorted_by_its_letters(page, analysis):
    page.locator("#layers th[data-key=op] button").click()
    assert order(page, "#layers", "op") == "ascending"
    assert column(page, "#layers", "op") == sorted(row.op for row in analysis.layers)


def test_rows_are_filtered(page, analysis):
    total = len(analysis.layers)
    assert str(total) in page.inner_text("#filter-count")
    page.fill("#filter", "conv")
    kept = column(page, "#layers", "name")
    convs = [row.name for row in analysis.layers if row.op == "conv"]
    assert {*convs} <= {*kept}
    assert len(kept) < total
    assert f"{len(kept)} of {total}" in page.inner_text("#filter-count")
    page.fill("#filter", "no such layer")
    assert column(page, "#layers", "name") == []
    page.fill("#filter", "")
    assert len(column(page, "#layers", "name")) == total


@pytest.mark.parametrize("text", ["(", ".*", "\\", "<b>", "constructor", "CONV"])
def test_the_filter_takes_letters_for_letters(page, analysis, text):
    page.fill("#filter", text)
    rows = page.query_selector_all("#layers tbody tr:not([hidden])")
    assert all(text.lower() in row.text_content().lower() for row in rows)
    assert bool(rows) == (text == "CONV")


# --- the diagram ----------------------------------------------------------------------------------


def test_pointing_at_a_box_shows_its_layer(page, analysis):
    place, row = max(enumerate(analysis.layers), key=lambda each: each[1].macs)
    box = page.locator(f"#{box_of(page, place)}")
    assert not page.is_visible("#tip")
    box.scroll_into_view_if_needed()
    box.hover()
    assert page.is_visible("#tip")
    assert "MACs" in page.inner_text("#tip")
    assert row.name.split("/")[0] in page.inner_text("#tip")
    page.mouse.move(2, 2)
    assert not page.is_visible("#tip")


def test_a_click_on_a_box_selects_its_rows_and_back(page):
    id_ = box_of(page, 0)
    box = page.locator(f"#{id_}")
    wanted = places(json.loads(page.text_content("#boxes"))[id_]["layers"])
    box.click()
    assert selected(page) == wanted
    assert box.get_attribute("aria-pressed") == "true"
    box.click()
    assert selected(page) == set()
    row = page.locator("#layers tbody tr").nth(max(wanted))
    row.click()
    assert selected(page) == {max(wanted)}
    assert box.get_attribute("aria-pressed") == "true"


def test_it_is_zoomed_and_moved(page):
    def seen():
        box = page.get_attribute(".drawing:not([hidden]) svg", "viewBox")
        return [float(number) for number in box.split()]

    begin = seen()
    page.click("#zoom-in")
    nearer = seen()
    assert nearer[2] < begin[2]
    page.click("#zoom-out")
    assert seen()[2] == pytest.approx(begin[2], rel=1e-3)
    page.focus("#diagram")
    page.keyboard.press("+")
    page.keyboard.press("+")
    before = seen()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = seen()
    assert after[0] > before[0]
    assert after[1] > before[1]
    page.hover("#diagram", position={"x": 30, "y": 30})
    frame = page.locator("#diagram").bounding_box()
    x, y = frame["x"] + 30, frame["y"] + 30
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=4)
    page.mouse.up()
    assert seen()[0] < after[0]
    assert selected(page) == set()  # a drag is no click
    page.mouse.wheel(0, -200)  # does not wait for the page
    page.wait_for_function(
        "(before) => parseFloat(document.querySelector('.drawing:not([hidden]) svg')"
        ".getAttribute('viewBox').split(' ')[2]) < before",
        arg=after[2],
    )
    page.click("#zoom-fit")
    svg = page.locator(".drawing:not([hidden]) svg")
    for extent, name in zip(seen()[2:], ("width", "height"), strict=True):
        assert 1.01 * extent >= svg.evaluate(f"(svg) => svg.getBBox().{name}")


def test_levels(page):
    options = [o.get_attribute("value") for o in page.query_selector_all("#level option")]
    for level in options:
        page.select_option("#level", level)
        (drawing,) = (d for d in page.query_selector_all(".drawing") if d.evaluate(VISIBLE))
        assert drawing.get_attribute("data-level") == level


# --- without a mouse ------------------------------------------------------------------------------


def test_a_keyboard_is_enough(page):
    """Every control is reached with Tab; a box and a row are selected with Enter."""
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.id"))
    assert {"theme", "diagram", "zoom-in", "view", "filter"} <= {*reached}
    page.focus("#diagram")
    page.keyboard.press("Enter")
    first = page.evaluate("() => document.activeElement.id")
    assert first in json.loads(page.text_content("#boxes"))
    assert page.is_visible("#tip")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("() => document.activeElement.id")
    assert second != first
    page.keyboard.press("Enter")
    boxes = json.loads(page.text_content("#boxes"))
    assert selected(page) == places(boxes[second]["layers"])
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.id") == "diagram"

    page.focus("#layers tbody tr[tabindex='0']")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    last = len(page.query_selector_all("#layers tbody tr")) - 1
    assert selected(page) == {last - 1}
    page.focus("#layers th[data-key=params] button")
    page.keyboard.press("Space")
    assert order(page, "#layers", "params") == "descending"


def test_what_has_the_focus_can_be_seen(page):
    """A ring of a colour that differs from what is behind it."""
    for selector in ("#theme", "#filter", "#zoom-in", "#layers th[data-key=macs] button"):
        page.focus(selector)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        style = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        assert style[0] != "none"
        assert style[1] >= 1


def test_what_a_screen_reader_is_told(page):
    """One main heading, sections with names, controls with names, tables with heads."""
    tree = page.locator("body").aria_snapshot()
    assert tree.count("[level=1]") == 1
    for name in ("Summary", "Layers", "Conventions"):
        assert re.search(rf'heading "{name}" \[level=2\]', tree)
    for role in ("table", "columnheader", "rowheader", "searchbox", "combobox", "navigation"):
        assert f"- {role}" in tree
    assert unnamed(page) == []
    assert page.get_attribute("html", "lang") == "en"


# --- looks ----------------------------------------------------------------------------------------


def test_the_theme_is_switched(page):
    assert brightness(background(page)) > 0.8
    page.click("#theme")
    assert brightness(background(page)) < 0.2
    page.click("#theme")
    assert brightness(background(page)) > 0.8


def test_the_theme_of_the_system_is_taken(page):
    page.emulate_media(color_scheme="dark")
    assert brightness(background(page)) < 0.2
    page.click("#theme")
    assert brightness(background(page)) > 0.8


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(page, scheme):
    page.emulate_media(color_scheme=scheme)
    assert weak_texts(page) == {}


@pytest.mark.parametrize("network", [NETWORK, "googlenet", "resnet152"])
def test_a_phone_scrolls_down_only(watched, written, network):
    watched.page.set_viewport_size(PHONE)
    page = watched.open(written("report", network))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("h1").bounding_box()["width"] <= PHONE["width"]
    page.fill("#filter", "conv")
    assert page.is_visible("#filter-count")


def test_fingers_find_what_is_for_them(browser, written):
    with browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:
        watched = Watched(context)
        page = watched.open(written("report", NETWORK, "--by", "layer"))
        help_ = page.inner_text("#diagram-help")
        assert "finger" in help_
        assert "wheel" not in help_
        sort = page.locator("#layers th button")
        assert min(button.bounding_box()["height"] for button in sort.all()) >= 24
        # The names and their head stay where they are while the other columns are moved.
        scroll = page.locator("#layers").locator("xpath=ancestor::*[contains(@class, 'scroll')]")
        scroll.evaluate("(element) => { element.scrollLeft = 150 }")
        for cell in ("thead th", "tbody th"):
            offset = page.locator(f"#layers {cell}").first.bounding_box()["x"]
            assert offset - scroll.bounding_box()["x"] < 3
        watched.check()


def test_it_is_printed(page):
    """All rows, on white, without what only a screen can do."""
    page.emulate_media(color_scheme="dark", media="print")
    assert brightness(background(page)) > 0.8
    for control in ("#theme", "#filter", "#zoom-in", "#level"):
        assert not page.is_visible(control)
    assert page.is_visible("#layers tbody tr:last-child")
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") >= 1
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


# --- figures --------------------------------------------------------------------------------------


def test_figures_are_drawn_when_they_are_come_to(page):
    figures = page.locator("[data-figure]")
    assert figures.count() >= 3
    for place in range(figures.count()):
        figures.nth(place).scroll_into_view_if_needed()
        figures.nth(place).locator(".main-svg").first.wait_for(timeout=20_000)


def test_a_figure_is_of_the_theme(page):
    figure = page.locator("[data-figure]").first
    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg").first.wait_for(timeout=20_000)
    paper = "(figure) => figure.querySelector('.main-svg').style.background"
    light = figure.evaluate(paper)
    page.click("#theme")
    page.wait_for_function(
        f"(light) => ({paper})(document.querySelector('[data-figure]')) !== light", arg=light
    )
    assert brightness(figure.evaluate(paper)) < 0.2


def test_all_figures_are_printed_once_one_is_drawn(page):
    figure = page.locator("[data-figure]").first
    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg").first.wait_for(timeout=20_000)
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[data-figure]:not([data-drawn])").count() == 0
    assert page.locator("[data-figure] .main-svg").count() >= page.locator("[data-figure]").count()
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
