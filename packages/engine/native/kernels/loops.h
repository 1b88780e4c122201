// How kernels walk over elements and rows. Where one task ends and the next begins depends on the sizes alone, never
// on the number of threads.
#pragma once
#include "../pool.h"
#include "../simd.h"

namespace vulntune::ISA {

// Number of lanes of a whole vector, known when compiling; the rest of a row has an `int` of them.
struct AllLanes {
	constexpr operator int() const { return W; }
};

inline vf load(const float* p, AllLanes) { return load(p); }
inline vf load(const float* p, int n) { return loadPartial(p, n); }
inline void store(float* p, vf v, AllLanes) { store(p, v); }
inline void store(float* p, vf v, int n) { storePartial(p, v, n); }

// Calls body(i, n) for the vectors from `begin` to `end`, the last of which may be partial.
template <typename Body>
inline void forVectors(int64_t begin, int64_t end, Body&& body) {
	int64_t i = begin;
	for (; i + W <= end; i += W) body(i, AllLanes());
	if (i < end) body(i, static_cast<int>(end - i));
}

// Calls body(begin, end) for the pieces of 0 … length - 1, each `grain` long but the last, spread over threads.
template <typename Body>
inline void inPieces(Pool& pool, int64_t length, int64_t grain, Body&& body) {
	pool.run(divideUp(length, grain), [&](int64_t task, int) {
		body(task * grain, minimum(length, (task + 1) * grain));
	});
}

// Elements of one task: enough to hide what a task costs, few enough to spread over threads.
constexpr int64_t elementsPerTask = 16384;

// Calls body(i, n) for all vectors of a flat tensor, spread over threads.
template <typename Body>
inline void forElements(Pool& pool, int64_t length, Body&& body) {
	inPieces(pool, length, elementsPerTask, [&](int64_t begin, int64_t end) { forVectors(begin, end, body); });
}

// Calls body(row) for all rows of a matrix, spread over threads.
template <typename Body>
inline void forRows(Pool& pool, int64_t rows, int64_t width, Body&& body) {
	const int64_t grain = maximum<int64_t>(1, elementsPerTask / maximum<int64_t>(1, width));
	inPieces(pool, rows, grain, [&](int64_t begin, int64_t end) {
		for (int64_t row = begin; row < end; row++) body(row);
	});
}

// Columns of one task where rows are added up: whole cache lines, in few vectors.
constexpr int64_t columnsPerTask = 64;
constexpr int64_t rowsPerPartialSum = 64;

// result[column] (+)= Σ_row value(row, column, n) for a tensor of `rows` × `columns`. Rows are added up in groups and
// the groups in order, which loses less than one long sum.
template <typename Value>
inline void sumOverRows(
	Pool& pool, float* result, bool accumulate, int64_t rows, int64_t columns, Value&& value) {
	inPieces(pool, columns, columnsPerTask, [&](int64_t begin, int64_t end) {
		float total[columnsPerTask] = {};
		for (int64_t first = 0; first < rows; first += rowsPerPartialSum) {
			const int64_t last = minimum(rows, first + rowsPerPartialSum);
			float group[columnsPerTask] = {};
			for (int64_t row = first; row < last; row++) {
				forVectors(begin, end, [&](int64_t column, auto n) {
					float* sum = group + (column - begin);
					store(sum, load(sum) + value(row, column, n));
				});
			}
			forVectors(0, columnsPerTask, [&](int64_t i, auto) { store(total + i, load(total + i) + load(group + i)); });
		}
		forVectors(begin, end, [&](int64_t column, auto n) {
			vf sum = load(total + (column - begin));
			if (accumulate) sum = sum + load(result + column, n);
			store(result + column, sum, n);
		});
	});
}

}  // namespace vulntune::ISA
