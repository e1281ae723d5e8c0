"""What a command makes of an imported model, known from its header alone."""

from dataclasses import replace

import pytest

from diffuse_cli.cli.options.compute import Compute
from diffuse_cli.cli.run import imported
from diffuse_cli.cli.run.task_source import SameTask
from diffuse_cli.diffusion.foreign.header import ForeignHeader
from diffuse_cli.errors import UsageError
from diffuse_cli.tasks.inpaint import Inpaint

LAMA = ForeignHeader(
    architecture="LaMa", role="inpaint", scale=1, channels=3, margin=0, activation=64, source_sha256="0"
)


def known(monkeypatch: pytest.MonkeyPatch, header: ForeignHeader | None) -> Compute:
    """Options that name a model of that header."""
    monkeypatch.setattr(imported, "header_of", lambda compute: None if header is None else ("x", header))
    return Compute(model="x", tile="64")


def test_an_enlarger_has_a_factor_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    enlarger = replace(LAMA, role="super-resolve", scale=4)
    assert imported.own_scale(known(monkeypatch, enlarger)) == 4
    assert imported.own_scale(known(monkeypatch, LAMA)) is None
    assert imported.own_scale(known(monkeypatch, None)) is None


def test_a_network_for_holes_makes_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    task = SameTask(task=Inpaint(boxes=[(1, 1, 5, 5)]))
    with pytest.raises(UsageError, match="leave --tile out"):
        imported.for_model(task, known(monkeypatch, LAMA), "inpaint", drawn=False, damaged="keep")


def test_commands_are_told_in_words() -> None:
    assert replace(LAMA, role="prior").fits == "denoise, deblur, restore and inpaint"
    assert LAMA.fits == "inpaint"
