"""Exported networks, run by onnxruntime: all that a machine without Paddle needs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from paddlepose import codecs, zoo
from paddlepose.core import detectors
from paddlepose.core.boxes import Rows
from paddlepose.core.files import entry
from paddlepose.core.finder import Finder
from paddlepose.core.image import Picture
from paddlepose.core.limits import MOST_THREADS
from paddlepose.core.predict import BottomUp, Detector, TopDown
from paddlepose.core.rescore import Rescorer
from paddlepose.core.types import Card, Skeleton

CARD_KEY = "paddlepose"  # where in the file's metadata the card is
RESCORE_KEY = "paddlepose.rescore"  # and the rescoring network, where there is one

Device = Literal["cpu", "cuda"]

_IMAGES = 4  # axes of a batch of images
# Microseconds for which a thread without work keeps its core. onnxruntime's own are longer than most layers take: where
# another process wants a core too, that makes a network twice as slow. docs/benchmarks.md has the figures.
_SPINNING = 10
_FINDER = "finder"  # the name of the package's own
_ERRORS_ONLY = 3  # onnxruntime's number for that log level
_LOG = logging.getLogger(__name__)

_NO_CUDA = (
    "onnxruntime cannot use CUDA here: it needs an Nvidia GPU with its driver, CUDA and cuDNN, and onnxruntime-gpu "
    "(pip uninstall onnxruntime && pip install onnxruntime-gpu)"
)


class OrtNetwork:
    """Network function of an exported file: images (B, 3, H, W) float32 in, the list of its outputs out.

    It has the `card` that says how it is to be used and the `rescorer` of its poses, if there is one, from the file's
    metadata, and onnxruntime's `session`.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None, device: Device = "cpu") -> None:
        """Load a file that `paddlepose export` wrote, or a model by name.

        A layer may use as many CPU `threads`; None leaves it to onnxruntime. `device` runs it, never another.

        Raises FileNotFoundError: there is no such file; ValueError: it is no ONNX file, or has no card that can be
        read, or CUDA is asked for and not there, or `threads` is below 1.
        """
        path = self._path = zoo.find(path, onnx=True)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such model")
        self.session = _open_session(path, threads, device)
        with entry(str(path)):
            texts = self.session.get_modelmeta().custom_metadata_map
            if CARD_KEY not in texts:
                raise ValueError("the file has no card that says how to use it: write it with `paddlepose export`")
            self.card = Card.from_json(texts[CARD_KEY])
            if codecs.build(self.card.codec).kind != self.card.kind:
                raise ValueError(f"its card is {self.card.kind}, its codec '{self.card.codec['name']}' is not")
            text = texts.get(RESCORE_KEY)
            self.rescorer = Rescorer.from_text(text, self.card.skeleton) if text else None
            image, *others = self.session.get_inputs()
            if others or len(image.shape) != _IMAGES or image.shape[0] == 0:
                shapes = ", ".join(str(node.shape) for node in (image, *others))
                raise ValueError(f"expected one input of images (batch, channels, height, width), got {shapes}")
        self._input_name = image.name
        self._fixed_batch = image.shape[0] if isinstance(image.shape[0], int) else None

    def __call__(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs (B, ...) for images (B, 3, H, W); in several turns where the file has a fixed batch.

        Raises ValueError: onnxruntime cannot run the network on them, for want of memory for one.
        """
        if self._fixed_batch is None:
            return self._run(images)
        filled = np.pad(images, [(0, -len(images) % self._fixed_batch), (0, 0), (0, 0), (0, 0)])
        turns = [self._run(batch) for batch in np.split(filled, len(filled) // self._fixed_batch)]
        return [np.concatenate(parts)[: len(images)] for parts in zip(*turns, strict=True)]

    def _run(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with entry(str(self._path)):
            outputs = _run(self.session, self._input_name, images)
        if not all(np.isfinite(output).all() for output in outputs):
            raise ValueError(
                f"{self._path}: its output is not finite: its weights or its card's mean and std are damaged"
            )
        return outputs


def load(
    path: str | Path,
    *,
    detector: str | Path | None = None,
    flip_test: bool = False,
    scales: Sequence[float] = (1.0,),
    device: Device = "cpu",
    threads: int | None = None,
) -> TopDown | BottomUp | Finder:
    """Predictor of an exported file: call it with a picture, and a top-down one with boxes, to get the people in it.

    `path` and `detector` are files or names of models. `detector` finds the people for a top-down model where no boxes
    are given; without one, that is done by the package's own finder, for models of people's joints. `flip_test`
    averages over each input and its mirror image, and a bottom-up network over the picture at all `scales`, of which
    one is 1; other arguments are those of `OrtNetwork`.

    Raises FileNotFoundError and ValueError as `OrtNetwork` and the predictors do.
    """
    network = OrtNetwork(path, threads=threads, device=device)
    if network.card.kind == "detector":
        return Finder(network, network.card)
    if network.card.kind == "top_down":
        how = {"device": device, "threads": threads}
        if detector:
            found_by = load_detector(detector, flip_test=flip_test, scales=scales, **how)
        else:
            found_by = own_finder(network.card.skeleton, **how)
        return TopDown(network, network.card, flip_test=flip_test, detector=found_by)
    if detector:
        raise ValueError(f"detector {detector}: {path} finds the people itself")
    return BottomUp(network, network.card, flip_test=flip_test, scales=scales, rescorer=network.rescorer)


def load_detector(path: str | Path, *, device: Device = "cpu", threads: int | None = None, **options: Any) -> Detector:
    """Function that finds the boxes of the people in a picture: a detector, of ours or of another form, or a bottom-up
    model.

    `options` are others of `load`. Raises FileNotFoundError and ValueError as `load` does; ValueError: the model is a
    top-down one, or of no form that is known here.
    """
    path = zoo.find(path, onnx=True)
    if path.is_file():
        session = _open_session(path, threads, device)
        if CARD_KEY not in session.get_modelmeta().custom_metadata_map:
            return _foreign_detector(path, session)
    found = load(path, device=device, threads=threads, **options)
    if isinstance(found, Finder):
        return found
    if found.card.kind != "bottom_up":
        raise ValueError(f"detector {path}: expected a detector or a bottom-up model, this one is top-down")
    return found.boxes


def own_finder(skeleton: Skeleton, **options: Any) -> Detector | None:
    """The package's finder of people, loaded when it is first needed; None where it is not there or of no use.

    It is of use where the joints are people's. `options` are those of `OrtNetwork`.
    """
    if not skeleton.is_human or _FINDER not in zoo.table():
        return None

    def find(picture: Picture) -> Rows:
        if not loaded:
            others = "--bbox, --boxes or another --detector say better where they are"
            _LOG.info("=> no boxes are given: the package's `%s` finds the people; %s", _FINDER, others)
            loaded.append(load_detector(_FINDER, **options))
        return loaded[0](picture)

    loaded: list[Detector] = []
    return find


def _foreign_detector(path: Path, session: ort.InferenceSession) -> Detector:
    """A detector of another project's form. Raises ValueError: it is of none."""
    inputs, outputs = (
        [detectors.Node(node.name, node.shape) for node in nodes]
        for nodes in (session.get_inputs(), session.get_outputs())
    )

    def run(image: NDArray[Any]) -> list[NDArray[Any]]:
        with entry(str(path)):
            return _run(session, inputs[0].name, image)

    with entry(str(path)):
        return detectors.detector(run, inputs, outputs)


def _run(session: ort.InferenceSession, name: str, images: NDArray[Any]) -> list[NDArray[Any]]:
    """A session's outputs. Raises ValueError: it cannot be run on these images."""
    try:
        return session.run(None, {name: images})
    except Exception as error:  # onnxruntime's errors have no other base
        shape = "x".join(map(str, images.shape))
        raise ValueError(f"cannot be run on {shape}: {str(error).splitlines()[0]}") from error


def _open_session(path: Path, threads: int | None, device: Device) -> ort.InferenceSession:
    if device not in get_args(Device):
        raise ValueError(f"device: expected {' or '.join(get_args(Device))}, got {device!r}")
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads: expected 1 to {MOST_THREADS}, got {threads}")
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0  # 0: as many as there are cores
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPINNING))
    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
        if providers[0] not in ort.get_available_providers():
            raise ValueError(_NO_CUDA)
        if hasattr(ort, "preload_dlls"):  # since 1.21; loads those CUDA libraries that pip installed, if any
            ort.preload_dlls()
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no other base
        raise ValueError(f"{path}: not an ONNX file that {reason(error)}") from error
    if session.get_providers()[0] != providers[0]:
        raise ValueError(_NO_CUDA)
    return session


def reason(error: Exception) -> str:
    """Why onnxruntime does not load a file, in one line."""
    helps = "; 1.25 and later can, or export the network with --portable" if "DeformConv" in str(error) else ""
    return f"onnxruntime {ort.__version__} can load: {str(error).splitlines()[0]}{helps}"
