"""Criteria: `criterion(outputs, batch)` gives a dict with `loss`, and its parts where it has any."""

from collections.abc import Callable, Mapping, Sequence

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from paddlepose.core.types import Kind
from paddlepose.settings import LossSection

Batch = Mapping[str, Tensor]
Criterion = Callable[[Sequence[Tensor], Batch], dict[str, Tensor]]


class Heatmap:
    """Half the mean squared difference of heatmaps, summed over the network's outputs.

    With `hardest`, only that many joints count in each sample, those with the largest difference (online hard keypoint
    mining; Chen et al., Cascaded Pyramid Network, section 3.2).
    """

    def __init__(self, *, use_weight: bool = True, hardest: int | None = None) -> None:
        """Scale each joint's difference by the batch's weights if `use_weight`: 0 for a joint that is not labelled."""
        self.use_weight = use_weight
        self.hardest = hardest

    def __call__(self, outputs: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        """Loss of outputs, each (B, K, h, w), against `target` (B, K, h, w) with `weight` (B, K, 1).

        Samples that `labelled` (B,), where there is such, marks with 0 count nothing.
        """
        return {"loss": sum(self._one(output, batch) for output in outputs)}

    def _one(self, output: Tensor, batch: Batch) -> Tensor:
        difference = output - batch["target"]
        if self.use_weight:
            difference = difference * batch["weight"].unsqueeze(-1)
        elif "labelled" in batch:
            difference = difference * batch["labelled"].reshape([-1, 1, 1, 1])
        if self.hardest is None:
            return 0.5 * difference.square().mean()
        by_joint = 0.5 * difference.square().flatten(2).mean(-1)
        return by_joint.topk(min(self.hardest, by_joint.shape[1]), axis=1)[0].mean()


class CrossEntropy:
    """Cross-entropy between where a map's mass lies and where the label's Gaussian does, the mean over labelled joints.

    The criterion of Mask R-CNN's keypoints (He et al., section 5), with a Gaussian in the place of one pixel. It takes
    maps that are nowhere negative.
    """

    def __call__(self, outputs: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        """Loss of outputs, each (B, K, h, w), against `target` (B, K, h, w) with `weight` (B, K, 1)."""
        target = batch["target"].flatten(2)
        mass = target.sum(-1, keepdim=True)
        share = target / mass.clip(min=1e-6)
        weight = batch["weight"] * (mass > 0).astype(mass.dtype)
        return {"loss": sum(self._one(output.flatten(2), share, weight) for output in outputs)}

    def _one(self, maps: Tensor, share: Tensor, weight: Tensor) -> Tensor:
        logarithm = (maps / maps.sum(-1, keepdim=True) + 1e-9).log()
        return -(share * logarithm * weight).sum() / weight.sum().clip(min=1)


class Distill:
    """Fast pose distillation: each output is drawn to the labels and to a teacher's maps (Zhang et al., section 3.3).

    A labelled sample counts with 1 - alpha for its labels and alpha for the teacher, an unlabelled one with 1 for the
    teacher, at all joints.
    """

    def __init__(
        self, criterion: Criterion, teacher: Callable[[Batch], Tensor], alpha: float, *, use_weight: bool = True
    ) -> None:
        """`criterion` compares with the labels; `use_weight` has their weights count for the teacher's maps too."""
        self.criterion, self.teacher, self.alpha, self.use_weight = criterion, teacher, alpha, use_weight

    def __call__(self, outputs: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        """The loss, and its parts without their shares: `pose` is the labels', `kd_pose` the teacher's."""
        pose = self.criterion(outputs, batch)["loss"]
        maps = self.teacher(batch)
        labelled = batch.get("labelled", paddle.ones([len(maps)], maps.dtype))
        weight = paddle.ones([1, 1, 1, 1], maps.dtype)
        if self.use_weight:
            weight = paddle.where(labelled.reshape([-1, 1, 1, 1]) > 0, batch["weight"].unsqueeze(-1), weight)
        taught = sum(0.5 * (weight * (output - maps)).square().mean([1, 2, 3]) for output in outputs)
        share = 1 - (1 - self.alpha) * labelled
        loss = (1 - self.alpha) * pose + (share * taught).mean()
        return {"loss": loss, "pose": pose, "kd_pose": taught.mean()}


class BottomUp:
    """Heatmaps against Gaussians, and offsets near people's centres, as the bottom-up regression HRNet is trained."""

    def __init__(self, heatmap_factor: float = 1.0, offset_factor: float = 0.01) -> None:
        """Count the heatmaps of every size with the first factor, the offsets with the second."""
        self.heatmap_factor, self.offset_factor = heatmap_factor, offset_factor

    def __call__(self, outputs: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        """The loss, and its parts with their factors; of heatmaps of two sizes also `heatmap0` and `heatmap1`.

        Outputs are heatmaps of each size, then offsets (B, 2 K, h, w), against `offset` with `offset_weight`. Heatmaps
        are those of one or several heads, (B, M (K + 1), h, w), and of a second size (B, K, h', w'), of joints alone.
        `heatmap0` (B, K + 1, h, w) with `mask0` (B, 1, h, w) is every head's target; there may be one each, among the
        channels. `heatmap1` and `mask1` are those of the second size.
        """
        *levels, offset = outputs
        sizes = {
            f"heatmap{i}": self._heat(maps, batch[f"heatmap{i}"], batch[f"mask{i}"], offset.shape[1] // 2 + 1)
            for i, maps in enumerate(levels)
        }
        heatmap, offset = sum(sizes.values()), self._offset(offset, batch["offset"], batch["offset_weight"])
        parts = {"loss": heatmap + offset, "heatmap": heatmap, "offset": offset}
        return parts | (sizes if len(levels) > 1 else {})

    def _heat(self, maps: Tensor, target: Tensor, mask: Tensor, channels: int) -> Tensor:
        """Mean squared difference at the pixels that count, as a share of all."""
        target = target.reshape([0, -1, channels, *target.shape[2:]])[:, :, : maps.shape[1]]
        maps = maps.reshape([0, -1, *target.shape[2:]])
        return self.heatmap_factor * ((maps - target).square() * mask.unsqueeze(2)).mean()

    def _offset(self, offset: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Smooth L1 with its knee at 1/9, where Paddle's is Huber's loss, a ninth of it; mean where there is weight."""
        distance = 9 * F.smooth_l1_loss(offset, target, reduction="none", delta=1 / 9)
        count = (weight > 0).astype(offset.dtype).sum().clip(min=1)
        return self.offset_factor * (distance * weight).sum() / count


class Centers:
    """The maps of codecs.centers: a focal loss of the centres, and the distances' absolute errors near them.

    Zhou et al., Objects as Points, equation 1. Distances are compared as logarithms: people of all sizes count alike.
    """

    def __call__(self, outputs: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        """The loss, and its parts, of the last output (B, 5, h, w) against `target` with `weight` (B, 2, h, w)."""
        maps, target, weight = outputs[-1], batch["target"], batch["weight"]
        centers, distances = self._centers(maps[:, 0], target[:, 0], weight[:, 0]), weight[:, 1:]
        error = ((maps[:, 1:] - target[:, 1:]).abs() * distances).sum() / (4 * distances.sum()).clip(min=1)
        return {"loss": centers + error, "centers": centers, "distances": error}

    def _centers(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        score = F.sigmoid(logits)
        is_center = (target >= 1).astype(logits.dtype)
        found = is_center * (1 - score).square() * F.log_sigmoid(logits)
        other = (1 - is_center) * (1 - target) ** 4 * score.square() * F.log_sigmoid(-logits)
        return -((found + other) * weight).sum() / is_center.sum().clip(min=1)


def build(kind: Kind, options: LossSection) -> Criterion:
    """What a network of a kind is trained on, as LOSS says."""
    if kind == "bottom_up":
        return BottomUp(options.heatmaps_loss_factor, options.offsets_loss_factor)
    if kind == "detector":
        return Centers()
    if options.name == "cross_entropy":
        return CrossEntropy()
    return Heatmap(use_weight=options.use_target_weight, hardest=options.topk if options.use_ohkm else None)
