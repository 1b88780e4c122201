// Kernels of Hopper (compute capability 9.0a) alone: a module that such cards load beside the other.
#pragma once
#include "kernels/groupProduct.cuh"
