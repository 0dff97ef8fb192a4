"""Stacked hourglasses (Newell et al., ECCV 2016), as Fast Pose Distillation trains them (Zhang et al., CVPR 2019)."""

from typing import Annotated, Any, ClassVar

from paddle import Tensor, nn
from paddle.nn import functional as F
from pydantic import Field

from paddlepose.models._layers import BiasedConv2D, Positive, Shapes, Upsample, init_uniform

_DEPTH = 4  # times that an hourglass halves the size

Features = Annotated[int, Field(gt=0, multiple_of=4)]


class Network(nn.Layer):
    """Heatmaps at a quarter of the input's size from each of the hourglasses, which feed theirs into the next."""

    multiple: ClassVar[int] = 4 * 2**_DEPTH

    def __init__(
        self, num_joints: int, num_stacks: Positive = 4, num_features: Features = 256, num_blocks: Positive = 1
    ) -> None:
        """One map for each of `num_joints` from each of `num_stacks` hourglasses of `num_features` channels."""
        super().__init__()
        width = num_features
        stacks = range(num_stacks)
        self.conv1 = BiasedConv2D(3, width // 4, 7, 2, padding=3)
        self.bn1 = nn.BatchNorm2D(width // 4)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(_Residual(width // 4, width // 4))
        self.maxpool = nn.MaxPool2D(2, 2)
        self.layer2 = nn.Sequential(_Residual(width // 2, width // 2))
        self.layer3 = nn.Sequential(_Residual(width, width // 2))
        self.hg = nn.LayerList([_Hourglass(width, num_blocks) for _ in stacks])
        self.res = nn.LayerList([_residuals(width, num_blocks) for _ in stacks])
        self.fc = nn.LayerList([_conv_bn_relu(width) for _ in stacks])
        self.score = nn.LayerList([BiasedConv2D(width, num_joints, 1) for _ in stacks])
        self.fc_ = nn.LayerList([BiasedConv2D(width, width, 1) for _ in stacks[1:]])
        self.score_ = nn.LayerList([BiasedConv2D(num_joints, width, 1) for _ in stacks[1:]])
        init_uniform(self)

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        if "hg.0.hg.0.3.0.conv1.weight" not in shapes:
            return None
        return {
            "num_joints": shapes["score.0.weight"][0],
            "num_stacks": len({key.split(".")[1] for key in shapes if key.startswith("hg.")}),
            "num_features": shapes["score.0.weight"][1],
            "num_blocks": len({key.split(".")[2] for key in shapes if key.startswith("res.0.")}),
        }

    def init_weights(self) -> None:
        """Keep the weights that the constructor drew: the published training starts from PyTorch's own."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to (B, K, H / 4, W / 4) from each hourglass, the first first."""
        x = self.relu(self.bn1(self.conv1(image)))
        x = self.layer3(self.layer2(self.maxpool(self.layer1(x))))
        outputs = []
        for i, hourglass in enumerate(self.hg):
            features = self.fc[i](self.res[i](hourglass(x)))
            maps = self.score[i](features)
            outputs.append(maps)
            if i < len(self.fc_):
                x = x + self.fc_[i](features) + self.score_[i](maps)
        return outputs


class _Residual(nn.Layer):
    """Bottleneck with batch norms before its convolutions, from `channels_in` to 2 `width` channels."""

    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2D(channels_in)
        self.conv1 = BiasedConv2D(channels_in, width, 1)
        self.bn2 = nn.BatchNorm2D(width)
        self.conv2 = BiasedConv2D(width, width, 3, padding=1)
        self.bn3 = nn.BatchNorm2D(width)
        self.conv3 = BiasedConv2D(width, 2 * width, 1)
        fits = channels_in == 2 * width
        self.downsample = nn.Identity() if fits else nn.Sequential(BiasedConv2D(channels_in, 2 * width, 1))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 2 width, H, W)."""
        y = self.conv1(self.relu(self.bn1(x)))
        y = self.conv2(self.relu(self.bn2(y)))
        y = self.conv3(self.relu(self.bn3(y)))
        return y + self.downsample(x)


def _conv_bn_relu(width: int) -> nn.Sequential:
    return nn.Sequential(BiasedConv2D(width, width, 1), nn.BatchNorm2D(width), nn.ReLU())


def _residuals(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width, width // 2) for _ in range(count)))


class _Hourglass(nn.Layer):
    """Features halved and doubled again, with a branch at each size that goes around what is below."""

    def __init__(self, width: int, num_blocks: int) -> None:
        super().__init__()
        # Of each level, the smallest first: around it, before what is below, after it; the smallest has the bottom.
        branches = [4, *[3] * (_DEPTH - 1)]
        self.upsample = Upsample(2)
        self.hg = nn.LayerList(
            [nn.LayerList([_residuals(width, num_blocks) for _ in range(count)]) for count in branches]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        around = []
        for level in range(_DEPTH - 1, -1, -1):
            around.append(self.hg[level][0](x))
            x = self.hg[level][1](F.max_pool2d(x, 2, 2))
        x = self.hg[0][3](x)
        for level in range(_DEPTH):
            x = self.hg[level][2](x)
            x = around.pop() + self.upsample(x)
        return x
