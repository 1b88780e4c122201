// A linear layer with its adapter as JavaScript describes it to kernels that take several: all numbers.
#pragma once
#include "weights.h"

namespace vulntune::ISA {

struct LayerDescription {
	double outputs;
	double storage;
	double data;
	double scales;
	double codebook;
	double y;
	double rank;  // 0: no adapter
	double h;
	double a;
	double b;
	double scale;
	double seed;
	double stream;
	double probability;
};

template <typename Pointer>
inline Pointer addressOf(double number) {
	return reinterpret_cast<Pointer>(static_cast<uintptr_t>(number));
}

// The frozen matrix of a layer, [outputs, inputs].
inline Matrix weightOf(const LayerDescription& layer, int64_t inputs) {
	return {
		static_cast<Storage>(layer.storage), addressOf<const void*>(layer.data), addressOf<const float*>(layer.scales),
		addressOf<const float*>(layer.codebook), inputs, 0};
}

}  // namespace vulntune::ISA
