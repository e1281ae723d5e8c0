"""How a result gets into its file: claimed, checked against newer files, written, and noted in the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ...errors import PictureError
from ...provenance import recipe
from ...system.files import disk_trouble, in_the_way, replaced_whole, shown
from ...system.streams import Stdout, is_stream, write_stdout
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.pipeline import BusyError, SkippedError
from ..options.files import Output
from .display import Display
from .planning import Batch, holds_recipe, sha256_of

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Where the results of a batch go.

    Attributes:
        batch: the plan.
        files: the options.
        encoding: how pictures are coded.
        display: where warnings go.
    """

    batch: Batch
    files: Output
    encoding: "Encoding"
    display: Display

    def claim(self, job: Job) -> None:
        """Claim a result.

        Raises:
            BusyError: another process has it in hand.
        """
        journal = self.batch.journal
        if journal is not None and not journal.claim(job.output):
            raise BusyError

    def let_go(self, job: Job) -> None:
        """Release the claim."""
        if self.batch.journal is not None:
            self.batch.journal.release(job.output)

    def check_still_due(self, job: Job, wanted: Mapping[str, Any]) -> None:
        """Check again what the plan found, because another process may have been faster.

        Args:
            job: the result.
            wanted: what its recipe says.

        Raises:
            SkippedError: the other process made the same.
            PictureError: there is a file now that must not be overwritten.
        """
        if job.output == PIPE:
            return
        record = self.batch.journal.made_meanwhile(job.output) if self.batch.journal is not None else None
        same = record is not None and recipe.agrees(record.get("recipe"), recipe.plain(wanted))
        if same and in_the_way(job.output):
            raise SkippedError("another process has made it meanwhile")
        if job.action == "make" and in_the_way(job.output):
            if self.files.exists == "skip":
                raise SkippedError("exists")
            raise PictureError(
                f"{job.output_name}: came into being during the batch, and is not overwritten; run the command again"
            )

    def write(self, job: Job, pages: "Iterable[Picture]", made: Mapping[str, Any], encoding: "Encoding") -> None:
        """Write a result, and note it in the journal.

        Args:
            job: the result.
            pages: its pages, with their provenance.
            made: its recipe.
            encoding: how it is coded.

        Raises:
            PictureError: it cannot be written.
        """
        from ...images.image_io import encode_pages, pour_pages, write_pages

        def tell(note: str) -> None:
            if not self.files.quiet:
                self.display.say(f"{job.output_name}: {note}")

        if job.output == PIPE and encoding.kind(PIPE) == "Y4M":
            pour_pages(pages, cast("BinaryIO", Stdout()), PIPE, encoding=encoding, tell=tell)
            return
        if job.output == PIPE:
            write_stdout(encode_pages(pages, PIPE, encoding=encoding, tell=tell))
            return
        like = job.source if job.source.exists() else None
        write_pages(pages, job.output, encoding=encoding, like=like, tell=tell)
        self.write_down(job.output, made, encoding)

    def write_content(self, job: Job, content: bytes, made: Mapping[str, Any], encoding: "Encoding") -> None:
        """Write a result that is coded already, and note it in the journal.

        Args:
            job: the result.
            content: of its file.
            made: its recipe.
            encoding: how it is coded.

        Raises:
            PictureError: it cannot be written.
        """
        if job.output == PIPE:
            write_stdout(content)
            return
        like = job.source if job.source.exists() else None
        try:
            with replaced_whole(job.output, like=like, keep_times=encoding.keep_times) as stream:
                stream.write(content)
        except OSError as error:
            raise PictureError(f"{shown(job.output)}: cannot be written: {disk_trouble(error)}") from error
        self.write_down(job.output, made, encoding)

    def shows(self, job: Job) -> bool:
        """Return whether `show` needs a picture."""
        return self.batch.showing is not None and self.batch.showing.wants(job)

    def show(
        self,
        job: Job,
        before: "Picture | None",
        after: "Picture",
        made: Mapping[str, Any],
        problem: "Problem | None" = None,
    ) -> None:
        """Show a picture and its result, which is written, in --compare and --report.

        Args:
            job: the result.
            before: the picture. None = the result was made from nothing.
            after: the result.
            made: its recipe.
            problem: what was known of the picture.

        Raises:
            PictureError: the comparison cannot be written.
        """
        if self.batch.showing is not None:
            self.batch.showing.show(job, before, after, made, problem)

    def write_down(self, output: Path, made: Mapping[str, Any], encoding: "Encoding") -> None:
        """Write one line into the journal, with the result's hash if the result does not hold its recipe."""
        if self.batch.journal is None:
            return
        told = holds_recipe(output, self.files, encoding) and recipe.read(output) is not None
        facts = {} if told or is_stream(output) else {"output_sha256": sha256_of(output)}
        try:
            self.batch.journal.add("done", output, recipe=recipe.plain(made), **facts)
        except OSError as error:
            self.display.say(f"{self.batch.journal.path}: cannot be written ({error.strerror})")

    def signed(self, picture: "Picture", made: Mapping[str, Any]) -> "Picture":
        """Return the picture with its recipe. Without provenance, only drop claims of its origin that became wrong."""
        from dataclasses import replace

        from ...images.source_type import combined
        from ...images.xmp import without_source_type
        from ...provenance.source_type import fitting

        source = picture.source
        if source.clip is not None:
            source = replace(source, texts=recipe.to_comment(made) if self.files.provenance else ())
        elif self.files.provenance:
            source = replace(source, provenance=recipe.to_rdf(made, source.source_type))
        elif combined(source.source_type, fitting(made)) != source.source_type:
            source = replace(source, xmp=without_source_type(source.xmp))
        return replace(picture, source=source)
