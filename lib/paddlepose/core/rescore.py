"""Scores learned from the shape of a pose and its joints' heat: a small network, in numpy wherever it is used.

As in the published code of the bottom-up regression HRNet: two hidden layers predict a pose's OKS.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import entry, read_arrays
from paddlepose.core.types import Poses, Skeleton

LAYERS = ("l1", "l2", "l3")
NAMES = tuple(f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias"))

# Links in the order of the published weights. Lengths are relative to the mean of those numbered in the second place:
# the two sides of the trunk in COCO's order, two parts of the left leg in CrowdPose's.
_LINKS = {
    "coco": (
        ((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (5, 11), (6, 8), (6, 12), (7, 9))
        + ((8, 10), (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)),
        (9, 11),
    ),
    "crowdpose": (
        ((12, 13), (13, 0), (13, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (1, 7), (6, 8), (7, 9), (8, 10), (9, 11))
        + ((6, 7), (0, 1)),
        (9, 11),
    ),
}


def features(poses: Poses, skeleton: Skeleton) -> NDArray[np.float32]:
    """What the network sees of N poses: each link's direction and length, then the joints' scores, (N, 3 L + K).

    A skeleton that is neither COCO's nor CrowdPose's has its limbs as links, all of which make the unit of length.
    """
    links, unit = _LINKS.get(skeleton.name, (skeleton.limbs, range(len(skeleton.limbs))))
    if not links:
        raise ValueError(f"the skeleton '{skeleton.name}' has no limbs, which rescoring needs: DATASET.SKELETON.LIMBS")
    a, b = np.array(links).T
    direction = poses.xy[:, a] - poses.xy[:, b]
    length = np.hypot(*np.moveaxis(direction, -1, 0))
    unit_length = length[:, list(unit)].mean(1, keepdims=True).clip(1)
    shape = (direction / unit_length[..., None]).reshape(len(poses), 2 * len(links))
    return np.concatenate([shape, length / unit_length, poses.scores], 1).astype(np.float32)


@dataclass(frozen=True)
class Rescorer:
    """Changes poses' scores by what the network of these weights predicts for them."""

    weights: Mapping[str, NDArray[np.float32]]  # `l1.weight` (inputs, outputs), `l1.bias` (outputs,), and so on
    skeleton: Skeleton

    def __post_init__(self) -> None:
        """Hold the weights to the skeleton. Raises ValueError: one is missing, or they are of another skeleton."""
        if missing := [name for name in NAMES if name not in self.weights]:
            raise ValueError(f"not the weights of a rescoring network: there is no {missing[0]}")
        nobody = features(Poses.empty(len(self.skeleton.joints)), self.skeleton)
        if (found := len(self.weights["l1.weight"])) != (wanted := nobody.shape[1]):
            name = self.skeleton.name
            raise ValueError(f"a rescoring network of {found} features, but poses of '{name}' have {wanted}: train one")
        with entry("not the weights of a rescoring network"):
            self.predict(nobody)

    def __call__(self, poses: Poses) -> Poses:
        """The poses, each score times the predicted OKS."""
        return Poses(poses.xy, poses.scores, poses.score * self.predict(features(poses, self.skeleton)))

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predicted OKS (N,) for features (N, F); 0 where it is no number."""
        for layer in LAYERS:
            x = x @ self.weights[f"{layer}.weight"] + self.weights[f"{layer}.bias"]
            x = x if layer == LAYERS[-1] else x.clip(0)
        return np.nan_to_num(x[:, 0], nan=0.0)

    def to_text(self) -> str:
        """The weights as text, for a file's metadata."""
        stream = io.BytesIO()
        np.savez(stream, **{name: self.weights[name] for name in NAMES})
        return base64.b64encode(stream.getvalue()).decode()

    @classmethod
    def from_text(cls, text: str, skeleton: Skeleton) -> "Rescorer":
        """The network that `to_text` wrote. Raises ValueError: it is none, or one of another skeleton."""
        return cls(read_arrays(io.BytesIO(base64.b64decode(text)), "the rescoring network"), skeleton)
