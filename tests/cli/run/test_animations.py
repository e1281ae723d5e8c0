"""Animations go through the commands frame by frame."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import levels_of
from diffuse_cli.provenance import recipe
from tests.helpers import animations
from tests.helpers.program import Program, json_lines
from tests.images.test_animation_reader import cut_in_frame

SUFFIXES = (".gif", ".png", ".webp")
FIXED = ("--dtype", "fp32", "--threads", "1")


@pytest.fixture
def moves(tmp_path: Path) -> list[Path]:
    """An animation of each format, with transparency."""
    ways: dict[str, dict[str, object]] = {".gif": {"disposal": 2}, ".png": {"disposal": 1}, ".webp": {}}
    return [animations.save(tmp_path / f"a{suffix}", "RGBA", **way) for suffix, way in ways.items()]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_format_times_repetitions_and_transparency_are_kept(
    run: Program, toy_file: Path, tmp_path: Path, moves: list[Path], suffix: str
) -> None:
    result = run("denoise", f"a{suffix}", "--noise", "9", "--model", toy_file, *FIXED)
    assert result.exit_code == 0
    before, after = tmp_path / f"a{suffix}", tmp_path / f"a.denoise{suffix}"
    assert f"a{suffix}: an animation of 6 frames; what is estimated is estimated of frame 4" in result.stderr
    assert animations.durations(after) == list(animations.DURATIONS)
    assert animations.loop(after) == animations.loop(before) == 2
    for one, other in zip(animations.shown(before), animations.shown(after), strict=True):
        there, was = np.asarray(other).astype(int), np.asarray(one).astype(int)
        np.testing.assert_array_equal(there[..., 3], was[..., 3])
        seen = was[..., 3] > 0
        assert (there != was)[seen].any()
        assert np.abs(there - was)[seen].mean() < 60
    told = recipe.read(after)
    assert told is not None
    assert (told["frames"], told["noise"]) == (6, 9)
    again = run("replay", after, "--input", before, "--model", toy_file, "--threads", "1")
    assert again.exit_code == 0
    assert "the same bytes" in again.stdout
    assert run("denoise", f"a{suffix}", "--noise", "9", "--model", toy_file, *FIXED, "--resume").exit_code == 0


def test_each_command_takes_frames(run: Program, toy_file: Path, tmp_path: Path, moves: list[Path]) -> None:
    commands = {
        "restore": ["--noise", "9", "--jpeg", "100", "--blur", "0"], "super-resolve": ["--scale", "1.5", "--plain"],
        "inpaint": ["--box", "4,4,6,6"], "enhance": ["--exposure", "1"], "dejpeg": ["--jpeg", "50"],
        "deblur": ["--motion", "3,0"],
    }  # fmt: skip
    for command, options in commands.items():
        result = run(command, "a.webp", *options, "--model", toy_file, *FIXED, "-o", f"{command}.webp")
        assert result.exit_code == 0, result.stderr
        found = list(read_pages(tmp_path / f"{command}.webp"))
        assert len(found) == 6
        assert found[0].pixels.shape[:2] == ((60, 72) if command == "super-resolve" else (40, 48))
        assert found[0].alpha is not None


def test_other_formats(run: Program, toy_file: Path, tmp_path: Path, moves: list[Path]) -> None:
    def call(*arguments: str | Path) -> tuple[int, str]:
        result = run("denoise", *arguments, "--noise", "9", "--model", toy_file, *FIXED)
        return result.exit_code, result.stderr

    code, said = call("a.gif", "--format", "png")
    assert code == 0
    assert "a.denoise.png: written as an animated PNG (APNG)" in said
    assert len(list(read_pages(tmp_path / "a.denoise.png"))) == 6
    for name in ("b.jpg", "b.tif"):
        code, said = call("a.gif", "-o", name)
        assert code == 1
        assert (
            f"{name}: {'JPEG' if name == 'b.jpg' else 'TIFF'} cannot hold an animation; use -o out.png (APNG)" in said
        )
        assert not (tmp_path / name).exists()
    assert call("a.png", "-o", "c.gif")[0] == 0
    animations.frames()[0].save(tmp_path / "still.png")
    code, said = call("still.png", "-o", "d.gif")
    assert code == 2
    assert "d.gif: GIF is written for animations only, since it holds 256 colours; give --format png" in said


def test_a_still_gif_becomes_a_png(run: Program, toy_file: Path, tmp_path: Path) -> None:
    animations.frames()[0].save(tmp_path / "still.gif")
    result = run("denoise", "still.gif", "--noise", "9", "--model", toy_file, *FIXED)
    assert result.exit_code == 0
    assert "still.gif: GIF is read but not written, so the result is a PNG" in result.stderr
    assert (tmp_path / "still.denoise.png").is_file()


def test_pipes(run: Program, toy_file: Path, tmp_path: Path, moves: list[Path]) -> None:
    data = (tmp_path / "a.gif").read_bytes()
    result = run("denoise", "-", "--noise", "9", "--model", toy_file, *FIXED, stdin=data)
    assert result.exit_code == 0
    (tmp_path / "b.gif").write_bytes(result.stdout_bytes)
    assert animations.durations(tmp_path / "b.gif") == list(animations.DURATIONS)


def test_comparison_and_report_show_the_first_frame(
    run: Program, toy_file: Path, tmp_path: Path, moves: list[Path]
) -> None:
    result = run(
        "denoise", "a.png", "--noise", "9", "--model", toy_file, *FIXED, "--compare", "c.png", "--report", "r.html"
    )
    assert result.exit_code == 0
    assert (tmp_path / "c.png").is_file()
    assert "a.png" in (tmp_path / "r.html").read_text()


def test_what_takes_one_picture_says_so(run: Program, toy_file: Path, tmp_path: Path, moves: list[Path]) -> None:
    result = run("inpaint", "a.png", "--box", "1,1,4,4", "--save-mask", "m.png", "--model", toy_file, *FIXED)
    assert result.exit_code == 1
    assert "has several pages or frames; leave --save-mask out" in result.stderr
    assert run("denoise", "a.png", "--noise", "9", "--model", toy_file, *FIXED, "-o", "b.png").exit_code == 0
    result = run("verify", "b.png", "--against", "a.png")
    assert result.exit_code == 1
    assert "an animation of 6 frames; save one of them as a picture first" in result.stderr


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_damaged_frames(run: Program, toy_file: Path, tmp_path: Path, suffix: str) -> None:
    whole = animations.save(tmp_path / f"whole{suffix}")
    (tmp_path / f"a{suffix}").write_bytes(cut_in_frame(whole, 3))
    options = ("--noise", "9", "--model", toy_file, *FIXED)
    result = run("denoise", f"a{suffix}", *options)
    assert result.exit_code == 0
    assert f"a{suffix}: damaged: frame 4 cannot be read, so the animation ends before it" in result.stderr
    assert len(list(read_pages(tmp_path / f"a.denoise{suffix}"))) == 3
    result = run("denoise", f"a{suffix}", *options, "--damaged", "refuse", "-o", f"b{suffix}")
    assert result.exit_code == 1
    assert "damaged: frame 4 cannot be read, so the animation ends before it; --damaged keep takes" in result.stderr
    assert not (tmp_path / f"b{suffix}").exists()


def test_info_and_estimate_tell_frames_and_duration(run: Program, tmp_path: Path, moves: list[Path]) -> None:
    lines = json_lines(run("info", "--json", *moves).stdout)
    plays = {".gif": 3, ".png": 2, ".webp": 2}
    assert [line["animation"] for line in lines] == [
        {"frames": 6, "seconds": 0.95, "plays": plays[path.suffix]} for path in moves
    ]
    assert "6 frames, 0.95 s, played 3 times" in run("info", "a.gif").stdout
    result = run("estimate", "a.png", "--json")
    line = json.loads(result.stdout.splitlines()[0])
    json_lines(result.stdout)
    assert line["animation"] == {"frames": 6, "seconds": 0.95, "frame": 4}
    assert "48x40, 6 frames, 0.95 s, estimated of frame 4" in run("estimate", "a.png").stdout


def test_the_same_noise_is_removed_from_all_frames(run: Program, toy_file: Path, tmp_path: Path) -> None:
    """Frames that look alike have results that look alike, whatever an estimate of each would have said."""
    made = animations.frames(noise=12.0)
    pages = [made[0], animations.frames(noise=0.0)[0], made[0], made[1]]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=40)
    assert run("denoise", "a.png", "--model", toy_file, *FIXED).exit_code == 0
    found = [levels_of(page) for page in read_pages(tmp_path / "a.denoise.png")]
    np.testing.assert_array_equal(found[0], found[2])
    assert (found[3] != levels_of(list(read_pages(tmp_path / "a.png"))[3])).any()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_programs_see_the_same_animation(
    run: Program, toy_file: Path, tmp_path: Path, moves: list[Path], suffix: str
) -> None:
    import subprocess

    tool = shutil.which("ffprobe") if suffix == ".png" else shutil.which("identify")
    if tool is None:
        pytest.skip("needs ffprobe and ImageMagick")
    assert run("denoise", f"a{suffix}", "--noise", "9", "--model", toy_file, *FIXED, "-o", f"b{suffix}").exit_code == 0
    if suffix == ".png":
        how = ["-v", "error", "-show_entries", "frame=pkt_duration_time,duration_time", "-of", "csv=p=0"]
    else:
        how = ["-format", "%T\n"]
    said = [
        subprocess.run([tool, *how, f"{name}{suffix}"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for name in "ab"
    ]
    assert said[0] == said[1]
    assert len(said[1].split()) == 6
