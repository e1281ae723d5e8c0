"""How each picture is read, restored and written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...errors import PictureError
from ...provenance import recipe
from ...system.process import give_back
from ...system.streams import is_stream
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.pipeline import StoppedError
from .clip_parts import FRAMES, ClipParts
from .clips import (
    Pace,
    beside,
    check_clip,
    clip_facts,
    copied,
    earlier_frames,
    standing,
)
from .facts import file_facts, problem_facts
from .planning import coding_of
from .products import Answer, answer_of
from .reading import Input, Inputs
from .steps import Made, PictureSteps, Shown, header_pixels
from .telling import found_out, not_kept, of_frames
from .wanted import Wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...diffusion.foreign.model import AnyModel
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.earlier_frames import EarlierFrames
    from ...restoration.problem import Problem
    from ...restoration.samples import Samples


def _write_mask(path: Path, hole: "NDArray[np.bool_]") -> None:
    """Write a mask, white = filled.

    Raises:
        PictureError: it cannot be written.
    """
    from ...images.image_io import Encoding, write_picture
    from ...images.mask_picture import mask_picture

    write_picture(mask_picture(hole), path, encoding=Encoding(format="png"))


def _tidy_after(picture: "Picture") -> None:
    """Give back the memory that the last step has left over: a gigabyte, if the picture is large."""
    from ...system.arrays import MAPPED_FROM

    if picture.pixels.nbytes >= MAPPED_FROM:
        give_back()


@dataclass(slots=True)
class _Read:
    """A picture that is ready to be restored, with its file."""

    input: Input
    first: "Picture"
    problem: "Problem"
    recipe: dict[str, Any]
    encoding: "Encoding"


_DOING: Final = {
    "denoise": "denoising", "inpaint": "filling", "super-resolve": "enlarging", "restore": "restoring",
    "deblur": "deblurring", "dejpeg": "removing blocks", "repair": "repairing", "enhance": "enhancing",
    "compose": "composing", "fuse": "fusing", "extend": "extending", "stylize": "painting",
}  # fmt: skip
"""What commands do, as the progress says."""

COMPARISON: Final = "compare"
"""The series of segments that shows frames beside their results."""

CODED_CLIPS: Final = frozenset({"MP4", "MKV"})
"""Formats of clips that segments are joined to."""


@dataclass(frozen=True, kw_only=True)
class Restorer(PictureSteps[_Read]):
    """How each picture is read, restored and written.

    Attributes:
        traces: the steps of the first sample are kept.
        is_stopped: tells whether a signal came.
    """

    waiting: ClassVar[str] = "reading and measuring"

    wanted: Wanted
    model: "AnyModel | None"
    inputs: Inputs
    traces: bool
    is_stopped: Callable[[], bool]

    def weight(self, job: Job) -> int:
        """Return the picture's number of pixels, by its header."""
        return header_pixels(job.source, self.inputs.given(job.source))

    def read(self, job: Job) -> _Read:
        """Claim, hash and decode the picture, and find out what is to be found out."""
        self.results.claim(job)
        wanted, source = self.wanted(job), self.inputs(job)
        with source.lock:
            wanted["input"] = source.sha256
            self.results.check_still_due(job, wanted)
            picture, problem = source.opened()
        _tidy_after(picture)
        encoding = coding_of(job.product, self.results.encoding)
        if job.output == PIPE:
            said = picture.source
            encoding = encoding.like(said.format, animated=said.frame is not None, clip=said.clip is not None)
            wanted |= encoding.to_recipe(PIPE)
        self._check_fits(job, picture, encoding)
        if picture.source.clip is not None and self.wanted.clips is not None:
            wanted |= clip_facts(self.wanted.clips)
        made = recipe.plain({**wanted, **file_facts(picture), **problem_facts(wanted, problem)})
        return _Read(source, picture, problem, made, encoding)

    def _check_fits(self, job: Job, picture: "Picture", encoding: "Encoding") -> None:
        """Refuse, before the work, what the result's file cannot hold."""
        from ...images.image_io import Source, check_fits

        if job.product.depth is not None:
            source = Source(pages=picture.source.pages)
            picture = replace(picture, alpha=None, depth=job.product.depth, floating=False, source=source)
        check_fits(picture, job.output, encoding)

    def restore(self, job: Job, read: _Read) -> Made:
        """Restore a picture. If it has several pages, they are written as they are restored."""
        name, op = Path(job.source_name).name, self.results.batch.op
        self.results.display.show(name, _DOING.get(op, op))
        several = read.first.source.pages > 1
        if read.first.source.clip is not None:
            check_clip(job, self.inputs.shared, self.traces)
        if several and self.wanted.tasks.saved(job) is not None:
            raise PictureError(
                f"{job.source_name}: has several pages or frames; leave --save-mask out, which takes one mask a picture"
            )
        is_new, read.input.is_told = not read.input.is_told, True
        if is_new:
            self._tell_before(job, read)
        whole = copied(read.input, read.first, read.problem, read.encoding, read.encoding.kind(job.output))
        if whole is not None:
            self._tell_animation(job.source_name, read.first, read.problem)
            self._compare_with_itself(job, read)
            signed = self.results.signed(whole, read.recipe)
            return Made(pages=[signed], recipe=read.recipe, encoding=read.encoding)
        if several or read.first.source.clip is not None:
            in_parts = read.encoding.kind(job.output) in CODED_CLIPS and not is_stream(job.output)
            how = self._restore_in_parts if in_parts and job.output != PIPE else self._restore_pages
            return how(job, read, is_new=is_new)
        if is_new:
            self._tell(job.source_name, read.first, read.problem)
        sequence, answer = read.input.sequence, answer_of(job)
        if sequence is None:
            after = answer.make(self._samples(read.input, read.first, read.problem, answer), job, self.results.display)
        else:
            earlier = sequence.before(job, self.inputs.max_pixels)
            after = self._restored(job, read, read.first, read.problem, earlier)
        _tidy_after(read.first)
        shown = Shown(before=read.first, after=after, problem=read.problem) if self.results.shows(job) else None
        signed = self.results.signed(after, read.recipe)
        hole = read.problem.hole if is_new else None  # its mask is written once for all results
        return Made(pages=[signed], recipe=read.recipe, encoding=read.encoding, hole=hole, shown=shown)

    def _restore_pages(self, job: Job, read: _Read, *, is_new: bool) -> Made:
        """Restore a picture of several pages. Each page is read when the one before is written."""
        shown: list[Shown] = []
        pace = Pace(Path(job.source_name).name, read.first.source.pages)
        earlier = earlier_frames(read.first, self.wanted.clips)

        def pages() -> "Iterator[Picture]":
            for number, (picture, problem) in enumerate(read.input.pages(), start=1):
                self._show_page(pace, number)
                if is_new and picture.source.frame is None:
                    self._tell(f"{job.source_name}: page {number}", picture, problem)
                elif is_new and number == 1:
                    self._tell_animation(job.source_name, picture, problem)
                after = self._restored(job, read, picture, problem, earlier)
                if number == 1 and self.results.shows(job):
                    shown.append(Shown(before=picture, after=after, problem=problem))
                yield self.results.signed(after, read.recipe)

        self.results.write(job, pages(), read.recipe, read.encoding)
        self._tell_scenes(job, earlier, is_new=is_new)
        _tidy_after(read.first)
        return Made(pages=None, recipe=read.recipe, encoding=read.encoding, shown=shown[0] if shown else None)

    def _restore_in_parts(self, job: Job, read: _Read, *, is_new: bool) -> Made:
        """Restore a clip, segment by segment. A run that is stopped or killed leaves those that are whole."""
        comparison = None if self.results.batch.showing is None else self.results.batch.showing.comparison(job)
        if comparison is not None:
            self._check_fits_at(comparison, read)
        if is_new:
            self._tell_animation(job.source_name, read.first, read.problem)
        frames, earlier = read.first.source.pages, earlier_frames(read.first, self.wanted.clips)
        kinds = ("",) if comparison is None else ("", COMPARISON)
        anew = self.results.files.exists == "overwrite"
        shown: list[Shown] = []
        with ClipParts(job.output, read.recipe, read.encoding, frames=frames, anew=anew, kinds=kinds) as parts:
            if parts.done:
                self.results.display.say(f"{job.output_name}: going on after frame {parts.frames_done} of {frames}")
            if earlier is not None:
                parts.go_on(earlier)
            self._make_parts(job, read, parts, earlier, shown)
            self._join_parts(job, read, parts, comparison)
        self._tell_scenes(job, earlier, is_new=is_new)
        _tidy_after(read.first)
        return Made(pages=None, recipe=read.recipe, encoding=read.encoding, shown=shown[0] if shown else None)

    def _make_parts(
        self, job: Job, read: _Read, parts: ClipParts, earlier: "EarlierFrames | None", shown: list[Shown]
    ) -> None:
        """Restore the segments that are left."""
        pace = Pace(Path(job.source_name).name, read.first.source.pages, parts.frames_done)
        pages = enumerate(read.input.pages(parts.frames_done), start=parts.frames_done + 1)
        while parts.done < parts.count:
            with parts.writing(earlier) as add:
                number = 0
                for number, (picture, problem) in islice(pages, FRAMES):
                    if self.is_stopped():
                        raise StoppedError
                    self._show_page(pace, number)
                    after = self._restored(job, read, picture, problem, earlier)
                    if not shown and self.results.shows(job):
                        shown.append(Shown(before=picture, after=after, problem=problem))
                    add[""](after)
                    if COMPARISON in add:
                        add[COMPARISON](beside(picture, after))
                if number < min(parts.frames_done + FRAMES, pace.pages):
                    raise PictureError(f"{job.source_name}: fewer frames than at first; try again when it is written")

    def _join_parts(self, job: Job, read: _Read, parts: ClipParts, comparison: Path | None) -> None:
        """Write the clip that the segments are, and the comparison before it."""
        from ...images.image_io import write_pages

        def whole(kind: str) -> "Picture":
            return self.results.signed(standing(read.first, parts.paths(kind)), read.recipe)

        if comparison is not None:
            write_pages([whole(COMPARISON)], comparison, encoding=replace(read.encoding, format=None))
        self.results.write(job, [whole("")], read.recipe, read.encoding)

    def _compare_with_itself(self, job: Job, read: _Read) -> None:
        """Write the comparison of a clip that does not change, where it is asked for."""
        from ...images.image_io import write_pages

        comparison = None if self.results.batch.showing is None else self.results.batch.showing.comparison(job)
        if comparison is not None:
            pairs = (self.results.signed(beside(one, one), read.recipe) for one, _ in read.input.pages())
            write_pages(pairs, comparison, encoding=replace(read.encoding, format=None))

    def _restored(
        self, job: Job, read: _Read, picture: "Picture", problem: "Problem", earlier: "EarlierFrames | None"
    ) -> "Picture":
        """Return a restored page, or frame with what earlier ones tell."""
        answer, after = answer_of(job), None if earlier is None else earlier.repeated(picture, problem)
        if after is None:
            problem = problem if earlier is None else earlier.joined(picture, problem)
            after = answer.make(self._samples(read.input, picture, problem, answer), job, self.results.display)
        if earlier is not None:
            earlier.done(after)
        return after

    def _show_page(self, pace: Pace, number: int) -> None:
        """Show which page is in hand. Without a bar, a line a minute says so."""
        display, words = self.results.display, pace.words(number)
        display.show(words, page=(number - 1, pace.pages))
        if display.bar is None and not display.quiet and pace.is_due():
            display.say(words)

    def _tell_before(self, job: Job, read: _Read) -> None:
        """Say how the files beside the picture were understood, and what the result's file cannot keep."""
        say, named = self.results.display.say, self.results.encoding.format is not None
        for line in () if self.results.files.quiet else self.wanted.tasks.notes(job):
            say(f"{job.source_name}: {line}")
        for line in (
            not_kept(job, read.first, read.problem, read.encoding, named=named) if job.product.is_picture else ()
        ):
            say(line)

    def _tell_animation(self, name: str, first: "Picture", problem: "Problem") -> None:
        """Say what was found out about all frames."""
        if not self.results.files.quiet:
            self.results.display.say(f"{name}: {of_frames(first)}")
        self._tell(name, first, problem)

    def _tell(self, name: str, picture: "Picture", problem: "Problem") -> None:
        """Say what was found out about a page."""
        for line in found_out(picture, problem, self.wanted.damaged, quiet=self.results.files.quiet):
            self.results.display.say(f"{name}: {line}")

    def _tell_scenes(self, job: Job, earlier: "EarlierFrames | None", *, is_new: bool) -> None:
        if earlier is not None and earlier.scenes and is_new and not self.results.files.quiet:
            self.results.display.say(f"{job.source_name}: {earlier.words()}")

    def _check_fits_at(self, path: Path, read: _Read) -> None:
        """Refuse, before the work, a comparison of a format that cannot hold the clip."""
        from ...images.image_io import check_fits

        check_fits(read.first, path, replace(read.encoding, format=None))

    def _samples(self, source: Input, picture: "Picture", problem: "Problem", answer: Answer) -> "Samples":
        """Return what is computed of a page: of a file with one page, once for all results."""
        from ...restoration.samples import Samples

        if self.model is None:
            raise PictureError("no model was loaded; please report this bug")
        if source.samples is not None:
            return source.samples
        made = Samples(picture, problem, self.model, moments=answer.request.uncertainty, traces=self.traces)
        if self.inputs.shared and picture.source.pages == 1:
            source.samples = made
        return made

    def write(self, job: Job, restored: Made) -> dict[str, Any]:
        """Write the result, and return what --json says of it."""
        return {**super().write(job, restored), **self.wanted.tasks.answered(job)}

    def write_beside(self, job: Job, made: Made) -> None:
        """Write the mask of what was filled, where it is asked for."""
        mask = self.wanted.tasks.saved(job)
        if mask is not None and made.hole is not None:
            _write_mask(mask, made.hole)
