"""From a picture to poses: a network function and its card are all that is needed, whatever runs the network."""

import logging
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from paddlepose import codecs
from paddlepose.codecs.regression import Answer, up_interpolate
from paddlepose.core.boxes import Rows, boxes_around
from paddlepose.core.geometry import Region, crop_matrix, invert, resize_align, transform
from paddlepose.core.image import Picture, to_input, warp
from paddlepose.core.limits import MOST_SCALE
from paddlepose.core.predictor import Found, Predictor
from paddlepose.core.rescore import Rescorer
from paddlepose.core.result import Floats
from paddlepose.core.types import Card, Poses

# Images (B, 3, H, W) in, the network's outputs out; the last one is its answer.
Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
Detector = Callable[[Picture], Rows]  # a picture in, its people's boxes and their scores out

LONGEST = 16  # times the shorter side; a longer picture would need more memory than a computer has
MOST_CROPS = 64  # people that go through the network at once; a crowd takes several turns, and memory stays bounded

_LOG = logging.getLogger(__name__)


class TopDown(Predictor):
    """Poses of people whose boxes are known: each is cropped, and one pose is read from each crop."""

    together = 8

    def __init__(
        self, network: Network, card: Card, *, flip_test: bool = False, detector: Detector | None = None
    ) -> None:
        """Use `network` as its `card` says; `flip_test` averages over the crop and its mirror image.

        `detector` finds the people in pictures without boxes.
        """
        self.network = network
        self.card = card
        self.flip_test = flip_test
        self.detector = detector
        self.codec = codecs.build(card.codec)
        self._has_warned = False

    def find(self, pictures: Sequence[Picture], rows: Sequence[Rows | None]) -> list[Found]:
        """Poses of each picture's people, one a box, and the boxes: those of its rows (N, 5), else the detector's.

        A pose's score is its joints' mean, times its box's.
        """
        rows = [self._people(picture) if r is None else r for picture, r in zip(pictures, rows, strict=True)]
        width, height = self.card.input_size
        regions = [Region.from_box(row[:4], width / height, self.card.padding) for group in rows for row in group]
        matrices = [crop_matrix(region, self.card.input_size) for region in regions]
        shown = [picture for picture, group in zip(pictures, rows, strict=True) for _ in group]
        maps = []
        for start in range(0, len(shown), MOST_CROPS):
            turn = slice(start, start + MOST_CROPS)
            maps.append(self.outputs(self._crops(shown[turn], matrices[turn])))
        poses = self._placed(np.concatenate(maps), matrices) if maps else Poses.empty(len(self.card.skeleton.joints))
        ends = np.cumsum([len(group) for group in rows])
        found = [poses[end - len(group) : end] for group, end in zip(rows, ends, strict=True)]
        return [(Poses(p.xy, p.scores, p.score * g[:, 4]), g[:, :4]) for p, g in zip(found, rows, strict=True)]

    def _crops(self, pictures: Sequence[Picture], matrices: Sequence[Floats]) -> NDArray[np.float32]:
        """The network's input (B, 3, H, W): a crop of each picture, to which its matrix (2, 3) leads."""
        size = width, height = self.card.input_size
        images = np.empty((len(pictures), 3, height, width), np.float32)
        for picture, matrix, image in zip(pictures, matrices, images, strict=True):
            to_input(warp(picture, matrix, size), self.card, out=image)
        return images

    def _people(self, picture: Picture) -> Rows:
        """Rows (N, 5) of the people to look at in a picture of which nobody has said where they are."""
        if self.detector:
            return self.detector(picture)
        if not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "neither boxes nor a detector are given: each picture as a whole is taken for one person, and joints "
                "are wrong where it is not; give people's boxes or a detector (--bbox, --boxes or --detector)"
            )
        return np.array([[0.0, 0.0, *picture.shape[1::-1], 1.0]])

    def outputs(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's answer (B, K, h, w) for crops (B, 3, H, W), averaged with their mirror images' if so asked."""
        if not self.flip_test:
            return self.network(images)[-1]
        maps, mirrored = np.split(self.network(np.concatenate([images, images[..., ::-1]]))[-1], 2)
        return (maps + self.codec.flip(mirrored, self.card.skeleton)) * np.float32(0.5)

    def poses(self, maps: NDArray[np.float32], regions: Sequence[Region]) -> Poses:
        """Poses in pixels of the images, from maps (B, K, h, w) of crops that show `regions`."""
        return self._placed(maps, [crop_matrix(region, self.card.input_size) for region in regions])

    def _placed(self, maps: NDArray[np.float32], matrices: Sequence[Floats]) -> Poses:
        """Poses in pixels of the images, from maps of crops to which matrices (2, 3) lead."""
        xy, scores = self.codec.decode(maps)
        xy = np.stack([transform(points, invert(matrix)) for points, matrix in zip(xy, matrices, strict=True)])
        return Poses(xy, scores, scores.mean(1))


class BottomUp(Predictor):
    """Poses of everybody in a picture, which goes through the network as a whole."""

    together = 2

    def __init__(
        self,
        network: Network,
        card: Card,
        *,
        flip_test: bool = False,
        scales: Sequence[float] = (1.0,),
        rescorer: Rescorer | None = None,
    ) -> None:
        """Use `network` as its `card` says.

        `flip_test` averages over a picture and its mirror image, and all the `scales`, of which one is 1. `rescorer`
        changes the scores of the poses.

        Raises ValueError: 1 is not among the scales, or one is no multiple of 0.5: networks take sides of 32 n pixels.
        """
        if 1 not in scales or not all(0 < scale <= MOST_SCALE and scale % 0.5 == 0 for scale in scales):
            given = ", ".join(map(str, scales))
            raise ValueError(f"scales {given}: expected multiples of 0.5 up to {MOST_SCALE:g}, and 1 among them")
        self.network = network
        self.card = card
        self.flip_test = flip_test
        self.scales = sorted(scales, reverse=True)
        self.rescorer = rescorer
        self.codec = codecs.build(card.codec)

    def find(self, pictures: Sequence[Picture], rows: Sequence[Rows | None]) -> list[Found]:
        """Poses of each picture's people. Raises ValueError: there are rows of boxes, which it has no use for."""
        if any(row is not None for row in rows):
            raise ValueError(f"boxes are for top-down models: {self.card.model} finds the people itself")
        answers = self.answers(pictures)
        return [(self.poses(answer, picture), None) for answer, picture in zip(answers, pictures, strict=True)]

    def boxes(self, picture: Picture) -> Rows:
        """Boxes (N, 5) around the people in a picture, with their scores: it can be a top-down model's detector."""
        return boxes_around(self.find([picture], [None])[0][0])

    def answers(self, pictures: Sequence[Picture]) -> list[Answer]:
        """What the network says of each picture; those that need input of like size go through it together.

        Raises ValueError: a picture is far longer than wide, or wider than long.
        """
        sizes = [self._sizes(picture) for picture in pictures]
        found: dict[int, Answer] = {}
        for _, group in groupby(sorted(range(len(pictures)), key=sizes.__getitem__), key=sizes.__getitem__):
            alike = list(group)
            for i, answer in zip(alike, self._of_like_size([pictures[i] for i in alike]), strict=True):
                found[i] = answer
        return [found[i] for i in range(len(pictures))]

    def poses(self, answer: Answer, picture: Picture, *, snap: bool = True) -> Poses:
        """Poses in pixels of the picture; with `snap` the regressed joints move to the heatmaps' peaks.

        The way back is that of the smallest scale, as in the published code.
        """
        poses = self.codec.decode(answer, snap=snap)
        _, region = resize_align(picture.shape[1::-1], self.card.input_size[0], self.scales[-1])
        matrix = invert(crop_matrix(region, answer.fused.shape[:0:-1]))
        poses = Poses(transform(poses.xy, matrix), poses.scores, poses.score)
        return self.rescorer(poses) if self.rescorer else poses

    def _sizes(self, picture: Picture) -> list[tuple[int, int]]:
        """Size (width, height) of the network's input at each scale."""
        size = picture.shape[1::-1]
        if max(size) > LONGEST * min(size):
            raise ValueError(f"a picture of {size[0]}x{size[1]} pixels is too long: cut it, at most {LONGEST} to 1")
        return [resize_align(size, self.card.input_size[0], scale)[0] for scale in self.scales]

    def _of_like_size(self, pictures: Sequence[Picture]) -> list[Answer]:
        scales = [self.maps(whole_inputs(pictures, self.card, scale)) for scale in self.scales]
        size, _ = resize_align(pictures[0].shape[1::-1], self.card.input_size[0])
        answers = []
        for heatmaps, positions in zip(*(zip(*maps, strict=True) for maps in zip(*scales, strict=True)), strict=True):
            fused = sum(up_interpolate(heatmap, size[::-1]) for heatmap in heatmaps) / np.float32(len(heatmaps))
            answers.append(Answer(list(heatmaps), list(positions), fused))
        return answers

    def maps(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Heatmaps (B, K + 1, h, w) and positions (B, 2 K, h, w) of images (B, 3, H, W), in pixels of the maps."""
        codec, skeleton = self.codec, self.card.skeleton
        shifts = codec.mirror_shifts if self.flip_test else []
        outputs = self.network(np.concatenate([images, *(mirrored(images, shift) for shift in shifts)]))
        passes = list(zip(*(np.split(output, 1 + len(shifts)) for output in outputs), strict=True))
        heatmaps, positions = codec.join(passes[0])
        if self.flip_test:
            # Each size of the heatmaps is taken from the image that was shifted so that it aligns.
            levels = [found[i] for i, found in enumerate(passes[1:])]
            flipped, flipped_positions = codec.join([*levels, passes[1][-1]])
            heatmaps = (heatmaps + codec.flip(flipped, skeleton)) * np.float32(0.5)
            positions = (positions + codec.flip(flipped_positions, skeleton, positions=True)) * np.float32(0.5)
        times = heatmaps.shape[-1] // positions.shape[-1]
        return heatmaps, (positions * np.float32(times)).repeat(times, -1).repeat(times, -2)


def whole_inputs(pictures: Sequence[Picture], card: Card, scale: float = 1.0) -> NDArray[np.float32]:
    """A bottom-up network's input (B, 3, H, W) for pictures, which need input of like size, shown at a scale."""
    images = []
    for picture in pictures:
        size, region = resize_align(picture.shape[1::-1], card.input_size[0], scale)
        images.append(to_input(warp(picture, crop_matrix(region, size), size), card))
    return np.stack(images)


def mirrored(images: NDArray[np.float32], shift: int) -> NDArray[np.float32]:
    """Images (B, C, H, W) mirrored and moved `shift` pixels to the left, 0 at the right."""
    moved = np.zeros_like(images)
    moved[..., : images.shape[-1] - shift] = images[..., ::-1][..., shift:]
    return moved
