"""What `infer` and `deploy` share: options for pictures, boxes and results, and the way from one to the other."""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from paddlepose import runtime
from paddlepose.commands import _video
from paddlepose.core.boxes import BoxSource, Rows, boxes_around, parse_box, read_boxes
from paddlepose.core.draw import draw
from paddlepose.core.files import entry, visible
from paddlepose.core.image import Picture, read_picture
from paddlepose.core.media import Video, is_video, sources
from paddlepose.core.predict import BottomUp, TopDown
from paddlepose.core.results import People, check_inputs_are_kept, result_stems, video_results, write_picture_results
from paddlepose.core.track import Ids
from paddlepose.core.types import Poses

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for pictures, boxes and results."""
    names = "--img", "--img-file", "--videoFile"
    sources_help = "picture, video, folder or quoted pattern"
    parser.add_argument(*names, dest="img", required=True, metavar="WHAT", help=sources_help)
    parser.add_argument("--bbox", action="append", default=[], metavar="X,Y,W,H", help="a person's box; repeatable")
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="JSON file of boxes, such as COCO's detections")
    detector_help = "a bottom-up model, .onnx, that finds the people for a top-down one"
    parser.add_argument("--detector", type=Path, metavar="FILE", help=detector_help)
    parser.add_argument("--box-threshold", type=float, default=0.5, help="least score of --boxes (%(default)s)")
    visthre_help = "draw joints of a higher score only, and of a bottom-up model keep such people only (%(default)s)"
    parser.add_argument("--visthre", type=float, default=0.1, help=visthre_help)
    out_help = "folder of the results (%(default)s)"
    parser.add_argument("--out", "--outputDir", dest="out", type=Path, default=Path("output/poses"), help=out_help)
    parser.add_argument("--flip-test", action="store_true", help="average over each person and their mirror image")
    parser.add_argument("--no-flip", action="store_true", help="bottom-up: do not average over the mirror image")
    parser.add_argument("--scales", metavar="S,S,...", help="bottom-up: average over a picture at scales, as 0.5,1,2")
    parser.add_argument("--inferenceFps", type=float, metavar="N", help="of a video, take about N frames a second only")
    parser.add_argument("--smooth", action="store_true", help="of a video, smooth each person's joints over time")
    parser.add_argument("--frames", action="store_true", help="of a video, write the drawn frames as pictures too")


def load(path: Path, arguments: argparse.Namespace, **options: Any) -> TopDown | BottomUp:
    """Predictor of an exported file: top-down with flip test if the options say so, bottom-up unless they say no.

    `options` and what is raised are those of `runtime.load`; raises ValueError: --scales is wrong.
    """
    try:
        scales = [float(scale) for scale in (arguments.scales or "1").split(",")]
    except ValueError:
        raise ValueError(f"--scales {arguments.scales}: expected numbers such as 0.5,1,2") from None
    predictor = runtime.load(path, scales=scales, **options)
    predictor.flip_test = not arguments.no_flip if predictor.card.kind == "bottom_up" else arguments.flip_test
    return predictor


def run(predictor: TopDown | BottomUp, arguments: argparse.Namespace, **options: Any) -> int:
    """Exit code after the poses of all sources are written: 1 if any source failed, else 0.

    `options` are those of `runtime.load` for the detector.

    Raises FileNotFoundError: there are no sources, no file of boxes or no detector; ValueError: the boxes are no boxes,
    the detector is none, or options do not fit each other or the model.
    """
    _check(predictor, arguments)
    detector = load(arguments.detector, arguments, **options) if arguments.detector else None
    if detector and detector.card.kind != "bottom_up":
        raise ValueError(f"--detector {arguments.detector}: expected a bottom-up model, this one is top-down")
    worker = _Worker(predictor, detector, _box_source(arguments), arguments)
    paths = sources(arguments.img)
    stems = result_stems(paths, arguments.out)
    check_inputs_are_kept(paths, stems)
    is_done = [worker.try_source(path, stem) for path, stem in zip(paths, stems, strict=True)]
    _LOG.info("=> %d of %d sources done, results in %s", sum(is_done), len(is_done), arguments.out)
    return 0 if all(is_done) else 1


def _check(predictor: TopDown | BottomUp, arguments: argparse.Namespace) -> None:
    """Hold options to each other and to the model. Raises ValueError: they do not fit."""
    given = [f"--{name}" for name in ("bbox", "boxes", "detector") if getattr(arguments, name)]
    model, is_bottom_up = predictor.card.model, predictor.card.kind == "bottom_up"
    if given and is_bottom_up:
        raise ValueError(f"{given[0]} is for top-down models: {model} finds the people itself")
    if arguments.scales and not is_bottom_up and not arguments.detector:
        raise ValueError(f"--scales is for bottom-up models: {model} is a top-down one")
    if arguments.no_flip and not is_bottom_up and not arguments.detector:
        raise ValueError(f"--no-flip is for bottom-up models: {model} is a top-down one, flipped by --flip-test only")
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)}: give one of them")
    if arguments.inferenceFps is not None and not arguments.inferenceFps > 0:
        raise ValueError(f"--inferenceFps {arguments.inferenceFps:g}: expected a number above 0")


def _box_source(arguments: argparse.Namespace) -> BoxSource:
    if arguments.boxes:
        return BoxSource(by_picture=read_boxes(arguments.boxes, arguments.box_threshold))
    return BoxSource(same=[parse_box(text) for text in arguments.bbox])


@dataclass(frozen=True)
class _Worker:
    """Finds, draws and writes the poses of one source after another."""

    predictor: TopDown | BottomUp
    detector: BottomUp | None
    boxes: BoxSource
    options: argparse.Namespace

    def try_source(self, path: Path, stem: Path) -> bool:
        """Whether the results of a source were written; if not, the error stream says why."""
        try:
            write = self._video if is_video(path) else self._picture
            write(path, stem)
        except (ValueError, OSError, cv2.error) as error:
            print(f"error: {visible(str(error))}", file=sys.stderr)
            return False
        return True

    def _picture(self, path: Path, stem: Path) -> None:
        picture = read_picture(path, upright=True)
        find = self._finder(path, picture.shape[1::-1])
        start = time.perf_counter()
        drawn, people = self._shown(picture, find(picture))
        _LOG.info("=> %s: %d people, %.0f ms", path, len(people), (time.perf_counter() - start) * 1000)
        write_picture_results(stem, drawn, people)

    def _video(self, path: Path, stem: Path) -> None:
        video = Video(path, self.options.inferenceFps)
        find = self._finder(path, video.frame_size)
        follow = _video.follower(self.predictor.card.skeleton, video.frame_rate, smooth=self.options.smooth)
        how = {"step": video.step, "frames": self.options.frames}
        with video_results(stem, video.frame_size, video.frame_rate, **how) as add:
            _video.process(video, find, follow, lambda frame, found: add(*self._shown(frame, *found)))

    def _finder(self, path: Path, size: tuple[int, int]) -> Callable[[Picture], Poses]:
        """Function that finds the poses in the picture, or the frames, of (width, height) at `path`."""
        if self.predictor.card.kind == "bottom_up":
            return entry(str(path))(self._find_everybody)
        if self.detector:
            return entry(str(path))(lambda picture: self._find_in(picture, boxes_around(self.detector(picture))))
        boxes = self.boxes(path, size)
        return entry(str(path))(lambda picture: self._find_in(picture, boxes))

    def _find_everybody(self, picture: Picture) -> Poses:
        poses = self.predictor(picture)
        return poses[poses.score > self.options.visthre]

    def _find_in(self, picture: Picture, boxes: Rows) -> Poses:
        return self.predictor(picture, boxes[:, :4], boxes[:, 4])

    def _shown(self, picture: Picture, poses: Poses, ids: Ids | None = None) -> tuple[Picture, People]:
        """The picture with the poses drawn, and the poses as JSON objects, both with the ids if there are any."""
        skeleton, numbers = self.predictor.card.skeleton, [] if ids is None else ids.tolist()
        drawn = draw(picture, poses, skeleton, threshold=self.options.visthre, labels=numbers)
        people = poses.to_json(skeleton)
        return drawn, [{"id": i, **person} for i, person in zip(numbers, people, strict=True)] if numbers else people
