"""The type of a finding."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        topic: "hardware", "formats", ...
        name: what was checked.
        says: what was found.
        verdict: "missing" is no failure, "wrong" is one.
        remedy: what to do about it. "" = nothing.
    """

    topic: str
    name: str
    says: str
    verdict: Verdict = "ok"
    remedy: str = ""
