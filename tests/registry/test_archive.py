"""The bulk archive: read as Python's zipfile reads it, and refused if damaged."""

from __future__ import annotations

import random
import struct
import zipfile
from pathlib import Path

import pytest

from ctsync.errors import BadArchive, BadRecord
from ctsync.registry.archive import LARGEST_MEMBER, Archive, read_member


def write(file: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    chance = random.Random(1)
    return write(
        tmp_path / "a.zip",
        {f"{n % 100:02}/NCT{n:08}.json": chance.randbytes(50) * 20 for n in range(1, 301)},
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_member_is_read_as_zipfile_reads_it(file: Path, method: int) -> None:
    with zipfile.ZipFile(file) as theirs:
        content = {name: theirs.read(name) for name in theirs.namelist()}
    again = write(file.with_name("b.zip"), content, method)
    archive = Archive(again)
    assert archive.count == 300
    with again.open("rb") as stream:
        found = {m.nct_id: read_member(stream, m) for m in archive.members()}
    assert found == {name[3:14]: data for name, data in content.items()}


def test_folders_and_files_that_are_not_studies_are_skipped_and_not_counted(tmp_path: Path) -> None:
    names = ["35/", "35/NCT02252835.json", "README", "../../NCT00000001.json", "x/NCT1.json",
             "NCT00000000.json", "35/NCT00000002.json/NCT00000003.json"]  # fmt: skip
    archive = Archive(write(tmp_path / "a.zip", dict.fromkeys(names, b"{}")))
    # only the id in a name is used, so a path such as ../.. cannot cause a write there
    assert [m.nct_id for m in archive.members()] == ["NCT02252835", "NCT00000001", "NCT00000003"]
    assert archive.count == 3


def test_members_can_be_read_from_a_given_number_on(file: Path) -> None:
    members = list(Archive(file).members())
    assert [m.number for m in members] == list(range(300))
    assert list(Archive(file).members(250)) == members[250:]


def test_a_truncated_archive_is_refused(file: Path) -> None:
    complete = file.read_bytes()
    chance = random.Random(2)
    lengths = [0, 1, 21, len(complete) - 1, *(chance.randrange(len(complete)) for _ in range(200))]
    refused = 0
    for length in lengths:
        file.write_bytes(complete[:length])
        with pytest.raises(BadArchive, match=r"truncated|damaged"):
            Archive(file)
        refused += 1
    print(f"truncated archives: {len(lengths)} injected, {refused} refused")
    assert refused == len(lengths)


@pytest.mark.slow
def test_a_changed_byte_is_detected_or_harmless(file: Path) -> None:
    original, chance = file.read_bytes(), random.Random(3)
    with file.open("rb") as stream:
        truth = {m.nct_id: read_member(stream, m) for m in Archive(file).members()}
    silent = found = 0
    for _ in range(400):
        damaged = bytearray(original)
        damaged[chance.randrange(len(original))] ^= 0xFF
        file.write_bytes(damaged)
        try:
            archive = Archive(file)
            if archive.count != 300:
                found += 1
                continue
        except BadArchive:
            found += 1
            continue
        with file.open("rb") as stream:
            for member in archive.members():
                try:
                    data = read_member(stream, member)
                except BadRecord:
                    found += 1
                else:
                    # a changed name does not match the study's own id, which its reader refuses
                    silent += data not in (truth.get(member.nct_id), *truth.values())
    print(f"archives with a changed byte: 400 injected, {found} found, {silent} read wrong")
    assert found > 200
    assert silent == 0


def test_a_member_larger_than_declared_or_than_the_limit_is_refused(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.zip", {"01/NCT00000001.json": b" " * (8 * 2**20)})
    with bomb.open("rb") as stream, pytest.raises(BadRecord, match="8388608 bytes"):
        read_member(stream, next(Archive(bomb).members()))
    lies = bytearray(bomb.read_bytes())
    at = lies.rindex(b"PK\1\2")
    struct.pack_into("<I", lies, at + 24, 1000)
    bomb.write_bytes(lies)
    with bomb.open("rb") as stream, pytest.raises(BadRecord, match="checksum"):
        read_member(stream, next(Archive(bomb).members()))
    struct.pack_into("<I", lies, at + 24, LARGEST_MEMBER + 1)
    bomb.write_bytes(lies)
    with bomb.open("rb") as stream, pytest.raises(BadRecord):
        read_member(stream, next(Archive(bomb).members()))


def test_the_zip64_format_is_read_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    content = {f"0{n}/NCT{n:08}.json": bytes([n]) * 700 for n in range(1, 9)}
    file = write(tmp_path / "large.zip", content, zipfile.ZIP_STORED)
    archive = Archive(file)
    with file.open("rb") as stream:
        assert [read_member(stream, m) for m in archive.members()] == list(content.values())


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\5\6" + bytes(17), b"x" * 70_000])
def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "none.zip"
    file.write_bytes(content)
    with pytest.raises(BadArchive):
        Archive(file)
    with pytest.raises(BadArchive, match="cannot be read"):
        Archive(tmp_path / "missing.zip")
