"""How far the joints of people in known boxes are from their labels: figures that need no scale of a data set."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.types import Person

NEAR = 0.1  # of the longer side of a person's box


@dataclass(frozen=True)
class Distances:
    """Over all labelled joints."""

    pixels: float  # the mean, in pixels of the images
    pck: float  # share of joints within a tenth of the longer side of the person's box


def measured(people: Iterable[tuple[Person, NDArray[np.float64]]]) -> Distances | None:
    """Distances of joints (K, 2), in pixels of the image, from those of labelled people; None without any label.

    Detected people, whose joints are all at (0, 0), do not count.
    """
    pixels, shares = [], []
    for person, xy in people:
        labelled = person.joints[:, 2] > 0
        if person.joints[:, :2].any() and labelled.any():
            found = np.linalg.norm(xy - person.joints[:, :2], axis=1)[labelled]
            pixels.append(found)
            shares.append(found / person.box[2:].max())
    if not pixels:
        return None
    return Distances(float(np.concatenate(pixels).mean()), float((np.concatenate(shares) <= NEAR).mean()))
