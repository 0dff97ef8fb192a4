"""The kinds of input: for each a right one, how it is changed, and what reads it."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import tiny_data
import tiny_onnx
import yaml
from mutate import mutated_bytes, mutated_value, nested

from paddlepose import runtime
from paddlepose.config import load_config
from paddlepose.core import image
from paddlepose.core.boxes import BoxSource, read_boxes
from paddlepose.core.image import read_picture
from paddlepose.core.rescore import NAMES, Rescorer
from paddlepose.datasets import Source, coco, crowdpose, mpii
from paddlepose.datasets._skeleton import COCO
from paddlepose.engine import weights
from paddlepose.metrics.coco import evaluate
from paddlepose.metrics.matches import Matches
from paddlepose.metrics.pckh import Truth
from paddlepose.samples.bottomup import labelled_mask

ASSETS = Path(__file__).parents[1] / "assets"
OPTIONS = SimpleNamespace(oks_thre=0.9, in_vis_thre=0.2, soft_nms=False)


@dataclass
class Kind:
    """A kind of input: its file, and what reads it. JSON and YAML are changed as values every second time."""

    path: Path
    read: Callable[[Path], object]
    right: bytes = b""

    def __post_init__(self) -> None:
        self.right = self.path.read_bytes()

    def change(self, rng: np.random.Generator) -> None:
        """Write a changed input in place of the right one."""
        data = self.right
        if self.path.suffix == ".json" and rng.random() < 0.7:
            data = nested(json.dumps(mutated_value(json.loads(data), rng)), rng)
        elif self.path.suffix == ".yaml" and rng.random() < 0.7:
            data = nested(yaml.safe_dump(mutated_value(yaml.safe_load(data), rng)), rng)
        else:
            data = mutated_bytes(data, rng)
        self.path.write_bytes(data)


def _labels(root: Path) -> Path:
    (root / "data").mkdir()
    return tiny_data.write_coco(root / "data")


def _coco(root: Path) -> Kind:
    folder = _labels(root)
    source = Source(folder, "tiny", 0.75)

    def read(path: Path) -> None:
        coco.records(source)
        for record in coco.pictures(source, train=True):
            labelled_mask(record.ignore, (tiny_data.SIDE, tiny_data.SIDE))
        coco.metric(source, root, OPTIONS).compute()

    return Kind(folder / "annotations" / "person_keypoints_tiny.json", read)


def _crowdpose(root: Path) -> Kind:
    folder = _labels(root)
    labels = json.loads((folder / "annotations" / "person_keypoints_tiny.json").read_bytes())
    joints = len(labels["categories"][0]["keypoints"])
    (folder / "json").mkdir()
    labels["images"] = [{**row, "crowdIndex": 0.3} for row in labels["images"]]
    path = folder / "json" / "crowdpose_tiny.json"
    path.write_text(json.dumps(labels))
    (folder / "annotations" / "person_keypoints_tiny.json").unlink()
    source = Source(folder, "tiny", 0.75, skeleton={"sigmas": (0.05,) * joints})

    def read(path: Path) -> None:
        crowdpose.pictures(source, train=False)
        crowdpose.picture_metric(source, root, "final").compute()

    return Kind(path, read)


def _detections(root: Path) -> Kind:
    folder = _labels(root)
    path = folder / "detections.json"
    return Kind(path, lambda path: coco.records(Source(folder, "tiny", 0.75, detections=path)))


def _results(root: Path) -> Kind:
    folder, path = _labels(root), root / "results.json"
    labels = json.loads((folder / "annotations" / "person_keypoints_tiny.json").read_bytes())
    rows = [{**row, "score": 0.5} for row in labels["annotations"]]
    path.write_text(
        json.dumps([{k: row[k] for k in ("image_id", "category_id", "keypoints", "score")} for row in rows])
    )
    return Kind(path, lambda path: evaluate(labels, path))


def _boxes(root: Path) -> Kind:
    path = root / "boxes.json"
    rows = [{"image_id": i, "category_id": 1, "bbox": [1.5, 2, 30, 40], "score": 0.9} for i in range(3)]
    path.write_text(json.dumps(rows))
    return Kind(path, lambda path: BoxSource(by_picture=read_boxes(path, 0.1))(Path("a1.jpg"), (99, 99)))


def _boxes_by_name(root: Path) -> Kind:
    path = root / "boxes.json"
    path.write_text(json.dumps({"a1.jpg": [[1, 2, 30, 40], {"bbox": [1, 2, 3, 4], "score": 0.5}], "b.jpg": []}))
    return Kind(path, lambda path: BoxSource(by_picture=read_boxes(path, 0.1))(Path("a1.jpg"), (99, 99)))


def _mpii(root: Path) -> Kind:
    folder = tiny_data.write_mpii(root)
    return Kind(folder / "annot" / "train.json", lambda path: mpii.records(Source(folder, "train", 1.0)))


def _mat(root: Path) -> Kind:
    return Kind(tiny_data.write_mpii(root) / "annot" / "gt_valid.mat", Truth.read)


def _config(root: Path) -> Kind:
    path = root / "experiment.yaml"
    path.write_bytes((Path(__file__).parents[2] / "experiments" / "mini" / "quickstart.yaml").read_bytes())
    return Kind(path, load_config)


def _setting(root: Path) -> Kind:
    """A value on the command line, whose errors name the experiment's file."""
    path, experiment = root / "value.txt", Path(__file__).parents[2] / "experiments" / "mini" / "quickstart.yaml"
    path.write_text("{NAME: heatmap}")

    def read(path: Path) -> None:
        try:
            load_config(experiment, ["CODEC", path.read_bytes().decode("latin-1")])
        except ValueError as error:
            raise ValueError(str(error).replace(str(experiment), str(path))) from error

    return Kind(path, read)


def _card(root: Path) -> Kind:
    """A card's fields changed, in a file that is right otherwise."""
    path, model = root / "card.json", root / "model.onnx"
    path.write_text(tiny_onnx.CARD.to_json())

    def read(path: Path) -> None:
        tiny_onnx.write_model(model, path.read_bytes().decode("utf-8", "replace"))
        try:
            runtime.load(model)(tiny_onnx.squares((4, 4), (8, 8), (12, 12)), [[0, 0, 48, 64]])
        except ValueError as error:
            raise ValueError(str(error).replace(str(model), str(path))) from error

    return Kind(path, read)


def _model(root: Path) -> Kind:
    path = tiny_onnx.write_model(root / "model.onnx")
    return Kind(path, lambda path: runtime.load(path))


def _rescorer(root: Path) -> Kind:
    path, inputs = root / "rescorer.txt", 3 * 19 + 17
    shapes = ((inputs, 4), (4,), (4, 4), (4,), (4, 1), (1,))
    state = {name: np.zeros(shape, np.float32) for name, shape in zip(NAMES, shapes, strict=True)}
    path.write_text(Rescorer(state, COCO).to_text())

    def read(path: Path) -> None:
        try:
            Rescorer.from_text(path.read_bytes().decode("latin-1"), COCO)
        except ValueError as error:  # the model's name is said around it
            raise ValueError(f"{path}: {error}") from error

    return Kind(path, read)


def _poses(root: Path) -> Kind:
    path = root / "poses.npz"
    Matches(np.zeros((2, 17, 2), np.float32), np.zeros((2, 17), np.float32), np.zeros(2)).save(path, COCO)
    return Kind(path, lambda path: Matches.load(path, COCO))


def _weights(name: str) -> Callable[[Path], Kind]:
    def make(root: Path) -> Kind:
        path = root / name
        path.write_bytes((ASSETS / name).read_bytes())
        return Kind(path, weights.read)

    return make


def _paddle(root: Path) -> Kind:
    import paddle

    path = root / "state.pdparams"
    paddle.save({"a.weight": paddle.ones([3, 4]), "b": paddle.zeros([2])}, str(path))
    return Kind(path, weights.read)


def _picture(suffix: str) -> Callable[[Path], Kind]:
    def make(root: Path) -> Kind:
        path = root / f"a{suffix}"
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
        return Kind(path, read_picture)

    return make


def _archive(root: Path) -> Kind:
    path = root / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}.png", cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())

    def read(path: Path) -> None:
        image._open_archive.cache_clear()
        read_picture(Path(f"{path}@/b.png"))

    return Kind(path, read)


KINDS: dict[str, Callable[[Path], Kind]] = {
    "annotations": _coco,
    "annotations of crowds": _crowdpose,
    "annotations of MPII": _mpii,
    "ground truth of MPII": _mat,
    "detections": _detections,
    "results": _results,
    "boxes": _boxes,
    "boxes by name": _boxes_by_name,
    "configuration": _config,
    "setting": _setting,
    "card": _card,
    "model": _model,
    "rescorer": _rescorer,
    "poses": _poses,
    "weights of Paddle": _paddle,
    "weights of PyTorch": _weights("state.pth"),
    "old weights of PyTorch": _weights("old_state.pth"),
    "checkpoint of PyTorch": _weights("checkpoint.pth.tar"),
    "PNG": _picture(".png"),
    "JPEG": _picture(".jpg"),
    "TIFF": _picture(".tiff"),
    "WebP": _picture(".webp"),
    "archive": _archive,
}
