"""What a page takes in to draw figures."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys

import hostile
import pytest

from archcost.plot import bundle


def test_the_script_is_plotlys_own():
    assert bundle.script().startswith("/**\n* plotly.js v")
    assert gzip.decompress(base64.b64decode(bundle.packed_script())).decode() == bundle.script()
    assert len(bundle.packed_script()) < 2_500_000


def test_plotly_itself_is_not_imported():
    code = (
        "import sys; from archcost.plot import bundle; bundle.packed_script(); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [name for name in loaded if name.split(".")[0] == "plotly"]


@pytest.mark.parametrize("found", ["no package", "no script"])
def test_without_plotly(monkeypatch, tmp_path, found):
    class Package:
        submodule_search_locations = [str(tmp_path)]  # noqa: RUF012

    bundle.script.cache_clear()
    package = None if found == "no package" else Package
    monkeypatch.setattr(bundle, "find_spec", lambda name: package)
    try:
        with pytest.raises(bundle.MissingLibraryError, match=r"pip install 'archcost\[html\]'"):
            bundle.script()
    finally:
        bundle.script.cache_clear()


@pytest.mark.parametrize("name", [n for n in hostile.STRINGS if n != "surrogate"])
def test_data_stands_in_a_script(name):
    text = bundle.data_text({hostile.STRINGS[name]: [hostile.STRINGS[name]]})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {hostile.STRINGS[name]: [hostile.STRINGS[name]]}


def test_data_of_a_figure_is_packed():
    text = bundle.figure_data({"a": ["b"] * 1000})
    assert text == bundle.figure_data({"a": ["b"] * 1000})
    assert len(text) < 200
    assert json.loads(gzip.decompress(base64.b64decode(text))) == {"a": ["b"] * 1000}


def test_data_has_numbers_that_json_knows():
    with pytest.raises(ValueError, match="not JSON compliant"):
        bundle.data_text([float("nan")])


def test_a_nonce_is_of_the_texts():
    assert bundle.nonce("a", "b") == bundle.nonce("a", "b")
    assert len({bundle.nonce(*texts) for texts in (("a", "b"), ("ab",), ("b", "a"), ())}) == 4


def test_the_end_of_a_page():
    inside, outside = bundle.ending("n+1"), bundle.ending("n+1", '../a"b/plotly.min.js')
    assert bundle.packed_script() in inside
    assert 'nonce="n+1"' in inside
    assert 'data-plotly="../a&quot;b/plotly.min.js"' in outside
    assert len(outside) < 30_000
