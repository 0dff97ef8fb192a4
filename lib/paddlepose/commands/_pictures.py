"""What `infer` and `deploy` share: options for pictures, boxes and results, and the way from one to the other."""

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from paddlepose.core.boxes import BoxSource, Rows, parse_box, read_boxes
from paddlepose.core.draw import draw
from paddlepose.core.image import Picture, read_picture
from paddlepose.core.media import Video, is_video, sources
from paddlepose.core.predict import TopDown
from paddlepose.core.results import People, result_stems, video_results, write_picture_results

PROGRESS_SECONDS = 5.0  # between two lines about a video

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for pictures, boxes and results."""
    sources_help = "picture, video, folder or quoted pattern"
    parser.add_argument("--img", "--img-file", dest="img", required=True, metavar="WHAT", help=sources_help)
    parser.add_argument("--bbox", action="append", default=[], metavar="X,Y,W,H", help="a person's box; repeatable")
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="JSON file of boxes, such as COCO's detections")
    parser.add_argument("--box-threshold", type=float, default=0.5, help="least score of --boxes (%(default)s)")
    parser.add_argument("--visthre", type=float, default=0.1, help="draw joints of a higher score only (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/poses"), help="folder of the results (%(default)s)")
    parser.add_argument("--flip-test", action="store_true", help="average over each person and their mirror image")


def run(predictor: TopDown, arguments: argparse.Namespace) -> int:
    """Exit code after the poses of all sources are written: 1 if any source failed, else 0.

    Raises FileNotFoundError: there are no sources, or no file of boxes; ValueError: the boxes are no boxes.
    """
    worker = _Worker(predictor, _box_source(arguments), arguments.visthre)
    paths = sources(arguments.img)
    stems = result_stems(paths, arguments.out)
    is_done = [worker.try_source(path, stem) for path, stem in zip(paths, stems, strict=True)]
    _LOG.info("=> %d of %d sources done, results in %s", sum(is_done), len(is_done), arguments.out)
    return 0 if all(is_done) else 1


def _box_source(arguments: argparse.Namespace) -> BoxSource:
    if arguments.bbox and arguments.boxes:
        raise ValueError("--bbox and --boxes: give one of them")
    if arguments.boxes:
        return BoxSource(by_picture=read_boxes(arguments.boxes, arguments.box_threshold))
    return BoxSource(same=[parse_box(text) for text in arguments.bbox])


@dataclass(frozen=True)
class _Worker:
    """Finds, draws and writes the poses of one source after another."""

    predictor: TopDown
    boxes: BoxSource
    threshold: float

    def try_source(self, path: Path, stem: Path) -> bool:
        """Whether the results of a source were written; if not, the error stream says why."""
        try:
            write = self._video if is_video(path) else self._picture
            write(path, stem)
        except (ValueError, OSError, cv2.error) as error:
            print(f"error: {error}", file=sys.stderr)
            return False
        return True

    def _picture(self, path: Path, stem: Path) -> None:
        picture = read_picture(path, upright=True)
        boxes = self.boxes(path, picture.shape[1::-1])
        start = time.perf_counter()
        drawn, people = self._find(picture, boxes)
        _LOG.info("=> %s: %d people, %.0f ms", path, len(people), (time.perf_counter() - start) * 1000)
        write_picture_results(stem, drawn, people)

    def _video(self, path: Path, stem: Path) -> None:
        video = Video(path)
        boxes = self.boxes(path, video.frame_size)
        with video_results(stem, video.frame_size, video.frame_rate) as add:
            for frame in _with_progress(video):
                add(*self._find(frame, boxes))

    def _find(self, picture: Picture, boxes: Rows) -> tuple[Picture, People]:
        """The picture with its poses drawn, and the poses as JSON objects."""
        skeleton = self.predictor.card.skeleton
        poses = self.predictor(picture, boxes[:, :4], boxes[:, 4])
        return draw(picture, poses, skeleton, threshold=self.threshold), poses.to_json(skeleton)


def _with_progress(video: Video) -> Iterator[Picture]:
    """The frames, with a line in the log every few seconds and at the end."""
    start = last = time.perf_counter()
    done = 0
    for done, frame in enumerate(video, 1):
        yield frame
        if time.perf_counter() - last > PROGRESS_SECONDS:
            last = time.perf_counter()
            _log_progress(video, done, last - start)
    _log_progress(video, done, time.perf_counter() - start)


def _log_progress(video: Video, done: int, seconds: float) -> None:
    total = video.frame_count or "?"
    _LOG.info("=> %s: %d/%s frames, %.1f frames/s", video.path, done, total, done / seconds)
