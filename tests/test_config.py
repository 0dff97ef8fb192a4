"""Configurations: what they accept, and what they make of it."""

from pathlib import Path

import pytest
import yaml

from paddlepose import load_config
from paddlepose.config import parse

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_loads_and_comes_back(path):
    config = load_config(path)
    assert parse(yaml.safe_load(config.dump())).dump() == config.dump()


def test_settings_over_the_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("TRAIN: {LR: 5e-4, LR_STEP: [10]}\n")
    config = load_config(path, ["TRAIN.LR_STEP", "[20, 30]", "TEST.MODEL_FILE", "a b.pdparams", "WORKERS", "0"])
    assert config.train.lr == 5e-4  # which YAML itself reads as text
    assert config.train.lr_step == (20, 30)
    assert config.test.model_file == Path("a b.pdparams")
    assert config.workers == 0


@pytest.mark.parametrize(
    "model",
    [
        {"DEPTH": 101},
        {"EXTRA": {"NUM_LAYERS": 101}},
        {"DEPTH": 101, "EXTRA": {"NUM_LAYERS": 101, "SIGMA": 2, "HEATMAP_SIZE": [64, 64], "TARGET_TYPE": "gaussian"}},
        {"DEPTH": 101, "BACKBONE": "resnet"},
    ],
    ids=str,
)
def test_both_places_of_a_setting(model):
    assert parse({"MODEL": model}).model.depth == 101


def test_a_networks_settings_are_its_constructors_arguments():
    config = parse({"MODEL": {"NAME": "pose_hrnet", "WIDTH": 48}})
    assert config.arguments("model") == {"width": 48, "final_conv_kernel": 1}


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError) as caught:
        parse({"TRAIN": {"LR": -1, "OPTIMISER": "adam"}, "MODEL": {"DEPTH": 51}, "MODL": {}})
    lines = sorted(str(caught.value).splitlines())
    assert lines == [
        "MODEL.DEPTH: Input should be 18, 34, 50, 101 or 152 (it is 51)",
        "MODL: no such setting, did you mean 'MODEL'?",
        "TRAIN.LR: Input should be greater than 0 (it is -1)",
        "TRAIN.OPTIMISER: no such setting, did you mean 'OPTIMIZER'?",
    ]


def test_nothing_changes_a_configuration():
    config = parse({})
    with pytest.raises(ValueError, match="frozen"):
        config.train.lr = 1


@pytest.mark.parametrize(
    ("model", "loss", "message"),
    [
        ("pose_resnet", {}, "LOSS.NAME cross_entropy: maps of pose_resnet may be negative; use mse, or pose_lite"),
        ("pose_lite", {"USE_OHKM": True}, "LOSS: USE_OHKM: only goes with NAME mse"),
    ],
)
def test_cross_entropy_is_refused_where_it_would_mean_nothing(model, loss, message):
    """Before, the first failed as a loss that is not a number, and the second was trained without what it asks for."""
    with pytest.raises(ValueError, match=message):
        parse({"MODEL": {"NAME": model}, "LOSS": {"NAME": "cross_entropy", **loss}})
