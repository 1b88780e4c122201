// What JavaScript gives to the module (instance.ts). The functions of <math.h> that kernels use are imports too:
// build-wasm.mjs lists them.
#pragma once

#define VULNTUNE_IMPORT(name) extern "C" __attribute__((import_module("env"), import_name(#name)))

// A clock that never runs back.
VULNTUNE_IMPORT(milliseconds) double milliseconds();
// Throws a JavaScript error of code RESOURCES: without C++ exceptions, it takes the place of std::bad_alloc.
VULNTUNE_IMPORT(outOfMemory) [[noreturn]] void outOfMemory();
