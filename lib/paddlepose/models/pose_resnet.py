"""PoseResNet: a ResNet and a few transposed convolutions (Xiao et al., Simple Baselines for Human Pose Estimation)."""

from functools import partial
from typing import Any, ClassVar, Literal

from paddle import nn

from paddlepose.models._layers import BasicBlock, Bottleneck, Positive, Shapes, init_normal
from paddlepose.models._resnet import HeatmapResNet, block_counts, head_arguments, upsampling

# Depth of the ResNet: its block and the number of them in each of the four stages.
_STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class Network(HeatmapResNet):
    """Heatmaps at a quarter of the input's size, with the usual three transposed convolutions."""

    multiple: ClassVar[int] = 32

    def __init__(
        self,
        num_joints: int,
        depth: Literal[18, 34, 50, 101, 152] = 50,
        style: Literal["pytorch", "caffe"] = "pytorch",
        width: Positive = 64,
        num_deconv_layers: int = 3,
        num_deconv_filters: tuple[int, ...] = (256, 256, 256),
        num_deconv_kernels: tuple[Literal[2, 3, 4], ...] = (4, 4, 4),
        deconv_with_bias: bool = False,
        final_conv_kernel: Literal[1, 3] = 1,
    ) -> None:
        """One map for each of `num_joints`; `style` is where bottlenecks have their stride (caffe: first 1x1).

        `width` is that of the stem and the first stage, 64 as published.

        Raises ValueError: the lists of filters and kernels do not have `num_deconv_layers` entries.
        """
        block, counts = _STAGES[depth]
        block, make = (Bottleneck, partial(Bottleneck, stride_first=True)) if style == "caffe" else (block, block)
        super().__init__(make, counts, expansion=block.expansion, strides=(1, 2, 2, 2), width=width)

        def doubling(channels: int, width: int, kernel: int) -> list[nn.Layer]:
            """Layers from `channels` to `width` that double the size."""
            return [upsampling(channels, width, kernel, bias=deconv_with_bias), nn.BatchNorm2D(width), nn.ReLU()]

        self.add_head(
            num_joints, doubling, num_deconv_layers, num_deconv_filters, num_deconv_kernels, final_conv_kernel
        )

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        block = Bottleneck if "layer1.0.conv3.weight" in shapes else BasicBlock
        depths = [depth for depth, stages in _STAGES.items() if stages == (block, block_counts(shapes))]
        if not depths or "deconv_layers.0.weight" not in shapes or shapes.get("layer1.0.conv2.weight", (0, 1))[1] == 1:
            return None
        return {"depth": depths[0], "width": shapes["conv1.weight"][0], **head_arguments(shapes)}

    def init_weights(self) -> None:
        """Draw new weights as the published training does."""
        init_normal(self)
