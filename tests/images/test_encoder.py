"""How pictures are coded: a JPEG's tables, a WebP's losslessness, and no byte past the stream."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from diffuse_cli.errors import PictureError
from diffuse_cli.images import encoder
from diffuse_cli.images.image_io import (
    JpegCoding,
    Picture,
    Source,
    is_lossless,
    read_picture,
    to_unit,
    write_picture,
)
from tests.helpers.image_files import described, noise, picture, smooth


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_tables_subsampling_and_scans_are_reused(subsampling: int, progressive: bool, tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.jpg", quality=63, subsampling=subsampling, progressive=progressive)
    write_picture(read_picture(tmp_path / "a.jpg"), tmp_path / "b.jpeg")
    with Image.open(tmp_path / "a.jpg") as a, Image.open(tmp_path / "b.jpeg") as b:
        assert a.quantization == b.quantization  # type: ignore[attr-defined]
        assert get_sampling(a) == get_sampling(b) == subsampling
        assert a.info.get("progressive") == b.info.get("progressive")


def test_jpeg_tables_of_a_gray_file_serve_a_colour_result(tmp_path: Path) -> None:
    smooth("L").save(tmp_path / "a.jpg", quality=63)
    read = read_picture(tmp_path / "a.jpg")
    write_picture(replace(read, pixels=np.repeat(read.pixels, 3, 2)), tmp_path / "b.jpg")
    after = read_picture(tmp_path / "b.jpg")
    assert after.source.jpeg is not None
    assert read.source.jpeg is not None
    assert after.source.jpeg.tables == read.source.jpeg.tables
    assert after.source.jpeg.subsampling == 0


def test_three_tables_and_fine_progressive_noise(tmp_path: Path) -> None:
    coding = JpegCoding(tables=((1,) * 64, (2,) * 64, (3,) * 64), subsampling=-1, progressive=True)
    levels = noise(300, 300, 3)
    write_picture(Picture(pixels=to_unit(levels, 8), source=Source(format="JPEG", jpeg=coding)), tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").source.jpeg == replace(coding, subsampling=0)


def test_jpeg_from_other_formats_is_fine_and_of_full_chroma(tmp_path: Path) -> None:
    write_picture(picture(), tmp_path / "a.jpg")
    smooth().save(tmp_path / "b.jpg", quality=95, subsampling=0)
    assert read_picture(tmp_path / "a.jpg").source.jpeg == read_picture(tmp_path / "b.jpg").source.jpeg


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_stays_lossy_or_lossless(alpha: bool, tmp_path: Path) -> None:
    image = smooth("RGBA" if alpha else "RGB")
    image.putpixel((0, 0), (1, 2, 3, 4) if alpha else (1, 2, 3))
    for lossless in (False, True):
        image.save(tmp_path / "a.webp", lossless=lossless, exif=described().exif)
        read = read_picture(tmp_path / "a.webp")
        assert read.source.lossy != lossless
        assert is_lossless(tmp_path / "b.webp", read) == lossless
        write_picture(read, tmp_path / "b.webp")
        assert read_picture(tmp_path / "b.webp").source.lossy != lossless


def test_large_pngs_are_deflated_more_quickly_and_hold_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Picture(pixels=to_unit(np.asarray(smooth(), np.uint8), 8))
    for name, most in (("small.png", 10**6), ("large.png", 0)):
        monkeypatch.setattr(encoder, "_LARGE", most)
        write_picture(seen, tmp_path / name)
    assert (tmp_path / "small.png").read_bytes() != (tmp_path / "large.png").read_bytes()
    assert (read_picture(tmp_path / "large.png").pixels == seen.pixels).all()


def test_large_pngs_of_drawings_keep_their_matches() -> None:
    """Runs alone suit photographs. A pattern that repeats would be many times as large."""
    rng = np.random.default_rng(0)
    dots = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert encoder._quick_deflation(np.tile(dots, (4, 8, 1))) == {"compress_level": 4}
    assert "compress_type" in encoder._quick_deflation(rng.normal(128, 5, (256, 64, 3)).astype(np.uint8))


def test_what_an_encoder_refuses_is_a_picture_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"a.jpg: cannot be written.*XMP data is too long"):
        write_picture(picture(source=Source(xmp=bytes(70000))), tmp_path / "a.jpg")
    wide = Picture(pixels=np.zeros((1, 16384, 3), np.float32))
    with pytest.raises(PictureError, match=r"a.webp: cannot be written.*16383"):
        write_picture(wide, tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_encoders_never_write_past_the_stream(tmp_path: Path, kind: str) -> None:
    """Pillow's own writing to a descriptor loses bytes on a disk that is getting full, without a word."""
    from diffuse_cli.images.encoder import encode
    from diffuse_cli.images.encoding import PLAIN

    with (tmp_path / "descriptor").open("wb") as other:

        class Stream(io.BytesIO):
            def fileno(self) -> int:
                return other.fileno()

        stream = Stream()
        encode(stream, [Picture(pixels=np.zeros((64, 64, 3), np.float32))], kind, PLAIN)
    assert (tmp_path / "descriptor").stat().st_size == 0
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert image.size == (64, 64)
