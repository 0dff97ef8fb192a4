"""PoseResNet: a ResNet and a few transposed convolutions (Xiao et al., Simple Baselines for Human Pose Estimation)."""

from collections.abc import Sequence
from typing import Literal

from paddle import Tensor, nn

from paddlepose.models._layers import BasicBlock, Bottleneck, final_conv, init_normal

# Depth of the ResNet: its block and the number of them in each of the four stages.
_STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}

# Kernel of a transposed convolution of stride 2: the padding and output padding that double the size exactly.
_PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


class Network(nn.Layer):
    """Heatmaps at a quarter of the input's size, with the usual three transposed convolutions."""

    def __init__(
        self,
        num_joints: int,
        depth: Literal[18, 34, 50, 101, 152] = 50,
        style: Literal["pytorch", "caffe"] = "pytorch",
        num_deconv_layers: int = 3,
        num_deconv_filters: tuple[int, ...] = (256, 256, 256),
        num_deconv_kernels: tuple[Literal[2, 3, 4], ...] = (4, 4, 4),
        deconv_with_bias: bool = False,
        final_conv_kernel: Literal[1, 3] = 1,
    ) -> None:
        """One map for each of `num_joints`; `style` is where bottlenecks have their stride (caffe: first 1x1).

        Raises:
            ValueError: the lists of filters and kernels do not have `num_deconv_layers` entries.
        """
        super().__init__()
        for title, values in (("FILTERS", num_deconv_filters), ("KERNELS", num_deconv_kernels)):
            if len(values) != num_deconv_layers:
                raise ValueError(f"NUM_DECONV_{title} {list(values)}: expected NUM_DECONV_LAYERS = {num_deconv_layers}")
        block, counts = _STAGES[depth]
        options = {}
        if style == "caffe":
            block, options = Bottleneck, {"stride_first": True}
        self.conv1 = nn.Conv2D(3, 64, 7, 2, padding=3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, 2, padding=1)
        channels = 64
        for stage, count in enumerate(counts):
            blocks = []
            for i in range(count):
                stride = 2 if i == 0 and stage > 0 else 1
                blocks.append(block(channels, 64 * 2**stage, stride, **options))
                channels = 64 * 2**stage * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.deconv_layers = _head(channels, num_deconv_filters, num_deconv_kernels, bias=deconv_with_bias)
        self.final_layer = final_conv((channels, *num_deconv_filters)[-1], num_joints, final_conv_kernel)

    def init_weights(self) -> None:
        """Draw new weights as the published training does."""
        init_normal(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, K, h, w)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))

        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)

        return [self.final_layer(self.deconv_layers(x))]


def _head(channels: int, filters: Sequence[int], kernels: Sequence[int], *, bias: bool) -> nn.Sequential:
    """Transposed convolutions, each with batch norm and ReLU, that double the size."""
    layers = []
    for width, kernel in zip(filters, kernels, strict=True):
        padding, output_padding = _PADDING[kernel]
        bias_attr = None if bias else False
        layers += [
            nn.Conv2DTranspose(channels, width, kernel, 2, padding, output_padding, bias_attr=bias_attr),
            nn.BatchNorm2D(width),
            nn.ReLU(),
        ]
        channels = width
    return nn.Sequential(*layers)
