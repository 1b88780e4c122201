// Cross-entropy over a vocabulary that arrives in chunks of columns: logits [rows, columns] of the classes
// firstColumn … firstColumn + columns - 1.
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

// Per row the largest logit so far, Σ e^(logit - largest), and the logit of the target once its chunk came by. The
// first chunk starts them.
static void crossEntropyChunk(
	Pool& pool,
	float* largestLogit,
	float* sums,
	float* targetLogit,
	const float* logits,
	const int32_t* targets,
	int64_t rows,
	int64_t firstColumn,
	int64_t columns) {
	forRows(pool, rows, columns, [=](int64_t row) {
		const float* z = logits + row * columns;
		vf greatest = splat(firstColumn == 0 ? z[0] : largestLogit[row]);
		forVectors(0, columns, [&](int64_t i, auto n) {
			// A partial vector is filled up with its first logit.
			vf value = splat(z[i]);
			memcpy(&value, z + i, n * sizeof(float));
			greatest = max(greatest, value);
		});
		const float top = largest(greatest);
		vf total = zero();
		int64_t i = 0;
		for (; i + W <= columns; i += W) total = total + exponential(load(z + i) - splat(top));
		float rest[W] = {};
		store(rest, exponential(load(z + i, static_cast<int>(columns - i)) - splat(top)));
		float chunk = sum(total);
		for (int64_t lane = 0; lane < columns - i; lane++) chunk += rest[lane];
		if (firstColumn == 0) {
			sums[row] = chunk;
		} else {
			sums[row] = sums[row] * static_cast<float>(__builtin_exp(largestLogit[row] - top)) + chunk;
		}
		largestLogit[row] = top;
		const int64_t column = targets[row] - firstColumn;
		if (column >= 0 && column < columns) targetLogit[row] = z[column];
	});
}

// Turns the state that the chunks left into losses and logSumExp, in place: largestLogit becomes logSumExp and
// targetLogit the loss. Rows whose target is -100 lose nothing.
static void crossEntropyEnd(
	Pool& pool, float* largestLogit, const float* sums, float* targetLogit, const int32_t* targets, int64_t rows) {
	forRows(pool, rows, 64, [=](int64_t row) {
		const double logSumExp = largestLogit[row] + __builtin_log(static_cast<double>(sums[row]));
		largestLogit[row] = static_cast<float>(logSumExp);
		targetLogit[row] = targets[row] == -100 ? 0.0f : static_cast<float>(logSumExp - targetLogit[row]);
	});
}

// logits ← dLosses · (e^(logit - logSumExp) - [column is the target]); 0 in rows whose target is -100.
static void crossEntropyChunkBackward(
	Pool& pool,
	float* logits,
	const float* logSumExp,
	const float* dLosses,
	const int32_t* targets,
	int64_t rows,
	int64_t firstColumn,
	int64_t columns) {
	forRows(pool, rows, columns, [=](int64_t row) {
		float* z = logits + row * columns;
		const bool ignored = targets[row] == -100;
		const vf factor = splat(dLosses[row]);
		const vf shift = splat(logSumExp[row]);
		forVectors(0, columns, [=](int64_t i, auto n) {
			store(z + i, ignored ? zero() : factor * exponential(load(z + i, n) - shift), n);
		});
		const int64_t column = targets[row] - firstColumn;
		if (column >= 0 && column < columns) z[column] -= dLosses[row];
	});
}

}  // namespace vulntune::ISA
