# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a network to a decision
#
# A network is trained, programmed into cells that are imprecise, repaired, measured, mapped onto a
# chip and priced; a report puts it all side by side. Open this file
# as a notebook with jupytext (`jupytext --to ipynb whole-story.py`, or in JupyterLab: open with,
# notebook). It takes about three minutes.

# %%
from pathlib import Path

import archsim

# %% [markdown]
# How much is done. The shipped study has 8 chips, 10 runs and 25 epochs; here are fewer of each.

# %% tags=["parameters"]
EPOCHS, CHIPS, RUNS, STEPS = 15, 4, 5, 150
OUT = Path("whole-story")

# %% [markdown]
# ## Train, program, repair, evaluate
#
# A study is a YAML file: network, data, device, backbones, methods. `archsim.train` works out what
# its folder lacks, so this cell may be stopped and run again.

# %%
run = archsim.train(
    "tsb-lenet3",
    out=OUT / "run",
    methods=["noise injection", "TSB", "all verified", "bounded", "best"],
    overrides=[
        "study.sigma=[0.2]",
        f"study.backbones.noise.epochs={EPOCHS}",
        f"study.backbones.bounded.epochs={EPOCHS}",
        f"study.tuning.steps={STEPS}",
        f"study.chips={CHIPS}",
        f"study.runs={RUNS}",
    ],
)
measured = archsim.evaluate(run.folder)
measured[["method", "sigma", "accuracy", "ci95_low", "ci95_high", "gap_closed", "chosen"]]

# %% [markdown]
# Accuracies are those of the test images, with the 95 % interval over chips. The choice is made by
# validation images.
#
# ## The same, chip by chip
#
# Two chips are programmed from the trained weights. Their errors are frozen from then on. A shared
# block and digital biases are trained on each, to repair it.

# %%
weights = OUT / "run/backbones/noise-sigma0.2-seed0/best.safetensors"
chips = archsim.deploy_chips("lenet3", weights, OUT / "chips", chips=2, sigma=0.2)
before = archsim.evaluate_chips(chips, data="mnist-part")
repaired = archsim.tune_chips(
    chips, "tsb+biases", OUT / "corrections", data="mnist-part", steps=STEPS
)
after = archsim.evaluate_chips(chips, corrections=repaired, data="mnist-part", runs=RUNS)
print(f"before {100 * before.stats.mean:.2f} %, after {100 * after.stats.mean:.2f} %")

# %% [markdown]
# ## Map it onto a chip
#
# What the block costs depends on where it stands: one copy for all layers (`common`), or one for
# each (`separate`).

# %%
comparison = archsim.compare(["lenet3"])
comparison

# %%
common = archsim.map_network("lenet3", design="common")
common.breakdown

# %% [markdown]
# What moves the energy-delay product most, from autograd: per cent per per cent.

# %%
{own.path: round(own.values["edp"], 2) for own in archsim.sensitivities(common)[:5]}

# %% [markdown]
# ## Sizes
#
# A sweep prices every combination of its axes. Here without accuracies; `archsim sweep tsb-size-x-
# cell-bits` measures them too.

# %%
sizes = archsim.sweep(
    "tsb-size-x-cell-bits",
    out=OUT / "sweep",
    resume=True,
    overrides=["sweep.fidelity=hardware", "sweep.objectives=[edp, area]"],
)
sizes.frame().head()

# %% [markdown]
# ## The report
#
# The answer, the table, and where the page is: a single file, to be opened in a browser.

# %%
report = archsim.report(run.folder, folder=OUT / "report", sweeps=[OUT / "sweep"])
report

# %% [markdown]
# Every figure is there as PNG, SVG and PDF, every table as CSV and Parquet.

# %%
from IPython.display import Image, display  # noqa: E402

for name in ("floorplan-common", "breakdown-components", "size-channels"):
    display(Image(filename=str(report.figure(name, ".png"))))
