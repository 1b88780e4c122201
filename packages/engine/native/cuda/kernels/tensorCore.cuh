// The instructions behind products on tensor cores, as small functions, so that the emulation can stand in for each.
#pragma once
#include "../language.cuh"

#ifdef VULNTUNE_EMULATION
#include "../emulation/tensorCore.h"
#elif defined(BFLOAT16_TENSOR_CORES) || defined(FLOAT16_TENSOR_CORES)
/** Of shared memory, as its instructions take it. */
using SharedAddress = Word;
static __device__ __forceinline__ SharedAddress sharedAddress(const void* pointer) {
	return static_cast<Word>(__cvta_generic_to_shared(pointer));
}

/** Four 8 × 8 matrices of 16-bit numbers; thread i gives the address of row i mod 8 of matrix i div 8. */
static __device__ __forceinline__ void loadMatrices(Word (&fragment)[4], SharedAddress row, bool transposed) {
	if (transposed) {
		asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
					 : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
					 : "r"(row)
					 : "memory");
	} else {
		asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
					 : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
					 : "r"(row)
					 : "memory");
	}
}

#ifdef FLOAT16_TENSOR_CORES
/** sum [16, 8] += a [16, 8] · b [8, 8], float32 sums of float16 products: the largest that Turing has. */
static __device__ __forceinline__ void multiplyEightFloat16(float (&sum)[4], Word a0, Word a1, Word b) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
				 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
				 : "r"(a0), "r"(a1), "r"(b));
}
#endif

#ifdef BFLOAT16_TENSOR_CORES
/** sum [16, 8] += a [16, 16] · b [16, 8], float32 sums of bfloat16 products. */
static __device__ __forceinline__ void multiplyBfloat16(float (&sum)[4], const Word (&a)[4], Word b0, Word b1) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
				 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/** 16 bytes to shared memory while the threads go on; zeros where the source is not there. */
static __device__ __forceinline__ void copyAsync(SharedAddress target, const void* source, bool there) {
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(there ? 16 : 0)
				 : "memory");
}
static __device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int groupsLeft>
static __device__ __forceinline__ void waitForCopies() {
	asm volatile("cp.async.wait_group %0;" ::"n"(groupsLeft) : "memory");
}
#endif
#endif

#ifdef FLOAT16_TENSOR_CORES
/** The same as multiplyBfloat16 of float16: the fragments of 16 of the depth are those of 8 twice. */
static __device__ __forceinline__ void multiplyFloat16(float (&sum)[4], const Word (&a)[4], Word b0, Word b1) {
	multiplyEightFloat16(sum, a[0], a[1], b0);
	multiplyEightFloat16(sum, a[2], a[3], b1);
}
#endif
