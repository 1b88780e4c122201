// Without a C library: the compiler turns these into instructions.
#pragma once
#include <stddef.h>

extern "C" {
void* memcpy(void* target, const void* source, size_t bytes);
void* memset(void* target, int value, size_t bytes);
}
