"""Criteria: `criterion(outputs, batch)` gives a dict with `loss`, and its parts where it has any."""

from collections.abc import Mapping, Sequence

from paddle import Tensor


class Heatmap:
    """Half the mean squared difference of heatmaps, summed over the network's outputs.

    With `hardest`, only that many joints count in each sample, those with the largest difference (online hard keypoint
    mining; Chen et al., Cascaded Pyramid Network, section 3.2).
    """

    def __init__(self, *, use_weight: bool = True, hardest: int | None = None) -> None:
        """Scale each joint's difference by the batch's weights if `use_weight`: 0 for a joint that is not labelled."""
        self.use_weight = use_weight
        self.hardest = hardest

    def __call__(self, outputs: Sequence[Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Loss of outputs, each (B, K, h, w), against `target` (B, K, h, w) with `weight` (B, K, 1)."""
        return {"loss": sum(self._one(output, batch) for output in outputs)}

    def _one(self, output: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        difference = output - batch["target"]
        if self.use_weight:
            difference = difference * batch["weight"].unsqueeze(-1)
        if self.hardest is None:
            return 0.5 * difference.square().mean()
        by_joint = 0.5 * difference.square().flatten(2).mean(-1)
        return by_joint.topk(min(self.hardest, by_joint.shape[1]), axis=1)[0].mean()
