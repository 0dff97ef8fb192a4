"""A small network for CPUs: the trunk of EfficientNet-Lite0 and a head that climbs back over its features."""

import math
from typing import Any, ClassVar

from paddle import Tensor
from paddle.nn import functional

from paddlepose.models._efficientnet import LitePyramid, pyramid_maps
from paddlepose.models._layers import Positive, Shapes

_STRIDE = 32
_MASS = 2 * math.pi * 2**2  # of a Gaussian of height 1 and sigma 2: scores are about its height


class Network(LitePyramid):
    """Heatmaps at a quarter of the input's size."""

    multiple: ClassVar[int] = _STRIDE
    sums_up: ClassVar[bool] = True  # its maps are nowhere negative and have one sum, as cross-entropy takes them

    def __init__(self, num_joints: int, width: Positive = 64) -> None:
        """One map for each of `num_joints`; the head has `width` channels."""
        super().__init__(num_joints, width, _STRIDE)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, K, h, w): where each joint is, in all as much as a Gaussian of sigma 2."""
        (maps,) = super().forward(image)
        shares = functional.softmax(maps.flatten(2), -1).reshape(maps.shape)
        return [_MASS * shares]

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        found = pyramid_maps(shapes, _STRIDE)
        return found and {"num_joints": found[0], "width": found[1]}
