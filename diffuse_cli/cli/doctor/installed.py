"""Which formats can be read and written, and which extras are installed."""

import re
from collections.abc import Iterator
from importlib import metadata, util
from typing import Final

from ...images.optional_formats import INSTALL, INSTALL_DICOM
from .finding import Finding

DISTRIBUTION: Final = "diffuse-cli"
_BY_PILLOW: Final = {"PNG": "zlib", "JPEG": "jpg", "WebP": "webp", "TIFF, compressed": "libtiff", "AVIF": "avif"}
_BY_EXTRA: Final = {
    "HEIC": "pillow_heif", "JPEG XL": "imagecodecs", "AVIF, 10 and 12 bit": "imagecodecs",
    "TIFF, unusual": "imagecodecs", "camera RAW (read)": "rawpy", "DICOM": "pydicom",
}  # fmt: skip
_REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"]([^'\"]+)['\"]")


def formats() -> Iterator[Finding]:
    """Yield the picture formats."""
    from PIL import features

    yield Finding(topic="formats", name="BMP, PPM, .npy", says="always")
    for name, feature in _BY_PILLOW.items():
        if features.check(feature):
            yield Finding(topic="formats", name=name, says="by Pillow")
        else:
            remedy = "install a newer Pillow: pip install --upgrade pillow"
            yield Finding(topic="formats", name=name, says="not in this Pillow", verdict="missing", remedy=remedy)
    for name, module in _BY_EXTRA.items():
        if util.find_spec(module) is not None:
            yield Finding(topic="formats", name=name, says=f"by {module}")
        else:
            remedy = INSTALL_DICOM if name == "DICOM" else INSTALL
            yield Finding(topic="formats", name=name, says=f"needs {module}", verdict="missing", remedy=remedy)


def extras() -> Iterator[Finding]:
    """Yield the extras that the package lists, and which of them are installed."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(topic="extras", name="all", says="unknown, because this copy was not installed by pip")
        return
    wanted: dict[str, list[str]] = {}
    for line in required:
        if (found := _REQUIREMENT.match(line)) is not None:
            wanted.setdefault(found.group(2), []).append(found.group(1))
    for extra, names in wanted.items():
        yield _extra(extra, names)


def _extra(extra: str, names: list[str]) -> Finding:
    lacking = [name for name in names if name != DISTRIBUTION and not _is_installed(name)]
    if not lacking:
        return Finding(topic="extras", name=extra, says=f"installed ({', '.join(names)})")
    remedy = f"pip install '{DISTRIBUTION}[{extra}]'"
    return Finding(topic="extras", name=extra, says=f"without {', '.join(lacking)}", verdict="missing", remedy=remedy)


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
