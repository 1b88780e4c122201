// Which instruction sets this machine and its operating system offer, and the table of kernels for each.
#pragma once
#include "kernels.h"

namespace vulntune {

struct InstructionSet {
	const char* name;
	const Kernels* kernels;
	bool supported;
	// Test-only levels are never chosen unless asked for by name.
	bool automatic;
};

// Best first; ends with a null name.
const InstructionSet* instructionSets();

}  // namespace vulntune
