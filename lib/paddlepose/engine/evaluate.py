"""Measuring a network on a data set: the same predictor that draws poses on pictures, fed by a loader."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from paddlepose.core.predict import Network, TopDown
from paddlepose.core.types import ImageRecord, Poses
from paddlepose.engine import distributed
from paddlepose.engine.loader import Loader
from paddlepose.engine.report import Average
from paddlepose.engine.train import Criterion, Watch
from paddlepose.metrics import Metric
from paddlepose.samples.topdown import TopDownSamples


@dataclass(frozen=True)
class Result:
    """Figures of the metric by name, the one of them by which networks are compared, and the loss over all samples."""

    figures: dict[str, float]
    headline: float
    loss: float


def as_network(model: nn.Layer) -> Network:
    """A Paddle network as the function from arrays to arrays that predictors take. It is put in evaluation mode."""
    model.eval()

    @paddle.no_grad()
    def network(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Outputs for images (B, 3, H, W)."""
        return [output.numpy() for output in model(paddle.to_tensor(images))]

    return network


def run(
    predictor: TopDown, loader: Loader, metric: Metric, *, criterion: Criterion, watch: Watch, bias: float = 0.0
) -> Result | None:
    """Poses of all samples, moved by `-bias` pixels and measured.

    With several processes each takes a share; only the first gets the result.
    """
    samples = loader.samples
    loss, found = Average(), {}
    watch.begin(0, len(loader))
    for i, batch in enumerate(loader.epoch(0)):
        watch.loaded()
        maps = predictor.outputs(batch["image"].numpy())
        outputs = [paddle.to_tensor(maps)]
        losses = criterion(outputs, batch)
        indices = batch["index"].numpy().tolist()
        loss.add(losses["loss"].item(), len(indices))
        poses = predictor.poses(maps, [samples.people[index][1].region for index in indices])
        found.update({index: poses[[row]] for row, index in enumerate(indices)})
        watch.stepped(i, batch, outputs, losses)
    shares = distributed.gather((found, loss.total, loss.count))
    if distributed.rank():
        return None
    everyone = {index: pose for share, _, _ in shares for index, pose in share.items()}
    for record, poses in _by_record(samples, everyone):
        metric.add(record, Poses(poses.xy - bias, poses.scores, poses.score))
    figures = metric.compute()
    loss = sum(total for _, total, _ in shares) / sum(count for *_, count in shares)
    return Result(figures, figures.get(metric.headline, 0.0), loss)


def _by_record(samples: TopDownSamples, found: dict[int, Poses]) -> Iterator[tuple[ImageRecord, Poses]]:
    """Each record with the poses of its people, in the data set's order."""
    for _, group in groupby(range(len(samples)), lambda index: id(samples.people[index][0])):
        indices = list(group)
        poses = [found[index] for index in indices]
        merged = Poses(*(np.concatenate([getattr(p, name) for p in poses]) for name in ("xy", "scores", "score")))
        yield samples.people[indices[0]][0], merged
