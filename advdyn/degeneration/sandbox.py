"""A sandbox: a byte copy of a folder of files, which may be overwritten once. Nothing outside it can be written.

Every check is made on what is open, not on what a name says: folders are opened one by one from the root of the file
system, files through their folder, never through a link, and device, inode and number of links of the open file are
compared with what the manifest recorded when the copy was made. All checks come before the first write. Files are
opened for writing without ``O_CREAT`` and keep their length; they are synced and read back, and the sources are hashed
again. The right to overwrite is used up before the first byte changes, by renaming the marker: a second attempt, also
one at the same time or after a kill, finds it gone. Any surprise is a refusal of one line.

A sandbox is whole or not there: it is made under another name and renamed. Standard library only.
"""

# ruff: noqa: PTH100, PTH110, PTH111, PTH121, PTH208
# pathlib knows no directory descriptors.

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from advdyn.atomic import TEMPORARY
from advdyn.errors import InputError

MARKER = ".advdyn-sandbox.json"  # of a copy that may be overwritten
USED = ".advdyn-overwritten.json"  # the same file once it may not any more
MANIFEST = ".advdyn-manifest.json"
OWN = frozenset({MARKER, USED, MANIFEST})
KIND = "a copy that advdyn may overwrite once"
CHUNK = 1 << 20

CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
FOLDER = os.O_RDONLY | CAREFUL | getattr(os, "O_DIRECTORY", 0)
# On the way, a folder may be one that can be entered and not listed.
PASSING = getattr(os, "O_PATH", os.O_RDONLY) | CAREFUL | getattr(os, "O_DIRECTORY", 0)
ABLE = hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY") and os.open in os.supports_dir_fd

Identity = tuple[int, int]  # device, inode


class OverwriteError(InputError):
    """Nothing (more) is written; the message names the file and the reason."""


@dataclass(frozen=True)
class Written:
    """What became of one file: its bytes, those overwritten, and those that differ from before."""

    present: int
    overwritten: int
    differing: int


@dataclass(frozen=True)
class Folder:
    """An open folder, and the name it is spoken of by."""

    fd: int
    path: Path

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return _identity(os.fstat(self.fd))


@dataclass(frozen=True)
class File:
    """An open file with what is in it."""

    fd: int
    identity: Identity
    data: bytes

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Place:
    """Where things are: the open folders of a sandbox.

    Attributes
    ----------
    root, source
        Output directory of the run, and the folder that is copied.
    parent
        The last folder on the way from root to sandbox that is there.
    missing
        Names of those that are not there yet.
    target
        The sandbox, if there is one.
    inside
        Path of the sandbox, seen from root.
    """

    root: Folder
    source: Folder
    parent: Folder
    missing: tuple[str, ...]
    target: Folder | None
    inside: str


def _text(path: Path | str) -> str:
    """A path in one line."""
    return str(path) if str(path).isprintable() else repr(str(path))


def _refuse(path: Path | str, reason: str) -> NoReturn:
    raise OverwriteError(f"{_text(path)}: {reason}")


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _session() -> Iterator[ExitStack]:
    """A stack of what is open, closed at the end; errors of the system in one line."""
    if not ABLE:
        _refuse("overwrite", "this system has no directory descriptors; set overwrite: none")
    with ExitStack() as stack:
        try:
            yield stack
        except (OSError, ValueError) as error:
            name = getattr(error, "filename", None)
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise OverwriteError(f"{_text(name or 'sandbox')}: {reason}; the sandbox cannot be used") from error


# --- opening ---------------------------------------------------------------------------------------------------------


def _plain(path: Path) -> Path:
    """An absolute path; links are not followed here."""
    if ".." in Path(path).parts:
        _refuse(path, "contains '..'; allowed: a path without it")
    return Path(os.path.abspath(path))


def _protected() -> list[tuple[Path, str]]:
    """Folders that are nobody's output directory."""
    homes = {Path(os.path.expanduser("~"))}
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        homes.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    named = [(Path(os.path.realpath(home)), "the home directory") for home in sorted(homes) if home.is_absolute()]
    return [(Path("/"), "the root of the file system"), *named]


def _allowed(path: Path, what: str) -> None:
    """Refuse ``/``, the home directory, and whatever contains the home directory."""
    resolved = Path(os.path.realpath(path))
    for place, name in _protected():
        there = os.path.exists(resolved) and os.path.exists(place)
        if resolved == place or (there and os.path.samefile(resolved, place)):
            _refuse(path, f"{what} is {name}")
        if place.is_relative_to(resolved):
            _refuse(path, f"{what} contains {name}")


def _enter(stack: ExitStack, above: Folder, name: str) -> Folder | None:
    """A folder in a folder; None if nothing has that name."""
    path = above.path / name
    try:
        found = os.stat(name, dir_fd=above.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        _refuse(path, "is a linked directory; allowed: no links on the way")
    if not stat.S_ISDIR(found.st_mode):
        _refuse(path, "is no directory")
    fd = os.open(name, PASSING, dir_fd=above.fd)
    stack.callback(os.close, fd)
    if _identity(os.fstat(fd)) != _identity(found):
        _refuse(path, "was exchanged while it was opened")
    return Folder(fd, path)


def _listed(stack: ExitStack, folder: Folder) -> Folder:
    """The same folder, open so that it can be listed and synced."""
    fd = os.open(".", FOLDER, dir_fd=folder.fd)
    stack.callback(os.close, fd)
    return Folder(fd, folder.path)


def _walk(stack: ExitStack, parts: Sequence[str], start: Folder | None = None) -> list[Folder]:
    """The folders on a way, from the root of the file system or from ``start``, as far as they are there."""
    if start is None:
        fd = os.open("/", PASSING)
        stack.callback(os.close, fd)
        start = Folder(fd, Path("/"))
    way = [start]
    for name in parts:
        following = _enter(stack, way[-1], name)
        if following is None:
            break
        way.append(following)
    return way


def _existing(stack: ExitStack, path: Path, what: str) -> list[Folder]:
    """The folders on the way to one that must be there; ``path`` has no links."""
    way = _walk(stack, path.parts[1:])
    if len(way) < len(path.parts):
        _refuse(path, f"{what} is not there")
    return way


def _inside(path: Path, root: Path, resolved: Path) -> tuple[str, ...] | None:
    """The way from root to a path, or None."""
    for top in (root, resolved):
        if path.is_relative_to(top):
            return path.relative_to(top).parts
    return None


def _place(stack: ExitStack, source: Path, sandbox: Path, root: Path) -> Place:
    """Open the folders, after all checks that concern where they are."""
    source, sandbox, root = (_plain(path) for path in (source, sandbox, root))
    _allowed(root, "the output directory")
    _allowed(sandbox, "the sandbox")
    _allowed(source, "the source")
    resolved = Path(os.path.realpath(root))
    inside = _inside(sandbox, root, resolved)
    if not inside:
        _refuse(sandbox, f"not strictly inside the output directory {_text(root)}")
    to_root = _existing(stack, resolved, "the output directory")
    way = _walk(stack, inside, to_root[-1])
    for folder in way:
        if folder.identity[0] != to_root[-1].identity[0]:
            _refuse(folder.path, "on another device than the output directory")
    from_root = _inside(source, root, resolved)
    if from_root is None:  # of folders that are not ours only the last must not be a link
        above = _existing(stack, Path(os.path.realpath(source.parent)), "the folder of the source")
        to_source = [*above, *_walk(stack, [source.name], above[-1])[1:]]
        there = len(to_source) > len(above)
    else:
        to_source = [*to_root, *_walk(stack, from_root, to_root[-1])[1:]]
        there = len(to_source) == len(to_root) + len(from_root)
    if not there:
        _refuse(source, "the source is not there")
    own = to_source[-1]
    target = way[-1] if len(way) == 1 + len(inside) else None
    if own.identity in {folder.identity for folder in (*to_root, *way)}:
        _refuse(sandbox, f"inside the source {_text(source)}, or the same")
    if target is not None and target.identity in {folder.identity for folder in to_source}:
        _refuse(sandbox, f"contains the source {_text(source)}")
    parent = way[-2] if target is not None else way[-1]
    missing = inside[len(way) - 1 :] if target is None else ()
    opened = None if target is None else _listed(stack, target)
    return Place(to_root[-1], _listed(stack, own), _listed(stack, parent), missing, opened, "/".join(inside))


def _regular(found: os.stat_result, path: Path) -> None:
    """Refuse what is no regular file, and a file that has another name."""
    if stat.S_ISLNK(found.st_mode):
        _refuse(path, "is a symbolic link; allowed: regular files")
    if not stat.S_ISREG(found.st_mode):
        _refuse(path, "is no regular file")
    if found.st_nlink != 1:
        _refuse(path, f"has {found.st_nlink} hard links; allowed: one")


def _file(stack: ExitStack, folder: Folder, name: str, flags: int = os.O_RDONLY) -> File:
    """Open a regular file of a folder and read it; ``flags`` never has ``O_CREAT`` or ``O_TRUNC``."""
    path = folder.path / name
    seen = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
    _regular(seen, path)
    fd = os.open(name, flags | CAREFUL, dir_fd=folder.fd)
    stack.callback(os.close, fd)
    found = os.fstat(fd)
    _regular(found, path)
    if _identity(found) != _identity(seen):
        _refuse(path, "was exchanged while it was opened")
    return File(fd, _identity(found), _read(fd, found.st_size, path))


def _read(fd: int, size: int, path: Path) -> bytes:
    """All bytes of an open file."""
    parts, at = [], 0
    while part := os.pread(fd, CHUNK, at):
        parts.append(part)
        at += len(part)
        if at > size:
            break
    if at != size or os.fstat(fd).st_size != size:
        _refuse(path, "changed while it was read")
    return b"".join(parts)


def _files(stack: ExitStack, folder: Folder) -> dict[str, File]:
    """The files of a folder, but for the marker and manifest of a sandbox, by name."""
    return {name: _file(stack, folder, name) for name in sorted(set(os.listdir(folder.fd)) - OWN)}


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(fd: int, data: bytes) -> None:
    view, at = memoryview(data), 0
    while at < len(view):
        at += os.pwrite(fd, view[at : at + CHUNK], at)
    os.fsync(fd)


def _add(stack: ExitStack, folder: Folder, name: str, data: bytes) -> Identity:
    """A new file in the folder of a sandbox that is being made."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | CAREFUL
    fd = os.open(name, flags, 0o600, dir_fd=folder.fd)
    stack.callback(os.close, fd)
    _write(fd, data)
    if _read(fd, len(data), folder.path / name) != data:
        _refuse(folder.path / name, "the copy does not equal the source")
    return _identity(os.fstat(fd))


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, sort_keys=True, indent=1) + "\n").encode()


def _parsed(data: bytes, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        _refuse(path, "cannot be read; expected what advdyn wrote there")
    return values


def _ours(place: Place, folder: Folder) -> dict[str, Any]:
    """What every marker of this run says of a folder, its token and manifest apart."""
    return {
        "kind": KIND, "run": str(place.root.path), "run_identity": list(place.root.identity), "sandbox": place.inside,
        "identity": list(folder.identity),
    }  # fmt: skip


def _marker(stack: ExitStack, place: Place, folder: Folder) -> tuple[str, dict[str, Any]]:
    """Name and content of a sandbox's marker, which must be of this run, this place and this device."""
    names = set(os.listdir(folder.fd)) & {MARKER, USED}
    if len(names) != 1:
        _refuse(folder.path, "no marker of a sandbox" if not names else "two markers of a sandbox")
    name = names.pop()
    found, path = _parsed(_file(stack, folder, name).data, folder.path / name), folder.path / name
    ours = _ours(place, folder)
    if found.get("kind") != KIND:
        _refuse(path, "not the marker of a sandbox")
    if found.get("run") != ours["run"] or found.get("run_identity") != ours["run_identity"]:
        other = _text(str(found.get("run")))
        _refuse(
            path, f"a sandbox of another run, {other}; this one is {_text(ours['run'])}: remove that folder to go on"
        )
    if found.get("sandbox") != ours["sandbox"] or found.get("identity") != ours["identity"]:
        _refuse(path, "the marker of another folder or device: remove that folder to go on")
    return name, found


def _replaceable(place: Place, folder: Folder) -> list[str]:
    """The files of an earlier sandbox of this run, the marker last; whatever else is there is a refusal."""
    with ExitStack() as stack:
        there = set(os.listdir(folder.fd))
        if not there:
            return []
        name, _ = _marker(stack, place, folder)
        listed = set()
        if MANIFEST in there:
            files = _parsed(_file(stack, folder, MANIFEST).data, folder.path / MANIFEST).get("files")
            listed = set(files) if isinstance(files, dict) else set()
        for one in sorted(there - listed - {name, MANIFEST}):
            _refuse(folder.path / one, "extra file, not of the sandbox that is to be replaced; move it away")
        for one in sorted(there):
            _regular(os.stat(one, dir_fd=folder.fd, follow_symlinks=False), folder.path / one)
    return [*sorted(there - {name, MANIFEST}), *sorted(there & {MANIFEST}), name]


def _discarded(folder: Folder, parent: Folder, name: str) -> None:
    """Remove a sandbox that could not be finished."""
    with contextlib.suppress(OSError):
        for one in os.listdir(folder.fd):
            os.unlink(one, dir_fd=folder.fd)
        os.rmdir(name, dir_fd=parent.fd)


@dataclass(frozen=True)
class Sandbox:
    """A copy that may be overwritten once; made by ``create``.

    Attributes
    ----------
    source, sandbox, root
        The folder copied; the copy; the output directory of the run.
    token
        Random, also in the marker on disk: what is overwritten is what this object made.
    manifest
        As written on disk: of each file its size, its sha256, and device and inode of copy and source.
    """

    source: Path
    sandbox: Path
    root: Path
    token: str
    manifest: bytes

    @classmethod
    def create(cls, source: Path, sandbox: Path, root: Path) -> "Sandbox":
        """Copy the files of a folder, byte by byte.

        An empty folder, or an earlier sandbox of this run at the same place (whatever state it was left in), is
        replaced; anything else that is there is refused.

        Parameters
        ----------
        source
            A folder of regular files; it is only read. Marker and manifest of a sandbox are not copied.
        sandbox
            A folder strictly inside ``root``; folders on the way to it are made.
        root
            The output directory of the run.

        Raises
        ------
        OverwriteError
            When a link is met anywhere, the source holds anything but regular files with one name, or a path contains
            ``..``, is the home directory, ``/``, or inside the source.
        """
        with _session() as stack:
            place = _place(stack, source, sandbox, root)
            files = _files(stack, place.source)
            if not files:
                _refuse(source, "no files to copy")
            if place.target is not None:
                _replaceable(place, place.target)
            parent = place.parent
            for name in place.missing[:-1]:
                os.mkdir(name, dir_fd=parent.fd)
                made = _enter(stack, parent, name)
                if made is None:
                    _refuse(parent.path / name, "vanished while the sandbox was made")
                parent = _listed(stack, made)
            name, token = place.inside.rsplit("/", 1)[-1], secrets.token_hex(32)
            temporary = f".{name}.{token[:16]}{TEMPORARY}"
            os.mkdir(temporary, 0o700, dir_fd=parent.fd)
            entered = _enter(stack, parent, temporary)
            if entered is None:
                _refuse(parent.path / temporary, "vanished while the sandbox was made")
            folder = _listed(stack, entered)
            try:
                listed = {
                    one: {
                        "size": len(file.data), "sha256": file.sha256, "source": list(file.identity),
                        "copy": list(_add(stack, folder, one, file.data)),
                    }
                    for one, file in files.items()
                }  # fmt: skip
                manifest = _json({"source": list(place.source.identity), "files": listed})
                _add(stack, folder, MANIFEST, manifest)
                digest = hashlib.sha256(manifest).hexdigest()
                _add(stack, folder, MARKER, _json(_ours(place, folder) | {"token": token, "manifest": digest}))
                os.fsync(folder.fd)
                if place.target is not None:
                    for one in _replaceable(place, place.target):
                        os.unlink(one, dir_fd=place.target.fd)
                    os.fsync(place.target.fd)
                # onto nothing or an empty folder: the system refuses anything else
                os.rename(temporary, name, src_dir_fd=parent.fd, dst_dir_fd=parent.fd)
            except BaseException:
                _discarded(folder, parent, temporary)
                raise
            os.fsync(parent.fd)
            created = cls(Path(source), Path(sandbox), Path(root), token, manifest)
        created.verify()
        return created

    def _files_listed(self) -> dict[str, dict[str, Any]]:
        files: dict[str, dict[str, Any]] = json.loads(self.manifest)["files"]
        return files

    def _source_unchanged(self, stack: ExitStack, place: Place) -> None:
        """Refuse when any file of the source is another, has other bytes, is gone or has come."""
        listed, path = self._files_listed(), place.source.path
        if list(place.source.identity) != json.loads(self.manifest)["source"]:
            _refuse(path, "the source is another folder than the one copied")
        found = _files(stack, place.source)
        for name in sorted(set(found) ^ set(listed)):
            _refuse(path / name, "the source changed: this file " + ("came" if name in found else "is gone"))
        for name, file in found.items():
            if list(file.identity) != listed[name]["source"] or file.sha256 != listed[name]["sha256"]:
                _refuse(path / name, "the source changed since it was copied")

    def _checked(self, stack: ExitStack) -> tuple[Folder, dict[str, File]]:
        """Every check of an unused sandbox; nothing is opened for writing. Its folder and files, open."""
        place = _place(stack, self.source, self.sandbox, self.root)
        if place.target is None:
            _refuse(self.sandbox, "the sandbox is not there")
        folder = place.target
        marked, marker = _marker(stack, place, folder)
        if marked == USED:
            _refuse(folder.path, "this copy was overwritten before; allowed: once for each copy")
        digest = hashlib.sha256(self.manifest).hexdigest()
        if marker.get("token") != self.token or marker.get("manifest") != digest:
            _refuse(folder.path / MARKER, "the marker of another copy")
        listed = self._files_listed()
        there = set(os.listdir(folder.fd))
        for name in sorted(there ^ {*listed, MARKER, MANIFEST}):
            reason = "extra file, not in the manifest" if name in there else "in the manifest, but not there"
            _refuse(folder.path / name, reason)
        if _file(stack, folder, MANIFEST).data != self.manifest:
            _refuse(folder.path / MANIFEST, "the manifest changed")
        files = _files(stack, folder)
        own = {tuple(entry["source"]) for entry in listed.values()}
        for name, file in files.items():
            if file.identity in own:
                _refuse(folder.path / name, "is a file of the source")
            if list(file.identity) != listed[name]["copy"]:
                _refuse(folder.path / name, "another file than the one that was made")
            if len(file.data) != listed[name]["size"] or file.sha256 != listed[name]["sha256"]:
                _refuse(folder.path / name, "the copy changed: size or sha256 is not that of the manifest")
        self._source_unchanged(stack, place)
        return folder, files

    def verify(self) -> None:
        """Make all checks of an overwrite, and write nothing.

        Raises
        ------
        OverwriteError
            As ``overwrite`` would.
        """
        with _session() as stack:
            self._checked(stack)

    def overwrite(self, contents: Mapping[str, bytes]) -> dict[str, Written]:
        """Overwrite files of the copy, once.

        Parameters
        ----------
        contents
            New bytes by file name, of the same length; files that are not named stay as they are.

        Returns
        -------
        By file name, for every file of the copy. Copy and source were checked again after the writes.

        Raises
        ------
        OverwriteError
            On any surprise. Before the first write nothing has changed; after it the copy may be left half
            overwritten, it is marked as used, and the source was never opened for writing.
        """
        new, listed = {name: bytes(data) for name, data in contents.items()}, self._files_listed()
        for name, data in new.items():
            if name not in listed:
                _refuse(Path(self.sandbox) / name, "not a file of the manifest")
            if len(data) != listed[name]["size"]:
                size = listed[name]["size"]
                _refuse(Path(self.sandbox) / name, f"found {len(data)} new bytes, allowed: {size}, as many as before")
        if not new:
            _refuse(self.sandbox, "no bytes given")
        with _session() as stack:
            folder, files = self._checked(stack)
            writable = {}
            for name in new:
                writable[name] = _file(stack, folder, name, os.O_RDWR)
                if writable[name].identity != files[name].identity or writable[name].data != files[name].data:
                    _refuse(folder.path / name, "was exchanged after it was checked")
            self._claim(folder)
            for name, file in writable.items():
                _regular(os.fstat(file.fd), folder.path / name)
            for name, file in writable.items():
                _write(file.fd, new[name])
            os.fsync(folder.fd)
            return self._written(stack, folder, files, new)

    def _claim(self, folder: Folder) -> None:
        """Use up the right to overwrite: of two that try, the system lets one rename the marker."""
        try:
            os.rename(MARKER, USED, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        except FileNotFoundError:
            _refuse(folder.path, "this copy is being overwritten by another job")
        os.fsync(folder.fd)

    def _written(
        self, stack: ExitStack, folder: Folder, before: Mapping[str, File], new: Mapping[str, bytes]
    ) -> dict[str, Written]:
        """Read everything back, by the same way from the root again."""
        place = _place(stack, self.source, self.sandbox, self.root)
        if place.target is None or place.target.identity != folder.identity:
            _refuse(folder.path, "the sandbox was exchanged while it was overwritten")
        there = set(os.listdir(folder.fd))
        for name in sorted(there ^ {*before, USED, MANIFEST}):
            _refuse(folder.path / name, "came or went while the sandbox was overwritten")
        after = _files(stack, folder)
        for name, file in after.items():
            expected = new.get(name, before[name].data)
            if file.identity != before[name].identity or file.data != expected:
                _refuse(folder.path / name, "read back, it is not what was written")
        self._source_unchanged(stack, place)
        return {
            name: Written(
                len(file.data), len(file.data) if name in new else 0,
                sum(a != b for a, b in zip(file.data, before[name].data, strict=True)),
            )
            for name, file in after.items()
        }  # fmt: skip
