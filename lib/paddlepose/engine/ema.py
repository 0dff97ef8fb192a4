"""A running mean of a network's weights, which often measures better than the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import paddle
from paddle import Tensor, nn


class Ema:
    """Exponential moving average of all weights and statistics of a network (Polyak and Juditsky, 1992)."""

    def __init__(self, model: nn.Layer, decay: float) -> None:
        """Start from the network's present weights; each update keeps `decay` of the mean."""
        self.model = model
        self.decay = decay
        self.mean = {key: value.clone().detach() for key, value in model.state_dict().items()}

    @paddle.no_grad()
    def update(self) -> None:
        """Move the mean towards the network's present weights."""
        for key, value in self.model.state_dict().items():
            self.mean[key] = self.decay * self.mean[key] + (1 - self.decay) * value.detach()

    def load(self, mean: Mapping[str, Tensor]) -> None:
        """Go on from a mean that was saved."""
        self.mean = {key: paddle.to_tensor(mean[key]) for key in self.mean}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network has the mean for its weights."""
        own = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.model.set_state_dict(self.mean)
        try:
            yield
        finally:
            self.model.set_state_dict(own)
