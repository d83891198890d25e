import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.adapters.embedded.places import User, open_way, own, run_dir_for, shelter, user_for
from trunkline.errors import SettingsError

SUN_PATH_BYTES_MAX = 107
LONGEST_SOCKET = ".s.PGSQL.5432.lock"


def test_sockets_lie_in_a_plain_data_folder() -> None:
    """Where a path will do, everything of a data folder is in it."""
    assert run_dir_for(Path("/srv/trunkline")) == Path("/srv/trunkline/run")


@given(
    parts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1),
        min_size=1,
    )
)
def test_a_sockets_path_always_fits(parts: list[str]) -> None:
    """Whatever the data folder is called: 107 bytes at most, and nothing to quote."""
    run_dir = run_dir_for(Path("/", *parts))
    assert len(os.fsencode(run_dir / LONGEST_SOCKET)) <= SUN_PATH_BYTES_MAX
    assert not set(str(run_dir)) & set(" '\"\\%?,#@")


def test_two_data_folders_share_no_sockets() -> None:
    """The short folder is one's own."""
    assert run_dir_for(Path("/a b/1")) != run_dir_for(Path("/a b/2"))


def test_a_folder_is_made_ours_alone(tmp_path: Path) -> None:
    """Closed to others from its first moment."""
    own(tmp_path / "new", None)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    own(tmp_path / "new", None)


@pytest.mark.parametrize("kind", ["open", "file", "link"])
def test_a_folder_that_others_could_have_laid_is_refused(tmp_path: Path, kind: str) -> None:
    """A folder of sockets in /tmp may have been made by somebody who waits for ours."""
    at = tmp_path / "at"
    if kind == "open":
        at.mkdir(mode=0o755)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        at.symlink_to(tmp_path / "elsewhere")
    else:
        at.write_text("")
    with pytest.raises((SettingsError, FileExistsError)):
        own(at, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root runs the stores as somebody else")
def test_a_normal_user_runs_them_as_itself(tmp_path: Path) -> None:
    """Nobody is changed to."""
    assert user_for(tmp_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_root_runs_them_as_the_folders_owner_or_nobody(tmp_path: Path) -> None:
    """Never as root."""
    chosen = user_for(tmp_path)
    assert chosen is not None
    assert chosen.name == "nobody"
    own(tmp_path / "data", chosen)
    owner = user_for(tmp_path / "data")
    assert owner == chosen


def test_the_way_to_a_folder_is_opened_or_named(tmp_path: Path) -> None:
    """A closed folder above is not ours to open; it is named, with the remedy."""
    stranger = User(os.geteuid() + 4242, os.getegid() + 4242, "stranger")
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match=f"to whom {tmp_path} is closed"):
        open_way(stranger, data, can_pass=False)
    with pytest.raises(SettingsError, match="is closed"):
        open_way(stranger, data, can_pass=True)  # It belongs to somebody, who should start them.
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_who_passes_closed_folders_is_shut_in(tmp_path: Path) -> None:
    """Another process of nobody's must not reach a server that can read root's files."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    nobody = user_for(data)
    assert nobody is not None
    os.chown(data, nobody.uid, nobody.gid)
    tmp_path.chmod(0o700)
    assert open_way(nobody, data, can_pass=True)
    assert (data.stat().st_uid, data.stat().st_mode & 0o777) == (0, 0o700)


def test_a_shelter_under_tmp_is_ours_and_as_open_as_asked(tmp_path: Path) -> None:
    """Closed for servers that pass closed folders, else to be entered but not read."""
    place = tmp_path / "shelter"
    shelter(place, closed=True)
    assert place.stat().st_mode & 0o777 == 0o700
    shelter(place, closed=False)
    assert place.stat().st_mode & 0o777 == 0o711
    link = tmp_path / "link"
    link.symlink_to(place)
    with pytest.raises(SettingsError, match="made by somebody else"):
        shelter(link, closed=True)
