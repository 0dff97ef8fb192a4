"""Scores learned from poses, by the numbers of the published code; what is no rescoring network is refused."""

import numpy as np
import pytest

from paddlepose.core.rescore import Rescorer, features
from paddlepose.core.types import Poses, Skeleton
from paddlepose.datasets._skeleton import COCO, CROWDPOSE

SKELETONS = {"coco": COCO, "crowdpose": CROWDPOSE}


def weights_for(count, hidden=4):
    """Weights of a network for so many features, all 0 but for the last layer's bias, 0.5."""
    sizes = {"l1": (count, hidden), "l2": (hidden, hidden), "l3": (hidden, 1)}
    return {
        name: np.full(shape, 0.5 if name == "l3.bias" else 0, np.float32)
        for layer, size in sizes.items()
        for name, shape in ((f"{layer}.weight", size), (f"{layer}.bias", size[1:]))
    }


@pytest.mark.parametrize("name", SKELETONS)
def test_golden(golden, golden_weights, name):
    """Features, predictions and scores are those of the published code, also through a file's metadata."""
    numbers, skeleton = golden(f"bottomup/rescore_{name}.npz"), SKELETONS[name]
    joints = numbers["in__poses"]
    poses = Poses(joints[..., :2], joints[..., 2], numbers["in__pose_scores"])
    x = features(poses, skeleton)
    assert np.allclose(x, numbers["out__features"], atol=1e-5)
    theirs = {
        key: golden_weights.tensor(f"rescore.{key}", value.T.shape)
        for key, value in weights_for(x.shape[1], 256).items()
    }
    rescorer = Rescorer({key: value.T for key, value in theirs.items()}, skeleton)
    assert np.allclose(rescorer.predict(x), numbers["out__predicted"][:, 0], atol=1e-5)
    again = Rescorer.from_text(rescorer.to_text(), skeleton)
    for used in (rescorer, again):
        rescored = used(poses)
        assert np.allclose(rescored.score, numbers["out__final_scores"], atol=1e-5)
        assert np.array_equal(rescored.xy, poses.xy) and np.array_equal(rescored.scores, poses.scores)


def test_features_are_relative_to_the_unit():
    """One limb from (0, 0) to (3, 4) is 5 long, which is the unit; below one pixel the unit is one."""
    skeleton = Skeleton("stick", ("a", "b"), (), ((1, 0),))
    poses = Poses(np.array([[[0.0, 0], [3, 4]], [[0, 0], [0.3, 0.4]]]), np.array([[0.1, 0.2]] * 2), np.ones(2))
    assert np.allclose(features(poses, skeleton), [[0.6, 0.8, 1, 0.1, 0.2], [0.3, 0.4, 0.5, 0.1, 0.2]])


def test_nobody_and_what_is_no_number():
    rescorer = Rescorer(weights_for(74), COCO)
    assert len(rescorer(Poses.empty(17))) == 0
    assert rescorer.predict(np.full((1, 74), np.nan, np.float32)).tolist() == [0]
    assert rescorer(Poses(np.zeros((1, 17, 2)), np.ones((1, 17)), np.array([0.8]))).score == pytest.approx([0.4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"l1.weight": np.zeros((59, 4), np.float32)}, "59 features, but poses of 'coco' have 74: train one"),
        ({"l2.weight": np.zeros((3, 4), np.float32)}, "not the weights of a rescoring network: matmul"),
        ({"l2.bias": None}, "not the weights of a rescoring network: there is no l2.bias"),
    ],
)
def test_other_weights_are_refused(changes, message):
    changed = {key: value for key, value in (weights_for(74) | changes).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        Rescorer(changed, COCO)


@pytest.mark.parametrize("text", ["", "AAAA", "no base64"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match=r"no arrays that numpy wrote|base64"):
        Rescorer.from_text(text, COCO)
