"""HRNet for everybody in an image: heatmaps of joints and centres, and offsets from each pixel to its person's joints.

The bottom-up regression HRNet and its form of higher resolution (Sun et al., Bottom-Up Human Pose Estimation by Ranking
Heatmap-Guided Adaptive Keypoint Estimates). Its heads look where a matrix at each pixel sends them: their 3x3
convolutions are deformable ones.
"""

from typing import Any, ClassVar

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlepose.models._deform import TAPS, DeformableConv
from paddlepose.models._hrnet import MODULES, HRNetBody
from paddlepose.models._layers import BasicBlock, BiasedConv2D, Positive, Shapes, conv_bn_relu, final_conv, init_normal


class Transformer(nn.Layer):
    """Two deformable convolutions and a shortcut; a 2x2 matrix at each pixel turns and stretches their kernels.

    Both matrices come from the block's input, and they act on the undilated kernel, whatever the dilation.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        """Keep `channels`; the kernels' taps are `dilation` pixels apart."""
        super().__init__()
        # Checkpoints of PyTorch have it the other way round: matrices are transposed where they are read.
        self.register_buffer("regular_matrix", paddle.to_tensor(TAPS))
        self.transform_matrix_conv1 = BiasedConv2D(channels, 4, 3, padding=1)
        self.stn_conv1 = DeformableConv(channels, channels, dilation)
        self.bn1 = nn.BatchNorm2D(channels)
        self.transform_matrix_conv2 = BiasedConv2D(channels, 4, 3, padding=1)
        self.stn_conv2 = DeformableConv(channels, channels, dilation)
        self.bn2 = nn.BatchNorm2D(channels)
        for conv in (self.transform_matrix_conv1, self.transform_matrix_conv2):
            nn.initializer.Constant(0.0)(conv.weight)
            nn.initializer.Assign(paddle.eye(2).flatten())(conv.bias)  # a plain convolution, to begin with

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        y = F.relu(self.bn1(self.stn_conv1(x, self.offset(self.transform_matrix_conv1(x)))))
        y = self.bn2(self.stn_conv2(y, self.offset(self.transform_matrix_conv2(x))))
        return F.relu(y + x)

    def offset(self, matrix: Tensor) -> Tensor:
        """How far matrices (B, 4: row by row, H, W) move the taps, (B, 18, H, W)."""
        identity = paddle.eye(2)
        # Row i of tap t moves by the sum over j of (matrix - identity)[i, j] times its place [t, j].
        kernel = identity.reshape([1, 2, 2, 1]) * self.regular_matrix.reshape([9, 1, 1, 2])
        return F.conv2d(matrix - identity.reshape([4, 1, 1]), kernel.reshape([18, 4, 1, 1]))


class Network(HRNetBody):
    """Heatmaps and offsets at a quarter of the input's size, and with `higher` more heatmaps at half of it."""

    multiple: ClassVar[int] = 32
    kind: ClassVar[str] = "bottom_up"

    def __init__(
        self,
        num_joints: int,
        width: Positive = 32,
        higher: bool = False,
        regression_channels: Positive = 256,
        deconv_channels: Positive = 48,
        num_modules: tuple[Positive, Positive, Positive] = MODULES,
        stem_width: Positive = 64,
    ) -> None:
        """For `num_joints`, of which the centre is none; `width` is 32 or 48 as published.

        Offsets come from `regression_channels`, heatmaps at half the input's size from `deconv_channels`. With fewer
        `num_modules` in stages 2, 3 and 4 and a lesser `stem_width` a narrow network learns on a CPU.
        """
        super().__init__(width, branches=4, modules=num_modules, stem_width=stem_width)
        self.num_joints = num_joints
        self.higher = higher
        joined = 15 * width
        self.transition_cls = conv_bn_relu(joined, width, kernel=1)
        if not higher:
            # The published network evaluates this once a head, on the same input. Once gives the same, and three
            # steps of the running statistics to one batch's are one of this momentum.
            self.transition_cls[1] = nn.BatchNorm2D(width, momentum=0.9**3)
            self.transition_cls.published_calls = 3
        self.transition_reg = conv_bn_relu(joined + num_joints, regression_channels, kernel=1)
        heads = [Transformer(width, dilation) for dilation in (1, 2, 3)]
        for name in ("transform_matrix_conv1", "stn_conv1", "transform_matrix_conv2", "stn_conv2"):
            for head in heads[1:]:
                getattr(head, name).weight = getattr(heads[0], name).weight
        self.multi_level_layers_4x_heatmap = nn.LayerList([nn.Sequential(head) for head in heads])
        self.multi_level_layers_4x_regression = nn.Sequential(nn.Sequential(Transformer(regression_channels, 1)))
        finals = [final_conv(width, num_joints, 1), final_conv(regression_channels, 2 * num_joints + 1, 1)]
        if higher:
            deconv = nn.Conv2DTranspose(width + num_joints, deconv_channels, 4, 2, padding=1, bias_attr=False)
            up = nn.Sequential(deconv, nn.BatchNorm2D(deconv_channels), nn.ReLU())
            block = nn.Sequential(BasicBlock(deconv_channels, deconv_channels))
            self.deconv_layers = nn.Sequential(nn.Sequential(up, block))
            finals.append(final_conv(deconv_channels, num_joints, 1))
        self.final_layers = nn.LayerList(finals)
        for layer in finals:
            nn.initializer.Normal(0.0, 0.001)(layer.weight)  # maps are nearly empty; others are unlearnt for long

    @staticmethod
    def arguments_from(shapes: Shapes) -> dict[str, Any] | None:
        """The constructor's arguments for a checkpoint's weights, of which the shapes are known; None if not its."""
        if "multi_level_layers_4x_regression.0.0.stn_conv1.weight" not in shapes:
            return None
        joints, width, *_ = shapes["final_layers.0.weight"]
        deconv = shapes.get("deconv_layers.0.0.0.weight")
        arguments = {"num_joints": joints, "width": width, "higher": deconv is not None}
        arguments["regression_channels"] = shapes["final_layers.1.weight"][1]
        arguments["stem_width"] = shapes["conv1.weight"][0]
        modules = [{key.split(".")[1] for key in shapes if key.startswith(f"stage{stage}.")} for stage in (2, 3, 4)]
        arguments["num_modules"] = tuple(map(len, modules))
        return arguments | ({"deconv_channels": deconv[1]} if deconv else {})

    def init_weights(self) -> None:
        """Draw new weights as the published training does; at first no tap is moved by what a pixel shows."""
        init_normal(self)
        zero = nn.initializer.Constant(0.0)
        for block in self.sublayers():
            if isinstance(block, Transformer):
                zero(block.transform_matrix_conv1.weight)
                zero(block.transform_matrix_conv2.weight)
            elif isinstance(block, DeformableConv):
                bound = (9 * block.weight.shape[1]) ** -0.5
                nn.initializer.Uniform(-bound, bound)(block.weight)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to heatmaps (B, K + 1, H / 4, W / 4), the last the centres', and offsets (B, 2 K, ...).

        With `higher` to heatmaps of three heads, one after another among the channels, heatmaps (B, K, H / 2, W / 2)
        and offsets.
        """
        first, *rest = self.features(image)
        ups = [F.interpolate(branch, scale_factor=2 ** (i + 1), mode="bilinear") for i, branch in enumerate(rest)]
        x = paddle.concat([first, *ups], 1)
        shared = self.transition_cls(x)
        heats = [self.final_layers[0](head(shared)) for head in self.multi_level_layers_4x_heatmap]
        mean = sum(heats) / len(heats)
        y = self.multi_level_layers_4x_regression(self.transition_reg(paddle.concat([x, mean], 1)))
        y = self.final_layers[1](y)
        offset, center = y[:, : 2 * self.num_joints], y[:, 2 * self.num_joints :]
        if not self.higher:
            return [paddle.concat([mean, center], 1), offset]
        fine = self.final_layers[2](self.deconv_layers(paddle.concat([shared, mean], 1)))
        return [paddle.concat([maps for heat in heats for maps in (heat, center)], 1), fine, offset]
