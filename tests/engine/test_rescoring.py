"""The rescoring network learns as the published one does, and its files serve predictors."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from paddlepose.core.rescore import NAMES, features
from paddlepose.core.types import Poses
from paddlepose.datasets._skeleton import COCO, CROWDPOSE
from paddlepose.engine import rescoring, weights
from paddlepose.engine.torch_file import write_torch
from paddlepose.metrics.matches import Matches

SKELETONS = {"coco": COCO, "crowdpose": CROWDPOSE}


def options(**changes):
    return SimpleNamespace(**{"batch_size": 16, "end_epoch": 3, "lr": 1e-3} | changes)


def golden_network(golden_weights, skeleton):
    """The network with the weights of the goldens, and these as PyTorch has them."""
    network = rescoring.network(skeleton, 256)
    theirs = {
        key: golden_weights.tensor(f"rescore.{key}", value.shape[::-1]) for key, value in network.state_dict().items()
    }
    network.set_state_dict({key: value.T for key, value in theirs.items()})
    return network, theirs


@pytest.mark.parametrize("name", SKELETONS)
def test_training_golden(golden, golden_weights, name):
    """Three epochs on the golden's records: the published losses, and then the published predictions."""
    numbers, records = golden(f"bottomup/rescore_{name}.npz"), golden(f"bottomup/rescore_data_{name}.npz")
    matches = Matches(records["out__poses_xy"], records["out__pose_scores"][..., 0], records["out__oks"])
    network, _ = golden_network(golden_weights, SKELETONS[name])
    losses = list(rescoring.train(network, matches, SKELETONS[name], options(), np.random.RandomState(3)))
    assert losses == pytest.approx(numbers["out__train_losses"].tolist(), rel=1e-4)
    predicted = network(paddle.to_tensor(numbers["out__features"])).numpy()
    assert np.allclose(predicted, numbers["out__predicted_after_training"], atol=1e-3)


def test_files_of_both_kinds_give_the_same_scores(golden, golden_weights, tmp_path):
    numbers = golden("bottomup/rescore_coco.npz")
    network, theirs = golden_network(golden_weights, COCO)
    weights.save(network.state_dict(), tmp_path / "own.pdparams")
    write_torch(theirs, tmp_path / "published.pth")
    joints = numbers["in__poses"]
    poses = Poses(joints[..., :2], joints[..., 2], numbers["in__pose_scores"])
    for name in ("own.pdparams", "published.pth"):
        assert np.allclose(rescoring.load(tmp_path / name, COCO)(poses).score, numbers["out__final_scores"], atol=1e-5)
    with pytest.raises(
        ValueError, match=r"own\.pdparams: a rescoring network of 74 features, but .* 'crowdpose' have 59"
    ):
        rescoring.load(tmp_path / "own.pdparams", CROWDPOSE)


def test_new_weights():
    """Up to the square root of 3 / inputs, biases 0, and a width of one's choice."""
    paddle.seed(0)
    state = {key: value.numpy() for key, value in rescoring.network(COCO, 100).state_dict().items()}
    assert sorted(state) == sorted(NAMES)
    for name, inputs in (("l1", 74), ("l2", 100), ("l3", 100)):
        assert np.abs(state[f"{name}.weight"]).max() == pytest.approx((3 / inputs) ** 0.5, rel=0.05)
        assert not state[f"{name}.bias"].any()


@pytest.mark.parametrize("count", [1, 5, 20])
def test_little_data(count):
    """Fewer poses than a batch are one; an OKS of exactly 1 is learned as 0."""
    rng = np.random.default_rng(0)
    matches = Matches(rng.normal(size=(count, 17, 2)), rng.random((count, 17)), np.ones(count))
    network = rescoring.network(COCO, 8)
    losses = list(rescoring.train(network, matches, COCO, options(end_epoch=100, lr=0.01), rng))
    assert losses[-1] < 1e-2 < losses[0]
    x = features(Poses(matches.xy, matches.scores, matches.oks), COCO)
    assert np.abs(network(paddle.to_tensor(x)).numpy()).max() < 0.5
