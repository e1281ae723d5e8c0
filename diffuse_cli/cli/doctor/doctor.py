"""Everything that `diffuse doctor` checks, in order."""

from collections.abc import Iterator

from ...diffusion.checkpoint import SHIPPED, find, named, verify
from ...errors import CheckpointError
from . import installed, machine
from .finding import Finding
from .self_test import self_test


def examine(*, testing: bool = True) -> Iterator[Finding]:
    """Yield the findings as they are made.

    Args:
        testing: also time the devices and run the self-test, which takes some seconds.
    """
    yield from machine.program()
    yield from machine.hardware(timed=testing)
    yield from machine.folders()
    yield from installed.formats()
    yield from installed.extras()
    broken = False
    for finding in _checkpoints():
        broken |= finding.verdict == "wrong"
        yield finding
    if testing and not broken:
        yield from self_test()


def _checkpoints() -> Iterator[Finding]:
    remedy = "install diffuse-cli again"
    for name in dict.fromkeys((*SHIPPED, *named())):
        try:
            path = find(name)
            _, agrees = verify(path)
        except CheckpointError as error:
            yield Finding(topic="checkpoints", name=name, says=str(error), verdict="wrong", remedy=remedy)
            continue
        if agrees is False:
            says = f"{path}: its tensors do not match its sha256"
            yield Finding(topic="checkpoints", name=name, says=says, verdict="wrong", remedy=remedy)
        else:
            yield Finding(topic="checkpoints", name=name, says=f"{path}, {path.stat().st_size / 1e6:.1f} MB")
