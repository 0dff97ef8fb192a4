"""Published files by name: stand-ins with their exact structure, on a web server of the test's own."""

import csv
import hashlib
import re
import subprocess
import sys
import threading
from dataclasses import astuple, fields, replace
from pathlib import Path

import mmpose_files
import numpy as np
import paddle
import pytest
from web_server import serving, until

import paddlepose
from paddlepose import config, zoo
from paddlepose.commands import convert, main
from paddlepose.core import fetch
from paddlepose.engine import weights
from paddlepose.engine.job import Job
from paddlepose.models import network_class

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
TABLE = zoo.table()
POSES = [row.name for row in TABLE.values() if row.kind == "pose" and row.address]
JOINTS = {"COCO": 17, "COCO and AIC": 17, "MPII": 16, "CrowdPose": 14}
SKELETONS = {17: "coco", 16: "mpii", 14: "crowdpose"}


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(fetch, "_PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder where fetched files are kept; whole networks are not left on the disk."""
    monkeypatch.setenv("PADDLEPOSE_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    for path in (*tmp_path.glob("*.pth"), *tmp_path.glob("*.pdparams"), *tmp_path.glob("home/*.*")):
        path.unlink()


@pytest.fixture
def publish(site, home, tmp_path, monkeypatch):
    """`publish(row, content)` puts a file on the server under a row's own file name, with its checksum in the table."""
    rows = {}

    def write(row, content, **changes):
        path = f"/{row.address.rpartition('/')[2]}"
        site.files[path] = content
        published = replace(row, address=site.address + path, sha256=hashlib.sha256(content).hexdigest()[:8])
        rows[row.name] = replace(published, **changes)
        with (tmp_path / "zoo.csv").open("w", newline="") as file:
            csv.writer(file).writerows([[field.name for field in fields(zoo.Row)], *map(astuple, rows.values())])
        zoo.table.cache_clear()
        return rows[row.name]

    monkeypatch.setattr(zoo, "_TABLE", tmp_path / "zoo.csv")
    yield write
    zoo.table.cache_clear()


def parts(row):
    """The kind of network, the number of joints and the name of the head in a row's file."""
    kind = re.match(r"resnet\d+|hrnet-w\d+", row.name)[0]
    return kind, JOINTS.get(row.data), "head" if "/mmpose/v1/" in row.address else "keypoint_head"


def our_names(state):
    """Weights of MMPose's by the names that Paddle's network has for them."""
    ours = {}
    for key, value in state.items():
        key = re.sub(r"^(backbone|head|keypoint_head)\.", "", key)
        if not key.endswith("num_batches_tracked"):
            ours[re.sub("running_mean$", "_mean", re.sub("running_var$", "_variance", key))] = value
    return ours


def check_trunk(model, kind):
    """The trunk in the table has all of a network but its head, and nothing else of it."""
    shapes = our_names(mmpose_files.trunk(kind))
    assert f"{kind}-imagenet" in TABLE
    report = weights.compare(model.state_dict(), {key: np.broadcast_to(0, shape) for key, shape in shapes.items()})
    assert {key.split(".")[0] for key in report.missing} <= {"deconv_layers", "final_layer"} and not report.mismatched
    assert {key.split(".")[0] for key in report.unexpected} <= {
        "fc",
        "classifier",
        "incre_modules",
        "final_layer",
        "stage4",
    }


def network(kind, joints):
    name, arguments = "pose_hrnet", {"width": int(kind[-2:])}
    if kind.startswith("resnet"):
        name, arguments = "pose_resnet", {"depth": int(kind.removeprefix("resnet"))}
    return network_class(name)(joints, **arguments)


def arrays(model):
    return {key: value.numpy() for key, value in model.state_dict().items()}


def answer(model):
    model.eval()
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 96), np.float32)
    with paddle.no_grad():
        return model(paddle.to_tensor(image))[-1].numpy()


def test_a_checksum_is_the_one_in_the_files_name():
    assert all(f"-{row.sha256}" in row.file.name for row in TABLE.values() if row.sha256)


def test_no_two_models_share_a_file():
    files = [path for row in TABLE.values() for path in {row.file, row.onnx}]
    assert len(files) == len(set(files))


def test_an_experiment_is_that_of_its_models_network():
    for row in TABLE.values():
        if row.name in POSES and row.experiment:
            job = config.load_config(EXPERIMENTS / row.experiment)
            own = job.arguments("model")
            assert job.model.image_size[::-1] == tuple(map(int, row.size.split("x")))
            assert parts(row)[0] in (f"resnet{own.get('depth')}", f"hrnet-w{own.get('width')}")


@pytest.mark.parametrize("name", POSES)
def test_every_published_network_is_known_by_its_weights(name):
    """By their names and shapes, and the size in the file's name: joints, input, colours and decoder."""
    row = TABLE[name]
    kind, joints, head = parts(row)
    shapes = mmpose_files.pose_network(kind, joints, head)
    content = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    state = weights.to_state({"state_dict": content}, row.file, from_torch=True)
    job = convert._coloured(convert._recognised(state, row.file, True), True)
    card, own = job.config.card(job.skeleton), job.config.arguments("model")
    assert card.input_size[::-1] == tuple(map(int, row.size.split("x")))
    assert (card.kind, card.rgb, card.codec["name"], card.padding) == ("top_down", True, "heatmap", 1.25)
    assert card.codec["shift_heatmap"] and card.codec["post_process"]
    assert (card.skeleton.name, len(card.skeleton.joints)) == (SKELETONS[joints], joints)
    assert {"pose_resnet": f"resnet{own.get('depth')}", "pose_hrnet": f"hrnet-w{own.get('width')}"}[card.model] == kind
    assert own.get("style", "pytorch") == "pytorch"


# One row of each network: both styles of keys, both formats, all three sets of joints, in and out of `experiments`.
NETWORKS = {
    "resnet50-coco-256x192": True,
    "resnet101-crowdpose-256x192": False,
    "resnet152-mpii-256x256": True,
    "hrnet-w32-crowdpose-256x192": True,
    "hrnet-w48-coco-384x288": False,
}


@pytest.mark.parametrize(("name", "old"), NETWORKS.items())
def test_a_published_network_is_converted_by_its_name(publish, site, tmp_path, monkeypatch, capsys, name, old):
    """Every weight is in its place, and the network answers as one that was given them by hand."""
    monkeypatch.chdir(tmp_path)
    kind, joints, head = parts(TABLE[name])
    state = mmpose_files.drawn(mmpose_files.pose_network(kind, joints, head))
    mmpose_files.save(state, tmp_path / "a.pth", head=head, old=old, command=f"touch {tmp_path / 'run'}")
    publish(TABLE[name], (tmp_path / "a.pth").read_bytes())
    model, wanted = network(kind, joints), our_names(state)
    own = model.state_dict()
    assert own.keys() == wanted.keys()
    for key, value in wanted.items():
        own[key].set_value(value)
    check_trunk(model, kind)
    given = answer(model)
    assert np.isfinite(given).all() and given.std((2, 3)).min() > 0.01

    assert main(["convert", name]) == 0
    assert not (tmp_path / "run").exists() and len(site.asked) == 1
    assert f"{joints} joints, RGB, heatmap" in capsys.readouterr().out
    found, card, rgb = weights.read(tmp_path / f"{name}.pdparams")
    assert rgb is True and card.skeleton.name == SKELETONS[joints]
    assert card.input_size[::-1] == tuple(map(int, TABLE[name].size.split("x")))
    assert found.keys() == wanted.keys() and all(np.array_equal(found[key], wanted[key]) for key in wanted)
    for value in own.values():
        value.set_value(paddle.zeros_like(value))
    assert weights.load(model, tmp_path / f"{name}.pdparams").complete
    assert np.array_equal(answer(model), given)


def test_a_trunk_is_put_into_a_network_by_its_name(publish, site, tmp_path):
    name = "resnet50-imagenet"
    state = mmpose_files.drawn(mmpose_files.trunk("resnet50"))
    mmpose_files.save(state, tmp_path / "a.pth", head="")
    publish(TABLE[name], (tmp_path / "a.pth").read_bytes())
    settings = {"MODEL": {"NAME": "pose_resnet", "INIT_WEIGHTS": False, "PRETRAINED": name}}
    found, wanted = arrays(Job(config.parse(settings), "tiny").network()), our_names(state)
    taken = [key for key in wanted if not key.startswith("fc.")]
    assert len(taken) == 265 and all(np.array_equal(found[key], wanted[key]) for key in taken)


def test_a_published_network_is_loaded_by_its_name(publish, site, home, tmp_path, monkeypatch, capsys):
    """Converted once, in a process of its own; the second time nothing is fetched or converted."""
    name = "resnet50-mpii-256x256"
    kind, joints, head = parts(TABLE[name])
    state = mmpose_files.drawn(mmpose_files.pose_network(kind, joints, head))
    mmpose_files.save(state, tmp_path / "a.pth", head=head)
    row = publish(TABLE[name], (tmp_path / "a.pth").read_bytes())
    predictor = paddlepose.load(name)
    assert sorted(path.name for path in home.iterdir()) == [".lock", row.file.name, f"{name}.onnx"]
    assert predictor.card.rgb and predictor.card.skeleton.name == "mpii" and predictor.card.input_size == (256, 256)

    model, own = network(kind, joints), our_names(state)
    for key, value in model.state_dict().items():
        value.set_value(own[key])
    image = np.random.default_rng(0).standard_normal((1, 3, 256, 256), np.float32)
    model.eval()
    with paddle.no_grad():
        wanted = model(paddle.to_tensor(image))[-1].numpy()
    assert np.abs(predictor.network(image)[-1] - wanted).max() < 1e-5 * np.abs(wanted).max()

    monkeypatch.setattr(zoo.subprocess, "run", None)
    paddlepose.load(name)
    assert len(site.asked) == 1
    assert main(["models"]) == 0
    assert re.search(rf"^{name}  pose .* PCKh 0.882  Apache-2.0 .* \d+ MB$", capsys.readouterr().out, re.MULTILINE)


FIND = """
import logging, sys
from pathlib import Path
from paddlepose import zoo
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
zoo._TABLE = Path(sys.argv[1])
print(zoo.find("{}", onnx=True), flush=True)
"""


def test_two_processes_ask_for_the_same_name(publish, site, home, tmp_path):
    """One fetches it, the other waits and has it too."""
    row, content = TABLE["yolox-s"], b"network" * 100_000
    publish(row, content)
    held = threading.Event()
    site.waits = [held]
    call = [sys.executable, "-c", FIND.format(row.name), str(tmp_path / "zoo.csv")]
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(call, **pipes) as first:
        until(lambda: site.sent)
        with subprocess.Popen(call, **pipes) as second:
            assert second.stdout.readline() == f"=> waiting for another process that fetches files into {home}\n"
            held.set()
            said = [process.communicate()[0].splitlines()[-1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert said == [str(home / "yolox_s.onnx")] * 2 and (home / "yolox_s.onnx").read_bytes() == content
    assert len(site.asked) == 1 and sorted(path.name for path in home.iterdir()) == [".lock", "yolox_s.onnx"]


@pytest.mark.parametrize("command", [["convert", "{}"], ["deploy", "--model", "{}", "--img", "a.jpg"]])
@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("offline", "Connection refused; try again, or"),
        ("another file", "another file came: its sha256 begins with .{8}, expected 04af38ce; try again, or"),
        ("cut off", r"only 280,000 of 700,000 bytes came after 0\.3 MB, where the next try goes on; try again, or"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(
    publish, site, home, tmp_path, monkeypatch, capsys, command, trouble, message
):
    """With the address, and the place to put the file by hand."""
    monkeypatch.chdir(tmp_path)
    row = TABLE["resnet50-coco-256x192"]
    path = home / row.address.rpartition("/")[2]
    published = publish(row, b"weights" * 100_000, sha256=row.sha256)
    if trouble == "offline":
        published = publish(row, b"", sha256=row.sha256, address=f"http://127.0.0.1:1/{path.name}")
    elif trouble == "cut off":
        site.cuts = [280_000, 0]
    before = set(tmp_path.iterdir())
    assert main([word.format(row.name) for word in command]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(f"error: {published.address}: {message} fetch it by hand and put it at {path}", line), line
    left = {path.with_name(f".{path.name}.part")} if trouble == "cut off" else set()
    assert set(home.iterdir()) == {home / ".lock"} | left and set(tmp_path.iterdir()) == before | {home}
