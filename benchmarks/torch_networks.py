"""Plain PyTorch networks of the same layers as the package's, written for comparison: what `torch_step.py` measures.

Each takes images (B, 3, H, W) and gives the list of its heatmaps (B, 17, H / 4, W / 4). Run as a script, this prints
their numbers of parameters, held to those of the published networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd

import torch
from families import JOINTS
from torch import Tensor, nn
from torch.nn import functional as F


def conv(
    channels: int, width: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution without bias, batch norm and, if `relu`, a ReLU."""
    layers = [nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    """ReLU of a body's output and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int, *body: nn.Module) -> None:
        """From `channels` channels to `width`, in steps of `stride`."""
        super().__init__()
        fits = channels == width and stride == 1
        self.body = nn.Sequential(*body)
        self.skip = nn.Identity() if fits else conv(channels, width, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, width, H / stride, W / stride)."""
        return F.relu(self.body(x) + self.skip(x), inplace=True)


def bottleneck(channels: int, width: int, stride: int = 1) -> Residual:
    """ResNet's block of 1x1, 3x3 and 1x1 convolutions, which gives 4 `width` channels."""
    body = conv(channels, width), conv(width, width, 3, stride), conv(width, 4 * width, relu=False)
    return Residual(channels, 4 * width, stride, *body)


def basic_blocks(width: int, count: int) -> nn.Sequential:
    """`count` of ResNet's blocks of two 3x3 convolutions."""
    return nn.Sequential(
        *(Residual(width, width, 1, conv(width, width, 3), conv(width, width, 3, relu=False)) for _ in range(count))
    )


def quarter() -> nn.Sequential:
    """Images to features (B, 256, H / 4, W / 4), as HRNet and PPNet begin."""
    bottlenecks = bottleneck(64, 64), *(bottleneck(256, 64) for _ in range(3))
    return nn.Sequential(conv(3, 64, 3, 2), conv(64, 64, 3, 2), *bottlenecks)


class OneOutput(nn.Sequential):
    """Layers one after another, whose output is a list of one."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to one heatmap a joint."""
        return [super().forward(x)]


def pose_resnet_50() -> nn.Module:
    """PoseResNet-50: a ResNet and three transposed convolutions."""
    layers = [*conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(blocks):
            layers.append(bottleneck(channels, width, stride if i == 0 else 1))
            channels = 4 * width
    for _ in range(3):
        layers += [nn.ConvTranspose2d(channels, 256, 4, 2, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(inplace=True)]
        channels = 256
    return OneOutput(*layers, nn.Conv2d(256, JOINTS, 1))


class Exchange(nn.Module):
    """From the features of all branches to those of the first `outputs`: each is the ReLU of a sum over all."""

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        """Branch i has `widths[i]` channels and a 2**i-th of the first one's resolution."""
        super().__init__()
        self.links = nn.ModuleList(
            nn.ModuleList(self._link(widths, i, j) for j in range(len(widths))) for i in range(outputs)
        )

    @staticmethod
    def _link(widths: Sequence[int], i: int, j: int) -> nn.Module:
        if i == j:
            return nn.Identity()
        if j > i:
            return nn.Sequential(conv(widths[j], widths[i], relu=False), nn.Upsample(scale_factor=2 ** (j - i)))
        halves = [conv(widths[j], widths[j], 3, 2) for _ in range(i - j - 1)]
        return nn.Sequential(*halves, conv(widths[j], widths[i], 3, 2, relu=False))

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Features by branch, in and out."""
        return [F.relu(self._sum(links, x), inplace=True) for links in self.links]

    @staticmethod
    def _sum(links: nn.ModuleList, x: list[Tensor]) -> Tensor:
        total, *rest = (link(features) for link, features in zip(links, x, strict=True))
        for term in rest:
            total = total + term
        return total


class Pyramid(nn.Module):
    """Blocks on each of several branches, then an exchange: the module that HRNet and PPNet repeat."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], outputs: int) -> None:
        """`blocks[i]` blocks on branch i; the exchange gives the first `outputs` branches."""
        super().__init__()
        self.branches = nn.ModuleList(map(basic_blocks, widths, blocks))
        self.exchange = Exchange(widths, outputs)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the branches give, and what the exchange makes of it."""
        x = [branch(features) for branch, features in zip(self.branches, x, strict=True)]
        return x, self.exchange(x)


class HRNet(nn.Module):
    """HRNet: one branch more in each stage, heatmaps from the first."""

    def __init__(self, width: int) -> None:
        """Branches of `width`, 2, 4 and 8 `width` channels."""
        super().__init__()
        self.stem = quarter()
        self.transitions, self.stages = nn.ModuleList(), nn.ModuleList()
        old = [256]
        for count in (1, 4, 3):
            new = [width * 2**i for i in range(len(old) + 1)]
            same = (nn.Identity() if a == b else conv(a, b, 3) for a, b in zip(old, new, strict=False))
            self.transitions.append(nn.ModuleList([*same, conv(old[-1], new[-1], 3, 2)]))
            outputs = [len(new)] * (count - 1) + [1 if len(new) == 4 else len(new)]
            self.stages.append(nn.Sequential(*(Pyramid(new, [4] * len(new), number) for number in outputs)))
            old = new
        self.last = nn.Conv2d(width, JOINTS, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to one heatmap a joint."""
        x = [self.stem(x)]
        for transition, stage in zip(self.transitions, self.stages, strict=True):
            x = [layer(x[min(i, len(x) - 1)]) for i, layer in enumerate(transition)]
            for pyramid in stage:
                _, x = pyramid(x)
        return [self.last(x[0])]


class PreActivated(nn.Module):
    """The hourglass's block: a bottleneck with its batch norms and ReLUs before its convolutions."""

    def __init__(self, channels: int, width: int) -> None:
        """From `channels` channels to `width`."""
        super().__init__()
        sizes = (channels, width // 2, 1), (width // 2, width // 2, 3), (width // 2, width, 1)
        self.body = nn.Sequential()
        for a, b, kernel in sizes:
            self.body.extend([nn.BatchNorm2d(a), nn.ReLU(inplace=True), nn.Conv2d(a, b, kernel, padding=kernel // 2)])
        self.skip = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, width, H, W)."""
        return self.body(x) + self.skip(x)


class Hourglass(nn.Module):
    """Features as they are, and the same by way of lower resolutions, added."""

    def __init__(self, width: int, depth: int) -> None:
        """`depth` resolutions below the input's."""
        super().__init__()
        inner = Hourglass(width, depth - 1) if depth > 1 else PreActivated(width, width)
        self.high = PreActivated(width, width)
        self.low = nn.Sequential(
            nn.MaxPool2d(2), PreActivated(width, width), inner, PreActivated(width, width), nn.Upsample(scale_factor=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same."""
        return self.high(x) + self.low(x)


class StackedHourglass(nn.Module):
    """Hourglasses one after another; what each finds is added to the next one's input."""

    def __init__(self, stacks: int, width: int) -> None:
        """`stacks` hourglasses of `width` channels."""
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 4, 7, 2, 3), nn.BatchNorm2d(width // 4), nn.ReLU(inplace=True),
            PreActivated(width // 4, width // 2), nn.MaxPool2d(2),
            PreActivated(width // 2, width), PreActivated(width, width),
        )  # fmt: skip
        self.stacks = nn.ModuleList(
            nn.Sequential(
                Hourglass(width, 4), PreActivated(width, width),
                nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            )
            for _ in range(stacks)
        )  # fmt: skip
        self.heads = nn.ModuleList(nn.Conv2d(width, JOINTS, 1) for _ in range(stacks))
        self.feedback = nn.ModuleList(Feedback(width) for _ in range(stacks - 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to one heatmap a joint from each stack."""
        x, outputs = self.stem(x), []
        for i, (stack, head) in enumerate(zip(self.stacks, self.heads, strict=True)):
            features = stack(x)
            outputs.append(head(features))
            if i < len(self.feedback):
                x = x + self.feedback[i](features, outputs[i])
        return outputs


class Feedback(nn.Module):
    """Features and heatmaps as input for what follows them."""

    def __init__(self, width: int) -> None:
        """Features of `width` channels, in and out."""
        super().__init__()
        self.features, self.maps = nn.Conv2d(width, width, 1), nn.Conv2d(JOINTS, width, 1)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """(B, width, h, w) and (B, 17, h, w) to (B, width, h, w)."""
        return self.features(features) + self.maps(maps)


class PPNet(nn.Module):
    """PPNet: pyramids one after another, each with heatmaps of its own that the next one is given."""

    def __init__(self, modules: int, blocks: int, width: int) -> None:
        """`modules` pyramids of three branches, the first of `blocks` blocks and `width` channels."""
        super().__init__()
        widths, counts = ([number * 2**i for i in range(3)] for number in (width, blocks))
        self.stem = quarter()
        self.entries = nn.ModuleList(
            [
                conv(256, widths[0], 3),
                conv(256, widths[1], 3, 2),
                nn.Sequential(conv(256, 256, 3, 2), conv(256, widths[2], 3, 2)),
            ]
        )
        self.pyramids = nn.ModuleList(Pyramid(widths, counts, 3 if i < modules - 1 else 1) for i in range(modules))
        self.features = nn.ModuleList(conv(width, width) for _ in range(modules))
        self.heads = nn.ModuleList(
            nn.Sequential(conv(width, 32, 3), conv(32, 32, 3), nn.Conv2d(32, JOINTS, 1)) for _ in range(modules)
        )
        self.feedback = nn.ModuleList(Feedback(width) for _ in range(modules - 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images to one heatmap a joint from each pyramid."""
        x, outputs = self.stem(x), []
        x = [entry(x) for entry in self.entries]
        for i, (pyramid, head) in enumerate(zip(self.pyramids, self.heads, strict=True)):
            branches, fused = pyramid(x)
            features = self.features[i](fused[0])
            outputs.append(head(features))
            if i < len(self.feedback):
                fused[0] = self.feedback[i](features, outputs[i])
                x = [branch + fusion for branch, fusion in zip(branches, fused, strict=True)]
        return outputs


def _squeeze(channels: int, width: int) -> nn.Sequential:
    """Two 1x1 convolutions with a layer norm and a ReLU between."""
    norm = nn.LayerNorm([width, 1, 1])
    return nn.Sequential(nn.Conv2d(channels, width, 1), norm, nn.ReLU(inplace=True), nn.Conv2d(width, channels, 1))


class AverageContext(nn.Module):
    """lp_net's attention: channels multiplied and added to by what their averages say."""

    def __init__(self, channels: int) -> None:
        """Of `channels` channels, squeezed to a 32nd."""
        super().__init__()
        self.add, self.multiply = _squeeze(channels, channels // 32), _squeeze(channels, channels // 32)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        context = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.multiply(context)) + self.add(context)


class AttendedContext(nn.Module):
    """lpn's attention: what a weighted mean over all pixels says is added to each."""

    def __init__(self, channels: int) -> None:
        """Of `channels` channels, squeezed to a 16th, but 16 at least."""
        super().__init__()
        self.mask = nn.Conv2d(channels, 1, 1)
        self.add = _squeeze(channels, max(channels // 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        share = self.mask(x).flatten(2).softmax(2)
        context = x.flatten(2) @ share.transpose(1, 2)
        return x + self.add(context.unsqueeze(3))


def _light(channels: int, width: int, stride: int, attention: Callable[[int], nn.Module]) -> Residual:
    """The block of the light networks: a bottleneck that is no narrower inside, with a depthwise 3x3 convolution."""
    depthwise = conv(width, width, 3, stride, groups=width)
    return Residual(channels, width, stride, conv(channels, width), depthwise, conv(width, width, relu=False),
                    attention(width))  # fmt: skip


def light(attention: Callable[[int], nn.Module], *, norm_between: bool) -> nn.Module:
    """lp_net_50 or lpn_50, which has batch norms and ReLUs after its transposed convolutions (`norm_between`) too."""
    layers = [*conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 1)):
        for i in range(blocks):
            layers.append(_light(channels, width, stride if i == 0 else 1, attention))
            channels = width
    for _ in range(2):
        layers.append(nn.ConvTranspose2d(channels, 256, 4, 2, 1, groups=gcd(channels, 256), bias=False))
        layers += [nn.BatchNorm2d(256), nn.ReLU(inplace=True)] if norm_between else []
        layers += conv(256, 256)
        channels = 256
    return OneOutput(*layers, nn.Conv2d(256, JOINTS, 1))


# By the names of `families.MODELS`: what builds each network, and how many parameters the published one has.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "pose_resnet_50": (pose_resnet_50, 33_999_697),
    "pose_hrnet_w32": (lambda: HRNet(32), 28_536_113),
    "hourglass_4x128": (lambda: StackedHourglass(4, 128), 3_288_836),
    "pose_ppnet_m2_d2_w32": (lambda: PPNet(2, 2, 32), 7_026_690),
    "lp_net_50": (lambda: light(AverageContext, norm_between=False), 2_897_109),
    "lpn_50": (lambda: light(AttendedContext, norm_between=True), 2_911_153),
}


def build(name: str) -> nn.Module:
    """The network of that name with new weights.

    Raises:
        ValueError: it has not as many parameters as the published one.
    """
    make, expected = NETWORKS[name]
    network = make()
    found = count_parameters(network)
    if found != expected:
        raise ValueError(f"{name} has {found:,} parameters, the published network {expected:,}")
    return network


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    """Print each network's number of parameters."""
    for name in NETWORKS:
        print(f"{name}: {count_parameters(build(name)):,} parameters")


if __name__ == "__main__":
    main()
