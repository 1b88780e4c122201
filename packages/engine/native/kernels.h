// The table of kernels. Each instruction set is one translation unit (isa/*.cc) that compiles every kernel header
// inside a namespace of its own and exports one table; the addon calls through the table that fits the machine.
//
// A kernel is listed once, here: KERNEL(result, name, (parameters)). The addon makes a JavaScript function of that
// name from it, which takes the engine's handle and then the parameters after the pool as numbers: pointers as
// addresses, counts, factors and flags as themselves. The result is void or double.
#pragma once
#include <stdint.h>

#include "pool.h"

#define VULNTUNE_ELEMENTWISE_KERNELS(KERNEL)                                                                \
	KERNEL(void, fill, (Pool& pool, float* target, int64_t length, float value))                            \
	KERNEL(void, fillIntegers, (Pool& pool, int32_t* target, int64_t length, int32_t value))                \
	KERNEL(void, copyBytes, (Pool& pool, uint8_t* target, const uint8_t* source, int64_t bytes))            \
	KERNEL(void, bf16FromF32, (Pool& pool, uint16_t* target, const float* source, int64_t length))          \
	KERNEL(void, f16FromF32, (Pool& pool, uint16_t* target, const float* source, int64_t length))           \
	KERNEL(void, f32FromBf16, (Pool& pool, float* target, const uint16_t* source, int64_t length))          \
	KERNEL(void, f32FromF16, (Pool& pool, float* target, const uint16_t* source, int64_t length))           \
	KERNEL(void, f16FromBf16, (Pool& pool, uint16_t* target, const uint16_t* source, int64_t length))       \
	KERNEL(void, bf16FromF16, (Pool& pool, uint16_t* target, const uint16_t* source, int64_t length))       \
	KERNEL(void, add, (Pool& pool, float* sum, const float* a, const float* b, int64_t length))             \
	KERNEL(void, addScaled, (Pool& pool, float* target, const float* source, int64_t length, float factor)) \
	KERNEL(void, scale, (Pool& pool, float* target, int64_t length, float factor))                          \
	KERNEL(void, addBias,                                                                                   \
		(Pool& pool, float* y, const float* x, const float* bias, int64_t rows, int64_t width))             \
	KERNEL(void, biasBackward,                                                                              \
		(Pool& pool, float* dBias, bool accumulate, const float* dy, int64_t rows, int64_t width))          \
	KERNEL(void, scaleRows, (Pool& pool, float* x, const float* factor, int64_t rows, int64_t width))       \
	KERNEL(double, sumOfSquares, (Pool& pool, const float* x, int64_t length))                              \
	KERNEL(void, dropout,                                                                                   \
		(Pool& pool, float* y, const float* x, int64_t length, double seed, double stream, double           \
		probability))

#define VULNTUNE_NORM_KERNELS(KERNEL)                                                                      \
	KERNEL(void, rmsNorm,                                                                                  \
		(Pool& pool, float* y, float* rstd, const float* x, const float* weight, int64_t rows, int64_t     \
		width, double epsilon))                                                                            \
	KERNEL(void, rmsNormBackward,                                                                          \
		(Pool& pool, float* dx, bool accumulate, const float* x, const float* rstd, const float* weight,   \
		const float* dy, int64_t rows, int64_t width))                                                     \
	KERNEL(void, rmsNormWeightBackward,                                                                    \
		(Pool& pool, float* dWeight, bool accumulate, const float* x, const float* rstd, const float* dy,  \
		int64_t rows, int64_t width))                                                                      \
	KERNEL(void, layerNorm,                                                                                \
		(Pool& pool, float* y, float* mean, float* rstd, const float* x, const float* weight, const float* \
		bias, int64_t rows, int64_t width, double epsilon))                                                \
	KERNEL(void, layerNormBackward,                                                                        \
		(Pool& pool, float* dx, bool accumulate, const float* x, const float* mean, const float* rstd,     \
		const float* weight, const float* dy, int64_t rows, int64_t width))                                \
	KERNEL(void, layerNormWeightBackward,                                                                  \
		(Pool& pool, float* dWeight, bool accumulate, const float* x, const float* mean, const float*      \
		rstd, const float* dy, int64_t rows, int64_t width))

#define VULNTUNE_POSITION_KERNELS(KERNEL)                                                                  \
	KERNEL(void, rope,                                                                                     \
		(Pool& pool, float* y, const float* x, const float* cosine, const float* sine, int64_t rows,       \
		int64_t heads, int64_t headDim, int64_t half, bool inverse))

#define VULNTUNE_ATTENTION_KERNELS(KERNEL)                                                                 \
	KERNEL(void, attention,                                                                                \
		(Pool& pool, float* out, float* logSumExp, const float* q, const float* k, const float* v, const   \
		int32_t* segmentStarts, const int32_t* segmentParents, int64_t segments, int64_t heads, int64_t    \
		keyValueHeads, int64_t headDim, int64_t queryStride, int64_t keyStride, bool causal, int64_t       \
		window, float scale, bool bf16))                                                                   \
	KERNEL(void, attentionBackward,                                                                        \
		(Pool& pool, float* dq, float* dk, float* dv, const float* q, const float* k, const float* v,      \
		const float* out, const float* logSumExp, const float* dOut, const int32_t* segmentStarts, const   \
		int32_t* segmentParents, int64_t segments, int64_t heads, int64_t keyValueHeads, int64_t headDim,  \
		int64_t queryStride, int64_t keyStride, bool causal, int64_t window, float scale, bool bf16))

#define VULNTUNE_ACTIVATION_KERNELS(KERNEL)                                                          \
	KERNEL(void, swiglu, (Pool& pool, float* y, const float* gate, const float* up, int64_t length)) \
	KERNEL(void, swigluBackward,                                                                     \
		(Pool& pool, float* dGate, float* dUp, const float* dy, const float* gate, const float* up,  \
		int64_t length))                                                                             \
	KERNEL(void, activation, (Pool& pool, int kind, float* y, const float* x, int64_t length))       \
	KERNEL(void, activationBackward,                                                                 \
		(Pool& pool, int kind, float* dx, bool accumulate, const float* dy, const float* x, int64_t  \
		length))

#define VULNTUNE_ROW_KERNELS(KERNEL)                                                                       \
	KERNEL(void, gatherRowsF32,                                                                            \
		(Pool& pool, float* y, const float* table, const int32_t* rows, int64_t count, int64_t width))     \
	KERNEL(void, gatherRowsBf16,                                                                           \
		(Pool& pool, float* y, const uint16_t* table, const int32_t* rows, int64_t count, int64_t width))  \
	KERNEL(void, gatherRowsF16,                                                                            \
		(Pool& pool, float* y, const uint16_t* table, const int32_t* rows, int64_t count, int64_t width))  \
	KERNEL(void, scatterAddRows,                                                                           \
		(Pool& pool, float* table, const float* y, const int32_t* rows, int64_t count, int64_t width))     \
	KERNEL(void, meanOfRows,                                                                               \
		(Pool& pool, float* y, const float* x, const int32_t* ranges, int64_t functions, int64_t           \
		rangesPerFunction, int64_t width))                                                                 \
	KERNEL(void, meanOfRowsBackward,                                                                       \
		(Pool& pool, float* dx, const float* dy, const int32_t* ranges, int64_t functions, int64_t         \
		rangesPerFunction, int64_t width))                                                                 \
	KERNEL(void, maxOfRows,                                                                                \
		(Pool& pool, float* y, int32_t* argmax, const float* x, const int32_t* ranges, int64_t functions,  \
		int64_t rangesPerFunction, int64_t width))                                                         \
	KERNEL(void, maxOfRowsBackward,                                                                        \
		(Pool& pool, float* dx, const float* dy, const int32_t* argmax, int64_t functions, int64_t width))

#define VULNTUNE_LOSS_KERNELS(KERNEL)                                                                      \
	KERNEL(void, focalLoss,                                                                                \
		(Pool& pool, float* losses, float* probabilities, float* dLogits, const float* logits, const       \
		int32_t* labels, const float* weights, int64_t functions, int64_t classes, double gamma, bool      \
		detached))                                                                                         \
	KERNEL(void, focalOfNegLogP,                                                                           \
		(Pool& pool, float* losses, float* derivative, const float* negLogP, const float* weights, int64_t \
		rows, double gamma, bool detached))                                                                \
	KERNEL(void, crossEntropyChunk,                                                                        \
		(Pool& pool, float* largestLogit, float* sums, float* targetLogit, const float* logits, const      \
		int32_t* targets, int64_t rows, int64_t firstColumn, int64_t columns))                             \
	KERNEL(void, crossEntropyEnd,                                                                          \
		(Pool& pool, float* largestLogit, const float* sums, float* targetLogit, const int32_t* targets,   \
		int64_t rows))                                                                                     \
	KERNEL(void, crossEntropyChunkBackward,                                                                \
		(Pool& pool, float* logits, const float* logSumExp, const float* dLosses, const int32_t* targets,  \
		int64_t rows, int64_t firstColumn, int64_t columns))

#define VULNTUNE_OPTIMIZER_KERNELS(KERNEL)                                                               \
	KERNEL(void, adamW,                                                                                  \
		(Pool& pool, float* parameters, const float* gradients, float* firstMoment, float* secondMoment, \
		int64_t length, double beta1, double beta2, double epsilon, double keep, double stepSize, double \
		rootOfCorrection, double gradientScale))                                                         \
	KERNEL(void, adamW8bit,                                                                              \
		(Pool& pool, float* parameters, const float* gradients, uint8_t* firstCodes, float* firstAbsmax, \
		const float* firstCodebook, uint8_t* secondCodes, float* secondAbsmax, const float*              \
		secondCodebook, int64_t length, double beta1, double beta2, double epsilon, double keep, double  \
		stepSize, double rootOfCorrection, double gradientScale))

#define VULNTUNE_PRODUCT_KERNELS(KERNEL)                                                                           \
	KERNEL(void, matmulNT,                                                                                         \
		(Pool & pool, int64_t M, int64_t N, int64_t K, const float* x, Storage storage, const void* data,          \
			const float* scales, const float* codebook, float* y, bool bf16, float scale, bool accumulate))        \
	KERNEL(void, matmulNN,                                                                                         \
		(Pool & pool, int64_t M, int64_t N, int64_t K, const float* dy, Storage storage, const void* data,         \
			const float* scales, const float* codebook, float* dx, bool bf16, float scale, bool accumulate))       \
	KERNEL(void, matmulTN,                                                                                         \
		(Pool & pool, int64_t M, int64_t N, int64_t K, const float* dy, const float* x, float* dWeight, bool bf16, \
			float scale, bool accumulate))                                                                         \
	KERNEL(void, linearForward,                                                                                    \
		(Pool & pool, int64_t M, int64_t K, const float* x, int64_t count, const double* descriptions, bool bf16)) \
	KERNEL(void, linearBackward,                                                                                   \
		(Pool & pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx, float* dA,      \
			bool accumulateDA, float* dB, bool accumulateDB, const float* x, const float* h, const float* a,       \
			const float* b, const float* dy, Storage storage, const void* data, const float* scales,               \
			const float* codebook, float scale, bool bf16, double seed, double stream, double probability))

#define VULNTUNE_MATMUL_KERNELS(KERNEL)                                                                              \
	KERNEL(void, loraForward,                                                                                        \
		(Pool & pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* y, float* h, const float* x,             \
			const float* a, const float* b, float scale, bool bf16, double seed, double stream, double probability)) \
	KERNEL(void, loraBackward,                                                                                       \
		(Pool & pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx, float* dA,        \
			bool accumulateDA, float* dB, bool accumulateDB, const float* x, const float* h, const float* a,         \
			const float* b, const float* dy, float scale, bool bf16, double seed, double stream,                     \
			double probability))                                                                                     \
	KERNEL(void, dequantize,                                                                                         \
		(Pool & pool, int64_t N, int64_t K, Storage storage, const void* data, const float* scales,                  \
			const float* codebook, float* target))

#define VULNTUNE_QUANTIZE_KERNELS(KERNEL)                                                                        \
	KERNEL(double, quantizeTable4,                                                                              \
		(Pool& pool, uint8_t* packed, float* absmax, const float* codebook, Storage storage, const void* x,       \
		int64_t length))                                                                                          \
	KERNEL(void, table4Errors,                                                                                  \
		(Pool& pool, float* errors, const uint8_t* codes, const float* absmax, const float* codebook,             \
		Storage storage, const void* x, int64_t length))

// These alone are compiled once more for processors that multiply numbers of 8 bits.
#define VULNTUNE_INT8_KERNELS(KERNEL)                                                                        \
	KERNEL(void, int8MatmulNT,                                                                               \
		(Pool & pool, int64_t M, int64_t N, int64_t K, const float* x, Storage storage, const void* data,    \
			const float* scales, const float* codebook, float* y, float scale, bool accumulate))             \
	KERNEL(void, int8MatmulNN,                                                                               \
		(Pool & pool, int64_t M, int64_t N, int64_t K, const float* dy, Storage storage, const void* data,   \
			const float* scales, const float* codebook, float* dx, float scale, bool accumulate))            \
	KERNEL(void, int8LinearForward,                                                                          \
		(Pool & pool, int64_t M, int64_t K, const float* x, int64_t count, const double* descriptions))      \
	KERNEL(void, int8LinearBackward,                                                                         \
		(Pool & pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx,           \
			float* dA, bool accumulateDA, float* dB, bool accumulateDB, const float* x, const float* h,      \
			const float* a, const float* b, const float* dy, Storage storage, const void* data,              \
			const float* scales, const float* codebook, float scale, double seed, double stream,             \
			double probability))                                                                             \
	KERNEL(double, int8Peak, (Pool & pool, int64_t tasks, int64_t steps))

#define VULNTUNE_PEAK_KERNELS(KERNEL) KERNEL(double, peak, (Pool & pool, bool bf16, int64_t tasks, int64_t steps))

// These alone are compiled once more for processors that multiply tiles of bfloat16.
#define VULNTUNE_MATRIX_UNIT_KERNELS(KERNEL) \
	VULNTUNE_ATTENTION_KERNELS(KERNEL) \
	VULNTUNE_PRODUCT_KERNELS(KERNEL) \
	VULNTUNE_PEAK_KERNELS(KERNEL)

#define VULNTUNE_KERNELS(KERNEL) \
	VULNTUNE_ELEMENTWISE_KERNELS(KERNEL) \
	VULNTUNE_NORM_KERNELS(KERNEL) \
	VULNTUNE_POSITION_KERNELS(KERNEL) \
	VULNTUNE_ACTIVATION_KERNELS(KERNEL) \
	VULNTUNE_ROW_KERNELS(KERNEL) \
	VULNTUNE_LOSS_KERNELS(KERNEL) \
	VULNTUNE_OPTIMIZER_KERNELS(KERNEL) \
	VULNTUNE_MATMUL_KERNELS(KERNEL) \
	VULNTUNE_QUANTIZE_KERNELS(KERNEL) \
	VULNTUNE_INT8_KERNELS(KERNEL) \
	VULNTUNE_MATRIX_UNIT_KERNELS(KERNEL)

namespace vulntune {

// How the elements of a matrix are stored; the quantised layouts are those of QuantizedLayout in contract.ts.
enum class Storage : int32_t { f32, bf16, f16, table4, table8, int8 };

struct Kernels {
#define KERNEL(result, name, parameters) result(*name) parameters;
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
};

struct MatrixUnitKernels {
#define KERNEL(result, name, parameters) result(*name) parameters;
	VULNTUNE_MATRIX_UNIT_KERNELS(KERNEL)
#undef KERNEL
};

struct Int8Kernels {
#define KERNEL(result, name, parameters) result(*name) parameters;
	VULNTUNE_INT8_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune
