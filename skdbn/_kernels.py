"""Level 0: the ``kernel`` decorator and the scalar functions that kernels are made of.

Kernels see arrays and scalars only, finish buffers in place and call nothing outside
this module and their own. They are compiled once per dtype and cached on disk. With
``NUMBA_DISABLE_JIT=1`` everything here is plain Python, which is how the small cases of
the test suite run under a debugger.

The exponential, the logarithm and what is made of them are polynomials for float32,
because LLVM does not vectorise calls of the C library, and the C library's own functions
for float64, where accuracy is what the caller asked for.
"""

import math

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable

# error_model="numpy" removes the check for division by zero that prevents vectorisation;
# "reassoc" lets sums run in vector registers. NaN and infinity keep their meaning.
_OPTIONS = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}
# Without "reassoc", for functions whose rounding is part of the method.
_AS_WRITTEN = {"error_model": "numpy", "fastmath": {"contract", "nsz"}}


def kernel(function):
    """Compile a function of arrays and scalars, cached on disk, without the GIL."""
    try:
        return numba.njit(cache=True, nogil=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder that can be written to: compiled in each process
        return numba.njit(nogil=True, **_OPTIONS)(function)


# ---------------------------------------------------------------------------------------
# exp, log, sigmoid, softplus
# ---------------------------------------------------------------------------------------
@intrinsic
def _float32_of_bits(typingctx, bits):
    """Reinterpret an int32 as a float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@intrinsic
def _bits_of_float32(typingctx, value):
    """Reinterpret a float32 as an int32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


def exp(x):
    """Exponential, for float32 to 1e-7 of its value and with x clipped to [-87, 88]."""
    return np.exp(min(max(x, np.float32(-87)), np.float32(88)) if x.itemsize == 4 else x)


def log(x):
    """Natural logarithm of a positive normal number, for float32 to 2e-7 of its value."""
    return np.log(x)


@overload(exp, jit_options=_AS_WRITTEN)
def _exp_overload(x):
    if x != types.float32:
        return lambda x: np.exp(x)

    one, half = np.float32(1), np.float32(0.5)
    low, high = np.float32(-87), np.float32(88)
    log2e = np.float32(1.44269504)
    # ln 2 in two parts, so that x - n ln 2 is exact (Cody & Waite 1980).
    ln2_high, ln2_low = np.float32(0.693359375), np.float32(-2.12194440e-4)
    c0, c1, c2, c3, c4 = np.array(
        [1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665796e-2, 1.6666665e-1], np.float32
    )
    bias, shift = np.int32(127), np.int32(23)

    def exp_float32(x):  # Cephes expf: degree-5 polynomial on [-ln2/2, ln2/2]
        # NaN falls through both comparisons and comes out as NaN.
        clipped = low if x < low else (high if x > high else x)
        n = np.floor(clipped * log2e + half)
        r = clipped - n * ln2_high - n * ln2_low
        p = ((((c0 * r + c1) * r + c2) * r + c3) * r + c4) * r + half
        return (p * r * r + r + one) * _float32_of_bits((np.int32(n) + bias) << shift)

    return exp_float32


@overload(log, jit_options=_OPTIONS)
def _log_overload(x):
    if x != types.float32:
        return lambda x: np.log(x)

    one, half, two = np.float32(1), np.float32(0.5), np.float32(2)
    sqrt2 = np.float32(1.41421356)
    ln2 = np.float32(0.69314718)
    c3, c5, c7, c9 = np.array([1 / 3, 1 / 5, 1 / 7, 1 / 9], np.float32)
    mantissa, exponent_one = np.int32(0x007FFFFF), np.int32(0x3F800000)
    bias, shift, largest = np.int32(127), np.int32(23), np.float32(3.4028235e38)

    def log_float32(x):  # log m = 2 artanh((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2)
        bits = _bits_of_float32(x)
        n = np.float32((bits >> shift) - bias)
        m = _float32_of_bits((bits & mantissa) | exponent_one)
        large = m > sqrt2
        m = m * half if large else m
        n = n + one if large else n
        s = (m - one) / (m + one)
        q = s * s
        result = n * ln2 + two * s * (one + q * (c3 + q * (c5 + q * (c7 + q * c9))))
        return result if x <= largest else x  # infinity and NaN

    return log_float32


@register_jitable(**_OPTIONS)
def sigmoid(x):
    """Logistic function 1 / (1 + exp(-x))."""
    one = _one_like(x)
    return one / (one + exp(-x))


def softplus(x):
    """``log(1 + exp(x))`` without overflow; for float32 to 1e-7, absolute."""
    return max(x, x.dtype.type(0)) + np.log1p(np.exp(-abs(x)))


@overload(softplus, jit_options=_OPTIONS)
def _softplus_overload(x):
    if x != types.float32:
        return lambda x: max(x, 0.0) + np.log1p(np.exp(-abs(x)))

    zero, one = np.float32(0), np.float32(1)
    return lambda x: max(x, zero) + log(one + exp(-abs(x)))


def _one_like(x):
    """The number 1 in the type of x, so that float32 is not promoted to float64."""
    return type(x)(1)


@overload(_one_like)
def _one_like_overload(x):
    one = np.float32(1) if x == types.float32 else np.float64(1)
    return lambda x: one


# ---------------------------------------------------------------------------------------
# counter-based random numbers
# ---------------------------------------------------------------------------------------
# "Squares" of B. Widynski (2020), arXiv:2004.06278, 32-bit output, four rounds. The n-th
# number is a function of the key and of n alone: nothing to lock, nothing to checkpoint
# but an integer, the same numbers on any number of threads. It passes BigCrush and
# PractRand, and, being 64-bit multiplications only, it vectorises, as Philox does not.
def squares32(counter, key):
    """The 32 random bits number ``counter`` of the stream ``key``, both below 2**64."""
    mask = 0xFFFFFFFFFFFFFFFF
    counter, key = int(counter), int(key)
    y = (counter * key) & mask
    z = (y + key) & mask
    x = (y * y + y) & mask
    x = (x >> 32) | (x << 32) & mask
    x = (x * x + z) & mask
    x = (x >> 32) | (x << 32) & mask
    x = (x * x + y) & mask
    x = (x >> 32) | (x << 32) & mask
    return ((x * x + z) & mask) >> 32


@overload(squares32, jit_options=_OPTIONS)
def _squares32_overload(counter, key):
    half = np.uint64(32)

    def squares32_uint64(counter, key):
        y = counter * key
        z = y + key
        x = y * y + y
        x = (x >> half) | (x << half)
        x = x * x + z
        x = (x >> half) | (x << half)
        x = x * x + y
        x = (x >> half) | (x << half)
        return (x * x + z) >> half

    return squares32_uint64


@register_jitable(**_OPTIONS)
def uniform(counter, key):
    """A float32 uniform on the 2**24 multiples of 2**-24 in [0, 1)."""
    # Through int32: vector units convert signed integers, and 24 bits are exact.
    return np.float32(np.int32(squares32(counter, key) >> np.uint64(8))) * np.float32(
        2**-24
    )


@register_jitable(**_OPTIONS)
def normal(counter, key):
    """A standard normal float64 from the bits of two counters (Box & Muller 1958)."""
    radius = (np.float64(squares32(counter, key)) + 0.5) * 2.0**-32
    angle = np.float64(squares32(counter + np.uint64(1), key)) * 2.0**-32
    return math.sqrt(-2.0 * math.log(radius)) * math.cos(2.0 * math.pi * angle)


# ---------------------------------------------------------------------------------------
# what units, activations and losses have in common
# ---------------------------------------------------------------------------------------
@kernel
def logistic(z, bias):
    """Turn pre-activations without bias into their logistic function, in place."""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = sigmoid(z[i, j] + bias[j])


@kernel
def softmax_row(row, bias):
    """Softmax of one row of pre-activations in place; returns its log normaliser."""
    top = row[0] + bias[0]
    for j in range(row.size):
        row[j] += bias[j]
        top = max(top, row[j])
    total = row.dtype.type(0)
    for j in range(row.size):
        total += exp(row[j] - top)
    log_total = top + log(total)
    for j in range(row.size):
        row[j] = exp(row[j] - log_total)
    return log_total
