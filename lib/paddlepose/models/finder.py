"""A PoseResNet that finds people: its maps are those of codecs.centers."""

from typing import ClassVar

import paddle

from paddlepose.codecs.centers import CHANNELS
from paddlepose.models import pose_resnet
from paddlepose.models._layers import Positive

_RARE = -4.6  # before the sigmoid, a score of 0.01: at first no place is a centre (Lin et al., Focal Loss, section 4.1)


class Network(pose_resnet.Network):
    """Maps of centres and distances at a quarter of the input's size."""

    kind: ClassVar[str] = "detector"
    arguments_from: ClassVar[None] = None  # its weights alone do not tell it from a PoseResNet of five joints

    def __init__(self, num_joints: int = 1, width: Positive = 32, filters: tuple[int, ...] = (64, 64, 64)) -> None:
        """A ResNet-18 whose stem has `width` channels, and transposed convolutions of so many filters.

        `num_joints` is that of the skeleton, which a detector does not use.
        """
        del num_joints
        super().__init__(CHANNELS, depth=18, width=width, num_deconv_filters=filters)
        self.init_bias()

    def init_weights(self) -> None:
        """Draw new weights as PoseResNet's published training does."""
        super().init_weights()
        self.init_bias()

    def init_bias(self) -> None:
        """Have the network find nobody at first."""
        self.final_layer.bias.set_value(paddle.to_tensor([_RARE, *[0.0] * (CHANNELS - 1)]))
