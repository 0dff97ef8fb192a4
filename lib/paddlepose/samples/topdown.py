"""One person of an image record: the crop that the network sees and the maps that it should answer with."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from paddlepose import codecs
from paddlepose.core.files import entry
from paddlepose.core.geometry import Region, crop_matrix, flip_joints, transform
from paddlepose.core.image import read_record, to_input, warp
from paddlepose.core.types import Card, ImageRecord, Person
from paddlepose.experiment import Config
from paddlepose.samples.appearance import changed
from paddlepose.samples.augment import Draw, draw, half_body


class TopDownSample(TypedDict):
    """One crop: image (3, H, W), target (K, h, w), weight (K, 1), labelled () 1 or 0, and the sample's number ()."""

    image: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    labelled: np.float32
    index: int


class TopDownSamples:
    """The people of a data set, numbered through: what a data loader takes.

    A training sample depends on the seed, the epoch and its number only, so it is the same whichever process makes it,
    and a run that is resumed sees what it would have seen.
    """

    def __init__(self, records: Sequence[ImageRecord], card: Card, config: Config, *, train: bool) -> None:
        """Samples for the network of `card`; `train` draws augmentations as the configuration says."""
        chosen = train and config.dataset.select_data
        pairs = [(record, person) for record in records for person in record.people]
        self.people = [p for p in pairs if not (chosen and p[1].labelled) or is_well_framed(p[1])]
        self.card = card
        self.codec = codecs.build(card.codec)
        self.options = config.dataset
        self.weights = card.skeleton.weights if config.loss.use_different_joints_weight else None
        self.seed = config.seed
        self.epoch = 0
        self.train = train

    def __len__(self) -> int:
        """Number of people."""
        return len(self.people)

    def __getitem__(self, index: int) -> TopDownSample:
        """Sample `index`, with the augmentation that this epoch has for it."""
        record, person = self.people[index]
        change = Draw()
        if self.train:
            change = draw(np.random.default_rng((self.seed, self.epoch, index)), self.options, person)
        with entry(str(record.path)):
            return self.sample(record, person, change, index)

    def sample(self, record: ImageRecord, person: Person, change: Draw, index: int) -> TopDownSample:
        """Sample of a person, changed as a draw says.

        A mirrored sample is cropped from the unmirrored picture by a matrix that mirrors it, which costs nothing.
        """
        picture = read_record(record)
        matrix, joints = self.place(person, change, picture.shape[1])
        visible = joints[:, 2] > 0
        joints[visible, :2] = transform(joints[visible, :2], matrix)
        if change.flip:
            matrix = matrix @ np.array([[-1, 0, picture.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
        target, weight = self.codec.encode(joints)
        if self.weights is not None:
            weight = weight * np.float32(self.weights)[:, None]
        crop = warp(picture, matrix, self.card.input_size)
        if change.appearance:
            crop = changed(crop, change.appearance)
        image = to_input(crop, self.card)
        labelled = np.float32(person.labelled)
        return TopDownSample(image=image, target=target, weight=weight, labelled=labelled, index=index)

    def place(self, person: Person, change: Draw, image_width: int) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
        """Matrix from the (mirrored) image to the crop, and the joints (K, 3) in pixels of the (mirrored) image."""
        width, height = self.card.input_size
        region, joints = person.region, person.joints.copy()
        if change.half_body:
            region = half_body(joints, self.card.skeleton, change.half_body, width / height) or region
        if change.flip:
            joints = flip_joints(joints, image_width, self.card.skeleton)
            region = Region(np.array([image_width - region.center[0] - 1, region.center[1]]), region.size)
        region = Region(region.center, region.size * change.scale)
        return crop_matrix(region, self.card.input_size, change.rotation), joints


def is_well_framed(person: Person) -> bool:
    """Whether the visible joints lie around the region's centre, the nearer the more of them there are.

    What DATASET.SELECT_DATA keeps; the formula and its constants are those of Simple Baselines' code.
    """
    visible = person.joints[person.joints[:, 2] > 0, :2]
    if not len(visible):
        return False
    distance = np.square(visible.mean(0) - person.region.center).sum()
    nearness = np.exp(-distance / (2 * 0.2**2 * person.region.area))
    return bool(nearness > 0.2 / 16 * (len(visible) - 1) + 0.45)
