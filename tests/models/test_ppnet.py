"""PPNet: the published outputs, training step and initialisation."""

import numpy as np
import paddle
import pytest
from published import build, fill, gradient_norms, outputs, weighted_batch

from paddlepose.core.predict import TopDown
from paddlepose.datasets._skeleton import COCO
from paddlepose.engine import optim
from paddlepose.engine.evaluate import as_network
from paddlepose.experiment import Config
from paddlepose.losses import Heatmap
from paddlepose.models import network_class
from paddlepose.settings import TrainSection

VARIANTS = [
    "m2_d2_w32_256x192_j17",
    "m4_d2_w32_256x192_j17",
    "m4_d2_w32_256x256_j16",
    "m4_d2_w48_384x288_j17",
    "m4_d3_w48_384x288_j17",
]


def arguments(config):
    return {
        "num_modules": config["NUM_MODULES"],
        "num_blocks": config["NUM_BLOCKS"][0],
        "width": config["NUM_CHANNELS"][0],
    }


def published(golden, golden_weights, name):
    description = golden(f"ppnet/{name}.json")
    config = description["config"]
    return description, build(description, golden_weights, "pose_ppnet", config["NUM_JOINTS"], arguments(config))


@pytest.mark.parametrize("name", VARIANTS)
def test_golden(golden, golden_weights, name):
    """goldens/ppnet/<variant>: the output of each module."""
    description, model = published(golden, golden_weights, name)
    arrays = golden(f"ppnet/{name}.npz")
    found = outputs(model, golden_weights, description)
    assert len(found) == description["config"]["NUM_MODULES"]
    for i, maps in enumerate(found):
        wanted = description["outputs"][f"heatmap_{i}"]
        stored = maps if wanted.get("slice", "all") == "all" else maps[:, :, 1::4, 2::4]
        np.testing.assert_allclose(stored, arrays[wanted["array"]], atol=wanted["tolerance"])
        np.testing.assert_allclose([maps.mean(), maps.std()], [wanted["mean"], wanted["std"]], atol=wanted["tolerance"])


def test_flip_golden(golden, golden_weights):
    """goldens/ppnet/m2_d2_w32_256x192_j17: the heatmap that validation decodes."""
    description, model = published(golden, golden_weights, VARIANTS[0])
    wanted = golden(f"ppnet/{VARIANTS[0]}.npz")["flip_test_last"]
    config = Config.model_validate(
        {"DATASET": {"COLOR_RGB": True}, "MODEL": {"IMAGE_SIZE": [192, 256], "HEATMAP_SIZE": [48, 64]}}
    )
    card = config.model_copy().card(COCO)
    predictor = TopDown(as_network(model), card, flip_test=True)
    image = golden_weights.image(description["input"]["shape"], description["input"]["seed"])
    np.testing.assert_allclose(predictor.outputs(image), wanted, atol=2e-5)


def test_training_golden(golden, golden_weights):
    """goldens/ppnet/train_m2_d2_w32_256x192_j17: losses of three RMSprop steps, and the first gradients."""
    description = golden("ppnet/train_m2_d2_w32_256x192_j17.json")
    arrays = golden("ppnet/train_m2_d2_w32_256x192_j17.npz")
    model = network_class("pose_ppnet")(17)
    fill(model, golden_weights, description["entries"])
    model.train()
    shape = description["input"]["shape"]
    rng = np.random.RandomState(description["target"]["seed"])
    target = (rng.uniform(size=(2, 17, shape[2] // 4, shape[3] // 4)) ** 4).astype(np.float32)
    weight = (rng.uniform(size=(2, 17, 1)) > 0.3).astype(np.float32)
    np.testing.assert_allclose(target.ravel()[:8], description["target"]["target_first8"], rtol=1e-6)
    batch = weighted_batch(target, weight)
    image = paddle.to_tensor(golden_weights.image(shape, description["input"]["seed"]))
    options = TrainSection.model_validate({"OPTIMIZER": "rms", "LR": 2.5e-4, "MOMENTUM": 0, "WD": 0})
    optimizer = optim.build(options, model)
    tolerance = description["tolerance"]
    for step, wanted in enumerate(description["losses_float64"][:3]):
        found = model(image)
        loss = Heatmap()(found, batch)["loss"]
        np.testing.assert_allclose(loss.item(), wanted["total"], rtol=tolerance[f"loss_step{step}_rel"])
        loss.backward()
        if step == 0:
            for i, maps in enumerate(found):
                np.testing.assert_allclose(
                    maps.numpy()[:, :, 1::4, 2::4], arrays[f"heatmap_{i}_s"], atol=tolerance["train_heatmap_abs"]
                )
            norms = gradient_norms(model, description["grad_norms_float64"])
            for key, norm in description["grad_norms_float64"].items():
                np.testing.assert_allclose(norms[key], norm, rtol=tolerance["grad_norm_rel"], err_msg=key)
        optimizer.step()
        optimizer.clear_grad()


@pytest.mark.parametrize(("modules", "blocks", "width"), [(1, 1, 8), (3, 3, 16)])
def test_any_size(modules, blocks, width):
    """One module has no feedback; other numbers of modules, blocks and channels work from the numbers alone."""
    model = network_class("pose_ppnet")(5, modules, blocks, width)
    model.init_weights()
    found = model(paddle.randn([2, 3, 32, 48]))
    assert [output.shape for output in found] == [[2, 5, 8, 12]] * modules
    assert any(key.startswith("fc_.") for key in model.state_dict()) == (modules > 1)


def test_initial_weights():
    model = network_class("pose_ppnet")(17)
    model.init_weights()
    weights = model.state_dict()
    assert abs(float(weights["ppnet.1.branches.2.0.conv1.weight"].std()) - 1e-3) < 1e-4
    assert float(weights["heatmap_layer.0.2.bias"].abs().max()) == 0


def test_pretrained_keys(golden, golden_weights, tmp_path):
    """An ImageNet file fills the body, and nothing else."""
    from paddlepose.engine import weights

    description = golden("ppnet/m2_d2_w32_256x192_j17.json")
    body = [entry for entry in description["entries"] if not entry[0].startswith(("fc", "heatmap_layer"))]
    assert len(body) == description["pretrained_keys"]
    weights.save(golden_weights.state_dict(body), tmp_path / "imagenet.pdparams")
    model = network_class("pose_ppnet")(17)
    report = weights.load(model, tmp_path / "imagenet.pdparams", strict=False)
    assert len(report.loaded) == sum(not key.endswith("num_batches_tracked") for key, _ in body)
    assert all(key.startswith(("fc", "heatmap_layer")) for key in report.missing)
