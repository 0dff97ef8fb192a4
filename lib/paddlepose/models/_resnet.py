"""What ResNet-like heatmap networks share: a trunk of four stages, and a head of transposed convolutions."""

from collections.abc import Callable, Sequence
from typing import Any

from paddle import Tensor, nn

from paddlepose.models._layers import Shapes, final_conv

# Kernel of a transposed convolution of stride 2: the padding and output padding that double the size exactly.
_PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}

Block = Callable[[int, int, int], nn.Layer]  # of input channels, width, stride
Doubling = Callable[[int, int, int], list[nn.Layer]]  # of input channels, width, kernel: layers that double the size


class HeatmapResNet(nn.Layer):
    """Stem of stride 4 and four stages of blocks, 64, 128, 256 and 512 wide (He et al., table 1), and a head."""

    def __init__(
        self, block: Block, counts: Sequence[int], *, expansion: int, strides: Sequence[int], width: int = 64
    ) -> None:
        """`counts` blocks in each stage, the first with the stage's stride; each gives `expansion` times its width.

        `width` is that of the stem and the first stage.
        """
        super().__init__()
        self.conv1 = nn.Conv2D(3, width, 7, 2, padding=3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, 2, padding=1)
        self.channels = width  # of the stages' features
        for stage, (count, stride) in enumerate(zip(counts, strides, strict=True)):
            blocks = []
            for i in range(count):
                blocks.append(block(self.channels, width * 2**stage, stride if i == 0 else 1))
                self.channels = width * 2**stage * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))

    def add_head(
        self,
        num_joints: int,
        doubling: Doubling,
        count: int,
        filters: Sequence[int],
        kernels: Sequence[int],
        final_kernel: int,
    ) -> None:
        """`count` times the layers that `doubling` makes for a number of filters and a kernel, then one map a joint.

        Raises ValueError: `filters` or `kernels` has another length.
        """
        for title, values in (("FILTERS", filters), ("KERNELS", kernels)):
            if len(values) != count:
                raise ValueError(f"NUM_DECONV_{title} {list(values)}: expected NUM_DECONV_LAYERS = {count}")
        layers, channels = [], self.channels
        for width, kernel in zip(filters, kernels, strict=True):
            layers += doubling(channels, width, kernel)
            channels = width
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = final_conv(channels, num_joints, final_kernel)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, K, h, w)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))

        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)

        return [self.final_layer(self.deconv_layers(x))]


def upsampling(
    channels: int, width: int, kernel: int, *, groups: int = 1, bias: bool | None = False
) -> nn.Conv2DTranspose:
    """Transposed convolution with kernel 2, 3 or 4 that doubles the size."""
    padding, output_padding = _PADDING[kernel]
    bias_attr = None if bias else False
    return nn.Conv2DTranspose(channels, width, kernel, 2, padding, output_padding, groups=groups, bias_attr=bias_attr)


def block_counts(shapes: Shapes) -> tuple[int, ...]:
    """Blocks in each of the four stages of a checkpoint."""
    return tuple(len({key.split(".")[1] for key in shapes if key.startswith(f"layer{i}.")}) for i in range(1, 5))


def head_arguments(shapes: Shapes) -> dict[str, Any]:
    """The constructor's arguments for a checkpoint's head; a 1x1 convolution may follow each transposed one."""
    weights = [shape for key, shape in shapes.items() if key.startswith("deconv_layers.") and len(shape) == 4]
    heads = [shape for shape in weights if shape[-1] > 1]
    mixed = [shape[0] for shape in weights if shape[-1] == 1]
    return {
        "num_joints": shapes["final_layer.weight"][0],
        "num_deconv_layers": len(heads),
        "num_deconv_filters": tuple(mixed or [shape[1] for shape in heads]),
        "num_deconv_kernels": tuple(shape[-1] for shape in heads),
        "deconv_with_bias": "deconv_layers.0.bias" in shapes,
        "final_conv_kernel": shapes["final_layer.weight"][-1],
    }
