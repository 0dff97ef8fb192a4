"""Every network: the published outputs with stand-in weights, and the contract that all of them keep."""

import numpy as np
import paddle
import pytest
from published import build, outputs

from paddlepose import plugins
from paddlepose.engine import optim
from paddlepose.losses import Heatmap
from paddlepose.models import network_class
from paddlepose.settings import TrainSection

# Golden, its network and arguments, and its tolerance.
POSE_RESNET = [
    ("pose_resnet_50_coco_256x192", {}),
    ("pose_resnet_50_mpii_256x256", {}),
    ("pose_resnet_101_coco_256x192", {"depth": 101}),
    ("pose_resnet_152_coco_256x192", {"depth": 152}),
    ("pose_resnet_18_coco_256x192", {"depth": 18}),
    ("pose_resnet_50_caffe_coco_256x192", {"style": "caffe"}),
    (
        "pose_resnet_18_deconv432_coco_128x96",
        {
            "depth": 18,
            "num_deconv_filters": (128, 96, 64),
            "num_deconv_kernels": (4, 3, 2),
            "deconv_with_bias": True,
            "final_conv_kernel": 3,
        },
    ),
]
HRNET = [
    ("hrnet_w32_coco_256x192", {}),
    ("hrnet_w32_mpii_256x256", {}),
    ("hrnet_w48_coco_384x288", {"width": 48}),
]
GOLDENS = [
    *((name, "pose_resnet", arguments, 1e-5) for name, arguments in POSE_RESNET),
    *((name, "pose_hrnet", arguments, 2e-3) for name, arguments in HRNET),
]


@pytest.mark.parametrize(("title", "name", "arguments", "tolerance"), GOLDENS, ids=[row[0] for row in GOLDENS])
def test_network_golden(golden, golden_weights, title, name, arguments, tolerance):
    """goldens/topdown/<title>.{json,npz}: heatmaps with the weights of goldens/weights.py, and the parameter count."""
    description, arrays = golden(f"topdown/{title}.json"), golden(f"topdown/{title}.npz")
    model = build(description, golden_weights, name, description["model"]["num_joints"], arguments)
    (maps,) = outputs(model, golden_weights, description)
    if "out__heatmaps" in arrays:
        np.testing.assert_allclose(maps, arrays["out__heatmaps"], atol=tolerance)
    else:
        np.testing.assert_allclose(maps[:, :, ::2, ::2], arrays["out__heatmaps_s2"], atol=tolerance)
        np.testing.assert_allclose(maps[:, 0], arrays["out__heatmap0"], atol=tolerance)
    np.testing.assert_array_equal(maps.reshape(*maps.shape[:2], -1).argmax(-1), arrays["out__argmax"])


TRAINING = [("train_pose_resnet_50_128x96", "pose_resnet"), ("train_hrnet_w32_128x96", "pose_hrnet")]


@pytest.mark.parametrize(("title", "name"), TRAINING)
def test_training_step_golden(golden, golden_weights, title, name):
    """goldens/topdown/<title>.{json,npz}: loss, gradients, statistics and weights of one step with Adam."""
    description, arrays = golden(f"topdown/{title}.json"), golden(f"topdown/{title}.npz")
    model = build(description, golden_weights, name, description["model"]["num_joints"], {})
    model.train()
    batch = training_batch(description)

    (output,) = model(paddle.to_tensor(golden_weights.image(**description["input"])))
    loss = Heatmap()([output], batch)["loss"]
    loss.backward()

    np.testing.assert_allclose(loss.item(), description["loss"], rtol=1e-5)
    np.testing.assert_allclose(output.numpy()[:, 0], arrays["out__heatmap0"], atol=2e-3)
    parameters = dict(model.named_parameters())
    norms = {key: float(parameters[key].grad.norm()) for key in description["grad_norm"]}
    errors = [abs(norms[key] / wanted - 1) for key, wanted in description["grad_norm"].items()]
    assert max(errors) < 2e-2
    assert np.median(errors) < 1e-3
    np.testing.assert_allclose(model.bn1._mean.numpy(), arrays["out__after_forward.bn1.running_mean"], atol=1e-5)
    np.testing.assert_allclose(
        model.bn1._variance.numpy(), arrays["out__after_forward.bn1.running_var_biased"], rtol=1e-4
    )

    optimizer = optim.build(TrainSection(), model)
    optimizer.step()
    for key in ("bn1.weight", "final_layer.bias"):
        # Adam's first step is the gradient's sign, so it is only told where the gradient is above float32's noise.
        gradient = arrays.get(f"out__grad.{key}", parameters[key].grad.numpy())
        clear = np.abs(gradient) > 2e-2 * np.abs(gradient).max()
        found, wanted = parameters[key].numpy(), arrays[f"out__after_adam_lr1e-3.{key}"]
        assert clear.mean() > 0.5
        np.testing.assert_allclose(found[clear], wanted[clear], atol=2e-5)


def training_batch(description):
    """Target and weights as the golden's recipes make them."""
    seed = description["input"]["seed"]
    target = np.random.RandomState(seed + 1).random_sample(description["target"]["shape"])
    weight = np.random.RandomState(seed + 2).random_sample(description["target_weight"]["shape"]) > 0.2
    return {name: paddle.to_tensor(a.astype(np.float32)) for name, a in (("target", target), ("weight", weight))}


# Small arguments for the tests that only look at shapes, gradients and export.
SMALL = {
    "finder": {"width": 16},
    "hourglass": {"num_stacks": 2, "num_features": 16},
    "lp_net": {"num_deconv_filters": (16, 16)},
    "lpn": {"num_deconv_filters": (16, 16)},
    "pose_hrnet": {"width": 8},
    "pose_lite": {"width": 16},
    "pose_ppnet": {"width": 8},
    "pose_resnet": {"depth": 18, "width": 24, "num_deconv_filters": (16, 16, 16)},
    "regression_hrnet": {"width": 8, "regression_channels": 16},
}


@pytest.mark.parametrize("name", [name for name in plugins.names("models") if not hasattr(network_class(name), "kind")])
def test_contract(name):
    """Any top-down network: heatmaps at a quarter of the size, every weight gets a gradient, names are unique."""
    model = network_class(name)(5, **SMALL.get(name, {}))
    model.init_weights()
    found = model(paddle.randn([2, 3, 64, 128]))
    assert isinstance(found, list)
    assert all(output.shape == [2, 5, 16, 32] for output in found)
    sum(output.square().mean() for output in found).backward()
    trained = [p for p in model.parameters() if not p.stop_gradient]
    assert all(p.grad is not None for p in trained)


@pytest.mark.parametrize("name", plugins.names("models"))
def test_arguments_from_the_shapes_of_weights(name):
    """A network is known again from its weights alone, and no other takes them for its own."""
    arguments = SMALL[name]
    shapes = {key: tuple(value.shape) for key, value in network_class(name)(5, **arguments).state_dict().items()}
    found = {other: network_class(other).arguments_from(shapes) for other in plugins.names("models")}
    assert [other for other, known in found.items() if known] == [name]
    again = network_class(name)(**found[name])
    assert {key: tuple(value.shape) for key, value in again.state_dict().items()} == shapes
    assert arguments.items() <= found[name].items()


def test_lists_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="NUM_DECONV_KERNELS"):
        network_class("pose_resnet")(16, num_deconv_kernels=(4, 4))


def test_the_small_networks_maps_have_the_mass_of_a_gaussian():
    (maps,) = network_class("pose_lite")(5, width=16)(paddle.randn([2, 3, 64, 96]))
    y, x = np.mgrid[-20:21, -20:21]
    assert maps.sum([2, 3]).numpy() == pytest.approx(np.exp(-(x**2 + y**2) / (2 * 2**2)).sum(), rel=1e-3)
    assert maps.min().item() >= 0
