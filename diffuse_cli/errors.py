"""What can go wrong, each with the exit code that the command line documents."""

from typing import Final

DEFECTS: Final = (NameError, AttributeError, AssertionError, ImportError)
"""What a mistake in a program raises, and no broken file: it is never taken for one."""


class DiffuseError(Exception):
    """A problem that the user can mend; its message is one line that names the thing and the remedy."""

    exit_code = 1


class PictureError(DiffuseError):
    """Something about one picture, its mask or the disk."""

    exit_code = 1


class UsageError(DiffuseError):
    """What can be known before the model loads: options, a missing file, an output that exists.

    Its arguments are what is wrong, one line each.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(map(str, self.args))


class CheckpointError(DiffuseError):
    """The model is missing, corrupt or unsuitable."""

    exit_code = 3


class ServerError(DiffuseError):
    """The server that has the model is not there, is another one, or is busy."""

    exit_code = 3


class OutOfMemoryError(DiffuseError):
    """Memory ran out after every fallback."""

    exit_code = 4
