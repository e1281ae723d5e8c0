"""Every format, mode and depth, with and without metadata, through the program and independent readers."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.estimation.jpeg_tables import quality_of
from diffuse_cli.images.image_io import Encoding, read_picture, write_picture
from tests.helpers.program import call
from tests.helpers.round_trip_inputs import (
    HAS_EXIFTOOL,
    HAS_IPTC,
    HAS_LIBRARIES,
    HAS_METADATA,
    PRIVATE,
    add_metadata,
    make_all,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (HAS_LIBRARIES and HAS_EXIFTOOL), reason="needs exiftool and the group dev"),
]

NAMES = """
gray8.png ga8.png rgb8.png rgba8.png bit1.png palette.png palette_alpha.png gray16.png rgb16.png rgba16.png
pil_gray8.tif pil_ga8.tif pil_rgb8.tif pil_rgba8.tif pil_bit1.tif lzw.tif packbits.tif pages.tif gray16.tif ga16.tif
rgb16.tif rgba16.tif grayf32.tif gaf32.tif rgbf32.tif rgbaf32.tif rgbf16.tif grayf64.tif rgb16_big_endian.tif
rgb16_deflate.tif rgb8_tiles.tif rgbf32_deflate.tif rgb8_bigtiff.tif rgb16_planes.tif rgb16_zstd_tiles.tif
gray.jpg q90_444.jpg q80_420.jpg q85_422_progressive.jpg rgb_lossless.webp rgba_lossless.webp rgb_lossy.webp
rgba_lossy.webp rgb.avif rgba.avif gray.bmp rgb.bmp gray8.pgm rgb8.ppm gray16.pgm rgb16.ppm
gray8.jxl rgb8.jxl rgba8.jxl gray16.jxl rgb16.jxl rgba16.jxl rgb8.heic rgba8.heic rgb10.heic
gray8.npy rgb8.npy rgba8.npy rgb16.npy f16.npy f32.npy f64gray.npy bool.npy
""".split()  # noqa: SIM905 - a list of names reads best so
LOSSY = {".jpg", ".avif", ".heic"}
CASES = [f"plain/{n}" for n in NAMES]
CASES += [f"tagged/{n}" for n in NAMES if Path(n).suffix in HAS_METADATA and "bigtiff" not in n]  # exiftool reads those
TAGGED = [c for c in CASES if c.startswith("tagged/")]
EACH_FORMAT = pytest.mark.parametrize("suffix", sorted({Path(name).suffix for name in NAMES}))
EACH_TAGGED_FORMAT = pytest.mark.parametrize("suffix", sorted(HAS_METADATA))


def of_format(cases: list[str], suffix: str) -> list[str]:
    return [case for case in cases if Path(case).suffix == suffix]


def run(*arguments: str, cwd: Path) -> None:
    result = call(*arguments, cwd=cwd)
    assert result.exit_code == 0, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain/ and tagged/, and what `diffuse inpaint` makes of them with a mask of one pixel: out/plain/ and so on."""
    root = tmp_path_factory.mktemp("round")
    for kind in ("plain", "tagged"):
        (root / kind).mkdir()
        make_all(root / kind)
    add_metadata([root / case for case in TAGGED], root)
    for kind in ("plain", "tagged"):
        files = [case for case in CASES if case.startswith(kind)]
        run("inpaint", *files, "--box", "5,4,1,1", "-q", "-o", f"out/{kind}/", cwd=root)
    run("inpaint", *TAGGED, "--box", "5,4,1,1", "-q", "--metadata", "safe", "-o", "safe/tagged/", cwd=root)
    run("inpaint", *TAGGED, "--box", "5,4,1,1", "-q", "--metadata", "strip", "-o", "strip/tagged/", cwd=root)
    return root


@pytest.fixture(scope="module")
def tags(folder: Path) -> dict[str, dict[str, Any]]:
    """What exiftool reads in every file, by its path below the folder."""
    names = [*CASES, *(f"{made}/{c}" for made in ("out", "safe", "strip") for c in TAGGED)]
    names += [f"out/{c}" for c in CASES if c not in TAGGED]
    command = ["exiftool", "-j", "-G1", "-struct", "-api", "largefilesupport=1", *names]
    text = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    return {entry["SourceFile"]: entry for entry in json.loads(text)}


def samples(path: Path) -> NDArray[Any]:
    """(pages, H, W, C), as another library than ours reads them; RGB and alpha."""
    import cv2
    import imagecodecs
    import pillow_heif
    import tifffile

    if path.suffix == ".npy":
        array = np.load(path)
    elif path.suffix == ".tif":
        with tifffile.TiffFile(path) as container:
            pages = [page.asarray() for page in container.pages]
            planes = container.pages[0].planarconfig == 2
        if len(pages) > 1:
            return np.concatenate([p.reshape(-1) for p in pages])[None, None, :, None]
        array = np.moveaxis(pages[0], 0, -1) if planes and pages[0].ndim == 3 else pages[0]
    elif path.suffix == ".jxl":
        array = imagecodecs.jpegxl_decode(path.read_bytes())
    elif path.suffix == ".heic":
        array = np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))
    elif path.suffix in (".webp", ".avif") or "palette" in path.name or path.name == "ga8.png":
        with Image.open(path) as image:  # OpenCV knows no gray with alpha, and no palette
            mode = "LA" if image.mode == "LA" else "RGBA" if image.has_transparency_data else "RGB"
            array = np.asarray(image.convert(mode))
    else:
        array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        assert array is not None
        array = array[..., [2, 1, 0, *range(3, array.shape[2])]] if array.ndim == 3 else array
    found: NDArray[Any] = array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array
    return found[None, ..., None] if found.ndim == 2 else found[None]


@EACH_FORMAT
def test_pixels(suffix: str, folder: Path) -> None:
    """Every pixel but the masked one is what it was: type, number of channels, and value."""
    for case in of_format(CASES, suffix):
        before, after = samples(folder / case), samples(folder / "out" / case)
        assert before.shape == after.shape, case
        assert before.dtype == after.dtype, case
        if suffix in LOSSY or "lossy." in case:
            full = np.iinfo(before.dtype).max
            assert np.abs(before.astype(float) - after).mean() < full * 0.012, case
            continue
        changed = (before != after).any(axis=-1)
        pages = 3 if "pages" in case else 1
        assert changed.sum() <= (7 if pages == 3 else 1), case
        if pages == 1:
            changed[0, 4, 5] = False
            assert not changed.any(), case


ABOUT_THE_FILE = (
    "ExifTool", "System", "File", "Composite", "IFD0:StripOffsets", "IFD0:StripByteCounts", "IFD0:RowsPerStrip",
    "IFD0:Compression", "IFD0:Predictor", "IFD0:BitsPerSample", "IFD0:Tile", "IFD0:PlanarConfig", "IFD0:SamplesPer",
    "IFD0:PhotometricInt", "IFD0:ExtraSamples", "IFD0:SampleFormat", "IFD0:ImageWidth", "IFD0:ImageHeight",
    "IFD0:SubfileType", "IFD0:Software", "IFD0:FillOrder", "IFD0:ExifByteOrder", "PNG:", "RIFF", "PNG-pHYs", "IFD1",
    "IFD2", "Meta", "QuickTime", "Jpeg2000", "JXL", "SourceFile", "ExifIFD:ComponentsConfiguration", "IFD0:YCbCrPos",
    "ItemList", "Track", "XMP-x:XMPToolkit", "ExifIFD:ColorSpace", "IFD0:PageNumber", "ICC_Profile:ProfileFile",
)  # fmt: skip
"""Beginnings of tags that tell how the pixels lie in that file."""


def facts(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if not k.startswith(ABOUT_THE_FILE)}


@EACH_TAGGED_FORMAT
def test_metadata_is_kept(suffix: str, tags: dict[str, dict[str, Any]]) -> None:
    """Every tag that exiftool finds in the input, it finds in the output, with the same value."""
    for case in of_format(TAGGED, suffix):
        before, after = facts(tags[case]), facts(tags[f"out/{case}"])
        assert len(before) > 20, case
        missing = {k: v for k, v in before.items() if after.get(k) != v}
        assert not missing, (case, {k: (v, after.get(k)) for k, v in missing.items()})
        assert before["XMP-dc:Subject"] == after["XMP-dc:Subject"] == ["one", "zwei ü"], case
        assert after["GPS:GPSLatitude"], case
        if suffix in HAS_IPTC:
            assert after["IPTC:Caption-Abstract"] == "A caption", case


@EACH_TAGGED_FORMAT
def test_safe_metadata_tells_nothing_private(suffix: str, folder: Path, tags: dict[str, dict[str, Any]]) -> None:
    for case in of_format(TAGGED, suffix):
        before, after = tags[case], facts(tags[f"safe/{case}"])
        assert "B0DY-123" in json.dumps(before), case
        text = json.dumps(after)
        assert [word for word in PRIVATE if word in text] == [], case
        raw = (folder / "safe" / case).read_bytes()
        assert not any(word.encode() in raw for word in PRIVATE[:4]), case  # not even unlinked
        for tag in ("IFD0:Make", "IFD0:Copyright", "ExifIFD:ExposureTime", "XMP-dc:Title", "ExifIFD:LensModel"):
            assert after[tag] == before[tag], case


@EACH_TAGGED_FORMAT
def test_stripped_metadata_leaves_colour_alone(suffix: str, tags: dict[str, dict[str, Any]]) -> None:
    colour = ("ICC", "JFIF", "IFD0:XRes", "IFD0:YRes", "IFD0:ResolutionUnit", "Adobe")
    # How the result was made is no secret of the input's; --no-provenance leaves it out.
    made = {"XMP-diffuse:Recipe", "XMP-iptcExt:DigitalSourceType"}
    for case in of_format(TAGGED, suffix):
        before, after = tags[case], facts(tags[f"strip/{case}"])
        assert {k for k in after if not k.startswith(colour)} <= made, case
        assert before.get("ICC_Profile:ProfileDescription") == after.get("ICC_Profile:ProfileDescription"), case


def test_jpeg_coding_is_kept_or_finer(folder: Path) -> None:
    """A pixel's change may be so small that the input's own tables would undo it."""
    for case in (c for c in CASES if c.endswith(".jpg")):
        with Image.open(folder / case) as a, Image.open(folder / "out" / case) as b:
            for before, after in zip(a.quantization.values(), b.quantization.values(), strict=True):  # type: ignore[attr-defined]
                assert max(after) <= max(before)
            assert [part[1:3] for part in b.layer] in ([part[1:3] for part in a.layer], [(1, 1)] * len(a.layer))  # type: ignore[attr-defined]
            assert a.info.get("progressive") == b.info.get("progressive")


COMMANDS = [["denoise", "--noise", "5"], ["super-resolve", "--scale", "1.5"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_every_command_takes_every_file(command: list[str], folder: Path) -> None:
    run(*command, *TAGGED, "-q", "-o", f"{command[0]}/tagged/", cwd=folder)
    plain = [c for c in CASES if c not in TAGGED and c != "plain/bool.npy"]
    run(*command, *plain, "-q", "-o", f"{command[0]}/plain/", cwd=folder)
    scale = 1.5 if command[0] == "super-resolve" else 1
    for case in (c for c in CASES if c != "plain/bool.npy" and "pages" not in c):
        before, after = samples(folder / case), samples(folder / command[0] / case)
        assert after.dtype == before.dtype
        assert after.shape == (1, round(before.shape[1] * scale), round(before.shape[2] * scale), before.shape[3])
        full = 1 if before.dtype.kind == "f" else np.iinfo(before.dtype).max
        difference = corners(after) - corners(before)
        if before.shape[3] in (2, 4):  # where nothing is seen, the colour is nobody's
            difference *= (corners(before)[..., -1:] > 0) & (corners(after)[..., -1:] > 0)
        assert np.abs(difference).max() < 0.35 * full, case


def corners(array: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = array[:, :: array.shape[1] - 1, :: array.shape[2] - 1].astype(np.float64)
    return found


def test_degrade_takes_every_opaque_file(folder: Path) -> None:
    opaque = [c for c in CASES if c not in TAGGED and samples(folder / c).shape[3] in (1, 3) and "pages" not in c]
    (folder / "opaque").mkdir()
    for number, case in enumerate(opaque):  # names that differ in their suffix only would collide
        (folder / "opaque" / f"{number}{Path(case).suffix}").hardlink_to(folder / case)
    names = [f"opaque/{p.name}" for p in (folder / "opaque").iterdir()]
    run("degrade", *names, "--noise", "5", "-q", "-o", "d/", cwd=folder)
    assert len(list((folder / "d").glob("*.png"))) == len(opaque)


@pytest.fixture
def one(folder: Path, tmp_path: Path) -> Path:
    """A folder with one deep picture with metadata, in.png."""
    (tmp_path / "in.png").write_bytes((folder / "tagged/rgb16.png").read_bytes())
    return tmp_path


@pytest.mark.parametrize("suffix", [".tif", ".ppm", ".npy", ".jxl"])
def test_formats_that_hold_16_bits_keep_them(suffix: str, one: Path) -> None:
    write_picture(read_picture(one / "in.png"), one / f"out{suffix}")
    assert np.array_equal(samples(one / "in.png"), samples(one / f"out{suffix}"))


def test_format_depth_quality_and_times_on_the_command_line(one: Path) -> None:
    os.utime(one / "in.png", (1e9, 1e9))
    (one / "in.png").chmod(0o640)
    options = ["--format", "jpeg", "--quality", "40", "--depth", "8", "--keep-times"]
    run("inpaint", "in.png", "--box", "5,4,1,1", "-q", *options, cwd=one)
    with Image.open(one / "in.inpaint.jpg") as image:
        assert quality_of(image.quantization) == 40  # type: ignore[attr-defined]
    info = (one / "in.inpaint.jpg").stat()
    assert (info.st_mtime, info.st_mode & 0o777) == (1e9, 0o640)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm", ".avif", ".npy", ".heic", ".jxl"])
def test_any_format_can_be_written_with_8_bits(suffix: str, one: Path) -> None:
    write_picture(read_picture(one / "in.png"), one / f"out{suffix}", encoding=Encoding(depth="8"))
    after = samples(one / f"out{suffix}")
    assert after.dtype == np.uint8
    assert np.abs(samples(one / "in.png") / 257 - after).mean() < 3


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "heic", "jxl"])
def test_quality_decides_the_size(name: str, one: Path) -> None:
    picture, encodings = read_picture(one / "in.png"), {}
    for quality in (30, 95):
        encodings[quality] = Encoding(format=name, quality=quality, depth="8")
        write_picture(picture, one / f"out{quality}", encoding=encodings[quality])
    assert (one / "out30").stat().st_size < (one / "out95").stat().st_size
