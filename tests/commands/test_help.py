"""What the commands say of themselves, and of mistyped options."""

import re

import pytest

import paddlepose
from paddlepose import plugins
from paddlepose.commands import main


def test_help_has_a_line_for_each_command(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in plugins.names("commands"):
        (line,) = (line for line in lines if line.startswith(f"  {name} "))
        assert re.fullmatch(r"\s+\S+\s+[A-Z][^`]{8,}[^.:]", line), line


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"paddlepose {paddlepose.__version__}\n"


@pytest.mark.parametrize("name", plugins.names("commands"))
def test_a_command_calls_itself_by_its_name(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: paddlepose {name} [-h]")


def test_a_mistyped_option_is_one_line_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--confg", "x.yaml"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the following arguments are required: --cfg; no option --confg, did you mean '--cfg'?" in line


@pytest.mark.parametrize("box", [["--bbox", "-5,0,90,200"], ["--bbox=-5,0,90,200"]])
def test_a_box_may_begin_with_a_negative_number(box, tmp_path):
    photo = str(next(iter(paddlepose.__path__)) + "/shipped/skier.jpg")
    assert main(["deploy", "--img", photo, *box, "--out", str(tmp_path)]) == 0
    assert '"box": [\n    -5.0,' in (tmp_path / "skier_result.json").read_text()
