"""Arithmetic of single numbers for which numba has no function of its own.

`fma` rounds once, and `wide_vectors` allows a loop the processor's widest vectors.  Both work in compiled code, and as
plain Python where numba is switched off.  Everything here is float64 and dimensionless.
"""

from numba import types
from numba.extending import intrinsic, overload


def fma(a, b, c):
    """a b + c, rounded once.

    Kernels spell every fused operation out: a compiler that may fuse operations chooses them itself, and results would
    depend on its choice.
    """
    return a * b + c  # without the compiler this rounds twice


def wide_vectors():
    """Let the loops of the function that calls this use all of AVX-512; LLVM's own choice is half of its width."""


@intrinsic
def _fma(context, a, b, c):
    return types.float64(a, b, c), lambda target, builder, signature, arguments: builder.fma(*arguments)


@intrinsic
def _wide_vectors(context):
    def generate(target, builder, signature, arguments):
        # llvmlite's own add() refuses attributes that are pairs of a name and a value
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return target.get_dummy_value()

    return types.none(), generate


# In compiled code each function above becomes the one instruction (or the attribute) of its intrinsic.
@overload(fma, inline="always")
def _fma_of_numbers(a, b, c):
    if all(isinstance(kind, types.Number) for kind in (a, b, c)):
        return lambda a, b, c: _fma(a, b, c)


overload(wide_vectors, inline="always")(lambda: lambda: _wide_vectors())
