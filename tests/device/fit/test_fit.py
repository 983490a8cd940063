"""A fit gets known devices back within its own intervals, and refuses what is no measurement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.api.fit import fit_device
from archsim.config.resolve import resolve
from archsim.device.fit import Estimate, Fitted, fit_measurements
from archsim.device.fit import rows as rows_module
from archsim.errors import ArchsimError, Code, DataError
from tests.device.fit.measurements import Known, pulsed

KNOWN = Known()


def holds(estimate: Estimate, truth: float) -> bool:
    """Whether an interval holds a number."""
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def inside(fitted: Fitted, known: Known) -> list[bool]:
    """Whether each interval of a fit holds the known number."""
    found = [
        holds(one, truth)
        for level, mean, sigma in zip(fitted.levels, known.means, known.sigmas, strict=True)
        for one, truth in ((level.mean, mean), (level.sigma, sigma))
    ]
    for key, truth in (
        ("device_to_device_share", known.share),
        ("drift_nu", known.nu),
        ("drift_nu_sigma", known.nu_sigma),
        ("read_noise_sigma", known.read_noise),
        ("stuck_on_rate", known.stuck_on),
        ("stuck_off_rate", known.stuck_off),
    ):
        found.append(holds(fitted.of(key), truth))
    return found


def test_intervals_hold_the_known_device_as_often_as_they_say(tmp_path: Path) -> None:
    """Of 12 devices with 14 numbers each, 95 % intervals hold the truth in 90 to 99.5 %."""
    held: list[bool] = []
    for seed in range(12):
        path = KNOWN.write(tmp_path / "cells.csv", devices=100, cycles=3, seed=seed)
        held += inside(fit_measurements(path), KNOWN)
    assert 0.90 <= sum(held) / len(held) <= 0.995


def test_the_file_is_a_device_with_the_numbers_of_the_fit(tmp_path: Path) -> None:
    """Its range is that of the targets, each of its numbers has the fit as its source."""
    path = KNOWN.write(tmp_path / "cells.csv", devices=60, cycles=2, seed=1)
    fitted = fit_device(path, tmp_path / "mine.yaml")
    device = resolve(chip="rram-22nm-neurosim", device=str(tmp_path / "mine.yaml")).device
    assert device.name == "mine"
    assert device.r_on is not None
    assert device.r_off is not None
    assert 1 / device.r_on.si == pytest.approx(21e-6, rel=1e-5)
    assert 1 / device.r_off.si == pytest.approx(1e-6, rel=1e-5)
    assert device.levels is not None
    for level, measured in zip(device.levels, fitted.levels, strict=True):
        assert level.mean.si == pytest.approx(measured.mean.value, rel=1e-5)
        assert level.sigma.source == "fit of cells.csv"
        assert level.sigma.range is not None
    assert device.write_verify is None
    text = (tmp_path / "mine.yaml").read_text()
    assert "write_verify: null  # not identified: no cell got a second pulse" in text
    assert json.dumps(fitted.to_dict())


def test_shapes_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    """Quantiles of each level, whose middle is its median."""
    path = KNOWN.write(tmp_path / "cells.csv", devices=60, cycles=2, seed=1)
    fit_device(path, tmp_path / "mine.yaml", quantiles=True)
    device = resolve(chip="rram-22nm-neurosim", device=str(tmp_path / "mine.yaml")).device
    assert device.level_shapes is not None
    assert device.level_shapes[2].quantiles.si_values[16] == pytest.approx(0.62, abs=0.03)


def test_write_verify_comes_back(tmp_path: Path) -> None:
    """Gain and spread of a pulse within their intervals, the tolerance between its bounds."""
    path = pulsed(tmp_path / "p.csv", gain=0.3, step=0.02, tolerance=0.03, limit=20, seed=3)
    fitted = fit_device(path, tmp_path / "mine.yaml")
    assert holds(fitted.of("write_verify.step_gain"), 0.3)
    assert holds(fitted.of("write_verify.step_sigma"), 0.02)
    assert fitted.of("write_verify.tolerance").value == pytest.approx(0.03, abs=0.002)
    loop = resolve(
        chip="rram-22nm-neurosim", device=str(tmp_path / "mine.yaml")
    ).device.write_verify
    assert loop is not None
    assert loop.model == "incremental"


def test_a_file_in_pieces_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that a piece ends in are put together again."""
    path = KNOWN.write(tmp_path / "cells.csv", devices=30, cycles=2, seed=2)
    whole = fit_measurements(path)
    monkeypatch.setattr(rows_module, "_BLOCK_BYTES", 1000)
    pieces = fit_measurements(path)
    for one, other in zip(whole.estimates, pieces.estimates, strict=True):
        assert (one.value is None) == (other.value is None)
        if one.value is not None:
            assert other.value == pytest.approx(one.value, rel=1e-9)


HEAD = "device,target_uS,cycle,time_s,measured_uS\n"
GOOD = "a,1,0,1,1.1\na,9,0,1,9\nb,1,0,1,1\nb,9,0,1,8.9\n"


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("device,target,measured_uS\na,1,1\n", "target_uS", Code.MISSING_KEY),
        ("device,target_uS,measured_mho\na,1,1\n", "measured_uS", Code.UNKNOWN_NAME),
        ("device,measured_uS\na,1\n", "level or target", Code.MISSING_KEY),
        ("device,level,target_uS,measured_uS\na,1,1,1\n", "keep one", Code.GIVEN_TWICE),
        (HEAD, "no rows", Code.EMPTY),
        (HEAD + "a,1,0,1,1\nb,1,0,1,1\n", "one level", Code.OUT_OF_RANGE),
        (HEAD + "a,1,0,1,1\na,9,0,1,9\n", "one device", Code.OUT_OF_RANGE),
        (HEAD + GOOD + "c,9,0,1,-0.1\n", "row 6: measured_uS = -0.1", Code.OUT_OF_RANGE),
        (HEAD + GOOD + "c,9,0,1,nan\n", "row 6: measured_uS = nan", Code.NOT_FINITE),
        (HEAD + GOOD + "c,9,0,1,\n", "row 6", Code.NOT_FINITE),
        (HEAD + GOOD + "c,9,0,1,1e301\n", "row 6: measured_uS = 1e+301", Code.OUT_OF_RANGE),
        (HEAD + GOOD + "c,9,0,-1,2\n", "time_s = -1", Code.OUT_OF_RANGE),
        (HEAD + GOOD + "c,9,0.5,1,2\n", "cycle = 0.5", Code.OUT_OF_RANGE),
        (HEAD + GOOD + "c,9,0,1,high\n", "not a table of numbers", Code.DAMAGED_FILE),
        (HEAD + GOOD + "a,1,0,1,1\n", "row 6", Code.CONFLICT),
        (HEAD + GOOD + "c,1,0,5,1\nc,1,0,1,1\n", "row 7", Code.CONFLICT),
        ("", "", Code.DAMAGED_FILE),
    ],
)
def test_what_is_no_measurement_is_refused(
    tmp_path: Path, text: str, said: str, code: Code
) -> None:
    """The row, the column, the value and what is allowed."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError) as raised:
        fit_measurements(path)
    assert said in str(raised.value)
    assert raised.value.problems[0].code is code


def test_temperatures_are_chosen_among(tmp_path: Path) -> None:
    """No law of temperature: several are refused, and one of them is taken."""
    path = tmp_path / "hot.csv"
    rows = [
        f"{cell},{level},{cycle},{kelvin},{1 + level + 0.1 * (cell % 3)}"
        for cell in range(4)
        for level in (0, 8)
        for cycle, kelvin in enumerate((300, 360))
    ]
    path.write_text("\n".join(["device,target_uS,cycle,temperature_K,measured_uS", *rows]))
    with pytest.raises(DataError, match="--temperature"):
        fit_measurements(path)
    assert fit_measurements(path, temperature_K=360.0).rows == 8


def test_other_files_are_not_written_over(tmp_path: Path) -> None:
    """A device file of a person stays; that of a fit is replaced."""
    path = KNOWN.write(tmp_path / "cells.csv", devices=40, cycles=2, seed=2)
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: rram\n")
    with pytest.raises(ArchsimError) as raised:
        fit_device(path, mine)
    assert raised.value.problems[0].code is Code.IN_THE_WAY
    assert mine.read_text() == "extends: rram\n"
    fit_device(path, tmp_path / "new.yaml")
    fit_device(path, tmp_path / "new.yaml")


def test_two_cells_give_numbers_without_intervals(tmp_path: Path) -> None:
    """Without one of two cells there is no variance between cells: the interval is unknown."""
    path, out = tmp_path / "two.csv", tmp_path / "two.yaml"
    path.write_text(
        "device,level,measured_uS\n"
        "a,0,1.1\na,0,1.2\na,1,20\na,1,21\nb,0,1.3\nb,0,1.0\nb,1,19\nb,1,22\n"
    )
    fitted = fit_device(path, out=out, like="rram")
    assert all(one.sigma.value is not None and one.sigma.low is None for one in fitted.levels)
    assert "nan" not in out.read_text().split("levels:")[1]
