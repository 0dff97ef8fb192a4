"""A small network that finds people: its maps are those of codecs.centers."""

from typing import Any, ClassVar

import paddle

from paddlepose.codecs.centers import CHANNELS
from paddlepose.models._efficientnet import LitePyramid, pyramid_maps
from paddlepose.models._layers import Positive, Shapes

_RARE = -4.6  # before the sigmoid, a score of 0.01: at first no place is a centre (Lin et al., Focal Loss, section 4.1)
_STRIDE = 16


class Network(LitePyramid):
    """Maps of centres and distances at a quarter of the input's size."""

    kind: ClassVar[str] = "detector"
    multiple: ClassVar[int] = 32

    def __init__(self, num_joints: int = 1, width: Positive = 64) -> None:
        """A trunk up to stride 16 and a head of `width` channels; `num_joints` is the skeleton's, not used here."""
        del num_joints
        super().__init__(CHANNELS, width, _STRIDE)
        self._init_bias()

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        found = pyramid_maps(shapes, _STRIDE)
        return found and {"width": found[1]}

    def init_weights(self) -> None:
        """Draw new weights, and have the network find nobody at first."""
        super().init_weights()
        self._init_bias()

    def _init_bias(self) -> None:
        self.final_layer.bias.set_value(paddle.to_tensor([_RARE, *[0.0] * (CHANNELS - 1)]))
