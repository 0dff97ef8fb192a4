"""How far people who label the same image are apart: the sigmas of OKS, joint by joint."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from paddlepose.core.boxes import box_around
from paddlepose.core.nms import DEFAULT_SIGMA
from paddlepose.importers import Floats, Person, Picture
from paddlepose.metrics.labels import OUTLINE_SHARE

_FEWEST = 10  # pairs of labels of a joint that say something
_LIMITS = 0.005, 0.25
_NEAR = 0.3  # of the person's scale: mean distance of joints up to which two labelled people are the same


def sigmas(pictures: Iterable[Picture], joints: int) -> tuple[float, ...] | None:
    """A sigma for each of the joints, the usual one where too few are labelled twice; None if none is.

    COCO's sigma is the root of the mean squared distance of a label from the truth, as a share of the person's scale.
    Two labels are twice that variance apart; the median of their squared distances is ln 2 times the mean, and does
    not mind that some changed left and right.
    """
    squares: list[list[float]] = [[] for _ in range(joints)]
    for picture in pictures:
        for other in picture.others:
            for one, two in _same(picture.people, other):
                both = (one.joints[:, 2] > 0) & (two.joints[:, 2] > 0)
                apart = ((one.joints - two.joints)[:, :2] ** 2).sum(1) / _area(one)
                for i in np.flatnonzero(both):
                    squares[i].append(float(apart[i]))
    if max(map(len, squares), default=0) < _FEWEST:
        return None
    found = (
        float(np.sqrt(np.median(row) / (2 * np.log(2)))) if len(row) >= _FEWEST else DEFAULT_SIGMA for row in squares
    )
    return tuple(round(float(np.clip(sigma, *_LIMITS)), 4) for sigma in found)


def _area(person: Person) -> float:
    return person.area or float(OUTLINE_SHARE * box_around(person.joints[person.joints[:, 2] > 0, :2])[2:].prod())


def _same(people: Sequence[Person], others: Sequence[Person]) -> Iterator[tuple[Person, Person]]:
    """Pairs of one person as two people labelled them, the nearest first."""
    labelled = [[person for person in group if (person.joints[:, 2] > 0).any()] for group in (people, others)]
    apart = np.array([[_apart(one, two) for two in labelled[1]] for one in labelled[0]]).reshape(len(labelled[0]), -1)
    while apart.size and apart.min() < _NEAR:
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        yield labelled[0][i], labelled[1][j]
        apart[i], apart[:, j] = np.inf, np.inf


def _apart(one: Person, two: Person) -> float:
    """Mean distance of the joints that both have, as a share of the person's scale."""
    both = (one.joints[:, 2] > 0) & (two.joints[:, 2] > 0)
    distances: Floats = np.linalg.norm((one.joints - two.joints)[both, :2], axis=1)
    return float(distances.mean() / np.sqrt(_area(one))) if both.any() else np.inf
