"""Finds, draws and writes the poses of one source after another."""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from paddlepose.commands import _video, report
from paddlepose.core.boxes import BoxSource
from paddlepose.core.files import entry
from paddlepose.core.image import Picture, read_picture
from paddlepose.core.media import Frame, Video, is_video
from paddlepose.core.predictor import Predictor
from paddlepose.core.result import Result
from paddlepose.core.results import video_results, write_picture_results
from paddlepose.core.streams import Address, fetch
from paddlepose.core.tables import Table
from paddlepose.core.track import follower

Source = Path | Address

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """A predictor, where it looks for people, and where what it finds goes."""

    predictor: Predictor
    boxes: BoxSource | None  # None: the predictor finds the people itself
    options: argparse.Namespace
    table: Table | None  # of all sources
    lines: TextIO | None  # of all sources, one a picture or frame

    def try_source(self, source: Source, stem: Path | None) -> bool:
        """Whether a source was done, with results named by `stem` if there is one; if not, the error stream says why.

        Raises BrokenPipeError: nobody reads the lines any more.
        """
        try:
            with entry(str(source)):
                picture = _picture(source)
                if picture is None:
                    self._video(source, stem)
                else:
                    self._picture(source, picture, stem)
        except BrokenPipeError:
            raise
        except (ValueError, OSError) as error:
            if self.table:
                self.table.undo()
            report(error)
            return False
        if self.table:
            self.table.keep()
        return True

    def _picture(self, source: Source, picture: Picture, stem: Path | None) -> None:
        look = self._looker(source, picture.shape[1::-1])
        start = time.perf_counter()
        result = look(picture)
        _LOG.info("=> %s: %d people, %.0f ms", source, len(result), (time.perf_counter() - start) * 1000)
        if stem:
            write_picture_results(stem, result.draw(self.options.visthre), result.people())
        self._pass_on(result)

    def _video(self, source: Source, stem: Path | None) -> None:
        video = Video(source, self.options.inferenceFps)
        look = self._looker(source, video.frame_size)
        follow = follower(self.predictor.card.skeleton, smooth=self.options.smooth)

        def found(frame: Frame) -> Result:
            return look(frame.picture, frame=frame.number, time=frame.time)

        def followed(result: Result) -> Result:
            poses, ids = follow(result.poses, result.time)
            return replace(result, poses=poses, ids=ids)

        with self._writer(stem, video) as write:
            try:
                _video.process(video, found, followed, write)
            except KeyboardInterrupt:
                if not video.live:
                    raise
                _LOG.info("=> %s: stopped; what was found is kept", source)

    @contextmanager
    def _writer(self, stem: Path | None, video: Video) -> Iterator[Callable[[Result], None]]:
        """Function that writes the results of a video's frames."""
        if not stem:
            yield self._pass_on
            return
        with video_results(stem, video.frame_size, video.frame_rate, frames=self.options.frames) as add:

            def write(result: Result) -> None:
                add(Frame(result.draw(self.options.visthre), result.frame, result.time), result.people())
                self._pass_on(result)

            yield write

    def _pass_on(self, result: Result) -> None:
        """Write a result to the files of all sources."""
        if self.table:
            self.table.add(result)
        if self.lines:
            self.lines.write(result.to_json() + "\n")
            self.lines.flush()

    def _looker(self, source: Source, size: tuple[int, int]) -> Callable[..., Result]:
        """Function that finds the people in the picture, or in the frames, of (width, height) of a source."""
        rows = self.boxes(Path(str(source)), size) if self.boxes else None
        is_bottom_up = self.predictor.card.kind == "bottom_up"

        @entry(str(source))
        def look(picture: Picture, **about: Any) -> Result:
            result = self.predictor.look(picture, rows, path=source, **about)
            return result[result.score > self.options.visthre] if is_bottom_up else result

        return look


def _picture(source: Source) -> Picture | None:
    """The picture of a source, or None: it is a video, a stream or a camera."""
    if isinstance(source, Address):
        return fetch(source)
    return None if is_video(source) else read_picture(source, upright=True)
