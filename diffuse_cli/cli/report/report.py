"""--report: what became of a batch, as one HTML file.

The file needs no other file: style, script, texts and pictures are in it, and its policy forbids network access. Texts
come first, then thumbnails, then pictures, so that a large report can be used while it loads.
"""

import base64
import html
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import PictureError
from ...images.rendering import rendered
from ...system.files import disk_trouble, replaced_whole
from ...system.urls import Url
from ...version import __version__
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.pipeline import End
from .previews import Previews, Side, mask_layer, previews, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from ...images.picture import Picture

MARK: Final = '<meta name="generator" content="diffuse report">'
"""Marks a file as a report."""
LEAST_MEGABYTES: Final = 1
_TEXT_SHARE: Final = 1500
"""Bytes that are reserved for the texts of one picture."""
_PAGE_SHARE: Final = 80_000
"""Bytes that are reserved for the page itself."""
_ORDER: Final = {"failed": 0, "left": 1, "done": 2, "skipped": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """Where previews lie in the spool: offset and length of each part, and the facts about them."""

    parts: dict[str, tuple[int, int]]
    facts: dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Report:
    """What a batch's report will show.

    Attributes:
        target: the file.
        op: the command's name.
        count: how many pictures there will be.
        megabytes: the largest size of the file, in 10^6 bytes.
        overlaid: maps will be laid over pictures.
    """

    target: Path
    op: str
    count: int
    megabytes: int
    overlaid: bool = False
    _overlays: dict[str, _Stored] = field(default_factory=dict)
    _stored: dict[str, _Stored] = field(default_factory=dict)
    _entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    _spool: Any = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def budget(self) -> int:
        """Bytes for one picture's previews, before they are coded as text."""
        whole = self.megabytes * 1_000_000 - _PAGE_SHARE
        return max(0, (whole // max(self.count, 1) - _TEXT_SHARE) * 3 // 4)

    def show(
        self, job: Job, before: "Picture | None", after: "Picture", *, notes: Iterable[str] = (),
        hole: "NDArray[np.bool_] | None" = None,
    ) -> None:  # fmt: skip
        """Keep previews of a finished picture. May be called from several threads.

        Args:
            job: the result.
            before: the input. None = the result was made from nothing.
            after: the result.
            notes: what was found out about the picture, and warnings.
            hole: (H, W), True where it was filled. None = nowhere.
        """
        facts: dict[str, Any] = {"notes": list(notes)}
        parts: dict[str, tuple[int, int]] = {}
        try:
            room = self.budget * 4 // 5 if self.overlaid else self.budget
            mask = b"" if hole is None else mask_layer(hole, room // 5)
            room -= len(mask)
            made = previews(None if before is None else rendered(before), rendered(after), room)
            facts |= _facts(made)
            if hole is not None:
                facts["filled"] = round(float(hole.mean()), 5)
            if mask:
                facts["parts"].append("filled")
            parts = self._keep({**_parts(made), "filled": mask})
        except (OSError, MemoryError) as error:  # the picture itself is written; that it is not seen here is said here
            facts["notes"].append(f"no preview: {error}")
        self._stored[str(job.output)] = _Stored(parts=parts, facts=facts)

    def lay_over(self, job: Job, overlay: "Image.Image", note: str) -> None:
        """Keep a map that is laid over all results of a job's input on demand.

        Args:
            job: the map.
            overlay: the map in colours.
            note: what the colours mean.
        """
        data = within(overlay, self.budget // 5, 75)
        if data:
            self._overlays[str(job.source)] = _Stored(parts=self._keep({"overlay": data}), facts={"overlay": note})

    def _keep(self, parts: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
        with self._guard:
            if self._spool is None:
                self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - open until the report is written
            at = self._spool.seek(0, os.SEEK_END)
            kept = {}
            for name, data in parts.items():
                self._spool.write(data)
                kept[name] = (at, len(data))
                at += len(data)
        return kept

    def end(self, end: End) -> None:
        """Note what became of a picture."""
        entry: dict[str, Any] = {"status": end.status, "seconds": round(end.seconds, 2)}
        if end.why:
            entry["why"] = end.why
        if end.error is not None:
            entry["why"] = str(end.error)
        if "recipe" in end.facts:
            entry["recipe"] = end.facts["recipe"]
        self._entries[str(end.job.output)] = entry

    def write(self, jobs: Iterable[Job], *, seconds: float, stopped_by: str | None = None) -> None:
        """Write the file, whole or not at all. Jobs without an end are shown as left.

        Args:
            jobs: the plan.
            seconds: how long it took.
            stopped_by: the signal that stopped it.

        Raises:
            PictureError: the file cannot be written.
        """
        entries = [self._entry(job) for job in jobs if job.product.is_picture or self._status(job) == "failed"]
        entries.sort(key=lambda entry: _ORDER[entry["status"]])
        common = _common([entry["recipe"] for entry in entries if "recipe" in entry])
        for entry in entries:
            if "recipe" in entry:
                entry["recipe"] = {key: value for key, value in entry["recipe"].items() if key not in common}
        told = {"op": self.op, "version": __version__, "seconds": round(seconds, 1), "stopped": stopped_by}
        try:
            with replaced_whole(self.target) as stream:
                for text in self._page(told, common, entries):
                    stream.write(text.encode("utf-8", "replace"))
        except OSError as error:
            raise PictureError(f"{self.target}: the report cannot be written ({disk_trouble(error)})") from None
        finally:
            if self._spool is not None:
                self._spool.close()

    def _status(self, job: Job) -> str:
        return str(self._entries.get(str(job.output), {"status": "left"})["status"])

    def _entry(self, job: Job) -> dict[str, Any]:
        """Return what the page says of one picture."""
        key = str(job.output)
        stored, over = self._stored.get(key), self._overlays.get(str(job.source))
        if stored is not None and over is not None and "parts" in stored.facts:
            facts = {**stored.facts, **over.facts, "parts": [*stored.facts["parts"], "overlay"]}
            stored = self._stored[key] = _Stored(parts={**stored.parts, **over.parts}, facts=facts)
        return {
            "name": self._name(job),
            "output": key,
            **self._links(job),
            **self._entries.get(key, {"status": "left"}),
            **(stored.facts if stored is not None else {}),
            "key": key if stored is not None and stored.parts else "",
        }

    def _name(self, job: Job) -> str:
        """Return the input's name, or the result's if there is no input."""
        if job.source == PIPE:
            return "stdin"
        return str(job.output if job.source == Path(self.op) else job.source)

    def _links(self, job: Job) -> dict[str, str]:
        """Return where both lie, seen from the report."""
        links = {}
        for name, path in (("from", job.source), ("to", job.output)):
            if isinstance(path, Url) or isinstance(self.target, Url):
                links[name] = str(path)
            elif path != PIPE and path.exists():
                links[name] = Path(os.path.relpath(path, self.target.parent)).as_posix()
        return links

    def _page(self, told: dict[str, Any], common: dict[str, Any], entries: list[dict[str, Any]]) -> Iterator[str]:
        """Yield the file's text in parts."""
        shown = [(number, self._stored[entry.pop("key")]) for number, entry in enumerate(entries) if entry["key"]]
        for entry in entries:
            entry.pop("key", None)
        index = json.dumps({**told, "common": common, "pictures": entries}, ensure_ascii=False).replace("<", "\\u003c")
        page = _resource("report.html")
        values = {
            "MARK": MARK,
            "TITLE": html.escape(f"diffuse {self.op}: {len(entries)} pictures"),
            "STYLE": _resource("report.css"),
            "INDEX": index,
            "SCRIPT": _resource("report.js"),
        }
        head, tail = page.split("{{PICTURES}}")
        for name, value in values.items():
            before, _, rest = head.partition("{{" + name + "}}")
            yield before
            yield value
            head = rest
        yield head
        left = self.megabytes * 1_000_000 - len(index.encode("utf-8", "replace")) - _PAGE_SHARE
        for names in (("thumbnail",), ("before", "after", "before_detail", "after_detail", "filled", "overlay")):
            for number, stored in shown:
                for name in names:
                    block = self._block(number, name, stored)
                    if len(block) <= left:
                        left -= len(block)
                        yield block
        yield tail

    def _block(self, number: int, name: str, stored: _Stored) -> str:
        """Return a part of a picture's previews as text that the browser does not parse."""
        at, length = stored.parts.get(name, (0, 0))
        if length == 0:
            return ""
        self._spool.seek(at)
        text = base64.b64encode(self._spool.read(length)).decode()
        return f'<script type="text/plain" id="{name}-{number}">{text}</script>\n'


def _parts(made: Previews) -> dict[str, bytes]:
    return {
        "thumbnail": made.thumbnail,
        "before": made.before.base,
        "after": made.after.base,
        "before_detail": made.before.detail,
        "after_detail": made.after.detail,
    }


def _facts(made: Previews) -> dict[str, Any]:
    """Return what the page needs to know of previews before it decodes them."""

    def place(side: Side) -> list[float]:
        return [round(value, 2) for value in side.place] if side.detail else []

    facts: dict[str, Any] = {
        "size": list(made.size),
        "parts": [name for name, data in _parts(made).items() if data],
        "places": {"before": place(made.before), "after": place(made.after)},
    }
    return facts if made.change is None else {**facts, "change": round(made.change, 3)}


def _common(recipes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what all recipes have in common, which is shown once. Of a single recipe, nothing."""
    if len(recipes) < 2:
        return {}
    first, *others = recipes
    return {key: value for key, value in first.items() if all(key in r and r[key] == value for r in others)}


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def is_report(path: Path) -> bool:
    """Return whether a file is a report of this program."""
    try:
        with path.open("rb") as stream:
            return MARK.encode() in stream.read(1024)
    except OSError:
        return False
