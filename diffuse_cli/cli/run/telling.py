"""Lines about a picture for stderr: what was found out, and what its file cannot keep."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...images.choices import Damaged
from ..batch.inputs import PIPE
from ..batch.job import Job
from .clips import not_held
from .damaged import told

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.problem import Problem


def found_out(picture: "Picture", problem: "Problem", damaged: Damaged, *, quiet: bool) -> list[str]:
    """Return what was found out about a page.

    Args:
        picture: the page.
        problem: what is to be done about it.
        damaged: what is done about damaged files.
        quiet: only warnings are told.
    """
    from ...images.white_level import told as told_white

    notes = [] if quiet else [told_white(picture), *picture.source.notes, *problem.findings.notes]
    return [line for line in (*notes, told(picture, damaged), *problem.findings.warnings) if line]


def of_frames(first: "Picture") -> str:
    """Return how many frames there are, and which of them is measured."""
    from ...images.picture import middle_frame

    count = first.source.pages
    kind = "an animation" if first.source.clip is None else "a clip"
    return f"{kind} of {count} frames; what is estimated is estimated of frame {middle_frame(count)}"


def not_kept(job: Job, picture: "Picture", problem: "Problem", encoding: "Encoding", *, named: bool) -> Iterator[str]:
    """Yield what the result's file cannot keep.

    Args:
        job: which result.
        picture: the input.
        problem: what is to be done about it.
        encoding: how the result is coded.
        named: the format was asked for.
    """
    from ...images.copied_file import may_copy_whole
    from ...images.image_io import is_lossless

    source, kind = picture.source, encoding.kind(job.output)
    if job.output == PIPE and not named and kind != source.format and source.clip is None:
        yield f"stdin: {source.format} is read but not written, so the result is a {kind}"
    for line in () if source.clip is None else not_held(picture, kind):
        yield f"{job.output_name}: {line}"
    if problem.keeps_pixels and not is_lossless(job.output, picture, encoding):
        yield f"{job.output_name}: a lossy format changes kept pixels slightly; use a lossless one, like -o out.png"
    if source.extra is not None and kind != "TIFF":
        count = len(source.extra.kinds)
        yield f"{job.output_name}: without {count} extra channel{'s' if count > 1 else ''}, which only TIFF can hold"
    if not (problem.leaves_alone and may_copy_whole(source, kind, encoding)):
        for part in source.left_behind:
            yield f"{job.output_name}: without the input's {part}, which is about the picture as it was"
