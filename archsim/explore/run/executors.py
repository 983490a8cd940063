"""Who computes the parts of a sweep: this process, several, or a Dask cluster.

All of them run the same function on the same description of the sweep, so that their rows are the
same, bit for bit. Only this process writes to the folder where the work is done elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import islice
from typing import TYPE_CHECKING, Any

from archsim.errors import Code, ConfigError, DataError
from archsim.util.workers import worker_pool

if TYPE_CHECKING:
    from distributed import Client

#: A task: description of the sweep and number of a part in, whatever it gives out.
Task = Callable[[str, int], Any]
#: Parts that wait in each worker, so that it never waits for us.
_AHEAD = 2
#: A scheduler answers within this time, or is not there, s.
CONNECT_TIMEOUT_S = 10.0


def in_this_process(task: Task, sweep: str, parts: Iterable[int]) -> Iterator[Any]:
    """Compute parts one after the other.

    Args:
        task: what to do.
        sweep: its description.
        parts: numbers.
    """
    for number in parts:
        yield task(sweep, number)


def in_processes(task: Task, sweep: str, parts: Iterable[int], jobs: int) -> Iterator[Any]:
    """Compute parts in several processes of one thread each, in whatever order they end.

    Args:
        task: what to do; importable in a fresh process.
        sweep: its description.
        parts: numbers.
        jobs: processes.

    Raises:
        DataError: a process was killed, for example for its memory.
    """
    with worker_pool(jobs, resumes="--resume") as pool:
        waiting: set[Future[Any]] = set()
        left = iter(parts)
        while True:
            for number in islice(left, _AHEAD * jobs - len(waiting)):
                waiting.add(pool.submit(task, sweep, number))
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def _on_worker(task: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    """Do a task in one thread: a worker of a cluster has as many tasks as threads."""
    import torch

    torch.set_num_threads(1)
    return task(*call)


def connect(address: str) -> Client:
    """Connect to the scheduler of a Dask cluster.

    Args:
        address: for example ``tcp://10.0.0.1:8786``.

    Raises:
        ConfigError: dask.distributed is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "--scheduler needs dask.distributed; install it with: pip install 'archsim[cluster]'",
            code=Code.MISSING_PACKAGE,
            field="--scheduler",
        ) from error
    _check_address(address)
    try:
        return Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise ConfigError(
            f"--scheduler {address}: no scheduler answered within {CONNECT_TIMEOUT_S:g} s "
            f"({error}); allowed: an address such as tcp://10.0.0.1:8786, as dask scheduler "
            "prints it",
            code=Code.UNREACHABLE,
            field="--scheduler",
            value=address,
        ) from error


def _check_address(address: str) -> None:
    """Refuse what no client could connect to: one that fails leaves threads behind.

    Raises:
        ConfigError: no protocol that is known, no port, or nobody at the port of a TCP address.
    """
    from distributed.comm.addressing import get_address_host_port, parse_address
    from distributed.comm.registry import get_backend

    form = "allowed: an address such as tcp://10.0.0.1:8786, as dask scheduler prints it"
    try:
        protocol, _ = parse_address(address)
        get_backend(protocol)
        host, port = get_address_host_port(address)
    except (ValueError, OSError, ImportError) as error:
        raise ConfigError(
            f"--scheduler {address}: {error}; {form}",
            code=Code.WRONG_FORM,
            field="--scheduler",
            value=address,
        ) from error
    if protocol not in ("tcp", "tls"):
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ConfigError(
            f"--scheduler {address}: no scheduler answered within {CONNECT_TIMEOUT_S:g} s "
            f"({error}); {form}",
            code=Code.UNREACHABLE,
            field="--scheduler",
            value=address,
        ) from error


def on_cluster(
    client: Client, task: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
) -> Iterator[Any]:
    """Do a task on the workers of a cluster; what a lost worker had is done by others.

    Args:
        client: see :func:`connect`.
        task: what to do; archsim is installed on the workers.
        calls: its arguments, one tuple for each part; taken when there is room for them.

    Raises:
        ConfigError: there is no worker.
        DataError: a part was lost with several workers in turn, or the scheduler is gone.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT_S)
    except TimeoutError as error:
        raise ConfigError(
            f"the scheduler has no workers after {CONNECT_TIMEOUT_S:g} s; start some with: dask "
            "worker ADDRESS",
            code=Code.UNREACHABLE,
            field="--scheduler",
        ) from error
    left = iter(calls)
    running: set[Any] = set()

    def submit(count: int) -> list[Any]:
        made = [client.submit(_on_worker, task, call, pure=False) for call in islice(left, count)]
        running.update(made)
        return made

    def room() -> int:
        """Parts that may be added: workers come and go."""
        threads = sum(int(count) for count in client.nthreads().values())
        return max(0, _AHEAD * threads - len(running))

    queue = as_completed(submit(room()), loop=client.loop)
    try:
        for future in queue:
            result = future.result()
            running.discard(future)
            for following in submit(max(1, room())):
                queue.add(following)
            yield result
    except KilledWorker as error:
        raise DataError(
            f"a part was lost with several workers in turn: {error}; what was done before is "
            "kept, --resume goes on",
            code=Code.WORKER_LOST,
            allowed="--resume",
        ) from error
    except (CancelledError, OSError) as error:
        raise DataError(
            f"the scheduler is gone: {error}; what was done before is kept, --resume goes on",
            code=Code.UNREACHABLE,
            field="--scheduler",
            allowed="--resume",
        ) from error
    finally:
        client.cancel(list(running))
