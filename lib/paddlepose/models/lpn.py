"""LPN as its authors have it: blocks with global context or squeeze-and-excitation, and one 1x1 convolution more."""

import math
from functools import partial
from typing import Any, ClassVar, Literal

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlepose.models._layers import Shapes, conv1x1, init_normal, shortcut
from paddlepose.models._lightweight import COUNTS, STRIDES, GlobalContext, LightBottleneck, depthwise, init_light
from paddlepose.models._resnet import HeatmapResNet, block_counts, head_arguments, upsampling

_RATIO, _LEAST = 16, 16  # channels for each of an attention's inner ones, and how many of these there are at least

Attention = Literal["gc", "se", "none"]


class Network(HeatmapResNet):
    """Heatmaps at a quarter of the input's size, with the usual two transposed convolutions."""

    multiple: ClassVar[int] = 16

    def __init__(
        self,
        num_joints: int,
        depth: Literal[50, 101, 152] = 50,
        attention: Attention = "gc",
        num_deconv_layers: int = 2,
        num_deconv_filters: tuple[int, ...] = (256, 256),
        num_deconv_kernels: tuple[Literal[2, 3, 4], ...] = (4, 4),
        deconv_with_bias: bool = False,
        final_conv_kernel: Literal[1, 3] = 1,
    ) -> None:
        """One map for each of `num_joints`; `attention` is that of each bottleneck.

        Raises ValueError: the lists of filters and kernels do not have `num_deconv_layers` entries.
        """
        super().__init__(partial(_Block, attention=attention), COUNTS[depth], expansion=1, strides=STRIDES)

        def doubling(channels: int, width: int, kernel: int) -> list[nn.Layer]:
            """Layers from `channels` to `width` that double the size."""
            first = upsampling(channels, width, kernel, groups=math.gcd(channels, width), bias=deconv_with_bias)
            layers = [first, nn.BatchNorm2D(width), nn.ReLU()]
            return [*layers, conv1x1(width, width), nn.BatchNorm2D(width), nn.ReLU()]

        self.add_head(
            num_joints, doubling, num_deconv_layers, num_deconv_filters, num_deconv_kernels, final_conv_kernel
        )
        init_light(self)

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        depths = [depth for depth, counts in COUNTS.items() if counts == block_counts(shapes)]
        if not depths or shapes.get("layer1.0.conv2.weight", (0, 0))[1] != 1:
            return None
        marks = {"gc": "layer1.0.att.conv_mask.weight", "se": "layer1.0.att.fc.0.weight"}
        attention = next((name for name, key in marks.items() if key in shapes), "none")
        return {"depth": depths[0], "attention": attention, **head_arguments(shapes)}

    def init_weights(self) -> None:
        """Draw the weights of all convolutions as the published training on COCO does."""
        init_normal(self, biases=False)


class SqueezeExcitation(nn.Layer):
    """Each channel scaled by what the means of all channels say (Hu et al., 2018)."""

    def __init__(self, channels: int, planes: int) -> None:
        """Through a bottleneck of `planes`."""
        super().__init__()
        ends = nn.Linear(channels, planes, bias_attr=False), nn.Linear(planes, channels, bias_attr=False)
        self.fc = nn.Sequential(ends[0], nn.ReLU(), ends[1], nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x * self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1)).unsqueeze([2, 3])


def _attention(kind: Attention, channels: int) -> nn.Layer:
    planes = max(channels // _RATIO, _LEAST)
    if kind == "gc":
        return GlobalContext(channels, planes, pool="attention", fusions=("add",))
    return SqueezeExcitation(channels, planes) if kind == "se" else nn.Identity()


class _Block(LightBottleneck):
    """With any attention."""

    def __init__(self, channels_in: int, width: int, stride: int, *, attention: Attention) -> None:
        super().__init__(channels_in, width, depthwise(width, stride))
        self.downsample = shortcut(channels_in, width, stride)
        self.att = _attention(attention, width)

    def attend(self, y: Tensor) -> Tensor:
        """Features (B, C, H, W) after attention."""
        return self.att(y)
