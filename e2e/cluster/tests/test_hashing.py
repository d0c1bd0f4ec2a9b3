from __future__ import annotations

from pathlib import Path

from e2e.cluster.hashing import of_files, of_values


def test_values_are_told_apart_by_their_borders_and_order() -> None:
    assert of_values(["ab", "c"]) != of_values(["a", "bc"])
    assert of_values(["a", "b"]) != of_values(["b", "a"])
    assert len(of_values([])) == 12


def test_files_count_by_name_content_and_executable_bit(tmp_path: Path) -> None:
    keys = set()

    def key() -> str:
        return of_files([tmp_path / "folder", tmp_path / "file"], tmp_path)

    keys.add(key())  # nothing there yet
    (tmp_path / "file").write_text("one")
    keys.add(key())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("one")
    keys.add(key())
    (tmp_path / "folder" / "x").write_text("two")
    keys.add(key())
    (tmp_path / "folder" / "x").chmod(0o755)
    keys.add(key())
    (tmp_path / "folder" / "x").rename(tmp_path / "folder" / "y")
    keys.add(key())
    assert len(keys) == 6


def test_what_tools_leave_behind_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one")
    before = of_files([tmp_path], tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.cpython-311.pyc").write_text("compiled")
    (tmp_path / "a.pyc").write_text("compiled")
    assert of_files([tmp_path], tmp_path) == before
