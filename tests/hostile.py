"""Names that do harm where an output does not escape them, and networks that bear them.

A script that one of them gets to run sets ``window.harmed``; what one of them gets to load is of
``harm.example``. :data:`STRINGS` are names by what they try; :func:`network` calls everything in a
small network by one, :func:`motley` has one layer for each of many, :func:`write_spec` and its like
write them into files as far as the format can hold them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from archcost.analysis import Analysis, analyze
from archcost.ir import Graph, GraphBuilder, Parameter, TensorType
from archcost.ir.ops import make
from archcost.report import ModelReport, model_report

LONG: Final = 10_000
_HARM: Final = "window.harmed=1"

STRINGS: Final[dict[str, str]] = {
    # HTML, SVG and scripts
    "script": f"<script>{_HARM}</script>",
    "end of script": f"</script><script>{_HARM}</script>",
    "end of title": f"</title></style></textarea><script>{_HARM}</script>",
    "end of SVG text": f"</text></desc></svg><script>{_HARM}</script>",
    "image": f'"><img src=x onerror={_HARM}>',
    "image from elsewhere": '<img src="https://harm.example/a.png">',
    "SVG": f"<svg/onload={_HARM}>",
    "attribute": f"\" onmouseover={_HARM} x='",
    "single quotes": f"' onclick='{_HARM}' onfocus='{_HARM}' autofocus x='",
    "frame": f"<iframe srcdoc='<script>parent.{_HARM}</script>'></iframe>",
    "style": "<style>*{display:none}</style>",
    "base": "<base href=//harm.example/><meta http-equiv=refresh content=0;url=//harm.example>",
    "comment": "--><!-- <![CDATA[ ]]> -->",
    "entities": f"&lt;script&gt;{_HARM}&lt;/script&gt; &#60;b&#62; &amp;amp; &nosuch;",
    "escapes": "\\u003cscript\\u003e \\x3c \\\\ \\' \\\" \\",
    "javascript:": f"javascript:{_HARM}",
    "address": "https://harm.example/a www.harm.example harm@harm.example",
    "link": f"[x](javascript:{_HARM}) ![i](https://harm.example/a.png) <https://harm.example>",
    # what templates, scripts and libraries would fill in
    "jinja": "{{7*7}} {% raw %} {# no #}",
    "template": "${7*7} `x` %{x} %{customdata[0]} {0} {name} %s %d %(x)s",
    "prototype": "__proto__",
    "constructor": "constructor",
    "toString": "toString",
    "plotly": "<b>bold</b><br><a href='https://harm.example'>x</a><extra></extra>",
    # DOT and Mermaid
    "digraph": "digraph",
    "subgraph": "subgraph",
    "end": "end",
    "DOT": '"]; x [URL="javascript:window.harmed=1" image="/etc/passwd"]; y ["',
    "DOT escapes": r"\N \G \E \T \H \L \l \r \n",
    "DOT HTML": f"<<b>bold</b><img src='/etc/passwd'/>{_HARM}>",
    "DOT record": "{a|b}|<f0> c\\ d",
    "DOT port": "a:b:sw",
    "Mermaid": f'x"]:::c --> y["z\nclick y href "javascript:{_HARM}"',
    "Mermaid comment": "%%{init: {'securityLevel': 'loose'}}%%",
    "Mermaid entity": "#quot; #35; #60;script#62;",
    "fence": "```\n# heading\n```mermaid",
    # documents
    "Markdown": "**bold** _em_ `code` ~~gone~~ # h - i 1. j > q @user #1 ==x==",
    "pipes": "a|b | c || d \\| e",
    "star": "*",
    "heading": "# h",
    "rule": "---",
    "math": "$x^2$ $\\frac{1}{0}$ $",
    "LaTeX": r"\input{/etc/passwd} \write18{x} 50% a_b #1 ~ {} & \\[1cm] ^^41 \end{table}",
    "under": "_hidden_",
    # spreadsheets
    "formula": "=1+1",
    "command": "+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "function": '@SUM(A1:A9)*HYPERLINK("https://harm.example")',
    "tab formula": "\t=1+1",
    "return formula": "\r=1+1",
    "full-width formula": "\uff1d1+1",
    "another cell": "a;=1+1;\t=2+2,=3+3",
    "quoted cell": '","=1+1',
    # terminals, and what text can hide
    "lines": "two\nlines\r\nmore\ttabs\vand\fmore",
    "separators": "a\u2028b\u2029c\x85d",
    "colour": "\x1b[31mred\x1b[0m",
    "window title": "\x1b]0;harmed\x07",
    "OSC 8": "\x1b]8;;https://harm.example\x1b\\click\x1b]8;;\x1b\\",
    "C1": "\x9b31m\x9d0;harmed\x9c\x90",
    "erase": "\x1b[2J\x1b[H\x08\x08\x7f",
    "NUL": "a\x00b",
    "percent": "%00 %0a %3Cscript%3E",
    "rich": "[red]rich[/red] [link=https://harm.example]x[/link] [/]",
    "right to left": "\u202egnp.\u202c\u2066x\u2069\u200f\u200e",
    "Hebrew": "שכבה ראשונה (1)",
    "zero width": "a\u200bb\ufeffc\u00ad\u2060",
    "no characters": "a\ufffeb\uffffc\ufdd0",
    "emoji": "👩‍👩‍👧‍👦🇳🇱🏳️‍🌈💥",
    "combining": "Z̸̡̲͔a̶̛͖l̷̰̈́g̵̱̈́o" + "\u0301" * 50,
    "wide": "汉字" * 30,
    "blank": " ",
    "slashes": "/a//b/",
    "dots": "../../etc/passwd",
    "surrogate": "a\ud800b\udc80",
    "long": "n" * LONG,
    "long words": "word " * (LONG // 5),
    "long markup": "<&\"'>" * (LONG // 5),
}
"""What each name tries, and the name."""

TWINS: Final = (
    "a\x1bb",
    "a\\x1bb",
    "A\x1bb",
    "a b",
    "a_b",
    "a-b",
    "a.b",
    "a<b",
    "a&lt;b",
    "n1",
    "1",
)
"""Names that are easily taken for one another once they are escaped, or for an id."""


def network(name: str) -> Graph:
    """A network in which everything that can have a name is called ``name``.

    A convolution, a branch and a sum, an operator that is not known, and a tensor nobody reads.
    """
    builder = GraphBuilder(name)
    x = builder.input(f"{name} input", TensorType((1, 4, 8, 8)))
    (y,) = builder.add(make("conv", out=4, kernel=3, padding=1), [x], name)
    (z,) = builder.add(make("relu"), [y], f"{name} block/{name}")
    (y,) = builder.add(make("sum"), [y, z], f"{name} block/{name} sum")
    unknown = make("opaque", name=printable(name, 200), types=(((1, 4, 8, 8), "fp32"),))
    (y,) = builder.add(unknown, [y], f"{name} block/{name} unknown")
    unread = [Parameter(f"{name} unread", (3,), "fp32", True, 3, 12)]
    return builder.build({name: y, f"{name} too": z}, about(name), unread)


def printable(name: str, most: int) -> str:
    """The first ``most`` printable characters of ``name``, which operators can be called by."""
    return "".join(filter(str.isprintable, name))[:most] or "x"


def about(name: str) -> dict[str, object]:
    """Metadata as a reader gives it, each text of it ``name``."""
    keys = ("title", "authors", "venue", "arxiv", "doi", "url", "section")
    return {
        "title": name,
        "family": name,
        "dataset": name,
        "source": dict.fromkeys(keys, name) | {"year": "2016"},
        "notes": (name,),
        "aliases": (name,),
        "assumptions": (name,),
        "parameters": {name: name},
    }


def motley(names: Iterable[str] = (*STRINGS.values(), *TWINS), title: str = "Motley") -> Graph:
    """A network with a convolution for each of ``names``; every third is a branch that is added."""
    builder = GraphBuilder(title)
    x = builder.input("image", TensorType((1, 4, 8, 8)))
    for number, name in enumerate(dict.fromkeys(names)):
        (y,) = builder.add(make("conv", out=4, kernel=1), [x], name)
        if number % 3 == 2:
            (y,) = builder.add(make("sum"), [x, y], f"sum{number}")
        x = y
    return builder.build({"output": x}, {"title": title})


def analysis(name: str) -> Analysis:
    """What :func:`network` costs."""
    return analyze(network(name))


def report(name: str, by: str = "layer") -> ModelReport:
    """The report of :func:`network`."""
    return model_report(analysis(name), by=by)


def harmless(text: str) -> bool:
    """No character of ``text`` controls a terminal, or hides or turns others; lines may end."""
    lines = text.split("\n")
    bad = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return not any(unicodedata.category(letter) in bad for line in lines for letter in line)


# --- files --------------------------------------------------------------------------------------


def write_spec(folder: Path, name: str) -> Path:
    """A spec whose free texts are ``name``, its names as much of it as names can have.

    A surrogate cannot be written; U+FFFD stands in its place.
    """
    import yaml

    text = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)
    short = printable(text.translate({ord("/"): None, ord("$"): None}), 90).strip() or "x"
    about_ = about(text)
    document = {
        "name": short,
        "title": text.replace("$", ""),
        **{key: about_[key] for key in ("family", "dataset")},
        "source": about_["source"],
        "notes": [text],
        "input": [3, 8, 8],
        "layers": [
            {"conv": {"name": short, "out": 4, "kernel": 3, "padding": 1}},
            {"relu": {"name": f"{short} 2"}},
        ],
        "variants": {f"{short} v": {"title": text.replace("$", "")}},
    }
    path = folder / "net.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def write_json(folder: Path, name: str) -> Path:
    """:func:`network` as JSON; a name there has at most a thousand characters, and those
    of some nodes hold it twice.
    """
    from archcost.targets import to_json

    path = folder / "net.json"
    path.write_text(to_json(network(name[:300])), encoding="utf-8")
    return path


def write_onnx(folder: Path, name: str) -> Path:
    """An ONNX model of two nodes; its texts are UTF-8, so a surrogate becomes a question mark."""
    import onnx
    from onnx import TensorProto, helper

    text = name.encode("utf-8", "replace").decode()
    shape = (1, 4, 8, 8)
    nodes = [
        helper.make_node("Conv", [f"{text} in", f"{text} w"], [f"{text} mid"], name=text),
        helper.make_node("NoSuch", [f"{text} mid"], [text], name=f"{text} 2", domain=text[:100]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        text,
        [value(f"{text} in", TensorProto.FLOAT, shape)],
        [value(text, TensorProto.FLOAT, shape)],
        [helper.make_tensor(f"{text} w", TensorProto.FLOAT, (4, 4, 1, 1), [0.0] * 16)],
        doc_string=text,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(text[:100], 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name=text)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    onnx.load(path)
    return path


def write_prototxt(folder: Path, name: str) -> Path:
    """A Caffe network of two layers, its names written with a prototxt's escapes."""
    data = name.encode("utf-8", "replace")
    quoted = "".join(chr(b) if b in b" abcnword" else f"\\{b:03o}" for b in data)
    path = folder / "net.prototxt"
    path.write_text(
        f"""
        name: "{quoted}"
        layer {{ name: "{quoted} in" type: "Input" top: "{quoted}"
                 input_param {{ shape {{ dim: 1 dim: 4 dim: 8 dim: 8 }} }} }}
        layer {{ name: "{quoted}" type: "Convolution" bottom: "{quoted}" top: "{quoted} c"
                 convolution_param {{ num_output: 4 kernel_size: 1 }} }}
        layer {{ name: "{quoted} 2" type: "ReLU" bottom: "{quoted} c" top: "{quoted} r" }}
        """,
        encoding="utf-8",
    )
    return path


WRITERS: Final = {
    "spec": write_spec,
    "json": write_json,
    "onnx": write_onnx,
    "prototxt": write_prototxt,
}
"""What writes a network with hostile names as a file, by kind of file."""
