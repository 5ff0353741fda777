"""A name in a folder that is held open: renaming folders or planting links meanwhile has no effect.

A path is resolved folder by folder. A link in it is followed only if nobody but root and this account can have made
it: in a folder that only these can write, or, like the kernel's `protected_symlinks`, one of their own links in a
sticky folder such as /tmp.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["RECORDING_MODE", "Place", "check_links", "find", "make_folder", "trusted_folder"]

# O_PATH needs no permission to list the folder; systems without it open the folder for reading.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
RECORDING_MODE = 0o640
"""Most permissive mode of a recording's files: for the account that writes them, and its group."""
_MOST_LINKS = 40
_RENAME_NOREPLACE = 1
_NO_SUCH_RENAME = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Place:
    """Hold a resolved folder and a name in it; `find` returns one, and its user closes it.

    Every method works on the folder itself, whatever its path names by now, and raises OSError if the system refuses.

    path: as the user gave it, for messages. folder: descriptor of the folder. descriptor: of the process's own file
    that the path names (/dev/stdout), which has no name in a folder; None for every other path.
    """

    def __init__(self, path: Path, folder: int, name: str, descriptor: int | None = None) -> None:
        self.path = path
        self.folder = folder
        self.name = name
        self.descriptor = descriptor

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder."""
        if self.folder >= 0:
            os.close(self.folder)
            self.folder = -1

    def beside(self, name: str) -> Place:
        """Return a Place for another name in the same folder, with its own descriptor."""
        return Place(self.path.with_name(name), os.dup(self.folder), name)

    def stat(self) -> os.stat_result | None:
        """Return the status of the entry with the name, of a link itself; None if there is no entry."""
        if self.descriptor is not None:
            return os.fstat(self.descriptor)
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, flags: int) -> int:
        """Open the file with the name, never a link; return the descriptor.

        Raises PermissionError if others can write the folder and own the file: they may have planted it.
        """
        if self.descriptor is not None:
            return os.dup(self.descriptor)
        found = self.stat()
        if found is not None and self.is_planted(found):
            raise PermissionError(
                errno.EPERM,
                "others can write the folder, and may have put it there",
                os.fspath(self.path),
            )
        opened = os.open(self.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
        there = os.fstat(opened)
        if found is None or (there.st_dev, there.st_ino) != (found.st_dev, found.st_ino):
            os.close(opened)
            raise PermissionError(errno.EPERM, "another file took its name meanwhile", os.fspath(self.path))
        return opened

    def make(self, mode: int, *, replace: bool = False, flags: int = 0) -> int:
        """Create a new file of this name, open for reading and writing; return its descriptor.

        An existing file is never opened: without `replace` it raises FileExistsError, with `replace` the new file
        takes its name. mode: permissions, reduced by the umask. flags: further flags for opening.
        """
        flags |= os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        if not replace:
            return os.open(self.name, flags, mode, dir_fd=self.folder)
        temporary = f".procwire-{os.urandom(8).hex()}.new"
        made = os.open(temporary, flags, mode, dir_fd=self.folder)
        try:
            os.rename(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except BaseException:
            os.close(made)
            self.remove(temporary)
            raise
        return made

    def rename(self, old: str, new: str, *, replace: bool = False) -> bool:
        """Rename the entry `old` of this folder, a link itself, to `new`; return False if `new` exists.

        replace: replace an existing file `new`.
        """
        if replace:
            os.rename(old, new, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            return True
        try:
            _rename_new(self.folder, old, new)
        except FileExistsError:
            return False
        return True

    def remove(self, name: str | None = None) -> None:
        """Remove the entry with this name, or with another name in the folder, if it exists."""
        with suppress(FileNotFoundError):
            os.unlink(name or self.name, dir_fd=self.folder)

    def is_planted(self, found: os.stat_result) -> bool:
        """Return whether others may have put `found` here.

        They can if they can write the folder, and the file is neither root's nor ours, or has another name elsewhere.
        """
        is_linked = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
        return (found.st_uid not in _trusted() or is_linked) and _others_write(os.fstat(self.folder))

    def names(self) -> list[str]:
        """Return the names in the folder."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            return os.listdir(listed)  # noqa: PTH208 - of a descriptor
        finally:
            os.close(listed)

    def sync(self) -> None:
        """Sync the folder's entries to disk."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            os.fsync(listed)
        finally:
            os.close(listed)


def find(path: str | os.PathLike[str]) -> Place:
    """Resolve a path to a folder and a name in it; the name need not exist.

    Raises UsageError if a folder in the path is missing or inaccessible, if a link cannot be trusted, or if the path
    names a folder.
    """
    given = Path(path)
    try:
        return _find(given)
    except OSError as error:
        raise UsageError(f"cannot write {given}: {error.strerror}") from error


def check_links(folder: str | os.PathLike[str]) -> None:
    """Raise UsageError if the existing part of a folder's path has a link that `find` would not follow.

    For folders to which libraries write by path.
    """
    # If a folder is missing, inaccessible or not a folder, whoever writes there reports it.
    with suppress(OSError):
        _find(Path(folder, "name")).close()


def _find(given: Path) -> Place:
    text = os.fspath(given)
    handle = _start(text)
    try:
        parts, links = _parts(text), 0
        while parts:
            part = parts.pop(0)
            if not parts and part.isdigit() and _is_own_descriptors(handle):
                os.fstat(int(part))
                os.close(handle)
                return Place(given, -1, part, int(part))
            found = _entry(part, handle)
            if found is None and parts:
                raise FileNotFoundError(2, os.strerror(2))
            if found is not None and stat.S_ISLNK(found.st_mode):
                _check_link(given, part, handle, found)
                links += 1
                if links > _MOST_LINKS:
                    raise UsageError(f"cannot write {given}: found more than {_MOST_LINKS} links in the path")
                target = os.readlink(part, dir_fd=handle)
                parts = _parts(target) + parts
                if target.startswith("/"):
                    os.close(handle)
                    handle = _start(target)
                if not parts:
                    break
                continue
            if not parts and part != ".." and not (found and stat.S_ISDIR(found.st_mode)):
                return Place(given, handle, part)
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    raise UsageError(f"cannot write {given}: found a folder, expected the name of a file")


def _start(path: str) -> int:
    return os.open("/" if path.startswith("/") else ".", _FOLDER)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _entry(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_own_descriptors(folder: int) -> bool:
    """Return whether an open folder is the one in which Linux lists this process's descriptors."""
    try:
        return Path(f"/proc/self/fd/{folder}").readlink() == Path("/proc", Path("/proc/self").readlink(), "fd")
    except OSError:
        return False


def _check_link(path: Path, name: str, folder: int, link: os.stat_result) -> None:
    there = os.fstat(folder)
    if not _others_write(there):
        return
    is_sticky = there.st_mode & stat.S_ISVTX and there.st_uid in _trusted()
    if not (is_sticky and link.st_uid in _trusted()):
        raise UsageError(
            f"cannot write {path}: found the link {name!r} in a folder that others can write, expected none"
        )


def _trusted() -> tuple[int, int]:
    """Return the ids of users who have full control of this process's files in any case."""
    return 0, os.geteuid()


def _others_write(folder: os.stat_result) -> bool:
    """Return whether users other than root and this account can create entries in a folder.

    The account's own group counts as the account: many systems give each user a private group.
    """
    own_group = folder.st_gid in (0, os.getegid())
    others = stat.S_IWOTH if own_group else _OTHERS_WRITE
    return folder.st_uid not in _trusted() or bool(folder.st_mode & others)


def _rename_new(folder: int, old: str, new: str) -> None:
    """Rename without replacing, in one step if the system supports it, otherwise by a second link."""
    import ctypes

    with suppress(AttributeError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        if rename(folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(_RENAME_NOREPLACE)) == 0:
            return
        number = ctypes.get_errno()
        if number not in _NO_SUCH_RENAME:
            raise OSError(number, os.strerror(number), new)
    os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.unlink(old, dir_fd=folder)


def make_folder(path: Path, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Create a missing folder with exactly this mode, and missing folders above it with 0755.

    owner: ids of the user and group that own it; None for the account's own. Raises UsageError as `find` does, OSError
    if the system refuses.
    """
    above = [folder for folder in path.parents if not folder.exists()]
    for folder in (*reversed(above), path):
        with find(folder) as place:
            os.mkdir(place.name, 0o700, dir_fd=place.folder)
            made = os.open(place.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
            try:
                if folder == path and owner is not None:
                    os.fchown(made, *owner)
                os.fchmod(made, mode if folder == path else 0o755)
            finally:
                os.close(made)


def trusted_folder(path: Path, *, private: bool = False) -> int:
    """Open a folder in which only root and this account can create entries; return its descriptor.

    private: others may not read it, either.

    Raises OSError if it is missing, PermissionError if it is a link, belongs to another user, or gives others
    permissions.
    """
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(opened)
    if _others_write(found) or (private and found.st_mode & 0o077):
        os.close(opened)
        about = f"it belongs to user {found.st_uid}, with mode {stat.S_IMODE(found.st_mode):04o}"
        raise PermissionError(errno.EPERM, f"not to be trusted: {about}", os.fspath(path))
    return opened
