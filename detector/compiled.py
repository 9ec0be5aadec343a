"""Compiled kernels: loops over columns, compiled once per machine, loaded without the compiler.

A kernel is a plain function in a ``*_kernel.py`` module, written for numba. Importing numba costs half a second to
two (with and without byte code), loading a finished object file a few milliseconds, so a kernel is compiled ahead of
its first call, its object code is kept in the user's cache folder, and later runs link that object and call it
directly. Only this module imports ``*_kernel`` modules, and only when an object is missing: kernels are declared, with
the types of their arguments, by whoever calls them. ``ctypes`` drops the interpreter lock for the length of a call, so
two threads can run two kernels.

A kernel must not raise, must not allocate, and must not depend on the alignment or contiguity of what it is given:
arrays are C-contiguous or refused.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_dir

from detector.compiling import Code, njit, object_code

__all__ = ["Array", "Bound", "Kernel", "Scalar", "compile_declared", "njit", "prepare"]

_PACKAGE = Path(__file__).parent


class Array(NamedTuple):
    """An argument that is a C-contiguous array of ``ndim`` dimensions of one numpy dtype."""

    dtype: npt.DTypeLike
    ndim: int = 1


class Scalar(NamedTuple):
    """An argument that is one number: ``"i8"``, ``"u8"`` or ``"f8"``."""

    code: str


_SCALARS: dict[str, Any] = {"i8": ctypes.c_int64, "u8": ctypes.c_uint64, "f8": ctypes.c_double}


class Kernel:
    """One compiled function, declared as ``Kernel("package.module_kernel:function", [arguments], returns)``.

    Args:
        target: module and function, ``detector.formats.text_kernel:scan``.
        arguments: one :class:`Array` or :class:`Scalar` a parameter.
        returns: ``"i8"``, ``"f8"`` or ``""`` for nothing.

    Calling it takes as many numpy arrays and numbers and returns a Python number or None. Raises ``TypeError`` where an
    array has another dtype, dimension or memory order than declared, ``RuntimeError`` where the kernel itself failed.
    """

    def __init__(self, target: str, arguments: Sequence[Array | Scalar], returns: str = "i8") -> None:
        self.target = target
        self.arguments = [Array(np.dtype(a.dtype), a.ndim) if isinstance(a, Array) else a for a in arguments]
        self.returns = returns
        self._function: Any = None

    @property
    def name(self) -> str:
        """Module and function without the package's name: what the object file is called."""
        return self.target.removeprefix("detector.").replace(":", ".")

    def load(self) -> None:
        """Links the kernel, compiling it first where the cache has no object of these sources for this machine."""
        if self._function is None:
            if under_way := _UNDER_WAY.get(self):
                under_way.join()
            code = _read(self) or _compile(self)
            self._function = _link(self, code)

    def __call__(self, *values: Any) -> Any:
        return self.bind(*values)()

    def bind(self, *values: Any) -> Bound:
        """The call with these arguments, to be made as often as wanted: passing thirty arrays takes longer than judging
        a hundred rows."""
        if self._function is None:
            self.load()
        return Bound(self, self._function, values)


class Bound:
    """A kernel with its arguments; leading numbers may be given anew at each call."""

    def __init__(self, kernel: Kernel, function: Any, values: Sequence[Any]) -> None:
        self._kernel = kernel
        self._function = function
        self._values = values  # keeps the arrays alive
        self._result = _SCALARS[kernel.returns or "i8"]()
        self._failure = ctypes.c_void_p()
        self._flat: list[Any] = [ctypes.addressof(self._result), ctypes.addressof(self._failure)]
        for declared, value in zip(kernel.arguments, values, strict=True):
            if isinstance(declared, Array):
                _append_array(self._flat, kernel, declared, value)
            else:
                self._flat.append(value)

    def __call__(self, *numbers: float) -> Any:
        self._flat[2 : 2 + len(numbers)] = numbers
        if self._function(*self._flat) not in (0, -2):  # -2 is numba's "returned None"
            raise RuntimeError(f"kernel {self._kernel.name} failed")
        return self._result.value if self._kernel.returns else None


def prepare(names: Sequence[str], wait: bool = True) -> int:
    """Compiles what the cache has no objects for, one process a kernel and as many at a time as there are processors.

    Args:
        names: where kernels are declared, ``"detector.evidence.judge:JUDGE"``, the slowest to compile first.
        wait: until all are compiled; else each kernel's first call waits for its own, and this process may compile
            meanwhile what nobody could foresee: the scanner of the log's format.

    Returns how many were missing. A compiler that fails here is not an error: the kernel's first call tries again and
    says why.
    """
    missing = [name for name in names if not _object_path(_declared(name)).exists()]
    if len(missing) < 2 and wait:
        return len(missing)  # the first call compiles a single one just as fast
    places = threading.BoundedSemaphore(os.cpu_count() or 1)
    threads = [threading.Thread(target=_compile_apart, args=(name, places), daemon=True) for name in missing]
    for name, thread in zip(missing, threads, strict=True):
        thread.start()
        _UNDER_WAY[_declared(name)] = thread
    for thread in threads if wait else ():
        thread.join()
    return len(missing)


_UNDER_WAY: dict[Kernel, threading.Thread] = {}


def _compile_apart(name: str, places: threading.BoundedSemaphore) -> None:
    program = "import sys; from detector.compiled import compile_declared; compile_declared(sys.argv[1])"
    with places:
        subprocess.run([sys.executable, "-c", program, name], check=False, capture_output=True)


def compile_declared(name: str) -> None:
    """Compiles the kernel declared at ``module:NAME`` into the cache."""
    _compile(_declared(name))


def _declared(name: str) -> Kernel:
    module, _, attribute = name.partition(":")
    kernel: Kernel = getattr(importlib.import_module(module), attribute)
    return kernel


def _append_array(flat: list[Any], kernel: Kernel, declared: Array, value: npt.NDArray[Any]) -> None:
    """Appends an array the way numba passes it: owner, parent, items, item size, data, shape, strides."""
    if value.dtype != declared.dtype or value.ndim != declared.ndim or not value.flags.c_contiguous:
        order = "C" if value.flags.c_contiguous else "strided"
        raise TypeError(
            f"kernel {kernel.name} takes {declared.ndim}-d C arrays of {declared.dtype}, "
            f"got {value.ndim}-d {order} of {value.dtype}"
        )
    flat += (None, None, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)


def _c_types(kernel: Kernel) -> list[Any]:
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    kinds: list[Any] = [pointer, pointer]
    for declared in kernel.arguments:
        if isinstance(declared, Array):
            kinds += [pointer, pointer, integer, integer, pointer, *[integer] * (2 * declared.ndim)]
        else:
            kinds.append(_SCALARS[declared.code])
    return kinds


@cache
def cache_folder() -> Path:
    """The folder of this machine's objects: one for each state of the rooms with kernels, numba, Python and processor.

    ``DETECTOR_KERNEL_CACHE`` names another root; ``DETECTOR_KERNEL_CPU`` compiles for a named processor.
    """
    import llvmlite
    import llvmlite.binding as llvm

    digest = hashlib.blake2b(digest_size=10)
    rooms = {path.parent for path in _PACKAGE.rglob("*_kernel.py")}
    for path in sorted(path for room in rooms for path in room.glob("*.py")):
        digest.update(path.read_bytes())  # not the kernels alone: the constants they import are compiled into them
    cpu = os.environ.get("DETECTOR_KERNEL_CPU") or llvm.get_host_cpu_name()
    digest.update(f"{llvmlite.__version__} {sys.version_info[:2]} {cpu} {sys.platform}".encode())
    root = os.environ.get("DETECTOR_KERNEL_CACHE") or str(Path(user_cache_dir("detector")) / "kernels")
    return Path(root) / digest.hexdigest()


def _object_path(kernel: Kernel) -> Path:
    shape = hashlib.blake2b(repr((kernel.arguments, kernel.returns)).encode(), digest_size=6).hexdigest()
    return cache_folder() / f"{kernel.name}.{shape}.o"


def _read(kernel: Kernel) -> Code | None:
    try:
        data = _object_path(kernel).read_bytes()
    except OSError:
        return None
    check, _, rest = data.partition(b"\n")
    if check != hashlib.blake2b(rest, digest_size=16).hexdigest().encode():
        return None  # torn by a crash or a full disk: compile anew
    head, _, machine = rest.partition(b"\n")
    symbol, *needs = head.decode().split(" ")
    return Code(symbol, needs, machine)


def _write(kernel: Kernel, code: Code) -> None:
    rest = " ".join([code.symbol, *code.needs]).encode() + b"\n" + code.machine
    path = _object_path(kernel)
    scratch = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(hashlib.blake2b(rest, digest_size=16).hexdigest().encode() + b"\n" + rest)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)  # a read-only home costs the next start its compile time, nothing else


def _compile(kernel: Kernel) -> Code:
    code = object_code(kernel.target, lambda numba: [_numba_type(numba, argument) for argument in kernel.arguments])
    _write(kernel, code)
    return code


def _numba_type(numba: Any, argument: Array | Scalar) -> Any:
    if isinstance(argument, Scalar):
        return {"i8": numba.types.int64, "u8": numba.types.uint64, "f8": numba.types.float64}[argument.code]
    return numba.types.Array(numba.from_dtype(np.dtype(argument.dtype)), argument.ndim, "C")


@cache
def _engine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


@cache
def _symbol_address(name: str) -> int:
    """Address of a C function the object refers to; the interpreter's own wrapper code is never called, so whatever
    is missing there may point anywhere."""
    for library in (ctypes.CDLL(None), ctypes.CDLL(ctypes.util.find_library("m"))):
        function = getattr(library, name, None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value or 0
    return ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value or 0


def _link(kernel: Kernel, code: Code) -> Any:
    import llvmlite.binding as llvm

    for name in code.needs:
        llvm.add_symbol(name, _symbol_address(name))
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.machine))
    engine.finalize_object()
    address = engine.get_function_address(code.symbol)
    if not address:
        raise RuntimeError(f"kernel {kernel.name}: its object file has no function {code.symbol}")
    return ctypes.CFUNCTYPE(ctypes.c_int32, *_c_types(kernel))(address)
