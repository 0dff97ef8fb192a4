"""What flows: shapes are held, cards come back as they were."""

import json

import numpy as np
import pytest

from paddlepose.core.types import CARD_FORMAT, Card, Poses, Skeleton

SKELETON = Skeleton("three", ("left_eye", "right_eye", "nose"), ((0, 1),), ((0, 2), (1, 2)), (0, 1, 2), (0.1, 0.1, 0.2))
CARD = Card(
    kind="top_down",
    model="pose_resnet",
    input_size=(192, 256),
    skeleton=SKELETON,
    codec={"name": "heatmap", "input_size": (192, 256), "heatmap_size": (48, 64)},
    source={"weights": "a file"},
)


def test_flip_order_swaps_left_and_right():
    assert SKELETON.flip_order.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limbs": ((0, 3),)}, r"joints 0 to 2, but pairs or limbs name \[3\]"),
        ({"flip_pairs": ((-1, 0),)}, r"name \[-1\]"),
        ({"sigmas": (0.1,)}, "1 sigmas for 3 joints"),
    ],
)
def test_a_skeleton_that_cannot_be(changes, message):
    fields = {"name": "three", "joints": SKELETON.joints, "flip_pairs": (), "limbs": ()}
    with pytest.raises(ValueError, match=message):
        Skeleton(**{**fields, **changes})


def test_poses_are_sliced_together():
    poses = Poses(np.zeros((2, 3, 2)), np.ones((2, 3)), np.array([0.5, 0.25]))
    assert len(poses) == 2
    assert len(poses[poses.score > 0.3]) == 1
    assert poses[[1]].score.tolist() == [0.25]
    assert len(Poses.empty(3)) == 0
    assert poses.to_json(SKELETON)[1] == {
        "score": 0.25,
        "keypoints": {"left_eye": [0, 0, 1], "right_eye": [0, 0, 1], "nose": [0, 0, 1]},
    }


def test_poses_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 2\).*\(2, 4\)"):
        Poses(np.zeros((2, 3, 2)), np.ones((2, 4)), np.zeros(2))


def test_a_card_comes_back_as_it_was():
    assert Card.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": CARD_FORMAT + 1}, "update paddlepose"),
        ({"skeleton": 3}, "export the model again"),
        ({"colour": "blue"}, "no field 'colour': export the model again"),
        ({"format": None}, "update paddlepose"),
        ({"kind": "x"}, r"card: kind: expected 'top_down' or 'bottom_up' or 'detector', got 'x'"),
        ({"input_size": [192]}, "card: input_size: expected 2 values"),
        ({"input_size": [192, "256"]}, "card: input_size: expected a whole number, got '256'"),
        ({"input_size": [32000, 32000]}, "expected sides of 1 to 8192 pixels"),
        ({"input_size": [0, 256]}, "expected sides of 1 to 8192 pixels"),
        ({"input_size": [96, 256]}, r"its codec's input_size is \(192, 256\)"),
        ({"mean": [float("nan")] * 3}, "card: mean: expected a finite number, got nan"),
        ({"mean": [0.5]}, "card: mean .*: expected three"),
        ({"std": [0, 0, 0]}, "card: std .*those of std above 0"),
        ({"padding": -1}, "card: padding -1"),
        ({"padding": 10**400}, "card: padding: expected a finite number"),
        ({"rgb": "yes"}, "card: rgb: expected true or false, got 'yes'"),
        ({"rgb": 1}, "card: rgb: expected true or false"),
        ({"codec": [1]}, "card: codec: expected fields by name"),
        ({"skeleton": {"name": "x", "joints": [], "flip_pairs": [], "limbs": []}}, "0 joints; expected 1 to"),
        ({"skeleton": {"name": "x", "joints": [1], "flip_pairs": [], "limbs": []}}, "joints: expected a text, got 1"),
        ({"skeleton": {"name": "x"}}, "card: skeleton: 'joints' is missing"),
    ],
)
def test_a_card_that_cannot_be_read(change, message):
    with pytest.raises(ValueError, match=message):
        Card.from_json(json.dumps({**json.loads(CARD.to_json()), **change}))


def test_no_card():
    with pytest.raises(ValueError, match="export the model again"):
        Card.from_json("not JSON")
