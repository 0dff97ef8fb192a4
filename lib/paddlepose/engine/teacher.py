"""A trained network that teaches another one: it answers to the same crops, in the student's size and colours."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlepose import codecs
from paddlepose.core.types import Card
from paddlepose.losses import Batch
from paddlepose.runtime import OrtNetwork

_LOG = logging.getLogger(__name__)


class Teacher:
    """A teacher's last maps for a student's batches; nothing of the teacher changes.

    Attributes:
        card: how it is used.
        name: of its network.
    """

    def __init__(self, network: nn.Layer | OrtNetwork, card: Card, student: Card) -> None:
        """`network` as its `card` says, for a student that is used as its own card says.

        Where the channels' order or normalization differs, the teacher gets its own. Where sizes differ, crops are
        resized to the teacher's and maps to the student's, bilinearly, a point (x, y) staying at the same share of
        width and height.

        Raises ValueError: the joints or the aspect ratio of the input differ, or it takes whole pictures.
        """
        _check(card, student)
        self.card, self.name = card, card.model
        self.network = network
        if isinstance(network, nn.Layer):
            network.eval()
        own, others = [np.float32([card.mean, card.std]), np.float32([student.mean, student.std])]
        if card.rgb != student.rgb:
            others = others[:, ::-1]
        self.mirrored = card.rgb != student.rgb
        self.scale = paddle.to_tensor((others[1] / own[1]).reshape(1, 3, 1, 1))
        self.shift = paddle.to_tensor(((others[0] - own[0]) / own[1]).reshape(1, 3, 1, 1))
        self.input_size, self.map_size = card.input_size, tuple(student.codec["heatmap_size"])

    def __call__(self, batch: Batch) -> Tensor:
        """Maps (B, K, h, w) in the student's size for `image` (B, 3, H, W), the student's input."""
        return self.maps(batch["image"])

    @paddle.no_grad()
    def maps(self, image: Tensor) -> Tensor:
        """The same for images alone."""
        image = image[:, [2, 1, 0]] if self.mirrored else image
        image = resize(image * self.scale + self.shift, self.input_size)
        if isinstance(self.network, nn.Layer):
            maps = self.network(image)[-1]
        else:
            maps = paddle.to_tensor(self.network(image.numpy())[-1])
        return resize(maps.astype("float32"), self.map_size)  # whatever precision the student computes in

    def as_network(self) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """The teacher as a network function that takes the student's input and answers in the student's size."""
        return lambda images: [self.maps(paddle.to_tensor(images)).numpy()]


def _check(card: Card, student: Card) -> None:
    if card.kind != student.kind:
        raise ValueError(f"KD.TEACHER_FILE: {card.model} takes whole pictures; the student's crops need a top-down one")
    if card.skeleton.joints != student.skeleton.joints:
        own, others = (", ".join(c.skeleton.joints) for c in (card, student))
        raise ValueError(f"KD.TEACHER_FILE: the teacher's joints are {own}; the student's are {others}")
    (width, height), (own_width, own_height) = student.input_size, card.input_size
    if width * own_height != height * own_width:
        sizes = f"{card.input_size}, another aspect ratio than the student's {student.input_size}"
        raise ValueError(f"KD.TEACHER_FILE: the teacher's MODEL.IMAGE_SIZE is {sizes}")
    own_codec, codec = codecs.build(card.codec), codecs.build(student.codec)
    ratio = own_codec.sigma / own_codec.heatmap_size[0] / (codec.sigma / codec.heatmap_size[0])
    if abs(ratio - 1) > 0.01:
        _LOG.warning("the teacher's Gaussians are %.2f times as wide as the student's targets", ratio)


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, C, h, w) in another `size` (width, height), bilinear; pixel i is at i * old / new, as crops have it."""
    if tuple(maps.shape[:1:-1]) == size:
        return maps
    return F.interpolate(maps, size[::-1], mode="bilinear", align_mode=1)


class KeptMaps:
    """A teacher that looks at each sample once, for training data that are not augmented; its maps stay on the disk."""

    def __init__(self, teacher: Teacher, folder: Path, shape: tuple[int, int], *, origin: str) -> None:
        """Maps of `shape` (samples, joints) in 16 bits; `origin` says what they are of, beside the teacher's card."""
        self.teacher = teacher
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(f"{origin} {shape} {teacher.card.to_json()}".encode()).hexdigest()[:16]
        self.kept = _open(folder / f"{name}_maps.npy", np.float16, (*shape, *teacher.map_size[::-1]))
        self.known = _open(folder / f"{name}_known.npy", np.bool_, shape[:1])

    def __call__(self, batch: Batch) -> Tensor:
        """Maps (B, K, h, w) of the samples whose numbers are `index` (B,)."""
        index = batch["index"].numpy()
        new = np.flatnonzero(~self.known[index])
        if len(new):
            self.kept[index[new]] = self.teacher.maps(batch["image"][paddle.to_tensor(new)]).numpy()
            self.known[index[new]] = True
        return paddle.to_tensor(self.kept[index].astype(np.float32))


def _open(path: Path, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array in a file, of zeros where there was none."""
    return np.lib.format.open_memmap(path, "r+" if path.is_file() else "w+", kind, shape)
