"""Processes of one thread each, that end when they are not wanted any more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from archsim.errors import Code, DataError
from archsim.util.consent import said, say_for_good


@contextmanager
def worker_pool(jobs: int, *, resumes: str) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of processes; whatever ends the block early ends them too.

    Args:
        jobs: processes.
        resumes: what goes on with the work if one of them is killed, for the error.

    Raises:
        DataError: a process was killed, for example for its memory.
    """
    # Fresh processes: a forked one would share the locks of the threads of PyTorch and numba.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=quiet_worker, initargs=(tuple(said()),)
    ) as pool:
        try:
            yield pool
        except BaseException as error:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            if isinstance(error, BrokenProcessPool):
                raise DataError(
                    "a process was killed (out of memory?); what was done before is kept, "
                    f"{resumes} goes on",
                    code=Code.WORKER_LOST,
                    allowed=resumes,
                ) from error
            raise


def quiet_worker(code: Iterable[str] = ()) -> None:
    """One thread, no end by signals (the parent stops its workers), no life without it.

    Args:
        code: names of the user's code that may be run.
    """
    import torch

    say_for_good(code)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End this process when its parent is gone: a killed one stops no workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
