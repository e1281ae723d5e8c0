"""DICOM on the command line: names, folders, what is told, and what must not be told."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.dicom_files import PATIENT, SECRET, dataset, save, scene
from tests.helpers.program import Program, json_lines

pydicom = pytest.importorskip("pydicom")

HOW = ("--noise", "9", "--dtype", "fp32", "--threads", "1")


@pytest.fixture
def toy_model(toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSE_MODEL", str(toy_file))


pytestmark = pytest.mark.usefixtures("toy_model")


def test_a_result_is_dicom_beside_its_input(run: Program, tmp_path: Path) -> None:
    values = scene(-1000, 2000, (64, 64))
    path = save(dataset([values], stored=16, signed=True), tmp_path / "a.dcm")
    for name in ("1.2.840.7", "IM0001"):
        (tmp_path / name).write_bytes(path.read_bytes())
    ended = run("denoise", *sorted(tmp_path.iterdir()), *HOW)
    assert ended.exit_code == 0, ended.stderr
    assert "one level is 11.8 HU" in ended.stderr
    assert "bits in 16" not in ended.stderr
    made = {path.name for path in tmp_path.iterdir()}
    assert {"a.denoise.dcm", "1.2.840.denoise.dcm", "IM0001.denoise.dcm"} <= made
    after = pydicom.dcmread(tmp_path / "a.denoise.dcm")
    assert "diffuse" in after.DerivationDescription
    assert "denoise (for research, not for diagnosis)" in after.DerivationDescription
    assert (after.pixel_array != values).any()
    assert (int(after.pixel_array.min()), int(after.pixel_array.max())) >= (-1000, -1000)
    written = (tmp_path / "a.denoise.dcm").stat().st_mtime_ns
    assert run("denoise", tmp_path / "a.dcm", *HOW, "--resume").exit_code == 0
    assert (tmp_path / "a.denoise.dcm").stat().st_mtime_ns == written


def test_all_frames_of_all_files_of_a_folder(run: Program, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save(dataset([scene(0, 200, (32, 32))] * 2), tmp_path / "in" / "a.dcm")
    save(dataset([scene(0, 200, (32, 32))], kind="MONOCHROME1"), tmp_path / "in" / "b.DICOM")
    (tmp_path / "in" / "c.dcm").write_bytes(b"no DICOM")
    ended = run("super-resolve", tmp_path / "in", "-o", tmp_path / "out", "--scale", "2", *HOW[2:])
    assert ended.exit_code == 1  # c.dcm alone
    assert "c.dcm: not a picture" in ended.stderr
    assert pydicom.dcmread(tmp_path / "out" / "a.dcm").pixel_array.shape == (2, 64, 64)
    made = pydicom.dcmread(tmp_path / "out" / "b.DICOM")
    assert (made.PixelSpacing, made.PhotometricInterpretation) == ([0.25, 0.125], "MONOCHROME1")


def test_info_verify_and_replay_know_it(run: Program, tmp_path: Path, toy_file: Path) -> None:
    path = save(dataset([scene(-1000, 2000, (64, 64))], stored=16, signed=True), tmp_path / "a.dcm")
    assert run("inpaint", path, "--box", "4,4,9,9", *HOW[2:]).exit_code == 0
    made = tmp_path / "a.inpaint.dcm"
    (said,) = json_lines(run("info", "--json", made).stdout)
    assert said["recipe"]["operation"] == "inpaint"
    assert said["digital_source_type"] is not None
    assert said["dicom"]["modality"] == "CT"
    assert said["dicom"]["spacing"] == [0.5, 0.25]
    assert "range:        -1000 to 2000 HU; one level of noise is 11.8 HU" in run("info", path).stdout
    ended = run("verify", made, "--against", path)
    assert ended.exit_code == 0, ended.stdout
    ended = run("replay", made, "--input", path, "--model", toy_file, "--threads", "1")
    assert ended.exit_code == 0, ended.stdout + ended.stderr
    assert "the same bytes" in ended.stdout
    before, after = pydicom.dcmread(path).pixel_array, pydicom.dcmread(made).pixel_array
    outside = np.ones(before.shape, bool)
    outside[4:13, 4:13] = False
    assert (before == after)[outside].all()


def test_nothing_is_told_of_the_patient(run: Program, tmp_path: Path) -> None:
    made = dataset([scene(0, 3000, (64, 64))], WindowCenter="1500", WindowWidth="3000")
    path = save(made, tmp_path / "a.dcm")
    out = tmp_path / "out"
    ended = run(
        "denoise", path, "-o", f"{out}/b.png", "-v", "--report", out / "report.html", "--compare", out / "c.png",
        "--uncertainty", out / "u.png", "--journal", out / "journal.jsonl", *HOW,
    )  # fmt: skip
    assert ended.exit_code == 0, ended.stderr
    told = [ended.stdout, ended.stderr, run("info", path).stdout, run("estimate", path).stdout]
    told += [file.read_bytes().decode("latin-1") for file in out.iterdir()]
    assert len(told) >= 8
    for word in (*PATIENT.split("^"), SECRET):
        assert not any(word in text for text in told), word


def test_help_says_what_it_is_not_for(run: Program) -> None:
    assert "not for diagnosis" in " ".join(run("denoise", "--help").stdout.split())
