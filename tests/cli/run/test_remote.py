"""--server: the same files as without it, and one line where the server cannot do what is asked."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra [serve]")
pytest.importorskip("uvicorn", reason="needs the extra [serve]")

from tests.conftest import EXAMPLES
from tests.helpers.program import Program, json_lines
from tests.helpers.serving import TOKEN, Served, served


@pytest.fixture(scope="module")
def server(toy_file: Path) -> Iterator[Served]:
    with served(toy_file) as running:
        yield running


@pytest.fixture
def there(server: Served, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that let the server compute."""
    monkeypatch.setenv("DIFFUSE_TOKEN", TOKEN)
    return ["--server", server.url, "--model", str(toy_file)]


@pytest.fixture
def here(toy_file: Path) -> list[str]:
    return ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1"]


COMMANDS = [
    "denoise cat.png",
    "denoise cat.png --noise-map map.png --metadata safe",
    "denoise cat.png --samples 2 --steps 2 --seed 4 --solver heun",
    "denoise cat.png --samples 3 --average --steps 2 --depth 16",
    "super-resolve cat.png --to-size 150x150 --ensemble",
    "restore cat.jpg --mask mask.png --feather 2 --noise 5 --keep-times",
    "restore cat.jpg --only blur --format webp --quality 80",
    "deblur cat.jpg --blur 1 --noise 3 --rounds 1",
    "dejpeg cat.jpg",
    "repair cat.jpg --only noise,fading --no-provenance",
    "repair cat.jpg --saturation 1",
    "inpaint cat.png --box 2,2,9,9 --unblend",
    "inpaint cat.png --mask mask.png --box 2,2,9,9 --polygon 20,20,30,20,30,30",
    "enhance cat.png --clarity 0.5 --white-balance off",
    "extend cat.png --aspect 2:1 --anchor left",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_files_and_messages_are_the_same(
    run: Program, cat: Path, tmp_path: Path, here: list[str], there: list[str], line: str
) -> None:
    from PIL import Image

    with Image.open(cat) as image:
        image.save(tmp_path / "cat.png")
        image.save(tmp_path / "cat.jpg", quality=70)
        image.convert("L").point(lambda level: level // 12).save(tmp_path / "map.png")
        mask = Image.new("L", image.size)
    mask.paste(255, (10, 10, 20, 15))
    mask.save(tmp_path / "mask.png")
    found = []
    for where in (here, there):
        ended = run(*line.split(), *where, "-o", "out/", "--json")
        assert ended.exit_code == 0, ended.stderr
        lines = [{key: value for key, value in one.items() if key != "seconds"} for one in json_lines(ended.stdout)]
        told = [one.partition(" (")[0] if " -> " in one else one for one in ended.stderr.splitlines()]
        found.append(
            ({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}, lines, sorted(set(told)))
        )
        shutil.rmtree(tmp_path / "out")
    assert found[0] == found[1]


def test_pipes_and_resuming(run: Program, cat: Path, tmp_path: Path, there: list[str], here: list[str]) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(cat, tmp_path / "one" / "a.png")
    shutil.copy(cat, tmp_path / "one" / "b.bmp")
    (tmp_path / "one" / "c.png").write_bytes(b"no picture")
    first = run("denoise", "one", "-o", "out/", *there)
    assert first.exit_code == 1
    assert first.stderr.count("not a picture") == 1
    assert "one/c.png: not a picture" in first.stderr
    again = run("denoise", "one", "-o", "out/", "--resume", "--json", *there)
    assert [line["status"] for line in json_lines(again.stdout)[:-1]] == ["skipped", "skipped", "failed"]
    local = run("denoise", "one/a.png", "-o", "out/a.png", "--resume", "--json", *here)
    assert json_lines(local.stdout)[0]["status"] == "skipped"  # made there is as good as made here


WRONG = [
    (["--device", "cpu"], "--device: with --server, diffuse serve decides this"),
    (["--tile", "256"], "--tile: with --server"),
    (["--uncertainty", "u.png"], "--uncertainty: a server gives the restored picture alone"),
    (["--compare", "c.png"], "--compare: a server gives"),
    (["--report", "r.html"], "--report: a server gives"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_what_a_server_cannot_do_is_refused(
    run: Program, cat: Path, tmp_path: Path, there: list[str], options: list[str], said: str
) -> None:
    ended = run("denoise", cat, "-o", "out.png", *there, *options)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"diffuse: {said}")
    assert not (tmp_path / "out.png").exists()


def test_other_tasks_and_masks_that_are_saved_are_refused(run: Program, cat: Path, there: list[str]) -> None:
    for line, said in (
        (["deblur", cat, "--motion", "9,30"], "--motion, --defocus and --kernel: a server does not do this"),
        (["inpaint", cat, "--box", "1,1,5,5", "--save-mask", "m.png"], "--save-mask: a server gives"),
        (["inpaint", cat, "--paint"], "--paint: a server does not do this"),
        (["inpaint", cat, "--box", "1,1,5,5", "--show-fill", "f.png"], "--show-fill: a server gives"),
        (["stylize", cat, "--style", cat], "No such option: --server"),
    ):
        ended = run(*line, *there)
        assert ended.exit_code == 2
        assert ended.stderr.startswith(f"diffuse: {said}"), ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_a_server_that_is_not_there_or_another_is_one_line(
    run: Program, cat: Path, tmp_path: Path, server: Served, there: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = there[2:]
    for url, token, said, code in (
        ("http://127.0.0.1:9", TOKEN, "no server; start diffuse serve, or leave --server out", 3),
        ("127.0.0.1:9", TOKEN, "not a server's address; give it like http://127.0.0.1:8765", 2),
        (server.url, "another-token-of-the-tests", "the token is missing or wrong", 3),
        (server.url, "short", "a token has at least 16 characters", 2),
    ):
        monkeypatch.setenv("DIFFUSE_TOKEN", token)
        ended = run("denoise", cat, "-o", "out.png", "--server", url, *model)
        assert (ended.exit_code, len(ended.stderr.splitlines())) == (code, 1), ended.stderr
        assert said in ended.stderr
    monkeypatch.setenv("DIFFUSE_TOKEN", TOKEN)
    other = run("denoise", cat, "-o", "out.png", "--server", server.url)
    assert (other.exit_code, "it has the model toy, not photo" in other.stderr) == (3, True)
    assert not (tmp_path / "out.png").exists()


def test_the_server_is_a_setting_and_its_token_stays_hidden(
    run: Program, cat: Path, tmp_path: Path, server: Served, toy_file: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    told = {"DIFFUSE_SERVER": server.url, "DIFFUSE_TOKEN_FILE": str(tmp_path / "token"), "DIFFUSE_MODEL": str(toy_file)}
    before = len(server.log)
    assert run("denoise", cat, "-o", "out.png", **told).exit_code == 0
    assert server.log[before:] == ["denoise: 200"]
    shown = run("config", "denoise", DIFFUSE_TOKEN=TOKEN).stdout
    assert TOKEN not in shown
    assert "token = (hidden)  # DIFFUSE_TOKEN" in shown
    assert TOKEN not in run("config", DIFFUSE_TOKEN=TOKEN).stdout


def test_a_busy_server_is_asked_again(
    run: Program, cat: Path, server: Served, there: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.service.line, "room", -1)
    from diffuse_cli.cli.run import connection

    waited: list[str | None] = []

    def wait(told: str | None, _: object) -> None:
        waited.append(told)
        monkeypatch.setattr(server.service.line, "room", 2)

    monkeypatch.setattr(connection, "_wait", wait)
    assert run("denoise", cat, "-o", "out.png", *there).exit_code == 0
    assert waited == ["1"]


def test_large_files_and_clips_are_not_sent(run: Program, cat: Path, tmp_path: Path, there: list[str]) -> None:
    (tmp_path / "large.bmp").write_bytes((EXAMPLES / "cat_noisy.png").read_bytes() + bytes(1 << 20))
    ended = run("denoise", "large.bmp", "-o", "out.png", *there)
    assert (ended.exit_code, "and the server takes 1,048,576" in ended.stderr) == (1, True)
    (tmp_path / "a.mp4").write_bytes(b"")
    ended = run("denoise", "a.mp4", "-o", "out.mp4", *there)
    assert (ended.exit_code, "a clip, which a server does not take" in ended.stderr) == (1, True)


def test_a_recipe_comes_back_for_files_that_cannot_hold_it(run: Program, cat: Path, there: list[str]) -> None:
    ended = run("denoise", cat, "-o", "out.bmp", "--json", *there)
    assert json.loads(ended.stdout.splitlines()[0])["recipe"]["format"] == "BMP"
