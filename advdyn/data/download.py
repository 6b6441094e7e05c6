"""Fetch the four MNIST files from public mirrors, each checked against its known sha256.

pooch keeps the cache and checks the files; how the bytes are fetched is our own, because pooch does not continue a
download that broke off.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pooch
import requests
from urllib3.exceptions import HTTPError as StreamError

from advdyn.data.errors import DataError
from advdyn.data.files import PUBLISHED, SHA256
from advdyn.logs import log

TIMEOUT = 30.0  # seconds to connect, and between two pieces of data
ATTEMPTS = 3  # tries at one mirror, each continuing the one before; the next mirror then continues too
CHUNK = 1 << 16


def fetch(
    folder: str | Path,
    mirrors: Sequence[str],
    timeout: float = TIMEOUT,
    sha256: Mapping[str, str] = SHA256,
) -> dict[str, str]:
    """Have the four files in a folder, downloading those that are not there yet.

    A download that breaks off leaves a ``.part`` file, which the next try, mirror or run continues.

    Parameters
    ----------
    folder
        Where the files are kept, under the names of ``advdyn.data.files.PUBLISHED``.
    mirrors
        Addresses of folders that publish them, tried in this order for each file.
    timeout
        Seconds to wait for a connection, and for the next piece of data.
    sha256
        The checksum of each file, under the keys of ``PUBLISHED``; only these files are fetched.

    Returns
    -------
    dict
        The paths under the same keys.

    Raises
    ------
    DataError
        When no mirror has a file; the message says what failed at each mirror, and which other sources there are.
    """
    return {key: _fetch_one(Path(folder), PUBLISHED[key], known, mirrors, timeout) for key, known in sha256.items()}


def _fetch_one(folder: Path, name: str, known: str, mirrors: Sequence[str], timeout: float) -> str:
    failed = []
    for mirror in mirrors:
        try:
            return _from_mirror(f"{mirror.rstrip('/')}/{name}", folder, name, known, timeout)
        except (requests.RequestException, ValueError, _BrokenOffError) as error:
            failed.append(f"{mirror}: {_reason(error)}")
            log.info("%s not fetched from %s", name, failed[-1])
    raise DataError(
        f"{name} could not be downloaded ({'; '.join(failed) or 'no mirror is given'}); use another source of images: "
        "`bundled` (5,000 images, nothing to download) or `directory` (a folder with your own copy of the four files)"
    )


def _from_mirror(url: str, folder: Path, name: str, known: str, timeout: float) -> str:
    get = _Resuming(folder / f"{name}.part", timeout)
    attempts = ATTEMPTS
    while True:
        attempts -= 1
        try:
            return str(pooch.retrieve(url, f"sha256:{known}", fname=name, path=folder, downloader=get))
        except _BrokenOffError:
            if not (attempts and get.progressed):
                raise
        except ValueError:
            # The checksum. When the beginning came from elsewhere, this mirror may still have the right file.
            if not (attempts and get.resumed):
                raise


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, ValueError) and "hash" in str(error).lower():
        return "wrong checksum"
    return " ".join(str(error).split())


class _BrokenOffError(Exception):
    """A transfer ended before the whole file had come."""


class _Resuming:
    """A downloader for pooch that continues the file ``part`` where the server can (HTTP Range, RFC 9110).

    After a call, ``resumed`` says whether it continued an older part, ``progressed`` whether it got any data.
    """

    def __init__(self, part: Path, timeout: float) -> None:
        self.part, self.timeout = part, timeout
        self.resumed = self.progressed = False

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:  # noqa: ARG002  (the signature is pooch's)
        had = self.part.stat().st_size if self.part.exists() else 0
        self.resumed = self.progressed = False
        # identity: a server or proxy that compresses on the way would give other bytes and lengths.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
            if response.status_code == 416:  # the part is as long as the file, or longer: of no use
                self.part.unlink()
                self.progressed = True
                raise _BrokenOffError("has no more data for the part at hand")
            response.raise_for_status()
            span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            self.resumed = response.status_code == 206 and span is not None and int(span[1]) == had
            if response.status_code == 206 and not self.resumed:
                self.part.unlink(missing_ok=True)
                self.progressed = True
                raise _BrokenOffError("sent another range than asked for")
            got = 0
            with self.part.open("ab" if self.resumed else "wb") as file:
                try:
                    # Undecoded: requests would unpack a .gz file that the server calls gzip-encoded.
                    for chunk in response.raw.stream(CHUNK, decode_content=False):
                        file.write(chunk)
                        got += len(chunk)
                        self.progressed = True
                except StreamError as error:
                    raise _BrokenOffError(f"broke off after {got} bytes") from error
            length = response.headers.get("Content-Length")
            if length is not None and got < int(length):
                raise _BrokenOffError(f"broke off after {got} of {length} bytes")
        os.replace(self.part, output_file)
