"""What is done of a clip: segments in a folder beside the result, and a journal of them, so that a run can go on."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import PictureError
from ...provenance import recipe
from ...system.files import disk_trouble, landing, reason, replaced_whole
from ..batch.journal import Journal
from ..batch.pipeline import BusyError
from .planning import sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.earlier_frames import EarlierFrames

    Add = Callable[[Picture], None]

FRAMES: Final = 32
"""Frames of a segment. Each begins with a frame that needs no other, as players that seek like it."""
FOLDER_SUFFIX: Final = ".diffuse-parts"
"""Ends the name of the folder with the segments of a clip, beside the clip."""


def folder_of(output: Path) -> Path:
    """Return the folder for the segments of a clip.

    Args:
        output: the clip.
    """
    output = landing(output)
    return output.with_name(f".{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]}{FOLDER_SUFFIX}")


class ClipParts:
    """The segments of one clip's result.

    Attributes:
        count: of the segments that there are in the end.
        done: of those that are whole.
    """

    def __init__(
        self,
        output: Path,
        made: Mapping[str, Any],
        encoding: "Encoding",
        *,
        frames: int,
        anew: bool,
        kinds: tuple[str, ...],
    ) -> None:
        """Look what an earlier run has left. What was made by another recipe is removed.

        Args:
            output: the clip.
            made: its recipe.
            encoding: how it is coded.
            frames: how many it has.
            anew: use nothing of an earlier run.
            kinds: the series of segments: "" is the result, others have a name.

        Raises:
            BusyError: another process works on them.
            UsageError: they cannot be written.
        """
        self.output, self.encoding, self.kinds = output, encoding, kinds
        self.made = recipe.plain({**made, "kinds": list(kinds)})
        self.count = -(-frames // FRAMES)
        self.folder = folder_of(output)
        self.journal = Journal(self.folder / "journal.jsonl")
        if not self.journal.claim(output):
            raise BusyError
        self.done = 0 if anew else self._found()
        if self.done == 0:
            self._begin_anew()

    def __enter__(self) -> "ClipParts":
        """Keep the segments while they are worked on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove them if the clip is written, or if there are none. Else another run goes on with them."""
        self.journal.close()
        if kind is None or self.done == 0:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, number: int, kind: str = "") -> Path:
        """Return the file of a segment, its number from 0."""
        return self.folder / f"{number:06d}{f'.{kind}' if kind else ''}.nut"

    def paths(self, kind: str = "") -> tuple[Path, ...]:
        """Return the files of all segments."""
        return tuple(self.path(number, kind) for number in range(self.count))

    @property
    def frames_done(self) -> int:
        """The number of frames in the segments that are whole."""
        return self.done * FRAMES

    @contextmanager
    def writing(self, earlier: "EarlierFrames | None") -> Iterator[dict[str, "Add"]]:
        """Open the next segment for its frames, and note in the end that it is whole.

        Args:
            earlier: what the next one needs to know of its frames.

        Yields:
            what takes the frames of each kind.

        Raises:
            PictureError: they cannot be coded, or the disk fails.
        """
        from ...images.video.library import pyav
        from ...images.video.writer import segment_writer

        try:
            with ExitStack() as opened:
                coding, depth = self.encoding.clip, self.encoding.depth
                yield {
                    kind: opened.enter_context(segment_writer(self.path(self.done, kind), coding, depth))
                    for kind in self.kinds
                }
            self._note(earlier)
        except OSError as error:
            raise PictureError(f"{self.output}: cannot be written: {disk_trouble(error)}") from error
        except pyav().FFmpegError as error:
            raise PictureError(f"{self.output}: cannot be coded ({reason(error)}); try another --codec") from error

    def go_on(self, earlier: "EarlierFrames") -> None:
        """Tell what the frames before the next segment have shown."""
        import numpy as np

        if self.done:
            with np.load(self._state(self.done), allow_pickle=False) as arrays:
                earlier.go_on({name: arrays[name] for name in arrays.files})

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _note(self, earlier: "EarlierFrames | None") -> None:
        import numpy as np

        state = self._state(self.done + 1)
        arrays: dict[str, NDArray[Any]] = {} if earlier is None else earlier.to_arrays()
        with replaced_whole(state) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        self.journal.add("done", self.path(self.done), recipe=self.made, files=self._hashes(self.done))
        self._state(self.done).unlink(missing_ok=True)
        self.done += 1

    def _hashes(self, number: int) -> list[str]:
        return [sha256_of(self.path(number, kind)) for kind in self.kinds]

    def _found(self) -> int:
        """Return how many segments are whole, from the first on."""
        number = 0
        while number < self.count:
            record = self.journal.made(self.path(number)) or {}
            if record.get("recipe") != self.made or record.get("files") != self._hashes(number):
                break
            number += 1
        return number if number == 0 or self._state(number).exists() else 0

    def _begin_anew(self) -> None:
        """Remove what is there, but for the journal, by which this process claims the folder."""
        for path in self.folder.iterdir():
            if path != self.journal.path:
                path.unlink(missing_ok=True)
