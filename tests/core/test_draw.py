import time

import numpy as np
import pytest

from paddlepose.core.draw import LEFT, MIDDLE, RIGHT, draw, sides
from paddlepose.core.types import Poses, Skeleton

SKELETON = Skeleton("arms", ("head", "left_hand", "right_hand"), flip_pairs=((1, 2),), limbs=((0, 1), (0, 2)))
PLACES = np.array([[[50.0, 20.0], [80.0, 70.0], [20.0, 70.0]]])
BLACK = np.zeros((100, 100, 3), np.uint8)


def poses(*scores, scale=1.0):
    return Poses(PLACES * scale, np.array([scores]), np.array([1.0]))


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("left_hand", "right_hand"), [LEFT, RIGHT]),
        (("right_hand", "left_hand"), [RIGHT, LEFT]),
        (("R_Hand", "L_Hand"), [RIGHT, LEFT]),
        (("rank", "lank"), [RIGHT, LEFT]),
        (("hand1", "hand2"), [LEFT, RIGHT]),
    ],
)
def test_sides_are_told_by_name_and_else_by_order(pair, expected):
    assert sides(Skeleton("x", (*pair, "nose"), flip_pairs=((0, 1),), limbs=())) == [*expected, MIDDLE]


def test_limbs_and_joints_are_drawn_on_a_copy():
    drawn = draw(BLACK, poses(1, 1, 1), SKELETON)
    assert not BLACK.any()
    assert drawn[20, 50].any() and drawn[45, 65].any() and drawn[45, 35].any()
    assert not drawn[90].any()


def test_left_and_right_differ_and_the_joints_stand_out():
    drawn = draw(BLACK, poses(1, 1, 1), SKELETON).astype(int)
    colors = {tuple(drawn[y, x]) for x, y in ((50, 20), (80, 70), (20, 70), (65, 45), (35, 45))}
    assert len(colors) == 5
    assert drawn[70, 80, 2] > drawn[70, 80, 0] and drawn[70, 20, 0] > drawn[70, 20, 2]


def test_a_joint_at_the_threshold_is_hidden_with_its_limbs():
    drawn = draw(BLACK, poses(1, 0.3, 1), SKELETON, threshold=0.3)
    assert not drawn[70, 80].any() and not drawn[45, 65].any()
    assert drawn[70, 20].any()


def test_large_people_get_thicker_lines():
    small = draw(BLACK, poses(1, 0, 1), SKELETON).any(-1).sum()
    large = draw(np.zeros((1000, 1000, 3), np.uint8), poses(1, 0, 1, scale=10), SKELETON).any(-1).sum()
    assert large > 15 * small


@pytest.mark.parametrize("scale", [0.0, -3.0, 1e12])
def test_poses_of_no_size_or_far_outside_are_no_error(scale):
    assert draw(BLACK, poses(1, 1, 1, scale=scale), SKELETON).shape == BLACK.shape


def test_no_people_no_change():
    assert not draw(BLACK, Poses.empty(3), SKELETON).any()


def test_a_label_stands_above_the_topmost_joint():
    plain, labelled = (draw(BLACK, poses(0.9, 0.9, 0.9), SKELETON, labels=labels) for labels in ([], [7]))
    changed = np.argwhere((plain != labelled).any(2))
    assert len(changed) > 10
    assert changed[:, 0].max() < 20 and abs(changed[:, 1].mean() - 50) < 8


def test_nobody_is_labelled_where_no_joint_is_drawn():
    assert not draw(BLACK, poses(0.0, 0.0, 0.0), SKELETON, labels=[7]).any()


def test_a_pose_far_larger_than_the_picture_has_no_giant_label():
    start = time.perf_counter()
    draw(BLACK, poses(0.9, 0.9, 0.9, scale=1e9), SKELETON, labels=[7])
    assert time.perf_counter() - start < 0.2
