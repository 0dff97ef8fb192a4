"""Networks: one file a network, its class called `Network`. Parameter names are those of the published checkpoints."""

from paddle import nn
from paddle.utils import unique_name

from paddlepose import plugins
from paddlepose.experiment import Config


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
