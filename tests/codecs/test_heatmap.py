"""Gaussian heatmaps: made, read, mirrored."""

import numpy as np
import pytest

from paddlepose.codecs.heatmap import Codec
from paddlepose.core.geometry import Region
from paddlepose.core.predict import TopDown
from paddlepose.core.types import Card, Skeleton

COCO_WEIGHTS = [1, 1, 1, 1, 1, 1, 1, 1.2, 1.2, 1.5, 1.5, 1, 1, 1.2, 1.2, 1.5, 1.5]
PAIRS = {
    17: tuple((i, i + 1) for i in range(1, 17, 2)),
    16: ((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
}


def skeleton(joints):
    return Skeleton("golden", tuple(map(str, range(joints))), PAIRS[joints], ())


@pytest.mark.parametrize("case", range(5))
def test_targets_golden(golden, case):
    """goldens/topdown/targets.npz: joints at ties, borders and outside, three sizes, two sigmas."""
    data = golden("topdown/targets.npz")
    codec = Codec(
        tuple(data[f"in__image_wh_{case}"]), tuple(data[f"in__heatmap_wh_{case}"]), float(data[f"in__sigma_{case}"])
    )
    for n, joints in enumerate(data[f"in__joints_{case}"]):
        target, weight = codec.encode(np.hstack([joints[:, :2], data[f"in__joints_vis_{case}"][n][:, :1]]))
        if data[f"in__use_different_joints_weight_{case}"]:
            weight = weight * np.array(COCO_WEIGHTS)[:, None]
        np.testing.assert_allclose(target, data[f"out__target_{case}"][n], atol=1e-6)
        np.testing.assert_allclose(weight, data[f"out__target_weight_{case}"][n], atol=1e-6)


@pytest.mark.parametrize(("case", "post_process"), [(c, p) for c in range(3) for p in (True, False)])
def test_decode_golden(golden, case, post_process):
    """goldens/topdown/decode.npz: maxima, ties, borders and negative maps, back in the image."""
    data = golden("topdown/decode.npz")
    maps = data[f"in__heatmaps_{case}"]
    height, width = maps.shape[2:]
    size = (4 * width, 4 * height)
    settings = {
        "name": "heatmap",
        "input_size": size,
        "heatmap_size": (width, height),
        "post_process": post_process,
    }
    card = Card("top_down", "golden", size, skeleton(maps.shape[1]), settings)
    regions = [
        Region(center.astype(float), scale * 200.0)
        for center, scale in zip(data[f"in__center_{case}"], data[f"in__scale_{case}"], strict=True)
    ]
    poses = TopDown(lambda images: [images], card).poses(maps, regions)
    wanted = data[f"out__preds_{'post' if post_process else 'raw'}_{case}"]
    np.testing.assert_allclose(poses.xy, wanted, atol=1e-3)
    np.testing.assert_allclose(poses.scores, data[f"out__maxvals_{case}"][..., 0])


@pytest.mark.parametrize("case", range(2))
@pytest.mark.parametrize("shift", [True, False])
def test_flip_golden(golden, case, shift):
    """goldens/topdown/flip.npz: maps of a mirrored crop turned back, and merged with the crop's own."""
    data = golden("topdown/flip.npz")
    maps, mirrored = data[f"in__output_{case}"], data[f"in__output_of_flipped_{case}"]
    joints, height, width = maps.shape[1:]
    size = (4 * width, 4 * height)
    settings = {"name": "heatmap", "input_size": size, "heatmap_size": (width, height), "shift_heatmap": shift}
    card = Card("top_down", "golden", size, skeleton(joints), settings)
    predictor = TopDown(lambda images: [np.concatenate([maps, mirrored])], card, flip_test=True)
    merged = predictor.outputs(np.zeros((len(maps), 3, *size[::-1]), np.float32))
    np.testing.assert_allclose(merged, data[f"out__merged_{'shift_' if shift else ''}{case}"], atol=1e-6)
    if not shift:
        found = predictor.codec.flip(mirrored, card.skeleton)
        np.testing.assert_allclose(found, data[f"out__flip_back_{case}"], atol=1e-6)


def test_round_trip():
    """A joint comes back within half a pixel of the map, which is two of the crop."""
    codec = Codec((64, 96), (16, 24), sigma=1)
    rng = np.random.default_rng(0)
    joints = np.column_stack([rng.uniform(12, 48, 40), rng.uniform(12, 80, 40), np.ones(40)])
    maps, weight = codec.encode(joints)
    xy, scores = codec.decode(maps[None])
    assert np.abs(xy[0] - joints[:, :2]).max() <= 2
    assert (scores == 1).all()
    assert (weight == 1).all()


def test_a_joint_off_the_map_has_no_weight():
    joints = np.array([[32.0, 32, 1], [200, 32, 1], [-1, 32, 1], [32, 32, 0]])
    maps, weight = Codec((64, 64), (16, 16), sigma=1).encode(joints)
    assert weight[:, 0].tolist() == [1, 0, 1, 0]  # the third lies just outside: its tail is on the map
    assert maps[1].max() == maps[3].max() == 0
    assert maps[0].max() == 1
