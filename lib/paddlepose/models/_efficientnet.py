"""The trunk of EfficientNet-Lite0: EfficientNet-B0 without squeezing and with ReLU6 (Tan and Le, ICML 2019).

Parameter names are those of the package efficientnet-lite-pytorch, whose ImageNet weights fit.
"""

from paddle import Tensor, nn
from paddle.nn import functional

from paddlepose.models._layers import Shapes, conv1x1, conv3x3, final_conv, init_normal
from paddlepose.models._resnet import upsampling

# Of each stage: blocks, kernel, stride, expansion of the hidden channels, and channels (table 1 of the paper).
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
_ENDS = {4: 2, 8: 4, 16: 10, 32: 14}  # the last block at each stride
_MOMENTUM, _EPSILON = 0.99, 1e-3


def _batch_norm(channels: int) -> nn.BatchNorm2D:
    return nn.BatchNorm2D(channels, _MOMENTUM, _EPSILON)


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2D:
    """A convolution without bias and with TensorFlow's padding, which at stride 2 has one pixel more at the end."""
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    padding = [before, after, before, after] if before != after else after
    return nn.Conv2D(channels_in, channels_out, kernel, stride, padding, groups=groups, bias_attr=False)


class _Block(nn.Layer):
    """1x1 convolution to `expand` times the channels, one of each channel for itself, 1x1 back, and a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        self.channels = channels_out
        hidden = channels_in * expand
        self._widens, self._adds = expand > 1, stride == 1 and channels_in == channels_out
        if self._widens:
            self._expand_conv = _conv(channels_in, hidden, 1)
            self._bn0 = _batch_norm(hidden)
        self._depthwise_conv = _conv(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = _batch_norm(hidden)
        self._project_conv = _conv(hidden, channels_out, 1)
        self._bn2 = _batch_norm(channels_out)
        self._relu6 = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, channels_out, H / stride, W / stride)."""
        y = self._relu6(self._bn0(self._expand_conv(x))) if self._widens else x
        y = self._relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


class LitePyramid(nn.Layer):
    """The trunk and a head that climbs back over its features to stride 4, and gives maps there.

    The trunk's last stage, of 320 channels, and the classifier are left out. The head is that of Feature Pyramid
    Networks (Lin et al., CVPR 2017), with the transposed convolutions of Simple Baselines in the place of plain
    enlarging.
    """

    def __init__(self, maps: int, width: int, stride: int) -> None:
        """`maps` maps; the head has `width` channels, and the trunk goes up to a `stride` of 8, 16 or 32."""
        super().__init__()
        self._conv_stem = _conv(3, 32, 3, 2)
        self._bn0 = _batch_norm(32)
        self._relu6 = nn.ReLU6()
        self._blocks = nn.LayerList([_Block(*block) for block in _blocks()[: _ENDS[stride] + 1]])
        channels = [self._blocks[end].channels for end in _ENDS.values() if end < len(self._blocks)]
        self.lateral = nn.LayerList([nn.Sequential(conv1x1(n, width), nn.BatchNorm2D(width)) for n in channels])
        self.up = nn.LayerList(
            [nn.Sequential(upsampling(width, width, 4), nn.BatchNorm2D(width)) for _ in channels[1:]]
        )
        self.smooth = nn.Sequential(conv3x3(width, width), nn.BatchNorm2D(width), nn.ReLU())
        self.final_layer = final_conv(width, maps, 1)

    def init_weights(self) -> None:
        """Draw new weights: the trunk's by its layers' inputs, the head's of a small deviation."""
        init_normal(self)
        for layer in (self._conv_stem, *self._blocks.sublayers()):
            if isinstance(layer, nn.Conv2D):
                nn.initializer.KaimingNormal()(layer.weight)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to one (B, maps, H / 4, W / 4)."""
        x = self._relu6(self._bn0(self._conv_stem(image)))
        features = []  # at strides 4, 8, 16, 32, as far as they go
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in _ENDS.values():
                features.append(x)
        x = self.lateral[-1](features[-1])
        for i, up in enumerate(self.up):
            x = functional.relu(up(x) + self.lateral[-2 - i](features[-2 - i]))
        return [self.final_layer(self.smooth(x))]


def _blocks() -> list[tuple[int, int, int, int, int]]:
    """The arguments of the trunk's blocks."""
    blocks, channels = [], 32
    for count, kernel, first_stride, expand, width in _STAGES:
        for i in range(count):
            blocks.append((channels, width, kernel, first_stride if i == 0 else 1, expand))
            channels = width
    return blocks


def pyramid_maps(shapes: Shapes, stride: int) -> tuple[int, int] | None:
    """Maps and width of the `LitePyramid` of a stride whose weights have these shapes; None if they are not of one."""
    blocks = {key.split(".")[1] for key in shapes if key.startswith("_blocks.")}
    if "lateral.0.0.weight" not in shapes or len(blocks) != _ENDS[stride] + 1:
        return None
    maps, width = shapes["final_layer.weight"][:2]
    return maps, width
