"""The wheel: what is in it, and that it works from any folder."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from archsim.util.paths import configs_dir
from tests.house.helpers import ROOT, run_python

_PRESETS = sorted(
    str(file.relative_to(configs_dir()))
    for ending in ("yaml", "csv")
    for file in configs_dir().glob(f"*/*.{ending}")
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of this checkout: building in place would leave files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = ("archsim", "mapping", "tsb", "reports", "configs")
    source.mkdir()
    for name in (*tracked, "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-R", str(ROOT / name), str(source)], check=True)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    return next(folder.glob("archsim-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    _pip("install", "--no-deps", "--target", str(target), str(wheel))
    return target


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A working directory with folders of its own that are called like ours."""
    for name in ("configs/chip", "reports", "tests", "archsim"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "configs/chip/mine.yaml").write_text("name: mine\n")
    return tmp_path


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-index"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyproject_lists_every_package() -> None:
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for package in ("archsim", "mapping", "tsb", "reports")
        for init in (ROOT / package).rglob("__init__.py")
    }
    assert listed - {"archsim._configs"} == found, (
        "correct tool.setuptools.packages in pyproject.toml"
    )


def test_every_folder_with_modules_is_a_package() -> None:
    bare = {
        module.parent
        for package in ("archsim", "mapping", "tsb", "reports")
        for module in (ROOT / package).rglob("*.py")
        if not (module.parent / "__init__.py").is_file()
    }
    assert bare == set()


@pytest.mark.slow
def test_wheel_holds_our_packages_the_presets_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"archsim", "mapping", "reports", "tsb"}
    shipped = [name.removeprefix("archsim/_configs/") for name in names if "/_configs/" in name]
    assert sorted(shipped) == _PRESETS
    assert any(name.endswith("/LICENSE") for name in names)


@pytest.mark.slow
def test_installed_wheel_finds_its_presets(installed: Path, crowded: Path) -> None:
    code = "from archsim.util.paths import configs_dir; print(configs_dir())"
    done = run_python("-c", code, cwd=crowded, path=installed)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder == installed / "archsim" / "_configs"
    found = sorted(
        str(file.relative_to(folder))
        for ending in ("yaml", "csv")
        for file in folder.glob(f"*/*.{ending}")
    )
    assert found == _PRESETS
    assert any(name.startswith("chip/") for name in found)


@pytest.mark.slow
def test_installed_wheel_imports_its_own_packages(installed: Path, crowded: Path) -> None:
    code = "import mapping, reports, tsb; print(mapping.__file__, reports.__file__, tsb.__file__)"
    done = run_python("-c", code, cwd=crowded, path=installed)
    assert done.returncode == 0, done.stderr
    expected = [str(installed / name / "__init__.py") for name in ("mapping", "reports", "tsb")]
    assert done.stdout.split() == expected


@pytest.mark.slow
def test_installed_command_runs_among_files_called_like_ours(
    installed: Path, crowded: Path
) -> None:
    """The console script does not look in the working directory: even mapping.py does no harm."""
    command = installed / "bin" / "archsim"
    if not command.is_file():
        pytest.fail("the wheel installed no `archsim` command")
    (crowded / "mapping.py").write_text("raise SystemExit('the user file ran')\n")
    done = run_python(
        str(command), "map", "lenet3", "--format", "json", cwd=crowded, path=installed
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r'"network":\s*"lenet3"', done.stdout)
