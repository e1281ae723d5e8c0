"""Picture files of every format, mode and depth, made by other programs than ours."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

LIBRARIES = ("cv2", "tifffile", "imagecodecs", "pillow_heif", "pillow_jxl")
HAS_LIBRARIES = all(importlib.util.find_spec(name) for name in LIBRARIES)
HAS_EXIFTOOL = shutil.which("exiftool") is not None
SIZE = (24, 32)

TAGS = (
    "-Make=Maker", "-Model=Model X", "-Artist=A. Photographer", "-Copyright=(c) A. Photographer",
    "-DateTimeOriginal=2020:02:02 20:20:20", "-ExposureTime=1/125", "-ISO=200", "-LensModel=50 mm",
    "-ExifIFD:SerialNumber=B0DY-123", "-LensSerialNumber=L3NS-456", "-ExifIFD:OwnerName=Olga Owner",
    "-ExifIFD:ImageUniqueID=00112233445566778899aabbccddeeff",
    "-GPSLatitude=50.5", "-GPSLatitudeRef=N", "-GPSLongitude=14.25", "-GPSLongitudeRef=E",
    "-XMP-dc:Title=A title", "-XMP-dc:Subject=one", "-XMP-dc:Subject=zwei ü", "-XMP-xmp:Rating=4",
    "-XMP-aux:SerialNumber=B0DY-123", "-XMP-exif:GPSLatitude=50.5", "-XMP-xmpMM:DocumentID=doc-1",
)  # fmt: skip
"""What exiftool writes into every file that can hold it."""

PRIVATE = ("B0DY-123", "L3NS-456", "Olga Owner", "00112233445566778899", "doc-1", "GPS")
HAS_METADATA = {".png", ".tif", ".jpg", ".webp", ".avif", ".heic", ".jxl"}
HAS_IPTC = {".png", ".tif", ".jpg"}


def picture(channels: int, dtype: str = "uint8") -> NDArray[Any]:
    """Smooth colours with some noise, every channel different, alpha from 0 to full."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] / 32
    rng = np.random.default_rng(channels)
    planes = [x, y, 0.5 * (x + y), np.clip(1.4 * x - 0.2, 0, 1)]
    unit = np.stack([planes[3 if c == channels - 1 and channels in (2, 4) else c] for c in range(channels)], -1)
    if dtype.startswith("float"):
        return (unit + rng.normal(0, 0.01, unit.shape)).astype(dtype)
    full = np.iinfo(dtype).max
    return np.clip(unit * full + rng.normal(0, full / 100, unit.shape), 0, full).round().astype(dtype)


def make_all(folder: Path) -> None:
    """Write every picture, with no metadata."""
    _with_pillow(folder)
    _with_opencv(folder)
    _with_tifffile(folder)
    _with_codecs(folder)
    for name, array in {
        "gray8": picture(1)[..., 0], "rgb8": picture(3), "rgba8": picture(4), "rgb16": picture(3, "uint16"),
        "f16": picture(3, "float16"), "f32": picture(3, "float32"), "f64gray": picture(1, "float64")[..., 0],
        "bool": picture(1)[..., 0] > 99,
    }.items():  # fmt: skip
        np.save(folder / f"{name}.npy", array)


def _image(channels: int) -> Image.Image:
    array = picture(channels)
    return Image.fromarray(array[..., 0] if channels == 1 else array)


def _with_pillow(folder: Path) -> None:
    gray, ga, rgb, rgba = (_image(c) for c in (1, 2, 3, 4))
    for name, image in {"gray8": gray, "ga8": ga, "rgb8": rgb, "rgba8": rgba, "bit1": gray.convert("1")}.items():
        image.save(folder / f"{name}.png")
        image.save(folder / f"pil_{name}.tif")
    rgb.quantize(64).save(folder / "palette.png")
    rgba.quantize(64).save(folder / "palette_alpha.png")
    gray.save(folder / "gray.jpg", quality=90)
    rgb.save(folder / "q90_444.jpg", quality=90, subsampling=0)
    rgb.save(folder / "q80_420.jpg", quality=80, subsampling=2)
    rgb.save(folder / "q85_422_progressive.jpg", quality=85, subsampling=1, progressive=True)
    for name, image in {"rgb": rgb, "rgba": rgba}.items():
        image.save(folder / f"{name}_lossless.webp", lossless=True, exact=True)
        image.save(folder / f"{name}_lossy.webp", quality=90)
        image.save(folder / f"{name}.avif", quality=90)
    gray.save(folder / "gray.bmp")
    rgb.save(folder / "rgb.bmp")
    gray.save(folder / "gray8.pgm")
    rgb.save(folder / "rgb8.ppm")
    rgb.save(folder / "lzw.tif", compression="tiff_lzw")
    rgb.save(folder / "packbits.tif", compression="packbits")
    rgb.save(folder / "pages.tif", save_all=True, append_images=[gray, rgb.transpose(Image.Transpose.ROTATE_90)])


def _with_opencv(folder: Path) -> None:
    import cv2

    for name, order in {"gray16": [0], "rgb16": [2, 1, 0], "rgba16": [2, 1, 0, 3]}.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture(len(order), "uint16")[..., order])
    cv2.imwrite(str(folder / "gray16.pgm"), picture(1, "uint16"))
    cv2.imwrite(str(folder / "rgb16.ppm"), picture(3, "uint16")[..., ::-1])


def _with_tifffile(folder: Path) -> None:
    import tifffile

    def write(name: str, array: NDArray[Any], **options: Any) -> None:  # noqa: ANN401
        photometric = "rgb" if array.shape[-1] > 2 else "minisblack"
        extra = ["unassalpha"] if array.shape[-1] in (2, 4) else None
        array = array[..., 0] if array.shape[-1] == 1 else array
        options = {"photometric": photometric, "extrasamples": extra, "metadata": None, **options}
        tifffile.imwrite(folder / f"{name}.tif", array, **options)

    for channels, mode in ((1, "gray"), (2, "ga"), (3, "rgb"), (4, "rgba")):
        write(f"{mode}16", picture(channels, "uint16"))
        write(f"{mode}f32", picture(channels, "float32"))
    write("rgbf16", picture(3, "float16"))
    write("grayf64", picture(1, "float64"))
    write("rgb16_big_endian", picture(3, "uint16"), byteorder=">")
    write("rgb16_deflate", picture(3, "uint16"), compression="zlib", predictor=True)
    write("rgb8_tiles", picture(3), tile=(16, 16), compression="zlib")
    write("rgbf32_deflate", picture(3, "float32"), compression="zlib", predictor=True)
    write("rgb8_bigtiff", picture(3), bigtiff=True)
    write("rgb16_planes", np.moveaxis(picture(3, "uint16"), -1, 0), planarconfig="separate", photometric="rgb")
    write("rgb16_zstd_tiles", picture(3, "uint16"), compression="zstd", tile=(16, 16))


def _with_codecs(folder: Path) -> None:
    import imagecodecs
    import pillow_heif

    for name, array in {
        "gray8": picture(1)[..., 0], "rgb8": picture(3), "rgba8": picture(4),
        "gray16": picture(1, "uint16")[..., 0], "rgb16": picture(3, "uint16"), "rgba16": picture(4, "uint16"),
    }.items():  # fmt: skip
        (folder / f"{name}.jxl").write_bytes(imagecodecs.jpegxl_encode(array, lossless=True, usecontainer=True))
    for name, mode, array in (
        ("rgb8", "RGB", picture(3)), ("rgba8", "RGBA", picture(4)), ("rgb10", "RGB;16", picture(3, "uint16")),
    ):  # fmt: skip
        image = pillow_heif.from_bytes(mode, SIZE[::-1], array.tobytes())
        image.save(folder / f"{name}.heic", quality=95, chroma=444)


def add_metadata(files: list[Path], folder: Path) -> None:
    """Have exiftool put tags, a profile and, where there is room for it, an IPTC caption into the files."""
    profile = folder / "srgb.icc"
    profile.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    colour = [p for p in files if "gray" not in p.name and "ga" not in p.stem and "bit1" not in p.name]
    quiet = ["exiftool", "-q", "-q", "-m", "-overwrite_original"]
    subprocess.run([*quiet, *TAGS, *files], check=False)
    subprocess.run([*quiet, f"-icc_profile<={profile}", *[p for p in colour if p.suffix != ".jxl"]], check=False)
    iptc = [p for p in files if p.suffix in HAS_IPTC]
    subprocess.run([*quiet, "-IPTC:Caption-Abstract=A caption", "-IPTC:City=Prague", *iptc], check=False)
    dots = [p for p in files if p.suffix in (".png", ".tif", ".jpg")]
    subprocess.run([*quiet, "-XResolution=300", "-YResolution=300", "-ResolutionUnit=inches", *dots], check=False)
    jpegs = [p for p in files if p.suffix == ".jpg"]
    subprocess.run([*quiet, "-Comment=A comment", *jpegs], check=False)
