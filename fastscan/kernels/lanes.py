"""Lanes: several float64 numbers side by side in one vector register, each of another point or another bin.

`lanes_of` reads them from a line of an array and `put_lanes` writes them back.  + - * / and `fma`, `root`,
`where_above`, `logarithm` and `exponential` work on all lanes at once, so that no lane depends on the others; `total`
and `largest` combine all lanes into a number.  A plain number beside lanes stands for equal lanes.  A compiler turns a
loop into vectors where it sees that it may, and then keeps sums in memory; a kernel that is written with lanes keeps
them in registers.  Where numba is switched off, lanes are arrays.
"""

import math
import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, overload, register_model

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import jit

LANES = 8  # float64 in a register of AVX-512, or two of AVX2
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INTEGERS = ir.VectorType(ir.IntType(64), LANES)
SQRT_HALF = 0.7071067811865476
MANTISSA, EXPONENT_OF_ONE, MANTISSA_BITS = 0x000FFFFFFFFFFFFF, 1023, 52
SMALLEST_MANTISSA = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has 32 bits, their sum all
LOG2_E = 1.44269504088896338700
LEAST_POWER, LARGEST_POWER = -708.0, 709.0  # e to a power between these is neither subnormal nor infinite
TO_INTEGER = 6755399441055744.0  # 1.5 2^52: adding it to a number rounds the number to an integer


class Lanes(types.Type):
    """numba's type of lanes."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


lanes_type = Lanes()
OPERANDS = Lanes, types.Number


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, VECTOR)


def _spread(builder, number):
    """A vector of equal numbers."""
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    nowhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, one, nowhere)


def _constant(number):
    return ir.Constant(INTEGERS, [number] * LANES)


def _as_vector(context, builder, value, kind):
    if isinstance(kind, Lanes):
        return value
    return _spread(builder, context.cast(builder, value, kind, types.float64))


def _operate(symbol, instruction):
    """Let an operator of Python work on lanes, and on lanes and numbers, by an instruction of LLVM."""

    @infer_global(symbol)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            if any(isinstance(kind, Lanes) for kind in args) and all(isinstance(kind, OPERANDS) for kind in args):
                return signature(lanes_type, *args)

    def lower(context, builder, signed, arguments):
        one, other = (_as_vector(context, builder, *each) for each in zip(arguments, signed.args, strict=True))
        return getattr(builder, instruction)(one, other)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(symbol, *kinds)(lower)
    return Template


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
    (operator.iadd, "fadd"),
    (operator.isub, "fsub"),
    (operator.imul, "fmul"),
):
    _operate(_symbol, _instruction)


def lanes_of(array, line):
    """The lanes in a line of an array of shape (lines, LANES)."""
    return array[line].copy()


def put_lanes(array, line, value):
    """Write lanes to a line of an array of shape (lines, LANES)."""
    array[line] = value


def number_at(array, place):
    """A number of an array of shape (any,); the place is never negative, so that compiled code needs no check."""
    return array[place]


def write_lanes(array, first, value):
    """Write lanes to an array of shape (any,) of float64 or float32, from place `first` on."""
    array[first : first + LANES] = value


def spread(number):
    """Lanes that are all equal to a number."""
    return np.full(LANES, number)


def root(x):
    """Square root."""
    return np.sqrt(x)


def where_above(x, y, one, other):
    """In each lane: one where x > y, else other; a nan in x or y takes the other."""
    return np.where(x > y, one, other)


def largest(x):
    """The largest of all lanes, as a number; a nan is ignored."""
    return np.fmax.reduce(x)


def lane_of(x, lane):
    """One of the lanes, as a number."""
    return x[lane]


def exponent(x):
    """The exponents e of positive numbers m 2^e with m from sqrt(1/2) to sqrt(2)."""
    half, e = np.frexp(x)
    return np.where(half < SQRT_HALF, e - 1.0, e)


def mantissa(x):
    """The mantissas m of positive numbers m 2^e with m from sqrt(1/2) to sqrt(2)."""
    half, _ = np.frexp(x)
    return np.where(half < SQRT_HALF, 2.0 * half, half)


def times_power_of_two(x, e):
    """x 2^e for integers e; the result must be neither subnormal nor infinite."""
    return np.ldexp(x, e.astype(int))


def _place(context, builder, kind, array, line):
    """Pointer to a line of an array."""
    data = context.make_array(kind)(context, builder, array).data
    first = builder.mul(line, ir.IntType(64)(LANES))
    return builder.bitcast(builder.gep(data, [first]), VECTOR.as_pointer())


@intrinsic
def _lanes_of(context, array, line):
    def generate(target, builder, signed, arguments):
        index = target.cast(builder, arguments[1], signed.args[1], types.intp)
        return builder.load(_place(target, builder, signed.args[0], arguments[0], index), align=8)

    return lanes_type(array, line), generate


@intrinsic
def _put_lanes(context, array, line, value):
    def generate(target, builder, signed, arguments):
        index = target.cast(builder, arguments[1], signed.args[1], types.intp)
        vector = _as_vector(target, builder, arguments[2], signed.args[2])
        builder.store(vector, _place(target, builder, signed.args[0], arguments[0], index), align=8)
        return target.get_dummy_value()

    return types.none(array, line, value), generate


@intrinsic
def _number_at(context, array, place):
    def generate(target, builder, signed, arguments):
        data = target.make_array(signed.args[0])(target, builder, arguments[0]).data
        return builder.load(builder.gep(data, [target.cast(builder, arguments[1], signed.args[1], types.intp)]))

    return array.dtype(array, place), generate


@intrinsic
def _write_lanes(context, array, first, value):
    def generate(target, builder, signed, arguments):
        data = target.make_array(signed.args[0])(target, builder, arguments[0]).data
        place, number = builder.gep(data, [arguments[1]]), arguments[2]
        if signed.args[0].dtype == types.float32:
            number = builder.fptrunc(number, ir.VectorType(ir.FloatType(), LANES))
        builder.store(number, builder.bitcast(place, number.type.as_pointer()), align=4)
        return target.get_dummy_value()

    return types.none(array, types.intp, value), generate


@intrinsic
def _spread_number(context, number):
    return lanes_type(number), lambda target, builder, signed, arguments: _as_vector(
        target, builder, arguments[0], signed.args[0]
    )


@intrinsic
def _root(context, x):
    def generate(target, builder, signed, arguments):
        name = f"llvm.sqrt.v{LANES}f64"
        function = get_or_insert_function(builder.module, ir.FunctionType(VECTOR, [VECTOR]), name)
        return builder.call(function, arguments)

    return lanes_type(x), generate


@intrinsic
def _fma(context, a, b, c):
    def generate(target, builder, signed, arguments):
        each = [_as_vector(target, builder, *both) for both in zip(arguments, signed.args, strict=True)]
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        return builder.call(get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f64"), each)

    return lanes_type(a, b, c), generate


@intrinsic
def _where_above(context, x, y, one, other):
    def generate(target, builder, signed, arguments):
        x, y, one, other = (_as_vector(target, builder, *each) for each in zip(arguments, signed.args, strict=True))
        return builder.select(builder.fcmp_ordered(">", x, y), one, other)

    return lanes_type(x, y, one, other), generate


@intrinsic
def _largest(context, x):
    def generate(target, builder, signed, arguments):
        lanes = [builder.extract_element(arguments[0], ir.IntType(32)(lane)) for lane in range(LANES)]
        found = ir.DoubleType()(-math.inf)
        for each in lanes:
            found = builder.select(builder.fcmp_ordered(">", each, found), each, found)
        return found

    return types.float64(x), generate


@intrinsic
def _lane_of(context, x, lane):
    def generate(target, builder, signed, arguments):
        return builder.extract_element(arguments[0], target.cast(builder, arguments[1], signed.args[1], types.int32))

    return types.float64(x, lane), generate


def _shifted(builder, x):
    """The bits of numbers m 2^e, shifted such that the bits of the exponent hold e."""
    offset = (EXPONENT_OF_ONE << MANTISSA_BITS) - SMALLEST_MANTISSA
    return builder.add(builder.bitcast(x, INTEGERS), _constant(offset))


@intrinsic
def _exponent(context, x):
    def generate(target, builder, signed, arguments):
        shifted = builder.lshr(_shifted(builder, arguments[0]), _constant(MANTISSA_BITS))
        return builder.sitofp(builder.sub(shifted, _constant(EXPONENT_OF_ONE)), VECTOR)

    return lanes_type(x), generate


@intrinsic
def _mantissa(context, x):
    def generate(target, builder, signed, arguments):
        bits = builder.and_(_shifted(builder, arguments[0]), _constant(MANTISSA))
        return builder.bitcast(builder.add(bits, _constant(SMALLEST_MANTISSA)), VECTOR)

    return lanes_type(x), generate


@intrinsic
def _times_power_of_two(context, x, e):
    def generate(target, builder, signed, arguments):
        # the last bits of e + TO_INTEGER are the integer e; the shift keeps as many of them as an exponent has
        beside = builder.bitcast(builder.fadd(arguments[1], ir.Constant(VECTOR, [TO_INTEGER] * LANES)), INTEGERS)
        moved = builder.shl(beside, _constant(MANTISSA_BITS))
        return builder.bitcast(builder.add(builder.bitcast(arguments[0], INTEGERS), moved), VECTOR)

    return lanes_type(x, e), generate


overload(lanes_of)(lambda array, line: lambda array, line: _lanes_of(array, line))
overload(put_lanes)(lambda array, line, value: lambda array, line, value: _put_lanes(array, line, value))
overload(number_at)(lambda array, place: lambda array, place: _number_at(array, place))
overload(write_lanes)(lambda array, first, value: lambda array, first, value: _write_lanes(array, first, value))
overload(spread)(lambda number: lambda number: _spread_number(number))


@overload(fma)
def _fma_of_lanes(a, b, c):
    if any(isinstance(kind, Lanes) for kind in (a, b, c)):
        return lambda a, b, c: _fma(a, b, c)


overload(root)(lambda x: lambda x: _root(x))
overload(where_above)(lambda x, y, one, other: lambda x, y, one, other: _where_above(x, y, one, other))
overload(largest)(lambda x: lambda x: _largest(x))
overload(lane_of)(lambda x, lane: lambda x, lane: _lane_of(x, lane))
overload(exponent)(lambda x: lambda x: _exponent(x))
overload(mantissa)(lambda x: lambda x: _mantissa(x))
overload(times_power_of_two)(lambda x, e: lambda x, e: _times_power_of_two(x, e))


@jit
def empty_lanes(lines):
    """An array of shape (lines, LANES), aligned such that each line is one 64-byte line of the processor's cache."""
    numbers = np.empty((lines + 1) * LANES)
    first = -(numbers.ctypes.data // 8) % LANES
    return numbers[first : first + lines * LANES].reshape((lines, LANES))


@jit
def logarithm(x):
    """The natural logarithm of positive numbers that are not subnormal, to a relative 4e-16.

    With x = m 2^e and m within a factor sqrt 2 of 1, ln m = 2 atanh(s) of s = (m - 1) / (m + 1), |s| < 0.172, whose
    series ends where its terms are below rounding.
    """
    e, m = exponent(x), mantissa(x)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = fma(square, 2.0 / 19.0, 2.0 / 17.0)
    for term in (15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        series = fma(square, series, 2.0 / term)
    return fma(e, LOG_2_HIGH, fma(2.0, s, fma(s * square, series, e * LOG_2_LOW)))


@jit
def exponential(x):
    """exp(x), to a relative 4e-16; 0 where it would be subnormal, and exp(709) where it would be infinite.

    With x = e ln 2 + r and an integer e, |r| < 0.347; the series of exp(r) ends where its terms are below rounding.
    """
    within = where_above(x, LEAST_POWER, where_above(LARGEST_POWER, x, x, LARGEST_POWER), LEAST_POWER)
    e = fma(within, LOG2_E, TO_INTEGER) - TO_INTEGER
    r = fma(e, -LOG_2_LOW, fma(e, -LOG_2_HIGH, within))
    series = spread(1.0)
    for term in (13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        series = fma(r * series, 1.0 / term, 1.0)
    return where_above(x, LEAST_POWER, times_power_of_two(series, e), 0.0)


@jit
def total(x):
    """The sum of all lanes, as a number."""
    fours = (lane_of(x, 0) + lane_of(x, 4), lane_of(x, 1) + lane_of(x, 5), lane_of(x, 2) + lane_of(x, 6))
    return (fours[0] + fours[2]) + (fours[1] + (lane_of(x, 3) + lane_of(x, 7)))
