"""Who is who from one frame of a video to the next, and joints that do not jitter."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.nms import oks
from paddlepose.core.types import Poses, Skeleton

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

_LEAST_OKS = 0.2  # with which a pose continues a track; below, it begins one
_LOOSER = 2.5  # times the fall-off of labels: steps and noise move joints farther than those who label them do
_AREA = 5.0  # of a person, in mean squared distances of the joints from their middle
_RESIZING = 0.2  # by which the logarithm of a person's area may change; tells near from far ones
_PATIENCE = 50  # frames without a pose after which a track ends
_GAIN = 0.3  # share of a surprise that changes the velocity; noise is averaged over 1 / share frames
_DAMPING = 0.97  # of the velocity in each frame: whoever is long out of sight has more and more likely stopped

_CUTOFF = 1.5  # Hz, of joints at rest: lower is calmer and later
_SLOPE = 3.0  # Hz for each person's length a second: higher follows fast joints more closely
_SPEED_CUTOFF = 1.0  # Hz, of the speed itself

_SIGMA = 0.075  # of joints whose fall-off nobody has measured

_LOG = logging.getLogger(__name__)


def follower(skeleton: Skeleton, *, smooth: bool = False) -> Callable[[Poses, float], tuple[Poses, Ids | None]]:
    """Function that tells, frame by frame with its time in seconds, which number each person has.

    It smooths the poses if so asked. Without scipy nobody has a number, and nothing is smooth; the log says so.
    """
    try:
        tracker = Tracker(skeleton.sigmas or [_SIGMA] * len(skeleton.joints))
    except ModuleNotFoundError:
        without = ", --smooth does nothing" if smooth else ""
        _LOG.warning("scipy is not installed: people get no ids%s; pip install scipy", without)
        return lambda poses, time: (poses, None)
    smoother = Smoother() if smooth else None

    def follow(poses: Poses, time: float) -> tuple[Poses, Ids]:
        ids = tracker(poses)
        return smoother(poses, ids, time) if smoother else poses, ids

    return follow


@dataclass
class _Track:
    """A person: where they are expected."""

    id: int
    xy: Floats  # (K, 2) pixels
    scores: Floats  # (K,) of the last pose, above 0
    velocity: Floats  # (2,) of the whole body, pixels a frame: limbs swing to and fro
    unseen: int = 0  # frames

    def step(self) -> None:
        """Go on to the next frame."""
        self.xy = self.xy + self.velocity
        self.velocity = self.velocity * _DAMPING
        self.unseen += 1

    def see(self, xy: Floats, scores: Floats) -> None:
        """Take a pose of this frame for this person's."""
        surprise = np.average(xy - self.xy, axis=0, weights=self.scores * scores)
        self.velocity = self.velocity + _GAIN * surprise / self.unseen
        self.xy, self.scores, self.unseen = xy, scores, 0


class Tracker:
    """Numbers the people of a video: whoever is where a person was expected, in a like pose, is that person."""

    def __init__(self, sigmas: Sequence[float]) -> None:
        """For joints with the fall-offs `sigmas` (K,) of OKS. Raises ModuleNotFoundError: scipy is not installed."""
        from scipy.optimize import linear_sum_assignment  # only here: pictures do without scipy

        self._assign = linear_sum_assignment
        self._sigmas = _LOOSER * np.asarray(sigmas)
        self._tracks: list[_Track] = []
        self._numbers = count(1)

    def __call__(self, poses: Poses) -> Ids:
        """Numbers (N,) of the people of the next frame, from 1 in the order of their appearance."""
        ids = np.zeros(len(poses), np.int64)
        for track in self._tracks:
            track.step()
        scores = poses.scores.clip(np.spacing(1))
        alike = self._alike(poses.xy, scores)
        for row, column in zip(*self._assign(alike, maximize=True), strict=True):
            if alike[row, column] > 0:
                self._tracks[row].see(poses.xy[column], scores[column])
                ids[column] = self._tracks[row].id
        for i in np.flatnonzero(ids == 0):
            ids[i] = next(self._numbers)
            self._tracks.append(_Track(int(ids[i]), poses.xy[i], scores[i], np.zeros(2)))
        self._tracks = [track for track in self._tracks if track.unseen <= _PATIENCE]
        return ids

    def _alike(self, xy: Floats, scores: Floats) -> Floats:
        """OKS (T, N) of tracks and poses, less where their sizes differ; 0 where it is too low for one person.

        Joints are weighted by their scores.
        """
        alike = np.zeros((len(self._tracks), len(xy)))
        for row, track in zip(alike, self._tracks, strict=True):
            weights = track.scores * scores
            area, areas = _areas(track.xy, weights), _areas(xy, weights)
            found = oks(track.xy, area, xy, other_areas=areas, sigmas=self._sigmas, weights=weights)
            likely = np.exp(-((np.log(areas / area) / _RESIZING) ** 2) / 2)
            row[:] = np.where(found >= _LEAST_OKS, found * likely, 0)
        return alike


class Smoother:
    """One-Euro filter of each person's joints: calm at rest, and close behind what moves fast.

    G. Casiez, N. Roussel and D. Vogel, CHI 2012; here a speed is in the person's own lengths.
    """

    def __init__(self) -> None:
        """Nobody has been seen."""
        self._people: dict[int, tuple[Floats, Floats]] = {}  # joints and their velocities (K, 2) in the last frame
        self._time = -np.inf

    def __call__(self, poses: Poses, ids: Ids, time: float) -> Poses:
        """The poses of the next frame, at `time` in seconds, smoothed; whoever was not in the last one begins anew."""
        passed, self._time = time - self._time, time
        people = {}
        for number, xy in zip(ids.tolist(), poses.xy, strict=True):
            people[number] = self._filtered(xy, *self._people.get(number, (xy, np.zeros_like(xy))), passed)
        self._people = people
        xy = np.array([xy for xy, _ in people.values()]).reshape(poses.xy.shape)
        return Poses(xy, poses.scores, poses.score)

    def _filtered(self, xy: Floats, last: Floats, velocity: Floats, passed: float) -> tuple[Floats, Floats]:
        """Joints and velocities (K, 2: pixels, pixels a second) after a frame that shows the joints at `xy`."""
        velocity = velocity + _share(_SPEED_CUTOFF, passed) * ((xy - last) / passed - velocity)
        speed = np.hypot(*velocity.T)[:, None] / max(1.0, float(np.ptp(xy, axis=0).max()))
        return last + _share(_CUTOFF + _SLOPE * speed, passed) * (xy - last), velocity


def _share(cutoff: Floats | float, passed: float) -> Floats | float:
    """Share of the new value, after so many seconds, in a low-pass filter of a frequency in Hz."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * passed))


def _areas(xy: Floats, weights: Floats) -> Floats:
    """Square pixels (N,) of people with joints (N or none, K, 2), weighted (N, K); 1 or more."""
    shares = (weights / weights.sum(1, keepdims=True))[..., None]
    middle = (xy * shares).sum(1, keepdims=True)
    return (_AREA * ((xy - middle) ** 2 * shares).sum((1, 2))).clip(1)
