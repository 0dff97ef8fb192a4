"""Learning rates and optimisers of the published recipes."""

import numpy as np
import paddle
import pytest

from paddlepose.engine.optim import RMSProp, build, learning_rate
from paddlepose.settings import TrainSection


@pytest.mark.parametrize("case", range(2))
def test_multi_step_golden(golden, case):
    """goldens/topdown/lr.json: the rate of each epoch, at its first and at its last step."""
    row = golden("topdown/lr.json")["multistep"][case]
    options = TrainSection(**{key: row[key] for key in ("LR", "LR_FACTOR", "LR_STEP", "END_EPOCH")})
    rate = learning_rate(options, steps_per_epoch=7)
    for epoch, wanted in row["lr_at_epoch"].items():
        assert rate(7 * int(epoch)) == pytest.approx(wanted, abs=1e-9)
        assert rate(7 * int(epoch) + 6) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("case", range(2))
def test_polynomial_golden(golden, case):
    """goldens/topdown/lr.json: the rate of each step."""
    row = golden("topdown/lr.json")["poly"][case]
    options = TrainSection(
        LR=row["LR"], LR_TYPE="PolynomialDecay", BEGIN_EPOCH=row["BEGIN_EPOCH"], END_EPOCH=row["END_EPOCH"]
    )
    rate = learning_rate(options, row["iters_per_epoch"])
    for step, wanted in row["lr_at_iteration"].items():
        assert rate(int(step)) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("case", ["plain", "lr_drop", "momentum_wd"])
def test_rmsprop_golden(golden, case):
    """goldens/ppnet/rmsprop.npz: weights after each step, with momentum, weight decay and a falling rate."""
    data = {key.removeprefix(f"{case}__"): value for key, value in golden("ppnet/rmsprop.npz").items()}
    parameter = paddle.create_parameter(data["in__param"].shape, "float32")
    parameter.set_value(data["in__param"].astype(np.float32))
    optimizer = RMSProp(
        1.0, [parameter], momentum=float(data["in__momentum"]), weight_decay=float(data["in__weight_decay"])
    )
    for gradient, rate, wanted in zip(data["in__grads"], data["in__lr"], data["out__params"], strict=True):
        (parameter * paddle.to_tensor(gradient.astype(np.float32))).sum().backward()
        optimizer.set_lr(float(rate))
        optimizer.step()
        optimizer.clear_grad()
        np.testing.assert_allclose(parameter.numpy(), wanted, atol=2e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rms"])
def test_each_optimiser_lowers_a_loss(name):
    paddle.seed(0)
    model = paddle.nn.Linear(4, 1)
    optimizer = build(TrainSection(OPTIMIZER=name, LR=0.01), model)
    x, y = paddle.randn([32, 4]), paddle.randn([32, 1])
    losses = []
    for _ in range(20):
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_statistics_are_not_trained():
    model = paddle.nn.BatchNorm2D(3)
    assert len(build(TrainSection(), model)._parameter_list) == 2


@pytest.mark.parametrize(
    "step, wanted",
    [
        (0, 0.25),  # a quarter of the way up, where the cosine has hardly fallen
        (3, 0.9862),  # from the fourth step on it is the cosine alone
        (20, 0.5),
        (40, 0.0),
    ],
)
def test_a_cosine_after_a_warm_up_ends_at_zero(step, wanted):
    options = TrainSection(LR=1, LR_TYPE="CosineDecay", WARMUP_STEPS=4, END_EPOCH=8)
    assert learning_rate(options, steps_per_epoch=5)(step) == pytest.approx(wanted, abs=1e-3)


def test_adamw_decays_weights_and_not_biases():
    model = paddle.nn.Linear(4, 1)
    model.bias.set_value(paddle.ones([1]))
    before = model.weight.numpy()
    optimizer = build(TrainSection(OPTIMIZER="adamw", LR=0.1, WD=0.5), model)
    (0 * model(paddle.ones([1, 4]))).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(model.weight.numpy(), 0.95 * before, rtol=1e-6)
    assert model.bias.item() == 1
