"""The detector's network: what it sees, its file, and that folding changes nothing."""

from pathlib import Path

import pytest
import torch
from torch.func import functional_call

from diffuse_cli.diffusion.mark_detector import (
    CLASSES,
    MULTIPLE,
    MarkDetector,
    evidence,
    load_detector,
    save_detector,
)
from diffuse_cli.errors import CheckpointError
from diffuse_cli.training.marks import fresh


def detector() -> MarkDetector:
    """One with random weights and a gain that is not 0."""
    made = fresh(0)
    with torch.no_grad():
        made.gain.fill_(0.7)
    return made


def test_it_is_small() -> None:
    assert sum(p.numel() for p in MarkDetector().parameters()) < 1_000_000


def test_evidence_shows_what_is_narrow() -> None:
    x = torch.zeros(1, 3, 48, 48)
    x[..., 20:22, :], x[..., 34:42, :] = 0.5, -0.5
    seen = evidence(x)
    light2, dark2, light5, dark5 = seen[0, 3:]
    assert torch.equal(seen[:, :3], x)
    assert float(light2[20:22].min()) > 0.5
    assert float(light5[20:22].min()) > 0.5
    assert not dark2.any()
    assert float(dark5[34:42].min()) > 0.5
    assert not light2[24:].any()


def test_folded_as_trained() -> None:
    made = detector()
    seen = evidence(torch.rand(1, 3, 2 * MULTIPLE, 3 * MULTIPLE) * 2 - 1)
    expected = functional_call(made, made.trained_weights(torch.float32), (seen, torch.float32))
    found = detector().fold(torch.float32)(seen, torch.float32)
    assert found.shape == (1, len(CLASSES), 2 * MULTIPLE, 3 * MULTIPLE)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_a_file_comes_back_and_others_are_refused(tmp_path: Path) -> None:
    path, made = tmp_path / "marks.safetensors", detector()
    save_detector(made.state_dict(), path, {"step": "3"})
    for name, value in load_detector(path).state_dict().items():
        assert torch.equal(value, made.state_dict()[name])
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_detector(path)
    save_detector({"gain": torch.zeros(())}, path, {})
    with pytest.raises(CheckpointError, match="is not a detector"):
        load_detector(path)
