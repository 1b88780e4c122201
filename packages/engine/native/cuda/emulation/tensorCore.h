// The instructions of tensorCore.cuh on the host, with the register layouts of the PTX manual (sections "Matrix fragments for
// mma.m16n8k16 with floating point type" and "... for mma.m16n8k8"): what a kernel gets wrong about a fragment comes out wrong here too.
#pragma once

using SharedAddress = std::uintptr_t;
static inline SharedAddress sharedAddress(const void* pointer) { return reinterpret_cast<SharedAddress>(pointer); }

/** Four 8 × 8 matrices of 16-bit numbers; thread i gives the address of row i mod 8 of matrix i div 8. */
static inline void loadMatrices(Word (&fragment)[4], SharedAddress row, bool transposed) {
	if (row % 16 != 0) emulation::fail("ldmatrix: a row is not aligned to 16 bytes");
	emulation::Exchange own{};
	own.words[0] = row;
	const emulation::Exchange* all = emulation::exchange(own);
	const unsigned lane = threadIdx.x & 31u;
	const auto element = [all](unsigned matrix, unsigned r, unsigned c) -> Word {
		return reinterpret_cast<const Half*>(all[8 * matrix + r].words[0])[c];
	};
	for (unsigned matrix = 0; matrix < 4; matrix++) {
		const unsigned r = lane / 4, c = lane % 4 * 2;
		const Word low = transposed ? element(matrix, c, r) : element(matrix, r, c);
		const Word high = transposed ? element(matrix, c + 1, r) : element(matrix, r, c + 1);
		fragment[matrix] = low | (high << 16);
	}
	emulation::exchange({});
}

static inline void multiplyBfloat16(float (&sum)[4], const Word (&a)[4], Word b0, Word b1) {
	emulation::Exchange own{};
	own.words[0] = a[0] | (static_cast<std::uint64_t>(a[1]) << 32);
	own.words[1] = a[2] | (static_cast<std::uint64_t>(a[3]) << 32);
	own.words[2] = b0 | (static_cast<std::uint64_t>(b1) << 32);
	const emulation::Exchange* all = emulation::exchange(own);
	const unsigned lane = threadIdx.x & 31u;
	const unsigned group = lane / 4, inGroup = lane % 4;
	const auto half = [](std::uint64_t words, unsigned index) {
		return __uint_as_float(static_cast<Word>(static_cast<Half>(words >> (16 * index))) << 16);
	};
	float left[2][16], right[2][16];
	for (unsigned k = 0; k < 16; k++) {
		const unsigned holder = k % 8 / 2, upper = k / 8, odd = k % 2;
		for (unsigned i = 0; i < 2; i++) {
			// A: register 2 × (k ≥ 8) + (row ≥ 8); B: register k ≥ 8, column is the group
			left[i][k] = half(all[4 * group + holder].words[upper], 2 * i + odd);
			right[i][k] = half(all[4 * (2 * inGroup + i) + holder].words[2], 2 * upper + odd);
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 16; k++) sum[i] += left[i / 2][k] * right[i % 2][k];
	}
}

static inline void multiplyEightFloat16(float (&sum)[4], Word a0, Word a1, Word b) {
	emulation::Exchange own{};
	own.words[0] = a0 | (static_cast<std::uint64_t>(a1) << 32);
	own.words[1] = b;
	const emulation::Exchange* all = emulation::exchange(own);
	const unsigned lane = threadIdx.x & 31u;
	const unsigned group = lane / 4, inGroup = lane % 4;
	const auto half = [](std::uint64_t words, unsigned index) { return floatOfFloat16(static_cast<Half>(words >> (16 * index))); };
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 8; k++) {
			// A: register row ≥ 8, row is the group; B: row is k, column is the group
			const float left = half(all[4 * group + k / 2].words[0], 2 * (i / 2) + k % 2);
			const float right = half(all[4 * (2 * inGroup + i % 2) + k / 2].words[1], k % 2);
			sum[i] += left * right;
		}
	}
}

static inline void copyAsync(SharedAddress target, const void* source, bool there) {
	emulation::copyLater(reinterpret_cast<void*>(target), source, there ? 16 : 0);
}
static inline void commitCopies() { emulation::commitCopies(); }
template <int groupsLeft>
static inline void waitForCopies() {
	emulation::waitForCopies(groupsLeft);
}
