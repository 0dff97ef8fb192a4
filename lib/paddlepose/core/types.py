"""What flows through the program: skeletons, labelled people, image records, poses, and the card of a network."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.fields import checked
from paddlepose.core.geometry import PADDING, Region
from paddlepose.core.limits import MOST_JOINTS, MOST_SIDE

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_CHANNELS = 3

CARD_FORMAT = 1  # raised when a reader of the old form could misread the new one

Kind = Literal["top_down", "bottom_up", "detector"]  # takes crops of one person; or whole pictures, for joints or boxes
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Skeleton:
    """The joints of a data set, K of them, and what is known about them; other fields name joints by their index."""

    name: str
    joints: tuple[str, ...]  # their names, in the order of every array of joints
    flip_pairs: Pairs  # change places when the image is mirrored
    limbs: Pairs  # are joined by a line when drawn
    upper_body: tuple[int, ...] = ()  # above the hips, for the half-body augmentation
    sigmas: tuple[float, ...] | None = None  # OKS fall-off as a share of the person's scale (COCO's), where known
    weights: tuple[float, ...] | None = None  # share of each joint in the loss when joints are weighted differently

    def __post_init__(self) -> None:
        """Hold lists to K and indices to joints. Raises ValueError: which field does not fit, and what it holds."""
        count = len(self.joints)
        for title in ("sigmas", "weights"):
            values = getattr(self, title)
            if values is not None and len(values) != count:
                raise ValueError(f"skeleton '{self.name}': {len(values)} {title} for {count} joints")
        if not 0 < count <= MOST_JOINTS:
            raise ValueError(f"skeleton '{self.name}': {count} joints; expected 1 to {MOST_JOINTS}")
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

    @property
    def is_human(self) -> bool:
        """Whether the joints are people's, by their names."""
        return set(self.joints) >= {f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "hip")}


@dataclass(frozen=True, slots=True)
class Person:
    """One labelled or detected person, in pixels of the image."""

    joints: NDArray[np.float64]  # (K, 3) x, y, visibility; visibility is 0 where the joint is not labelled, else 1
    region: Region  # what a crop of the person shows
    box: NDArray[np.float64]  # (4,) x, y, width, height
    area: float  # of the person's outline, in square pixels
    score: float = 1.0  # the detector's confidence; 1 for a labelled person
    crowd: bool = False  # the box holds a group
    labelled: bool = True  # the joints are known, even if they are not visible


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data set and its people."""

    id: int  # in its annotation file
    path: Path  # of the picture; `pictures.zip@/a.jpg` is the member `a.jpg` of an archive
    people: tuple[Person, ...]  # labelled or detected ones
    size: tuple[int, int] | None = None  # (width, height), where the annotation file has it
    upright: bool = False  # the picture is to be turned as its EXIF data say
    ignore: tuple[Any, ...] = ()  # outlines of people without labels, as COCO writes them: polygons, or run lengths


@dataclass(frozen=True, slots=True)
class Poses:
    """N poses of K joints, in pixels of the image."""

    xy: NDArray[np.float64]  # (N, K, 2)
    scores: NDArray[np.float64]  # (N, K), the confidence of each joint
    score: NDArray[np.float64]  # (N,), the confidence of each pose

    def __post_init__(self) -> None:
        """Hold the three arrays to one N and one K. Raises ValueError: with the three shapes."""
        people, joints = self.scores.shape
        if self.xy.shape != (people, joints, 2) or self.score.shape != (people,):
            raise ValueError(f"shapes xy {self.xy.shape}, scores {self.scores.shape}, score {self.score.shape} differ")

    @classmethod
    def empty(cls, joints: int) -> "Poses":
        """No poses, of `joints` joints each."""
        return cls(np.zeros((0, joints, 2)), np.zeros((0, joints)), np.zeros(0))

    def __len__(self) -> int:
        """Number of people."""
        return len(self.score)

    @overload
    def __getitem__(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.generic]) -> "Poses": ...

    def __getitem__(self, index: Any) -> Any:
        """Joints (K, 2), their scores (K,) and score of one person; the poses that a slice, a mask or indices pick."""
        if isinstance(index, int | np.integer):
            return self.xy[index], self.scores[index], float(self.score[index])
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
    """How to use a network: all that must be known beside its weights."""

    kind: Kind
    model: str  # the network's name
    input_size: tuple[int, int]  # (width, height) of the network's input
    skeleton: Skeleton  # the joints that it finds
    codec: Mapping[str, Any]  # the name of the codec that reads its output, and the codec's settings
    mean: tuple[float, ...] = IMAGENET_MEAN  # of each channel, in the input's order, for pixels from 0 to 1
    std: tuple[float, ...] = IMAGENET_STD  # likewise
    rgb: bool = False  # the input's channels are red, green, blue; else blue, green, red
    padding: float = PADDING  # by which boxes are enlarged before they are cropped
    source: Mapping[str, str] = field(default_factory=dict)  # where the weights come from, free text by key

    def __post_init__(self) -> None:
        """Hold sizes and normalization to what can be. Raises ValueError: which field cannot be, and what it holds."""
        if not all(0 < side <= MOST_SIDE for side in self.input_size):
            raise ValueError(f"card: input_size {self.input_size}: expected sides of 1 to {MOST_SIDE} pixels")
        for title, values, is_right in (
            ("mean", self.mean, all(map(math.isfinite, self.mean))),
            ("std", self.std, all(0 < value < math.inf for value in self.std)),
        ):
            if len(values) != _CHANNELS or not is_right:
                raise ValueError(f"card: {title} {values}: expected three finite numbers, those of std above 0")
        if not 0 < self.padding < math.inf:
            raise ValueError(f"card: padding {self.padding}: expected a factor above 0")
        size = self.codec.get("input_size", self.input_size)
        if self.kind != "bottom_up" and size != self.input_size:
            raise ValueError(f"card: its codec's input_size is {size}, its own {self.input_size}")

    def to_json(self) -> str:
        """The card as one line of JSON, with the number of its format."""
        return json.dumps({"format": CARD_FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """The card that `to_json` wrote. Raises ValueError: not a card, or of a later format than is known here."""
        again = "export the model again"
        try:
            values = json.loads(text)
            version = values.pop("format")
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            raise ValueError(f"its card cannot be read ({error}): {again}") from error
        if not isinstance(version, int) or version > CARD_FORMAT:
            known = f"this paddlepose reads up to {CARD_FORMAT}"
            raise ValueError(f"its card has format {version!r}, {known}: update paddlepose")
        try:
            values = checked(cls, values, "card")
            return cls(**{**values, "codec": _with_tuples(values["codec"])})
        except ValueError as error:
            raise ValueError(f"{error}: {again}") from error


def _with_tuples(value: Any) -> Any:
    """JSON's lists as tuples, at every depth."""
    if isinstance(value, list):
        return tuple(map(_with_tuples, value))
    return {key: _with_tuples(item) for key, item in value.items()} if isinstance(value, dict) else value
