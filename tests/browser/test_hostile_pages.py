"""Pages of networks with hostile names: they are shown letter by letter, and nothing of them runs.

``watched`` fails a test whose page runs one of their scripts, asks for another file, opens a window
or has anything to say on the console, a breach of the page's policy for one.
"""

from __future__ import annotations

import hostile
import pytest
from looking import PHONE, VISIBLE, column

from archcost.report.format import visible

REPORTED = ("script", "end of script", "attribute", "template", "surrogate", "long words")
COMPARED = (
    *(*REPORTED, "end of title", "end of SVG text", "image", "single quotes", "style", "base"),
    *("escapes", "prototype"),
)
# What no page has, or has but once and in its own place.
ALLOWED = {
    *("html", "head", "meta", "title", "style", "script", "body", "a", "header", "div", "h1", "p"),
    *("b", "span", "button", "nav", "ul", "li", "main", "section", "h2", "h3", "details"),
    *("summary", "dl", "dt", "dd", "label", "select", "option", "kbd", "input", "table", "caption"),
    *("thead", "tbody", "tfoot", "tr", "th", "td", "strong", "figure", "figcaption", "noscript"),
    *("footer", "code", "pre", "svg", "desc", "g", "path", "polygon", "polyline", "ellipse"),
    *("text", "rect", "circle", "line", "defs", "clipPath", "clippath", "linearGradient", "stop"),
    *("tspan", "use", "image", "em", "small", "abbr"),
}


def elements(page):
    """The elements of the page outside its figures, whose script makes its own."""
    found = page.evaluate(
        "() => [...document.querySelectorAll('*')].filter((e) => !e.closest('[data-figure]'))"
        ".map((e) => e.localName)"
    )
    return set(found)


def handlers(page):
    """Attributes that run something, and addresses that would."""
    return page.evaluate(
        "() => [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])"
        ".filter((a) => /^on/i.test(a.name) || /^\\s*(javascript|data):/i.test(a.value)"
        " && /^(href|src|action|xlink:href|formaction)$/i.test(a.name)).map((a) => a.name)"
    )


def use(page):
    """Point at what can be pointed at, select, sort and filter."""
    for box in [b for b in page.query_selector_all(".drawing g.node") if b.evaluate(VISIBLE)][:6]:
        for event in ("pointermove", "pointerdown", "pointerup", "click", "focus"):
            box.dispatch_event(event)
    for button in page.query_selector_all("th button")[:8]:
        button.dispatch_event("click")
    for row in page.query_selector_all("tbody tr")[:8]:
        row.dispatch_event("click")
    page.click("#theme")


@pytest.fixture
def page_of(watched, written, tmp_path):
    """Opens the page that a command writes about the network of a hostile name."""

    def open_(*names, command="report", options=()):
        paths = []
        for number, name in enumerate(names):
            folder = tmp_path / str(number)
            folder.mkdir(exist_ok=True)
            paths.append(str(hostile.write_json(folder, name)))
        return watched.open(written(command, *paths, *options))

    return open_


@pytest.mark.parametrize("what", REPORTED)
def test_the_report_of_a_name(page_of, what):
    name = hostile.STRINGS[what]
    page = page_of(name, options=("--by", "layer"))
    assert elements(page) <= ALLOWED
    assert handlers(page) == []
    assert visible(name).split()[0][:40] in page.inner_text("h1")
    first, *_ = column(page, "#layers", "name")
    assert first[:20] == " ".join(visible(name).split())[:20]
    use(page)
    page.fill("#filter", visible(name)[:30])
    assert len(column(page, "#layers", "name")) >= 1
    figure = page.locator("[data-figure]").first
    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg").first.wait_for(timeout=30_000)
    page.set_viewport_size(PHONE)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_report_of_all_names(watched, tmp_path, written):
    from archcost.targets import to_json

    short = [n[:900] for n in (*hostile.STRINGS.values(), *hostile.TWINS)]
    path = tmp_path / f"{hostile.STRINGS['image']}.json"  # which the page quotes
    path.write_text(to_json(hostile.motley(short)), encoding="utf-8")
    page = watched.open(written("report", str(path), "--by", "layer"))
    assert elements(page) <= ALLOWED
    shown = column(page, "#layers", "name")
    for name in short:
        assert any(text[:20] == visible(name).strip()[:20] for text in shown)
    use(page)


def test_a_comparison_of_names(page_of):
    names = [hostile.STRINGS[what] for what in COMPARED]
    page = page_of(*names, command="compare")
    assert elements(page) <= ALLOWED
    assert handlers(page) == []
    assert page.locator("#compared tbody tr").count() == len(names)
    use(page)
    for figure in page.locator("[data-figure]").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for(timeout=30_000)


@pytest.mark.parametrize("what", ["script", "attribute", "end of title"])
def test_other_pages_of_names(page_of, what):
    page = page_of(hostile.STRINGS[what], command="conventions")
    assert elements(page) <= ALLOWED
    assert handlers(page) == []
    use(page)
    page = page_of(hostile.STRINGS[what], "plain", command="compare", options=("--layers",))
    assert elements(page) <= ALLOWED
    use(page)
