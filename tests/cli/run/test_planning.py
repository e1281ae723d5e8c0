"""Plans of the commands: names and places that cannot be written are known before the work."""

from pathlib import Path

import pytest

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import write_picture
from tests.helpers.program import Program
from tests.images.test_faults import noisy


def test_names_that_are_too_long_are_known_before_the_work(tmp_path: Path, run: Program) -> None:
    name = "x" * 250 + ".png"
    write_picture(noisy(16), tmp_path / name)
    for arguments in ([name], ["y" * 300 + ".png"]):
        result = run("inpaint", *arguments, "--box", "2,2,2,2")
        assert result.exit_code == 2
        assert "the name is too long" in result.stderr


@pytest.mark.parametrize("name", ["in.png", "IN.PNG", "In.png", "soft.png", "hard.png", "folder/in.png"])
def test_an_input_is_never_the_output(name: str, tmp_path: Path, run: Program) -> None:
    write_picture(noisy(16), tmp_path / "in.png")
    before = (tmp_path / "in.png").read_bytes()
    (tmp_path / "soft.png").symlink_to("in.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "in.png")
    (tmp_path / "folder").symlink_to(".")
    result = run("inpaint", "in.png", "--box", "2,2,2,2", "-f", "-o", name)
    assert result.exit_code == 2
    assert "is an input, which is never overwritten" in result.stderr
    assert (tmp_path / "in.png").read_bytes() == before


def test_a_read_only_folder(read_only_disk: Path, tmp_path: Path, run: Program) -> None:
    with pytest.raises(PictureError, match="the disk is read-only; choose another place"):
        write_picture(noisy(), read_only_disk / "a.png")
    write_picture(noisy(20), tmp_path / "in.png")
    result = run("inpaint", "in.png", "--box", "2,2,2,2", "-o", f"{read_only_disk}/")
    assert result.exit_code == 2
    assert "cannot be written to" in result.stderr
