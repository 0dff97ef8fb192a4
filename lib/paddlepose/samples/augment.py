"""The random part of a training sample: numbers drawn from a generator that is handed in, and nothing else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.geometry import Region
from paddlepose.core.types import Person, Skeleton
from paddlepose.samples.appearance import Appearance, draw_appearance
from paddlepose.settings import DatasetSection

HALF_BODY_PADDING = 1.5


@dataclass(frozen=True)
class Draw:
    """How a sample differs from its record: half of the body, scale factor, degrees of rotation, mirroring, look."""

    half_body: Literal["upper", "lower"] | None = None
    scale: float = 1.0
    rotation: float = 0.0
    flip: bool = False
    appearance: Appearance | None = None


def draw(rng: np.random.Generator, options: DatasetSection, person: Person) -> Draw:
    """A draw in the order and with the distributions of HRNet's published training; what that has not comes last."""
    half = None
    if person.joints[:, 2].sum() > options.num_joints_half_body and rng.random() < options.prob_half_body:
        half = "upper" if rng.standard_normal() < 0.5 else "lower"  # not a fair coin: 69 % are upper bodies
    spread, turn = options.scale_factor, options.rot_factor
    scale = np.clip(rng.standard_normal() * spread + 1, 1 - spread, 1 + spread)
    rotation = np.clip(rng.standard_normal() * turn, -2 * turn, 2 * turn) if rng.random() <= 0.6 else 0.0
    flip = options.flip and rng.random() <= 0.5
    if options.prob_any_rotation and rng.random() < options.prob_any_rotation:
        rotation = rng.uniform(-180, 180)
    return Draw(half, float(scale), float(rotation), bool(flip), draw_appearance(rng, options))


def half_body(joints: NDArray[np.floating], skeleton: Skeleton, half: str, aspect: float) -> Region | None:
    """Region around the visible joints (K, 3) of the upper or the lower body.

    The other half is taken where the wanted one has two visible joints or fewer; None where that has less than two.
    """
    upper = np.isin(np.arange(len(joints)), skeleton.upper_body)
    visible = joints[:, 2] > 0
    above, below = joints[visible & upper, :2], joints[visible & ~upper, :2]
    take_below = len(below) > 2 and not (half == "upper" and len(above) > 2)
    chosen = below if take_below else above
    if len(chosen) < 2:
        return None
    extent = Region.from_box([*chosen.min(0), *np.ptp(chosen, 0)], aspect, HALF_BODY_PADDING)
    return Region(chosen.mean(0), extent.size)
