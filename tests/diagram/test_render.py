"""Rendering: what Graphviz draws, made safe, accessible and the same every time."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from archcost.diagram import graphviz_process, render
from archcost.diagram.render import LayoutTimeout, RenderError, inline_svg
from archcost.diagram.render import render as rendered

SVG = "{http://www.w3.org/2000/svg}"
DOT = """digraph g {
  subgraph cluster_a { id="stage" label="stage 1"; a [id="n1" class="conv" tooltip="conv1 <x>"] }
  a [label="conv1 & é"]
  a -> b [id="e1" label="64×56×56"]
  b [id="n2" shape=box style="filled,rounded" fillcolor="#E69F00:#56B4E9" label="fc"]
}"""

# Layered at random: dot looks for the fewest crossings among 4,000 edges for minutes.
_EDGES = [(i, (i * 7919 + k * 104729) % 2000) for i in range(2000) for k in range(2)]
HUGE = "digraph g {" + "".join(f"a{s} -> a{t};" for s, t in _EDGES) + "}"


def texts(svg: str | bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_an_svg_is_accessible_and_stands_alone() -> None:
    root = ElementTree.fromstring(rendered(DOT, "svg", title="A <b>net", alt="Two boxes."))
    assert root.get("role") == "img"
    named = [root.find(f".//*[@id='{one}']") for one in root.get("aria-labelledby", "").split()]
    assert [(one.tag, one.text) for one in named if one is not None] == [
        (f"{SVG}title", "A <b>net"),
        (f"{SVG}desc", "Two boxes."),
    ]
    width, height = (float(root.get(side, "")) for side in ("width", "height"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    # Nothing but the namespace leads anywhere.
    assert re.findall(rb"\w+://[^\"]*", rendered(DOT, "svg")) == [b"http://www.w3.org/2000/svg"]


def test_ids_classes_and_texts_stay() -> None:
    root = ElementTree.fromstring(rendered(DOT, "svg"))
    box = root.find(".//*[@id='n1']")
    assert box is not None
    assert box.get("class") == "node conv"
    assert box.findtext(f"{SVG}title") == "conv1 <x>"
    assert box.findtext(f"{SVG}text") == "conv1 & é"
    assert texts(rendered(DOT, "svg")) == ["stage 1", "conv1 & é", "fc", "64×56×56"]
    ids = {element.get("id") for element in root.iter()}
    assert {"stage", "n1", "n2", "e1"} <= ids
    # Graphviz's own names are no tooltips.
    assert [element.text for element in root.iter(f"{SVG}title")] == ["conv1 <x>"]


@pytest.mark.parametrize("format_", ["svg", "png", "pdf"])
def test_the_same_dot_gives_the_same_bytes(format_: render.Format, monkeypatch) -> None:
    first = rendered(DOT, format_, title="t")
    time.sleep(1 if format_ == "pdf" else 0)  # a PDF would tell the second
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert rendered(DOT, format_, title="t") == first


def test_a_png_shows_something() -> None:
    image_of = pytest.importorskip("PIL.Image")
    image = image_of.open(io.BytesIO(rendered(DOT, "png"))).convert("RGB")
    svg = ElementTree.fromstring(rendered(DOT, "svg"))
    scale = render.DPI / render.POINTS_PER_INCH
    assert image.width == pytest.approx(scale * float(svg.get("width", 0)), abs=3)
    assert len(image.getcolors(1 << 24)) > 10


def test_a_pdf_holds_its_text_as_text() -> None:
    assert rendered(DOT, "pdf").startswith(b"%PDF-")
    assert b"/FontDescriptor" in rendered(DOT, "pdf")


def test_inline_has_no_prolog_and_bears_a_prefix() -> None:
    text = inline_svg(DOT, title="one", alt="two", prefix="a-")
    assert text.startswith("<svg ")
    assert "xlink" not in text
    root = ElementTree.fromstring(text)
    assert root.get("aria-labelledby") == "a-picture-title a-picture-desc"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(name.startswith("a-") for name in ids)
    assert len(set(ids)) == len(ids)
    gradient = root.find(f".//{SVG}linearGradient")
    assert gradient is not None
    assert f'fill="url(#{gradient.get("id")})"' in text


# -- what must not get in -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("png") / "secret.png"
    path.write_bytes(rendered("digraph g { secret }", "png"))
    return path


@pytest.mark.parametrize("format_", ["svg", "png", "pdf"])
@pytest.mark.parametrize(
    "body",
    [
        'a [image="{path}"]',
        'imagepath="{path.parent}"; a [image="{path.name}"]',
        'a [shape=custom shapefile="{path}"]',
        'a [label=<<TABLE><TR><TD><IMG SRC="{path}"/></TD></TR></TABLE>>]',
    ],
)
def test_no_file_is_drawn_into_a_picture(body: str, format_: render.Format, png: Path) -> None:
    with pytest.raises(RenderError, match="shapes and text only"):
        rendered(f"digraph g {{ {body.format(path=png)} }}", format_)


@pytest.mark.parametrize(
    "dot",
    [
        'digraph g { a [label=<<TABLE><TR><TD HREF="javascript:alert(1)">x</TD></TR></TABLE>>] }',
        'digraph g { _background="I 0 0 9 9 11 -/etc/passwd"; a [fontname="/etc/passwd"] }',
        'digraph g { a [URL="javascript:alert(1)" target="_top"] }',
        'digraph g { stylesheet="https://harm.example/a.css"; a }',
        'digraph g { a -> b [href="https://harm.example" edgetooltip="t"] }',
        'digraph g { a [fontname="x\\" onload=\\"alert(1)"] }',
        'digraph g { a [class="x\\" onload=\\"alert(1)"] }',
        'digraph g { a [id="x\\" onload=\\"alert(1)"] }',
        'digraph g { a [style=filled fillcolor="url(https://harm.example)"] }',
    ],
)
def test_nothing_leads_out_of_a_picture(dot: str) -> None:
    root = ElementTree.fromstring(rendered(dot, "svg"))
    shapes = {"defs", "ellipse", "g", "linearGradient", "path", "polygon", "stop"}
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in shapes | {"svg", "text", "title"}
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert "url(" not in value or value.startswith("url(#")


def test_characters_that_xml_forbids_are_replaced() -> None:
    dot = 'digraph g { a [label="x\x00\x01\x1b\ud800\ufffey" tooltip="\x02"] }'
    svg = rendered(dot, "svg", title="\x01t", alt="\x0b")
    assert texts(svg) == ["x" + 5 * "\ufffd" + "y"]
    assert b"\xef\xbf\xbdt</title>" in svg


def test_a_very_long_label_is_drawn() -> None:
    (text,) = texts(rendered(f'digraph g {{ a [label="{"x" * 10_000}"] }}', "svg"))
    assert text == "x" * 10_000


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("dot", ["", "digraph g { a [", "{{", 'digraph g { a [label="'])
def test_dot_that_is_none_is_an_error_with_a_message(dot: str) -> None:
    with pytest.raises(RenderError, match=r"Graphviz cannot draw it: \S") as caught:
        rendered(dot, "svg")
    assert "Traceback" not in str(caught.value)
    assert "Fontconfig" not in str(caught.value)


def test_nothing_reaches_standard_error(capfd) -> None:
    rendered(DOT, "svg")
    rendered('digraph g { a [shape=nosuch] b [pos="x"] a -> b:nosuch }', "svg")
    assert capfd.readouterr() == ("", "")


def test_a_long_layout_is_stopped() -> None:
    start = time.monotonic()
    with pytest.raises(LayoutTimeout, match="more than 0.5 s"):
        rendered(HUGE, "svg", seconds=0.5)
    assert time.monotonic() - start < 5


def running(session: int) -> list[str]:
    """The processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, home = path.read_text().rpartition(")")[2].split()[:4]
            if home == str(session) and state != "Z":
                found.append(path.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes as Linux shows them")
def test_ctrl_c_ends_a_layout_at_once() -> None:
    code = (
        "import sys; from archcost.diagram.render import render\n"
        "dot = sys.stdin.read(); print('ready', flush=True)\n"
        "render(dot, 'svg', seconds=300)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(HUGE)
    process.stdin.close()
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    assert len(running(process.pid)) == 2
    start = time.monotonic()
    process.send_signal(signal.SIGINT)  # to it alone: it has to end the other
    _, errors = process.stdout.read(), process.stderr.read()
    process.wait(timeout=20)
    process.stdout.close()
    process.stderr.close()
    assert "KeyboardInterrupt" in errors
    while running(process.pid):
        assert time.monotonic() - start < 5
        time.sleep(0.05)


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="no alarm clock here")
def test_a_layout_that_nobody_waits_for_ends_itself() -> None:
    folder = Path(__import__("pygraphviz").__file__).parent.parent
    command = [sys.executable, "-I", "-S", graphviz_process.__file__, str(folder), "svg", "72", "1"]
    start = time.monotonic()
    done = subprocess.run(command, input=HUGE.encode(), capture_output=True, check=False)
    assert done.returncode == -signal.SIGALRM
    assert time.monotonic() - start < 5


def test_without_graphviz_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RenderError, match="pip install pygraphviz.*`dot` is on the PATH"):
        rendered(DOT, "svg")


@pytest.mark.skipif(os.name != "posix", reason="a script with a first line")
@pytest.mark.parametrize("broken", [False, True])
def test_dot_on_the_path_is_used_where_pygraphviz_is_not(
    broken: bool, monkeypatch, tmp_path: Path
) -> None:
    # The stand-in for `dot` is Graphviz itself, by way of its Python binding.
    program = tmp_path / "dot"
    script = graphviz_process.__file__
    folder = Path(__import__("pygraphviz").__file__).parent.parent
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/calls\n'
        f'exec {sys.executable} -I -S {script} {folder} "${{1#-T}}" "${{2#-Gdpi=}}" 60\n'
    )
    program.chmod(0o755)
    expected = {format_: rendered(DOT, format_) for format_ in ("svg", "png", "pdf")}
    if broken:  # installed, but it cannot be loaded
        (tmp_path / "pygraphviz").mkdir()
        (tmp_path / "pygraphviz/__init__.py").write_text("raise ImportError('libcgraph.so')")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "pygraphviz", raising=False)
    else:
        monkeypatch.setattr(render, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert {format_: rendered(DOT, format_) for format_ in expected} == expected
    # An SVG comes before every picture: it tells the size, and that the DOT holds no image.
    svg = "-Tsvg -Gdpi=72"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [svg, svg, "-Tpng -Gdpi=144", svg, "-Tpdf -Gdpi=72"]


@pytest.fixture
def no_fonts(monkeypatch, tmp_path: Path):
    empty = tmp_path / "fonts.conf"
    empty.write_text("<?xml version='1.0'?><fontconfig></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(empty))
    render._has_fonts.cache_clear()
    yield
    render._has_fonts.cache_clear()


def test_without_fonts_a_png_says_what_to_install(no_fonts) -> None:
    for format_ in ("png", "pdf"):
        with pytest.raises(RenderError, match=f"no text in a {format_.upper()}.*fonts-dejavu"):
            rendered(DOT, format_)
    assert "conv1 & é" in texts(rendered(DOT, "svg"))


def test_a_picture_too_large_for_a_png_is_an_error() -> None:
    tall = 'digraph g { a [height="2000"] }'
    with pytest.raises(RenderError, match="2,000 inches: too large for a PNG; write SVG or PDF"):
        rendered(tall, "png")
    assert rendered(tall, "svg")


def test_a_large_png_has_fewer_dots_an_inch() -> None:
    image_of = pytest.importorskip("PIL.Image")
    dot = 'digraph g { a [height="400" width="10" shape=box] }'
    image = image_of.open(io.BytesIO(rendered(dot, "png")))
    assert image.height <= render.MOST_PIXELS_A_SIDE
    assert image.height > 0.9 * render.MOST_PIXELS_A_SIDE
