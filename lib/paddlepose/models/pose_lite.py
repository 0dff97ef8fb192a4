"""A small network for CPUs: the trunk of EfficientNet-Lite0 and a head that climbs back over its features."""

from typing import Any, ClassVar

from paddlepose.models._efficientnet import LitePyramid, pyramid_maps
from paddlepose.models._layers import Positive, Shapes

_STRIDE = 32


class Network(LitePyramid):
    """Heatmaps at a quarter of the input's size."""

    multiple: ClassVar[int] = _STRIDE

    def __init__(self, num_joints: int, width: Positive = 64) -> None:
        """One map for each of `num_joints`; the head has `width` channels."""
        super().__init__(num_joints, width, _STRIDE)

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        found = pyramid_maps(shapes, _STRIDE)
        return found and {"num_joints": found[0], "width": found[1]}
