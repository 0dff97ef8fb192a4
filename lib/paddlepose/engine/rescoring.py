"""Training of the rescoring network; where it is used, it is `core/rescore.py`'s in numpy."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F
from paddle.nn.initializer import KaimingUniform

from paddlepose.core.files import entry
from paddlepose.core.rescore import Rescorer, features
from paddlepose.core.types import Poses, Skeleton
from paddlepose.engine import weights
from paddlepose.metrics.matches import Matches
from paddlepose.settings import RescoreSection


def network(skeleton: Skeleton, hidden: int) -> nn.Layer:
    """A network from features of a skeleton's poses (B, F) to their OKS (B, 1), with two layers of `hidden` units."""
    inputs = features(Poses.empty(len(skeleton.joints)), skeleton).shape[1]
    uniform = KaimingUniform(negative_slope=1, nonlinearity="leaky_relu")  # up to sqrt(3 / inputs of the layer)
    sizes = ((inputs, hidden), (hidden, hidden), (hidden, 1))
    l1, l2, l3 = (nn.Linear(*size, weight_attr=uniform) for size in sizes)
    return nn.Sequential(("l1", l1), ("relu1", nn.ReLU()), ("l2", l2), ("relu2", nn.ReLU()), ("l3", l3))


def train(
    model: nn.Layer, matches: Matches, skeleton: Skeleton, options: RescoreSection, rng: np.random.Generator
) -> Iterator[float]:
    """Train on matches, with Adam; the mean loss of each epoch.

    The rest of poses that does not fill a batch is left out, unless all of them do not. An OKS of exactly 1 counts as
    0: poses have it that lie within twice the box of a person without labelled joints.
    """
    x = features(Poses(matches.xy, matches.scores, matches.oks), skeleton)
    target = np.where(matches.oks == 1, 0, matches.oks).astype(np.float32)
    batch = min(options.batch_size, len(x))
    adam = paddle.optimizer.Adam(options.lr, parameters=model.parameters())
    for _ in range(options.end_epoch):
        order, losses = rng.permutation(len(x)), []
        for rows in order[: len(x) // batch * batch].reshape(-1, batch):
            loss = F.mse_loss(model(paddle.to_tensor(x[rows]))[:, 0], paddle.to_tensor(target[rows]))
            loss.backward()
            adam.step()
            adam.clear_grad()
            losses.append(loss.item())
        yield float(np.mean(losses))


def load(path: Path, skeleton: Skeleton) -> Rescorer:
    """The rescoring network of a file of weights, of Paddle or PyTorch, for poses of a skeleton.

    Raises FileNotFoundError: no such file; ValueError: it has not the weights of one, or those for another skeleton.
    """
    if not path.is_file():
        ways = "paddlepose rescore_train writes one, RESCORE.USE false does without"
        raise FileNotFoundError(f"RESCORE.MODEL_FILE {path}: no such file; {ways}")
    state, *_ = weights.read(path)
    with entry(str(path)):
        return Rescorer(state, skeleton)
