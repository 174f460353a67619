"""Whatever a prototxt says, only an ArchcostError comes out, and soon.

ARCHCOST_FUZZ=20 runs twenty times as many examples.
"""

from __future__ import annotations

import os
import random
import re
import time

import pytest
from caffe_texts import declared, layer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archcost.analysis import analyze
from archcost.conventions import convention
from archcost.ir import ArchcostError
from archcost.sources.caffe import network
from archcost.sources.caffe.table import NAMES

TIMES = int(os.environ.get("ARCHCOST_FUZZ", "1"))
LONGEST = 5.0


def examples(count):
    return settings(
        max_examples=count * TIMES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def survive(text, longest=LONGEST, **options):
    """Read and count ``text``, or be refused; the message."""
    start = time.process_time()
    message = ""
    try:
        graph = network(text, "fuzz.prototxt", **options)
        assert analyze(graph).totals.params >= 0
        convention("netscope-2016").count(graph)
    except ArchcostError as error:
        message = str(error)
    assert time.process_time() - start < longest
    assert len(message) < 1000
    return message


NET = """
name: "net"
input: "x" input_shape { dim: 1 dim: 4 dim: 12 dim: 12 }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" param { name: "w" lr_mult: 1 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 1 group: 2 bias_term: false } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" include { phase: TEST } }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true axis: 1 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: 0.1 } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 2
  stride: 2 } }
layer { name: "l" type: "LRN" bottom: "p" top: "l" lrn_param { local_size: 3 alpha: 1e-4 } }
layer { name: "t" type: "Slice" bottom: "l" top: "t1" top: "t2" slice_param { slice_point: 1 } }
layer { name: "j" type: "Concat" bottom: "t1" bottom: "t2" bottom: "p" top: "j" }
layer { name: "h" type: "Reshape" bottom: "j" top: "h" reshape_param { shape { dim: 0 dim: -1 } } }
layer { name: "i" type: "InnerProduct" bottom: "h" top: "i" inner_product_param { num_output: 9 } }
layer { name: "e" type: "Eltwise" bottom: "i" bottom: "i" top: "e" eltwise_param { coeff: 2
  coeff: -1 } }
layer { name: "o" type: "SoftmaxWithLoss" bottom: "e" bottom: "label" top: "o" }
"""


def test_the_network_itself_is_right():
    assert survive(NET) == ""


@examples(100)
@given(st.text(max_size=60))
def test_text(text):
    survive(text)
    survive(NET + text)


@pytest.mark.parametrize("end", range(0, len(NET), 37))
def test_what_was_cut_off(end):
    survive(NET[:end])


NUMBERS = ("0", "1", "-1", "2", "3", "7", "1000", "65536", "2147483647", "99999999999", "1.5")
VALUES = (*NUMBERS, "-inf", "nan", "true", "MAX", '"x"', '""', "[]", "[1, 2]", "{}", "{ dim: 1 }")


def mutated(seed):
    """The network with a few of its pieces changed, doubled, swapped or gone."""
    chance = random.Random(seed)
    pieces = NET.split(" ")
    for _ in range(chance.randrange(1, 5)):
        at, other = (chance.randrange(len(pieces)) for _ in range(2))
        match chance.randrange(5):
            case 0:
                pieces[at] = chance.choice(VALUES)
            case 1:
                del pieces[at]
                pieces.append("")
            case 2:
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                pieces.insert(at, pieces[other])
            case 4 if pieces[at].isdigit():
                pieces[at] = chance.choice(NUMBERS)
    return " ".join(pieces)


@examples(300)
@given(st.integers(0, 2**32))
def test_mutations(seed):
    survive(mutated(seed))


FIELDS = re.findall(
    r"\w+",
    """
    num_output kernel_size kernel_h kernel_w stride pad dilation group axis num_axes end_axis
    local_size slice_point slice_dim concat_dim offset tiles top_k dim order coeff input_dim
    pyramid_height height width zoom_factor shrink_factor pad_beg scale pooled_h pooled_w output_dim
    group_size min_size max_size aspect_ratio keep_top_k base shift power bias_term out_max_val
    across_channels normalize_variance global_pooling transpose expose_hidden
    """,
)
SECTIONS = re.findall(
    r"\w+",
    """
    convolution inner_product pooling lrn batch_norm mvn scale bias relu prelu elu swish clip
    dropout threshold power exp log eltwise concat slice flatten softmax argmax reduction
    parameter recurrent embed tile crop spp interp upsample reorg norm prior_box permute
    detection_output roi_pooling psroi_pooling shuffle_channel bn
    """,
)


@examples(400)
@given(
    st.sampled_from(sorted(NAMES.values())),
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(VALUES)), max_size=4),
    st.lists(st.sampled_from(["1x4x9x9", "2x4", "1", "1x4x9x9x9", "4", "1x3"]), max_size=3),
    st.integers(0, 3),
)
def test_layers(type_, fields, shapes, tops):
    """Every type with odd parameters, under the name that it reads them by."""
    inside = " ".join(f"{name}: {value}" for name, value in fields)
    names = [f"x{index}" for index in range(len(shapes))]
    text = declared(**dict(zip(names, shapes, strict=True)))
    sections = " ".join(f"{name}_param {{ {inside} }}" for name in SECTIONS)
    survive(text + layer(type_, sections, names, [f"y{index}" for index in range(tops)]))


@pytest.mark.parametrize(
    "text",
    [
        layer("ReLU", bottoms=("x",) * 30_000),
        layer("Concat", bottoms=("x",) * 1000),
        layer("Slice", tops=tuple(f"y{at}" for at in range(5000))),
        layer("Permute", "permute_param { order: [" + "0," * 50_000 + "1] }"),
        layer("PriorBox", "prior_box_param { min_size: 1 aspect_ratio: 2 }", ("x", "x")),
        layer(
            "PriorBox",
            f"prior_box_param {{ min_size: 1 aspect_ratio: {list(range(2, 30_000))} }}",
            ("x", "x"),
        ),
        layer("SPP", "spp_param { pyramid_height: 2000000000 }"),
        layer("Tile", "tile_param { tiles: 2000000000 axis: 2 }"),
        layer("Reshape", "reshape_param { shape { dim: [" + "1," * 50_000 + "-1] } }"),
        layer("Convolution", "convolution_param { " + "foo: 1 " * 20_000 + "}"),
        layer("Convolution", " ".join(f"foo{at}_param {{ }}" for at in range(20_000))),
        "\n".join(layer("ReLU", name=f"r{at}") for at in range(21_000)),
        "\n".join(layer("ReLU", tops=("x",), name="r") for _ in range(4000)),
        "\n".join(f'input: "x{at}"' for at in range(20_000)),
    ],
    ids=lambda text: text[:40],
)
def test_too_much(text):
    survive(declared(x="1x4x9x9") + text, longest=20)


def test_sizes_that_double():
    """Each layer twice as large as the one before: refused where nobody believes the size."""
    text = declared(x0="1x4x9x9")
    for at in range(100):
        text += layer("Concat", "", (f"x{at}", f"x{at}"), (f"x{at + 1}",), f"c{at}")
    assert "beyond 2^53 elements" in survive(text)
