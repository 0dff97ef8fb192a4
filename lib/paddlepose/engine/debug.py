"""Pictures of what goes through a network while it is trained: crops with joints, and heatmaps over crops."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from paddle import Tensor

from paddlepose.codecs.heatmap import peaks
from paddlepose.core.image import Picture
from paddlepose.core.types import Card
from paddlepose.settings import DebugSection

_COLUMNS = 8  # crops in a row of the grid
_RED, _BLUE = (0, 0, 255), (255, 0, 0)  # BGR


class DebugPictures:
    """Writes `<prefix>_<step>_{gt,pred,hm_gt,hm_pred}.jpg`, those that the configuration asks for."""

    def __init__(self, folder: Path, prefix: str, options: DebugSection, card: Card) -> None:
        """Pictures of crops that were normalized as `card` says."""
        self.folder, self.prefix, self.options, self.card = folder, prefix, options, card

    def save(self, number: int, batch: Mapping[str, Tensor], output: Tensor) -> None:
        """Write the pictures of step `number`: targets (B, K, h, w) and the network's output of the same shape."""
        crops = [self._crop(image) for image in batch["image"].numpy()]
        target, found = batch["target"].numpy(), output.astype("float32").numpy()
        labelled = batch["weight"].numpy()[..., 0] > 0
        wanted = {
            "gt": (self.options.save_batch_images_gt, lambda: _grid(_with_joints(crops, target, labelled))),
            "pred": (self.options.save_batch_images_pred, lambda: _grid(_with_joints(crops, found, labelled))),
            "hm_gt": (self.options.save_heatmaps_gt, lambda: _heatmaps(crops, target)),
            "hm_pred": (self.options.save_heatmaps_pred, lambda: _heatmaps(crops, found)),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for title, (asked, make) in wanted.items():
            if asked:
                cv2.imwrite(str(self.folder / f"{self.prefix}_{number}_{title}.jpg"), make())

    def _crop(self, image: NDArray[np.float32]) -> Picture:
        """The crop (H, W, 3) BGR that a network's input (3, H, W) was made of."""
        pixels = image.transpose(1, 2, 0) * np.float32(self.card.std) + np.float32(self.card.mean)
        crop = np.clip(pixels * 255, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(crop[..., ::-1] if self.card.rgb else crop)


def _with_joints(crops: list[Picture], maps: NDArray[np.float32], labelled: NDArray[np.bool_]) -> list[Picture]:
    """Copies of the crops with a dot at each map's maximum: red for labelled joints, blue for the others."""
    scale = crops[0].shape[1] / maps.shape[-1]
    copies = [crop.copy() for crop in crops]
    for crop, joints, known in zip(copies, peaks(maps)[0] * scale, labelled, strict=True):
        for (x, y), red in zip(joints, known, strict=True):
            cv2.circle(crop, (int(x), int(y)), 2, _RED if red else _BLUE, 2)
    return copies


def _grid(crops: list[Picture]) -> Picture:
    """The crops side by side, in rows of eight."""
    columns = min(_COLUMNS, len(crops))
    filled = crops + [np.zeros_like(crops[0])] * (-len(crops) % columns)
    return np.vstack([np.hstack(filled[start : start + columns]) for start in range(0, len(filled), columns)])


def _heatmaps(crops: list[Picture], maps: NDArray[np.float32]) -> Picture:
    """One row a crop: the crop in the maps' size, then each of its maps over it."""
    rows = []
    for crop, joints in zip(crops, maps, strict=True):
        small = cv2.resize(crop, maps.shape[:1:-1])
        levels = np.clip(joints * 255, 0, 255).astype(np.uint8)
        overlays = [cv2.addWeighted(cv2.applyColorMap(m, cv2.COLORMAP_JET), 0.7, small, 0.3, 0) for m in levels]
        rows.append(np.hstack([small, *overlays]))
    return np.vstack(rows)
