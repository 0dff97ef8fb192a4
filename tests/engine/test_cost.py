"""Parameters and multiplications, by hand on small layers and against the published networks' own counts."""

import re
import time

import paddle
import pytest
from paddle import nn
from paddle.vision.ops import DeformConv2D

from paddlepose.engine.cost import Cost, cost, milliseconds
from paddlepose.models import network_class

SIZE = 8, 6  # width, height: 48 pixels


def twice():
    layer = nn.Conv2D(3, 3, 1, bias_attr=False)
    return nn.Sequential(layer, layer)


def as_if_thrice():
    """One call that stands for three of a published network's."""
    part = nn.Sequential(nn.Conv2D(3, 2, 1, bias_attr=False))
    part.published_calls = 3
    return nn.Sequential(part)


class Deformable(nn.Layer):
    """A deformable convolution whose taps stay where they are."""

    def __init__(self):
        super().__init__()
        self.conv = DeformConv2D(3, 4, 3, padding=1, bias_attr=False)

    def forward(self, image):
        return self.conv(image, paddle.zeros([1, 18, 6, 8]))


# 3 channels in; of the weights' number, the places where each is used, and their number at each call.
LAYERS = {
    "conv": (lambda: nn.Conv2D(3, 4, 3, padding=1), Cost(108 + 4, 108 * 48, 108 * 48, 108 + 4)),
    "stride": (lambda: nn.Conv2D(3, 4, 3, 2, padding=1, bias_attr=False), Cost(108, 108 * 12, 108 * 12, 108)),
    "groups": (lambda: nn.Conv2D(3, 6, 3, padding=1, groups=3, bias_attr=False), Cost(54, 54 * 48, 54 * 48, 54)),
    "transposed": (lambda: nn.Conv2DTranspose(3, 4, 4, 2, padding=1), Cost(192 + 4, 192 * 192, 192 * 48, 192 + 4)),
    "transposed, groups": (lambda: nn.Conv2DTranspose(3, 3, 2, 2, groups=3), Cost(12 + 3, 12 * 192, 12 * 48, 12 + 3)),
    "linear": (
        lambda: nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(3, 5)),
        Cost(15 + 5, 15, 15, 15 + 5),
    ),
    "linear of rows": (lambda: nn.Linear(8, 2, bias_attr=False), Cost(16, 16 * 3 * 6, 16 * 3 * 6, 16)),
    "batch norm": (lambda: nn.Sequential(nn.Conv2D(3, 2, 1), nn.BatchNorm2D(2)), Cost(8 + 4, 6 * 48, 6 * 48, 8 + 4)),
    "used twice": (twice, Cost(9, 2 * 9 * 48, 2 * 9 * 48, 2 * 9)),
    "counted thrice": (as_if_thrice, Cost(6, 3 * 6 * 48, 6 * 48, 3 * 6)),
    "deformable": (Deformable, Cost(108, 108 * 48, 108 * 48, 108)),
    "nothing": (nn.ReLU, Cost(0, 0, 0, 0)),
}


@pytest.mark.parametrize("case", LAYERS)
def test_counts_by_hand(case):
    build, expected = LAYERS[case]
    assert cost(build(), SIZE) == expected


def test_the_network_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2D(3, 2, 1), nn.BatchNorm2D(2))
    model.eval()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    assert cost(model, SIZE) == cost(model, SIZE)
    assert not any(layer._forward_post_hooks for layer in model.sublayers())
    assert all((value.numpy() == before[name]).all() for name, value in model.state_dict().items())


def test_no_hook_stays_after_an_error():
    model = nn.Sequential(nn.Conv2D(3, 2, 1), nn.Conv2D(3, 2, 1))
    with pytest.raises(ValueError, match="channel"):
        cost(model, SIZE)
    assert not any(layer._forward_post_hooks for layer in model.sublayers())


class SlowAtFirst(nn.Layer):
    """Takes long the first time."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, image):
        assert not paddle.is_grad_enabled() and image.shape == [1, 3, 6, 8]
        self.calls += 1
        time.sleep(0.3 if self.calls == 1 else 0.002)
        return [image]


@pytest.mark.parametrize("runs", [1, 3])
def test_the_first_pass_is_not_timed(runs):
    model = SlowAtFirst()
    assert 2 <= milliseconds(model, SIZE, runs=runs) < 200
    assert model.calls == runs + 1


def golden_row(golden, title):
    """Parameters, multiplications as the tables count them / 2^30 and true ones / 10^9, where the golden has them."""
    if title.startswith("pose_resnet"):
        row = golden(f"topdown/{title}.json")
        return row["params"], row["gflops"], row["gmacs_true"]
    if title.startswith("hourglass"):
        row = golden("fpd/complexity.json")["rows"][title]
        return row["params"], row["gflops"], row["macs"] / 1e9
    family, layers, variant, size = re.fullmatch(r"(lp_net|lpn)_(\d+)_(\w+)_(\w+)", title).groups()
    rows = golden("lpn/params_gflops.json")
    key = {"family": family, "layers": int(layers), "variant": variant, "input_hxw": size, "joints": 17}
    (row,) = [row for row in rows if key.items() <= row.items()]
    return row["params"], row["reference_summary_gi"], row["gmacs"]


# What no row of the published tables shows: kernels, biases and strides, kinds of attention, other sizes.
NETWORKS = {
    "pose_resnet_18_deconv432_coco_128x96": {
        "depth": 18,
        "num_deconv_filters": (128, 96, 64),
        "num_deconv_kernels": (4, 3, 2),
        "deconv_with_bias": True,
        "final_conv_kernel": 3,
    },
    "pose_resnet_50_caffe_coco_256x192": {"style": "caffe"},
    "hourglass_4_128_256x256_j16": {"num_stacks": 4, "num_features": 128},
    "hourglass_2_256_256x192_j17": {"num_stacks": 2, "num_features": 256},
    "lp_net_50_gcb_256x192": {},
    "lp_net_50_nogcb_256x192": {"use_gcb": False},
    "lp_net_101_gcb_256x192": {"depth": 101},
    "lpn_50_GC_384x288": {},
    "lpn_50_SE_256x192": {"attention": "se"},
    "lpn_50_none_256x192": {"attention": "none"},
}


@pytest.mark.parametrize("title", NETWORKS)
def test_golden_network(golden, title):
    params, gflops, gmacs = golden_row(golden, title)
    name = re.match("pose_resnet|hourglass|lp_net|lpn", title).group()
    height, width = map(int, re.search(r"(\d+)x(\d+)", title).groups())
    model = network_class(name)(16 if title.endswith("j16") else 17, **NETWORKS[title])
    model.eval()
    found = cost(model, (width, height))
    assert found.params == found.called == params
    assert found.counted / 2**30 == pytest.approx(gflops, abs=6e-5)
    assert found.macs / 1e9 == pytest.approx(gmacs, abs=6e-5)
