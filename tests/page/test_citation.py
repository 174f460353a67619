"""Links that lead to the web and nowhere else, and BibTeX."""

from __future__ import annotations

import re

import hostile
import pytest

from archcost.page.citation import bibtex, links, web_address
from archcost.sources.zoo import entries


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " https://x.org",
        "https://x.org/ a",
        "https://x.org/\n",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//x.org",
        "https:",
        "https://",
        "https://good.org@bad.org/",
        'https://x.org/"onclick="x',
        "https://x.org/<b>",
        "https://х.org",  # noqa: RUF001 (a Cyrillic letter)
        "https://[bad",
        "ftp://x.org",
        "",
    ],
)
def test_no_other_address_is_a_link(text):
    assert web_address(text) is None


def test_addresses_on_the_web():
    for text in ("https://x.org", "http://x.org:80/a?b=c&d#e", "HTTPS://X.ORG/%20"):
        assert web_address(text) == text


@pytest.mark.parametrize("what", hostile.STRINGS)
def test_no_source_leads_elsewhere(what):
    name = hostile.STRINGS[what]
    for link in links(dict.fromkeys(("arxiv", "doi", "url", "title"), name)):
        assert re.match(r"https?://[\w.-]+[/\w.?=&%:#~+()-]*\Z", link.url), link.url


def test_identifiers():
    found = links({"arxiv": "1512.03385v1", "doi": "10.1109/5.726791"})
    assert [link.url for link in found] == [
        "https://arxiv.org/abs/1512.03385v1",
        "https://doi.org/10.1109/5.726791",
    ]
    assert not links({"arxiv": "1512.03385/../x", "doi": "11.1/x"})


def test_bibtex():
    entry = bibtex(
        {
            "title": "Deep {Residual} & 100% #1 Learning",
            "authors": "Kaiming He, Xiangyu Zhang",
            "venue": "CVPR 2016",
            "year": "2015",
            "arxiv": "1512.03385",
            "url": "javascript:x",
        }
    )
    assert entry == (
        "@misc{he2015deep,",
        "  author = {Kaiming He and Xiangyu Zhang},",
        r"  title = {{Deep \{Residual\} \& 100\% \#1 Learning}},",
        "  year = {2015},",
        "  note = {CVPR 2016},",
        "  eprint = {1512.03385},",
        "  archivePrefix = {arXiv},",
        "}",
    )


@pytest.mark.parametrize("what", hostile.STRINGS)
def test_braces_balance(what):
    name = hostile.STRINGS[what]
    entry = bibtex({"title": name, "authors": name, "year": name, "venue": name, "doi": name})
    text = re.sub(r"\\[{}]", "", "\n".join(entry))
    assert text.count("{") == text.count("}")
    assert re.match(r"@misc\{[a-z0-9]+,$", entry[0])


def test_every_source_of_the_zoo_has_an_entry():
    sources = [entry.about.get("source") for entry in entries()]
    titled = [source for source in sources if source and source.get("title")]
    assert len(titled) > 100
    assert all(bibtex(source)[0] != "@misc{network," for source in titled)
