"""One model in memory that restores pictures which are given as bytes. No file of a request is opened or written."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...degradation.estimation.noise_map import map_of
from ...errors import PictureError, UsageError
from ...images.encoding import PICTURE_SUFFIXES
from ...images.image_io import encode_pages, read_picture
from ...images.mask_reading import read_mask
from ...restoration.noise_reading import noise_reader
from ...tasks.as_options import from_options, holes_of, result_size
from ..batch.inputs import PIPE, Found
from ..batch.job import Job
from ..options.compute import ComputeInRounds
from ..options.files import Files
from ..run.damaged import Mender, mender
from ..run.display import Display
from ..run.planning import Batch
from ..run.products import Checkpoint, RestoredPicture
from ..run.reading import Inputs
from ..run.restorer import Restorer
from ..run.results import Results
from ..run.task_source import SameTask
from ..run.wanted import Wanted, checkpoint_of
from .line import Ticket
from .request import Wish

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...tasks.task import Task

SOURCE, RESULT = "picture", "result"
"""What messages call the picture and its result."""
TYPES: Final = {
    "PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "TIFF": "image/tiff", "BMP": "image/bmp",
    "PPM": "image/x-portable-anymap", "GIF": "image/gif", "AVIF": "image/avif", "HEIF": "image/heif",
    "JXL": "image/jxl", "NPY": "application/octet-stream", "DICOM": "application/dicom",
}  # fmt: skip
"""The media types of results by their formats."""


class TooLargeError(PictureError):
    """A picture, or what would be made of it, has more pixels than the server takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """Pictures of a request.

    Attributes:
        picture: the content of the file that is restored.
        suffix: of its name, which tells camera RAW and DICOM.
        parts: the content of mask or noise map, by name.
    """

    picture: bytes
    suffix: str = ""
    parts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What a request gets.

    Attributes:
        content: the result's file.
        media_type: of it.
        recipe: how it was made.
        notes: what the command line says beside, one line each.
    """

    content: bytes
    media_type: str
    recipe: Mapping[str, Any]
    notes: tuple[str, ...]


class _Listener(Display):
    """Keeps what is said, and ends work that nobody waits for."""

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(quiet=False, total=1)
        self.ticket = ticket
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def show(self, name: str, doing: str = "", *, counted: bool = True, page: tuple[int, int] = (0, 1)) -> None:
        self.ticket.check()

    def progress(self, done: int, total: int) -> None:
        self.ticket.check()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept(Results):
    """Keeps results in memory."""

    contents: list[bytes] = field(default_factory=list)

    def claim(self, job: Job) -> None:
        """Claim nothing: there is no file."""

    def check_still_due(self, job: Job, wanted: Mapping[str, Any]) -> None:
        """It is due: there is no file."""

    def write(self, job: Job, pages: "Iterable[Picture]", made: Mapping[str, Any], encoding: "Encoding") -> None:
        """Keep the result's file."""

        def tell(note: str) -> None:
            self.display.say(f"{job.output_name}: {note}")

        self.contents.append(encode_pages(pages, job.output, encoding=encoding, tell=tell))


class Restoring:
    """One model in memory."""

    def __init__(self, compute: ComputeInRounds, max_pixels: int) -> None:
        """Load the model.

        Args:
            compute: the model, and how to compute where a request does not say it.
            max_pixels: the most that a picture, and what is made of it, may have.

        Raises:
            CheckpointError: the checkpoint is missing or cannot be used.
            UsageError: device, number type or engine cannot be used here, or the model is another program's.
        """
        from ...diffusion.model import Model

        self.compute, self.max_pixels = compute, max_pixels
        model = compute.load()
        if not isinstance(model, Model):
            raise UsageError(f"--model {compute.model}: only checkpoints of diffuse are served; give one of them")
        self.model: Model = model
        self.checkpoint: Checkpoint = checkpoint_of(compute)
        self.read_noise = noise_reader(model)

    def __call__(self, wish: Wish, sent: Sent, ticket: Ticket) -> Restored:
        """Restore a picture, as the command of this name does.

        Args:
            wish: what is asked for.
            sent: the picture, and those that belong to it.
            ticket: ends the work if nobody waits for it.

        Raises:
            UsageError: an option is out of range, or does not go with another.
            PictureError: the picture cannot be read, does not fit the task, or has too many pixels.
            OutOfMemoryError: not even the smallest tile fits.
            AbandonedError: nobody waits for it any more, or it took too long.
        """
        ticket.check()
        tasks = self._tasks(wish, sent)
        compute = replace(self.compute, **wish.compute)
        listener = _Listener(ticket)
        source = Path(f"{SOURCE}{sent.suffix if sent.suffix in PICTURE_SUFFIXES else ''}")
        output = PIPE if wish.coding.suffix is None else Path(f"{RESULT}{wish.coding.suffix}")
        if output != PIPE and wish.coding.kind(output) not in TYPES:
            raise UsageError(f"--format {wish.coding.format}: a server does not write it; give another")
        product = RestoredPicture(
            op=wish.operation, request=wish.sampling, base=compute.settings(1), fills_holes=tasks.fills_holes
        )
        job = Job(
            found=Found(path=source, below=source, root=Path()), output=output, sample=wish.sample, product=product
        )
        files = Files(provenance=wish.provenance, damaged=wish.damaged, max_pixels=self.max_pixels)
        results = _Kept(batch=Batch(op=wish.operation, jobs=[job]), files=files, encoding=wish.coding, display=listener)
        restorer = Restorer(
            results=results,
            wanted=Wanted(
                tasks=tasks, compute=compute, encoding=wish.coding, damaged=wish.damaged, known=self.checkpoint
            ),
            model=self.model,
            inputs=Inputs(
                lambda _: tasks.task,
                self.max_pixels,
                shared=False,
                read_noise=self.read_noise,
                mend=self._checked(tasks.task, mender(wish.damaged, compute, self.model)),
                given=lambda _: sent.picture,
            ),
            traces=False,
            is_stopped=lambda: False,
        )
        read = restorer.read(job)
        ticket.check()
        made = restorer.restore(job, read)
        restorer.write(job, made)
        kind = made.encoding.kind(output)
        return Restored(
            content=results.contents[0], media_type=TYPES[kind], recipe=made.recipe,
            notes=tuple(_named(line, {source: SOURCE, output: RESULT}) for line in listener.said),
        )  # fmt: skip

    def _tasks(self, wish: Wish, sent: Sent) -> SameTask:
        """Return the task, and what its recipe says of the pictures that belong to it."""
        parts, said = {}, []
        for name, content in sent.parts.items():
            picture = read_picture(Path(name), max_pixels=self.max_pixels, data=io.BytesIO(content))
            if name == "mask":
                reading = read_mask(picture)
                parts[name] = reading.marks
                said += [f"mask: {reading.note}"] if reading.note else []
            else:
                parts[name] = map_of(picture)
        task = from_options(wish.operation, wish.task, parts)
        facts: dict[str, Any] = {name: hashlib.sha256(content).hexdigest() for name, content in sent.parts.items()}
        holes = holes_of(task)
        if holes is not None and isinstance(holes.mask, str):
            facts["mask"] = holes.mask
        return SameTask(task=task, facts=facts, said=tuple(said))

    def _checked(self, task: "Task", mend: Mender) -> Mender:
        """Return what is done with each page before the task: it is measured, then mended."""

        def checked(path: Path, page: "Picture") -> "Picture":
            height, width = page.pixels.shape[:2]
            across, down = result_size(task, width, height)
            pixels = max(across * down, width * height) * page.source.pages
            if pixels > self.max_pixels:
                raise TooLargeError(
                    f"{path}: it and its result have {pixels:,} pixels, and this server takes {self.max_pixels:,}; "
                    "send a smaller picture, or run the command without --server"
                )
            return mend(path, page)

        return checked


def _named(line: str, names: Mapping[Path, str]) -> str:
    """Return a line about the picture or its result, by the names that requests know."""
    before, colon, rest = line.partition(": ")
    known = {"stdout" if path == PIPE else str(path): name for path, name in names.items()}
    return f"{known[before]}: {rest}" if colon and before in known else line
