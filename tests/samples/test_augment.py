"""Random draws and half bodies."""

import numpy as np
import pytest

from paddlepose.core.geometry import Region
from paddlepose.core.types import Person, Skeleton
from paddlepose.samples.augment import Draw, draw, half_body
from paddlepose.settings import DatasetSection

COCO = Skeleton("coco", tuple(map(str, range(17))), (), (), upper_body=tuple(range(11)))


def person(visible=17):
    joints = np.zeros((17, 3))
    joints[:visible, 2] = 1
    return Person(joints, Region(np.zeros(2), np.ones(2)), np.zeros(4), 1.0)


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("half", ["upper", "lower"])
def test_half_body_golden(golden, case, half):
    """goldens/topdown/boxes.npz: centre and scale of half bodies, or none."""
    data = golden("topdown/boxes.npz")
    width, height = data["in__image_wh"][case]
    for i in range(24):
        visible = data[f"in__hb_joints_vis_{case}"][i][:, :1]
        joints = np.hstack([data[f"in__hb_joints_{case}"][i][:, :2], visible])
        region = half_body(joints, COCO, half, width / height)
        center, scale = data[f"out__hb_center_{half}_{case}"][i], data[f"out__hb_scale_{half}_{case}"][i]
        if region is None:
            assert np.isnan(center).all()
        else:
            np.testing.assert_allclose(region.center, center, atol=1e-4)
            np.testing.assert_allclose(region.size / 200, scale, atol=1e-6)


def test_the_same_generator_draws_the_same():
    options = DatasetSection()
    first = [draw(np.random.default_rng(3), options, person()) for _ in range(2)]
    assert first[0] == first[1]
    assert first[0] != draw(np.random.default_rng(4), options, person())


def test_draws_keep_their_bounds():
    options = DatasetSection(SCALE_FACTOR=0.3, ROT_FACTOR=40, PROB_HALF_BODY=0.3)
    rng = np.random.default_rng(0)
    draws = [draw(rng, options, person()) for _ in range(4000)]
    scales, turns = np.array([d.scale for d in draws]), np.array([d.rotation for d in draws])
    assert scales.min() == pytest.approx(0.7)
    assert scales.max() == pytest.approx(1.3)
    assert np.abs(turns).max() <= 80
    assert np.mean(turns == 0) == pytest.approx(0.4, abs=0.03)
    assert np.mean([d.flip for d in draws]) == pytest.approx(0.5, abs=0.03)
    halves = [d.half_body for d in draws if d.half_body]
    assert len(halves) / len(draws) == pytest.approx(0.3, abs=0.03)
    assert np.mean([half == "upper" for half in halves]) == pytest.approx(0.69, abs=0.05)


def test_nothing_is_drawn_where_nothing_may_vary():
    options = DatasetSection(SCALE_FACTOR=0, ROT_FACTOR=0, FLIP=False)
    assert draw(np.random.default_rng(0), options, person()) == Draw()


def test_few_joints_are_never_halved():
    options = DatasetSection(PROB_HALF_BODY=1)
    assert all(draw(np.random.default_rng(i), options, person(8)).half_body is None for i in range(20))


def test_a_share_of_samples_is_turned_by_any_angle():
    options = DatasetSection(ROT_FACTOR=0, PROB_ANY_ROTATION=0.25)
    turns = np.array([draw(np.random.default_rng(i), options, person()).rotation for i in range(4000)])
    assert np.mean(turns != 0) == pytest.approx(0.25, abs=0.03)
    assert np.abs(turns).max() == pytest.approx(180, abs=1)
