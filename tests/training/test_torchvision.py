"""Data sets of torchvision: digits in MNIST's layout, made here, from training to a sheet by label."""

import re
import runpy
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.errors import UsageError
from diffuse_cli.training.bank import Bank, Sources, pack
from diffuse_cli.training.config import Mix, TrainConfig, read_config
from diffuse_cli.training.log import records
from diffuse_cli.training.pictures import Data, open_data, read_all
from diffuse_cli.training.torchvision_data import TorchvisionData
from tests.conftest import EXAMPLES, ROOT, pixels
from tests.docs.pages import blocks
from tests.helpers.program import Program

COUNT = 40
CONFIG = TrainConfig(crop=28, batch=8, holdout=0, mix=Mix(generate=1), pyramid=(1, 0, 0, 0), flip=False, gray=0)
TOML = """
crop = 28
batch = 8
channels = [8, 16]
blocks = [1, 1]
emb = 16
flip = false
pyramid = [1.0, 0.0, 0.0, 0.0]
holdout = 4

[mix]
generate = 1
denoise = 0
inpaint = 0
resize = 0
mixture = 0
jpeg = 0
camera = 0
"""


def digits(count: int) -> NDArray[np.uint8]:
    """Pictures (count, 28, 28) of the digits 0, 1, ... 9, 0, ..., each a little elsewhere."""
    made = []
    for k in range(count):
        image = Image.new("L", (28, 28))
        ImageDraw.Draw(image).text((8 + k % 3, 2 + k % 5), str(k % 10), 255, ImageFont.load_default(20))
        made.append(np.asarray(image))
    return np.stack(made)


def idx(array: NDArray[np.uint8]) -> bytes:
    """LeCun's format: magic, dimensions as big-endian int32, data."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">i", n) for n in array.shape) + array.tobytes()


def write_mnist(root: Path, name: str = "MNIST", train: int = COUNT) -> Path:
    """Write the four files, uncompressed, where torchvision looks for them."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", 10)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(digits(count)))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return raw


def packed(data: list[Data], folder: Path) -> Sources:
    folder.mkdir(exist_ok=True)
    return pack(data, [], folder, CONFIG, folder_labels=False, warn=lambda line: None)


def test_pictures_come_with_the_numbers_of_their_classes(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    found = list(read_all(open_data([TorchvisionData.parse(f"torchvision:MNIST:{tmp_path}")]), folder_labels=False))
    assert [f.label for f in found] == [str(k % 10) for k in range(COUNT)]
    for one, image in zip(found, digits(COUNT), strict=True):
        assert one.levels is not None
        assert np.array_equal(one.levels, np.repeat(image[..., None], 3, 2))
    test = list(read_all(open_data([TorchvisionData.parse(f"torchvision:MNIST/test:{tmp_path}")]), folder_labels=False))
    assert len(test) == 10


def test_classes_have_the_names_that_torchvision_gives_them(tmp_path: Path) -> None:
    for name in ("MNIST", "FashionMNIST"):
        write_mnist(tmp_path, name)
    sources = packed([TorchvisionData(name="MNIST", root=tmp_path)], tmp_path / "digits")
    assert sources.classes == tuple("0123456789")
    assert sources.gray
    garments = TorchvisionData(name="FashionMNIST", root=tmp_path)
    sources = packed([garments], tmp_path / "garments")
    assert (sources.classes[0], sources.classes[9]) == ("T-shirt/top", "Ankle boot")
    bank = Bank(tmp_path / "garments", sources, CONFIG, held_out=False, labels=sources.classes)
    assert [bank.label(k) for k in range(12)] == [*range(10), 0, 1]
    with pytest.raises(UsageError, match="have different classes"):
        packed([garments, TorchvisionData(name="MNIST", root=tmp_path)], tmp_path / "both")


def test_other_data_sets_bring_colour_and_names(tmp_path: Path) -> None:
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (32, 30), (200, 40 * k, 0)).save(tmp_path / "data" / name / "a.png")
    source = TorchvisionData.parse(f"torchvision:ImageFolder:{tmp_path / 'data'}")
    found = list(read_all(open_data([source]), folder_labels=False))
    assert [(f.name, f.label) for f in found] == [("ImageFolder/0", "0"), ("ImageFolder/1", "1")]
    assert found[1].levels is not None
    assert found[1].levels[0, 0].tolist() == [200, 40, 0]
    assert packed([source], tmp_path / "run").classes == ("cat", "dog")


def test_pictures_are_decoded_again_if_the_files_change(tmp_path: Path) -> None:
    raw = write_mnist(tmp_path / "data")
    source = TorchvisionData(name="MNIST", root=tmp_path / "data")
    before = packed([source], tmp_path / "run")
    decoded = (tmp_path / "run" / "pictures.u8").stat().st_mtime_ns
    assert packed([source], tmp_path / "run") == before
    assert (tmp_path / "run" / "pictures.u8").stat().st_mtime_ns == decoded
    (raw / "train-images-idx3-ubyte").write_bytes(idx(digits(COUNT)[:, ::-1]))
    assert packed([source], tmp_path / "run").sha256 != before.sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torchvision:MNIST", "give it as torchvision:NAME:ROOT"),
        ("torchvision:Elephants:data", "torchvision has no data set Elephants"),
        ("torchvision:MNIST/extra:data", "MNIST has no part extra"),
        ("torchvision:EMNIST:data", "name one, as torchvision:EMNIST/SPLIT:ROOT: byclass, .*letters"),
        ("torchvision:EMNIST/letters:data", "data/EMNIST/raw does not hold EMNIST; put its files there, or add"),
        ("torchvision:CIFAR10:data", "data does not hold CIFAR10; put its files there, or add --download"),
        ("torchvision:MNIST:data", "data/MNIST/raw does not hold MNIST; put its files there, or add --download"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        open_data([TorchvisionData.parse(text)])
    assert "\n" not in str(raised.value)


def test_damaged_files(tmp_path: Path) -> None:
    raw = write_mnist(tmp_path)
    source, images, labels = (
        TorchvisionData(name="MNIST", root=tmp_path), raw / "train-images-idx3-ubyte", raw / "train-labels-idx1-ubyte",
    )  # fmt: skip
    labels.write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(UsageError, match="picture 3 cannot be read"):
        list(read_all(open_data([source]), folder_labels=False))
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"the files in .*raw cannot be read"):
        open_data([source])


def test_downloads_are_asked_for_and_their_failure_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import MNIST

    def offline(self: MNIST) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno network")

    monkeypatch.setattr(MNIST, "download", offline)
    with pytest.raises(UsageError, match=r"cannot be downloaded \(Error .*: no network\); put the files of MNIST into"):
        TorchvisionData(name="MNIST", root=tmp_path, download=True).open()
    monkeypatch.setattr(MNIST, "download", lambda self: write_mnist(tmp_path))
    opened = TorchvisionData(name="MNIST", root=tmp_path, download=True).open()
    assert len(list(opened)) == COUNT


@pytest.mark.slow
def test_from_digits_to_a_sheet_by_label(run: Program, tmp_path: Path) -> None:
    line = ["train", "--data", "torchvision:MNIST:data", "--config", "run.toml", "--out", "digits", "--images", "48"]
    line += ["--threads", "1", "--dtype", "fp32", "--log-every", "2", "--workers", "0", "--no-compile"]
    (tmp_path / "run.toml").write_text(TOML)
    ended = run(*line)
    assert (ended.exit_code, len(ended.stderr.splitlines())) == (2, 1)
    assert "data/MNIST/raw does not hold MNIST; put its files there, or add --download" in ended.stderr
    write_mnist(tmp_path / "data")
    ended = run(*line)
    assert ended.exit_code == 0, ended.stderr
    steps = [line.split(" (")[0] for line in ended.stderr.splitlines() if "loss" in line]
    assert [re.sub(r"\d\.\d{4}$", "x", line) for line in steps] == [f"step {k}: loss x" for k in (2, 4, 6)]
    assert run("train", "export", "digits", "-o", "digits.safetensors").exit_code == 0
    assert checkpoint.read_info(tmp_path / "digits.safetensors").labels == tuple("0123456789")

    sheet = ["generate", "--model", "digits.safetensors", "--steps", "2", "--grid", "-q"]
    ended = run(*sheet, "--label", "all", "-n", "3", "-o", "all.png")
    assert ended.exit_code == 0, ended.stderr
    assert run(*sheet, "--label", "7", "-n", "3", "-o", "seven.png").exit_code == 0
    everything, sevens = pixels(tmp_path / "all.png"), pixels(tmp_path / "seven.png")
    assert everything.shape == (10 * 30 - 2, 3 * 30 - 2)
    assert np.array_equal(everything[7 * 30 : 7 * 30 + 28, :58], sevens[:28])  # two pictures a row, then the third
    assert np.array_equal(everything[7 * 30 : 7 * 30 + 28, 60:], sevens[30:, :28])
    assert run("replay", "all.png", "--model", "digits.safetensors", "-o", "again.png").exit_code == 0
    assert (tmp_path / "all.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    for wrong in (["--label", "10"], ["--label", "all"]):
        ended = run("generate", "--model", "digits.safetensors", *wrong)
        assert (ended.exit_code, len(ended.stderr.splitlines())) == (2, 1)
    ended = run(*line[:2], "x", "--out", "new", "--images", "8", "--download")
    assert "--download is for data sets of torchvision" in ended.stderr


def test_the_log_of_a_run_with_labels(run: Program, tmp_path: Path) -> None:
    write_mnist(tmp_path / "data")
    (tmp_path / "run.toml").write_text('labels = ["zero", "one"]\n' + TOML)
    line = ["train", "--data", "torchvision:MNIST:data", "--config", "run.toml", "--out", "r", "--images", "8", "-q"]
    ended = run(*line)
    assert "the data counts to 9, but only 2 labels have names" in ended.stderr
    (tmp_path / "run.toml").write_text(TOML)
    assert run(*line, "--val", "torchvision:MNIST/test:data", "--out", "s").exit_code == 0
    start = next(records(tmp_path / "s" / "log.jsonl"))
    assert (start["pictures"], start["held_out"]) == (COUNT, 10)


SMALLER = {"--images 256000": "--images 16 --threads 1 --no-compile -q", "-n 10": "-n 2", "-n 4": "-n 2 --steps 3"}


@pytest.mark.slow
def test_every_command_of_the_page_on_mnist_runs(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert read_config(EXAMPLES / "mnist" / "run.toml").mix.generate == 1
    write_mnist(tmp_path / "data", train=256)
    shutil.copytree(EXAMPLES / "mnist", tmp_path / "examples" / "mnist")
    (tmp_path / "examples" / "mnist" / "run.toml").write_text(TOML)
    for line in "".join(blocks((ROOT / "docs" / "mnist.md").read_text(), "sh")).splitlines():
        for usual, small in SMALLER.items():
            line = line.replace(usual, small)
        program, *arguments = line.split()
        if program == "diffuse":
            ended = run(*arguments)
            assert ended.exit_code == 0, (line, ended.stderr)
        elif program == "python":
            monkeypatch.setattr("sys.argv", [*arguments, "--each", "2", "--epochs", "1"])
            with pytest.raises(SystemExit):
                runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
            assert re.search(r"recognised: [\d.]+ % of 20 generated, [\d.]+ % of real test", capsys.readouterr().out)
    assert pixels(tmp_path / "generated_images.png").shape == (10 * 30 - 2, 2 * 30 - 2)
    assert (tmp_path / "sneakers.png").exists()
    assert (tmp_path / "loss.png").exists()
