"""A network's source as a page gives it: links that are safe to follow, and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

_ARXIV: Final = re.compile(r"\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7}(v\d+)?", re.ASCII)
_DOI: Final = re.compile(r"10\.\d{4,9}/\S+", re.ASCII)
# What BibTeX or LaTeX would take for its own.
_SPECIAL: Final = {
    "\\": r"{\textbackslash}",
    "{": r"\{",
    "}": r"\}",
    "~": r"{\textasciitilde}",
    "^": r"{\textasciicircum}",
    **{letter: f"\\{letter}" for letter in "$&#%_"},
}


class Link(NamedTuple):
    """A text, and the address that it leads to."""

    text: str
    url: str


def web_address(text: str) -> str | None:
    """``text`` where it is an address on the web, http or https, that a page may link to."""
    if not text.isascii() or not text.isprintable() or re.search(r"[\s<>\"'`\\]", text):
        return None
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    # What stands before an @ would be taken for the host by whoever reads it.
    return text if well_formed and "@" not in parts.netloc else None


def links(source: Mapping[str, str]) -> list[Link]:
    """Where the source can be read: arXiv, the DOI, its own address; those that are well-formed."""
    found = []
    arxiv, doi, url = (str(source.get(key) or "") for key in ("arxiv", "doi", "url"))
    if _ARXIV.fullmatch(arxiv):
        found.append(Link(f"arXiv:{arxiv}", f"https://arxiv.org/abs/{arxiv}"))
    if _DOI.fullmatch(doi):
        found.append(Link(f"doi:{doi}", f"https://doi.org/{quote(doi, safe='/()')}"))
    if address := web_address(url):
        found.append(Link(url, address))
    return found


def bibtex(source: Mapping[str, str]) -> tuple[str, ...]:
    """The lines of a BibTeX entry; none where there is no title.

    The kind is ``misc``: a source says where it was published in one line, which is the note.
    """
    if not source.get("title"):
        return ()
    arxiv = str(source.get("arxiv") or "")
    authors = [name.strip() for name in str(source.get("authors") or "").split(",")]
    address = web_address(str(source.get("url") or ""))
    fields = {
        "author": " and ".join(_escaped(name) for name in authors if name),
        "title": f"{{{_escaped(str(source['title']))}}}",
        "year": _escaped(str(source.get("year") or "")),
        "note": _escaped(str(source.get("venue") or "")),
        "eprint": arxiv if _ARXIV.fullmatch(arxiv) else "",
        "archivePrefix": "arXiv" if _ARXIV.fullmatch(arxiv) else "",
        "doi": _escaped(str(source.get("doi") or "")),
        "url": _escaped(address or ""),
    }
    given = [f"  {key} = {{{value}}}," for key, value in fields.items() if value]
    return (f"@misc{{{_key(authors, source)},", *given, "}")


def _key(authors: list[str], source: Mapping[str, str]) -> str:
    """``he2015deep``: the first author's last name, the year, the title's first word."""
    name = authors[0].split()[-1:] or [""]
    words = re.findall(r"[A-Za-z]{3,}", str(source["title"])) or ["network"]
    pieces = (*name, str(source.get("year") or ""), words[0])
    return re.sub(r"[^A-Za-z0-9]", "", "".join(pieces)).lower()[:60]


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
