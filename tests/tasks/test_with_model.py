from dataclasses import replace

import numpy as np
import pytest

from diffuse_cli.degradation.kernels import motion
from diffuse_cli.diffusion.foreign.header import COMMANDS, ForeignHeader, Role
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.source_type import ALTERED, EDITED
from diffuse_cli.provenance.source_type import fitting
from diffuse_cli.restoration.foreign import fitted
from diffuse_cli.restoration.problem import AsTrained, GuidePicture, NoisyPicture
from diffuse_cli.tasks.deblur import Deblur
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from diffuse_cli.tasks.task import Task
from diffuse_cli.tasks.with_model import check_model, with_model

PRIOR = ForeignHeader(
    architecture="DRUNet", role="prior", scale=1, channels=3, margin=64, activation=64, source_sha256="0"
)
PICTURE = Picture(pixels=np.random.default_rng(0).uniform(-0.5, 0.5, (64, 64, 3)).astype(np.float32))


def of(role: Role, **more: float | None) -> ForeignHeader:
    return replace(PRIOR, role=role, architecture="Other", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", COMMANDS)
def test_a_model_is_for_the_commands_of_its_role_alone(role: Role) -> None:
    for op in ("denoise", "dejpeg", "deblur", "restore", "super-resolve", "inpaint", "enhance", "compose", "generate"):
        if op in COMMANDS[role]:
            check_model(of(role), "x", op, drawn=False)
        else:
            with pytest.raises(UsageError, match=f"--model x: is for .*, not for {op}"):
                check_model(of(role), "x", op, drawn=False)


def test_only_priors_draw_samples() -> None:
    check_model(PRIOR, "x", "denoise", drawn=True)
    with pytest.raises(UsageError, match="no samples"):
        check_model(of("denoise"), "x", "denoise", drawn=True)


@pytest.mark.parametrize(
    ("role", "task"),
    [
        ("super-resolve", Denoise()), ("prior", SuperResolve()), ("inpaint", Denoise()), ("prior", Enhance()),
        ("restore", Restore(noise=10)), ("restore", Restore(jpeg=50)), ("deblur", Restore(blur=2)),
        ("restore", Restore(scale=2)), ("restore", Restore(only=("noise",))), ("deblur", Deblur(kernel=motion(9, 0))),
        ("restore", Restore(holes=Inpaint(boxes=[(1, 1, 2, 2)]))), ("denoise", Denoise(noise=10)),
        ("denoise", Denoise(noise="auto-map")), ("denoise", Denoise(noise=25, grain=1.0)),
    ],
)  # fmt: skip
def test_what_a_model_is_not_told_is_refused(role: Role, task: Task) -> None:
    with pytest.raises(UsageError):
        with_model(task, of(role))


def test_restorers_undo_what_they_were_trained_for() -> None:
    tasks: tuple[tuple[Role, Task], ...] = (
        ("restore", Restore()), ("denoise", Restore()), ("deblur", Restore(only=("blur",))), ("dejpeg", Restore()),
    )  # fmt: skip
    for role, task in tasks:
        made = with_model(task, of(role))
        assert isinstance(made.problem(PICTURE).observation, AsTrained)
        assert not made.problem(PICTURE).leaves_alone
        assert made.to_recipe() == {}


def test_a_coder_is_looked_for_and_a_picture_without_one_stays() -> None:
    flat = Picture(pixels=np.full((64, 64, 3), 0.1, np.float32))
    assert with_model(Restore(only=("jpeg",)), of("dejpeg")).problem(flat).leaves_alone
    known = with_model(Restore(only=("jpeg",), jpeg=40), of("dejpeg")).problem(PICTURE)
    assert known.degradation.quality == 40


def test_enlargers_take_pictures_as_they_are() -> None:
    made = with_model(SuperResolve(scale=3), of("super-resolve", scale=4))
    assert made.problem(PICTURE).size == (192, 192)
    assert made.to_recipe()["plain"] is True
    assert "estimated" not in made.to_recipe()


def test_noise_far_from_what_a_denoiser_was_trained_for_is_told() -> None:
    rng = np.random.default_rng(0)
    noisy = Picture(pixels=(0.1 + rng.normal(0, 6 / 127.5, (128, 128, 3))).astype(np.float32))
    assert "may do harm" in with_model(Denoise(), of("denoise", noise=50.0)).problem(noisy).findings.warnings[0]
    assert not with_model(Denoise(), of("denoise", noise=6.0)).problem(noisy).findings.warnings


def test_priors_are_told_white_noise_and_blurs_and_nothing_else() -> None:
    known = with_model(Restore(noise=10, jpeg=50), PRIOR).problem(PICTURE)
    assert known.observation == NoisyPicture(noise=10 / 127.5)
    assert "JPEG compression stays: DRUNet" in known.findings.notes[-1]
    known = with_model(Restore(noise=None, blur=1.5, jpeg=None), PRIOR).problem(PICTURE)
    assert isinstance(known.observation, GuidePicture)
    assert known.observation.linear is not None
    assert known.observation.linear.kernel is not None
    assert known.degradation.blur == 0
    for task in (Restore(scale=2, noise=10), Denoise(noise=20, grain=1.0)):
        with pytest.raises(UsageError, match=r"leave --(scale|grain) out"):
            with_model(task, PRIOR).problem(PICTURE)
    same = Denoise(noise=20).problem(PICTURE)
    assert fitted(same, PRIOR) is same


@pytest.mark.parametrize(
    ("op", "role", "regression", "expected"),
    [
        ("denoise", "prior", True, ALTERED), ("super-resolve", "super-resolve", False, EDITED),
        ("super-resolve", "super-resolve", True, ALTERED), ("inpaint", "inpaint", True, EDITED),
        ("restore", "restore", False, EDITED), ("restore", "denoise", True, ALTERED),
    ],
)  # fmt: skip
def test_results_of_networks_that_may_invent_say_so(op: str, role: str, regression: bool, expected: str) -> None:
    recipe = {"operation": op, "steps": 1, "foreign": {"role": role, "regression": regression}}
    recipe |= {"noise": 10.0} if op == "denoise" else {}
    assert fitting(recipe) == expected
    if op == "denoise":
        assert fitting(recipe | {"noise": 0}) is None
