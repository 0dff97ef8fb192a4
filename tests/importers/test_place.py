"""Archives and files that would do harm, and which image a name means."""

import zipfile

import pytest
import tool_exports as tools

from paddlepose.importers import _place, cvat
from paddlepose.importers._place import Place


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "a/../../evil.jpg",
        "/evil.jpg",
        "..\\evil.jpg",
        "C:\\evil.jpg",
        "C:evil.jpg",
        "\\\\host\\evil.jpg",
    ],
)
def test_a_member_that_leads_out_of_the_archive(tmp_path, name):
    (tmp_path / "in").mkdir()
    path = tools.write_zip(tmp_path / "in" / "export.zip", {"a.json": b"{}", name: b"x"})
    with (
        pytest.raises(ValueError, match=r"export\.zip: its member '.*' leads out of the archive"),
        _place.opened(path, tmp_path / "in"),
    ):
        pass
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["export.zip"]


def test_only_labels_and_images_are_unpacked_and_removed_again(tmp_path):
    members = {"images/12:30.jpg": b"x", "a.json": b"{}", "run.py": b"x", ".hidden.json": b"{}", "__MACOSX/a.jpg": b"x"}
    path = tools.write_zip(tmp_path / "export.zip", members)
    with _place.opened(path, tmp_path) as place:
        assert [one.relative_to(place.root).as_posix() for one in place.files] == ["a.json", "images/12:30.jpg"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_that_would_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(_place, "_ALWAYS", 2**10)
    path = tools.write_zip(tmp_path / "export.zip", {"a.json": b" " * 2**20})
    with (
        pytest.raises(ValueError, match=r"export\.zip: would unpack to [0-9,]+ times its size"),
        _place.opened(path, tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_a_member_that_is_larger_than_it_says(tmp_path):
    path = tools.write_zip(tmp_path / "export.zip", {"a.json": b"0123456789" * 100})
    data = path.read_bytes()
    path.write_bytes(data.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with (
        pytest.raises(ValueError, match=r"export\.zip: not a zip archive that can be read"),
        _place.opened(path, tmp_path),
    ):
        pass


def test_a_damaged_archive(tmp_path):
    path = tools.write_zip(tmp_path / "export.zip", {"a.json": bytes(range(256)) * 100})
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    assert zipfile.is_zipfile(path)
    with (
        pytest.raises(ValueError, match=r"export\.zip: not a zip archive that can be read"),
        _place.opened(path, tmp_path),
    ):
        pass


def test_mistakes_in_an_archive_name_the_archive(tmp_path):
    path = tools.write_zip(tmp_path / "export.zip", {"annotations.xml": b"<annotations><version>1.1</version><meta>"})
    with (
        pytest.raises(ValueError, match=r"export\.zip/annotations\.xml: not XML"),
        _place.opened(path, tmp_path) as place,
    ):
        cvat.read(cvat.find(place), place, ())


def test_a_document_whose_entities_explode(tmp_path):
    lines = ['<!ENTITY a0 "ha">', *(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(20))]
    content = "<annotations><version>&a20;</version><meta/></annotations>"
    text = f"<?xml version='1.0'?><!DOCTYPE x [{''.join(lines)}]>{content}"
    (tmp_path / "annotations.xml").write_text(text)
    place = Place(tmp_path)
    with pytest.raises(ValueError, match=r"annotations\.xml: has a DOCTYPE"):
        cvat.read(cvat.find(place), place, ())


# Images of a folder, the file of labels, a name in it, and the image that is meant.
@pytest.mark.parametrize(
    ("images", "labels", "name", "expected"),
    [
        (["images/a.jpg"], "annotations/x.json", "a.jpg", "images/a.jpg"),
        (["images/a.jpg"], "x.json", "images/a.jpg", "images/a.jpg"),
        (["images/a.jpg"], "labels/x.json", "..\\images\\a.jpg", "images/a.jpg"),
        (["images/a.jpg"], "x.json", "/home/somebody/set/images/a.jpg", "images/a.jpg"),
        (["train/a.jpg", "valid/a.jpg"], "valid/x.json", "a.jpg", "valid/a.jpg"),
        (["images/train/a.jpg", "images/val/a.jpg"], "annotations/keypoints_val.json", "a.jpg", "images/val/a.jpg"),
        (["one/a.jpg", "two/a.jpg"], "x.json", "two/a.jpg", "two/a.jpg"),
        (["one/a.jpg", "b/two/a.jpg"], "x.json", "somewhere/two/a.jpg", "b/two/a.jpg"),
        (["images/frame_000001.PNG"], "x.xml", "frame_000001", "images/frame_000001.PNG"),
        (["images/b.jpg"], "x.json", "a.jpg", None),
        (["../outside.jpg", "b.jpg"], "x.json", "../outside.jpg", None),
    ],
)
def test_which_image_a_name_means(tmp_path, images, labels, name, expected):
    root = tmp_path / "set"
    for path in (*images, labels):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert Place(root).picture(name, root / labels) == (expected and root / expected)


def test_a_name_that_may_mean_two_images(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").touch()
    with pytest.raises(ValueError, match=r"x\.json: 'a\.jpg' may be one/a\.jpg and two/a\.jpg"):
        Place(tmp_path).picture("a.jpg", tmp_path / "x.json")


def test_folders_that_are_links(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.jpg").touch()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "set")
    assert [path.name for path in Place(tmp_path / "set").files] == ["a.jpg"]
