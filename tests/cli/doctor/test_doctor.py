"""diffuse doctor: what it finds, and what it calls a failure."""

import json
from importlib import metadata, util
from pathlib import Path
from typing import Any

import pytest

from diffuse_cli.cli.doctor import doctor, installed, self_test
from diffuse_cli.cli.doctor.finding import Finding
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.errors import CheckpointError
from diffuse_cli.images.optional_formats import INSTALL
from tests.helpers.program import Program


def test_the_packaged_pixels_are_of_the_shipped_checkpoint() -> None:
    """If not, after a change of the checkpoint: python -m diffuse_cli.cli.doctor.self_test"""
    findings = list(self_test.self_test())
    assert {finding.verdict for finding in findings} == {"ok"}, findings
    assert {finding.name.split(",")[0] for finding in findings} == set(self_test.TASKS)


def test_other_pixels_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = self_test.expected
    monkeypatch.setattr(self_test, "expected", lambda name: expected(name) // 2)
    monkeypatch.setattr(self_test, "chosen_dtype", lambda *_: "fp32")
    assert {finding.verdict for finding in self_test.self_test()} == {"wrong"}


def test_pixels_of_another_checkpoint_say_nothing(monkeypatch: pytest.MonkeyPatch, toy_file: Path) -> None:
    monkeypatch.setattr(self_test, "find", lambda _: toy_file)
    (finding,) = self_test.self_test()
    assert finding.verdict == "missing"
    assert "not the shipped checkpoint" in finding.says


def test_a_missing_extra_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: ["torch>=2", "a-b>=1; extra == 'formats'"])
    (finding,) = installed.extras()
    assert (finding.name, finding.verdict, finding.says) == ("formats", "missing", "without a-b")
    assert finding.remedy == INSTALL
    monkeypatch.setattr(metadata, "version", lambda _: "1.0")
    (finding,) = installed.extras()
    assert finding.verdict == "ok"


def test_a_missing_format_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "pillow_heif" else object())
    (finding,) = [finding for finding in installed.formats() if finding.verdict == "missing"]
    assert (finding.name, finding.remedy) == ("HEIC", INSTALL)


def test_a_broken_or_missing_checkpoint_is_a_failure_and_ends_the_test(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "photo.safetensors").write_bytes(b"not weights")
    monkeypatch.setattr(checkpoint, "folders", lambda: [tmp_path])
    with pytest.raises(CheckpointError):
        checkpoint.verify(tmp_path / "photo.safetensors")
    findings = list(doctor.examine())
    assert [finding.name for finding in findings if finding.verdict == "wrong"] == list(checkpoint.SHIPPED)
    assert "self-test" not in {finding.topic for finding in findings}


def test_the_command(run: Program) -> None:
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.stderr
    findings: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(set(finding) == set(Finding.__dataclass_fields__) for finding in findings)
    topics = {finding["topic"] for finding in findings}
    assert topics >= {"program", "hardware", "folders", "formats", "extras", "checkpoints", "self-test"} - {"extras"}


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from diffuse_cli.cli.commands.doctor import doctor as command

    for topic, code in (("self-test", 1), ("checkpoints", 3)):
        wrong = Finding(topic=topic, name="x", says="no", verdict="wrong", remedy="mend it")
        monkeypatch.setattr(doctor, "examine", lambda *, testing, wrong=wrong: iter([wrong]))
        with pytest.raises(typer.Exit) as end:
            command(self_test=True, json_lines=False)
        assert end.value.exit_code == code
        assert "mend it" in capsys.readouterr().out
