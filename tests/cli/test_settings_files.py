"""Settings: flags, DIFFUSE_*, ./diffuse.toml, the user's config file, defaults; and the pages made from the code."""

import re
import subprocess
from pathlib import Path

import pytest

from diffuse_cli.cli import manual
from diffuse_cli.cli import settings_files as configuration
from diffuse_cli.errors import UsageError
from tests.conftest import ROOT, Run

OPTIONS = {"denoise": ["steps", "noise", "on_exists"], "inpaint": ["steps", "box"]}


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = configuration.files()[1]
    path.parent.mkdir(parents=True)
    return path


def test_what_counts_more(user_file: Path) -> None:
    user_file.write_text("steps = 2\n[denoise]\non-exists = 'skip'\nnoise = 9\n")
    Path("diffuse.toml").write_text("steps = 3\n[denoise]\nnoise = 10\n")
    environment = {"DIFFUSE_STEPS": "4", "DIFFUSE_DENOISE_STEPS": "5", "DIFFUSE_BOX": "'1,2,3,4' 5,6,7,8"}
    found = configuration.load(OPTIONS, environment=environment, many=["box"])
    values = {(c, n): (s.value, s.origin) for c, settings in found.items() for n, s in settings.items()}
    assert values == {
        ("denoise", "steps"): ("5", "DIFFUSE_DENOISE_STEPS"),
        ("denoise", "on_exists"): ("skip", f"{user_file} [denoise]"),
        ("denoise", "noise"): (10, "diffuse.toml [denoise]"),
        ("inpaint", "steps"): ("4", "DIFFUSE_STEPS"),
        ("inpaint", "box"): (["1,2,3,4", "5,6,7,8"], "DIFFUSE_BOX"),
    }


@pytest.mark.parametrize("text", ["nosuch = 1", "[nosuch]\nsteps = 1", "[denoise]\nbox = 1", "steps = ", "\x00"])
def test_what_a_file_must_not_say(user_file: Path, text: str) -> None:
    Path("diffuse.toml").write_text(text)
    with pytest.raises(UsageError, match=r"diffuse\.toml"):
        configuration.load(OPTIONS, environment={})


def test_commands_take_them_and_config_shows_them(diffuse: Run, cat: Path) -> None:
    cat.with_name("diffuse.toml").write_text("[denoise]\non-exists = 'skip'\noutput = 'o/{stem}{ext}'\n")
    shown = diffuse("config", "denoise", DIFFUSE_STEPS="3").stdout.decode()
    assert "on-exists = skip  # diffuse.toml [denoise]" in shown
    assert "steps = 3  # DIFFUSE_STEPS" in shown
    assert "noise = auto  # default" in shown
    assert b"denoise.on-exists = skip" in diffuse("config").stdout
    assert diffuse("denoise", "in.png", "--dry-run").stdout == b"in.png -> o/in.png\n"
    assert diffuse("denoise", "in.png", "--dry-run", "-o", "x.png").stdout == b"in.png -> x.png\n"
    wrong = diffuse("denoise", "in.png", DIFFUSE_STEPS="many")
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1


def test_manual_and_completions_are_those_of_the_code() -> None:
    """Python -m diffuse_cli.cli.manual share writes them again."""
    for name, text in manual.pages().items():
        assert (ROOT / "share" / name).read_text(encoding="utf-8") == text, name


def test_the_manual_tells_every_option() -> None:
    page = manual.man_page()
    for option in ("--on-exists", "--files-from", "--shard", "--resume", "--journal", "--mask", "--dry-run"):
        assert re.search(rf"^\.B .*{option.replace('-', re.escape(chr(92) + '-'))}", page, re.MULTILINE), option
    assert "130 after Ctrl" in page


def test_the_completion_completes() -> None:
    script = ROOT / "share" / manual.COMPLETIONS["bash"]
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "complete -o default -F _diffuse_completion diffuse" in script.read_text()
