"""What `infer` and `deploy` share: options for pictures, boxes and results, and the way from one to the other."""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from paddlepose import runtime
from paddlepose.commands import keep_stdout_for_results
from paddlepose.commands._worker import Source, Worker
from paddlepose.core.boxes import BoxSource, parse_box, read_boxes
from paddlepose.core.files import remove_leftovers_of, written_beside
from paddlepose.core.finder import Finder
from paddlepose.core.media import sources
from paddlepose.core.predict import BottomUp, TopDown
from paddlepose.core.results import check_inputs_are_kept, remove_unfinished, result_stems
from paddlepose.core.streams import address
from paddlepose.core.tables import Table

STREAM = "-"  # in place of a file's name: the standard input or output

_OUT = Path("output/poses")

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for pictures, boxes and results."""
    names = "--img", "--img-file", "--videoFile"
    sources_help = "picture, video, folder, quoted pattern, web address, stream or camera's number; -: lines of these"
    parser.add_argument(*names, dest="img", required=True, metavar="WHAT", help=sources_help)
    parser.add_argument("--recursive", action="store_true", help="of a folder, look into its subfolders too")
    parser.add_argument("--bbox", action="append", default=[], metavar="X,Y,W,H", help="a person's box; repeatable")
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="JSON file of boxes, such as COCO's detections")
    detector_help = "file or name of a detector or bottom-up model that finds the people (the package's own finder)"
    parser.add_argument("--detector", type=Path, metavar="MODEL", help=detector_help)
    parser.add_argument("--box-threshold", type=float, default=0.5, help="least score of --boxes (%(default)s)")
    visthre_help = "draw joints of a higher score only, and of a bottom-up model keep such people only (%(default)s)"
    parser.add_argument("--visthre", type=float, default=0.1, help=visthre_help)
    out_help = f"folder of the results ({_OUT}; none if there is --stream-json)"
    parser.add_argument("--out", "--outputDir", dest="out", type=Path, help=out_help)
    csv_help = "also write one table of all: file, frame, id, joint, x, y, score"
    parser.add_argument("--csv", type=Path, metavar="FILE", help=csv_help)
    stream_help = "write a line of JSON for each picture or frame as it is done; -: to the standard output"
    parser.add_argument("--stream-json", metavar="FILE", help=stream_help)
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
    predictor = runtime.load(path, scales=_scales(arguments), **options)
    if isinstance(predictor, Finder):
        raise ValueError(f"--model {path}: finds people's boxes, not their joints: give it as --detector")
    predictor.flip_test = not arguments.no_flip if predictor.card.kind == "bottom_up" else arguments.flip_test
    return predictor


def _scales(arguments: argparse.Namespace) -> list[float]:
    try:
        return [float(scale) for scale in (arguments.scales or "1").split(",")]
    except ValueError:
        raise ValueError(f"--scales {arguments.scales}: expected numbers such as 0.5,1,2") from None


def prepare(arguments: argparse.Namespace) -> None:
    """Keep the log apart from results on the standard output."""
    if arguments.stream_json == STREAM:
        keep_stdout_for_results()


def run(predictor: TopDown | BottomUp, arguments: argparse.Namespace, **options: Any) -> int:
    """Exit code after the poses of all sources are written: 1 if any source failed, else 0.

    `options` are those of `runtime.load` for the detector.

    Raises FileNotFoundError: there are no sources, no file of boxes or no detector; ValueError: the boxes are no boxes,
    the detector is none, or options do not fit each other or the model.
    """
    _check(predictor, arguments)
    if arguments.detector:
        how = {"scales": _scales(arguments), "flip_test": not arguments.no_flip, **options}
        predictor.detector = runtime.load_detector(arguments.detector, **how)
    elif predictor.card.kind == "top_down" and predictor.detector is None:
        predictor.detector = runtime.own_finder(predictor.card.skeleton, **options)
    boxes = _box_source(arguments)
    found = _sources(arguments)
    out = arguments.out or (None if arguments.stream_json else _OUT)
    if arguments.frames and not out:
        raise ValueError("--frames: with --stream-json no pictures are written unless --out says where")
    stems = _stems(found, out, arguments)
    remove_unfinished(stem for stem in stems if stem)
    with _files_of_all(arguments) as files:
        worker = Worker(predictor, boxes, arguments, *files)
        is_done = [worker.try_source(source, stem) for source, stem in zip(found, stems, strict=True)]
    where = out or arguments.stream_json
    _LOG.info("=> %d of %d sources done, results in %s", sum(is_done), len(is_done), where)
    return 0 if all(is_done) else 1


def _sources(arguments: argparse.Namespace) -> list[Source]:
    """What to look at, each once. Raises FileNotFoundError: there is nothing of a name."""
    names = [arguments.img]
    if arguments.img == STREAM:
        names = [line.strip() for line in sys.stdin if line.strip()]
        if not names:
            raise FileNotFoundError("--img -: no lines came in; each names a picture, a video, a folder or an address")
    found: dict[Source, None] = {}
    for name in names:
        where = address(name)
        found |= dict.fromkeys([where] if where else sources(name, recursive=arguments.recursive))
    return list(found)


def _stems(found: Sequence[Source], out: Path | None, arguments: argparse.Namespace) -> Sequence[Path | None]:
    """Beginnings of the names of each source's results. Raises ValueError: a source would be overwritten."""
    paths = [source if isinstance(source, Path) else source.place for source in found]
    stems = result_stems(paths, out) if out else [None] * len(paths)
    tables = [Path(path) for path in (arguments.csv, arguments.stream_json) if path]
    check_inputs_are_kept(paths, stems, frames=arguments.frames, tables=tables)
    return stems


@contextmanager
def _files_of_all(arguments: argparse.Namespace) -> Iterator[tuple[Table | None, TextIO | None]]:
    """The table and the lines of all sources, where they are asked for."""
    with ExitStack() as at_exit:
        table = lines = None
        if arguments.csv:
            remove_leftovers_of(arguments.csv)
            path = at_exit.enter_context(written_beside(arguments.csv))
            table = at_exit.enter_context(closing(Table(path)))
        if arguments.stream_json == STREAM:
            lines = sys.stdout
        elif arguments.stream_json:
            lines = at_exit.enter_context(Path(arguments.stream_json).open("w"))
        yield table, lines


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


def _box_source(arguments: argparse.Namespace) -> BoxSource | None:
    if arguments.boxes:
        return BoxSource(by_picture=read_boxes(arguments.boxes, arguments.box_threshold))
    return BoxSource(same=[parse_box(text) for text in arguments.bbox]) if arguments.bbox else None
