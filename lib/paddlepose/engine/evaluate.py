"""Measuring a network on a data set: the same predictor that draws poses on pictures, fed by a loader."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Lock

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn
from tqdm import tqdm

from paddlepose.core.files import entry
from paddlepose.core.finder import Finder
from paddlepose.core.image import read_record
from paddlepose.core.predict import BottomUp, Network, TopDown
from paddlepose.core.types import ImageRecord, Poses
from paddlepose.engine import distributed
from paddlepose.engine.loader import Loader
from paddlepose.engine.report import Average, Watch
from paddlepose.losses import Criterion
from paddlepose.metrics import Metric, markdown
from paddlepose.metrics.boxes import Found
from paddlepose.metrics.distances import NEAR, Distances, measured
from paddlepose.samples.topdown import TopDownSamples
from paddlepose.settings import TestSection

NO_FIGURE = float("-inf")  # what a measurement comes to that has nobody to measure

_LINES = 20  # batches of pictures between two lines in the log

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a measurement gives."""

    figures: Mapping[str, Mapping[str, float]]  # of each metric, by the metric's name and the figure's
    headline: float  # by which networks are compared; NO_FIGURE where it cannot be had
    loss: float | None = None  # over all samples, where it was computed
    distances: Distances | None = None  # of the joints from their labels, where people's boxes are the labelled ones


def _result(metrics: Mapping[str, Metric], loss: float | None = None) -> Result:
    """What metrics have come to; the last has the headline."""
    figures = {name: metric.compute() for name, metric in metrics.items()}
    name, metric = list(metrics.items())[-1]
    headline = figures[name][metric.headline]
    return Result(figures, NO_FIGURE if metric.headline == "Null" or headline < 0 else headline, loss)


def as_network(model: nn.Layer) -> Network:
    """A Paddle network as the function from arrays to arrays that predictors take. It is put in evaluation mode."""
    model.eval()
    lock = Lock()  # Paddle runs one pass at a time, whichever thread asks

    @paddle.no_grad()
    def network(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Outputs for images (B, 3, H, W)."""
        with lock:
            return [output.numpy() for output in model(paddle.to_tensor(images))]

    return network


def measure(
    predictor: TopDown | BottomUp | Finder,
    data: Loader | Sequence[ImageRecord],
    metrics: Mapping[str, Metric],
    *,
    options: TestSection,
    criterion: Criterion,
    watch: Watch,
) -> Result | None:
    """What a predictor finds in a test split, measured as TEST says; only the first of several processes has it."""
    if isinstance(predictor, BottomUp):
        return run_pictures(predictor, data, metrics, batch_size=options.batch_size)
    if isinstance(predictor, Finder):
        return run_finder(predictor, data, metrics)
    return run(predictor, data, metrics, criterion=criterion, watch=watch, bias=options.bias)


def say(result: Result, title: str) -> None:
    """Log the figures as tables, the network being called `title`."""
    if far := result.distances:
        near = f"{far.pck:.1%} of the joints are within {NEAR:.0%} of the box's longer side"
        _LOG.info("Mean distance from the labels: %.2f pixels; %s", far.pixels, near)
    for tag, figures in result.figures.items():
        if tag:
            _LOG.info("Testing %s", tag)
        _LOG.info("%s", "\n".join(markdown(title, figures)))
        if any(value < 0 for value in figures.values()):
            _LOG.info("-: the labels hold nobody whom that figure speaks of")


def run(
    predictor: TopDown,
    loader: Loader,
    metrics: Mapping[str, Metric],
    *,
    criterion: Criterion,
    watch: Watch,
    bias: float = 0.0,
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
    distances = measured((samples.people[index][1], pose.xy[0] - bias) for index, pose in everyone.items())
    for record, poses in _by_record(samples, everyone):
        for metric in metrics.values():
            metric.add(record, Poses(poses.xy - bias, poses.scores, poses.score))
    result = _result(metrics, sum(total for _, total, _ in shares) / sum(count for *_, count in shares))
    return replace(result, distances=distances)


def measure_nothing(data: Loader | Sequence[ImageRecord], metrics: Mapping[str, Metric], *, joints: int) -> Result:
    """What metrics come to where people are found with all joints at (0, 0), or in whole pictures nobody is.

    Labels that cannot be measured fail in it.
    """
    if isinstance(data, Loader):
        corner = Poses(np.zeros((1, joints, 2)), np.zeros((1, joints)), np.zeros(1))
        for record, poses in _by_record(data.samples, dict.fromkeys(range(len(data.samples)), corner)):
            for metric in metrics.values():
                metric.add(record, poses)
    elif isinstance(boxes := next(iter(metrics.values())), Found):
        for record in data:
            boxes.add(record, np.zeros((0, 5)), height=1)
    return _result(metrics)


def run_pictures(
    predictor: BottomUp, records: Sequence[ImageRecord], metrics: Mapping[str, Metric], *, batch_size: int
) -> Result | None:
    """Everybody's poses in all pictures, measured by two metrics: before and after they snap to the heatmaps.

    With several processes each takes a share; only the first gets the result.
    """
    for record, poses in everybody(predictor, records, batch_size):
        for metric, of_metric in zip(metrics.values(), poses, strict=True):
            metric.add(record, of_metric)
    return None if distributed.rank() else _result(metrics)


def run_finder(predictor: Finder, records: Sequence[ImageRecord], metrics: Mapping[str, Metric]) -> Result | None:
    """The boxes of the people in all pictures, measured.

    With several processes each takes a share; only the first gets the result.
    """
    rank, world = distributed.rank(), distributed.world()
    own = []
    for record in tqdm(records[rank::world], desc="Test", unit="picture", disable=None, leave=False):
        picture = read_record(record)
        own.append((predictor(picture), len(picture)))
    shares = distributed.gather(own)
    if rank:
        return None
    for i, record in enumerate(records):
        rows, height = shares[i % world][i // world]
        for metric in metrics.values():
            metric.add(record, rows, height)
    return _result(metrics)


def everybody(
    predictor: BottomUp, records: Sequence[ImageRecord], batch_size: int
) -> Iterable[tuple[ImageRecord, tuple[Poses, Poses]]]:
    """Each record with its people's poses before and after they snap; so many pictures are read at a time.

    With several processes each takes a share; only the first gets the poses, the others get nothing.
    """
    rank, world = distributed.rank(), distributed.world()
    shares = distributed.gather(list(_poses(predictor, records[rank::world], batch_size)))
    found = {first + i * world: poses for first, share in enumerate(shares) for i, poses in enumerate(share)}
    return () if rank else [(record, found[i]) for i, record in enumerate(records)]


def _poses(predictor: BottomUp, records: Sequence[ImageRecord], batch_size: int) -> Iterator[tuple[Poses, Poses]]:
    with tqdm(total=len(records), desc="Test", unit="picture", disable=None, leave=False) as bar:
        for start in range(0, len(records), batch_size):
            group = records[start : start + batch_size]
            pictures = [read_record(record) for record in group]
            with entry(", ".join(str(record.path) for record in group)):
                answers = predictor.answers(pictures)
            for picture, answer in zip(pictures, answers, strict=True):
                yield predictor.poses(answer, picture, snap=False), predictor.poses(answer, picture)
                bar.update()
            if start // batch_size % _LINES == 0:
                _LOG.info("Test: [%d/%d] %.1f pictures/s", start, len(records), bar.format_dict["rate"] or 0)


def _by_record(samples: TopDownSamples, found: dict[int, Poses]) -> Iterator[tuple[ImageRecord, Poses]]:
    """Each record with the poses of its people, in the data set's order."""
    for _, group in groupby(range(len(samples)), lambda index: id(samples.people[index][0])):
        indices = list(group)
        poses = [found[index] for index in indices]
        merged = Poses(*(np.concatenate([getattr(p, name) for p in poses]) for name in ("xy", "scores", "score")))
        yield samples.people[indices[0]][0], merged
