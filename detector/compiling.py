"""Kernels to object code: numba finds the types and lowers, LLVM optimises once.

Left to itself numba runs all of LLVM's passes over every helper of a kernel, together with whatever that one calls, and
makes machine code of each: a helper six calls deep is optimised seven times. Of all this only the kernel's own machine
code is wanted. So the libraries numba makes of helpers are left as lowered, and the kernel's, into which they are all
linked, goes through the passes once: two fifths of the time.

That reaches into numba's code generator (`numba.core.codegen`), which promises nothing. Where it looks different from
what is expected here, numba compiles in its own way.
"""

from __future__ import annotations

import gc
import importlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

# LLVM lowers its log and exp intrinsics to calls of the C library that no declaration in the source shows.
_LIBM = ("exp", "log", "log1p", "pow", "sqrt", "floor", "ceil")
_ENVIRONMENT = {
    # No kernel here has a loop that vectorizes; looking for one took a fifth of the compile time.
    "NUMBA_LOOP_VECTORIZE": "0",
    "NUMBA_SLP_VECTORIZE": "0",
    # Overloads that do not fit are errors to numba, thousands of them; each would be painted before it is thrown away.
    "NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING": "1",
}
_LOCK = threading.Lock()


class Code(NamedTuple):
    """A kernel's object code, the function in it, and the C functions it refers to."""

    symbol: str
    needs: list[str]
    machine: bytes


def njit(function: Any) -> Any:
    """Decorates a helper that kernels call. Divisions follow IEEE instead of raising; arrays are not counted
    references of; and no wrappers for calls from the interpreter are made, which cost a sixth of the compile time."""
    import numba

    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    return numba.njit(error_model="numpy", boundscheck=False, **options)(function)


def object_code(target: str, types: Callable[[Any], Sequence[Any]]) -> Code:
    """Compiles ``package.module:function``.

    Args:
        target: the kernel.
        types: makes numba's types of its arguments, from the module ``numba``.
    """
    cpu = os.environ.get("DETECTOR_KERNEL_CPU")
    if cpu:
        os.environ.setdefault("NUMBA_CPU_NAME", cpu)
        os.environ.setdefault("NUMBA_CPU_FEATURES", "")
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import numba

    module, _, function = target.partition(":")
    with _LOCK, _without_collector():
        dispatcher = njit(getattr(importlib.import_module(module), function))
        signature = tuple(types(numba))
        with _front_end() as machine_code:
            if machine_code is None:
                return _by_numba(dispatcher, signature)
            dispatcher.compile(signature)
            (compiled,) = dispatcher.overloads.values()
            machine = machine_code(compiled.library)
    return Code(compiled.fndesc.llvm_func_name, _needs(compiled.library), machine)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Types and code are trees that all stay: looking for garbage among them took a tenth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _front_end() -> Iterator[Callable[[Any], bytes] | None]:
    """While open, numba neither optimises nor emits what it compiles; gives what makes object code of a library, None
    where this numba is another."""
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    whole = getattr(codegen, "_library_class", None)
    expected = ("_optimize_final_module", "_finalize_specific", "_final_module", "get_pointer_to_function")
    probe = (
        whole(codegen, "probe") if whole is not None and not _lacks(codegen, "_add_module", "set_env", "_tm") else None
    )
    if whole is None or probe is None or _lacks(probe, *expected):
        yield None
        return

    class Part(whole):  # type: ignore[misc, valid-type]
        """What numba makes of one function: its text, with that of all it calls."""

        def _optimize_final_module(self) -> None: ...

        def _finalize_specific(self) -> None: ...

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            return 0  # nobody calls it: a wrapper for the interpreter was not asked for

    def machine_code(library: Any) -> bytes:
        whole._optimize_final_module(library)
        return bytes(codegen._tm.emit_object(library._final_module))

    own = {"_library_class": Part, "_add_module": lambda module: None, "set_env": lambda name, env: None}
    vars(codegen).update(own)
    try:
        yield machine_code
    finally:
        for name in own:
            del vars(codegen)[name]


def _lacks(thing: Any, *names: str) -> bool:
    return not all(hasattr(thing, name) for name in names)


def _by_numba(dispatcher: Any, signature: tuple[Any, ...]) -> Code:
    """The same in numba's own way."""
    dispatcher.enable_caching()  # makes numba keep the object code; where it would store it is never reached
    dispatcher._cache = _NoStore()
    dispatcher.compile(signature)
    (compiled,) = dispatcher.overloads.values()
    machine = bytes(compiled.library._get_compiled_object())
    return Code(compiled.fndesc.llvm_func_name, _needs(compiled.library), machine)


def _needs(library: Any) -> list[str]:
    """What a library declares and does not define."""
    declared = re.findall(r"^declare [^@]*@\"?([\w.$]+)\"?\(", library.get_llvm_str(), re.MULTILINE)
    return sorted({name for name in declared if not name.startswith("llvm.")} | set(_LIBM))


class _NoStore:
    """Stands where numba keeps its own index of compiled functions: nothing is found, nothing is stored."""

    def load_overload(self, *_: Any) -> None: ...

    def save_overload(self, *_: Any) -> None: ...

    def enable(self) -> None: ...
