"""The stacked hourglass: the published outputs and initialisation."""

import numpy as np
import paddle
import pytest
from published import build, outputs

from paddlepose.models import network_class

VARIANTS = ["hourglass_4_128_256x256_j16", "hourglass_8_256_256x256_j16", "hourglass_4_128_256x192_j17"]


def relative(found, wanted):
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize("name", VARIANTS)
def test_golden(golden, golden_weights, name):
    """goldens/fpd/<variant>: the output of each stack."""
    description, arrays = golden(f"fpd/{name}.json"), golden(f"fpd/{name}.npz")
    size = {key: value for key, value in description["model"].items() if key in ("num_stacks", "num_features")}
    model = build(description, golden_weights, "hourglass", description["model"]["num_joints"], size)
    found = outputs(model, golden_weights, description)
    assert len(found) == description["num_stack_outputs"]
    for i, maps in enumerate(found):
        assert relative(maps[:, :, ::4, ::4], arrays[f"stack{i}_sub"]) < 2e-5
        stats = [maps.mean(dtype=np.float64), maps.std(dtype=np.float64), np.abs(maps).max(), maps.min(), maps.max()]
        assert relative(np.array(stats), arrays[f"stack{i}_stats"]) < 2e-5
    last = found[-1] if found[-1].shape == arrays["last"].shape else found[-1][:, :, ::2, ::2]
    assert relative(last, arrays["last"]) < 2e-5


def test_initial_weights_are_those_of_pytorch():
    """Weights and biases uniform within 1 / sqrt(inputs of each output)."""
    weights = network_class("hourglass")(16, 1, 64).state_dict()
    for key, bound in (("conv1", 147**-0.5), ("hg.0.hg.0.0.0.conv2", (32 * 9) ** -0.5)):
        values = weights[f"{key}.weight"].numpy()
        assert np.abs(values).max() <= bound
        np.testing.assert_allclose(values.std(), bound / 3**0.5, rtol=0.05)
        assert 0 < float(weights[f"{key}.bias"].abs().max()) <= bound


def test_blocks():
    """NUM_BLOCKS acts in the hourglasses and after them."""
    model = network_class("hourglass")(3, 1, 16, 2)
    (maps,) = model(paddle.randn([1, 3, 64, 64]))
    assert maps.shape == [1, 3, 16, 16]
    assert "res.0.1.conv1.weight" in model.state_dict()
    assert "layer2.1.conv1.weight" not in model.state_dict()
