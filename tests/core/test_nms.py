"""Similarity of poses, and which of several alike ones stay."""

import numpy as np
import pytest

from paddlepose.core.nms import SIGMAS, box_nms, oks, oks_nms

SIGMA = np.array(SIGMAS["coco"])
NONE = np.zeros((0, 17, 2)), np.zeros(0), np.zeros(0)


@pytest.mark.parametrize("case", range(6))
def test_similarity_equals_the_golden(golden, case):
    nms = golden("topdown/nms.npz")
    joints, areas = nms[f"in__keypoints_{case}"][..., :2], nms[f"in__area_{case}"]
    best = nms[f"in__score_{case}"].argmax()
    alike = oks(joints[best], areas[best], joints, other_areas=areas, sigmas=SIGMA)
    np.testing.assert_allclose(alike, nms[f"out__oks_iou_{case}"], atol=1e-6)


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("threshold", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("soft", [False, True])
def test_kept_poses_equal_the_golden(golden, soft, threshold, case):
    nms = golden("topdown/nms.npz")
    joints, scores, areas = nms[f"in__keypoints_{case}"][..., :2], nms[f"in__score_{case}"], nms[f"in__area_{case}"]
    kept = oks_nms(joints, scores, areas, sigmas=SIGMA, threshold=threshold, soft=soft)
    np.testing.assert_array_equal(kept, nms[f"out__{'soft_' * soft}oks_nms_{case}_thr{threshold}"])


@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_kept_boxes_equal_the_golden(golden, threshold):
    nms = golden("topdown/nms.npz")
    kept = box_nms(nms["in__dets"][:, :4], nms["in__dets"][:, 4], threshold)
    np.testing.assert_array_equal(kept, nms[f"out__box_nms_thr{threshold}"])


def test_similarity_of_one_joint_by_hand():
    """d^2 = 25, (2 sigma)^2 = 1, mean area (2 + 8) / 2 = 5: exp(-25 / 1 / 5 / 2)."""
    alike = oks(np.zeros((1, 2)), 2.0, np.array([[[3.0, 4.0]]]), other_areas=np.array([8.0]), sigmas=np.array([0.5]))
    np.testing.assert_allclose(alike, [np.exp(-2.5)])


def test_two_alike_and_one_apart():
    joints = np.zeros((3, 17, 2))
    joints[2] += 1000
    arguments = joints, np.array([0.5, 0.9, 0.7]), np.full(3, 100.0)
    assert oks_nms(*arguments, sigmas=SIGMA, threshold=0.9).tolist() == [1, 2]
    # The softened score of pose 0 is 0.5 exp(-1 / 0.9), so it comes last, but stays.
    assert oks_nms(*arguments, sigmas=SIGMA, threshold=0.9, soft=True).tolist() == [1, 2, 0]


def test_soft_suppression_leaves_the_scores_it_was_given():
    scores = np.array([0.5, 0.9])
    oks_nms(np.zeros((2, 17, 2)), scores, np.ones(2), sigmas=SIGMA, threshold=0.5, soft=True)
    assert scores.tolist() == [0.5, 0.9]


@pytest.mark.parametrize("soft", [False, True])
def test_nobody(soft):
    assert oks_nms(*NONE, sigmas=SIGMA, threshold=0.5, soft=soft).shape == (0,)


def test_weighted_joints_count_by_their_weight():
    joints, others = np.zeros((2, 2)), np.array([[[0.0, 0], [100, 100]], [[0, 0], [0, 0]]])
    how = {"other_areas": np.ones(2), "sigmas": np.full(2, 0.1)}
    assert np.allclose(oks(joints, 1.0, others, **how), [0.5, 1])
    weights = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert np.allclose(oks(joints, 1.0, others, weights=weights, **how), [0.9, 1])
