"""How a crop's looks are changed."""

import numpy as np
import pytest

from paddlepose.samples.appearance import Appearance, changed, draw_appearance
from paddlepose.settings import DatasetSection

EVERYTHING = DatasetSection(COLOR_JITTER=0.4, PROB_BLUR=1, PROB_JPEG=1, PROB_CUTOUT=1)


def crop(level=100):
    return np.full((64, 48, 3), level, np.uint8)


@pytest.mark.parametrize(
    "change, expected",
    [
        (Appearance(), (60, 100, 140)),
        (Appearance(brightness=20), (80, 120, 160)),
        (Appearance(contrast=2), (0, 72, 152)),  # around 128
        (Appearance(gains=(1.5, 1, 0.5)), (90, 100, 70)),
        (Appearance(saturation=0), (107, 107, 107)),  # 0.114 of 60, 0.587 of 100, 0.299 of 140
        (Appearance(blur=2), (60, 100, 140)),  # of one colour: nothing to blur
    ],
)
def test_colours(change, expected):
    picture = np.tile(np.uint8([60, 100, 140]), (64, 48, 1))
    assert np.abs(changed(picture, change).astype(int) - expected).max() <= 1


def test_a_cut_out_hides_its_rectangle_and_nothing_else():
    found = changed(crop(), Appearance(cutouts=((0.5, -0.25, 0.25, 0.5, 7),)))
    assert (found[:16, 24:36] == 7).all()
    assert (found == 7).sum() == 16 * 12 * 3


def test_jpeg_of_a_low_quality_is_noise():
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert np.abs(changed(noise, Appearance(quality=20)).astype(int) - noise).mean() > 5


def test_a_crop_is_not_changed_in_place():
    before = crop()
    changed(before, Appearance(cutouts=((0, 0, 1, 1, 0),)))
    assert (before == 100).all()


def test_draws_depend_on_the_generator_alone_and_keep_their_bounds():
    draws = [draw_appearance(np.random.default_rng(i), EVERYTHING) for i in range(300)]
    assert draws[3] == draw_appearance(np.random.default_rng(3), EVERYTHING)
    assert all(0.6 <= d.contrast <= 1.4 and 0.5 <= d.blur <= 2.5 and 15 <= d.quality < 70 for d in draws)
    assert {len(d.cutouts) for d in draws} == {1, 2, 3}
    assert all(changed(crop(), d).shape == (64, 48, 3) for d in draws[:50])


def test_nothing_is_drawn_unless_asked_for():
    assert draw_appearance(np.random.default_rng(0), DatasetSection()) is None
