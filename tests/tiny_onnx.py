"""A network small enough to check by head: three joints, each at the brightest square of one colour."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from paddlepose.core.types import Card, Skeleton

SIZE = (48, 64)  # width, height of the input; the maps are a quarter of it

SKELETON = Skeleton("colours", ("blue", "green", "red"), flip_pairs=(), limbs=((0, 1), (1, 2)))

CARD = Card(
    kind="top_down",
    model="squares",
    input_size=SIZE,
    skeleton=SKELETON,
    codec={"name": "heatmap", "input_size": SIZE, "heatmap_size": (12, 16)},
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    padding=1.0,
)


def write_model(path: Path, card: str | None = CARD.to_json(), batch: int | str = "batch") -> Path:
    """Write a network whose map of a joint is the mean of its colour over squares of 4 x 4 pixels."""
    width, height = SIZE
    weight = np.repeat(np.eye(3, dtype=np.float32) / 16, 16).reshape(3, 3, 4, 4)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, height, width])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, [batch, 3, height // 4, width // 4])
    node = helper.make_node("Conv", ["image", "weight"], ["maps"], strides=[4, 4])
    graph = helper.make_graph([node], "squares", [image], [maps], [numpy_helper.from_array(weight, "weight")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card is not None:
        helper.set_model_props(model, {"paddlepose": card})
    onnx.save(model, path)
    return path


def squares(*corners: tuple[int, int]) -> np.ndarray:
    """Picture (64, 48, 3) with a blue, a green and a red square of 4 x 4 pixels, at these corners (x, y)."""
    picture = np.zeros((*SIZE[::-1], 3), np.uint8)
    for channel, (x, y) in enumerate(corners):
        picture[y : y + 4, x : x + 4, channel] = 255
    return picture
