"""Exponentials, logarithms and powers of compiled programs against mpmath, and at their ends."""

import math

import mpmath
import numpy as np
import pytest
import torch

from archsim.compiled.emit import BLOCK, written
from archsim.compiled.object_file import LoadedObject, compiled, vector_width
from archsim.compiled.operation import Operation, Program
from archsim.compiled.views import View

#: Largest error in units in the last place, as the functions' module says.
BOUNDS = {"exp": 1, "exp2": 1, "log": 1, "pow": 1, "log2": 2, "log1p": 2, "expm1": 2}
EXACT = {
    "exp": mpmath.exp,
    "exp2": lambda x: mpmath.power(2, x),
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log2": lambda x: mpmath.log(x, 2),
    "log1p": mpmath.log1p,
    "pow": mpmath.power,
}
ONE_ARGUMENT = sorted(set(BOUNDS) - {"pow"})
OTHERS = ("floor", "ceil", "trunc", "rint", "sqrt", "abs", "mod", "floordiv", "min", "max")
INSTRUCTIONS = (*ONE_ARGUMENT, "pow", *OTHERS)


@pytest.fixture(scope="module")
def calculator():
    """Every instruction of two columns of numbers."""
    program = Program()
    one, other = (View(store, 0, (), ()) for store in (0, 1))
    program.inputs = {"one": one, "other": other}
    for store, name in enumerate(INSTRUCTIONS, 2):
        both = name in ("pow", "mod", "floordiv", "min", "max")
        target = View(store, 0, (), ())
        args = (one, other) if both else (one,)
        program.operations.append(Operation(name, target, args, ()))
        program.outputs[name] = target
    program.sizes = [1] * (2 + len(INSTRUCTIONS))
    module = written(program, vector_width())
    loaded = LoadedObject(compiled(module.text, None)[0])

    def calculate(first, second):
        count = len(first)
        columns = -(-count // BLOCK) * BLOCK
        given = np.ones((2, columns))
        given[0, :count], given[1, :count] = first, second
        results = np.empty((len(INSTRUCTIONS), columns))
        memory = np.zeros(module.memory)
        loaded.run(
            given.ctypes.data, results.ctypes.data, columns, 0, columns // BLOCK,
            memory.ctypes.data, program.constants.ctypes.data,
        )  # fmt: skip
        return dict(zip(INSTRUCTIONS, results[:, :count], strict=True))

    return calculate


def arguments(name):
    random = np.random.default_rng(7)
    wide = random.uniform(-700, 700, 300)
    near = random.uniform(-1, 1, 300)
    tiny = near * 10.0 ** random.uniform(-20, -1, 300)
    if name == "exp2":
        wide = random.uniform(-1021, 1023, 300)
    if name == "expm1":
        wide = random.uniform(-40, 700, 300)
    if name in ("log", "log2"):
        wide, near, tiny = 10.0 ** (wide / 2.3), 1 + near / 2, 1 + tiny
    if name == "log1p":
        wide = np.abs(wide)
    return np.concatenate([wide, near, tiny])


def in_ulp(value, exact):
    """Error in units in the last place of the exact result."""
    return abs(mpmath.mpf(float(value)) - exact) / mpmath.mpf(math.ulp(float(exact)))


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_errors_are_within_the_stated_bounds(calculator, name):
    given = arguments(name)
    values = calculator(given, np.ones_like(given))[name]
    with mpmath.workprec(200):
        worst = max(
            in_ulp(value, EXACT[name](mpmath.mpf(float(x))))
            for x, value in zip(given, values, strict=True)
        )
    assert worst < BOUNDS[name]


def test_powers_are_within_the_stated_bound(calculator):
    random = np.random.default_rng(8)
    bases = np.concatenate([10.0 ** random.uniform(-30, 30, 400), 1 + random.uniform(0, 1e-3, 100)])
    sizes = np.abs(np.log(bases)) + 1e-9
    exponents = random.uniform(-1, 1, 500) * np.minimum(650 / sizes, 300)
    values = calculator(bases, exponents)["pow"]
    with mpmath.workprec(200):
        exact = [mpmath.power(float(x), float(y)) for x, y in zip(bases, exponents, strict=True)]
        worst = max(in_ulp(value, one) for value, one in zip(values, exact, strict=True))
    assert worst < BOUNDS["pow"]


def test_whole_powers_are_exact(calculator):
    numbers = np.arange(-1022.0, 1024.0)
    assert (calculator(numbers, numbers)["exp2"] == [math.ldexp(1, int(n)) for n in numbers]).all()
    powers = np.ldexp(1.0, numbers.astype(int))
    assert (calculator(powers, powers)["log2"] == numbers).all()
    bases, exponents = np.meshgrid(np.arange(2.0, 14), np.arange(0.0, 14))
    whole = [float(int(x) ** int(y)) for x, y in zip(bases.flat, exponents.flat, strict=True)]
    assert (calculator(bases.ravel(), exponents.ravel())["pow"] == whole).all()


ENDS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, -3.0, 2.5, math.inf, -math.inf, math.nan, 1e-300,
        1e308, -745.2, 710.0, -1e-18]  # fmt: skip


def test_ends_are_those_of_pytorch(calculator):
    first, second = (grid.ravel() for grid in np.meshgrid(ENDS, ENDS))
    values = calculator(first, second)
    one, other = torch.from_numpy(first), torch.from_numpy(second)
    for name in ONE_ARGUMENT:
        wanted = getattr(torch, name)(one)
        assert torch.allclose(
            torch.from_numpy(values[name]), wanted, rtol=1e-14, atol=0, equal_nan=True
        ), name
    power = torch.pow(one, other)
    assert torch.allclose(
        torch.from_numpy(values["pow"]), power, rtol=1e-14, atol=0, equal_nan=True
    )


def test_rounding_and_order_are_those_of_pytorch(calculator):
    random = torch.Generator().manual_seed(3)
    first = torch.cat([
        torch.randint(-2000, 2000, (4000,), generator=random) / 4,
        torch.rand(4000, dtype=torch.float64, generator=random) * 1e6 - 5e5,
        torch.tensor(ENDS, dtype=torch.float64),
    ])  # fmt: skip
    second = torch.randint(1, 129, first.shape, generator=random).double() / 8
    second[-1] = math.nan
    values = calculator(first.numpy(), second.numpy())
    wanted = {
        "floor": first.floor(), "ceil": first.ceil(), "trunc": first.trunc(),
        "rint": first.round(), "abs": first.abs(),
        "min": torch.minimum(first, second), "max": torch.maximum(first, second),
        "mod": torch.remainder(first, second),
        "floordiv": torch.div(first, second, rounding_mode="floor"),
    }  # fmt: skip
    # PyTorch's vector library rounds some square roots to the neighbour.
    root = np.sqrt(first.clamp_min(0).numpy())
    mine = calculator(first.clamp_min(0).numpy(), second.numpy())["sqrt"]
    assert np.array_equal(mine, root, equal_nan=True)
    for name, exact in wanted.items():
        mine = torch.from_numpy(values[name])
        finite = first.isfinite() & (first.abs() < 1e15)
        kept = finite if name in ("mod", "floordiv") else torch.ones_like(finite)
        assert torch.equal(mine[kept].nan_to_num(-7.0), exact[kept].nan_to_num(-7.0)), name
