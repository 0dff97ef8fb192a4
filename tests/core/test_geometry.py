"""Matrices between images and crops."""

import numpy as np
import pytest

from paddlepose.core.geometry import Region, crop_matrix, flip_joints, invert, transform
from paddlepose.core.types import Skeleton

SKELETON = Skeleton("three", ("left", "right", "nose"), flip_pairs=((0, 1),), limbs=())


def test_affine_golden(golden):
    """goldens/topdown/affine.npz: matrices, their inverses, and points through both, of 80 crops."""
    data = golden("topdown/affine.npz")
    for i, size in enumerate(data["in__output_size_wh"].tolist()):
        region = Region(data["in__center"][i], data["in__scale"][i] * 200)
        matrix = crop_matrix(region, size, data["in__rot"][i], data["in__shift"][i])
        np.testing.assert_allclose(matrix, data["out__trans"][i], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(invert(matrix), data["out__trans_inv"][i], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(transform(data["in__points"][i], matrix), data["out__points"][i], rtol=1e-6)
        back = transform(data["in__heatmap_points"][i], invert(crop_matrix(region, size)))
        np.testing.assert_allclose(back, data["out__transform_preds"][i], rtol=1e-6)


def test_flip_joints_golden(golden):
    """goldens/topdown/flip.npz: joints of the mirrored image, with COCO's and MPII's pairs."""
    data = golden("topdown/flip.npz")
    for case, pairs in enumerate(([(i, i + 1) for i in range(1, 17, 2)], MPII_PAIRS)):
        visible = data[f"in__joints_vis_{case}"][:, :1]
        names = tuple(map(str, range(len(visible))))
        joints = np.hstack([data[f"in__joints_{case}"][:, :2], visible])
        found = flip_joints(joints, int(data[f"in__width_{case}"]), Skeleton("golden", names, tuple(pairs), ()))
        np.testing.assert_allclose(found[:, :2], data[f"out__fliplr_joints_{case}"][:, :2], atol=1e-6)
        np.testing.assert_array_equal(found[:, 2], data[f"out__fliplr_joints_vis_{case}"][:, 0])


MPII_PAIRS = [(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)]


@pytest.mark.parametrize(
    ("box", "aspect", "center", "size"),
    [
        ((0, 0, 40, 20), 1.0, (20, 10), (50, 50)),  # a wide box grows in height
        ((0, 0, 20, 40), 0.5, (10, 20), (25, 50)),  # one of the right aspect is only padded
        ((0, 0, 10, 40), 1.0, (5, 20), (50, 50)),  # a tall box grows in width
        ((-2, 0, 2, 2), 1.0, (-1, 1), (2, 2)),  # a centre at x = -1 means none: not padded
    ],
)
def test_region_of_a_box(box, aspect, center, size):
    region = Region.from_box(box, aspect)
    assert region.center.tolist() == list(center)
    assert region.size.tolist() == list(size)


def test_crop_shows_its_region():
    """The region's centre and left border are the crop's, and a quarter turn moves what was above to the left."""
    region = Region(np.array([50.0, 60.0]), np.array([20.0, 40.0]))
    points = np.array([[50.0, 60.0], [40.0, 60.0], [50.0, 50.0]])
    upright = transform(points, crop_matrix(region, (10, 20)))
    np.testing.assert_allclose(upright, [[5, 10], [0, 10], [5, 5]], atol=1e-6)
    turned = transform(points, crop_matrix(region, (10, 20), rotation=90))
    np.testing.assert_allclose(turned, [[5, 10], [5, 15], [0, 10]], atol=1e-5)


def test_forward_and_back():
    rng = np.random.default_rng(0)
    for _ in range(50):
        region = Region(rng.uniform(0, 500, 2), rng.uniform(20, 400, 2))
        matrix = crop_matrix(region, (192, 256), rng.uniform(-80, 80))
        points = rng.uniform(0, 500, (7, 2))
        np.testing.assert_allclose(transform(transform(points, matrix), invert(matrix)), points, atol=1e-6)


def test_flip_joints_twice_is_nothing():
    joints = np.array([[1.0, 2, 1], [7, 3, 1], [0, 0, 0]])
    once = flip_joints(joints, 10, SKELETON)
    assert once.tolist() == [[2, 3, 1], [8, 2, 1], [0, 0, 0]]  # the old right is the new left; hidden joints stay at 0
    assert flip_joints(once, 10, SKELETON).tolist() == joints.tolist()
