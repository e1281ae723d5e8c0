"""Folders of text-conditioned pipelines: what they say of themselves. Imports no torch, and runs nothing."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from ...errors import CheckpointError
from ...system.files import file_sha256
from .header import ForeignHeader

INDEX: Final = "model_index.json"
"""The file by which a folder is known to be a pipeline of diffusers."""
_LIBRARIES: Final = ("diffusers", "transformers")
_PICKLES: Final = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")
_NOT_READ: Final = (*_PICKLES, ".md", ".png", ".jpg", ".onnx", ".onnx_data", ".pb")
_LARGEST_JSON: Final = 1 << 20
_USUAL_SCALE: Final = 8
_USUAL_SIDE: Final = 512
_CHECKERS: Final = ("safety_checker",)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file.

    Raises:
        CheckpointError: it cannot be read, or holds something else.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise CheckpointError(f"{path}: too large for a config")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: is no JSON file") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: is no JSON object")
    return found


def check_folder(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the parts of a pipeline: library and class by name. Refuse what would run code of the folder.

    Raises:
        CheckpointError: the index makes no sense, a part is a class of another library or a program, a part with
            weights has no safetensors, or no text is understood.
    """
    index = read_json(folder / INDEX)
    parts: dict[str, tuple[str, str]] = {}
    for name, value in index.items():
        if isinstance(value, list) and len(value) == 2 and value != [None, None]:
            library, kind = map(str, value)
            if library not in _LIBRARIES and kind != "StableDiffusionSafetyChecker":
                raise CheckpointError(f"{folder}: {name} is {library}.{kind}"[:150] + ", a program; it is not run")
            parts[name] = library, kind
    if programs := sorted(folder.glob("**/*.py")):
        raise CheckpointError(f"{programs[0]}: is a program, and a folder with programs is not loaded; remove it")
    kind = str(index.get("_class_name"))
    if "tokenizer" not in parts or not ({"unet", "transformer"} & parts.keys()):
        raise CheckpointError(f"{folder}: {kind[:60]} is not told what to draw by text; see diffuse models import")
    for name, (library, kind) in parts.items():
        is_weights = not kind.endswith(("Scheduler", "Tokenizer", "TokenizerFast", "Processor", "Extractor"))
        if is_weights and not any((folder / name).glob("*.safetensors")):
            raise CheckpointError(
                f"{folder / name}: has no safetensors, and {library}'s pickles could run code; save them with "
                "safe_serialization=True"
            )
    return parts


def has_safety_checker(folder: Path) -> bool:
    """Return whether a folder's pipeline looks at what it drew."""
    return any(name in check_folder(folder) for name in _CHECKERS)


def folder_header(folder: Path) -> ForeignHeader:
    """Return what a pipeline's folder says of itself.

    Raises:
        CheckpointError: as `check_folder`.
    """
    parts = check_folder(folder)
    kind = str(read_json(folder / INDEX).get("_class_name"))[:100]
    network = folder / ("unet" if "unet" in parts else "transformer") / "config.json"
    told, coder = read_json(network), folder / "vae" / "config.json"
    widths = read_json(coder).get("block_out_channels") if coder.is_file() else None
    scale = 2 ** (len(widths) - 1) if isinstance(widths, list) and 1 <= len(widths) <= 6 else _USUAL_SCALE
    latent = told.get("sample_size")
    side = latent * scale if isinstance(latent, int) and 0 < latent * scale <= 4096 else _USUAL_SIDE
    return ForeignHeader(
        architecture=kind, role="text", scale=1, channels=3, multiple=scale if "unet" in parts else 2 * scale,
        whole=True, margin=0, activation=1, side=side, conditioned="text", source_sha256="",
        licence=folder_licence(folder),
    )  # fmt: skip


def folder_licence(folder: Path) -> str:
    """Return the licence that the head of a folder's README.md states (`license: ...`), or "see LICENSE", or ""."""
    try:
        head = (folder / "README.md").read_text(encoding="utf-8", errors="replace")[:4000].splitlines()
    except OSError:
        head = []
    found = [line.partition(":")[2].strip() for line in head if line.startswith(("license:", "license_name:"))]
    other = [path.name for path in sorted(folder.glob("LICEN[SC]E*"))]
    return " ".join((found or [f"see {name}" for name in other[:1]] or [""])[-1].split())[:200]


def folder_sha256(folder: Path) -> str:
    """Return the sha256 over names and contents of the files of a folder that a pipeline is made of.

    Raises:
        CheckpointError: one cannot be read.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in _NOT_READ]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    digest = hashlib.sha256()
    for path in files:
        name, about = path.relative_to(folder).as_posix(), path.stat()
        digest.update(f"{name} {_hashed(path, about.st_mtime_ns, about.st_size)}\n".encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=256)
def _hashed(path: Path, changed: int, size: int) -> str:
    """Return the sha256 of a file as it is now. Some have gigabytes, and are asked for several times."""
    return file_sha256(path, CheckpointError)
