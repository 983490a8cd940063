"""Every kind of bad input: exit code 2, a message that names the field, no traceback."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from typer.testing import Result

from archsim.api.map import map_network
from archsim.config.load import MAX_YAML_BYTES
from tests.cli.conftest import Run


def _assert_refused(done: Result, *words: str) -> None:
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    flat = " ".join(done.stderr.split())
    for word in words:
        assert word in flat, done.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("chip.crossbar.rows=0", ("chip.crossbar.rows = 0", "greater than or equal to 8")),
        ("chip.crossbar.rows=-128", ("chip.crossbar.rows = -128", "greater than or equal to 8")),
        ("chip.crossbar.cols=4", ("chip.crossbar.cols = 4", "greater than or equal to 8")),
        ("chip.crossbar.rows=4096", ("chip.crossbar.rows = 4096", "less than or equal to 1024")),
        ("chip.crossbar.cols=100", ("cols = 100 is not a multiple of mux_ratio = 8",)),
        ("chip.precision.bits_per_cell=3", ("chip.precision", "does not divide weight_bits = 8")),
        ("chip.precision.bits_per_cell=8", ("chip.precision.bits_per_cell = 8", "1 to 4")),
        ("chip.hierarchy.copies=0", ("chip.hierarchy.copies = 0", "greater than or equal to 1")),
        ("tsb.channels=0", ("tsb.channels = 0", "greater than or equal to 1")),
        ("tsb.channels=1.5", ("tsb.channels = 1.5", "integer")),
        ("device.r_on=-5", ("device.r_on", "-5.0 kohm is too small")),
        ("device.r_on=1e9", ("r_on", "is not below r_off")),
        ("device.pulse_width.unit=V", ("device.pulse_width", "unit 'V' does not fit", "ns")),
        ("chip.programming.last_layers=5", ("chip.programming.last_layers = 5", "equal to 4")),
        ("tsb.insertion=pattern:", ("tsb.insertion = {'pattern': None}: not a text", "in quotes")),
        ("chip.adc.bitz=6", ("unknown key 'bitz'", "Did you mean 'bits'?")),
        ("chip.adc.kind=falsh", ("chip.adc.kind = 'falsh'", "flash-current")),
        ("chip.device=rrram", ("unknown device 'rrram'", "Did you mean 'rram'")),
        ("chip.adc.bits", ("'chip.adc.bits' is not path=value",)),
        ("chip.adc.bits=[", ("'[' is not a YAML value",)),
        ("chp.adc.bits=6", ("unknown key 'chp'", "Did you mean 'chip'?")),
    ],
)
def test_wrong_settings(run: Run, setting: str, words: tuple[str, ...]) -> None:
    _assert_refused(run("map", "vgg8", "--design", "common", "--set", setting), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("map", "vgg9"), ("unknown network 'vgg9'", "Did you mean 'vgg8'?", "resnet18")),
        (("compare", "lenet3", "resnet19"), ("unknown network 'resnet19'", "resnet18")),
        (("map", "no_such_module:f"), ("'no_such_module' cannot be imported", "PYTHONPATH")),
        (("map", "math:no_such_function"), ("'math' has no function 'no_such_function'",)),
        (("map", "math:pi"), ("'math' has no function 'pi'",)),
        (("map", "model.onnx"), ("'model.onnx' does not exist",)),
        (("program", "model.onnx"), ("needs a PyTorch model", "package.module:function")),
        (("map", "--chip", "rram-23nm"), ("unknown chip 'rram-23nm'", "'rram-22nm'")),
        (("map", "--chip", "nowhere.yaml"), ("chip file 'nowhere.yaml' does not exist",)),
        (("map", "--device", "rrram"), ("unknown device 'rrram'", "'rram'")),
        (("map", "--device", "stt-mram"), ("chip.precision.bits_per_cell = 2", "1 per cell")),
        (("map", "--technology", "21nm"), ("unknown technology '21nm'", "22nm-lstp")),
        (("map", "--tsb", "papre"), ("unknown tsb 'papre'", "'paper'")),
        (("map", "--input-shape", "3,wide,32"), ("--input-shape 3,wide,32", "3,32,32")),
        (("map", "--input-shape", "0,32,32"), ("--input-shape 0,32,32", "above zero")),
        (("map", "--input-shape", "2,3,32,32"), ("a batch of 2", "3,32,32")),
        (("map", "--input-shape", "3,4,4"), ("needs 8 pixels or more",)),
        (("map", "--plot", "plan.gif"), ("--plot plan.gif", ".png")),
        (("validate", "--reference", "nowhere"), ("nowhere",)),
    ],
)
def test_wrong_names_and_options(
    run: Run, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    _assert_refused(run(*arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("map", "--design", "comon"), ("'none', 'common', 'separate'",)),
        (("compare", "--design", "shared"), ("'none', 'common', 'separate'",)),
        (("map", "--format", "xml"), ("'table', 'json', 'csv'",)),
        (("list", "chip"), ("networks", "chips", "studies")),
        (("schema", "chips"), ("'chip', 'device', 'technology', 'tsb'",)),
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
    ("text", "words"),
    [
        ("name: [", ("not valid YAML",)),
        ("- 1\n- 2", ("top level is list", "a mapping")),
        ("name: a\nname: b", ("key 'name' is given twice",)),
        ("extends: rram-22nm\nx: &a 1\ny: *a", ("anchors and aliases are not allowed",)),
        ("extends: rram-23nm", ("unknown chip 'rram-23nm'", "'rram-22nm'")),
        ("extends: mine.yaml", ("goes round in a circle",)),
        (
            "extends: rram-22nm\nadcs: {}",
            ("chip.adcs: unknown key", "Did you mean 'adc' or 'read'?"),
        ),
        (
            "extends: rram-22nm\nread: {access_voltage: {value: 1, unit: ns, source: nowhere}}",
            ("chip.read.access_voltage", "unit 'ns' does not fit", "V, mV"),
        ),
    ],
)
def test_wrong_yaml(run: Run, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    _assert_refused(run("map", "--chip", "mine.yaml"), *words)


def test_unreadable_and_huge_yaml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00name")
    _assert_refused(run("map", "--chip", "bytes.yaml"), "bytes.yaml: cannot be read")
    (tmp_path / "huge.yaml").write_text("# " + MAX_YAML_BYTES * "x")
    _assert_refused(run("map", "--chip", "huge.yaml"), "huge.yaml", f"at most {MAX_YAML_BYTES}")


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
    ("function", "options", "words"),
    [
        ("unknown", ("--input-shape", "7,8"), ("cdist", "reads the weights '1.weight'")),
        ("plain", ("--input-shape", "x=3,8,8"), ("no input 'x'", "input")),
        ("plain", ("--input-shape", "3,8,8", "--input-dtype", "int3"), ("--input-dtype int3",)),
        ("plain", ("--input-shape", "3,8,8", "--input-shape", "3,8,8"), ("a name each",)),
        ("nothing", ("--input-shape", "3,8,8"), ("no convolution and no linear layer",)),
        ("plain", (), ("input",)),
        ("plain", ("--input-shape", "4,8,8"), ("(1, 4, 8, 8)",)),
        ("linear", ("--input-shape", "8", "--design", "common"), ("finds no place for a TSB",)),
        ("text", ("--input-shape", "3,8,8"), ("returned str, not a torch nn.Module",)),
        ("broken", ("--input-shape", "3,8,8"), ("RuntimeError: out of ideas",)),
    ],
)
def test_models_that_cannot_be_mapped(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    options: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    (tmp_path / "models_of_a_user.py").write_text(textwrap.dedent(_MODELS))
    monkeypatch.syspath_prepend(tmp_path)
    _assert_refused(run("map", f"models_of_a_user:{function}", *options), *words)


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
    ("out", "words"),
    [("folder", "is a folder"), ("no/such/place.txt", "does not exist"), ("file/x", "not exist")],
)
def test_out_that_cannot_be_written(
    run: Run, tmp_path: Path, command: str, out: str, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    _assert_refused(run(*command.split(), "--out", out), out, words)


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
    _assert_refused(done, f"seed = {seed}; allowed: a whole number, 0 to 4294967295")


def test_the_last_seed_of_several_chips(run: Run) -> None:
    several = ("deploy", "lenet3", "--checkpoint", "none.safetensors", "--chips", 3)
    done = run(*several, "--seed", 2**32 - 2)
    _assert_refused(done, "the 3 chips have seeds up to 4294967296; allowed: up to 4294967295")
    done = run(*several, "--seed", 2**32 - 3)
    _assert_refused(done, "none.safetensors")


@pytest.mark.parametrize(
    ("seed", "words"),
    [(-1, "seeds.0 = -1"), (42_950, "chips of its own, of seeds up to 4295000007; allowed with 8")],
)
def test_seeds_of_studies(run: Run, seed: int, words: str) -> None:
    done = run("train", "tsb-lenet3", "--set", f"study.seeds=[{seed}]", "--set", "study.chips=8")
    _assert_refused(done, words)
