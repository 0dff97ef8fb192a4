"""Weights of other repositories: known again, converted, exported, and given back."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddlepose import runtime
from paddlepose.commands import convert, main
from paddlepose.engine import weights
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.torch_file import read_torch, write_torch
from paddlepose.models import network_class

ASSETS = Path(__file__).parents[1] / "assets"

# Golden, the name that a published file of it has, what it is known for; its array, every so many pixels of the last
# output, and their tolerance as a share of the largest.
PUBLISHED = [
    ("topdown/pose_resnet_18_coco_256x192", "pose_resnet_18_256x192.pth", "BGR, heatmap", "out__heatmaps_s2", 2, 2e-5),
    ("topdown/hrnet_w32_coco_256x192", "pose_hrnet_w32_256x192.pth", "RGB, heatmap", "out__heatmaps", 1, 3e-5),
    ("fpd/hourglass_4_128_256x256_j16", "bs4_hourglass_128_model_best.pth", "BGR, heatmap", "last", 1, 2e-5),
    ("ppnet/m2_d2_w32_256x192_j17", "pose_ppnet_M2-D2-W32_256x192.pth", "RGB, heatmap", "heatmap_1", 1, 4e-5),
    ("lpn/lp_net_50_gcb_256x192", "lp_net_50_256x192_with_gcb.pth.tar", "BGR, soft_argmax", "heatmaps", 1, 4e-6),
    ("lpn/lpn_50_gc_256x256_j16", "lpn_50_256x256.pth", "RGB, soft_argmax", "heatmaps", 1, 4e-6),
]
WRAPPED = [
    lambda state: state,
    lambda state: {f"module.{key}": value for key, value in state.items()},
]


def outputs(model, image):
    model.eval()
    with paddle.no_grad():
        return model(paddle.to_tensor(image))[-1].numpy()


@pytest.mark.parametrize(("title", "name", "use", "array", "step", "rtol"), PUBLISHED, ids=[r[0] for r in PUBLISHED])
def test_published_checkpoint_golden(golden, golden_weights, tmp_path, capsys, title, name, use, array, step, rtol):
    """goldens/*/<title>: a whole checkpoint is recognised, gives the golden's output as .pdparams, and comes back."""
    description, wanted = golden(f"{title}.json"), golden(f"{title}.npz")[array]
    state = golden_weights.state_dict(description["entries"])
    write_torch(WRAPPED[len(name) % 2](state), tmp_path / name)
    assert main(["convert", str(tmp_path / name)]) == 0
    assert use in capsys.readouterr().out
    converted = tmp_path / f"{name.split('.pth')[0]}.pdparams"

    found, card, _ = weights.read(converted)
    network = network_class(card.model)
    model = network(**network.arguments_from({key: value.shape for key, value in found.items()}))
    weights.load(model, converted)
    image = golden_weights.image(description["input"]["shape"], description["input"]["seed"])
    maps = outputs(model, image)[:, :, ::step, ::step]
    assert np.abs(maps - wanted).max() <= rtol * np.abs(wanted).max()

    assert main(["convert", str(converted), "--out", str(tmp_path / "back.pth")]) == 0
    back = read_torch(tmp_path / "back.pth")
    assert list(back) == list(state)
    assert all(np.array_equal(back[key], state[key]) and back[key].dtype == state[key].dtype for key in state)


# Golden and the experiment that its weights are those of.
BOTTOM_UP = [
    ("hrnet_w32_coco_256", "coco/w32/w32_4x_reg_delaysep_bg01_stn_512_adam_lr1e-3_coco_x140"),
    ("hrnet_w32_crowdpose_256x384", "crowdpose/w32/w32_4x_reg_delaysep_bg01_stn_512_adam_lr1e-3_crowdpose_x300"),
    ("higher_hrnet_w48_coco_256", "coco/w48/w48_2x_reg_delaysep_bg01_0025_stn_640_adam_lr1e-3_coco_x140"),
]


@pytest.mark.parametrize(("title", "experiment"), BOTTOM_UP, ids=[row[0] for row in BOTTOM_UP])
def test_bottom_up_checkpoint_golden(golden, golden_weights, tmp_path, capsys, title, experiment):
    """goldens/bottomup/<title>: recognised by its weights alone, and it comes back, with what heads share in each."""
    description = golden(f"bottomup/{title}.json")
    state = golden_weights.state_dict(description["entries"])
    state |= {key: state[source] for key, source in description["aliases"].items()}
    state |= {key: np.float32(values) for key, values in description["fixed"].items()}
    write_torch(state, tmp_path / "model_best.pth.tar")
    assert main(["convert", str(tmp_path / "model_best.pth.tar")]) == 0
    assert f"{experiment}.yaml" in capsys.readouterr().out
    _, card, _ = weights.read(tmp_path / "model_best.pdparams")
    assert (card.kind, card.model, card.rgb) == ("bottom_up", "regression_hrnet", True)

    assert main(["convert", str(tmp_path / "model_best.pdparams"), "--out", str(tmp_path / "back.pth")]) == 0
    back = read_torch(tmp_path / "back.pth")
    assert list(back) == list(state)
    assert all(np.array_equal(back[key], state[key]) and back[key].dtype == state[key].dtype for key in state)


@pytest.mark.parametrize("name", ["hourglass_zip.pth", "hourglass_old.pth.tar"])
def test_a_file_that_torch_wrote(tmp_path, name):
    """Both formats, the second as a checkpoint with an optimiser; straight to ONNX, which knows what it is."""
    assert main(["convert", str(ASSETS / name), "--out", str(tmp_path / "a.onnx")]) == 0
    predictor = runtime.load(tmp_path / "a.onnx")
    assert predictor.card.model == "hourglass" and len(predictor.card.skeleton.joints) == 16
    assert predictor.card.source["weights"] == name


def test_a_trunk_is_written_as_it_is(tmp_path, capsys):
    """An ImageNet trunk's weights go into MODEL.PRETRAINED; its linear layer is transposed."""
    trunk = {"conv1.weight": np.ones((8, 3, 7, 7), np.float32), "fc.weight": np.zeros((10, 8), np.float32)}
    write_torch(trunk, tmp_path / "resnet.pth")
    assert main(["convert", str(tmp_path / "resnet.pth")]) == 0
    assert "MODEL.PRETRAINED" in capsys.readouterr().out
    assert read_pickle(tmp_path / "resnet.pdparams")["fc.weight"].shape == (8, 10)


def test_a_network_in_no_experiment(tmp_path, capsys):
    """It takes colours and decoder of its kind, and says so."""
    model = network_class("pose_ppnet")(16, 1, 1, 4)
    write_torch(weights.paddle_to_torch(weights.to_arrays(model.state_dict())), tmp_path / "tiny_64x32.pth")
    assert main(["convert", str(tmp_path / "tiny_64x32.pth")]) == 0
    printed = capsys.readouterr().out
    assert "In no experiment: pose_ppnet" in printed and "64x32" in printed and "RGB" in printed


def light(folder, joints, size):
    """File of a lightweight pose network that is in no experiment."""
    model = network_class("lpn")(joints, 50, num_deconv_filters=(16, 16))
    path = folder / f"lpn_{size}.pth"
    write_torch(weights.paddle_to_torch(weights.to_arrays(model.state_dict())), path)
    return str(path)


@pytest.mark.parametrize(("joints", "size", "colours"), [(16, "256x256", "RGB"), (17, "256x192", "BGR")])
def test_colours_are_those_of_experiments_with_the_same_joints(tmp_path, capsys, joints, size, colours):
    assert main(["convert", light(tmp_path, joints, size)]) == 0
    assert f"{joints} joints, {colours}" in capsys.readouterr().out


def test_experiments_of_other_colours_are_asked_for(tmp_path, monkeypatch, capsys):
    """Two fit equally well: to take the first would be a guess."""
    like = ASSETS.parents[1] / "experiments/mpii/lpn/lpn50_256x256_gd256x2_gc.yaml"
    folder = tmp_path / "mpii" / "lpn"
    folder.mkdir(parents=True)
    for name, rgb in (("one", "true"), ("other", "false")):
        (folder / f"{name}.yaml").write_text(like.read_text().replace("COLOR_RGB: true", f"COLOR_RGB: {rgb}"))
    monkeypatch.setattr(convert, "_HOME", tmp_path)
    assert main(["convert", light(tmp_path, 16, "256x256")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search("may be of .*one.yaml or .*other.yaml, of other colours: name its experiment by --cfg", line), line
    assert not list(tmp_path.glob("*.pdparams"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{out}/none.pth", "no such file"),
        ("{assets}/hourglass_zip.pth --out {out}/a.txt", r"a.txt: expected one of .pdparams, .onnx, .pth"),
        ("{assets}/hourglass_zip.pth --out {assets}/hourglass_zip.pth", "this is the file that is read"),
        (
            "{assets}/hourglass_zip.pth --cfg {cfg} --out {out}/a.pdparams",
            "not the weights of this network: .* missing",
        ),
        ("{out}/garbage.pth", "garbage.pth: not a file of weights"),
        ("{out}/numbers.pth", "none of its 1 arrays is a convolution's"),
    ],
    ids=["none", "suffix", "same", "other network", "garbage", "numbers"],
)
def test_mistakes(tmp_path, capsys, arguments, message):
    """One line, status 1, and nothing is left."""
    (tmp_path / "garbage.pth").write_bytes(bytes(range(200)))
    write_torch({"a": np.zeros(3, np.float32)}, tmp_path / "numbers.pth")
    before = sorted(tmp_path.iterdir())
    experiment = ASSETS.parents[1] / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
    words = arguments.format(out=tmp_path, assets=ASSETS, cfg=experiment).split()
    assert main(["convert", *words]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert len(error.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_card_is_compared(tmp_path, caplog):
    """Weights that were trained on other colours are measured with a warning."""
    model = network_class("hourglass")(16, 1, 8)
    assert main(["convert", str(ASSETS / "hourglass_zip.pth"), "--out", str(tmp_path / "a.pdparams")]) == 0
    _, card, _ = weights.read(tmp_path / "a.pdparams")
    with caplog.at_level(logging.WARNING):
        weights.load(model, tmp_path / "a.pdparams", card=card)
        assert not caplog.records
        weights.load(model, tmp_path / "a.pdparams", card=replace(card, rgb=True))
    assert "trained with DATASET.COLOR_RGB False, the configuration has True" in caplog.text
