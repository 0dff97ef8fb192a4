"""HRNet with heatmaps at its highest resolution (Sun et al., Deep High-Resolution Representation Learning)."""

from typing import Any, ClassVar, Literal

from paddle import Tensor

from paddlepose.models._hrnet import HRNetBody
from paddlepose.models._layers import Positive, Shapes, final_conv, init_normal


class Network(HRNetBody):
    """Heatmaps at a quarter of the input's size."""

    multiple: ClassVar[int] = 32

    def __init__(self, num_joints: int, width: Positive = 32, final_conv_kernel: Literal[1, 3] = 1) -> None:
        """One map for each of `num_joints`; the highest resolution has `width` channels, 32 or 48 as published."""
        super().__init__(width)
        self.final_layer = final_conv(width, num_joints, final_conv_kernel)

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        if "stage4.2.fuse_layers.0.3.0.weight" not in shapes or "stage4.2.fuse_layers.1.0.0.0.weight" in shapes:
            return None
        joints, width, kernel, _ = shapes["final_layer.weight"]
        return {"num_joints": joints, "width": width, "final_conv_kernel": kernel}

    def init_weights(self) -> None:
        """Draw new weights as the published training does."""
        init_normal(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, K, H / 4, W / 4)."""
        return [self.final_layer(self.features(image)[0])]
