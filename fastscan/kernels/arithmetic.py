"""Arithmetic of single numbers for which numba has no function of its own.

`fma` rounds once, `reciprocal` is a fast 1 / x, `as_integer` and `as_float` show the bits of a number, and
`wide_vectors` allows a loop the processor's widest vectors.  Each works in compiled code, and as plain Python where
numba is switched off.  Everything here is float64 and dimensionless.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from fastscan.kernels.jit import jit

RECIPROCAL_BITS = 0x7FDE623822FC16E6  # this minus the bits of a number are the bits of about its reciprocal


def fma(a, b, c):
    """a b + c, rounded once.

    Kernels spell every fused operation out, because a compiler that may fuse does so where it likes, and results would
    depend on it.
    """
    return a * b + c  # without the compiler this rounds twice


def as_integer(x):
    """The bits of a float64, as an int64."""
    return np.float64(x).view(np.int64)


def as_float(bits):
    """The float64 that has the bits of an int64."""
    return np.int64(bits).view(np.float64)


def wide_vectors():
    """Let the loops of the function that calls this use all of AVX-512; LLVM's own choice is half of its width."""


@intrinsic
def _fma(context, a, b, c):
    return types.float64(a, b, c), lambda target, builder, signature, arguments: builder.fma(*arguments)


@intrinsic
def _as_integer(context, x):
    return types.int64(x), lambda target, builder, signature, arguments: builder.bitcast(*arguments, ir.IntType(64))


@intrinsic
def _as_float(context, bits):
    return types.float64(bits), lambda target, builder, signature, arguments: builder.bitcast(
        *arguments, ir.DoubleType()
    )


@intrinsic
def _wide_vectors(context):
    def generate(target, builder, signature, arguments):
        # llvmlite's own add() refuses attributes that are pairs of a name and a value
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return target.get_dummy_value()

    return types.none(), generate


# In compiled code each function above becomes the one instruction (or the attribute) of its intrinsic.
overload(fma, inline="always")(lambda a, b, c: lambda a, b, c: _fma(a, b, c))
overload(as_integer, inline="always")(lambda x: lambda x: _as_integer(x))
overload(as_float, inline="always")(lambda bits: lambda bits: _as_float(bits))
overload(wide_vectors, inline="always")(lambda: lambda: _wide_vectors())


@jit
def reciprocal(x):
    """1 / x of a positive number, to a relative 4e-16.

    A processor has one unit that divides, and a loop of divisions waits for it; multiplications don't.  The first
    guess y turns the sign of the exponent in the bits, which is right to 5 %.  With e = 1 - x y, the exact answer is
    y / (1 - e) = y (1 + e + e^2 + ...); the first step takes this series to e^3, and the second, with a new e, to e^2.
    """
    y = as_float(RECIPROCAL_BITS - as_integer(x))
    e = fma(-x, y, 1.0)
    y = fma(y, e, y)
    y = fma(y, e * e, y)
    e = fma(-x, y, 1.0)
    return fma(y, fma(e, e, e), y)
