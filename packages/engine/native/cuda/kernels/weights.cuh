// How the elements of a matrix are stored, and what each is worth.
#pragma once
#include "../language.cuh"

/** The order of `storages` in the backend's weights.ts. */
enum Storage { storageF32, storageBf16, storageF16, storageTable4, storageTable8, storageInt8 };

/** Elements of the flat matrix that share a scale. */
constexpr int scaleBlock = 64;

/** Scales that share one in their turn. */
constexpr int nestedBlock = 256;

/** Scales of blocks as they are, or in 8 bits where there are `codes` (Dettmers et al. 2023): then `values` are those of the scales. */
struct Scales {
	const float* values;
	const Byte* codes;
	const float* map;
	float offset;
};

/** The scale of a block, rounded as restoreAbsmax of double-quantization.ts rounds it. */
static __device__ __forceinline__ float scaleOf(const Scales& scales, Count block) {
	if (scales.codes == nullptr) return scales.values[block];
	return roundedProduct(scales.map[scales.codes[block]], scales.values[block / nestedBlock]) + scales.offset;
}

struct Weight {
	const void* data;
	Scales scales;
	const float* codebook;
	int storage;
	int columns;
};

/** A matrix of a float type. */
static __device__ __forceinline__ Weight denseOf(const void* data, int storage, int columns) {
	return {data, {nullptr, nullptr, nullptr, 0.0f}, nullptr, storage, columns};
}

/** Element `index` of the flat matrix. A code times its scale is rounded to float32, as everyone who makes such files does. */
static __device__ __forceinline__ float valueOf(const Weight& weight, Count index) {
	switch (weight.storage) {
		case storageF32: return static_cast<const float*>(weight.data)[index];
		case storageBf16: return floatOfBfloat16(static_cast<const Half*>(weight.data)[index]);
		case storageF16: return floatOfFloat16(static_cast<const Half*>(weight.data)[index]);
		case storageTable4: {
			const Byte pair = static_cast<const Byte*>(weight.data)[index / 2];
			return weight.codebook[index % 2 == 0 ? pair >> 4 : pair & 15] * scaleOf(weight.scales, index / scaleBlock);
		}
		case storageTable8: {
			return weight.codebook[static_cast<const Byte*>(weight.data)[index]] * scaleOf(weight.scales, index / scaleBlock);
		}
		default: {
			return static_cast<float>(static_cast<const SignedByte*>(weight.data)[index]) * scaleOf(weight.scales, index / weight.columns);
		}
	}
}

/** A weight as kernels take it. The backend's weights.ts has the same order. */
#define WEIGHT_PARAMETERS const void *data, const float *scales, const Byte *scaleCodes, const float *scaleMap, float scaleOffset, const float *codebook, int storage
#define WEIGHT_OF(columns) \
	Weight { data, {scales, scaleCodes, scaleMap, scaleOffset}, codebook, storage, columns }
