"""What both kinds of lightweight pose networks are made of (Zhang et al., Simple and Lightweight Pose Estimation).

ResNet's trunk of bottlenecks that do not widen, with depthwise convolutions, and attention to the whole map.
"""

from collections.abc import Sequence
from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlepose.models._layers import conv1x1, init_uniform

# Blocks in each of the four stages, and the strides of their first.
COUNTS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
STRIDES = (1, 2, 2, 1)


def depthwise(width: int, stride: int) -> nn.Conv2D:
    """3x3 convolution of each channel for itself."""
    return nn.Conv2D(width, width, 3, stride, padding=1, groups=width, bias_attr=False)


class LightBottleneck(nn.Layer):
    """1x1, depthwise 3x3 and 1x1 convolutions, attention and a shortcut; subclasses add the last two."""

    def __init__(self, channels_in: int, width: int, conv2: nn.Layer) -> None:
        """From `channels_in` channels to `width`; `conv2` is the depthwise convolution."""
        super().__init__()
        self.conv1 = conv1x1(channels_in, width)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv2
        self.bn2 = nn.BatchNorm2D(width)
        self.conv3 = conv1x1(width, width)
        self.bn3 = nn.BatchNorm2D(width)
        self.relu = nn.ReLU()

    def attend(self, y: Tensor) -> Tensor:
        """Features after attention, of the same shape."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.attend(self.bn3(self.conv3(y)))
        return self.relu(y + self.downsample(x))


class ChannelNorm(nn.Layer):
    """Layer norm over the channels of maps of one pixel.

    Written out, with weights (P, 1, 1) as in the published checkpoints: Paddle's own layer norm over three axes
    becomes a node that onnxruntime refuses.
    """

    def __init__(self, channels: int) -> None:
        """For P = `channels`."""
        super().__init__()
        one = nn.initializer.Constant(1.0)
        self.weight = self.create_parameter([channels, 1, 1], default_initializer=one)
        self.bias = self.create_parameter([channels, 1, 1], is_bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, P, 1, 1) to the same."""
        centred = x - x.mean(1, keepdim=True)
        return centred * paddle.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5) * self.weight + self.bias


class GlobalContext(nn.Layer):
    """One vector of context for the whole map, added to its pixels, multiplied with them, or both (GCNet, figure 4)."""

    def __init__(
        self, channels: int, planes: int, *, pool: Literal["average", "attention"], fusions: Sequence[str]
    ) -> None:
        """Context of `channels` through a bottleneck of `planes`; `fusions` are of "add" and "mul"."""
        super().__init__()
        self.conv_mask = nn.Conv2D(channels, 1, 1) if pool == "attention" else None
        self.channel_add_conv = _branch(channels, planes) if "add" in fusions else None
        self.channel_mul_conv = _branch(channels, planes) if "mul" in fusions else None

    def init_weights(self) -> None:
        """Start with a context of zero, as published."""
        zero = nn.initializer.Constant(0.0)
        for branch in (self.channel_add_conv, self.channel_mul_conv):
            if branch is not None:
                zero(branch[3].weight)
                zero(branch[3].bias)
        if self.conv_mask is not None:
            nn.initializer.KaimingNormal()(self.conv_mask.weight)
            zero(self.conv_mask.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        context = self._context(x)
        y = x
        if self.channel_mul_conv is not None:
            y = y * F.sigmoid(self.channel_mul_conv(context))
        if self.channel_add_conv is not None:
            y = y + self.channel_add_conv(context)
        return y

    def _context(self, x: Tensor) -> Tensor:
        """Mean over the map, weighted by attention: (B, C, 1, 1)."""
        if self.conv_mask is None:
            return F.adaptive_avg_pool2d(x, 1)
        share = F.softmax(self.conv_mask(x).flatten(2), axis=2)
        return paddle.matmul(x.flatten(2), share, transpose_y=True).unsqueeze(-1)


def _branch(channels: int, planes: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2D(channels, planes, 1), ChannelNorm(planes), nn.ReLU(), nn.Conv2D(planes, channels, 1))


def init_light(network: nn.Layer) -> None:
    """Draw weights as PyTorch's layers do, and let contexts start at zero."""
    init_uniform(network)
    for layer in network.sublayers():
        if isinstance(layer, GlobalContext):
            layer.init_weights()
