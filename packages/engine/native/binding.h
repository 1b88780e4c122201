// Turns C++ functions of numbers and pointers into JavaScript functions. Addresses travel as JavaScript numbers:
// user-space addresses stay below 2^53, and reading a number costs nanoseconds where a BigInt allocates.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

namespace vulntune {

template <typename T>
T fromJs(napi_env env, napi_value value) {
	double number = 0;
	if (napi_get_value_double(env, value, &number) != napi_ok) {
		// Booleans are the only other thing that kernels take.
		bool flag = false;
		napi_get_value_bool(env, value, &flag);
		number = flag ? 1 : 0;
	}
	if constexpr (std::is_pointer_v<T>) {
		return reinterpret_cast<T>(static_cast<uintptr_t>(number));
	} else if constexpr (std::is_same_v<T, bool>) {
		return number != 0;
	} else {
		return static_cast<T>(number);
	}
}

template <typename T>
napi_value toJs(napi_env env, T value) {
	double number;
	if constexpr (std::is_pointer_v<T>) {
		number = static_cast<double>(reinterpret_cast<uintptr_t>(value));
	} else {
		number = static_cast<double>(value);
	}
	napi_value result = nullptr;
	napi_create_double(env, number, &result);
	return result;
}

template <auto function>
struct Binding;

// What went wrong in C++ arrives in JavaScript as an error with a code: RESOURCES for memory, else NATIVE.
template <typename Function>
napi_value guarded(napi_env env, Function&& function) {
	try {
		return function();
	} catch (const std::bad_alloc&) {
		napi_throw_error(env, "RESOURCES", "out of memory");
	} catch (const std::exception& error) {
		napi_throw_error(env, "NATIVE", error.what());
	}
	return nullptr;
}

template <typename Result, typename... Arguments, Result (*function)(Arguments...)>
struct Binding<function> {
	static napi_value call(napi_env env, napi_callback_info info) {
		return apply(env, info, std::index_sequence_for<Arguments...>());
	}

private:
	template <size_t... I>
	static napi_value apply(napi_env env, napi_callback_info info, std::index_sequence<I...>) {
		constexpr size_t count = sizeof...(Arguments);
		napi_value values[count + 1];
		size_t given = count;
		napi_get_cb_info(env, info, &given, values, nullptr, nullptr);
		if (given < count) {
			napi_throw_type_error(env, "NATIVE", "too few arguments");
			return nullptr;
		}
		return guarded(env, [&]() -> napi_value {
			if constexpr (std::is_void_v<Result>) {
				function(fromJs<Arguments>(env, values[I])...);
				return nullptr;
			} else {
				return toJs(env, function(fromJs<Arguments>(env, values[I])...));
			}
		});
	}
};

}  // namespace vulntune
