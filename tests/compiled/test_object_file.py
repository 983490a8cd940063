"""Objects in the cache folder: taken, damaged, refused, read-only, and made by two at once."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from archsim.compiled.emit import BLOCK, written
from archsim.compiled.object_file import LoadedObject, compiled, vector_width
from archsim.compiled.operation import Operation, Program
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.views import View


def doubling():
    """A program of one operation."""
    program = Program(sizes=[1, 1])
    one, two = (View(store, 0, (), ()) for store in (0, 1))
    program.inputs, program.outputs = {"x": one}, {"y": two}
    program.operations = [Operation("add", two, (one, one), ())]
    return written(program, vector_width())


def result_of(content):
    given, result = np.arange(float(BLOCK)), np.zeros(BLOCK)
    memory = np.zeros(doubling().memory)
    LoadedObject(content).run(
        given.ctypes.data, result.ctypes.data, BLOCK, 0, 1, memory.ctypes.data, memory.ctypes.data
    )
    return result


DOUBLED = 2 * np.arange(float(BLOCK))


def test_an_object_is_kept_and_taken(tmp_path):
    text = doubling().text
    first, was_there = compiled(text, tmp_path / "new")
    assert not was_there
    second, was_there = compiled(text, tmp_path / "new")
    assert was_there
    assert first == second
    assert (result_of(second) == DOUBLED).all()
    assert compiled(text.replace("fadd", "fmul"), tmp_path / "new")[1] is False


@pytest.mark.parametrize(
    "damage", [lambda c: b"", lambda c: c[:-9], lambda c: c[:99] + b"!" + c[100:]]
)
def test_a_damaged_object_is_compiled_anew(tmp_path, damage):
    text = doubling().text
    compiled(text, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    content, was_there = compiled(text, tmp_path)
    assert not was_there
    assert (result_of(content) == DOUBLED).all()
    assert compiled(text, tmp_path)[1]


@pytest.mark.parametrize("place", ["file/below", "/proc/archsim"])
def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    content, was_there = compiled(doubling().text, tmp_path / place)
    assert not was_there
    assert (result_of(content) == DOUBLED).all()


def test_a_full_disk_does_no_harm(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    content, _ = compiled(doubling().text, tmp_path)
    assert (result_of(content) == DOUBLED).all()
    assert list(tmp_path.iterdir()) == []


def test_what_llvm_refuses_is_a_refusal(tmp_path):
    with pytest.raises(NotCompiledError, match="LLVM"):
        compiled("define nonsense", tmp_path)


def _compile_in(folder: str, queue) -> None:
    queue.put(compiled(doubling().text, Path(folder))[0])


def test_two_processes_at_once_keep_one_whole_object(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_compile_in, args=(str(tmp_path), queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    contents = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert contents[0] == contents[1]
    (path,) = tmp_path.iterdir()
    assert compiled(doubling().text, tmp_path)[1]
    assert path.stat().st_size == len(contents[0]) + 32
