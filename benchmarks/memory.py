"""Peak memory of `paddlepose deploy` after ten pictures or frames and after all: what it holds must not grow."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from timing import table

from paddlepose.core.predict import TopDown

FIRST = 10
SIZE = (240, 160)  # width, height of the pictures and the video
VARIANTS = 50  # pictures that differ; drawing takes longer than deploying


def main() -> None:
    """Print both peaks and their difference, for a folder of pictures and for a video, as a Markdown table."""
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_new_process(write_model, folder / "posenet.onnx")
        in_new_process(write_pictures, folder / "pictures", arguments.pictures)
        in_new_process(write_video, folder / "video.avi", arguments.frames)
        sources = {"pictures": folder / "pictures", "frames of a video": folder / "video.avi"}
        rows = []
        for title, source in sources.items():
            argv = ["--model", folder / "posenet.onnx", "--img", source, "--out", folder / "poses"]
            peaks = in_new_process(deploy_peaks, [str(word) for word in argv])
            first, last = max(peaks[:FIRST]), max(peaks)  # the kernel counts in batches
            rows.append([f"{len(peaks) - 1} {title}", f"{first:.1f}", f"{last:.1f}", f"{last - first:.1f}"])
    print(table(["", f"after {FIRST}, MB", "at the end, MB", "difference"], rows))


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function returns in a Python of its own, which leaves its memory to no other."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def deploy_peaks(argv: Sequence[str]) -> list[float]:
    """Peak of the process's memory in MB after each picture or frame, and when `paddlepose deploy` is done."""
    from paddlepose.commands import deploy

    peaks: list[float] = []
    find = TopDown.find

    def measured(*args: Any) -> Any:
        found = find(*args)
        peaks.append(peak())
        return found

    with mock.patch.object(TopDown, "find", measured):
        status = deploy.main(list(argv))
    if status:
        raise AssertionError(f"deploy ended with status {status}")
    return [*peaks, peak()]


def peak() -> float:
    """The most memory that this process has ever had resident, in MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def write_model(path: Path) -> None:
    """Export a small PoseResNet-18 with new weights."""
    from dataclasses import replace

    from subject import card

    from paddlepose.export import export
    from paddlepose.models import network_class

    size = {"input_size": (48, 64), "heatmap_size": (12, 16)}
    whole = card()
    small = replace(whole, input_size=size["input_size"], codec={**whole.codec, **size})
    export(network_class("pose_resnet")(17, depth=18, num_deconv_filters=(16, 16, 16)), small, path)


def write_pictures(folder: Path, count: int) -> None:
    """Write JPEG files of blurred noise."""
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:04}.jpg"), _picture(i))


def write_video(path: Path, count: int) -> None:
    """Write a video of blurred noise."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE)
    for i in range(count):
        writer.write(_picture(i))
    writer.release()


def _picture(number: int) -> np.ndarray:
    from subject import picture

    return picture(np.random.default_rng(number % VARIANTS), SIZE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=2000)
    return parser


if __name__ == "__main__":
    main()
