"""Inputs of each kind: whole ones that are made once, and commands on damaged copies of them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from archsim.config.resolve import resolve
from archsim.util.paths import configs_dir
from tests.assault import odd
from tests.cli.conftest import Run
from tests.house.helpers import ROOT
from tests.network.onnx_mutations import damaged as damaged_onnx

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
STUDY: dict[str, Any] = {
    "name": "tiny",
    "network": "lenet3",
    "data": "mnist-part",
    "sigma": [0.1],
    "chips": 2,
    "runs": 2,
    "train_images": 64,
    "validation_images": 32,
    "test_images": 32,
    "backbones": {"noise": {"epochs": 3, "batch_size": 32, "validation_instances": 1}},
    "tuning": {"steps": 2, "batch_size": 32, "calibration_images": 32, "validation_images": 32},
    "methods": [{"name": "plain"}, {"name": "TSB", "corrections": "tsb+biases"}],
}
SWEEP: dict[str, Any] = {
    "name": "tiny",
    "network": "lenet3",
    "axes": {
        "device.r_on": {"from": 20, "to": 200, "points": 10},
        "chip.adc.bits": [4, 5],
        "design": ["none", "common"],
    },
    "part_points": 4,
}
LAYERS = (
    "name,kind,in_size,in_channels,kernel,out_channels,stride,padding,groups,pool\n"
    "conv1,conv,28,1,5,20,1,0,1,2\nconv2,conv,12,20,5,50,1,0,1,2\nfc,linear,1,800,1,10,1,0,1,\n"
)
NEUROSIM = "32,32,3,3,3,128,0,1\n32,32,128,3,3,128,1,1\n1,1,32768,1,1,1024,0,1\n"

#: Arguments of a command on an input that was made in a folder.
Make = Callable[[Path, random.Random], Sequence[str]]


class Inputs:
    """Makes inputs; whole ones lie below a folder.

    Args:
        folder: for the whole ones.
        run: runs a command in this process.
        with_runs: whether runs and reports are made too, which takes a minute.
    """

    def __init__(self, folder: Path, run: Run, *, with_runs: bool) -> None:
        self.folder = folder
        self.paths = sorted(_leaves(resolve().model_dump(mode="json")))
        self.presets = {
            kind: [path.read_text() for path in sorted((configs_dir() / kind).glob("*.yaml"))]
            for kind in ("device", "chip", "technology", "tsb")
        }
        self._made(run("deploy", "lenet3", "--checkpoint", CHECKPOINT, "--chips", 1,
                       "--chips-to", folder / "chips"))  # fmt: skip
        (folder / "tiny-sweep.yaml").write_text(yaml.safe_dump(SWEEP))
        self._made(run("sweep", folder / "tiny-sweep.yaml", "--out", folder / "store"))
        self.kinds: dict[str, Make] = {
            "settings": self._settings,
            "YAML": self._yaml,
            "checkpoints": self._checkpoint,
            "chips": self._chip,
            "stores": self._store,
            "layer tables": self._table,
            "ONNX": self._onnx,
        }
        self.onnx: list[bytes] = []
        if not with_runs:
            return
        (folder / "tiny.yaml").write_text(yaml.safe_dump(STUDY))
        self._made(run("train", folder / "tiny.yaml", "--run", folder / "run"))
        self._made(run("report", folder / "run", "--folder", folder / "report"))
        self.kinds |= {"run folders": self._run, "reports": self._report}

    @staticmethod
    def _made(done: Any) -> None:
        assert done.exit_code == 0, done.output

    def _settings(self, place: Path, rng: random.Random) -> Sequence[str]:
        value = rng.choice(odd.TEXTS)
        # A file that the command line names may be written, and code that it names may be run.
        asked = value.replace("escaped", "asked").replace(odd.CODE, f"no_{odd.CODE}")
        path = rng.choice(self.paths) if rng.random() < 0.9 else rng.choice(odd.TEXTS)
        setting = f"{path}={value}" if rng.random() < 0.97 else value
        shape = ["--input-shape", value]
        commands: list[list[str]] = [
            *[["map", "lenet3", "--set", setting, "--format", "json"]] * 6,
            ["map", "lenet3", "--design", "common", "--set", setting],
            ["program", "lenet3", "--set", setting],
            ["compare", "lenet3", "--set", setting],
            ["deploy", "lenet3", "--checkpoint", str(CHECKPOINT), "--chips", "1",
             "--chips-to", "c", "--option", setting],
            ["map", "lenet3", *shape],
            ["map", asked],
            ["sweep", str(self.folder / "tiny-sweep.yaml"), "--axis", setting, "--out", "s"],
            ["sweep", str(self.folder / "tiny-sweep.yaml"), "--set", setting, "--out", asked],
            ["train", "tsb-lenet3", "--set", f"study.{setting}", "--data-root", "nowhere"],
            ["map", "lenet3", rng.choice(("--out", "--plot", "--resolved", "--chip")), asked],
        ]  # fmt: skip
        return rng.choice(commands)

    def _yaml(self, place: Path, rng: random.Random) -> Sequence[str]:
        file = place / "odd.yaml"
        kind = rng.choice(("device", "device", "chip", "technology", "tsb", "study", "sweep"))
        if kind in ("study", "sweep"):
            document = STUDY if kind == "study" else SWEEP
            if rng.random() < 0.5:
                text = yaml.safe_dump(odd.damaged_document(document, rng))
            else:
                text = odd.damaged_yaml(yaml.safe_dump(document), rng)
        else:
            text = odd.damaged_yaml(rng.choice(self.presets[kind]), rng)
        file.write_text(text, encoding="utf-8", errors="replace")
        if kind == "study":
            return ["train", str(file), "--data-root", "nowhere"]
        if kind == "sweep":
            return ["sweep", str(file), "--out", "s", "--max-minutes", "0"]
        return ["map", "lenet3", f"--{kind}", str(file)]

    def _checkpoint(self, place: Path, rng: random.Random) -> Sequence[str]:
        file = place / "odd.safetensors"
        file.write_bytes(odd.damaged_safetensors(CHECKPOINT.read_bytes(), rng))
        return ["deploy", "lenet3", "--checkpoint", str(file), "--chips", "1", "--chips-to", "c"]

    def _chip(self, place: Path, rng: random.Random) -> Sequence[str]:
        file = place / "odd.safetensors"
        whole = next((self.folder / "chips").glob("*.safetensors"))
        file.write_bytes(odd.damaged_safetensors(whole.read_bytes(), rng))
        return ["evaluate", str(file), "--data", "mnist-part", "--test-images", "8"]

    def _store(self, place: Path, rng: random.Random) -> Sequence[str]:
        self._copy("store", place / "store")
        parts = sorted((place / "store").rglob("*.parquet"))
        about = place / "store" / "sweep.json"
        if rng.random() < 0.6:
            about.write_bytes(odd.damaged_json(about.read_bytes(), rng))
        else:
            part = rng.choice(parts)
            part.write_bytes(odd.damaged_bytes(part.read_bytes(), rng))
        questions: list[list[str]] = [
            [], ["--cheapest", "edp"], ["--effects", "edp"], ["--point", "3"], ["--compare", "0,1"],
            ["--where", "area_mm2 < 50"], ["--format", "json"],
        ]  # fmt: skip
        if rng.random() < 0.1:
            file = str(self.folder / "tiny-sweep.yaml")
            return ["sweep", file, "--out", str(place / "store"), "--resume"]
        return ["sweep", "show", str(place / "store"), *rng.choice(questions)]

    def _table(self, place: Path, rng: random.Random) -> Sequence[str]:
        file = place / "odd.csv"
        text = odd.damaged_table(rng.choice((LAYERS, NEUROSIM)), rng)
        file.write_text(text, encoding="utf-8", errors="replace")
        return ["map", str(file)]

    def _onnx(self, place: Path, rng: random.Random) -> Sequence[str]:
        if not self.onnx:
            from tests.network.test_onnx_fuzz import seeds

            (self.folder / "onnx").mkdir(exist_ok=True)
            self.onnx = seeds(self.folder / "onnx")
        file = place / "odd.onnx"
        file.write_bytes(damaged_onnx(rng.choice(self.onnx), rng))
        return ["map", str(file)]

    def _run(self, place: Path, rng: random.Random) -> Sequence[str]:
        self._copy("run", place / "run")
        files = [path for path in sorted((place / "run").rglob("*")) if path.suffix in _JSON]
        for file in rng.sample(files, rng.randint(1, 2)):
            file.write_bytes(odd.damaged_json(file.read_bytes(), rng))
        if rng.random() < 0.1:
            return ["train", str(self.folder / "tiny.yaml"), "--run", str(place / "run")]
        return ["evaluate", str(place / "run"), "--format", rng.choice(("table", "json", "csv"))]

    def _report(self, place: Path, rng: random.Random) -> Sequence[str]:
        (place / "report").mkdir()
        content = (self.folder / "report" / "report.json").read_bytes()
        (place / "report" / "report.json").write_bytes(odd.damaged_json(content, rng))
        folders = [str(self.folder / "report"), str(place / "report")]
        rng.shuffle(folders)
        return ["report", "diff", *folders]

    def _copy(self, name: str, to: Path) -> None:
        shutil.copytree(self.folder / name, to, ignore=shutil.ignore_patterns("*.png", ".lock"))


_JSON = (".json", ".jsonl")


def _leaves(node: Any, path: str = "") -> list[str]:
    """Return all dotted paths of a configuration, blocks and the parts of constants too."""
    paths = [path] if path else []
    if isinstance(node, dict):
        for key, inner in node.items():
            paths += _leaves(inner, f"{path}.{key}" if path else str(key))
    return paths
