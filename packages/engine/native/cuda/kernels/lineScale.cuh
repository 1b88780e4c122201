// The powers of two by which rows or columns of an operand in float16 are divided. Float16 has an exponent of five bits: so that nothing
// overflows and next to nothing vanishes, the largest magnitude of each line comes to lie between 2^14 and 2^15. A product multiplies its
// sums by the same powers, which rounds nothing; and no line knows of the others.
#pragma once
#include "../language.cuh"

/** The exponent, as a float has it, of the power of two by which a line is divided: its largest magnitude's less 14, where both powers are floats. */
static __device__ __forceinline__ Word lineExponent(float largest) {
	return static_cast<Word>(max(static_cast<int>(__float_as_uint(largest) >> 23) - 14, 1));
}
/** What a line's sums are multiplied by, and its numbers before. */
static __device__ __forceinline__ float lineScale(float largest) { return __uint_as_float(lineExponent(largest) << 23); }
static __device__ __forceinline__ float lineInverse(float largest) { return __uint_as_float((254 - lineExponent(largest)) << 23); }
