// The frozen side of a matrix product: how its elements are stored, and how they become rows of float32 or bfloat16.
#pragma once
#include "../kernels.h"
#include "../simd.h"
#include "../bf16.h"
#include "transpose.h"

namespace vulntune::ISA {

constexpr int quantizationBlock = 64;

// A row-major matrix whose rows are `columns` long, starting `first` elements after the stored one's beginning: rows
// of a quantised matrix can then be taken apart although blocks run across them.
struct Matrix {
	Storage storage;
	const void* data;
	const float* scales;
	const float* codebook;
	int64_t columns;
	int64_t first;

	Matrix fromRow(int64_t row) const {
		Matrix part = *this;
		part.first += row * columns;
		return part;
	}
};

// GCC drops calls of functions that do nothing but ask for memory.
#define PREFETCHING inline __attribute__((always_inline))

// Asks for elements [column, column + count) of a row, to lie in the second-level cache when they are read.
PREFETCHING void prefetchRow(const Matrix& m, int64_t row, int64_t column, int64_t count) {
	constexpr int cacheLineBytes = 64;
	const int bits = m.storage == Storage::f32 ? 32
		: m.storage == Storage::bf16 || m.storage == Storage::f16 ? 16
		: m.storage == Storage::table4 ? 4
								 : 8;
	const int64_t flat = m.first + row * m.columns + column;
	const char* data = static_cast<const char*>(m.data);
	const char* end = data + (flat + count) * bits / 8;
	for (const char* line = data + flat * bits / 8; line < end; line += cacheLineBytes) __builtin_prefetch(line, 0, 2);
}

inline Matrix denseMatrix(const float* data, int64_t columns) {
	return Matrix{Storage::f32, data, nullptr, nullptr, columns, 0};
}

// Codes of 4 bits, the first of a byte in its high half.
inline int nibble(const uint8_t* codes, int64_t flat) {
	return flat & 1 ? codes[flat >> 1] & 15 : codes[flat >> 1] >> 4;
}

// ── pieces of one block, with one scale ────────────────────────────────────────────────────────────────────────

inline void table4Piece(const uint8_t* codes, int64_t flat, int length, const float* codebook, float scale, float* out) {
	int i = 0;
#if defined(SIMD_AVX512)
	if ((flat & 1) == 0) {
		const vf table = load(codebook) * splat(scale);
		for (; i + 32 <= length; i += 32) {
			const vi bytes =
				_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + ((flat + i) >> 1))));
			const vf even = _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table);
			const vf odd = _mm512_permutexvar_ps(bytes, table);
			store(out + i, interleaveLow(even, odd));
			store(out + i + W, interleaveHigh(even, odd));
		}
	}
#elif defined(SIMD_AVX2)
	if ((flat & 1) == 0) {
		const vf low = load(codebook) * splat(scale);
		const vf high = load(codebook + 8) * splat(scale);
		const auto lookUp = [&](vi index) {
			return _mm256_blendv_ps(
				_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index),
				_mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
		};
		for (; i + 16 <= length; i += 16) {
			const vi bytes =
				_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + ((flat + i) >> 1))));
			const vf even = lookUp(_mm256_srli_epi32(bytes, 4));
			const vf odd = lookUp(bytes);
			store(out + i, interleaveLow(even, odd));
			store(out + i + W, interleaveHigh(even, odd));
		}
	}
#endif
	for (; i < length; i++) out[i] = codebook[nibble(codes, flat + i)] * scale;
}

inline void table8Piece(const uint8_t* codes, int length, const float* codebook, float scale, float* out) {
	for (int i = 0; i < length; i++) out[i] = codebook[codes[i]] * scale;
}

// Calls piece(flat, offset, length, scale) for the parts of [flat, flat + length) that lie in one block each.
template <typename Piece>
inline void forEachBlock(int64_t flat, int64_t length, const float* scales, const Piece& piece) {
	for (int64_t done = 0; done < length;) {
		const int64_t at = flat + done;
		const int64_t part = minimum<int64_t>(length - done, quantizationBlock - at % quantizationBlock);
		piece(at, done, static_cast<int>(part), scales[at / quantizationBlock]);
		done += part;
	}
}

// ── rows ───────────────────────────────────────────────────────────────────────────────────────────────────────

// out[0 … length - 1] = elements (row, column), (row, column + 1), …
inline void decodeRow(const Matrix& m, int64_t row, int64_t column, int64_t length, float* out) {
	const int64_t flat = m.first + row * m.columns + column;
	int64_t i = 0;
	switch (m.storage) {
		case Storage::f32:
			memcpy(out, static_cast<const float*>(m.data) + flat, length * sizeof(float));
			return;
		case Storage::bf16: {
			const auto* p = static_cast<const uint16_t*>(m.data) + flat;
			for (; i + W <= length; i += W) store(out + i, loadBf16(p + i));
			for (; i < length; i++) out[i] = bf16ToFloat(p[i]);
			return;
		}
		case Storage::f16: {
			const auto* p = static_cast<const uint16_t*>(m.data) + flat;
			for (; i + W <= length; i += W) store(out + i, loadF16(p + i));
			for (; i < length; i++) out[i] = f16ToFloat(p[i]);
			return;
		}
		case Storage::table4: {
			const auto* codes = static_cast<const uint8_t*>(m.data);
			forEachBlock(flat, length, m.scales, [&](int64_t at, int64_t offset, int part, float scale) {
				table4Piece(codes, at, part, m.codebook, scale, out + offset);
			});
			return;
		}
		case Storage::table8: {
			const auto* codes = static_cast<const uint8_t*>(m.data);
			forEachBlock(flat, length, m.scales, [&](int64_t at, int64_t offset, int part, float scale) {
				table8Piece(codes + at, part, m.codebook, scale, out + offset);
			});
			return;
		}
		case Storage::int8: {
			const auto* codes = static_cast<const int8_t*>(m.data) + flat;
			const float scale = m.scales[(m.first / m.columns) + row];
			for (; i < length; i++) out[i] = static_cast<float>(codes[i]) * scale;
			return;
		}
	}
}

#if defined(SIMD_BF16)

inline void table4PieceBf16(
	const uint8_t* codes, int64_t flat, int length, const float* codebook, float scale, uint16_t* out) {
	int i = 0;
	if ((flat & 1) == 0) {
		const __m256i half = roundToBf16(load(codebook) * splat(scale));
		// Both halves hold the table, so that the fifth bit of an index does not matter.
		const vi table = _mm512_broadcast_i64x4(half);
		for (; i + 32 <= length; i += 32) {
			const vi bytes =
				_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + ((flat + i) >> 1))));
			const vi index = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(bytes, 16));
			_mm512_storeu_si512(out + i, _mm512_permutexvar_epi16(index, table));
		}
	}
	for (; i < length; i++) out[i] = floatToBf16(codebook[nibble(codes, flat + i)] * scale);
}

// The same elements, rounded to bfloat16.
inline void decodeRow(const Matrix& m, int64_t row, int64_t column, int64_t length, uint16_t* out) {
	const int64_t flat = m.first + row * m.columns + column;
	if (m.storage == Storage::bf16) {
		memcpy(out, static_cast<const uint16_t*>(m.data) + flat, length * sizeof(uint16_t));
		return;
	}
	if (m.storage == Storage::table4) {
		const auto* codes = static_cast<const uint8_t*>(m.data);
		forEachBlock(flat, length, m.scales, [&](int64_t at, int64_t offset, int part, float scale) {
			table4PieceBf16(codes, at, part, m.codebook, scale, out + offset);
		});
		return;
	}
	constexpr int chunk = 256;
	float values[chunk];
	for (int64_t done = 0; done < length; done += chunk) {
		const int part = static_cast<int>(minimum<int64_t>(chunk, length - done));
		decodeRow(m, row, column + done, part, values);
		storeBf16(out + done, values, part);
	}
}

#endif

}  // namespace vulntune::ISA
