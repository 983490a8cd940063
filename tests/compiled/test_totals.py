"""Totals of the compiled engine are those of the eager one; what it cannot do is eager."""

import dataclasses

import pytest
import torch

import archsim.compiled.program as program_module
from archsim.analysis.totals import evaluate_totals
from archsim.arch.design import MEMORIES, DesignBatch
from archsim.compiled.lower import lowered
from archsim.compiled.program import RECORDED, same
from archsim.compiled.record import record
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.totals import FEW, OUTSIDE, Tally, forget
from archsim.config.resolve import resolve
from archsim.network import from_graph, load_network
from tests.compiled.fuzz import Outcome, compare


@pytest.fixture(autouse=True)
def nothing_known(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path))
    forget()
    yield
    forget()


@pytest.fixture(scope="module")
def network():
    graph = load_network("lenet3")
    return {"table": from_graph(graph), "points": graph.insertion_points()}


def designs(count, chip="rram-22nm-neurosim", **values):
    base = DesignBatch.from_resolved(resolve(chip=chip), "separate")
    generator = torch.Generator().manual_seed(5)
    fields = {}
    for name, known in values.items():
        table = torch.tensor(known, dtype=getattr(base, name).dtype)
        fields[name] = table[torch.randint(len(known), (count,), generator=generator)]
    return base.replace(**fields)


def both(design, network, **options):
    tally = Tally()
    eager = evaluate_totals(design=design, **network)
    mine = evaluate_totals(
        design=design, **network, engine="compiled", tally=tally, **{"least": 0, **options}
    )
    assert list(mine) == list(eager)
    for name, wanted in eager.items():
        assert mine[name].dtype is wanted.dtype
        assert bool(same(mine[name], wanted).all()), name
    return tally


@pytest.mark.parametrize(
    ("seed", "chip", "fields"),
    [
        (2, "rram-22nm", 12),
        (3, "neurosim-v1.4", 30),
    ],
)
def test_random_designs_have_the_totals_of_the_eager_engine(seed, chip, fields):
    outcome = Outcome()
    compare(seed, 400, "lenet3", chip, fields, outcome)
    assert not +outcome.wrong
    assert outcome.tally.compiled + outcome.tally.eager.total() == 400


def test_both_cost_models_overlap_gating_and_copies_are_compiled(network):
    design = designs(
        600,
        chip="rram-22nm",
        is_silicon=[False, True],
        overlap=[0, 1, 2],
        gates_unused=[False, True],
        copies=[1, 2],
        rows=[64, 128],
        adc_bits=[4, 5, 6],
        placement=[0, 1, 2],
    )
    tally = both(design, network, threads=2)
    assert tally.compiled == 600
    assert not tally.eager


def test_designs_outside_the_recording_are_eager_and_counted(network):
    known = designs(400, rows=[64, 128], bits_per_cell=[1, 2], memory=[MEMORIES.index("rram")])
    assert both(known, network).compiled == 400
    # More cell bits make longer tables, another memory another branch.
    other = known.replace(bits_per_cell=known.bits_per_cell.clone(), memory=known.memory.clone())
    other.bits_per_cell[7] = 4.0
    other.memory[11] = MEMORIES.index("sram")
    tally = both(other, network)
    assert tally.eager == {OUTSIDE: 2}
    assert tally.compiled == 398


def test_many_designs_outside_make_another_program(network):
    both(designs(400, rows=[64, 128], bits_per_cell=[1]), network)
    tally = both(designs(400, rows=[64, 128], bits_per_cell=[1, 2, 4]), network)
    assert tally.built.total() == 1
    assert not tally.eager


def test_new_settings_take_the_compiled_object(network):
    design = designs(300, rows=[64, 128], r_on_ohm=[5e4, 1e5, 2e5])
    assert both(design, network).built == {False: 1}
    tally = both(design.replace(pulse_width_s=torch.tensor(7.7e-8).double()), network)
    assert tally.built == {True: 1}


def test_few_designs_and_varying_technologies_are_eager(network):
    design = designs(300, rows=[64, 128])
    assert both(design, network, least=301).eager == {FEW: 300}
    node = design.technology.node_m.expand(300).clone()
    varied = dataclasses.replace(design, technology=design.technology.replace(node_m=node))
    (reason,) = both(varied, network).eager
    assert "technologies" in reason


@pytest.mark.parametrize("broken", [RuntimeError("odd"), NotCompiledError("odd")])
def test_whatever_fails_is_eager_with_the_reason(network, monkeypatch, broken):
    def fails(*_, **__):
        raise broken

    design = designs(300, rows=[64, 128])
    monkeypatch.setattr(program_module, "lowered", fails)
    (reason,) = both(design, network).eager
    assert reason.endswith("odd")
    monkeypatch.undo()
    # A refusal is remembered: a sweep does not try again with each of its boxes.
    (reason,) = both(design, network).eager
    assert reason.endswith("odd")


def test_a_program_that_is_wrong_is_refused(network, monkeypatch):
    def shifted(program, width, written=program_module.written):
        module = written(program, width)
        return dataclasses.replace(module, text=module.text.replace("fdiv", "fmul"))

    monkeypatch.setattr(program_module, "written", shifted)
    (reason,) = both(designs(300, rows=[64, 128]), network).eager
    assert "the compiled engine gives" in reason


# what steers Python


def recorded(run):
    values = torch.arange(RECORDED, dtype=torch.float64)
    return record(RECORDED, {"x": values}, lambda: {"y": run(values)})[0]


def test_questions_to_the_batch_are_guards():
    def run(x):
        if bool((x > 5).any()) and not bool((x > 500).all()) and float(x.max()) > 3:
            return x * (1 + len((x > 7).unique().tolist()))
        return x

    kinds = [guard.kind for guard in recorded(run).guards]
    assert kinds == ["any", "all", "max", "set"]


@pytest.mark.parametrize(
    "run",
    [
        lambda x: x * x.tolist()[0],
        lambda x: x * float(x[3]),
        lambda x: x * x.numpy()[0],
        lambda x: x / x.sum(),
        lambda x: x[x > 3],
        lambda x: x.flip(0) + x.sort().values,
        lambda x: x.clone().add_(1),
        lambda x: x * len(x.unique()),
    ],
    ids=["tolist", "float", "numpy", "sum", "mask", "moved", "in place", "many values"],
)
def test_what_cannot_be_guarded_is_refused(run):
    values = torch.arange(RECORDED, dtype=torch.float64)

    def compiled():
        return lowered(*record(RECORDED, {"x": values}, lambda: {"y": run(values)})[:2])

    with pytest.raises(NotCompiledError):
        compiled()
