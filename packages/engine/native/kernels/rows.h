// Rows of embedding tables: gathered, and their gradients added back.
#pragma once
#include "copy.h"
#include "loops.h"

namespace vulntune::ISA {

template <typename Source, typename S>
inline void gather(
	Pool& pool, float* y, const S* table, const int32_t* rows, int64_t count, int64_t width) {
	forRows(pool, count, width, [=](int64_t row) {
		const S* from = table + rows[row] * width;
		float* to = y + row * width;
		int64_t i = 0;
		for (; i + W <= width; i += W) store(to + i, Source::decode(from + i));
		if (i == width) return;
		S rest[W] = {};
		memcpy(rest, from + i, (width - i) * sizeof(S));
		store(to + i, Source::decode(rest), static_cast<int>(width - i));
	});
}

static void gatherRowsF32(
	Pool& pool, float* y, const float* table, const int32_t* rows, int64_t count, int64_t width) {
	gather<F32>(pool, y, table, rows, count, width);
}

static void gatherRowsBf16(
	Pool& pool, float* y, const uint16_t* table, const int32_t* rows, int64_t count, int64_t width) {
	gather<Bf16>(pool, y, table, rows, count, width);
}

static void gatherRowsF16(
	Pool& pool, float* y, const uint16_t* table, const int32_t* rows, int64_t count, int64_t width) {
	gather<F16>(pool, y, table, rows, count, width);
}

// table[rows[i]] += y[i] in ascending i: threads share the columns, not the rows.
static void scatterAddRows(
	Pool& pool, float* table, const float* y, const int32_t* rows, int64_t count, int64_t width) {
	inPieces(pool, width, columnsPerTask, [=](int64_t begin, int64_t end) {
		for (int64_t row = 0; row < count; row++) {
			float* to = table + rows[row] * width;
			const float* from = y + row * width;
			forVectors(begin, end, [=](int64_t i, auto n) { store(to + i, load(to + i, n) + load(from + i, n), n); });
		}
	});
}

}  // namespace vulntune::ISA
