"""The loop, over a network of one layer."""

import paddle
import pytest

from paddlepose.engine.ema import Ema
from paddlepose.engine.train import Step, fit


def square(outputs, batch):
    return {"loss": (outputs[0] - batch["target"]).square().mean()}


class Line(paddle.nn.Layer):
    """y = a x, as a network with one output."""

    def __init__(self):
        super().__init__()
        self.layer = paddle.nn.Linear(1, 1, bias_attr=False)
        self.layer.weight.set_value(paddle.ones([1, 1]))

    def forward(self, x):
        return [self.layer(x)]


class Batches:
    """A loader of the given batches."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def epoch(self, number):
        for value in self.values:
            yield {"image": paddle.to_tensor(value), "target": paddle.zeros([len(value), 1])}


class Silent:
    def begin(self, epoch, steps):
        pass

    def loaded(self):
        pass

    def stepped(self, number, batch, outputs, losses):
        pass


def train(batches, *, accumulate=1, epochs=1, decay=None):
    model = Line()
    optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    ema = Ema(model, decay) if decay else None
    step = Step(model, square, optimizer, accumulate=accumulate, ema=ema)
    fit(step, batches, lambda n: 0.1, epochs=range(epochs), watch=Silent(), after_epoch=lambda epoch: None)
    return model.layer.weight.item(), ema, model


def test_one_step():
    """Loss (a x)^2 at a = 1, x = 2: gradient 2 a x^2 = 8, and 1 - 0.1 x 8 = 0.2."""
    assert train(Batches([[2.0]]))[0] == pytest.approx(0.2)


def test_accumulated_steps_equal_one_of_the_whole_batch():
    whole = train(Batches([[2.0], [1.0]]))[0]
    assert train(Batches([[2.0]], [[1.0]]), accumulate=2)[0] == pytest.approx(whole)


def test_an_epochs_rest_changes_the_weights_too():
    """Three batches, two at a time: the last counts as half a step, not as nothing."""
    assert (
        train(Batches([[2.0]], [[1.0]], [[1.0]]), accumulate=2)[0] < train(Batches([[2.0]], [[1.0]]), accumulate=2)[0]
    )


def test_mean_of_the_weights():
    """After one step from 1 to 0.2 a mean that keeps 0.5 is 0.6; applied inside, the weights themselves after."""
    weight, ema, model = train(Batches([[2.0]]), decay=0.5)
    assert ema.mean["layer.weight"].item() == pytest.approx(0.6)
    with ema.applied():
        assert model.layer.weight.item() == pytest.approx(0.6)
    assert model.layer.weight.item() == pytest.approx(weight)


def test_a_loss_that_is_not_finite_ends_the_run():
    with pytest.raises(FloatingPointError, match="epoch 0, step 1: the loss is nan"):
        train(Batches([[1.0]], [[float("nan")]]))
