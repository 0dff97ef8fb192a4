"""LPN as sailyung/human-pose-estimation has it: context blocks that average, and one 1x1 convolution a doubling."""

from functools import partial
from typing import Any, ClassVar, Literal

from paddle import Tensor, nn

from paddlepose.models._layers import Shapes, conv1x1, shortcut
from paddlepose.models._lightweight import COUNTS, STRIDES, GlobalContext, LightBottleneck, depthwise, init_light
from paddlepose.models._resnet import HeatmapResNet, block_counts, head_arguments, upsampling

_RATIO = 32  # channels for each of a context block's inner ones


class Network(HeatmapResNet):
    """Heatmaps at a quarter of the input's size, with the usual two transposed convolutions."""

    multiple: ClassVar[int] = 16

    def __init__(
        self,
        num_joints: int,
        depth: Literal[50, 101, 152] = 50,
        use_gcb: bool = True,
        num_deconv_layers: int = 2,
        num_deconv_filters: tuple[int, ...] = (256, 256),
        num_deconv_kernels: tuple[Literal[2, 3, 4], ...] = (4, 4),
        deconv_with_bias: bool = False,
        final_conv_kernel: Literal[1, 3] = 1,
    ) -> None:
        """One map for each of `num_joints`; `use_gcb` puts a context block into each bottleneck.

        Raises ValueError: the lists of filters and kernels do not have `num_deconv_layers` entries, or a number
        of filters does not divide that before it.
        """
        super().__init__(partial(_Block, use_gcb=use_gcb), COUNTS[depth], expansion=1, strides=STRIDES)

        def doubling(channels: int, width: int, kernel: int) -> list[nn.Layer]:
            """Layers from `channels` to `width` that double the size."""
            if channels % width:
                raise ValueError(f"NUM_DECONV_FILTERS {list(num_deconv_filters)}: {width} does not divide {channels}")
            first = upsampling(channels, width, kernel, groups=width, bias=deconv_with_bias)
            return [first, conv1x1(width, width), nn.BatchNorm2D(width), nn.ReLU()]

        self.add_head(
            num_joints, doubling, num_deconv_layers, num_deconv_filters, num_deconv_kernels, final_conv_kernel
        )
        init_light(self)

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        depths = [depth for depth, counts in COUNTS.items() if counts == block_counts(shapes)]
        if not depths or "layer1.0.conv2.depthwise_conv.weight" not in shapes:
            return None
        use_gcb = "layer1.0.gcb4.channel_add_conv.0.weight" in shapes
        return {"depth": depths[0], "use_gcb": use_gcb, **head_arguments(shapes)}

    def init_weights(self) -> None:
        """Keep the weights that the constructor drew: the published training starts from PyTorch's own."""


class _Block(LightBottleneck):
    """With a context block that averages, multiplies and adds."""

    def __init__(self, channels_in: int, width: int, stride: int, *, use_gcb: bool) -> None:
        super().__init__(channels_in, width, nn.Sequential(("depthwise_conv", depthwise(width, stride))))
        context = partial(GlobalContext, pool="average", fusions=("add", "mul"))
        self.gcb4 = context(width, width // _RATIO) if use_gcb else nn.Identity()
        self.downsample = shortcut(channels_in, width, stride)

    def attend(self, y: Tensor) -> Tensor:
        """Features (B, C, H, W) with their context."""
        return self.gcb4(y)
