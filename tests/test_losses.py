"""The criteria against the published ones."""

import numpy as np
import paddle
import pytest

from paddlepose.losses import CrossEntropy, Heatmap

CASES = [
    (case, weighted, name, hardest)
    for case in range(3)
    for weighted in (True, False)
    for name, hardest in (("mse", None), ("ohkm8", 8), ("ohkm3", 3))
    if case < 2 or weighted or hardest is None  # the reference crashes on a batch of one without weights
]


@pytest.mark.parametrize(("case", "weighted", "name", "hardest"), CASES)
def test_losses_golden(golden, case, weighted, name, hardest):
    """goldens/topdown/losses.npz: mean squared error and hard keypoint mining, and their gradients."""
    data = golden("topdown/losses.npz")
    output = paddle.to_tensor(data[f"in__output_{case}"], stop_gradient=False)
    batch = {
        "target": paddle.to_tensor(data[f"in__target_{case}"]),
        "weight": paddle.to_tensor(data[f"in__target_weight_{case}"]),
    }
    loss = Heatmap(use_weight=weighted, hardest=hardest)([output], batch)["loss"]
    loss.backward()
    np.testing.assert_allclose(loss.item(), data[f"out__{name}_{case}_tw{int(weighted)}"], rtol=1e-6)
    gradient = data.get(f"out__{name}_grad_{case}_tw{int(weighted)}")
    if gradient is not None:
        np.testing.assert_allclose(output.grad.numpy(), gradient, rtol=1e-5, atol=1e-9)


def test_several_outputs_add_up():
    batch = {"target": paddle.zeros([1, 2, 4, 4]), "weight": paddle.ones([1, 2, 1])}
    output = paddle.ones([1, 2, 4, 4])
    assert Heatmap()([output], batch)["loss"].item() == 0.5
    assert Heatmap()([output, output], batch)["loss"].item() == 1.0


def test_an_unlabelled_joint_does_not_count():
    batch = {"target": paddle.zeros([1, 2, 4, 4]), "weight": paddle.to_tensor([[[1.0], [0.0]]])}
    assert Heatmap()([paddle.ones([1, 2, 4, 4])], batch)["loss"].item() == 0.25


def test_more_hardest_joints_than_joints():
    batch = {"target": paddle.zeros([1, 2, 4, 4]), "weight": paddle.ones([1, 2, 1])}
    assert Heatmap(hardest=8)([paddle.ones([1, 2, 4, 4])], batch)["loss"].item() == 0.5


def test_cross_entropy_is_least_where_maps_are_the_labels():
    """It is then the entropy of the label, whatever the height of the maps; an unlabelled joint counts nothing."""
    target = paddle.nn.functional.softmax(paddle.randn([2, 3, 16])).reshape([2, 3, 4, 4])
    weight = paddle.to_tensor([[[1.0], [1.0], [0.0]]] * 2)
    batch = {"target": target, "weight": weight}
    entropy = -(target * target.log()).sum([2, 3])[:, :2].mean().item()
    assert CrossEntropy()([25 * target], batch)["loss"].item() == pytest.approx(entropy, abs=1e-6)
    assert CrossEntropy()([target.flip(-1)], batch)["loss"].item() > entropy + 0.1
    other = paddle.concat([target[:, :2], target[:, 2:].flip(-1)], 1)
    assert CrossEntropy()([other], batch)["loss"].item() == pytest.approx(entropy, abs=1e-6)


def test_cross_entropy_of_nobody():
    batch = {"target": paddle.zeros([1, 2, 4, 4]), "weight": paddle.ones([1, 2, 1])}
    assert CrossEntropy()([paddle.ones([1, 2, 4, 4])], batch)["loss"].item() == 0
