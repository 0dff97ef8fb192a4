"""What all that is not the network takes: a picture to poses by this package and by rtmlib, against the session alone.

Each has a process of its own, and they take turns. All run the same ONNX file; rtmlib does so for one person after the
other, with onnxruntime's own settings. It may be in another environment: `--rtmlib-python OTHER/bin/python`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from timing import busy, medians_of_processes, serve, table, warn_of_load

PHOTO = Path(__file__).parents[1] / "images" / "table.jpg"
PEOPLE = (1, 8)
RUNS = 24  # people in each turn

Call = Callable[[], object]


def main() -> None:
    """Print the medians, and their ratios to the session's, as a Markdown table."""
    arguments = _parser().parse_args()
    if arguments.serve:
        given = json.loads(arguments.serve)
        serve(CONTENDERS[given["name"]](given), RUNS // given["people"])
        return
    warn_of_load()
    rows = []
    with busy(arguments.busy):
        for people in PEOPLE:
            found = medians_of_processes(_commands(arguments, people), arguments.turns)
            session = found.pop("session")
            cells = [cell for time in found.values() for cell in (f"{time:.2f}", f"{time / session:.3f}")]
            rows.append([people, f"{session:.2f}", *cells])
    titles = [title for name in found for title in (f"{name}, ms", "ratio")]
    print(table(["people", "session alone, ms", *titles], rows))


def _commands(arguments: argparse.Namespace, people: int) -> dict[str, list[str]]:
    """What serves each contender; rtmlib is one where it is installed."""
    from paddlepose import zoo

    pythons = dict.fromkeys(CONTENDERS, sys.executable)
    if arguments.rtmlib_python:
        pythons["rtmlib"] = arguments.rtmlib_python
    elif importlib.util.find_spec("rtmlib") is None:
        del pythons["rtmlib"]
    path = str(zoo.find(arguments.model, onnx=True))
    given = {"model": path, "people": people, "threads": arguments.threads}
    return {
        name: [python, __file__, "--serve", json.dumps({"name": name, **given})] for name, python in pythons.items()
    }


def _boxes(people: int) -> NDArray[np.float64]:
    """The photograph's first boxes (N, 4: x, y, width, height) of eight side by side."""
    height, width = cv2.imread(str(PHOTO)).shape[:2]
    left = np.arange(people) * width / max(PEOPLE)
    return np.stack([left, *np.full((3, people), [[0.2 * height], [width / max(PEOPLE)], [0.6 * height]])], 1)


def _session(given: dict) -> Call:
    """The network on what the package gives it."""
    from paddlepose.runtime import OrtNetwork

    network = OrtNetwork(given["model"], threads=given["threads"])
    size = network.card.input_size
    images = np.random.default_rng(0).standard_normal((given["people"], 3, *size[::-1]), np.float32)
    inputs = {network.session.get_inputs()[0].name: images}
    return lambda: network.session.run(None, inputs)


def _paddlepose(given: dict) -> Call:
    import paddlepose

    predictor = paddlepose.load(given["model"], threads=given["threads"])
    picture, boxes = cv2.imread(str(PHOTO)), _boxes(given["people"])
    return lambda: predictor(picture, boxes)


def _rtmlib(given: dict) -> Call:
    with contextlib.redirect_stdout(sys.stderr):  # which it says so on
        from rtmlib.tools.pose_estimation.vitpose import ViTPose

        predictor = ViTPose(given["model"], backend="onnxruntime")
        _, _, height, width = predictor.session.get_inputs()[0].shape
        predictor.model_input_size = width, height
    picture, boxes = cv2.imread(str(PHOTO)), _boxes(given["people"])
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    return lambda: predictor(picture, corners)


CONTENDERS: dict[str, Callable[[dict], Call]] = {"session": _session, "paddlepose": _paddlepose, "rtmlib": _rtmlib}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="person17", help="an exported top-down network, or a name (%(default)s)")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--threads", type=int, help="of onnxruntime, but for rtmlib's (all cores)")
    parser.add_argument("--busy", type=int, default=0, help="processes that take a core each meanwhile (%(default)s)")
    parser.add_argument("--rtmlib-python", metavar="FILE", help="of the environment that has rtmlib")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
