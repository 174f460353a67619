"""What watches the pages sees what they do: each of these does one thing that none may."""

from __future__ import annotations

import hostile
import pytest
from watching import Watched

POLICY = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
PAGES = {
    "image": ("<img src='https://harm.example/a.png'>", "asked for"),
    "style": ("<style>body{background:url(https://harm.example/a)}</style>", "asked for"),
    "fetch": ("<script>fetch('https://harm.example').catch(()=>0)</script>", "asked for"),
    "file": ("<img src='other.png'>", "asked for"),
    "console": ("<script>console.error('x')</script>", "on the console"),
    "exception": ("<script>nothing.at.all</script>", "on the console"),
    "rejection": ("<script>Promise.reject(new Error('x'))</script>", "on the console"),
    "dialog": ("<script>alert(1)</script>", "opened"),
    "window": ("<script>window.open('about:blank')</script>", "opened"),
    "script": (hostile.STRINGS["script"], "that ran"),
    "handler": (f'<p title="{hostile.STRINGS["image"]}">', "that ran"),
    "frame": (hostile.STRINGS["frame"], "that ran"),
    "refused": (f"{POLICY}{hostile.STRINGS['script']}", "on the console"),
}


@pytest.mark.parametrize("what", PAGES)
def test_it_is_seen(browser, tmp_path, what):
    text, said = PAGES[what]
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{text}")
    with browser.new_context() as context:
        watched = Watched(context)
        page = watched.open(path)
        page.wait_for_timeout(100)
        with pytest.raises(AssertionError, match=said):
            watched.check()


def test_nothing_is_seen_of_a_good_page(watched, tmp_path):
    path = tmp_path / "a page.html"
    path.write_text(f"<!doctype html><body><img src='{DOT}'><script>console.log('x')</script>")
    page = watched.open(path, fragment="x")
    page.wait_for_timeout(100)
