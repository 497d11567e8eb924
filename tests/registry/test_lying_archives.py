"""Archives with false sizes and offsets: the member or archive is refused, in little memory."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctsync.errors import BadArchive, BadRecord
from ctsync.registry.archive import Archive, Member, read_member
from tests.registry.lying_archives import (
    END_LIES,
    HUGE,
    MEMBER_LIES,
    lie_of_a_member,
    lie_of_the_end,
    rewrite,
)

STUDIES = {f"0{n}/NCT{n:08}.json": b'{"study": %d}' % n * 20 for n in range(1, 6)}
MOST_MEMORY = 4 * 2**20
"""A megabyte for the buffers, and some for the test itself. The archives have 2 KiB."""


def packed(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, study in STUDIES.items():
            archive.writestr(name, study)
    return content.getvalue()


SOUND = packed()


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if the block takes more than MOST_MEMORY at any moment."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak:,} bytes"


def read(file: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return what each member holds, and why the others could not be read."""
    held: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    archive = Archive(file)
    with file.open("rb") as stream:
        for member in archive.members():
            try:
                held[member.nct_id] = read_member(stream, member)
            except BadRecord as error:
                refused[member.nct_id] = str(error)
    return held, refused


@pytest.mark.parametrize("lie", MEMBER_LIES, ids=str)
def test_a_member_that_lies_is_refused_and_the_others_are_read(
    lie: Mapping[str, int], tmp_path: Path
) -> None:
    file = rewrite(tmp_path / "a.zip", lie_of_a_member(SOUND, 2, **lie))
    with little_memory():
        held, refused = read(file)
    assert list(refused) == ["NCT00000003"]
    assert refused["NCT00000003"].startswith("a member ")
    assert held == {name[3:14]: s for name, s in STUDIES.items() if "0003" not in name}


@pytest.mark.parametrize("lie", END_LIES, ids=str)
def test_an_archive_that_lies_about_its_directory_is_refused_by_name(
    lie: Mapping[str, int], tmp_path: Path
) -> None:
    file = rewrite(tmp_path / "a.zip", lie_of_the_end(SOUND, **lie))
    with little_memory(), pytest.raises(BadArchive, match=r"a\.zip"):
        Archive(file)


def test_no_archive_that_lies_loses_a_study_or_gives_a_wrong_one(tmp_path: Path) -> None:
    lies = [lie_of_a_member(SOUND, 2, **lie) for lie in MEMBER_LIES]
    lies += [lie_of_the_end(SOUND, **lie) for lie in END_LIES]
    truth = {name[3:14]: study for name, study in STUDIES.items()}
    lost = wrong = 0
    for content in lies:
        try:
            held, refused = read(rewrite(tmp_path / "a.zip", content))
        except BadArchive:
            continue  # all of it is refused, by its name
        lost += len(truth.keys() - held.keys() - refused.keys())
        wrong += sum(study != truth.get(nct_id) for nct_id, study in held.items())
    print(f"zips: {len(lies)} attacks, {lost} lost, {wrong} stored wrongly")
    assert (lost, wrong) == (0, 0)
    assert len(lies) >= 13


def test_the_same_archives_without_a_lie_are_read(tmp_path: Path) -> None:
    true = {"size": len(STUDIES["01/NCT00000001.json"]), "offset": 0}
    for content in (lie_of_the_end(SOUND), lie_of_a_member(SOUND, 0, **true)):
        held, refused = read(rewrite(tmp_path / "a.zip", content))
        assert (len(held), refused) == (5, {})


@pytest.mark.slow
@given(
    st.builds(
        Member,
        st.just(0),
        st.just("NCT00000001"),
        *(st.integers(0, 2**64 - 1) | st.integers(0, 3000) for _ in range(3)),
        st.integers(0, 2**32 - 1),
        st.sampled_from([0, 8, 9]),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_numbers_of_a_member_are_read_or_refused_in_little_memory(member: Member) -> None:
    with little_memory(), suppress(BadRecord):
        read_member(BytesIO(SOUND), member)


DAMAGE = st.lists(
    st.tuples(
        st.integers(0, len(SOUND) + 97),
        st.sampled_from([1, 2, 4, 8]),
        st.sampled_from([0, 1, 2**16 - 1, 2**32 - 1, *HUGE]) | st.integers(0, 2**64 - 1),
    ),
    min_size=1,
    max_size=4,
)


def check_damaged(file: Path, content: bytes, damage: list[tuple[int, int, int]]) -> None:
    damaged = bytearray(content)
    for place, width, value in damage:
        at = place % len(damaged)
        damaged[at : at + width] = (value % 256**width).to_bytes(width, "little")
    rewrite(file, bytes(damaged))
    held: dict[str, bytes] = {}
    with little_memory(), suppress(BadArchive):
        held, _ = read(file)
    assert set(held.values()) <= {*STUDIES.values()}


@given(damage=DAMAGE, wide=st.booleans())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_archive_is_refused_or_read_in_little_memory(
    tmp_path: Path, damage: list[tuple[int, int, int]], wide: bool
) -> None:
    check_damaged(tmp_path / "a.zip", lie_of_the_end(SOUND) if wide else SOUND, damage)


def test_a_member_whose_sizes_and_checksum_became_zero_is_refused(tmp_path: Path) -> None:
    check_damaged(tmp_path / "a.zip", SOUND, [(469, 8, 0), (477, 8, 0)])


@pytest.mark.slow
@given(damage=DAMAGE, wide=st.booleans())
@settings(
    max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_thousands_of_damaged_archives_are_refused_or_read_in_little_memory(
    tmp_path: Path, damage: list[tuple[int, int, int]], wide: bool
) -> None:
    check_damaged(tmp_path / "a.zip", lie_of_the_end(SOUND) if wide else SOUND, damage)
