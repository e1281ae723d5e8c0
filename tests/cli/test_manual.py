"""The pages that are made from the code: the manual and the completions."""

import re
import subprocess

from diffuse_cli.cli import manual
from tests.conftest import ROOT


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
