"""The predictor, over networks that are a line of Python."""

import numpy as np
import pytest

from paddlepose.core import predict
from paddlepose.core.predict import TopDown
from paddlepose.core.types import Card, Skeleton

SKELETON = Skeleton("pair", ("left", "right"), ((0, 1),), ())
SETTINGS = {"name": "heatmap", "input_size": (32, 32), "heatmap_size": (32, 32), "shift_heatmap": False}
CARD = Card("top_down", "fake", (32, 32), SKELETON, SETTINGS)


def brightness(images):
    """Two maps: brightness in the left half and in the right, so that each finds the spot of its side."""
    maps = np.repeat(images.mean(1, keepdims=True), 2, axis=1) + 3
    maps[:, 0, :, 16:] = maps[:, 1, :, :16] = 0
    return [maps]


def spots(*places):
    picture = np.zeros((100, 120, 3), np.uint8)
    for x, y in places:
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    return picture


@pytest.mark.parametrize("flip_test", [True, False])
def test_poses_come_back_in_the_picture(flip_test):
    predictor = TopDown(brightness, CARD, flip_test=flip_test)
    poses = predictor(spots((20, 30), (40, 50)), [[6, 14, 48, 48]], [0.5])
    np.testing.assert_allclose(poses.xy[0], [[20, 30], [40, 50]], atol=2.5)
    assert poses.score[0] == pytest.approx(poses.scores.mean() * 0.5)


def test_people_of_one_picture_go_together_in_bounded_turns(monkeypatch):
    turns = []

    def network(images):
        turns.append(len(images))
        return brightness(images)

    monkeypatch.setattr(predict, "MOST_CROPS", 4)
    poses = TopDown(network, CARD)(spots((20, 30)), [[10, 10, 30, 30]] * 10)
    assert turns == [4, 4, 2]
    assert len(poses) == 10
    assert (poses.xy == poses.xy[0]).all()


def test_nobody():
    def network(images):
        raise AssertionError("the network need not run")

    assert len(TopDown(network, CARD)(spots(), np.zeros((0, 4)))) == 0
