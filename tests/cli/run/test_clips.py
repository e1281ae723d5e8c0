"""Clips go through the commands frame by frame."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.video.clip import ClipPart
from diffuse_cli.restoration.samples import Samples
from tests.helpers import clips
from tests.helpers.program import Program, json_lines

pytest.importorskip("av")
pytest.importorskip("cv2")

FIXED = ("--dtype", "fp32", "--threads", "1")


def test_each_command_takes_clips(run: Program, toy_file: Path, tmp_path: Path) -> None:
    clips.save(tmp_path / "a.mp4", sound=True, noise=8)
    commands = {
        "denoise": ["--noise", "9"], "restore": ["--noise", "9", "--jpeg", "100", "--blur", "0"],
        "super-resolve": ["--scale", "1.5", "--plain"], "enhance": ["--exposure", "1"],
    }  # fmt: skip
    before = clips.told(tmp_path / "a.mp4")
    for command, options in commands.items():
        result = run(command, "a.mp4", *options, "--model", toy_file, *FIXED, "-o", f"{command}.mp4")
        assert result.exit_code == 0, result.stderr
        assert "a.mp4: a clip of 6 frames; what is estimated is estimated of frame 4" in result.stderr
        after = clips.told(tmp_path / f"{command}.mp4")
        assert after["video"] == ("h264", *((72, 48) if command == "super-resolve" else (48, 32)), "yuv420p")
        for key in ("times", "tags", "others", "chapters", "title"):
            assert after[key] == before[key]


def test_recipe_and_resume(run: Program, toy_file: Path, tmp_path: Path) -> None:
    clips.save(tmp_path / "a.mov", noise=8)
    call = ("denoise", "a.mov", "--noise", "9", "--model", toy_file, *FIXED, "--start", "0.1", "--frames", "3")
    result = run(*call, "--json")
    assert result.exit_code == 0, result.stderr
    line = json_lines(result.stdout)[0]
    assert (line["recipe"]["frames"], line["recipe"]["temporal"], line["recipe"]["crf"]) == (3, "on", 18.0)
    assert Path(str(line["output"])).name == "a.denoise.mp4"
    with clips.av().open(str(tmp_path / "a.denoise.mp4")) as made:
        comment = made.metadata["comment"]
    assert json.loads(comment.removeprefix("restored by diffuse: "))["noise"] == 9
    again = run(*call, "--resume", "--json")
    assert json_lines(again.stdout)[0]["status"] == "skipped"


def test_a_clip_that_needs_nothing_is_copied(run: Program, toy_file: Path, tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4", sound=True, rotation=90)
    result = run("denoise", "a.mp4", "--noise", "0", "--model", toy_file, *FIXED, "-o", "b.mkv")
    assert result.exit_code == 0, result.stderr
    assert "nothing was changed, so the coded video was copied" in result.stderr
    after, before = (list(clips.told(one)["others"].values()) for one in (tmp_path / "b.mkv", path))
    assert after == before
    pairs = zip(read_pages(path, part=ClipPart()), read_pages(tmp_path / "b.mkv", part=ClipPart()), strict=True)
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in pairs)


def test_earlier_frames_make_less_flicker(run: Program, toy_file: Path, tmp_path: Path) -> None:
    with clips.av().open(str(tmp_path / "a.mkv"), "w") as target:
        stream = target.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr0"
        for k in range(8):
            levels = 120 + np.random.default_rng(k).normal(0, 15, (64, 64, 3))
            frame = clips.av().VideoFrame.from_ndarray(levels.clip(0, 255).astype(np.uint8), format="rgb24")
            target.mux(stream.encode(frame.reformat(format="bgr0")))
        target.mux(stream.encode(None))
    changes = []
    for temporal in ("on", "off"):
        options = ("--noise", "15", "--strength", "1", "--temporal", temporal, "--codec", "ffv1")
        result = run("denoise", "a.mkv", *options, "--model", toy_file, *FIXED, "-o", f"{temporal}.mkv")
        assert result.exit_code == 0, result.stderr
        assert ("a.mkv: 1 scene, 0 repeated frames" in result.stderr) == (temporal == "on")
        frames = [page.pixels for page in read_pages(tmp_path / f"{temporal}.mkv", part=ClipPart())]
        changes.append(np.std(frames[-1] - frames[-2]))
    assert changes[0] < 0.8 * changes[1]


def test_damage_is_told_or_refused(run: Program, toy_file: Path, tmp_path: Path) -> None:
    whole = clips.save(tmp_path / "a.mp4", count=20, options={"movflags": "+faststart"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    call = ("denoise", "cut.mp4", "--noise", "9", "--model", toy_file, *FIXED)
    kept = run(*call)
    assert kept.exit_code == 0, kept.stderr
    assert "of 20 frames cannot be decoded and are missing" in kept.stderr
    refused = run(*call, "-o", "b.mp4", "--damaged", "refuse")
    assert refused.exit_code == 1
    assert not (tmp_path / "b.mp4").exists()


def test_what_clips_cannot_have_is_refused(run: Program, toy_file: Path, tmp_path: Path) -> None:
    clips.save(tmp_path / "a.mp4")
    Image.fromarray(clips.levels(0)).save(tmp_path / "a.png")

    def call(*arguments: str) -> tuple[int, str]:
        result = run(*arguments, "--model", toy_file, *FIXED)
        return result.exit_code, result.stderr

    assert call("inpaint", "a.mp4", "--box", "1,1,4,4")[0] == 1
    code, said = call("denoise", "a.mp4", "--noise", "9", "--uncertainty", "u.png")
    assert (code, "a clip has one result" in said) == (1, True)
    code, said = call("denoise", "a.png", "--noise", "9", "--crf", "20")
    assert (code, "--crf is for clips" in said) == (2, True)
    code, said = call("denoise", "a.png", "--noise", "9", "-o", "b.mp4")
    assert (code, "MP4 is written for clips only" in said) == (1, True)
    code, said = call("denoise", "a.mp4", "--noise", "9", "-o", "a.mp4", "-f")
    assert (code, "never overwritten" in said) == (2, True)
    assert not (tmp_path / "b.mp4").exists()


def test_a_killed_run_goes_on_to_the_same_bytes(
    run: Program, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffuse_cli.cli.run.restorer.FRAMES", 4)
    monkeypatch.setattr("diffuse_cli.cli.run.clip_parts.FRAMES", 4)
    clips.save(tmp_path / "a.mkv", count=11, noise=8, sound=True)
    call = ("denoise", "a.mkv", "--noise", "9", "--model", toy_file, *FIXED, "-o")
    assert run(*call, "whole.mkv", "--compare", "c.mkv").exit_code == 0
    restored, count = Samples.restored, 0

    def killed(self: Samples, *arguments: object) -> object:
        nonlocal count
        count += 1
        if count == 7:
            raise SystemExit(9)
        return restored(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Samples, "restored", killed)
        assert run(*call, "killed.mkv", "--compare", "d.mkv").exit_code == 9
    assert not (tmp_path / "killed.mkv").exists()
    again = run(*call, "killed.mkv", "--compare", "d.mkv", "--resume")
    assert again.exit_code == 0, again.stderr
    assert "killed.mkv: going on after frame 4 of 11" in again.stderr
    for one, other in (("whole", "killed"), ("c", "d")):
        assert (tmp_path / f"{one}.mkv").read_bytes() == (tmp_path / f"{other}.mkv").read_bytes()
    assert clips.told(tmp_path / "c.mkv")["video"][1:3] == (96, 32)
    assert clips.told(tmp_path / "killed.mkv")["times"] == clips.told(tmp_path / "a.mkv")["times"]
    assert not list(tmp_path.glob(".*parts"))


def test_a_signal_leaves_whole_segments(
    run: Program, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffuse_cli.cli.run.restorer.FRAMES", 2)
    monkeypatch.setattr("diffuse_cli.cli.run.clip_parts.FRAMES", 2)
    clips.save(tmp_path / "a.mp4", noise=8)
    call = ("denoise", "a.mp4", "--noise", "9", "--model", toy_file, *FIXED, "-o", "b.mp4")
    restored, count = Samples.restored, 0

    def stopped(self: Samples, *arguments: object) -> object:
        nonlocal count
        count += 1
        if count == 3:
            signal.raise_signal(signal.SIGINT)
        return restored(self, *arguments)  # type: ignore[arg-type]

    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    with monkeypatch.context() as patched:
        patched.setattr(Samples, "restored", stopped)
        result = run(*call)
    signal.signal(signal.SIGINT, inherited)
    assert result.exit_code == 130
    assert "0 done, 0 skipped, 0 failed, 1 left; add --resume" in result.stderr
    assert len(list(tmp_path.glob(".*parts"))) == 1
    again = run(*call, "--resume")
    assert "b.mp4: going on after frame 2 of 6" in again.stderr
    assert len(clips.told(tmp_path / "b.mp4")["times"]) == 6


def test_pipes_carry_y4m(run: Program, toy_file: Path, tmp_path: Path) -> None:
    clips.save(tmp_path / "a.mp4", sound=True, noise=8)
    call = ("--noise", "9", "--model", toy_file, *FIXED)
    first = run("denoise", "a.mp4", *call, "-o", "-")
    assert first.exit_code == 0, first.stderr
    assert first.stdout_bytes.startswith(b"YUV4MPEG2 W48 H32 F10:1")
    assert "stdout: without sound 1 (aac), which Y4M cannot hold" in first.stderr
    second = run("denoise", "-", *call, "-o", "b.mkv", stdin=first.stdout_bytes)
    assert second.exit_code == 0, second.stderr
    assert clips.told(tmp_path / "b.mkv")["times"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_comparison_of_a_clip_is_a_clip(run: Program, toy_file: Path, tmp_path: Path) -> None:
    clips.save(tmp_path / "a.mp4", sound=True, noise=8)
    call = ("super-resolve", "a.mp4", "--scale", "2", "--plain", "--model", toy_file, *FIXED, "-o", "b.mp4")
    refused = run(*call, "--compare", "c.png")
    assert (refused.exit_code, "the comparison of a clip is one; name it c.png.mp4" in refused.stderr) == (2, True)
    result = run(*call, "--compare", "c.mp4")
    assert result.exit_code == 0, result.stderr
    assert clips.told(tmp_path / "c.mp4")["video"] == ("h264", 192, 64, "yuv420p")
    assert clips.told(tmp_path / "c.mp4")["others"] == clips.told(tmp_path / "b.mp4")["others"]
    same = run("denoise", "a.mp4", "--noise", "0", "--model", toy_file, *FIXED, "-o", "d.mp4", "--compare", "e.mp4")
    assert same.exit_code == 0, same.stderr
    (first, *_) = read_pages(tmp_path / "e.mp4", part=ClipPart())
    assert np.abs(first.pixels[:, :48] - first.pixels[:, 48:]).mean() < 0.03


def test_info_estimate_and_replay_know_clips(run: Program, toy_file: Path, tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mkv", sound=True, subtitles=True, noise=8, size=(64, 64))
    result = run("denoise", "a.mkv", "--noise", "9", "--model", toy_file, *FIXED, "--frames", "3", "-o", "b.mkv")
    assert result.exit_code == 0, result.stderr
    (said,) = json_lines(run("info", "--json", "b.mkv").stdout)
    assert (said["format"], said["width"], said["depth"], said["recipe"]["noise"]) == ("MKV", 64, "8", 9)
    assert said["clip"]["streams"] == ["sound (pcm_s16le)", "subtitles (srt, deu)"]
    assert (said["clip"]["coding"], said["clip"]["chapters"], said["clip"]["hdr"]) == ("h264", 1, None)
    assert "clip:         " in run("info", "a.mkv").stdout
    again = run("replay", "b.mkv", "--input", path, "--model", toy_file, "--threads", "1")
    assert again.exit_code == 0, again.stderr + again.stdout
    assert "the same bytes" in again.stdout
    refused = run("verify", "b.mkv", "--against", path)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert "a clip, which is not read here" in refused.stderr


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_file_without_video_or_cut_off_is_refused_in_one_line(
    run: Program, toy_file: Path, tmp_path: Path, name: str
) -> None:
    whole = clips.save(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:60])
    with clips.av().open(str(tmp_path / "sound.mkv"), "w") as target:
        tone = target.add_stream("pcm_s16le", rate=8000, layout="mono")
        target.mux(tone.encode(clips.tone(0, tone)))
        target.mux(tone.encode(None))
    for path, message in ((name, ""), ("sound.mkv", "there is no video in it")):
        result = run("denoise", path, "--noise", "9", "--model", toy_file, *FIXED)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert message in result.stderr
    assert {one.name for one in tmp_path.iterdir()} == {name, "sound.mkv"}
