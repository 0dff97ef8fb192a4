"""Networks: one file a network, its class called `Network`. Parameter names are those of the published checkpoints."""

from typing import Any

import paddle
from paddle import nn
from paddle.utils import unique_name

from paddlepose import plugins
from paddlepose.experiment import Config
from paddlepose.models._layers import Shapes


def network_class(name: str) -> type[nn.Layer]:
    """The class `Network` of `models/<name>.py`. Raises ValueError: no network of that name."""
    return plugins.find("models", name).Network


def build_network(config: Config, num_joints: int) -> nn.Layer:
    """The network that a configuration describes, with new weights.

    Its parameters' automatic names, by which Paddle's optimisers keep their state, start from zero whatever was built
    before.
    """
    with unique_name.guard():
        return network_class(config.model.name)(num_joints, **config.arguments("model"))


def check_heatmaps(model: nn.Layer, config: Config, name: str) -> None:
    """Put a network in evaluation mode, and run it once to hold its heatmaps to those of a configuration.

    Raises ValueError: they are of another size, or of more sizes; the message has the `name`.
    """
    model.eval()
    image_size, heatmap_size = config.model.image_size, config.model.heatmap_size
    with paddle.no_grad():
        outputs = model(paddle.zeros([1, 3, *image_size[::-1]]))
    if config.kind == "bottom_up":
        del outputs[-1]  # offsets
        if len(outputs) != (given := len(config.codec_settings().get("bg_weight", ()))):
            raise ValueError(f"CODEC.BG_WEIGHT: {given} values for {len(outputs)} sizes of heatmaps: give one each")
    found = tuple(outputs[-1].shape[:1:-1])
    if found != heatmap_size:
        made = f"{name} makes heatmaps of {found} from MODEL.IMAGE_SIZE {image_size}"
        raise ValueError(f"MODEL.HEATMAP_SIZE {heatmap_size}: {made}")


def recognised(shapes: Shapes) -> tuple[str | None, dict[str, Any]]:
    """Name and arguments of the network whose weights have these shapes; None and none if they are no network's."""
    for name in plugins.names("models"):
        arguments_from = getattr(network_class(name), "arguments_from", None)
        if arguments_from and (arguments := arguments_from(shapes)):
            return name, arguments
    return None, {}
