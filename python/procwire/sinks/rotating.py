"""Rotate a file of records of any format."""

from __future__ import annotations

from procwire.errors import UsageError
from procwire.files import Place
from procwire.sinks.growing import Bytes, ForeignFileError, Form, GrowingFile
from procwire.sinks.rotation import Rotation, set_aside, set_foreign_aside

__all__ = ["RotatingFile"]


class RotatingFile:
    """Append to the file of this name; rename it when it is full, so that no record is lost or doubled.

    An existing file is appended to; one of another form or period is set aside. `place` becomes its own.

    Raises UsageError if the file cannot be written.
    """

    def __init__(self, place: Place, form: Form, rotation: Rotation) -> None:
        self._place = place
        self._form = form
        self._rotation = rotation
        self.error: str | None = None
        """Why the file was not rotated when it was time."""
        try:
            self._file = GrowingFile(place, form)
        except ForeignFileError:
            set_foreign_aside(place)
            self._file = GrowingFile(place, form)
        self.tick()

    def append(self, records: Bytes) -> None:
        """Write whole records. Raises OSError if that fails; the file is then as before."""
        self.error = None
        if not self._file.is_empty and self._rotation.too_large(self._file.size + len(records)):
            # A file that may not be renamed continues to grow: better too large than records lost.
            try:
                self.rotate()
            except (OSError, UsageError) as error:
                self.error = f"cannot rotate {self._place.path}: {error}"
        self._file.append(records)

    def tick(self) -> None:
        """Rotate if it is time, and begin a new file if others moved this one away."""
        if self._file.was_moved:
            self._reopen()
        elif self._rotation.too_old(self._file.written_s) and not self._file.is_empty:
            self.rotate()

    def rotate(self) -> None:
        """Set the file aside and begin a new one."""
        set_aside(self._place, self._rotation.keep)
        self._reopen()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._place.close()

    def _reopen(self) -> None:
        # Keep the old one until there is a new one to write to.
        file = GrowingFile(self._place, self._form)
        self._file.close()
        self._file = file
