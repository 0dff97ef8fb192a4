"""Boxes to maps and back."""

import numpy as np
import pytest

from paddlepose.codecs.centers import Codec, overlaps, suppressed

CODEC = Codec(input_size=(128, 64), heatmap_size=(32, 16))
NOBODY = np.zeros((0, 4))


def answer(target):
    """What a network that has learned the target by heart answers."""
    scores = target[:1].clip(0.001, 0.999)
    return np.concatenate([np.log(scores / (1 - scores)), target[1:]])


def test_boxes_come_back():
    boxes = np.array([[10.0, 5, 20, 40], [60, 10, 50, 30], [45, 33, 8, 12]])
    target, weight = CODEC.encode(boxes, NOBODY)
    found = CODEC.decode(answer(target))
    assert found[:, 4] == pytest.approx([0.999] * 3)
    order = np.lexsort(found[:, :1].T)
    np.testing.assert_allclose(found[order, :4], boxes[np.argsort(boxes[:, 0])], atol=1e-3)
    assert weight[0].all()
    assert (weight[1] > 0).sum() >= 3


def test_nobody_is_found_where_nobody_is():
    target, _ = CODEC.encode(NOBODY, NOBODY)
    assert not target.any()
    assert CODEC.decode(answer(target)).shape == (0, 5)


def test_doubtful_people_do_not_count_but_a_person_in_front_does():
    person = np.array([[20.0, 20, 8, 12]])
    _, weight = CODEC.encode(person, np.array([[0.0, 0, 64, 64]]))
    assert weight[0, :, :16].sum() == 1
    assert weight[0, 6, 6] == 1
    assert weight[0, :, 18:].all()


def test_a_centre_outside_the_map_is_nobody():
    target, _ = CODEC.encode(np.array([[-30.0, 0, 20, 20], [120, 60, 40, 40]]), NOBODY)
    assert not target.any()


def test_of_boxes_that_overlap_the_best_stays():
    rows = np.array([[0, 0, 10, 10, 0.9], [1, 0, 10, 10, 0.8], [20, 0, 10, 10, 0.7]])
    assert suppressed(rows, 0.6)[:, 4].tolist() == [0.9, 0.7]
    assert len(suppressed(rows, 0.9)) == 3


def test_overlaps_by_hand():
    boxes = np.array([[0.0, 0, 10, 10]])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5], [0, 0, 0, 0]])
    np.testing.assert_allclose(overlaps(boxes, others), [[1, 1 / 3, 0, 0]])
