"""Blocks that several networks are made of."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from pydantic import Field

Positive = Annotated[int, Field(gt=0)]
Shapes = Mapping[str, Sequence[int]]  # of a checkpoint's weights, by name


def conv3x3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2D:
    """3x3 convolution without bias that keeps the size at stride 1."""
    return nn.Conv2D(channels_in, channels_out, 3, stride, padding=1, bias_attr=False)


def conv1x1(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2D:
    """1x1 convolution without bias."""
    return nn.Conv2D(channels_in, channels_out, 1, stride, bias_attr=False)


def conv_bn_relu(channels_in: int, channels_out: int, stride: int = 1, *, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias that keeps the size at stride 1, batch norm and ReLU."""
    conv = nn.Conv2D(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias_attr=False)
    return nn.Sequential(conv, nn.BatchNorm2D(channels_out), nn.ReLU())


class BiasedConv2D(nn.Conv2D):
    """Convolution that adds its bias by itself: what Paddle does on a CPU takes several times as long."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, channels_out, ...)."""
        y = F.conv2d(x, self.weight, None, self._stride, self._padding, self._dilation, self._groups)
        return y + self.bias.reshape([-1, 1, 1])


class Upsample(nn.Layer):
    """Each pixel `scale` x `scale` times; in training by a shuffle, which gives the same and is faster on a CPU."""

    def __init__(self, scale: int) -> None:
        """Repeat pixels `scale` times in a row and in a column."""
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, scale H, scale W)."""
        if not self.training:
            return F.interpolate(x, scale_factor=self.scale, mode="nearest")
        copies = paddle.concat([x.unsqueeze(2)] * self.scale**2, 2)
        return F.pixel_shuffle(copies.flatten(1, 2), self.scale)


def final_conv(channels_in: int, num_joints: int, kernel: int) -> nn.Conv2D:
    """Convolution with bias that gives one map a joint, kernel 1 or 3."""
    return BiasedConv2D(channels_in, num_joints, kernel, padding=kernel // 2)


def init_normal(network: nn.Layer, std: float = 0.001, *, biases: bool = True) -> None:
    """Draw all (transposed) convolutions' weights from a normal distribution; batch norms 1 and 0, and `biases` 0.

    So PoseResNet and HRNet start where no weights are loaded (their published code; the papers do not say it).
    """
    normal, zero, one = nn.initializer.Normal(0.0, std), nn.initializer.Constant(0.0), nn.initializer.Constant(1.0)
    for layer in network.sublayers():
        if isinstance(layer, nn.Conv2D | nn.Conv2DTranspose):
            normal(layer.weight)
        elif isinstance(layer, nn.BatchNorm2D):
            one(layer.weight)
        if biases and getattr(layer, "bias", None) is not None:
            zero(layer.bias)


def init_uniform(network: nn.Layer) -> None:
    """Draw all (transposed) convolutions' and linear layers' weights and biases as PyTorch does, which Paddle does not.

    Uniform within 1 / sqrt(n), n inputs of each output; of a transposed convolution, n outputs of each input.
    """
    for layer in network.sublayers():
        if isinstance(layer, nn.Conv2D | nn.Conv2DTranspose | nn.Linear):
            fan = layer.weight.shape[0] if isinstance(layer, nn.Linear) else math.prod(layer.weight.shape[1:])
            uniform = nn.initializer.Uniform(-(fan**-0.5), fan**-0.5)
            uniform(layer.weight)
            if layer.bias is not None:
                uniform(layer.bias)


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions and a shortcut (ResNet, figure 5 left)."""

    expansion = 1

    def __init__(self, channels_in: int, width: int, stride: int = 1) -> None:
        """From `channels_in` channels to `width`; the first convolution has the stride."""
        super().__init__()
        self.conv1 = conv3x3(channels_in, width, stride)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2D(width)
        self.downsample = shortcut(channels_in, width, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Layer):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (ResNet, figure 5 right)."""

    expansion = 4

    def __init__(self, channels_in: int, width: int, stride: int = 1, *, stride_first: bool = False) -> None:
        """From `channels_in` channels to 4 `width`; the stride is the 3x3's, or the first 1x1's as in Caffe."""
        super().__init__()
        self.conv1 = conv1x1(channels_in, width, stride if stride_first else 1)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv3x3(width, width, 1 if stride_first else stride)
        self.bn2 = nn.BatchNorm2D(width)
        self.conv3 = conv1x1(width, 4 * width)
        self.bn3 = nn.BatchNorm2D(4 * width)
        self.downsample = shortcut(channels_in, 4 * width, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


def shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Layer:
    """The block's input in the shape of its output: itself where it fits, else a 1x1 convolution and a batch norm."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return nn.Sequential(conv1x1(channels_in, channels_out, stride), nn.BatchNorm2D(channels_out))
