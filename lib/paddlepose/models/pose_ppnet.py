"""PPNet: pyramids of few narrow blocks at high and many wide ones at low resolution (Zhao et al., IEEE TIP 2021)."""

from typing import Any, ClassVar, Literal

from paddle import Tensor, nn

from paddlepose.models._hrnet import Module, Stem
from paddlepose.models._layers import BiasedConv2D, Positive, Shapes, conv_bn_relu, final_conv, init_normal

_BRANCHES = 3
_HEAD_WIDTH = 32  # of each module's own head, whatever the network's width


class Network(Stem):
    """Heatmaps at a quarter of the input's size from each of the modules, which feed theirs into the next."""

    multiple: ClassVar[int] = 4 * 2 ** (_BRANCHES - 1)

    def __init__(
        self,
        num_joints: int,
        num_modules: Positive = 2,
        num_blocks: Positive = 2,
        width: Positive = 32,
        final_conv_kernel: Literal[1, 3] = 1,
    ) -> None:
        """One map for each of `num_joints` from each module; the other arguments are the paper's M, D and W.

        The highest resolution has `num_blocks` blocks of `width` channels; each lower one has twice as many of both.
        """
        super().__init__()
        widths = [width * 2**i for i in range(_BRANCHES)]
        blocks = [num_blocks * 2**i for i in range(_BRANCHES)]
        outputs = [_BRANCHES] * (num_modules - 1) + [1]
        self.input_layer = nn.LayerList([_entry(i, channels) for i, channels in enumerate(widths)])
        self.ppnet = nn.LayerList([Module(widths, blocks, count) for count in outputs])
        self.fc = nn.LayerList([conv_bn_relu(width, width, kernel=1) for _ in outputs])
        self.heatmap_layer = nn.LayerList([_head(width, num_joints, final_conv_kernel) for _ in outputs])
        self.fc_ = nn.LayerList([BiasedConv2D(width, width, 1) for _ in outputs[1:]])
        self.heatmap_layer_ = nn.LayerList([BiasedConv2D(num_joints, width, 1) for _ in outputs[1:]])

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        if "ppnet.0.branches.0.0.conv1.weight" not in shapes:
            return None
        modules = {key.split(".")[1] for key in shapes if key.startswith("ppnet.")}
        blocks = {key.split(".")[4] for key in shapes if key.startswith("ppnet.0.branches.0.")}
        joints, _, kernel, _ = shapes["heatmap_layer.0.2.weight"]
        return {
            "num_joints": joints,
            "num_modules": len(modules),
            "num_blocks": len(blocks),
            "width": shapes["fc.0.0.weight"][0],
            "final_conv_kernel": kernel,
        }

    def init_weights(self) -> None:
        """Draw new weights as the published training does."""
        init_normal(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to (B, K, H / 4, W / 4) from each module, the first first.

        What a module passes on is the sum of its branches before and after they are fused, not of its input and its
        output as the paper's figure 2 has it: so the published weights were trained.
        """
        x = self.stem(image)
        x = [layer(x) for layer in self.input_layer]
        outputs = []
        for i, module in enumerate(self.ppnet):
            branches = module.branch(x)
            fused = module.fuse(branches)
            features = self.fc[i](fused[0])
            maps = self.heatmap_layer[i](features)
            outputs.append(maps)
            if i < len(self.fc_):
                fused[0] = self.fc_[i](features) + self.heatmap_layer_[i](maps)
                x = [branches[b] + fused[b] for b in range(_BRANCHES)]
        return outputs


def _entry(branch: int, width: int) -> nn.Sequential:
    """From the stem's 256 channels to those of a branch, which is `branch` times halved."""
    if branch == 0:
        return conv_bn_relu(256, width)
    return nn.Sequential(*(conv_bn_relu(256, 256, 2) for _ in range(branch - 1)), conv_bn_relu(256, width, 2))


def _head(width: int, num_joints: int, kernel: int) -> nn.Sequential:
    """From a module's features to heatmaps."""
    first, second = conv_bn_relu(width, _HEAD_WIDTH), conv_bn_relu(_HEAD_WIDTH, _HEAD_WIDTH)
    return nn.Sequential(first, second, final_conv(_HEAD_WIDTH, num_joints, kernel))
