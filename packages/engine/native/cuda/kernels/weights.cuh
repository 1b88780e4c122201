// How the elements of a matrix are stored, and what each is worth.
#pragma once
#include "../language.cuh"

/** The order of `storages` in the backend's weights.ts. */
enum Storage { storageF32, storageBf16, storageF16, storageTable4, storageTable8, storageInt8 };

/** Elements of the flat matrix that share a scale. */
constexpr int scaleBlock = 64;

struct Weight {
	const void* data;
	const float* scales;
	const float* codebook;
	int storage;
	int columns;
};

/** Element `index` of the flat matrix. A code times its scale is rounded to float32, as everyone who makes such files does. */
static __device__ __forceinline__ float valueOf(const Weight& weight, Count index) {
	switch (weight.storage) {
		case storageF32: return static_cast<const float*>(weight.data)[index];
		case storageBf16: return floatOfBfloat16(static_cast<const Half*>(weight.data)[index]);
		case storageF16: return floatOfFloat16(static_cast<const Half*>(weight.data)[index]);
		case storageTable4: {
			const Byte pair = static_cast<const Byte*>(weight.data)[index / 2];
			return weight.codebook[index % 2 == 0 ? pair >> 4 : pair & 15] * weight.scales[index / scaleBlock];
		}
		case storageTable8: {
			return weight.codebook[static_cast<const Byte*>(weight.data)[index]] * weight.scales[index / scaleBlock];
		}
		default: {
			return static_cast<float>(static_cast<const SignedByte*>(weight.data)[index]) * weight.scales[index / weight.columns];
		}
	}
}
