"""What flows through the program: skeletons, labelled people, image records, poses, and the card of a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.geometry import PADDING, Region

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CARD_FORMAT = 1  # raised when a reader of the old form could misread the new one


@dataclass(frozen=True)
class Skeleton:
    """The joints of a data set, K of them, and what is known about them.

    Attributes:
        joints: their names, in the order of every array of joints.
        flip_pairs: pairs of indices that change places when the image is mirrored.
        limbs: pairs of indices that are joined by a line when drawn.
        upper_body: indices of the joints above the hips, for the half-body augmentation.
        sigmas: OKS fall-off of each joint as a share of the person's scale (COCO's constants), where there is one.
        weights: share of each joint in the loss when joints are weighted differently.
    """

    name: str
    joints: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    limbs: tuple[tuple[int, int], ...]
    upper_body: tuple[int, ...] = ()
    sigmas: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse indices without a joint and lists of another length.

        Raises:
            ValueError: which field, and what it holds.
        """
        count = len(self.joints)
        for title in ("sigmas", "weights"):
            values = getattr(self, title)
            if values is not None and len(values) != count:
                raise ValueError(f"skeleton '{self.name}': {len(values)} {title} for {count} joints")
        used = [*self.upper_body, *(i for pair in (*self.flip_pairs, *self.limbs) for i in pair)]
        if strangers := sorted({i for i in used if not 0 <= i < count}):
            raise ValueError(f"skeleton '{self.name}' has joints 0 to {count - 1}, but pairs or limbs name {strangers}")

    @cached_property
    def flip_order(self) -> NDArray[np.int64]:
        """Permutation (K,) that swaps left and right."""
        order = np.arange(len(self.joints))
        for left, right in self.flip_pairs:
            order[[left, right]] = right, left
        return order


@dataclass(frozen=True, slots=True)
class Person:
    """One labelled or detected person, in pixels of the image.

    Attributes:
        joints: (K, 3) x, y, visibility; visibility is 0 where the joint is not labelled, else 1.
        region: what a crop of the person shows.
        box: (4,) x, y, width, height.
        area: of the person's outline, in square pixels.
        score: the detector's confidence; 1 for a labelled person.
        crowd: the box holds a group.
        labelled: the joints are known, even if they are not visible.
    """

    joints: NDArray[np.float64]
    region: Region
    box: NDArray[np.float64]
    area: float
    score: float = 1.0
    crowd: bool = False
    labelled: bool = True


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data set and its people.

    Attributes:
        id: of the image in its annotation file.
        path: of the picture; `pictures.zip@/a.jpg` is the member `a.jpg` of an archive.
        people: labelled or detected ones.
        size: (width, height), where the annotation file has it.
    """

    id: int
    path: Path
    people: tuple[Person, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Poses:
    """N poses of K joints, in pixels of the image.

    Attributes:
        xy: (N, K, 2).
        scores: (N, K), the confidence of each joint.
        score: (N,), the confidence of each pose.
    """

    xy: NDArray[np.float64]
    scores: NDArray[np.float64]
    score: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Hold the three arrays to one N and one K.

        Raises:
            ValueError: with the three shapes.
        """
        people, joints = self.scores.shape
        if self.xy.shape != (people, joints, 2) or self.score.shape != (people,):
            raise ValueError(f"shapes xy {self.xy.shape}, scores {self.scores.shape}, score {self.score.shape} differ")

    @classmethod
    def empty(cls, joints: int) -> Poses:
        """No poses, of `joints` joints each."""
        return cls(np.zeros((0, joints, 2)), np.zeros((0, joints)), np.zeros(0))

    def __len__(self) -> int:
        """Number of people."""
        return len(self.score)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.generic]) -> Poses:
        """The poses that a slice, a mask (N,) or indices pick."""
        return Poses(self.xy[index], self.scores[index], self.score[index])

    def __iter__(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
        """Joints (K, 2), their scores (K,) and the score of each person."""
        yield from zip(self.xy, self.scores, self.score.tolist(), strict=True)

    def to_json(self, skeleton: Skeleton) -> list[dict[str, Any]]:
        """One object a person: its score and, by joint name, x, y and score."""
        return [
            {
                "score": round(score, 4),
                "keypoints": {
                    name: [round(float(x), 2), round(float(y), 2), round(float(confidence), 4)]
                    for name, (x, y), confidence in zip(skeleton.joints, xy, scores, strict=True)
                },
            }
            for xy, scores, score in self
        ]


@dataclass(frozen=True)
class Card:
    """How to use a network: all that must be known beside its weights.

    Attributes:
        kind: `top_down` takes crops of one person, `bottom_up` whole images.
        model: the network's name.
        input_size: (width, height) of the network's input.
        skeleton: the joints that it finds.
        codec: the name of the codec that reads its output, and the codec's settings.
        mean, std: of each channel, in the order of the input's channels, for pixels from 0 to 1.
        rgb: the input's channels are red, green, blue; else blue, green, red.
        padding: by which boxes are enlarged before they are cropped.
        source: where the weights come from, free text by key.
    """

    kind: Literal["top_down", "bottom_up"]
    model: str
    input_size: tuple[int, int]
    skeleton: Skeleton
    codec: Mapping[str, Any]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    rgb: bool = False
    padding: float = PADDING
    source: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The card as one line of JSON, with the number of its format."""
        return json.dumps({"format": CARD_FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Card:
        """The card that `to_json` wrote.

        Raises:
            ValueError: not a card, or one of a later format than this program knows.
        """
        try:
            values = _with_tuples(json.loads(text))
            version = values.pop("format")
            if version > CARD_FORMAT:
                raise ValueError(
                    f"its card has format {version}, this paddlepose reads up to {CARD_FORMAT}: update paddlepose"
                )
            return cls(**{**values, "skeleton": Skeleton(**values["skeleton"])})
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"its card cannot be read ({error}): export the model again") from error


def _with_tuples(value: Any) -> Any:
    """JSON's lists as tuples, at every depth."""
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return value
