"""A name in a folder that is held open: whoever renames folders or plants links meanwhile changes nothing.

A path is walked folder by folder. A link on the way is followed only where nobody but root and this account can have
made it: in a folder that only these can write, or, as the kernel's `protected_symlinks` does, one of their own links
in a sticky folder such as /tmp.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["RECORDING_MODE", "Place", "check_links", "find", "make_folder", "trusted_folder"]

# O_PATH needs no right to list the folder; systems without it open it for reading.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
RECORDING_MODE = 0o640
"""Of the files of a recording, at most: for the account that writes them, and its group."""
_MOST_LINKS = 40
_RENAME_NOREPLACE = 1
_NO_SUCH_RENAME = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Place:
    """A name in a folder, both found: `find` gives it. Every method works on the folder itself, whatever its path names
    by now. Methods raise OSError where the system refuses.

    path: as it was given, for messages. folder: descriptor of the folder. descriptor: of the process's own file that
    the path names (/dev/stdout), which has no name in a folder; None for every other path.
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
        """Let go of the folder."""
        if self.folder >= 0:
            os.close(self.folder)
            self.folder = -1

    def beside(self, name: str) -> Place:
        """Return another name in the same folder, with a descriptor of its own."""
        return Place(self.path.with_name(name), os.dup(self.folder), name)

    def stat(self) -> os.stat_result | None:
        """Return what has the name, a link itself; None if nothing has."""
        if self.descriptor is not None:
            return os.fstat(self.descriptor)
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, flags: int) -> int:
        """Open what has the name, and never a link; return the descriptor.

        Raises PermissionError where others can write the folder and the file is theirs: they may have planted it.
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
        """Make a new file of this name, open for reading and writing; return its descriptor.

        What has the name is never opened: without `replace` it raises FileExistsError, with `replace` the new file
        takes the name. mode: of the file; the umask takes from it. flags: more of them.
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
        """Give what is called `old` in this folder the name `new`, a link itself; return whether that name was free.

        replace: whether a file that has the name goes.
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
        """Remove the name, or another in the folder; it need not be there."""
        with suppress(FileNotFoundError):
            os.unlink(name or self.name, dir_fd=self.folder)

    def is_planted(self, found: os.stat_result) -> bool:
        """Tell whether others may have put `found` here: they can write the folder, and it is neither root's nor ours,
        or has another name elsewhere."""
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
        """Have the folder's names on the disk."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            os.fsync(listed)
        finally:
            os.close(listed)


def find(path: str | os.PathLike[str]) -> Place:
    """Find the folder and the name that a path stands for; the name need not exist.

    Raises UsageError where a folder on the way is missing or closed, where a link is not to be trusted, or where the
    path names a folder.
    """
    given = Path(path)
    try:
        return _find(given)
    except OSError as error:
        raise UsageError(f"cannot write {given}: {error.strerror}") from error


def check_links(folder: str | os.PathLike[str]) -> None:
    """Make sure that the path of a folder, as far as it is there, has no link that `find` would not follow.

    It is for folders that others write by path. Raises UsageError for such a link.
    """
    # What is missing, closed or no folder is for those to tell who write there.
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
                    raise UsageError(f"cannot write {given}: found more than {_MOST_LINKS} links on the way")
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
    """Tell whether an open folder is the one where Linux lists this process's descriptors."""
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
    """Users who can do to this process's files what they want anyway."""
    return 0, os.geteuid()


def _others_write(folder: os.stat_result) -> bool:
    """Tell whether users other than root and this account can make names in a folder. The account's own group counts as
    the account: with it, many systems give each user a group of their own."""
    own_group = folder.st_gid in (0, os.getegid())
    others = stat.S_IWOTH if own_group else _OTHERS_WRITE
    return folder.st_uid not in _trusted() or bool(folder.st_mode & others)


def _rename_new(folder: int, old: str, new: str) -> None:
    """Rename in one step, where the system can; else by a second link."""
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
    """Make a folder that is not there with exactly this mode, and those above it with 0755.

    owner: user and group that it is given to; the account's own if None. Raises UsageError where `find` does, OSError
    where the system refuses.
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
    """Open a folder in which only root and this account can make names; return its descriptor.

    private: nobody else may even look into it.

    Raises OSError where it is not there, PermissionError where it is a link or belongs to somebody else, or where
    others have rights to it.
    """
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(opened)
    if _others_write(found) or (private and found.st_mode & 0o077):
        os.close(opened)
        about = f"it belongs to user {found.st_uid}, with mode {stat.S_IMODE(found.st_mode):04o}"
        raise PermissionError(errno.EPERM, f"not to be trusted: {about}", os.fspath(path))
    return opened
