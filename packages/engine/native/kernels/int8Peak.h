// The most products in 8 bits that this instruction set can do, in registers alone: the limit of int8Matmul.h.
#pragma once
#include "../pool.h"
#include "int8Dot.h"

namespace vulntune::ISA {

// Independent sums, enough to hide the latency of one step behind the others.
constexpr int int8PeakSums = 12;

__attribute__((noinline)) static int32_t int8PeakLoop(int64_t steps, int32_t factor) {
	CodeWords sums[int8PeakSums];
	const CodeWords b = splatWord(factor);
	UNROLL for (int i = 0; i < int8PeakSums; i++) {
		sums[i] = splatWord(factor + i);
	}
	for (int64_t step = 0; step < steps; step++) {
		// Each sum is multiplied, not only added to: products of constants would move out of the loop.
		UNROLL for (int i = 0; i < int8PeakSums; i++) sums[i] = dotCodes(sums[i], sums[i], b);
	}
	int32_t lanes[W];
	int32_t total = 0;
	UNROLL for (int i = 0; i < int8PeakSums; i++) {
		storeWords(lanes, sums[i]);
		total ^= lanes[0];
	}
	return total;
}

// Runs `tasks` loops of `steps` each on all threads and returns the operations that took, a multiply-add being two.
static double int8Peak(Pool& pool, int64_t tasks, int64_t steps) {
	pool.reserve(static_cast<size_t>(tasks) * sizeof(int32_t), 0);
	auto* results = static_cast<int32_t*>(pool.shared());
	pool.run(tasks, [&](int64_t task, int) { results[task] = int8PeakLoop(steps, static_cast<int32_t>(task + 3)); });
	return 2.0 * codesPerStep * W * int8PeakSums * static_cast<double>(steps) * static_cast<double>(tasks);
}

}  // namespace vulntune::ISA
