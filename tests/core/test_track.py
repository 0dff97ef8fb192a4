import sys

import numpy as np
import pytest

from paddlepose.core.nms import SIGMAS
from paddlepose.core.track import Smoother, Tracker
from paddlepose.core.types import Poses

pytest.importorskip("scipy", reason="people get ids where scipy is installed")

HEIGHT = 100.0  # pixels
# Nose, eyes, ears, then shoulders, elbows, wrists, hips, knees, ankles, in heights.
BODY = np.array(
    [[0, 0], [0.02, -0.02], [-0.02, -0.02], [0.05, 0], [-0.05, 0]]
    + [
        [x * side, y]
        for x, y in ((0.1, 0.12), (0.13, 0.3), (0.14, 0.45), (0.08, 0.45), (0.08, 0.7), (0.08, 0.92))
        for side in (1, -1)
    ]
)


def person(x, swing=0.0, height=HEIGHT):
    """Joints (17, 2) of somebody at `x`, with arms and legs swung by so many heights."""
    moved = np.zeros((17, 2))
    moved[[9, 16], 0], moved[[10, 15], 0] = swing, -swing
    return (BODY + moved) * height + [x, 0]


def poses(*people, score=0.8):
    xy = np.array(people).reshape(-1, 17, 2)
    scores = np.full(xy.shape[:2], score)
    return Poses(xy, scores, scores.mean(1))


def tracker():
    return Tracker(SIGMAS["coco"])


def crossing(seed, frames=120):
    """Frames of three people who cross: poses in random order and noisy, and who each is; who is behind is missing."""
    rng = np.random.default_rng(seed)
    lanes = [(0, 5.0, 90), (600, -4.0, 100), (100, 2.0, 110)]  # where, pixels a frame, height; from back to front
    for t in range(frames):
        xs = [start + speed * t for start, speed, _ in lanes]
        seen = [i for i in range(3) if not any(abs(xs[i] - x) < 18 for x in xs[i + 1 :])]
        rng.shuffle(seen)
        people = [person(xs[i], 0.12 * np.sin(0.25 * t + i), lanes[i][2]) + rng.normal(0, 1.5, (17, 2)) for i in seen]
        yield poses(*people), seen


@pytest.mark.parametrize("seed", range(5))
def test_three_people_who_cross_keep_their_ids(seed):
    track, ids_of = tracker(), {}
    hidden = 0
    for found, who in crossing(seed):
        hidden += 3 - len(who)
        for number, i in zip(track(found).tolist(), who, strict=True):
            assert ids_of.setdefault(i, number) == number
    assert hidden > 15 and sorted(ids_of.values()) == [1, 2, 3]


def test_the_same_video_gives_the_same_ids():
    runs = [[track(found).tolist() for found, _ in crossing(0)] for track in (tracker(), tracker())]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("gap", "number"), [(1, 1), (10, 1), (50, 1), (51, 2)])
def test_a_gap_is_bridged_up_to_two_seconds(gap, number):
    track = tracker()
    for _ in range(10):
        assert track(poses(person(50))).tolist() == [1]
    for _ in range(gap):
        assert track(poses()).shape == (0,)
    assert track(poses(person(50))).tolist() == [number]


def test_somebody_elsewhere_is_somebody_new():
    track = tracker()
    assert track(poses(person(0), person(300))).tolist() == [1, 2]
    assert track(poses(person(301), person(600), person(1))).tolist() == [2, 3, 1]


@pytest.mark.parametrize("score", [0.02, -0.1])
def test_joints_of_low_score_tell_nothing(score):
    track, rng = tracker(), np.random.default_rng(0)
    for _ in range(10):
        found = poses(person(50))
        found.xy[0, 5:], found.scores[0, 5:] = rng.uniform(-200, 200, (12, 2)), score
        assert track(found).tolist() == [1]


def test_people_without_any_score_can_be_followed():
    track = tracker()
    assert [track(poses(person(x), score=0.0)).tolist() for x in range(3)] == [[1]] * 3


def test_without_scipy_there_is_no_tracker(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ModuleNotFoundError, match="scipy"):
        tracker()


def smoothed(xs, noise=0.0, rate=25.0):
    """Places of one joint at `xs` (T,), as measured and as smoothed, less its true places."""
    rng, smooth = np.random.default_rng(0), Smoother()
    measured = [person(x) + rng.normal(0, noise, (17, 2)) for x in xs]
    found = [smooth(poses(xy), np.array([1]), i / rate).xy[0] for i, xy in enumerate(measured)]
    true = np.array([person(x) for x in xs])
    return np.array(measured) - true, np.array(found) - true


def test_smoothing_calms_joints_at_rest():
    measured, found = smoothed(np.zeros(200), noise=1.0)
    jitter = [np.abs(np.diff(values[20:], axis=0)).mean() for values in (measured, found)]
    assert jitter[1] < 0.4 * jitter[0] and abs(found[20:].mean()) < 0.1


def test_smoothing_keeps_up_with_fast_joints():
    xs = np.concatenate([np.zeros(20), 8.0 * np.arange(1, 60)])  # two heights a second, at once
    _, found = smoothed(xs)
    lag = -found[:, 0, 0] / 8  # frames
    assert lag.max() < 2.5 and lag[-1] < 1


def test_smoothing_knows_people_apart_and_forgets_them():
    smooth = Smoother()
    first = poses(person(0), person(300))
    assert np.array_equal(smooth(first, np.array([1, 2]), 0.0).xy, first.xy)
    swapped = poses(person(300), person(0))
    assert np.allclose(smooth(swapped, np.array([2, 1]), 0.04).xy, swapped.xy)
    assert smooth(poses(), np.array([], int), 0.08).xy.shape == (0, 17, 2)
    back = poses(person(40))
    assert np.array_equal(smooth(back, np.array([1]), 0.12).xy, back.xy)


def test_smoothing_goes_by_the_time_between_frames():
    """After a long gap the last place says little: the joints are nearly where they are seen."""
    moved = []
    for gap in (0.01, 10.0):
        smooth = Smoother()
        smooth(poses(person(0)), np.array([1]), 0.0)
        moved.append(smooth(poses(person(10)), np.array([1]), gap).xy[0, 0, 0])
    assert moved[0] < 5 < 9.8 < moved[1] < 10


def test_who_comes_back_is_told_by_their_size():
    """Somebody far away is hidden behind somebody near, who is missed in the frame in which the first comes back."""
    track = tracker()
    for x in range(20):
        assert track(poses(person(100, height=100), person(60 + 2 * x, height=120))).tolist() == [1, 2]
    for x in range(20, 30):
        assert track(poses(person(60 + 2 * x, height=120))).tolist() == [2]
    assert track(poses(person(104, height=100))).tolist() == [1]
    assert track(poses(person(124, height=120), person(104, height=100))).tolist() == [2, 1]
