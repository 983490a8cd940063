"""A user's file with the name of one of our packages: a clear refusal, or no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.util import shadow as _shadow
from tests.house.helpers import run_python

_CHECK = "from archsim.util.shadow import check_shadowing; check_shadowing()"


def _hide(folder: Path, package: str, as_folder: bool) -> Path:
    """Write a module or a package called ``package``; returns the path a user would rename."""
    if not as_folder:
        path = folder / f"{package}.py"
        path.write_text("raise SystemExit('the user file ran')\n")
        return path
    path = folder / package
    path.mkdir()
    (path / "__init__.py").write_text("raise SystemExit('the user file ran')\n")
    return path


def _assert_names_file_and_remedy(message: str, path: Path, package: str) -> None:
    """A terminal may break the line anywhere, so white space does not count."""
    flat = "".join(message.split())
    assert str(path) in flat
    assert f"archsim's own package '{package}'".replace(" ", "") in flat
    assert f"Renameormove{path.name}" in flat
    assert "theuserfileran" not in flat


@pytest.mark.parametrize("package", _shadow.PACKAGES)
@pytest.mark.parametrize("as_folder", [False, True])
def test_check_names_the_file_and_what_to_do(package: str, as_folder: bool, tmp_path: Path) -> None:
    path = _hide(tmp_path, package, as_folder)
    done = run_python("-c", _CHECK, cwd=tmp_path)
    assert done.returncode != 0
    _assert_names_file_and_remedy(done.stderr, path, package)
    assert "ShadowedPackageError" in done.stderr


def test_user_module_imported_before_the_check_is_named(tmp_path: Path) -> None:
    (tmp_path / "mapping.py").write_text("x = 1\n")
    done = run_python("-c", f"import mapping; {_CHECK}", cwd=tmp_path)
    _assert_names_file_and_remedy(done.stderr, tmp_path / "mapping.py", "mapping")


def test_script_called_like_a_package_is_named(tmp_path: Path) -> None:
    script = tmp_path / "mapping.py"
    script.write_text(_CHECK + "\n")
    done = run_python(str(script), cwd=tmp_path)
    _assert_names_file_and_remedy(done.stderr, script, "mapping")


def test_folders_without_init_and_configs_do_no_harm(tmp_path: Path) -> None:
    for name in ("reports", "mapping", "configs"):
        (tmp_path / name).mkdir()
    done = run_python("-c", _CHECK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_own_packages_already_imported_pass(tmp_path: Path) -> None:
    done = run_python("-c", f"import mapping, tsb, reports; {_CHECK}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_missing_package_says_install_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shadow, "PACKAGES", ("archsim_has_no_such_package",))
    with pytest.raises(_shadow.ShadowedPackageError, match="install archsim again"):
        _shadow.check_shadowing()


@pytest.mark.parametrize("package", _shadow.PACKAGES)
def test_command_exits_2_without_traceback(package: str, tmp_path: Path) -> None:
    path = _hide(tmp_path, package, as_folder=False)
    done = run_python("-m", "archsim", "map", "lenet3", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    _assert_names_file_and_remedy(done.stderr, path, package)
