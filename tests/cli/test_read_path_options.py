"""--read-path of sweeps: the last word on how accuracies are read, and nothing without any."""

from __future__ import annotations

from archsim.cli.study_options import sweep_read_path
from archsim.config.sweep import load_sweep
from archsim.errors import Code, ConfigError
from tests.refusals import refused


def test_the_option_is_the_last_setting_of_a_sweep_with_accuracies() -> None:
    asked = load_sweep("adc-bits-lenet3", (), ())
    said = sweep_read_path(asked, ["sweep.accuracy.read_path=exact"], "off")
    assert load_sweep("adc-bits-lenet3", said, ()).accuracy.read_path == "off"
    assert sweep_read_path(asked, None, None) == []


def test_a_sweep_without_accuracies_reads_nothing() -> None:
    asked = load_sweep("tsb-size-vgg8", (), ())
    with refused(ConfigError, code=Code.CONFLICT, field="--read-path", value="exact"):
        sweep_read_path(asked, None, "exact")
