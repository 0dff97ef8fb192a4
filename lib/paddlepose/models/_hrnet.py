"""The body of HRNet: branches of several resolutions side by side, fused again and again (Sun et al., CVPR 2019)."""

from collections.abc import Sequence
from functools import reduce
from operator import add

from paddle import Tensor, nn

from paddlepose.models._layers import BasicBlock, Bottleneck, Upsample, conv1x1, conv3x3, conv_bn_relu

MODULES = (1, 4, 3)  # of stages 2, 3 and 4 (section 3, "Instantiation"); stage n has n branches of four blocks
_BLOCKS = 4


class Stem(nn.Layer):
    """Two convolutions of stride 2 and four bottlenecks: 4 `width` channels at a quarter of the input's size."""

    def __init__(self, width: int = 64) -> None:
        """`width` is 64 in the paper."""
        super().__init__()
        self.conv1 = conv3x3(3, width, 2)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv3x3(width, width, 2)
        self.bn2 = nn.BatchNorm2D(width)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(Bottleneck(width, width), *(Bottleneck(4 * width, width) for _ in range(3)))

    def stem(self, image: Tensor) -> Tensor:
        """Images (B, 3, H, W) to features (B, 4 width, H / 4, W / 4)."""
        x = self.relu(self.bn1(self.conv1(image)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.layer1(x)


def _fuse_layer(widths: Sequence[int], i: int, j: int) -> nn.Layer:
    """What leads from branch j to output i: up by repeated pixels, or down by strides, where the last has no ReLU."""
    if i == j:
        return nn.Identity()
    if j > i:
        return nn.Sequential(conv1x1(widths[j], widths[i]), nn.BatchNorm2D(widths[i]), Upsample(2 ** (j - i)))
    chain = [conv_bn_relu(widths[j], widths[j], 2) for _ in range(i - j - 1)]
    return nn.Sequential(*chain, nn.Sequential(conv3x3(widths[j], widths[i], 2), nn.BatchNorm2D(widths[i])))


class Module(nn.Layer):
    """Blocks on each branch, then every output is the sum of all branches in its resolution."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], outputs: int) -> None:
        """Branches of `widths` channels and so many `blocks`, of which the first `outputs` are fused and go on."""
        super().__init__()
        self.branches = nn.LayerList(
            [nn.Sequential(*(BasicBlock(widths[i], widths[i]) for _ in range(n))) for i, n in enumerate(blocks)]
        )
        self.fuse_layers = nn.LayerList(
            [nn.LayerList([_fuse_layer(widths, i, j) for j in range(len(widths))]) for i in range(outputs)]
        )
        self.relu = nn.ReLU()

    def branch(self, x: list[Tensor]) -> list[Tensor]:
        """Features of each branch after its blocks."""
        return [branch(x[i]) for i, branch in enumerate(self.branches)]

    def fuse(self, x: list[Tensor]) -> list[Tensor]:
        """Features of all branches to those of the outputs."""
        return [self.relu(reduce(add, [layer(x[j]) for j, layer in enumerate(layers)])) for layers in self.fuse_layers]

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Features of all branches to those of the outputs, after the blocks."""
        return self.fuse(self.branch(x))


def _stage(count: int, widths: Sequence[int], outputs: int) -> nn.Sequential:
    """Modules one after another; the last gives `outputs` branches, the others all."""
    counts = [len(widths)] * (count - 1) + [outputs]
    return nn.Sequential(*(Module(widths, [_BLOCKS] * len(widths), n) for n in counts))


def _transition(old: Sequence[int], new: Sequence[int]) -> nn.LayerList:
    """From the branches of a stage to those of the next, one more: the new one comes from the lowest."""
    same = [nn.Identity() if a == b else conv_bn_relu(a, b) for a, b in zip(old, new, strict=False)]
    return nn.LayerList([*same, nn.Sequential(conv_bn_relu(old[-1], new[-1], 2))])


class HRNetBody(Stem):
    """Features at a quarter of the input's size and below, from an image whose sides are multiples of 32."""

    def __init__(
        self, width: int, *, branches: int = 1, modules: tuple[int, int, int] = MODULES, stem_width: int = 64
    ) -> None:
        """Branches of `width`, 2, 4 and 8 `width` channels, of which the last module gives the first `branches`."""
        super().__init__(stem_width)
        old = [4 * stem_width]
        for stage, count in enumerate(modules, 2):
            new = [width * 2**i for i in range(stage)]
            outputs = branches if stage == 4 else stage
            setattr(self, f"transition{stage - 1}", _transition(old, new))
            setattr(self, f"stage{stage}", _stage(count, new, outputs))
            old = new

    def features(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to features (B, width, H / 4, W / 4), (B, 2 width, H / 8, W / 8) and so on."""
        x = [self.stem(image)]
        x = self.stage2(_branch(self.transition1, x))
        x = self.stage3(_branch(self.transition2, x))
        return self.stage4(_branch(self.transition3, x))


def _branch(transition: nn.LayerList, x: list[Tensor]) -> list[Tensor]:
    """Each branch's input: from the branch of the same resolution, or for the new one from the lowest."""
    return [layer(x[min(i, len(x) - 1)]) for i, layer in enumerate(transition)]
