"""The `valid` command on an exported file: what its card must have in common with the configuration."""

import json
from dataclasses import replace

import pytest
import tiny_data
import tiny_onnx

from paddlepose.commands import main
from paddlepose.core.types import IMAGENET_MEAN, IMAGENET_STD, Skeleton

JOINTS = ("blue", "left_green", "right_green")
SKELETON = Skeleton("person", JOINTS, flip_pairs=((1, 2),), limbs=((0, 1), (1, 2)), sigmas=(0.1,) * 3)
SIZE = (64, 64)
CODEC = {"name": "heatmap", "input_size": SIZE, "heatmap_size": (16, 16)}
CARD = replace(tiny_onnx.CARD, input_size=SIZE, skeleton=SKELETON, codec=CODEC, mean=IMAGENET_MEAN, std=IMAGENET_STD)

CARDS = {
    "the same": (CARD, None),
    "other sigmas": (replace(CARD, skeleton=replace(SKELETON, sigmas=(0.05, 0.06, 0.07))), None),
    "another name": (replace(CARD, skeleton=replace(SKELETON, name="people")), None),
    "other limbs": (replace(CARD, skeleton=replace(SKELETON, limbs=())), None),
    "pairs the other way round": (replace(CARD, skeleton=replace(SKELETON, flip_pairs=((2, 1),))), None),
    "joints in another order": (
        replace(CARD, skeleton=replace(SKELETON, joints=("blue", "right_green", "left_green"))),
        "joint 1 is right_green, but the configuration asks for left_green",
    ),
    "fewer joints": (
        replace(CARD, skeleton=Skeleton("person", JOINTS[:1], flip_pairs=(), limbs=())),
        "number of joints is 1, but the configuration asks for 3",
    ),
    "no pairs": (
        replace(CARD, skeleton=replace(SKELETON, flip_pairs=())),
        "mirror image of left_green is left_green, but the configuration asks for right_green",
    ),
    "colours": (replace(CARD, rgb=True), "rgb is True, but the configuration asks for False"),
    "normalization": (replace(CARD, std=(1.0, 1.0, 1.0)), "std is (1.0, 1.0, 1.0), but the configuration asks for (0."),
}


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    """A configuration whose people have the tiny model's three joints."""
    folder = tmp_path_factory.mktemp("valid")
    data = tiny_data.write_coco(folder / "data", people=2)
    path = data / "annotations" / "person_keypoints_tiny.json"
    labels = json.loads(path.read_text())
    labels["categories"][0] |= {"keypoints": list(JOINTS), "skeleton": [[1, 2], [2, 3]]}
    for row in labels["annotations"]:
        row["keypoints"] = row["keypoints"][:9]
    path.write_text(json.dumps(labels))
    return tiny_data.write_config(folder / "tiny.yaml", data)


@pytest.mark.parametrize(("card", "message"), CARDS.values(), ids=CARDS)
def test_what_measures_is_compared(tmp_path, cfg, capsys, monkeypatch, card, message):
    """In one short line that names the first difference."""
    monkeypatch.setattr(tiny_onnx, "SIZE", SIZE)
    model = tiny_onnx.write_model(tmp_path / "a.onnx", card.to_json())
    assert main(["valid", "--cfg", str(cfg), "--model-file", str(model)]) == (message is not None)
    error = capsys.readouterr().err
    assert error.startswith(f"error: {model}: its card's {message}") if message else not error
    assert len(error) < 300
