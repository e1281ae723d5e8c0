"""Files that are no weights as torch writes them: told by their first bytes, and refused by name."""

import zipfile
from pathlib import Path
from typing import Final

from ...errors import CheckpointError

_WEIGHTS: Final = "import the weights that it was made from, as .safetensors or .pth"
_HEADS: Final = (
    (b"\x89HDF", 0, f"is HDF5, as Keras writes it; {_WEIGHTS}"),
    (b"MATLAB ", 0, f"is MATLAB's; {_WEIGHTS}"),
    (b"GGUF", 0, f"is GGUF; {_WEIGHTS}"),
    (b"TFL3", 4, f"is TensorFlow Lite; {_WEIGHTS}"),
    (b"7767517", 0, f"is the network of ncnn; {_WEIGHTS}"),
    (b"version https://git-lfs", 0, "is a pointer of Git LFS, not the weights; fetch those with git lfs pull"),
    (b"<", 0, "is a web page; download the file itself"),
)
"""First bytes, where they are, and what to say."""
_SUFFIXES: Final = {
    ".onnx": f"is ONNX; {_WEIGHTS}", ".pb": f"is TensorFlow's; {_WEIGHTS}", ".engine": f"is TensorRT's; {_WEIGHTS}",
}  # fmt: skip
"""Formats whose files begin with nothing of their own."""


def refuse_others(path: Path) -> None:
    """Refuse programs, and files of other formats that users have beside weights.

    Raises:
        CheckpointError: the file is TorchScript, of another format, a web page, or an archive of files.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
    said = _SUFFIXES.get(path.suffix.lower())
    said = next((words for begin, at, words in _HEADS if head[at:].startswith(begin)), said)
    if path.suffix.lower() == ".bin" and path.with_suffix(".param").is_file():
        said = f"holds the weights of ncnn's {path.with_suffix('.param').name}; {_WEIGHTS}"
    if said is None and zipfile.is_zipfile(path):
        said = _of_archive(path)
    if said is not None:
        raise CheckpointError(f"{path}: {said}")


def _of_archive(path: Path) -> str | None:
    """Return what is wrong with a zip archive. None: `torch.save` may have written it."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("constants.pkl") or "/code/" in f"/{name}" for name in names):
        return "is TorchScript, which is a program and could do anything; ask for its weights"
    if not any(name.endswith("data.pkl") for name in names):
        return "is an archive of other files; unpack it, and import what is in it"
    return None
