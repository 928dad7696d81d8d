"""Kafka's jars: fetched by Maven from the committed pom.xml, accepted only with the committed checksums.

`python -m local.images.kafka_jars` writes the checksums anew after a change of the pom.
"""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from local.images.errors import ImageError
from local.images.layout import Layout
from local.images.process import Children

_FOLDER: Final = Path(__file__).resolve().parent / "kafka"
_POM: Final = _FOLDER / "pom.xml"
_CHECKSUMS: Final = _FOLDER / "jars.sha256"


def kafka_version() -> str:
    """The version that the pom names."""
    match = re.search(r"<kafka.version>([^<]+)</kafka.version>", _POM.read_text())
    if match is None:
        raise ImageError(f"{_POM} names no kafka.version")
    return match[1]


def jars_key() -> str:
    """Names one set of jars."""
    return hashlib.sha256(_CHECKSUMS.read_bytes()).hexdigest()[:12]


def expected_jars() -> dict[str, str]:
    """File name -> SHA-256 as committed."""
    pairs = (line.split() for line in _CHECKSUMS.read_text().splitlines() if line)
    return {name: digest for digest, name in pairs}


def checksums_of(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 of the jars in a folder."""
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


def verify(folder: Path, expected: dict[str, str]) -> None:
    """Compare a folder of jars with the expected checksums.

    Raises:
        ImageError: a jar is missing, unknown or different; names the first.
    """
    found = checksums_of(folder)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            state = (
                "is missing"
                if name not in found
                else "is not expected"
                if name not in expected
                else "has another SHA-256"
            )
            raise ImageError(
                f"kafka jar {name} {state}: compare {_POM.name} and {_CHECKSUMS.name}, or clear ~/.m2 of it"
            )


def fetch_jars(layout: Layout, children: Children) -> Path:
    """The folder with the verified jars, fetched unless it is there.

    Raises:
        ImageError: Maven is missing or failed, or a checksum differs.
    """
    target = layout.jars(jars_key())
    if target.is_dir():
        return target
    with tempfile.TemporaryDirectory(prefix="jars-", dir=layout.scratch) as scratch:
        folder = Path(scratch) / "jars"
        _download(folder, layout.logs / "kafka-jars.log", children)
        verify(folder, expected_jars())
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.replace(target)
    return target


def _download(folder: Path, log: Path, children: Children) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    command = ["mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "--file", str(_POM), *goal]
    children.run(command, log=log, what="fetching Kafka's jars with Maven", env=os.environ)
    for jar in folder.iterdir():
        # The archive of loaded classes is bound to the jars' times.
        os.utime(jar, (0, 0))
        jar.chmod(0o644)


def main() -> int:
    """Write the checksums of what the pom resolves to now."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "jars"
        try:
            _download(folder, Path(scratch) / "log", Children())
        except ImageError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        _CHECKSUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in checksums_of(folder).items()))
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
