"""The fit's compiled programs: how they are compiled, and how they are kept from one process and run to the next.

JAX's own cache is keyed by what a program is lowered to, so that every process must trace it first: a second or two of
Python for each.  Here the key is what decides that: the sources of the package, the shapes of the arguments, and the
versions of what compiles.  A program that is found is only loaded.
"""

from __future__ import annotations

import gc
import hashlib
import inspect
import os
import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial, update_wrapper
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import jax
import numpy as np
from jax.experimental import serialize_executable

import spotcat

KEPT_AT = "SPOTCAT_PROGRAMS"
"""The variable that names the folder of programs; where there is none, each process compiles its own."""
SUFFIX = ".program"
KEPT = "kept_"
"""What the names of programs begin with that are compiled to be kept."""
AT_ONCE = 2
"""Programs that XLA compiles side by side: each takes some hundred megabytes meanwhile."""

_OPTIONS: dict[str, Any] = {
    # XLA's newer emitters take twice as long, and map four times as many pieces of memory, of which a process may have
    # 65,530; with wide vectors the code of the older ones is as fast (tests/benchmarks/programs.py).
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_prefer_vector_width": 512,
    "xla_cpu_parallel_codegen_split_count": 1,
}
ROOMS = ("star", "model", "gp", "fit")
"""Those whose sources decide what a program computes."""
_NAMED: list[Program] = []


class Program:
    """A function of arrays, compiled for each of their shapes; ``jax.jit`` with a memory beyond the process.

    Args:
        function: to compile; its value must follow from its arguments and from the sources of this package.
        static: names of arguments that are no arrays.
    """

    def __init__(self, function: Callable[..., Any], static: Iterable[str] = ()) -> None:
        update_wrapper(self, function)
        self._function = function
        self._name = function.__name__
        self._static = tuple(static)
        self._signature = inspect.signature(function)
        self._ready: dict[Any, Callable[..., Any]] = {}
        self._coming: dict[Any, Future[Callable[..., Any]]] = {}
        self._alone: Any = None
        self._within = jax.jit(function, static_argnames=self._static)
        _NAMED.append(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        leaves = jax.tree.leaves((args, kwargs))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self._within(*args, **kwargs)
        if not os.environ.get(KEPT_AT):
            return self.jit(*args, **kwargs)
        key, leaves = self._named(args, kwargs)
        if key not in self._ready:
            if key not in self._coming:
                return self._begun(key, leaves)
            self._ready[key] = self._coming.pop(key).result()
        return self._ready[key](*leaves)

    def ahead(self, *args: Any, **kwargs: Any) -> None:
        """Begin to compile for some arguments, beside what the caller does until it needs the program.

        Tracing is the caller's work, since Python does one thing at a time; XLA is not Python.
        """
        if not os.environ.get(KEPT_AT):
            return
        key, leaves = self._named(args, kwargs)
        if key not in self._ready and key not in self._coming and not self._path(key).exists():
            self._coming[key] = _threads().submit(_compiled, self._path(key), self._lowered(key, leaves))

    @property
    def jit(self) -> Any:
        """The jitted function, as this process compiles it."""
        if self._alone is None:
            self._alone = jax.jit(self._function, static_argnames=self._static, compiler_options=_options())
        return self._alone

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """As that of ``jax.jit``."""
        return self.jit.lower(*args, **kwargs)

    def _cache_size(self) -> int:
        """For how many shapes this process has it; named as that of ``jax.jit``."""
        return len(self._ready) + (self._alone._cache_size() if self._alone else 0)

    def clear_cache(self) -> None:
        """Forget what is compiled."""
        self._ready.clear()
        if self._alone:
            self._alone.clear_cache()

    def _named(self, args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
        """What decides on the program for some arguments, and the arrays and numbers in them."""
        given = self._signature.bind(*args, **kwargs).arguments
        static = {name: given.pop(name) for name in self._static if name in given}
        leaves, tree = jax.tree.flatten(given)
        precision = jax.dtypes.canonicalize_dtype(float).str
        return (tree, tuple(map(_kind, leaves)), tuple(static.items()), precision), leaves

    def _path(self, key: Any) -> Path:
        named = f"{self.__module__}.{self._name}\n{_surroundings()}\n{key!r}"
        return Path(os.environ[KEPT_AT]) / f"{self._name}-{hashlib.sha256(named.encode()).hexdigest()[:32]}{SUFFIX}"

    def _begun(self, key: Any, leaves: list[Any]) -> Any:
        """The value for some arguments by a program that is read, or else compiled and written."""
        found = _read(self._path(key), len(leaves))
        if found is not None:
            try:
                value = jax.block_until_ready(found(*leaves))
            except jax.errors.JaxRuntimeError as error:
                # Whole, but not what this machine can run; what has no room in memory has none when compiled.
                if "RESOURCE_EXHAUSTED" in str(error):
                    raise
            else:
                for heard in _listeners:
                    heard(self._name)
                self._ready[key] = found
                return value
        self._ready[key] = _compiled(self._path(key), self._lowered(key, leaves))
        return self._ready[key](*leaves)

    def _lowered(self, key: Any, leaves: list[Any]) -> Any:
        tree, _, static, _ = key

        def flat(*leaves: Any) -> Any:
            return self._function(**jax.tree.unflatten(tree, leaves), **dict(static))

        # Under a name of its own, so that it is not found in JAX's cache: XLA cannot write what it has read.
        flat.__name__ = KEPT + self._name
        return jax.jit(flat, compiler_options=_options()).lower(*leaves)


def program(function: Callable[..., Any] | None = None, *, static: Iterable[str] = ()) -> Any:
    """Make a function a program; a decorator, with or without arguments."""
    return partial(Program, static=static) if function is None else Program(function, static)


_listeners: list[Callable[[str], None]] = []


def on_read(heard: Callable[[str], None]) -> None:
    """Let a function hear the name of each program that is read rather than compiled."""
    _listeners.append(heard)


def forget_all() -> None:
    """Give back the memory of all programs of this process; it reads them again where it needs them."""
    for each in _NAMED:
        each.clear_cache()
    jax.clear_caches()
    gc.collect()  # some refer to each other


def _kind(leaf: Any) -> tuple[Any, ...]:
    """What of an argument decides on the program."""
    if isinstance(leaf, bool | int | float):
        return ((), type(leaf).__name__)
    return (leaf.shape, leaf.dtype.str, getattr(leaf, "weak_type", False))


def _read(path: Path, n_leaves: int) -> Callable[..., Any] | None:
    """The program in a file, None where there is none that is whole and can be loaded."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    try:
        digest, data = stored[:32], stored[32:]
        if hashlib.sha256(data).digest() != digest:
            raise ValueError("cut off, or changed")
        _load_lapack()
        payload, shape = pickle.loads(data)
        trees = jax.tree.structure((tuple(range(n_leaves)), {})), jax.tree.structure(shape)
        loaded = serialize_executable.deserialize_and_load(payload, *trees, execution_devices=jax.local_devices()[:1])
    # Whatever is wrong with it, it can be compiled again.
    except Exception:
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):
        os.utime(path)  # what was not used for longest makes room
    return loaded


def _write(path: Path, compiled: Any) -> None:
    """Keep a program where it can be kept: there may be no room, or XLA may not know how to write it."""
    partial_path = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    try:
        payload, _, shape = serialize_executable.serialize(compiled)
        # Trees of JAX's own cannot be pickled, but named tuples can.
        data = pickle.dumps((payload, jax.tree.unflatten(shape, range(shape.num_leaves))))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_path.write_bytes(hashlib.sha256(data).digest() + data)
        partial_path.replace(path)
    except Exception:
        with suppress(OSError):
            partial_path.unlink()


def _compiled(path: Path, lowered: Any) -> Callable[..., Any]:
    """Compile a program and keep it."""
    with _not_kept_twice:
        compiled: Callable[..., Any] = lowered.compile()
    _write(path, compiled)
    return compiled


class _NotKeptTwice:
    """Keeps what is compiled meanwhile, by whatever thread, out of JAX's own cache."""

    _NAME = "jax_persistent_cache_min_compile_time_secs"

    def __init__(self) -> None:
        self._lock, self._within, self._usual = Lock(), 0, 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._within:
                self._usual = getattr(jax.config, self._NAME)
                jax.config.update(self._NAME, np.inf)
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                jax.config.update(self._NAME, self._usual)


_not_kept_twice = _NotKeptTwice()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE)


@cache
def _load_lapack() -> None:
    """Have JAX find the routines that programs call by address, as it does where it lowers the first of them."""
    jax.jit(jax.numpy.linalg.cholesky).lower(jax.numpy.eye(1))


@cache
def _options() -> dict[str, Any] | None:
    """What XLA is told, as far as it knows of it."""
    if jax.default_backend() != "cpu":
        return None
    known = {name: value for name, value in _OPTIONS.items() if _is_known(name, value)}
    return known or None


def _is_known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 1, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


@cache
def _surroundings() -> str:
    """What a program depends on beside its arguments: this package's sources, and what compiles and for what."""
    package = Path(spotcat.__file__).parent
    sources = [*package.glob("*.py"), *(path for room in ROOMS for path in (package / room).rglob("*.py"))]
    total = hashlib.sha256()
    for path in sorted(sources):
        total.update(f"{path.relative_to(package).as_posix()}\n".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    device = jax.local_devices()[0]
    about = device.device_kind, device.client.platform_version, _options()
    variables = [os.environ.get(name, "") for name in ("XLA_FLAGS", "NPROC", "JAX_DEFAULT_MATMUL_PRECISION")]
    return repr((spotcat.__version__, jax.__version__, total.hexdigest(), about, variables))
