"""Soft-argmax decoding, in the forms of both lightweight pose networks' code."""

import numpy as np
import pytest

from paddlepose import codecs
from paddlepose.codecs.soft_argmax import Codec, soft_argmax
from paddlepose.core.geometry import Region
from paddlepose.core.predict import TopDown
from paddlepose.core.types import Card, Skeleton
from paddlepose.metrics.accuracy import accuracy, joint_accuracy

COCO_PAIRS = tuple((i, i + 1) for i in range(1, 17, 2))


def codec(maps, **settings):
    height, width = maps.shape[2:]
    return Codec((4 * width, 4 * height), (width, height), **settings)


@pytest.mark.parametrize("maps", ["random", "peaked", "edges", "special"])
@pytest.mark.parametrize("beta", [1, 10, 100, 160])
def test_soft_argmax_golden(golden, maps, beta):
    """goldens/lpn/soft_argmax.npz: borders, ties, constant and negative maps; the scores of the authors' form."""
    data = golden("lpn/soft_argmax.npz")
    values = data[f"in__{maps}"]
    for family in ("lpn", "lp_net"):
        wanted = data[f"out__{family}_{maps}_beta{beta}_coords"]
        np.testing.assert_allclose(soft_argmax(values, beta), wanted, atol=2e-4)
    _, scores = codec(values, beta=beta).decode(values)
    np.testing.assert_array_equal(scores, data[f"out__lpn_{maps}_beta{beta}_score"][..., 0])


@pytest.mark.parametrize("maps", ["random", "peaked", "edges", "special"])
def test_masked_golden(golden, maps):
    """goldens/lpn/soft_argmax.npz: the other form puts joints without a positive value at (0, 0)."""
    data = golden("lpn/soft_argmax.npz")
    xy, scores = codec(data[f"in__{maps}"], form="lp_net").decode(data[f"in__{maps}"])
    np.testing.assert_allclose(xy / 4, data[f"out__lp_net_{maps}_max_preds_coords"], atol=2e-4)
    np.testing.assert_array_equal(scores, data[f"out__lp_net_{maps}_max_preds_score"][..., 0])


def predictor(maps, name="soft_argmax", **settings):
    size = (4 * maps.shape[3], 4 * maps.shape[2])
    pairs = COCO_PAIRS if maps.shape[1] == 17 else ()
    skeleton = Skeleton("golden", tuple(map(str, range(maps.shape[1]))), pairs, ())
    heatmap_size = maps.shape[3], maps.shape[2]
    card = Card(
        "top_down",
        "golden",
        size,
        skeleton,
        {"name": name, "input_size": size, "heatmap_size": heatmap_size} | settings,
    )
    return TopDown(lambda images: [images], card)


def regions(data):
    pairs = zip(data["in__center"].astype(float), data["in__scale"] * 200.0, strict=True)
    return [Region(center, size) for center, size in pairs]


@pytest.mark.parametrize(
    ("title", "name", "settings"),
    [
        ("lpn_soft_post", "soft_argmax", {}),
        ("lpn_soft_nopost", "soft_argmax", {"post_process": False}),
        ("argmax_post", "heatmap", {}),
        ("lp_net", "soft_argmax", {"form": "lp_net"}),
    ],
)
def test_final_preds_golden(golden, title, name, settings):
    """goldens/lpn/final_preds.npz: joints in pixels of the image."""
    data = golden("lpn/final_preds.npz")
    poses = predictor(data["in__heatmaps"], name, **settings).poses(data["in__heatmaps"], regions(data))
    np.testing.assert_allclose(poses.xy, data[f"out__{title}_preds"], atol=1e-3)
    np.testing.assert_allclose(poses.scores, data[f"out__{title}_score"][..., 0])
    if title == "lpn_soft_post":
        np.testing.assert_allclose(poses.xy - 1.0, data["out__lpn_soft_post_bias1_preds"], atol=1e-3)


def test_accuracy_golden(golden):
    """goldens/lpn/final_preds.npz: lp_net's training accuracy decodes output and target alike."""
    data = golden("lpn/final_preds.npz")
    output, target = data["in__heatmaps"], data["in__target"]
    locate = codec(output, form="lp_net").locate
    by_joint = joint_accuracy(output, target, locate)
    np.testing.assert_allclose(by_joint, data["out__lp_net_accuracy"][1:])
    mean, count = accuracy(output, target, locate)
    np.testing.assert_allclose(mean, data["out__lp_net_accuracy_avg"])
    assert count == data["out__lp_net_accuracy_count"]
    np.testing.assert_allclose(locate(output)[0], data["out__lp_net_accuracy_pred"], atol=1e-3)


@pytest.mark.parametrize("form", ["lpn", "lp_net"])
@pytest.mark.parametrize("shift", [True, False])
def test_flip_golden(golden, form, shift):
    """goldens/lpn/flip_test.npz: maps averaged with the mirrored crop's, and what is read from them."""
    data = golden("lpn/flip_test.npz")
    found = predictor(data["in__output"], form=form, shift_heatmap=shift)
    found.flip_test = True
    found.network = lambda images: [np.concatenate([data["in__output"], data["in__output_of_flipped"]])]
    maps = found.outputs(data["in__output"])
    title = "shift" if shift else "noshift"
    np.testing.assert_allclose(maps, data[f"out__merged_{title}"], atol=1e-7)
    poses = found.poses(maps, regions(data))
    np.testing.assert_allclose(poses.xy, data[f"out__{form}_{title}_preds"], atol=1e-3)
    np.testing.assert_allclose(poses.scores, data[f"out__{form}_{title}_score"][..., 0], rtol=1e-6)


@pytest.mark.parametrize("form", ["lpn", "lp_net"])
def test_round_trip(form):
    """Whatever is written into maps is read from them again, within half a pixel of theirs."""
    joints = np.array([[10.0, 12.0, 1], [33.3, 40.7, 1]])
    own = codecs.build({"name": "soft_argmax", "input_size": (64, 64), "heatmap_size": (16, 16), "form": form})
    target, _ = own.encode(joints)
    xy, scores = own.decode(target[None])
    assert np.abs(xy[0] - joints[:, :2]).max() <= 2 + 1
    np.testing.assert_allclose(scores, 1, atol=1e-6)
