"""The bottom-up HRNets: the published outputs, gradients and statistics, and their deformable convolutions."""

import numpy as np
import paddle
import pytest
from published import gradient_norms, outputs

from paddlepose import config
from paddlepose.codecs.regression import Codec
from paddlepose.engine import optim, weights
from paddlepose.engine.cost import cost
from paddlepose.losses import BottomUp
from paddlepose.models import network_class
from paddlepose.models.regression_hrnet import DeformableConv, Transformer
from paddlepose.settings import TrainSection

SMALL = {"width": 4, "regression_channels": 8}

# Golden, joints and arguments.
GOLDENS = [
    ("hrnet_w32_coco_256", 17, {}),
    ("hrnet_w32_coco_512", 17, {}),
    ("hrnet_w32_crowdpose_256x384", 14, {}),
    ("higher_hrnet_w48_coco_256", 17, {"width": 48, "higher": True}),
]


def checkpoint(description, module, prefix=""):
    """Stand-in weights as PyTorch has them; some entries are copies of others, or given."""
    aliases, fixed = description.get("aliases", {}), description.get("fixed", {})
    return {
        key: np.float32(fixed[key]) if key in fixed else module.tensor(prefix + aliases.get(key, key), shape)
        for key, shape in description["entries"]
    }


def build(description, module, joints, arguments):
    """The network with the golden's weights, whose names, order and number of parameters it has."""
    model = network_class("regression_hrnet")(joints, **arguments)
    state = weights.torch_to_paddle(checkpoint(description, module))
    assert list(model.state_dict()) == list(state)  # the published names, in the published order
    weights.put(model, state, "golden")
    count = sum(p.size for p in model.parameters() if not p.stop_gradient)
    assert count / 1e6 == description["params_millions_unique"]
    return model


@pytest.mark.parametrize(("title", "joints", "arguments"), GOLDENS, ids=[row[0] for row in GOLDENS])
def test_network_golden(golden, golden_weights, title, joints, arguments):
    """goldens/bottomup/<title>.{json,npz}: maps of all heads and sizes, and offsets."""
    description, arrays = golden(f"bottomup/{title}.json"), golden(f"bottomup/{title}.npz")
    model = build(description, golden_weights, joints, arguments)
    known = network_class("regression_hrnet").arguments_from(dict(description["entries"]))
    assert known.items() >= ({"num_joints": joints} | arguments).items()
    *levels, offset = outputs(model, golden_weights, description)
    found = {"offset_0_0": offset}
    for level, maps in enumerate(levels):
        heads = np.split(maps, max(1, maps.shape[1] // (joints + 1)), 1)
        found |= {f"heatmap_{level}_{head}": heat for head, heat in enumerate(heads)}
    assert found.keys() == description["outputs"].keys()
    for key, about in description["outputs"].items():
        step = about["stored_stride"]
        assert list(found[key].shape) == about["shape"]
        np.testing.assert_allclose(found[key][:, :, ::step, ::step], arrays[key], atol=1e-3)
        np.testing.assert_allclose(found[key].mean((0, 2, 3)), arrays[f"{key}__channel_mean"].reshape(-1), atol=1e-3)


# Arguments, side of the input, golden of the network, and parameters as the table counts them.
TABLE = [
    ({}, 512, "hrnet_w32_coco_512", 30_751_958),
    ({"width": 48}, 640, None, 66_964_262),
    ({"width": 48, "higher": True}, 640, "higher_hrnet_w48_coco_256", 66_987_463),
]


@pytest.mark.parametrize(("arguments", "size", "title", "params"), TABLE, ids=["w32", "w48", "higher_w48"])
def test_cost_golden(golden, arguments, size, title, params):
    """The published table: parameters at each call, and multiplications, which grow with the number of pixels."""
    model = network_class("regression_hrnet")(17, **arguments)
    model.eval()
    found = cost(model, (64, 64))
    assert found.called == params
    gflops = found.counted * (size / 64) ** 2 / 1e9
    if title is None:
        assert gflops == pytest.approx(174.2749696, abs=1e-7)
        return
    description = golden(f"bottomup/{title}.json")
    assert found.params / 1e6 == description["params_millions_unique"]
    assert found.called / 1e6 == description["params_millions_table"]
    assert gflops == pytest.approx(description["gflops_table"], abs=1e-7)


STEPS = [
    ("coco_w32", GOLDENS[0], (0.1,)),
    ("coco_higher_w48", GOLDENS[3], (0.1, 0.025)),
]


def batch_of(description, inputs, codec):
    """The batch that the golden describes."""
    found = []
    boxes_of = zip(description["people_seeds"], description["boxes_at_input_resolution"], strict=True)
    for seed, boxes in boxes_of:
        people = [inputs.people(seed, np.array(boxes) * size / 128, 17) for size in codec.sizes]
        masks = [np.ones((size, size), np.float32) for size in codec.sizes]
        for mask, size in zip(masks, codec.sizes, strict=True):
            mask[: size // 4, : size // 4] = 0
        areas = people[0][1] * (128 / codec.sizes[0]) ** 2
        found.append(codec.encode([joints for joints, _ in people], areas, masks))
    batch = {"offset": [item.offset for item in found], "offset_weight": [item.offset_weight for item in found]}
    for level in range(len(codec.sizes)):
        batch[f"heatmap{level}"] = [item.heatmaps[level] for item in found]
        batch[f"mask{level}"] = [item.masks[level] for item in found]
    return {key: paddle.to_tensor(np.stack(value)) for key, value in batch.items()}


@pytest.mark.parametrize(("title", "network", "bg_weight"), STEPS, ids=[row[0] for row in STEPS])
def test_training_step_golden(golden, golden_weights, golden_inputs, title, network, bg_weight):
    """goldens/bottomup/train_step_<title>.json: losses, gradients and running statistics of one step."""
    description = golden(f"bottomup/train_step_{title}.json")
    model = build(golden(f"bottomup/{network[0]}.json"), golden_weights, *network[1:])
    codec = Codec((128, 128), (32 * len(bg_weight),) * 2, bg_weight=bg_weight)
    batch = batch_of(description, golden_inputs, codec)
    before = weights.to_arrays(model.state_dict())
    model.train()
    losses = BottomUp()(model(paddle.to_tensor(golden_weights.image(**description["input"]))), batch)
    losses["loss"].backward()

    np.testing.assert_allclose(losses["loss"].item(), description["loss"], rtol=1e-4)
    np.testing.assert_allclose(losses["offset"].item(), description["offset_losses"][0], rtol=1e-4)
    wanted = [np.mean(losses) for losses in description["heatmap_losses"]]
    np.testing.assert_allclose(losses["heatmap"].item(), sum(wanted), rtol=1e-4)
    if len(wanted) > 1:
        np.testing.assert_allclose([losses[f"heatmap{i}"].item() for i in range(2)], wanted, rtol=1e-4)
    norms = gradient_norms(model, description["gradient_norms"])
    np.testing.assert_allclose(list(norms.values()), list(description["gradient_norms"].values()), rtol=2e-2)
    total = sum(float(p.grad.norm()) ** 2 for p in model.parameters() if not p.stop_gradient) ** 0.5
    np.testing.assert_allclose(total, description["gradient_norm_total"], rtol=2e-2)
    check_statistics(model, before, description["running_statistics_first4_after_forward"])


def check_statistics(model, before, wanted):
    """Running statistics, of which PyTorch's variances are those of the batch times n / (n - 1)."""
    layers = dict(model.named_sublayers())
    for key, values in wanted.items():
        name, kind = key.rsplit(".", 1)
        if kind == "num_batches_tracked":
            continue
        kept = 0.9 ** wanted.get(f"{name}.num_batches_tracked", [1])[0]
        found = (layers[name]._mean if kind == "running_mean" else layers[name]._variance).numpy()
        if kind == "running_var":
            old = before[f"{name}._variance"]
            count = 2 * 32 * 32
            found = kept * old + (found - kept * old) * count / (count - 1)
        np.testing.assert_allclose(found[:4], values, rtol=1e-3)


@pytest.mark.parametrize("form", ["training", "evaluation", "grid"])
@pytest.mark.parametrize("case", ["dilation1", "dilation2", "dilation3_far"])
def test_deformable_convolution_golden(golden, case, form):
    """goldens/bottomup/deform_conv.npz: values and gradients, of all forms."""
    arrays = {k.split("__", 1)[1]: v for k, v in golden("bottomup/deform_conv.npz").items() if k.startswith(case)}
    channels_out, channels_in, *_ = arrays["in__weight"].shape
    layer = DeformableConv(channels_in, channels_out, int(arrays["in__dilation"]))
    layer.by_grid, layer.training = form == "grid", form == "training"
    layer.weight.set_value(arrays["in__weight"])
    x, offset = (paddle.to_tensor(arrays[f"in__{name}"], stop_gradient=False) for name in ("x", "offset"))
    y = layer(x, offset)
    (y * paddle.to_tensor(arrays["in__cotangent"])).sum().backward()
    found = {"y": y, "grad_x": x.grad, "grad_offset": offset.grad, "grad_weight": layer.weight.grad}
    for name, value in found.items():
        np.testing.assert_allclose(value.numpy(), arrays[f"out__{name}"], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_transformer_golden(golden, golden_weights, dilation):
    """goldens/bottomup/stn_block.{json,npz}: offsets, outputs, and gradients in training."""
    description, arrays = golden("bottomup/stn_block.json"), golden("bottomup/stn_block.npz")
    arrays = {k.split("__", 1)[1]: v for k, v in arrays.items() if k.startswith(f"dilation{dilation}__")}
    block = Transformer(description["channels"], dilation)
    state = weights.torch_to_paddle(checkpoint(description, golden_weights, description["prefix"]))
    assert list(block.state_dict()) == list(state)
    state["regular_matrix"] = block.regular_matrix.numpy()
    weights.put(block, state, "golden")
    x = paddle.to_tensor(arrays["in__x"], stop_gradient=False)
    block.eval()
    for name, matrix in (("offset1", block.transform_matrix_conv1), ("offset2", block.transform_matrix_conv2)):
        np.testing.assert_allclose(block.offset(matrix(x)).numpy(), arrays[f"out__{name}"], atol=1e-4)
    np.testing.assert_allclose(block(x).numpy(), arrays["out__y"], atol=1e-4)
    block.train()
    y = block(x)
    np.testing.assert_allclose(y.numpy(), arrays["out__train_y"], atol=1e-4)
    (y * paddle.to_tensor(golden_weights.image(y.shape, 24))).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), arrays["out__grad_x"], atol=1e-3)
    wanted = {key.removeprefix("out__grad__"): value for key, value in arrays.items() if "grad__" in key}
    assert len(wanted) == 10
    for name, value in block.named_parameters():
        if name in wanted:
            np.testing.assert_allclose(value.grad.numpy(), wanted[name], atol=1e-3, err_msg=name)


def test_shared_weights_are_one():
    """Three heads, one parameter: three keys, of which the last wins, and one entry of the optimiser."""
    model = network_class("regression_hrnet")(3, **SMALL)
    keys = [f"multi_level_layers_4x_heatmap.{i}.0.stn_conv2.weight" for i in range(3)]
    state = weights.to_arrays(model.state_dict())
    state |= {key: np.full_like(state[key], i) for i, key in enumerate(keys)}
    weights.put(model, state, "any")
    assert all((model.state_dict()[key].numpy() == 2).all() for key in keys)
    model(paddle.randn([2, 3, 32, 32]))[0].square().mean().backward()
    optimizer = optim.build(TrainSection(), model)
    assert len({id(p) for p in optimizer._parameter_list}) == len(optimizer._parameter_list)
    optimizer.step()
    values = [model.state_dict()[key].numpy() for key in keys]
    assert all(np.array_equal(values[0], value) for value in values) and not (values[0] == 2).all()


@pytest.mark.parametrize("higher", [False, True])
def test_new_weights(higher):
    """At first no matrix moves a tap; the deformable kernels are drawn uniformly, all others from a narrow normal."""
    paddle.seed(0)
    model = network_class("regression_hrnet")(3, higher=higher, **SMALL)
    model.init_weights()
    for name, value in model.named_parameters():
        values = value.numpy()
        if "transform_matrix" in name or name.endswith("bias"):
            assert not values.any(), name
        elif "stn_conv" in name:
            bound = (9 * values.shape[1]) ** -0.5
            assert 0.9 * bound < np.abs(values).max() <= bound, name
        elif values.ndim == 4:
            assert 5e-4 < values.std() < 2e-3, name


def test_a_small_network_is_recognised():
    small = {**SMALL, "num_modules": (1, 2, 1), "stem_width": 16}
    model = network_class("regression_hrnet")(5, **small)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    known = network_class("regression_hrnet").arguments_from(shapes)
    assert known == {"num_joints": 5, "higher": False, **small}
    settings = {"MODEL": {"NAME": "regression_hrnet", "NUM_MODULES": [1, 2]}, "CODEC": {"NAME": "regression"}}
    with pytest.raises(ValueError, match=r"MODEL\.NUM_MODULES"):
        config.parse(settings)


def test_a_network_that_nothing_was_loaded_into_begins_with_plain_convolutions():
    block = Transformer(8, 1)
    assert block.offset(block.transform_matrix_conv1(paddle.randn([1, 8, 6, 6]))).abs().max() == 0


@pytest.mark.parametrize("higher", [False, True])
def test_outputs(higher):
    """Shapes, and every weight gets a gradient."""
    model = network_class("regression_hrnet")(3, higher=higher, **SMALL)
    model.init_weights()
    for part in model.sublayers():  # matrices of which their own weights matter
        if isinstance(part, Transformer):
            part.transform_matrix_conv1.weight.set_value(paddle.randn(part.transform_matrix_conv1.weight.shape))
            part.transform_matrix_conv2.weight.set_value(paddle.randn(part.transform_matrix_conv2.weight.shape))
    found = model(paddle.randn([2, 3, 64, 96]))
    shapes = [[2, 12, 16, 24], [2, 3, 32, 48], [2, 6, 16, 24]] if higher else [[2, 4, 16, 24], [2, 6, 16, 24]]
    assert [output.shape for output in found] == shapes
    sum(output.square().mean() for output in found).backward()
    assert all(p.grad is not None for p in model.parameters() if not p.stop_gradient)


def test_an_imagenet_trunk_fits(tmp_path, caplog):
    """Of an ImageNet HRNet all but its classifier is taken, also of the fusions of the last stage."""
    model = network_class("regression_hrnet")(3, **SMALL)
    trunk = {
        key: value
        for key, value in model.state_dict().items()
        if key.split(".")[0].rstrip("1234") in {"conv", "bn", "layer", "transition", "stage"}
    }
    weights.save({**trunk, "classifier.weight": paddle.ones([4, 10])}, tmp_path / "hrnet.pdparams")
    with caplog.at_level("INFO"):
        weights.load_pretrained(model, tmp_path / "hrnet.pdparams")
    assert f"{len(trunk)} weights loaded" in caplog.text and "1 unexpected" in caplog.text
    assert "mismatched" not in caplog.text
