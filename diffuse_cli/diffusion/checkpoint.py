"""Checkpoints: safetensors files with the network's config, and the names that stand for them.

Nothing here unpickles. The header is read without torch, so that `models list` and label names cost nothing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from ..errors import CheckpointError, UsageError
from ..system import files
from .foreign.header import FORMAT as FOREIGN_FORMAT
from .foreign.header import ForeignHeader
from .foreign.pipeline_folder import INDEX, folder_header, folder_sha256
from .settings import natural_size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .network import UNet

FORMAT = "diffuse-1"
READABLE_FORMATS = (FORMAT, "diffuse-reference-1", FOREIGN_FORMAT)
DEFAULT_MODEL = "photo"
FAST_MODEL = "photo-fast"
"""A network of the same family, of a quarter of the arithmetic."""
SHIPPED = (DEFAULT_MODEL, FAST_MODEL, "fashion")
"""Names of the checkpoints that come with the program."""
SUFFIX = ".safetensors"
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointInfo:
    """What a checkpoint says of itself, from its header alone.

    Attributes:
        path: the file.
        config: the network's shape, as JSON gives it.
        metadata: all string metadata: format, training summary, sha256 of the tensors, ...
        shapes: the tensors' shapes.
        dtypes: the tensors' types, as safetensors names them.
    """

    path: Path
    config: dict[str, Any]
    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that `generate --label` takes."""
        if self.foreign is not None:
            return self.foreign.labels
        return tuple(self.config.get("labels", ()))

    @property
    def crop(self) -> int:
        """Side of the training crops."""
        return int(self.config.get("crop", 96))

    @property
    def natural_size(self) -> tuple[int, int]:
        """(height, width) of what `generate` draws, if nothing is said."""
        side = 0 if self.foreign is None else self.foreign.side
        return (side, side) if side else natural_size(self.crop)

    @property
    def foreign(self) -> ForeignHeader | None:
        """What the file says of an imported model. None: it is a checkpoint of this program.

        Raises:
            CheckpointError: its header is wrong.
        """
        if self.metadata.get("format") != FOREIGN_FORMAT:
            return None
        try:
            return ForeignHeader.from_config(self.config)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {error}") from None

    def check_task(self, task: str) -> None:
        """Refuse a task that these weights were not trained for, if the file says which they were.

        Raises:
            CheckpointError: its `tasks` (names with commas) do not hold this one.
        """
        tasks = [name.strip() for name in self.metadata.get("tasks", task).split(",")]
        if task not in tasks:
            raise CheckpointError(f"{self.path}: was not trained for {task}, only for {', '.join(tasks)}")

    @property
    def parameters(self) -> int:
        """How many numbers the file holds."""
        total = 0
        for shape in self.shapes.values():
            count = 1
            for n in shape:
                count *= n
            total += count
        return total


def folders() -> list[Path]:
    """Return where named checkpoints lie: in the package, beside it in a checkout, and in the user's data."""
    here = Path(__file__).resolve().parents[1]
    return [here / "checkpoints", here.parent / "checkpoints", user_data_path("diffuse") / "checkpoints"]


def named() -> dict[str, Path]:
    """Return every checkpoint that `--model NAME` can mean, by name; the first folder wins."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stem):
            found.setdefault(path.stem, path)
    return found


def find(model: str | Path = DEFAULT_MODEL) -> Path:
    """Return the file of a model given by name or by path.

    Raises:
        CheckpointError: it is neither a known name nor a file.
    """
    path = Path(model)
    if path.is_file():
        return path
    known = named()
    if str(model) in known:
        return known[str(model)]
    if path.is_dir():
        if (path / INDEX).is_file():
            return path
        raise CheckpointError(f"{path}: is a folder; --model takes a {SUFFIX} file, a name, or a pipeline of "
                              "diffusers; a UNet2DModel is imported first: diffuse models import DIR")  # fmt: skip
    if str(model) in SHIPPED:
        raise CheckpointError(f"{model}: comes with diffuse, but is not among the checkpoints; install diffuse again")
    names = ", ".join(known) or "none"
    raise CheckpointError(f"{model}: no such model; the names known here are {names}, and --model takes a file too")


def estimator(name: str) -> Path:
    """Return the file of an estimator that comes with the checkpoints.

    Raises:
        CheckpointError: it is not there.
    """
    for folder in folders():
        path = folder / "estimators" / f"{name}{SUFFIX}"
        if path.is_file():
            return path
    raise CheckpointError(f"estimators/{name}{SUFFIX}: is missing among the checkpoints; install diffuse again")


def file_sha256(path: Path) -> str:
    """Return the sha256 of a checkpoint's file or of a pipeline's files, by which a recipe names it.

    Raises:
        CheckpointError: the file cannot be read.
    """
    return folder_sha256(path) if path.is_dir() else files.file_sha256(path, CheckpointError)


def read_info(path: str | Path) -> CheckpointInfo:
    """Read the header of a checkpoint, or what the folder of a pipeline says of itself.

    Raises:
        CheckpointError: it is not a safetensors file, truncated, or not one of this program's.
    """
    path = Path(path)
    if path.is_dir():
        config = asdict(folder_header(path))
        metadata = {"format": FOREIGN_FORMAT, "config": json.dumps(config)}
        return CheckpointInfo(path=path, config=config, metadata=metadata, shapes={}, dtypes={})
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 2 <= length <= min(size - 8, _HEADER_LIMIT):
                raise CheckpointError(
                    f"{path}: not a safetensors file, or truncated; fetch it again, or import it if it is another "
                    "program's: diffuse models import FILE"
                )
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return _parse(path, _header(text), size - 8 - length)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: not a safetensors file; the header makes no sense") from None


def _header(text: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file: metadata, and the layout of each tensor.

    Raises:
        ValueError: it is none.
    """
    header = json.loads(text)
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ValueError("not an object")
    for name, entry in header.items():
        if name != "__metadata__" and not (isinstance(entry, dict) and _is_layout(entry)):
            raise ValueError(f"{name} is no tensor")
    return header


def _is_layout(entry: dict[str, Any]) -> bool:
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    whole = all(isinstance(part, list) and all(type(n) is int for n in part) for part in (shape, offsets))
    return whole and isinstance(offsets, list) and len(offsets) == 2 and isinstance(entry.get("dtype"), str)


def _parse(path: Path, header: dict[str, Any], data_size: int) -> CheckpointInfo:
    metadata = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
    if any(entry["data_offsets"][1] > data_size for entry in header.values()):
        raise CheckpointError(f"{path}: truncated, tensors reach beyond the end of the file; fetch it again")
    if "config" not in metadata:
        raise CheckpointError(
            f"{path}: a safetensors file without a config, so not a checkpoint of this program; if it is another "
            "program's model, import it first: diffuse models import FILE"
        )
    if metadata.get("format", FORMAT) not in READABLE_FORMATS:
        raise CheckpointError(f"{path}: format {metadata['format']} is not one of {', '.join(READABLE_FORMATS)}")
    config = json.loads(metadata["config"])
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: its config is not a JSON object")
    return CheckpointInfo(
        path=path,
        config=config,
        metadata=metadata,
        shapes={k: tuple(v["shape"]) for k, v in header.items()},
        dtypes={k: v["dtype"] for k, v in header.items()},
    )


def label_index(label: str, labels: tuple[str, ...]) -> int:
    """Return the number of a label among a checkpoint's.

    Raises:
        UsageError: the checkpoint has no such label.
    """
    if label not in labels:
        names = ", ".join(labels) or "none: it was trained without labels"
        raise UsageError(f"--label {label}: unknown to this checkpoint; its labels are {names}")
    return labels.index(label)


def load(path: Path) -> "UNet":
    """Rebuild the network of a checkpoint, folded, on the CPU in fp32.

    Raises:
        CheckpointError: the file is missing, corrupt, foreign, or does not fit its own config.
    """
    from .network import NetworkConfig, UNet

    info = read_info(path)
    if info.foreign is not None:
        words, fits = info.foreign.words, info.foreign.fits
        raise CheckpointError(f"{path}: is an imported model ({words}); it is for {fits}")
    try:
        network = UNet(NetworkConfig.from_json(info.config))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    wrong = sorted(k for k in wanted.keys() | info.shapes.keys() if wanted.get(k) != info.shapes.get(k))
    if wrong:
        raise CheckpointError(f"{path}: its tensors do not fit its config (first: {wrong[0]})")
    tensors = read_tensors(path)
    if not all(bool(t.isfinite().all()) for t in tensors.values()):
        raise CheckpointError(f"{path}: holds weights that are not finite")
    network.load_state_dict({k: v.float() for k, v in tensors.items()})
    return network.fold()


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Return the tensors of a checkpoint by name, as they are stored.

    Raises:
        CheckpointError: the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from None


def tensors_sha256(tensors: "dict[str, Tensor]") -> str:
    """Return the sha256 over each tensor's name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def verify(path: Path) -> tuple[str, bool | None]:
    """Load a checkpoint, and check the sha256 of its tensors. Of an imported model, check the sha256 alone.

    Returns:
        the sha256, and whether it is the one that the file states. None: it states none.

    Raises:
        CheckpointError: as `load`.
    """
    if read_info(path).foreign is None:
        load(path)
    actual = tensors_sha256(read_tensors(path))
    stated = read_info(path).metadata.get("sha256")
    return actual, None if stated is None else stated == actual


def to_recipe(path: Path) -> dict[str, str]:
    """Return a checkpoint's name, the sha256 of its tensors and its training steps, for a report.

    Raises:
        CheckpointError: as `verify`.
    """
    return {"name": path.stem, "sha256": verify(path)[0], "steps": read_info(path).metadata.get("steps", "")}


def save(path: Path, tensors: "dict[str, Tensor]", config: dict[str, object], summary: dict[str, str]) -> None:
    """Write a release checkpoint: matrices in fp16, scalars and buffers in fp32.

    Args:
        path: the file; if writing fails, one that was there before is still there.
        tensors: the EMA weights, by name.
        config: the network's shape, as JSON.
        summary: further metadata, such as `steps`, `data`, `training`, `licence`.

    Raises:
        PictureError: the disk fails.
    """
    from safetensors.torch import save as serialise

    from ..system.files import write_bytes

    release = {k: _release_dtype(v) for k, v in tensors.items()}
    metadata = {**summary, "format": FORMAT, "config": json.dumps(config), "sha256": tensors_sha256(release)}
    write_bytes(serialise(release, metadata), path)


def _release_dtype(tensor: "Tensor") -> "torch.Tensor":
    return (tensor.half() if tensor.ndim > 1 else tensor.float()).contiguous()
