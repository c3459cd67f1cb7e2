"""The data folder: who may hold it, and what it refuses."""

from pathlib import Path

import pytest

from pnl.datafolder import DataFolder, FolderLock
from pnl.errors import CheckFailed, UserError


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Return a new data folder."""
    found = DataFolder(tmp_path / "data")
    found.prepare()
    return found


def test_one_holds_the_folder_until_released(folder: DataFolder) -> None:
    """A second hold is refused while the first lasts, and says who has it."""
    with FolderLock(folder, "pnl run") as first, FolderLock(folder, "pnl import") as second:
        assert first.take()
        assert not second.take()
        assert second.holder().startswith("pnl run (process ")
        first.release()
        assert second.take()


def test_the_folder_is_nobody_elses_to_read(folder: DataFolder) -> None:
    """Only its owner may look in."""
    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_folder_without_data_is_refused_for_reading(tmp_path: Path) -> None:
    """A command that only reads creates nothing and says what to do."""
    with pytest.raises(UserError, match="start with `pnl demo` or `pnl import`"):
        DataFolder(tmp_path / "none").check()
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The sentence names the option."""
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(UserError, match="is no folder; --data names"):
        DataFolder(tmp_path / "file").prepare()


def test_another_format_is_refused(folder: DataFolder) -> None:
    """A folder of a later program is never guessed at."""
    folder.marker.write_text('{"format": 2}', "utf-8")
    with pytest.raises(CheckFailed, match="has format 2, this program reads format 1"):
        folder.prepare()


def test_a_changed_policy_is_noticed_once(folder: DataFolder) -> None:
    """The first policy is no change; another one is, once."""
    assert [folder.record_policy(v) for v in ("a", "a", "b", "b")] == [False, False, True, False]
    assert folder.policy == "b"
