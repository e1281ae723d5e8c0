"""Settings: flags, DIFFUSE_*, ./diffuse.toml, the user's config file, defaults."""

from pathlib import Path

import pytest

from diffuse_cli.cli import settings_files as configuration
from diffuse_cli.errors import UsageError
from tests.helpers.program import Program

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
    found = configuration.load(OPTIONS, environment=environment, many=[("inpaint", "box"), ("evaluate", "model")])
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


def test_commands_take_them_and_config_shows_them(run: Program, cat: Path) -> None:
    cat.with_name("diffuse.toml").write_text("[denoise]\non-exists = 'skip'\noutput = 'o/{stem}{ext}'\n")
    shown = run("config", "denoise", DIFFUSE_STEPS="3").stdout
    assert "on-exists = skip  # diffuse.toml [denoise]" in shown
    assert "steps = 3  # DIFFUSE_STEPS" in shown
    assert "noise = auto  # default" in shown
    assert "denoise.on-exists = skip" in run("config").stdout
    assert run("denoise", "in.png", "--dry-run").stdout == "in.png -> o/in.png\n"
    assert run("denoise", "in.png", "--dry-run", "-o", "x.png").stdout == "in.png -> x.png\n"
    wrong = run("denoise", "in.png", DIFFUSE_STEPS="many")
    assert wrong.exit_code == 2
    assert len(wrong.stderr.splitlines()) == 1


def test_one_text_is_one_value_of_an_option_that_may_be_repeated(user_file: Path) -> None:
    user_file.write_text("model = 'photo'\n")
    options = {"denoise": ["model"], "evaluate": ["model"]}
    found = configuration.load(options, environment={}, many=[("evaluate", "model")])
    assert (found["denoise"]["model"].value, found["evaluate"]["model"].value) == ("photo", ["photo"])
    found = configuration.load(options, environment={"DIFFUSE_MODEL": "a b"}, many=[("evaluate", "model")])
    assert (found["denoise"]["model"].value, found["evaluate"]["model"].value) == ("a b", ["a", "b"])
