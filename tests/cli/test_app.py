"""The boundary: every error is one line and a documented code, and every option is explained."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import Result

from diffuse_cli.cli.app import app
from diffuse_cli.cli.named_commands import GROUPS
from diffuse_cli.cli.options.help import EXAMPLES, TITLES
from tests.helpers.program import Program


def error_line(result: Result, code: int) -> str:
    """The one line that a failed run leaves on stderr."""
    lines = result.stderr.splitlines()
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert len(lines) == 1, lines
    assert lines[0].startswith("diffuse: ")
    return lines[0]


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command by its whole name."""
    group: Any = get_command(app)
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        yield from [(name, command)] if below is None else [(f"{name} {key}", one) for key, one in below.items()]


def test_help_lists_every_command_whole(run: Program) -> None:
    group: Any = get_command(app)
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(group.commands)
    text = run("-h").stdout
    assert text == run("--help").stdout
    assert "..." not in text.split("Restore:")[1]


def test_help_begins_with_an_example_and_the_commands_own_options(run: Program) -> None:
    text = run("denoise", "-h").stdout
    assert text.splitlines()[1] == f"Example: {EXAMPLES['denoise']}"
    found = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert found == ["Arguments", *(title for title in TITLES if title != "Pipelines")]
    assert "\nPipelines:\n" in run("inpaint", "-h").stdout
    assert text.index("--noise ") < text.index("--fidelity ") < text.index("--output ") < text.index("--shard ")


def test_examples_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    top = {name: command for name, command in leaves() if " " not in name}
    assert EXAMPLES.keys() == top.keys()
    for name, command in top.items():
        program, named, *arguments = shlex.split(EXAMPLES[name])
        assert (program, named) == ("diffuse", name)
        command.make_context(name, arguments)  # raises where an option is unknown


def test_a_command_has_other_names(run: Program, cat: Path) -> None:
    assert run("upscale", cat, "--dry-run").exit_code == 0


def test_an_option_of_other_commands_names_them(run: Program, cat: Path) -> None:
    said = error_line(run("denoise", cat, "--aspect", "16:9"), 2)
    assert said == "diffuse: No such option: --aspect. extend has it; see diffuse denoise --help"
    assert "--paint. restore, repair, inpaint have it" in error_line(run("denoise", cat, "--paint"), 2)
    assert "Possible options: --noise" in error_line(run("denoise", cat, "--nois", "3"), 2)


def test_a_picture_alone_is_estimated(run: Program, cat: Path) -> None:
    result = run(cat)
    assert result.exit_code == 0
    assert result.stdout == run("estimate", cat).stdout
    assert error_line(run("nosuch.jpg"), 2) == "diffuse: nosuch.jpg: no such file; check the name"


class TestErrors:
    """Every error is one line on stderr and a documented code; the input is untouched and nothing is written."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, cat: Path, request: pytest.FixtureRequest) -> object:
        before = cat.read_bytes()
        yield
        assert cat.read_bytes() == before
        assert not list(cat.parent.rglob("*.diffuse-tmp"))
        assert not list(cat.parent.glob("in.*.png"))

    @pytest.mark.parametrize(
        "arguments",
        [
            ["denoise", "nosuch.png"],
            ["denoise", "nosuch*.png"],
            ["denoise", "in.png", "empty/"],
            ["denoise"],
            ["denoise", "-0", "in.png"],
            ["denoise", "--files-from", "nosuch.txt"],
            ["denoise", "in.png", "-"],
            ["denoise", "in.png", "--json", "-o", "-"],
            ["denoise", "in.png", "exists.png", "-o", "-"],
            ["denoise", "in.png", "-f", "--on-exists", "skip"],
            ["denoise", "in.png", "-o", "{nosuch}.png"],
            ["denoise", "in.png", "-o", "{stem.png"],
            ["denoise", "in.png", "-o", "exists.png/x/{stem}{ext}"],
            ["denoise", "in.png", "--shard", "3/2"],
            ["denoise", "in.png", "--shard", "0/2"],
            ["denoise", "in.png", "--journal", "exists.png/j"],
            ["denoise", "in.png", "--noise", "nan"],
            ["denoise", "in.png", "--noise", "-3"],
            ["denoise", "in.png", "--noise", "loud"],
            ["denoise", "in.png", "--strength", "nan"],
            ["denoise", "in.png", "--strength", "1.5"],
            ["denoise", "in.png", "--chroma-strength", "-1"],
            ["denoise", "in.png", "--steps", "0"],
            ["denoise", "in.png", "--seed", "-1"],
            ["denoise", "in.png", "--tile", "5"],
            ["denoise", "in.png", "--tile", "many"],
            ["denoise", "in.png", "--threads", "0"],
            ["denoise", "in.png", "--dtype", "fp7"],
            ["denoise", "in.png", "--nosuch"],
            ["denoise", "in.png", "-o", "in.png"],
            ["denoise", "in.png", "-f", "-o", "in.png"],
            ["denoise", "in.png", "-o", "exists.png"],
            ["denoise", "in.png", "-o", "in.png/out.png"],
            ["denoise", "in.png", "-o", "out.xyz"],
            ["denoise", "in.png", "-o", "exists.png/"],
            ["denoise", "in.png", "exists.png", "-o", "one.png"],
            ["denoise", "in.png", "in.png", "-o", "out/"],
            ["inpaint", "in.png"],
            ["inpaint", "in.png", "--mask", "nosuch.png"],
            ["inpaint", "in.png", "--mask", "{nosuch}.png"],
            ["inpaint", "in.png", "--mask", "nosuch/"],
            ["inpaint", "in.png", "--box", "1,2,3"],
            ["inpaint", "in.png", "--box", "1,2,0,4"],
            ["super-resolve", "in.png", "--scale", "0"],
            ["super-resolve", "in.png", "--scale", "1"],
            ["super-resolve", "in.png", "--scale", "nan"],
            ["super-resolve", "in.png", "--scale", "100"],
            ["super-resolve", "in.png", "--scale", "2", "--long-edge", "500"],
            ["super-resolve", "in.png", "--to-size", "big"],
            ["generate", "--size", "0x5"],
            ["generate", "--size", "64"],
            ["generate", "-n", "0"],
            ["generate", "--steps", "1"],
            ["generate", "--label", "cat"],
            ["generate", "-n", "2", "-o", "one.png"],
            ["nosuch"],
            ["--nosuch"],
        ],
        ids=" ".join,
    )
    def test_usage(self, run: Program, cat: Path, arguments: list[str]) -> None:
        existing = cat.with_name("exists.png")
        existing.write_bytes(cat.read_bytes())
        (cat.parent / "empty").mkdir()
        error_line(run(*arguments), 2)
        assert existing.read_bytes() == cat.read_bytes()
        assert sorted(p.name for p in cat.parent.iterdir() if p.is_file()) == ["exists.png", "in.png"]

    @pytest.mark.parametrize("name", [b"two\nlines.png", b"not utf-8 \xff.png", "prix élevé 写真.png".encode()])
    def test_any_name_fits_one_line(self, run: Program, cat: Path, name: bytes) -> None:
        error_line(run("denoise", os.fsdecode(name)), 2)
        (cat.parent / os.fsdecode(name)).write_text("no picture")
        error_line(run("denoise", os.fsdecode(name), "--noise", "9"), 1)

    @pytest.mark.parametrize("kind", ["text", "empty", "truncated"])
    def test_one_bad_picture_is_named_and_the_others_are_done(self, run: Program, cat: Path, kind: str) -> None:
        data = {"text": b"hello\n", "empty": b"", "truncated": cat.read_bytes()[:3000]}[kind]
        cat.with_name("bad.png").write_bytes(data)
        result = run("denoise", "-q", "--noise", "20", "bad.png", "in.png", "-o", "out/")
        lines = result.stderr.splitlines()
        assert result.exit_code == 1
        assert lines[0] == "diffuse: 1 of 2 pictures failed:"
        assert lines[1].startswith("diffuse: bad.png: ")
        assert [p.name for p in (cat.parent / "out").iterdir()] == ["in.png"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["inpaint", "in.png", "--mask", "small.png"],
            ["inpaint", "in.png", "--mask", "alpha"],
            ["inpaint", "in.png", "--mask", "text.png"],
            ["inpaint", "in.png", "--box", "96,0,5,5"],
            ["super-resolve", "in.png", "--to-size", "50x50"],
            ["super-resolve", "in.png", "--long-edge", "96"],
            ["super-resolve", "in.png", "--long-edge", "5000"],
        ],
        ids=" ".join,
    )
    def test_one_picture(self, run: Program, cat: Path, arguments: list[str]) -> None:
        Image.new("L", (9, 9)).save(cat.with_name("small.png"))
        cat.with_name("text.png").write_text("hello")
        error_line(run(*arguments), 1)

    @pytest.mark.parametrize("content", [b"", b"hello" * 100, None])
    def test_models(self, run: Program, cat: Path, content: bytes | None) -> None:
        if content is not None:
            cat.with_name("m.safetensors").write_bytes(content)
        assert "m.safetensors" in error_line(run("denoise", "in.png", "--model", "m.safetensors"), 3)
        assert "m.safetensors" in error_line(run("models", "verify", "m.safetensors"), 3)
        assert "m.safetensors" in error_line(run("models", "info", "m.safetensors"), 3)

    def test_an_unknown_device_is_a_usage_error(self, run: Program, cat: Path) -> None:
        import torch

        if not torch.cuda.is_available():
            error_line(run("denoise", "in.png", "--device", "cuda"), 2)


def test_without_arguments_the_help_is_shown(run: Program) -> None:
    result = run()
    assert result.exit_code == 2
    assert len((result.stdout + result.stderr).splitlines()) > 8


def test_every_command_shows_its_help(run: Program) -> None:
    def commands(command: Any, *words: str) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
        yield words
        for word, below in getattr(command, "commands", {}).items():
            yield from commands(below, *words, word)

    every = list(commands(get_command(app)))
    assert len(every) > 20
    for words in every:
        result = run(*words, "--help")
        assert result.exit_code == 0, words
        assert result.stdout.startswith("Usage: "), words


def test_every_option_is_explained() -> None:
    def options(command: Any, name: str = "diffuse") -> Iterator[tuple[str, str, str]]:  # noqa: ANN401
        for option in command.params:
            if option.param_type_name == "option":
                yield name, option.opts[-1], option.help or ""
        for word, below in getattr(command, "commands", {}).items():
            yield from options(below, f"{name} {word}")

    found = list(options(get_command(app)))
    assert len(found) > 200
    assert [option for option in found if not option[2]] == []
