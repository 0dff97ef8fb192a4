"""The bottom-up criterion: the published losses, and what counts in them."""

import numpy as np
import paddle
import pytest

from paddlepose.losses import BottomUp

CASES = ["pose_hrnet", "pose_higher_hrnet", "pose_hrnet_crowdpose"]


@pytest.mark.parametrize("case", CASES)
def test_losses_golden(golden, case):
    """goldens/bottomup/losses.npz: one size of heatmaps, or two, the first of three heads with targets of their own."""
    arrays = golden("bottomup/losses.npz")

    def joined(kind, level):
        """Arrays of all heads, of which the pose_hrnet's loss takes the first target."""
        prefix = f"{case}__in__{kind}_{level}_"
        found = [value for key, value in sorted(arrays.items()) if key.startswith(prefix)]
        return paddle.to_tensor(np.concatenate(found if case == "pose_higher_hrnet" else found[:1], 1))

    levels = 2 if case == "pose_higher_hrnet" else 1
    batch = {"offset": joined("gt_offset", 0), "offset_weight": joined("offset_weight", 0)}
    for level in range(levels):
        batch |= {f"heatmap{level}": joined("gt_heatmap", level), f"mask{level}": joined("mask", level)}
    predicted = [*(joined("pred_heatmap", level) for level in range(levels)), joined("pred_offset", 0)]
    found = BottomUp()(predicted, batch)
    wanted = [arrays[f"{case}__out__heatmap_loss_{level}"].mean() for level in range(levels)]
    np.testing.assert_allclose(found["heatmap"].item(), sum(wanted), rtol=1e-5)
    np.testing.assert_allclose(found["offset"].item(), arrays[f"{case}__out__offset_loss_0"], rtol=1e-5)
    np.testing.assert_allclose(found["loss"].item(), arrays[f"{case}__out__total"], rtol=1e-5)
    if levels > 1:
        np.testing.assert_allclose([found["heatmap0"].item(), found["heatmap1"].item()], wanted, rtol=1e-5)


def batch(joints=2, size=4):
    """Nothing to be found, everything counts."""
    maps = [paddle.zeros([1, joints + 1, size * 2**i, size * 2**i]) for i in range(2)]
    masks = [paddle.ones([1, 1, *level.shape[2:]]) for level in maps]
    offset = paddle.zeros([1, 2 * joints, size, size])
    heat = {"heatmap0": maps[0], "heatmap1": maps[1], "mask0": masks[0], "mask1": masks[1]}
    return heat | {"offset": offset, "offset_weight": paddle.ones_like(offset)}


@pytest.mark.parametrize(("difference", "loss"), [(0.1, 0.1**2 * 4.5), (2.0, 2.0 - 1 / 18)])
def test_offsets_near_and_far(difference, loss):
    """Squared below 1/9, a line above; the mean over what has a weight, wherever that is."""
    data = batch()
    data["offset_weight"][:, 1:] = 0
    outputs = [data["heatmap0"], data["offset"] + difference]
    assert BottomUp(offset_factor=0.5)(outputs, data)["loss"].item() == pytest.approx(0.5 * loss, rel=1e-5)


def test_nobody():
    """Without a person offsets cost nothing."""
    data = batch()
    data["offset_weight"] = paddle.zeros_like(data["offset"])
    found = BottomUp()([data["heatmap0"], data["offset"] + 1], data)
    assert found["loss"].item() == 0 and set(found) == {"loss", "heatmap", "offset"}


def test_every_head_has_the_one_target():
    """Of three heads one is wrong by 1 everywhere: a third of the loss of one head alone; masked pixels count as 0."""
    data = batch()
    wrong = paddle.concat([data["heatmap0"], data["heatmap0"] + 1, data["heatmap0"]], 1)
    outputs = [wrong, data["heatmap1"][:, :-1], data["offset"]]
    found = BottomUp(heatmap_factor=2.0)(outputs, data)
    assert found["heatmap0"].item() == pytest.approx(2 / 3) and found["heatmap1"].item() == 0
    data["mask0"][:, :, :2] = 0
    assert BottomUp()(outputs, data)["loss"].item() == pytest.approx(1 / 6)
