// What the functions of a driver answer, and why the stand-in refused.
#pragma once
#include <cstdlib>
#include <string>
#include <utility>

namespace emulation {
using Result = int;
constexpr Result success = 0, invalidValue = 1, outOfMemory = 2, notInitialized = 3, noDevice = 100, invalidDevice = 101,
				 invalidImage = 200, noBinary = 209, invalidPtx = 218, invalidContext = 201, invalidHandle = 400, notFound = 500, illegalAddress = 700,
				 launchFailed = 719, notSupported = 801;

/** Why the last call was refused. */
inline std::string fault;
inline Result refuse(Result result, std::string why) {
	fault = std::move(why);
	return result;
}

/** A number of the environment. */
inline long setting(const char* name, long otherwise) {
	const char* text = std::getenv(name);
	return text == nullptr ? otherwise : std::atol(text);
}

/** How often the host waited for the card, or asked for what may make it wait. */
inline int waits = 0;
}  // namespace emulation
