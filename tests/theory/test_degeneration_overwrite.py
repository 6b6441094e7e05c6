"""Only a copy is overwritten, once: every refusal, every race and every kill leaves all else as it was.

No test names a real home directory or the root of the file system but for refusals that come before anything is
opened for writing; there the calls that could change anything fail by themselves.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from advdyn.data.load import Images
from advdyn.degeneration import export, overwrite, sandbox
from advdyn.degeneration.sandbox import MANIFEST, MARKER, USED, OverwriteError, Sandbox
from advdyn.errors import InputError
from advdyn.gan.networks import discriminator_sizes
from advdyn.perceptrons import Mlps

ROOT = Path(__file__).resolve().parents[2]
CHANGING = (
    "mkdir",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "link",
    "symlink",
    "pwrite",
    "write",
    "truncate",
    "ftruncate",
)


@dataclasses.dataclass(frozen=True)
class Here:
    """A run's results with the user's files, and a victim outside that must never change."""

    top: Path
    run: Path
    source: Path
    copy: Path
    victim: Path

    def create(self, **changed):
        paths = {"source": self.source, "sandbox": self.copy, "root": self.run} | changed
        return Sandbox.create(**paths)

    @property
    def data(self):
        return {file.name: file.read_bytes() for file in self.source.iterdir()}

    @property
    def new(self):
        return {name: bytes(255 - b for b in data) for name, data in self.data.items()}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run, victim = tmp_path / "run", tmp_path / "victim"
    source = run / "study" / "source"
    source.mkdir(parents=True)
    victim.mkdir()
    rng = np.random.default_rng(0)
    for name, size in {"images.bin": 3000, "discriminator.bin": 1001}.items():
        (source / name).write_bytes(rng.bytes(size))
        (victim / name).write_bytes((source / name).read_bytes())  # contents alone do not betray it
    return Here(tmp_path, run, source, run / "study" / "sandbox" / "copy", victim)


def state(folder, but=()):
    """Everything below a folder: kind, inode, links, permissions, size, time of the last change, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if any(path == b or b in path.parents for b in but):
            continue
        s = path.lstat()
        content = b""
        if stat.S_ISREG(s.st_mode):
            content = hashlib.sha256(path.read_bytes()).digest()
        elif stat.S_ISLNK(s.st_mode):
            content = str(path.readlink())
        found[str(path)] = (stat.S_IFMT(s.st_mode), s.st_ino, s.st_nlink, s.st_mode, s.st_size, s.st_mtime_ns, content)
    return found


@contextlib.contextmanager
def refused(here, match, monkeypatch):
    """The block is refused in one line that fits; it opens nothing for writing and calls nothing that changes files."""
    before, real = state(here.top), os.open

    def reading(path, flags, *args, **kwargs):
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC), f"{path} opened for writing"
        return real(path, flags, *args, **kwargs)

    def forbidden(*args, **kwargs):
        raise AssertionError("something was about to change")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", reading)
        for name in CHANGING:
            patched.setattr(os, name, forbidden)
        with pytest.raises(OverwriteError, match=match) as caught:
            yield
    assert "\n" not in str(caught.value)
    assert state(here.top) == before


# --- what it does ----------------------------------------------------------------------------------------------------


def test_the_copy_has_the_bytes_and_nothing_else_of_the_source(here):
    before = state(here.top, [here.copy.parent])
    here.create()
    assert {f.name for f in here.copy.iterdir()} == {"images.bin", "discriminator.bin", MARKER, MANIFEST}
    for name, data in here.data.items():
        own, other = (here.copy / name).stat(), (here.source / name).stat()
        assert (here.copy / name).read_bytes() == data
        assert own.st_ino != other.st_ino
        assert own.st_nlink == other.st_nlink == 1
    listed = json.loads((here.copy / MANIFEST).read_text())["files"]
    assert {n: (e["size"], e["sha256"]) for n, e in listed.items()} == {
        n: (len(d), hashlib.sha256(d).hexdigest()) for n, d in here.data.items()
    }
    assert {
        k: v
        for k, v in state(here.top, [here.copy.parent]).items()
        if k in before and k != str(here.copy.parent.parent)
    } == {k: v for k, v in before.items() if k != str(here.copy.parent.parent)}


def test_overwriting_changes_the_bytes_of_the_copy_alone(here):
    made = here.create()
    before, inodes = state(here.top, [here.copy]), {f.name: f.stat().st_ino for f in here.copy.iterdir()}
    done = made.overwrite(here.new)
    for name, data in here.new.items():
        assert (here.copy / name).read_bytes() == data
        assert (here.copy / name).stat().st_ino == inodes[name]
        assert done[name] == sandbox.Written(len(data), len(data), len(data))  # 255 - b differs from every b
    assert state(here.top, [here.copy]) == before
    assert {f.name for f in here.copy.iterdir()} == {*here.new, USED, MANIFEST}


def test_a_file_that_is_not_named_stays(here):
    done = here.create().overwrite({"images.bin": here.new["images.bin"]})
    assert (here.copy / "discriminator.bin").read_bytes() == here.data["discriminator.bin"]
    assert done["discriminator.bin"] == sandbox.Written(1001, 0, 0)


def test_a_link_to_the_results_folder_is_followed_and_no_other(here):
    (here.top / "linked").symlink_to(here.run)
    made = Sandbox.create(here.source, here.top / "linked" / "here", here.top / "linked")
    made.overwrite(here.new)
    assert (here.run / "here" / "images.bin").read_bytes() == here.new["images.bin"]


def test_creating_again_replaces_the_own_sandbox_in_any_state(here):
    for _ in range(2):
        here.create()
        made = here.create()
        made.overwrite(here.new)
    with pytest.raises(OverwriteError):
        made.verify()
    here.create().verify()
    assert [f.name for f in here.copy.parent.iterdir()] == ["copy"]  # no temporaries


def test_an_object_overwrites_the_copy_it_made_and_no_later_one(here, monkeypatch):
    old = here.create()
    here.create()
    with refused(here, "marker of another", monkeypatch):
        old.overwrite(here.new)


# --- the twelve refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["source", "sandbox", "root"])
def test_refusal_1_dots(here, monkeypatch, which):
    path = {"source": here.source, "sandbox": here.copy, "root": here.run}[which]
    with refused(here, r"contains '\.\.'", monkeypatch):
        here.create(**{which: path.parent / "x" / ".." / path.name})
    made = here.create()
    with refused(here, r"contains '\.\.'", monkeypatch):
        dataclasses.replace(made, **{which: path.parent / ".." / path.parent.name / path.name}).overwrite(here.new)


def test_refusal_2_symbolic_link(here, monkeypatch):
    made = here.create()
    (here.copy / "images.bin").unlink()
    (here.copy / "images.bin").symlink_to(here.victim / "images.bin")
    with refused(here, r"copy/images\.bin: is a symbolic link", monkeypatch):
        made.overwrite(here.new)
    with refused(here, r"copy/images\.bin: is a symbolic link", monkeypatch):
        here.create()
    (here.source / "more.bin").symlink_to(here.victim / "images.bin")
    with refused(here, r"source/more\.bin: is a symbolic link", monkeypatch):
        here.create(sandbox=here.run / "other")


@pytest.mark.parametrize("name", [MARKER, MANIFEST])
def test_refusal_2_symbolic_link_of_marker_or_manifest(here, monkeypatch, name):
    made = here.create()
    (here.copy / name).rename(here.top / "moved")
    (here.copy / name).symlink_to(here.top / "moved")
    with refused(here, f"{name}: is a symbolic link", monkeypatch):
        made.overwrite(here.new)


def test_refusal_3_hard_link(here, monkeypatch):
    made = here.create()
    os.link(here.copy / "images.bin", here.top / "another name")
    with refused(here, r"copy/images\.bin: has 2 hard links", monkeypatch):
        made.overwrite(here.new)
    with refused(here, r"copy/images\.bin: has 2 hard links", monkeypatch):
        here.create()
    (here.copy / "images.bin").unlink()
    os.link(here.victim / "images.bin", here.copy / "images.bin")
    with refused(here, r"copy/images\.bin: has 2 hard links", monkeypatch):
        made.overwrite(here.new)
    os.link(here.source / "images.bin", here.top / "third name")
    with refused(here, r"source/images\.bin: has 2 hard links", monkeypatch):
        here.create(sandbox=here.run / "other")


def test_refusal_4_linked_directory(here, monkeypatch):
    made = here.create()
    here.copy.rename(here.run / "moved")
    here.copy.symlink_to(here.run / "moved")
    with refused(here, "sandbox/copy: is a linked directory", monkeypatch):
        made.overwrite(here.new)
    with refused(here, "sandbox/copy: is a linked directory", monkeypatch):
        here.create()
    (here.run / "way").symlink_to(here.victim)
    with refused(here, "run/way: is a linked directory", monkeypatch):
        here.create(sandbox=here.run / "way" / "copy")
    (here.run / "origin").symlink_to(here.source)
    with refused(here, "run/origin: is a linked directory", monkeypatch):
        here.create(source=here.run / "origin", sandbox=here.run / "other")
    (here.top / "origin").symlink_to(here.victim)
    with refused(here, "origin: is a linked directory", monkeypatch):
        here.create(source=here.top / "origin", sandbox=here.run / "other")


def test_refusal_5_missing_marker(here, monkeypatch):
    made = here.create()
    (here.copy / MARKER).unlink()
    with refused(here, "copy: no marker", monkeypatch):
        made.overwrite(here.new)
    with refused(here, "copy: no marker", monkeypatch):
        here.create()
    with refused(here, "victim: not strictly inside", monkeypatch):
        here.create(sandbox=here.victim)
    (here.run / "mine").mkdir()
    (here.run / "mine" / "photographs").write_text("irreplaceable")
    with refused(here, "mine: no marker", monkeypatch):
        here.create(sandbox=here.run / "mine")


def test_refusal_6_extra_file(here, monkeypatch):
    made = here.create()
    (here.copy / "photographs").write_text("irreplaceable")
    with refused(here, "copy/photographs: extra file", monkeypatch):
        made.overwrite(here.new)
    with refused(here, "copy/photographs: extra file", monkeypatch):
        here.create()
    (here.copy / "photographs").unlink()
    (here.copy / "album").mkdir()
    with refused(here, "copy/album: extra file", monkeypatch):
        made.overwrite(here.new)


def test_refusal_7_second_run(here, monkeypatch):
    made = here.create()
    made.overwrite({"images.bin": here.new["images.bin"]})
    with refused(here, "overwritten before", monkeypatch):
        made.overwrite({"discriminator.bin": here.new["discriminator.bin"]})
    (here.copy / "images.bin").write_bytes(here.data["images.bin"])  # as it was: still used up
    with refused(here, "overwritten before", monkeypatch):
        made.overwrite(here.new)


def test_refusal_8_directory_of_another_run(here, monkeypatch):
    made, other = here.create(), here.top / "other run"
    (other / "study" / "sandbox").mkdir(parents=True)
    here.copy.rename(other / "study" / "sandbox" / "copy")
    theirs = {"sandbox": other / "study" / "sandbox" / "copy", "root": other}
    with refused(here, "a sandbox of another run", monkeypatch):
        dataclasses.replace(made, **theirs).overwrite(here.new)
    with refused(here, "a sandbox of another run", monkeypatch):
        here.create(**theirs)
    with refused(here, "not strictly inside", monkeypatch):
        dataclasses.replace(made, sandbox=theirs["sandbox"]).overwrite(here.new)


def test_refusal_8_of_the_same_path_on_another_device(here, monkeypatch):
    made = here.create()
    marker = json.loads((here.copy / MARKER).read_text())
    for key, match in (("run_identity", "another run"), ("identity", "another folder or device")):
        changed = marker | {key: [marker[key][0] + 1, marker[key][1]]}
        (here.copy / MARKER).write_text(json.dumps(changed))
        with refused(here, match, monkeypatch):
            made.overwrite(here.new)
        with refused(here, match, monkeypatch):
            here.create()


def test_refusal_9_root_of_the_file_system(here, monkeypatch):
    for paths in ({"root": Path("/")}, {"sandbox": Path("/")}, {"source": Path("/")}):
        with refused(here, "is the root of the file system", monkeypatch):
            here.create(**paths)
        with refused(here, "is the root of the file system", monkeypatch):
            Sandbox(
                **({"source": here.source, "sandbox": here.copy, "root": here.run} | paths), token="", manifest=b"{}"
            ).verify()
    (here.top / "slash").symlink_to("/")
    with refused(here, "is the root of the file system", monkeypatch):
        here.create(root=here.top / "slash", sandbox=here.top / "slash" / "sandbox")


@pytest.mark.parametrize("known_by", ["environment", "password file"])
def test_refusal_10_home_directory(here, monkeypatch, known_by):
    home = here.top / "home"
    if known_by == "password file":
        monkeypatch.setenv("HOME", str(here.victim))
        monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir=str(home)))
    (here.top / "door").symlink_to(home)
    for root in (home, here.top / "door"):
        with refused(here, "is the home directory", monkeypatch):
            here.create(root=root, sandbox=root / "sandbox")
    with refused(here, "contains the home directory", monkeypatch):
        here.create(root=here.top, sandbox=here.top / "sandbox")
    for paths in ({"sandbox": home}, {"source": home}):
        with refused(here, "is the home directory", monkeypatch):
            here.create(**paths)
    (home / "results").mkdir()
    Sandbox.create(here.source, home / "results" / "copy", home / "results").verify()  # inside it, as results are


def test_a_home_directory_that_is_not_there_is_no_obstacle(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here.top / "nobody"))
    here.create().verify()


def test_refusal_11_output_inside_the_source(here, monkeypatch):
    for paths in (
        {"sandbox": here.source / "copy"},
        {"source": here.run},
        {"source": here.run / "study"},
        {"root": here.source, "sandbox": here.source / "copy"},
        {"sandbox": here.source},
    ):
        with refused(here, "inside the source .*, or the same", monkeypatch):
            here.create(**paths)
    with refused(here, "contains the source", monkeypatch):
        here.create(sandbox=here.run / "study")


@pytest.mark.parametrize("change", ["byte", "file", "come", "gone"])
def test_refusal_12_changed_source(here, monkeypatch, change):
    made, new, file = here.create(), here.new, here.source / "images.bin"
    if change == "byte":
        data = bytearray(file.read_bytes())
        data[7] ^= 1
        file.write_bytes(bytes(data))
    elif change == "file":  # the same bytes in another file
        kept = file.read_bytes()
        file.rename(here.top / "old")
        file.write_bytes(kept)
    elif change == "come":
        (here.source / "more.bin").write_bytes(b"1")
    else:
        file.unlink()
    with refused(here, "source/(images|more).bin: the source changed", monkeypatch):
        made.overwrite(new)


# --- what else is refused --------------------------------------------------------------------------------------------


def test_a_changed_copy_or_manifest_is_refused(here, monkeypatch):
    made = here.create()
    kept = (here.copy / "images.bin").read_bytes()
    (here.copy / "images.bin").write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with refused(here, r"images\.bin: the copy changed", monkeypatch):
        made.overwrite(here.new)
    (here.copy / "images.bin").write_bytes(kept)
    made.verify()
    (here.copy / "images.bin").rename(here.top / "old")
    (here.copy / "images.bin").write_bytes(kept)
    with refused(here, r"images\.bin: another file", monkeypatch):
        made.overwrite(here.new)
    (here.top / "old").rename(here.copy / "images.bin")
    (here.copy / MANIFEST).write_text((here.copy / MANIFEST).read_text() + " ")
    with refused(here, "the manifest changed", monkeypatch):
        made.overwrite(here.new)


def test_a_copied_sandbox_is_another_folder(here, monkeypatch):
    made = here.create()
    here.copy.rename(here.run / "moved")
    here.copy.mkdir()
    for file in (here.run / "moved").iterdir():
        (here.copy / file.name).write_bytes(file.read_bytes())
    with refused(here, "marker of another folder or device", monkeypatch):
        made.overwrite(here.new)


@pytest.mark.parametrize(
    ("new", "match"),
    [({"images.bin": b"short"}, "found 5 new bytes, allowed: 3000"), ({"other.bin": b""}, "not a file of the manifest"),
     ({"../source/images.bin": b""}, "not a file of the manifest"), ({MARKER: b""}, "not a file of the manifest"),
     ({}, "no bytes given")],
)  # fmt: skip
def test_new_bytes_that_do_not_fit_are_refused(here, monkeypatch, new, match):
    made = here.create()
    with refused(here, match, monkeypatch):
        made.overwrite(new)
    made.verify()


def test_sources_of_other_kinds_are_refused(here, monkeypatch):
    with refused(here, "the source is not there", monkeypatch):
        here.create(source=here.run / "nothing")
    (here.run / "empty").mkdir()
    with refused(here, "no files to copy", monkeypatch):
        here.create(source=here.run / "empty")
    os.mkfifo(here.source / "pipe")  # opening it would wait for ever
    with refused(here, "source/pipe: is no regular file", monkeypatch):
        here.create()
    (here.source / "pipe").unlink()
    (here.source / "folder").mkdir()
    with refused(here, "source/folder: is no regular file", monkeypatch):
        here.create()
    with refused(here, r"images\.bin: is no directory", monkeypatch):
        here.create(source=here.source / "images.bin")


def test_places_that_are_not_there_or_not_inside_are_refused(here, monkeypatch):
    with refused(here, "the output directory is not there", monkeypatch):
        here.create(root=here.top / "nothing", sandbox=here.top / "nothing" / "copy")
    for path in (here.run, here.top / "run and more"):
        with refused(here, "not strictly inside", monkeypatch):
            here.create(sandbox=path)
    (here.run / "file").write_text("")
    with refused(here, "run/file: is no directory", monkeypatch):
        here.create(sandbox=here.run / "file")


def test_two_markers_or_an_unreadable_one_are_refused(here, monkeypatch):
    made = here.create()
    (here.copy / USED).write_text("{}")
    with refused(here, "two markers", monkeypatch):
        made.overwrite(here.new)
    (here.copy / USED).unlink()
    marker = (here.copy / MARKER).read_text()
    (here.copy / MARKER).write_text(marker.replace(sandbox.KIND, "something else"))
    with refused(here, "not the marker of a sandbox", monkeypatch):
        made.overwrite(here.new)
    (here.copy / MARKER).write_text("[")
    with refused(here, "cannot be read", monkeypatch):
        made.overwrite(here.new)


def test_a_system_without_directory_descriptors_is_refused(here, monkeypatch):
    monkeypatch.setattr(sandbox, "ABLE", False)
    with refused(here, "no directory descriptors", monkeypatch):
        here.create()


# --- races: between check and use ------------------------------------------------------------------------------------


def at(monkeypatch, name, when, do):
    """Call ``do`` once, just before the first call of os.<name> whose arguments fit."""
    real, done = getattr(os, name), []

    def wrapped(*args, **kwargs):
        if not done and when(*args, **kwargs):
            done.append(1)
            do()
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, wrapped)
    return done


def for_writing(path, flags, *args, **kwargs):
    return path == "images.bin" and flags & os.O_RDWR


def test_nothing_is_opened_through_a_link_and_nothing_is_made_by_an_overwrite(here, monkeypatch):
    found, real = [], os.open

    def noting(path, flags, *args, **kwargs):
        found.append((path, flags))
        return real(path, flags, *args, **kwargs)

    new = here.new
    monkeypatch.setattr(os, "open", noting)
    made = here.create()
    created = [path for path, flags in found if flags & os.O_CREAT]
    assert set(created) == {*new, MARKER, MANIFEST}
    assert all(flags & os.O_EXCL for _, flags in found if flags & os.O_CREAT)
    first = len(found)
    made.overwrite(new)
    assert all(flags & os.O_NOFOLLOW for _, flags in found)
    assert not any(flags & os.O_TRUNC for _, flags in found)
    assert not any(flags & os.O_CREAT for _, flags in found[first:])
    assert {path for path, flags in found[first:] if flags & (os.O_WRONLY | os.O_RDWR)} == set(new)


def test_a_file_exchanged_while_it_is_opened_is_refused(here, monkeypatch):
    def swap():
        (here.source / "images.bin").unlink()
        (here.victim / "images.bin").rename(here.source / "images.bin")

    done = at(monkeypatch, "open", lambda path, *args, **kwargs: path == "images.bin", swap)
    with pytest.raises(OverwriteError, match=r"source/images\.bin: was exchanged while it was opened"):
        here.create()
    assert done


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_file_exchanged_for_a_link_after_the_checks_is_not_written(here, monkeypatch, kind):
    made, new = here.create(), here.new
    link = os.symlink if kind == "symbolic" else os.link

    def swap():
        (here.copy / "images.bin").unlink()
        link(here.victim / "images.bin", here.copy / "images.bin")

    before = state(here.victim) if kind == "symbolic" else (here.victim / "images.bin").read_bytes()
    done = at(monkeypatch, "open", for_writing, swap)
    with pytest.raises(OverwriteError):
        made.overwrite(new)
    assert done
    assert before == (state(here.victim) if kind == "symbolic" else (here.victim / "images.bin").read_bytes())


def test_a_file_exchanged_for_another_after_the_checks_is_not_written(here, monkeypatch):
    made, new = here.create(), here.new

    def swap():
        (here.copy / "images.bin").rename(here.top / "moved")
        (here.victim / "images.bin").rename(here.copy / "images.bin")

    done = at(monkeypatch, "open", for_writing, swap)
    with pytest.raises(OverwriteError, match="exchanged"):
        made.overwrite(new)
    assert done
    assert (here.copy / "images.bin").read_bytes() == here.data["images.bin"]


@pytest.mark.parametrize("change", ["another file", "other bytes"])
def test_a_file_that_changes_between_the_checks_and_the_opening_is_not_written(here, monkeypatch, change):
    made, new, seen = here.create(), here.new, []

    def count(path, *args, **kwargs):
        seen.extend([1] * (path == "images.bin"))
        return False

    at(monkeypatch, "stat", count, lambda: None)
    made.verify()
    checks, before = len(seen), here.data["images.bin"]
    seen.clear()

    def swap():
        if change == "another file":
            (here.copy / "images.bin").rename(here.top / "moved")
            (here.victim / "images.bin").rename(here.copy / "images.bin")
        else:
            (here.copy / "images.bin").write_bytes(before[::-1])

    done = at(monkeypatch, "stat", lambda *args, **kwargs: len(seen) == checks, swap)
    with pytest.raises(OverwriteError, match="was exchanged after it was checked"):
        made.overwrite(new)
    assert done
    assert (here.copy / "images.bin").read_bytes() == (before if change == "another file" else before[::-1])


def test_a_folder_exchanged_during_the_write_is_reported(here, monkeypatch):
    made, new = here.create(), here.new

    def swap():
        here.copy.rename(here.run / "moved")
        here.copy.mkdir()

    done = at(monkeypatch, "pwrite", lambda *args: True, swap)
    with pytest.raises(OverwriteError, match="the sandbox was exchanged while it was overwritten"):
        made.overwrite(new)
    assert done
    assert not list(here.copy.iterdir())


@pytest.mark.parametrize("moment", ["open", "pwrite"])
def test_a_folder_exchanged_for_a_link_after_the_checks_writes_to_no_other(here, monkeypatch, moment):
    made, new, before = here.create(), here.new, state(here.victim)

    def swap():
        here.copy.rename(here.run / "moved")
        here.copy.symlink_to(here.victim)

    when = for_writing if moment == "open" else lambda *args: True
    done = at(monkeypatch, moment, when, swap)
    with pytest.raises(OverwriteError, match="linked directory"):
        made.overwrite(new)
    assert done
    assert state(here.victim) == before


def test_a_name_added_to_the_copy_before_the_write_stops_it(here, monkeypatch):
    made, new = here.create(), here.new
    done = at(
        monkeypatch,
        "rename",
        lambda *args, **kwargs: True,
        lambda: os.link(here.copy / "images.bin", here.top / "second"),
    )
    with pytest.raises(OverwriteError, match="2 hard links"):
        made.overwrite(new)
    assert done
    assert (here.top / "second").read_bytes() == here.data["images.bin"]


def test_a_source_that_changes_during_the_write_is_reported(here, monkeypatch):
    made, new = here.create(), here.new
    done = at(monkeypatch, "pwrite", lambda *args: True, lambda: (here.source / "images.bin").write_bytes(bytes(3000)))
    with pytest.raises(OverwriteError, match=r"source/images\.bin: the source changed"):
        made.overwrite(new)
    assert done


def test_bytes_that_are_not_those_written_are_reported(here, monkeypatch):
    made, new = here.create(), here.new
    done = at(monkeypatch, "listdir", lambda *args: (here.copy / USED).exists(),
              lambda: (here.copy / "images.bin").write_bytes(bytes(3000)))  # fmt: skip
    with pytest.raises(OverwriteError, match="read back"):
        made.overwrite(new)
    assert done


def test_a_folder_that_comes_while_the_copy_is_made_is_not_replaced(here, monkeypatch):
    def come():
        here.copy.mkdir()
        (here.copy / "photographs").write_text("irreplaceable")

    done = at(monkeypatch, "rename", lambda *args, **kwargs: True, come)
    with pytest.raises(OverwriteError):
        here.create()
    assert done
    assert [f.name for f in here.copy.parent.iterdir()] == ["copy"]  # the unfinished copy is gone
    assert [f.name for f in here.copy.iterdir()] == ["photographs"]


def test_a_folder_on_another_device_is_refused(here, monkeypatch):
    made, inode = here.create(), here.copy.parent.stat().st_ino
    monkeypatch.setattr(sandbox, "_identity", lambda s: (s.st_dev + (s.st_ino == inode), s.st_ino))
    with refused(here, "another device than the output directory", monkeypatch):
        made.overwrite(here.new)


def test_of_several_at_the_same_time_one_overwrites(here):
    made, new, wait, found = here.create(), here.new, threading.Barrier(8), []

    def overwriting():
        wait.wait()
        try:
            made.overwrite(new)
            found.append("done")
        except OverwriteError:
            found.append("refused")

    threads = [threading.Thread(target=overwriting) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("done") == 1
    assert len(found) == 8
    assert (here.copy / "images.bin").read_bytes() == new["images.bin"]


# --- kills -----------------------------------------------------------------------------------------------------------

HALF = """
import os, sys, time
from pathlib import Path
from advdyn.degeneration.sandbox import Sandbox
source, copy, run = map(Path, sys.argv[1:])
made, real = Sandbox.create(source, copy, run), os.pwrite
def half(fd, data, at):
    real(fd, data[: len(data) // 2], at)
    print("half", flush=True)
    time.sleep(60)
os.pwrite = half
made.overwrite({name: bytes(len(data)) for name, data in ((f.name, f.read_bytes()) for f in source.iterdir())})
"""

EVERYWHERE = """
import os, signal, sys
from pathlib import Path
from advdyn.degeneration.sandbox import Sandbox, OverwriteError
source, copy, run = map(Path, sys.argv[1:])
NAMES = ("open", "mkdir", "rename", "unlink", "pwrite", "fsync")
real = {name: getattr(os, name) for name in NAMES}
count = 0

def counting(name, kill):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == kill:
            if name == "pwrite":
                real[name](args[0], args[1][: len(args[1]) // 2], args[2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real[name](*args, **kwargs)
    return call

def work(kill):
    for name in NAMES:
        setattr(os, name, counting(name, kill))
    made = Sandbox.create(source, copy, run)
    made.overwrite({f.name: bytes(255 - b for b in f.read_bytes()) for f in source.iterdir()})

Sandbox.create(source, copy, run)
kill, killed = 0, 0
while True:
    kill += 1
    child = os.fork()
    if child == 0:
        work(kill)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed += os.WIFSIGNALED(status)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, status
        break
    if kill % 7 == 0:  # otherwise the next child finds what this one left
        Sandbox.create(source, copy, run).verify()
print(killed)
"""


def python(code, here):
    command = [sys.executable, "-c", code, str(here.source), str(here.copy), str(here.run)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_kill_in_the_middle_of_the_overwrite_leaves_all_else_as_it_was(here):
    before = state(here.top, [here.copy.parent])
    before.pop(str(here.copy.parent.parent))  # its list of names grows by the sandbox
    child = python(HALF, here)
    assert child.stdout.readline() == "half\n", child.stderr.read()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    half = {name: (here.copy / name).read_bytes() for name in here.data}
    assert any(0 < sum(a != b for a, b in zip(half[n], here.data[n], strict=True)) < len(half[n]) for n in half)
    assert (here.copy / USED).exists()  # used up before the first byte changed
    assert not (here.copy / MARKER).exists()
    after = state(here.top, [here.copy.parent])
    after.pop(str(here.copy.parent.parent))
    assert after == before
    made = here.create()
    assert {name: (here.copy / name).read_bytes() for name in here.data} == here.data
    made.overwrite(here.new)
    assert {name: (here.copy / name).read_bytes() for name in here.data} == here.new


def test_a_kill_at_any_call_of_the_system_leaves_all_else_as_it_was(here):
    before = state(here.top, [here.copy.parent])
    before.pop(str(here.copy.parent.parent))
    child = python(EVERYWHERE, here)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert int(out) > 40
    after = state(here.top, [here.copy.parent])
    after.pop(str(here.copy.parent.parent))
    assert after == before
    left = [f.name for f in here.copy.parent.iterdir() if f != here.copy]
    assert all(name.startswith(".copy.") and name.endswith(".part") for name in left)  # swept by make clean-stale
    assert (here.copy / "images.bin").read_bytes() == here.new["images.bin"]


# --- the files, and the study ----------------------------------------------------------------------------------------

PIXELS, WIDTH, FIT, TEST = 9, 6, 12, 8


def discriminators(runs=2, feature=False):
    made = Mlps(discriminator_sizes(WIDTH, PIXELS), runs, minibatch_feature=feature, dtype=torch.float32)
    return made.initialise([np.random.default_rng(k) for k in range(runs)]).arrays("discriminator/")


def outputs(passes=(1, 3), fit=FIT, rng=0):
    images = np.random.default_rng(rng).integers(0, 256, (2, 1, len(passes), fit + 2 + TEST, PIXELS), np.uint8)
    part = np.repeat([0, 1, 2], [fit, 2, TEST]).astype(np.int8)
    return xr.Dataset(
        {"image_output": (("sigma", "seed", "passed", "image", "pixel"), images)},
        {"sigma": [0.0, 0.5], "seed": [3], "passed": list(passes), "part": ("image", part)},
    )


def pictures(n=FIT):
    x = np.random.default_rng(5).integers(0, 256, (n, PIXELS)).astype(np.float32) / 255
    y = np.zeros(n, np.int64)
    return Images(x, y, x[:0], y[:0], x[:0], y[:0], (3, 3))


@pytest.fixture
def study(here):
    for file in here.source.iterdir():
        file.unlink()
    weights = discriminators()
    for name, data in zip(export.FILES, export.run(pictures(), weights, outputs(), n_train=FIT), strict=True):
        (here.source / name).write_bytes(data)

    def run(made=None, mode="sandbox", root=0):
        made = {"degenerator": outputs(), "chain": outputs((1, 2, 3), rng=1)} if made is None else made
        return overwrite.run(here.source, here.copy.parent, here.run, made, weights, overwrite=mode, root=root)

    return run


def test_the_files_hold_the_images_and_the_first_discriminator():
    weights = discriminators()
    image, network = export.run(pictures(), weights, outputs(fit=10), n_train=FIT)
    np.testing.assert_array_equal(
        np.frombuffer(image, np.uint8).reshape(-1, PIXELS), np.rint(pictures().x_train[:10] * 255)
    )
    assert export.layout(dict(reversed(weights.items()))) == export.layout(weights)  # a fixed order
    back = export.read(network, export.layout(weights))
    assert set(back) == set(weights)
    for name, values in back.items():
        np.testing.assert_array_equal(values, weights[name][:1])
    with pytest.raises(InputError, match="expected"):
        export.read(network[:-1], export.layout(weights))
    with pytest.raises(InputError, match=r"discriminator/"):
        export.layout({"player/w0": np.zeros(1)})
    with pytest.raises(InputError, match="n_train: found 12"):
        export.run(pictures(5), weights, outputs(), n_train=FIT)


def test_the_copy_is_overwritten_by_the_outputs_of_the_same_images(study, here):
    before = state(here.source)
    found = study()
    expected = outputs()["image_output"].values[0, 0, -1, :FIT]
    assert (here.copy / "images.bin").read_bytes() == expected.tobytes()
    assert state(here.source) == before
    assert found["bytes_overwritten"].equals(found["bytes_present"])
    np.testing.assert_array_equal(
        found["bytes_present"], [FIT * PIXELS, len((here.source / "discriminator.bin").read_bytes())]
    )
    differing = 100 * (np.frombuffer((here.source / "images.bin").read_bytes(), np.uint8) != expected.ravel()).mean()
    assert found["file_bytes_differing"].sel(file="images.bin") == pytest.approx(differing)
    # random bytes: 255/256 of n differ; 5 standard deviations, error rate 6e-7
    n = float(found["bytes_present"].sel(file="discriminator.bin"))
    share = float(found["file_bytes_differing"].sel(file="discriminator.bin")) / 100
    assert abs(share - 255 / 256) < 5 * np.sqrt(255 / 256**2 / n)
    assert found["overwritten_by"] == "degenerator"
    assert found["copies"] == 1
    assert found["verified"] == 1


def test_the_numbers_are_the_same_again_and_say_nothing_of_where_and_when(study, here):
    first = study()
    again = study()
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(study(root=1)["file_bytes_differing"], first["file_bytes_differing"])
    text = str(first.to_dict())
    token = json.loads((here.copy / USED).read_text())["token"]
    assert str(here.top) not in text
    assert token not in text


def test_a_chain_overwrites_a_copy_of_each_copy(study, here):
    found, chain = study(mode="chain"), outputs((1, 2, 3), rng=1)["image_output"].values[0, 0]
    assert found["copies"] == 3
    assert found["overwritten_by"] == "chain"
    before = (here.source / "images.bin").read_bytes()
    for k in range(3):
        folder = here.copy.parent / f"pass-{k + 1}"
        listed = json.loads((folder / MANIFEST).read_text())["files"]
        assert listed["images.bin"]["sha256"] == hashlib.sha256(before).hexdigest()  # a copy of the copy before
        before = (folder / "images.bin").read_bytes()
        assert before == chain[k, :FIT].tobytes()
    study(mode="chain")  # again, over its own
    study(mode="sandbox")


def test_none_writes_nothing(study, here):
    before = state(here.top)
    found = study(mode="none")
    assert state(here.top) == before
    assert found["copies"] == 0
    assert not found["bytes_overwritten"].any()
    assert found["overwritten_by"] == "nothing"
    assert np.isfinite(found["discriminator_accuracy"].sel(when="before"))
    assert np.isnan(found["discriminator_accuracy"].sel(when="after"))


def test_a_chain_of_copies_without_a_chain_overwrites_nothing_and_says_so(study, here, caplog):
    before = state(here.top)
    with caplog.at_level("WARNING"):
        found = study({"degenerator": outputs()}, mode="chain")
    assert "no run of kind chain: nothing is overwritten" in caplog.text
    assert state(here.top) == before
    assert found["overwritten_by"] == "nothing"
    assert found["copies"] == 0


def test_the_source_is_compared_with_itself_and_undecided_logits_are_counted(study):
    found = study()
    assert (found["source_differing"] == 0).all()
    assert found["source_unchanged"] == 1
    assert 0 <= float(found["discriminator_undecided"]) <= 1
    assert json.loads(str(found["overwritten_run"].item()))["sigma"] == float(outputs()["sigma"][0])


def test_runs_and_files_that_do_not_belong_together_are_refused(study, here):
    with pytest.raises(InputError, match="outputs of only"):
        study({"degenerator": outputs(fit=5)})
    assert not here.copy.exists()


def test_accuracy_counts_what_is_undecided_one_half():
    weights = {name: np.zeros_like(values[:1]) for name, values in discriminators(1).items()}
    low, high = np.full((5, PIXELS), 10, np.uint8), np.full((7, PIXELS), 250, np.uint8)
    assert overwrite.accuracy(weights, high, low) == 0.5
    for layer in range(3):
        weights[f"discriminator/w{layer}"][:] = 1
    weights["discriminator/b2"][:] = -np.float32(PIXELS * WIDTH * (WIDTH // 2) / 2)  # bright is noise
    assert overwrite.accuracy(weights, high, low) == 1.0
    assert overwrite.accuracy(weights, low, high) == 0.0
    assert overwrite.accuracy(weights, high, high) == 0.5
    weights["discriminator/w0"][:] = np.nan
    assert overwrite.accuracy(weights, high, low) == 0.5


def test_the_discriminator_sees_minibatches_if_it_has_the_feature():
    weights = discriminators(1, feature=True)
    rng = np.random.default_rng(0)
    noise, images = rng.integers(0, 256, (130, PIXELS), np.uint8), rng.integers(0, 99, (130, PIXELS), np.uint8)
    assert 0 <= overwrite.accuracy(weights, noise, images) <= 1
