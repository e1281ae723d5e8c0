"""Plans: names, collisions, and what is refused before anything runs."""

from pathlib import Path

import pytest

from diffuse_cli import batch
from diffuse_cli.errors import PictureError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg", "sub/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def outputs(jobs: list[batch.Job]) -> list[str]:
    return [job.output.name for job in jobs]


def test_default_names_lie_beside_the_inputs(folder: Path) -> None:
    jobs = batch.plan([folder / "a.png", folder / "b.jpg"], None, "denoise", force=False)
    assert outputs(jobs) == ["a.denoise.png", "b.denoise.jpg"]
    assert {job.output.parent for job in jobs} == {folder}


def test_a_slash_makes_a_folder_and_names_are_kept(folder: Path) -> None:
    jobs = batch.plan([folder / "a.png", folder / "b.jpg"], f"{folder}/new/deep/", "denoise", force=False)
    assert [job.output for job in jobs] == [folder / "new/deep/a.png", folder / "new/deep/b.jpg"]
    assert (folder / "new/deep").is_dir()


@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_an_output(folder: Path, force: bool) -> None:
    (folder / "hard.png").hardlink_to(folder / "a.png")
    (folder / "soft.png").symlink_to(folder / "a.png")
    for output in ("a.png", "hard.png", "soft.png"):
        with pytest.raises(UsageError, match="input"):
            batch.plan([folder / "a.png"], str(folder / output), "denoise", force=force)
    with pytest.raises(UsageError, match="input"):
        batch.plan([folder / "a.png", folder / "b.jpg"], f"{folder}/", "denoise", force=force)


def test_existing_outputs_need_force(folder: Path) -> None:
    with pytest.raises(UsageError, match="-f"):
        batch.plan([folder / "a.png"], str(folder / "b.jpg"), "denoise", force=False)
    assert outputs(batch.plan([folder / "a.png"], str(folder / "b.jpg"), "denoise", force=True)) == ["b.jpg"]


def test_two_inputs_of_one_name_collide_even_in_another_case(folder: Path) -> None:
    with pytest.raises(UsageError, match="both"):
        batch.plan([folder / "a.png", folder / "sub/a.png"], f"{folder}/out/", "denoise", force=True)
    (folder / "sub/A.PNG").write_bytes(b"")
    with pytest.raises(UsageError, match="both"):
        batch.plan([folder / "a.png", folder / "sub/A.PNG"], f"{folder}/out/", "denoise", force=True)


def test_one_failure_stops_nothing_and_is_remembered(folder: Path) -> None:
    jobs = batch.plan([folder / "a.png", folder / "b.jpg", folder / "sub/a.png"], None, "x", force=False)

    def work(job: batch.Job) -> None:
        if job.source.suffix == ".jpg":
            raise PictureError("broken")
        if job.source.parent.name == "sub":
            raise ZeroDivisionError("a defect")

    outcome = batch.run(jobs, work)
    assert [job.source.name for job, _ in outcome.done] == ["a.png"]
    assert [str(error) for _, error in outcome.failed] == ["broken", "ZeroDivisionError: a defect"]
    assert outcome.exit_code == 1


def test_memory_that_ran_out_has_its_own_code(folder: Path) -> None:
    def work(job: batch.Job) -> None:
        raise MemoryError

    assert batch.run(batch.plan([folder / "a.png"], None, "x", force=False), work).exit_code == 4
