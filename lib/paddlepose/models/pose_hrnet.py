"""HRNet with heatmaps at its highest resolution (Sun et al., Deep High-Resolution Representation Learning)."""

from typing import Literal

from paddle import Tensor

from paddlepose.models._hrnet import HRNetBody
from paddlepose.models._layers import final_conv, init_normal


class Network(HRNetBody):
    """Heatmaps at a quarter of the input's size, whose sides must be multiples of 32."""

    def __init__(self, num_joints: int, width: Literal[32, 48] = 32, final_conv_kernel: Literal[1, 3] = 1) -> None:
        """One map for each of `num_joints`; the highest resolution has `width` channels."""
        super().__init__(width)
        self.final_layer = final_conv(width, num_joints, final_conv_kernel)

    def init_weights(self) -> None:
        """Draw new weights as the published training does."""
        init_normal(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, K, H / 4, W / 4)."""
        return [self.final_layer(self.features(image)[0])]
