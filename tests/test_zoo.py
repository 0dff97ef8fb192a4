"""Models by name: the table, the folder, and every place that takes a file."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_onnx

import paddlepose
from paddlepose import runtime, zoo
from paddlepose.commands import main
from paddlepose.config import load_config
from paddlepose.engine import weights
from paddlepose.engine.job import Job

ROOT = Path(__file__).parents[1]
HEADER = zoo._TABLE.read_text().splitlines()[0]
PHOTO = ROOT / "images" / "table.jpg"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of fetched files, which is the test's."""
    monkeypatch.setenv("PADDLEPOSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """`table(*rows)`: these are the known models from now on."""

    def write(*rows):
        path = tmp_path / "zoo.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        monkeypatch.setattr(zoo, "_TABLE", path)
        zoo.table.cache_clear()

    yield write
    monkeypatch.undo()
    zoo.table.cache_clear()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(address, path, checksum):
        raise AssertionError(f"{address} was fetched")

    monkeypatch.setattr(zoo, "fetch", refuse)


def test_the_folder_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("PADDLEPOSE_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert zoo.folder() == tmp_path / "paddlepose"
    monkeypatch.setenv("PADDLEPOSE_HOME", str(tmp_path / "mine"))
    assert zoo.folder() == tmp_path / "mine"
    monkeypatch.delenv("PADDLEPOSE_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert zoo.folder() == Path.home() / ".cache" / "paddlepose"


def test_each_row_is_whole():
    for row in zoo.table().values():
        assert row.kind in ("pose", "trunk", "detector")
        assert row.licence
        assert row.address.startswith("https://") or row.file.is_file()
        assert not row.experiment or (ROOT / "experiments" / row.experiment).is_file(), row.name
    assert {"person17", "finder"} <= set(zoo.table())


@pytest.mark.parametrize("source", ["a/b.pdparams", "b.onnx", "./person17"])
def test_paths_are_left_as_they_are(source):
    assert zoo.find(source) == Path(source)


def test_a_file_comes_before_a_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("person17").write_text("mine")
    assert zoo.find("person17") == Path("person17")


@pytest.mark.parametrize(
    ("name", "how", "error", "message"),
    [
        ("persn17", {}, FileNotFoundError, "no such file, and no model of that name.*person17.*paddlepose models"),
        ("resnet50-imagenet", {"onnx": True}, ValueError, "is a trunk for MODEL.PRETRAINED, not a pose network"),
        ("yolox-nano", {}, ValueError, "is a detector for --detector, not a pose network"),
    ],
)  # fmt: skip
def test_a_name_of_another_use_is_refused(name, how, error, message):
    with pytest.raises(error, match=message):
        zoo.find(name, **how)


def test_the_models_of_the_package_are_found_as_weights_and_as_onnx():
    for name in ("person17", "finder"):
        assert zoo.find(name).name == f"{name}.pdparams"
        assert zoo.find(name, onnx=True).name == f"{name}.onnx"


def test_a_file_put_there_by_hand_is_used_and_held_to_its_checksum(home, table):
    table("mine,detector,x,1x1,,2cf24dba,,MIT,x,https://weights.invalid/a.onnx")  # sha256 of `hello`
    home.mkdir()
    (home / "a.onnx").write_text("hello")
    assert zoo.find("mine", onnx=True) == home / "a.onnx"
    (home / "a.onnx").write_text("another")
    with pytest.raises(ValueError, match=r"a.onnx: its sha256 begins with .*expected 2cf24dba; delete it"):
        zoo.find("mine", onnx=True)


def test_an_archives_onnx_is_taken_out_once(home, table, tmp_path):
    table("mine,detector,x,1x1,,,,MIT,x,https://weights.invalid/a.zip")
    home.mkdir()
    with zipfile.ZipFile(home / "a.zip", "w") as archive:
        archive.writestr("2023/end2end.onnx", b"network")
        archive.writestr("2023/detail.json", b"{}")
    assert zoo.find("mine", onnx=True) == home / "mine.onnx"
    assert (home / "mine.onnx").read_bytes() == b"network"


def test_without_paddle_the_message_says_where_to_convert(home, table, monkeypatch):
    table("mine,pose,x,1x1,,,,MIT,x,https://weights.invalid/a.pth")
    monkeypatch.setattr(zoo.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"Paddle, which is not installed: .*paddlepose convert mine --out mine.onnx"):
        zoo.find("mine", onnx=True)


def test_models_lists_what_is_here(capsys):
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["person17"].endswith("MB")
    assert "Apache-2.0" in lines["hrnet-w32-coco-256x192"]


# Places that take a name


def test_load_takes_names_and_finds_people_without_boxes(caplog):
    caplog.set_level("INFO")
    predictor = paddlepose.load("person17")
    result = predictor(PHOTO)
    assert len(result) >= 3
    assert result.boxes.shape == (len(result), 4)
    predictor(PHOTO)
    assert caplog.text.count("no boxes are given: the package's `finder` finds the people") == 1


def test_a_model_of_other_joints_takes_the_whole_picture_and_says_so(tmp_path, caplog):
    predictor = paddlepose.load(tiny_onnx.write_model(tmp_path / "net.onnx"))
    result = predictor(PHOTO)
    assert np.allclose(result.boxes, [[0, 0, *result.size]])
    assert "each picture as a whole is taken for one person" in caplog.text


def test_without_the_finder_the_whole_picture_is_taken_with_a_warning(tmp_path, monkeypatch, caplog):
    for name in ("person17.onnx", "person17.pdparams"):
        (tmp_path / name).write_bytes((zoo._SHIPPED / name).read_bytes())
    monkeypatch.setattr(zoo, "_SHIPPED", tmp_path)
    zoo.table.cache_clear()
    try:
        result = paddlepose.load("person17")(PHOTO)
    finally:
        monkeypatch.undo()
        zoo.table.cache_clear()
    assert len(result) == 1
    assert "each picture as a whole is taken for one person" in caplog.text


def test_load_takes_a_detector_of_another_form(real_data):
    path = real_data("movenet") / "movenet-multipose.onnx"
    result = paddlepose.load("person17", detector=path)(PHOTO)
    assert len(result) >= 3
    assert (result.boxes[:, 2:] > 40).all()


def test_what_is_no_detector_is_refused(tmp_path):
    path = tiny_onnx.write_model(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="expected a detector or a bottom-up model, this one is top-down"):
        paddlepose.load("person17", detector=path)
    path = tiny_onnx.write_model(tmp_path / "bare.onnx", card=None)
    with pytest.raises(ValueError, match=r"bare.onnx: its inputs and outputs .* are of no detector known here"):
        runtime.load_detector(path)


def test_deploy_needs_a_photograph_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["deploy", "--img", str(PHOTO)]) == 0
    people = json.loads(Path("output/poses/table_result.json").read_text())["people"]
    assert len(people) >= 3
    assert all(len(person["box"]) == 4 and person["keypoints"]["left_wrist"] for person in people)


def test_demo_draws_the_packages_photograph(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert "the picture: output/demo/skier_result.jpg" in capsys.readouterr().out
    drawn, photo = (cv2.imread(str(path)) for path in ("output/demo/skier_result.jpg", zoo._SHIPPED / "skier.jpg"))
    assert (np.abs(drawn.astype(int) - photo).max(2) > 60).sum() > 1000


def test_demo_needs_no_paddle(tmp_path):
    """In a process of its own that cannot import it."""
    code = (
        "import sys; sys.modules['paddle'] = sys.modules['yaml'] = sys.modules['onnx'] = None\n"
        "from paddlepose.commands import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_take_names(tmp_path):
    """TRAIN.CHECKPOINT, TEST.MODEL_FILE and MODEL.PRETRAINED, by the network of the package."""
    cfg = ROOT / "experiments" / "person17" / "lite_256x192.yaml"
    where = ["OUTPUT_DIR", str(tmp_path), "TRAIN.CHECKPOINT", "person17", "MODEL.PRETRAINED", "person17"]
    job = Job(load_config(cfg, [*where, "TEST.MODEL_FILE", "person17"]), "x")
    job.__dict__["skeleton"] = paddlepose.load("person17").card.skeleton
    state = weights.read(zoo.find("person17"))[0]
    for model in (job.network(), job.trained_network(), job.trained_network(Path("person17"))):
        found = {key: np.asarray(value) for key, value in model.state_dict().items()}
        assert all(np.allclose(found[key], value) for key, value in state.items())
