"""Every kind of bad input: exit code 2, a message that names the field, no traceback."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from archsim.api.map import map_network
from archsim.config.load import MAX_YAML_BYTES
from tests.cli.conftest import Run
from tests.refusals import command_refused


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("chip.crossbar.rows=0", "out-of-range", ("chip.crossbar.rows = 0", "1")),
        ("chip.crossbar.rows=-128", "out-of-range", ("chip.crossbar.rows = -128", "1")),
        ("chip.crossbar.cols=0", "out-of-range", ("chip.crossbar.cols = 0", "1")),
        ("chip.crossbar.rows=8192", "out-of-range", ("chip.crossbar.rows = 8192", "4096")),
        (
            "chip.crossbar.cols=100",
            "conflict",
            (
                "cols = 100",
                "mux_ratio",
                "8",
            ),
        ),
        ("chip.precision.bits_per_cell=3", "conflict", ("chip.precision", "weight_bits = 8")),
        (
            "chip.precision.bits_per_cell=8",
            "conflict",
            ("chip.precision.bits_per_cell = 8", "1 to 4"),
        ),
        ("chip.hierarchy.copies=0", "out-of-range", ("chip.hierarchy.copies = 0", "1")),
        (
            "chip.digital.mac_units=9999999999999999999999",
            "out-of-range",
            ("chip.digital.mac_units", "16777216"),
        ),
        ("tsb.channels=0", "out-of-range", ("tsb.channels = 0", "1")),
        ("tsb.channels=1.5", "wrong-type", ("tsb.channels = 1.5", "integer")),
        ("device.r_on=-5", "out-of-range", ("device.r_on", "-5.0")),
        ("device.r_on=1e9", "conflict", ("r_on", "r_off")),
        ("device.pulse_width.unit=V", "unknown-name", ("device.pulse_width", "'V'", "ns")),
        (
            "chip.programming.last_layers=5",
            "out-of-range",
            ("chip.programming.last_layers = 5", "4"),
        ),
        ("tsb.insertion=pattern:", "wrong-type", ("tsb.insertion = {'pattern'", "quotes")),
        ("chip.adc.bitz=6", "unknown-key", ("'bitz'", "'bits'")),
        ("chip.adc.kind=falsh", "unknown-name", ("chip.adc.kind = 'falsh'", "flash-current")),
        ("chip.device=rrram", "unknown-name", ("'rrram'", "'rram'")),
        ("chip.adc.bits", "wrong-form", ("'chip.adc.bits'",)),
        ("chip.adc.bits=[", "wrong-form", ("'['",)),
        ("chp.adc.bits=6", "unknown-key", ("'chp'", "'chip'")),
    ],
)
def test_wrong_settings(run: Run, setting: str, code: str, words: tuple[str, ...]) -> None:
    command_refused(run("map", "vgg8", "--design", "common", "--set", setting), *words, code=code)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("map", "vgg9"), "unknown-name", ("'vgg9'", "'vgg8'", "resnet18")),
        (("compare", "lenet3", "resnet19"), "unknown-name", ("'resnet19'", "resnet18")),
        (("map", "no_such_module:f"), "call-failed", ("'no_such_module'", "PYTHONPATH")),
        (
            ("map", "math:no_such_function"),
            "unknown-name",
            (
                "'math'",
                "'no_such_function'",
            ),
        ),
        (
            ("map", "math:pi"),
            "unknown-name",
            (
                "'math'",
                "'pi'",
            ),
        ),
        (("map", "model.onnx"), "missing-file", ("'model.onnx'",)),
        (("program", "model.onnx"), "unsupported", ("PyTorch", "package.module:function")),
        (("map", "--chip", "rram-23nm"), "unknown-name", ("'rram-23nm'", "'rram-22nm'")),
        (("map", "--chip", "nowhere.yaml"), "missing-file", ("'nowhere.yaml'",)),
        (("map", "--device", "rrram"), "unknown-name", ("'rrram'", "'rram'")),
        (("map", "--device", "stt-mram"), "conflict", ("chip.precision.bits_per_cell = 2", "1")),
        (("map", "--technology", "21nm"), "unknown-name", ("'21nm'", "22nm-lstp")),
        (("map", "--tsb", "papre"), "unknown-name", ("'papre'", "'paper'")),
        (
            ("map", "--input-shape", "3,wide,32"),
            "wrong-form",
            ("--input-shape", "3,wide,32", "3,32,32"),
        ),
        (
            ("map", "--input-shape", "0,32,32"),
            "wrong-form",
            ("--input-shape", "0,32,32", "3,32,32"),
        ),
        (("map", "--input-shape", "2,3,32,32"), "unsupported", ("2", "3,32,32")),
        (("map", "--input-shape", "3,4,4"), "out-of-range", ("8",)),
        (("map", "--plot", "plan.gif"), "wrong-form", ("--plot", "plan.gif", ".png")),
        (("validate", "--reference", "nowhere"), "cannot-read", ("nowhere",)),
    ],
)
def test_wrong_names_and_options(
    run: Run, arguments: tuple[str, ...], code: str, words: tuple[str, ...]
) -> None:
    command_refused(run(*arguments), *words, code=code)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("map", "--design", "comon"), ("'none', 'common', 'separate'",)),
        (("compare", "--design", "shared"), ("'none', 'common', 'separate'",)),
        (("map", "--format", "xml"), ("'table', 'json', 'csv'",)),
        (("list", "chip"), ("networks", "chips", "studies")),
        (("schema", "chips"), ("'chip', 'device', 'macro', 'technology', 'tsb'",)),
        (("map", "vgg8", "lenet3"), ("lenet3",)),
        (("map", "--nonsense"), ("--nonsense",)),
        (("mapp",), ("mapp", "map")),
    ],
)
def test_usage_errors(run: Run, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    flat = " ".join(done.stderr.replace("│", " ").split())
    for word in words:
        assert word in flat, done.stderr


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("name: [", "damaged-file", ("mine.yaml",)),
        ("- 1\n- 2", "wrong-type", ("list", "mapping")),
        ("name: a\nname: b", "damaged-file", ("'name'",)),
        ("extends: rram-22nm\nx: &a 1\ny: *a", "damaged-file", ("anchors", "aliases")),
        ("extends: rram-23nm", "unknown-name", ("'rram-23nm'", "'rram-22nm'")),
        ("extends: mine.yaml", "conflict", ("mine.yaml",)),
        (
            "extends: rram-22nm\nadcs: {}",
            "unknown-key",
            ("chip.adcs", "'adc'"),
        ),
        (
            "extends: rram-22nm\nread: {access_voltage: {value: 1, unit: ns, source: nowhere}}",
            "unknown-name",
            ("chip.read.access_voltage", "'ns'", "V,", "mV"),
        ),
    ],
)
def test_wrong_yaml(run: Run, tmp_path: Path, text: str, code: str, words: tuple[str, ...]) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    command_refused(run("map", "--chip", "mine.yaml"), *words, code=code)


def test_unreadable_and_huge_yaml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00name")
    command_refused(run("map", "--chip", "bytes.yaml"), "bytes.yaml", code="cannot-read")
    (tmp_path / "huge.yaml").write_text("# " + MAX_YAML_BYTES * "x")
    command_refused(
        run("map", "--chip", "huge.yaml"), "huge.yaml", f"{MAX_YAML_BYTES}", code="out-of-range"
    )


_MODELS = """
    import torch
    from torch import nn

    class Distances(nn.Linear):
        def forward(self, x):
            return torch.cdist(x, self.weight)

    def unknown():
        return nn.Sequential(nn.Linear(8, 4), Distances(4, 5))

    def nothing():
        return nn.Sequential(nn.ReLU())

    def plain():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

    def linear():
        return nn.Sequential(nn.Linear(8, 4))

    def text():
        return "a network"

    def broken():
        raise RuntimeError("out of ideas")
"""


@pytest.mark.parametrize(
    ("function", "options", "code", "words"),
    [
        ("unknown", ("--input-shape", "7,8"), "unsupported-operator", ("cdist", "'1.weight'")),
        ("plain", ("--input-shape", "x=3,8,8"), "unknown-name", ("'x'", "input")),
        (
            "plain",
            ("--input-shape", "3,8,8", "--input-dtype", "int3"),
            "unknown-name",
            (
                "--input-dtype",
                "int3",
            ),
        ),
        (
            "plain",
            ("--input-shape", "3,8,8", "--input-shape", "3,8,8"),
            "wrong-form",
            ("NAME=3,32,32,",),
        ),
        ("nothing", ("--input-shape", "3,8,8"), "empty", ("convolution", "linear")),
        ("plain", (), "missing-key", ("input",)),
        (
            "plain",
            ("--input-shape", "4,8,8"),
            "call-failed",
            (
                "(1",
                "4",
                "8",
                "8)",
            ),
        ),
        ("linear", ("--input-shape", "8", "--design", "common"), "empty", ("TSB",)),
        ("text", ("--input-shape", "3,8,8"), "wrong-type", ("nn.Module",)),
        ("broken", ("--input-shape", "3,8,8"), "call-failed", ("RuntimeError",)),
    ],
)
def test_models_that_cannot_be_mapped(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    options: tuple[str, ...],
    code: str,
    words: tuple[str, ...],
) -> None:
    (tmp_path / "models_of_a_user.py").write_text(textwrap.dedent(_MODELS))
    monkeypatch.syspath_prepend(tmp_path)
    command_refused(run("map", f"models_of_a_user:{function}", *options), *words, code=code)


def test_a_model_of_the_user_is_mapped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models_of_a_user.py").write_text(textwrap.dedent(_MODELS))
    monkeypatch.syspath_prepend(tmp_path)
    done = run("map", "models_of_a_user:plain", "--input-shape", "3,8,8", "--design", "separate")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("plain, design separate")


@pytest.mark.parametrize("command", ["map lenet3", "compare lenet3", "list tsb", "schema tsb"])
@pytest.mark.parametrize(
    ("out", "code"),
    [("folder", "cannot-write"), ("no/such/place.txt", "missing-file"), ("file/x", "missing-file")],
)
def test_out_that_cannot_be_written(
    run: Run, tmp_path: Path, command: str, out: str, code: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    command_refused(run(*command.split(), "--out", out), out, code=code)


def test_debug_shows_the_traceback_and_keeps_the_exit_code(run: Run) -> None:
    done = run("map", "vgg9", "--debug")
    assert done.exit_code == 2
    assert "Traceback" in done.stderr
    assert "NetworkError" in done.stderr
    assert "error: unknown network 'vgg9'" in done.stderr


def _break(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("archsim.api.map.map_network", fail)


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_is_one_message_and_exit_code_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    _break(monkeypatch, ZeroDivisionError("by zero"))
    done = run("map", *(["--debug"] if debug else []))
    assert done.exit_code == 1
    assert "error: internal error, ZeroDivisionError: by zero" in done.stderr
    assert "--debug" in done.stderr
    assert ("Traceback" in done.stderr) is debug


def test_interrupt_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, KeyboardInterrupt())
    done = run("map")
    assert done.exit_code == 130
    assert done.output == ""


def test_warnings_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    original = map_network

    def warn(*arguments: object, **options: object) -> object:
        warnings.simplefilter("always")
        warnings.warn("the model was traced in another way", UserWarning, stacklevel=1)
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("archsim.api.map.map_network", warn)
    done = run("map", "lenet3")
    assert done.exit_code == 0
    assert done.stderr == "warning: the model was traced in another way\n"


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63])
@pytest.mark.parametrize(
    "arguments",
    [
        ("map", "lenet3", "--uncertainty"),
        ("map", "lenet3"),
        ("program", "lenet3"),
        ("program", "lenet3", "--checkpoint", "none.safetensors", "--curve", "folder"),
        ("deploy", "lenet3", "--checkpoint", "none.safetensors"),
        ("tune", "none.safetensors", "--method", "tsb"),
        ("evaluate", "none.safetensors"),
        ("evaluate", "folder"),
    ],
)
def test_seeds_out_of_range(run: Run, arguments: tuple[str, ...], seed: int) -> None:
    """Refused before anything is read; beyond 2^32 - 1 seeds would repeat each other."""
    done = run(*arguments, "--seed", seed)
    command_refused(done, f"seed = {seed}", "0 to 4294967295", code="out-of-range")


def test_the_last_seed_of_several_chips(run: Run) -> None:
    several = ("deploy", "lenet3", "--checkpoint", "none.safetensors", "--chips", 3)
    done = run(*several, "--seed", 2**32 - 2)
    command_refused(done, "4294967296", "4294967295", code="out-of-range")
    done = run(*several, "--seed", 2**32 - 3)
    command_refused(done, "none.safetensors", code="cannot-read")


@pytest.mark.parametrize(
    ("seed", "words"),
    [(-1, ("seeds.0 = -1",)), (42_950, ("4295000007", "8"))],
)
def test_seeds_of_studies(run: Run, seed: int, words: tuple[str, ...]) -> None:
    done = run("train", "tsb-lenet3", "--set", f"study.seeds=[{seed}]", "--set", "study.chips=8")
    command_refused(done, *words, code="out-of-range")
