// The door between JavaScript and the kernels. The addon may be loaded by several threads of one process; each
// has its engines, and one kernel runs at a time, so that two pools never fight for the cores.
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>

#include "binding.h"
#include "cpu.h"
#include "memory.h"
#include "pool.h"

namespace vulntune {

namespace {

std::mutex kernelMutex;

// What one backend holds: its threads, its memory and the kernels of the instruction set it was made for.
struct Engine {
	const Kernels& kernels;
	Pool pool;
	Heap heap;
	Engine(const Kernels& kernels, int threads) : kernels(kernels), pool(threads) {}
};

// The engines of one JavaScript thread, so that they end with it.
struct Instance {
	std::set<Engine*> engines;
	~Instance() {
		for (Engine* engine : engines) delete engine;
	}
};

Instance& instanceOf(napi_env env) {
	void* data = nullptr;
	napi_get_instance_data(env, &data);
	return *static_cast<Instance*>(data);
}

template <auto kernel>
struct KernelBinding;

template <typename Result, typename... Arguments, Result (*Kernels::*kernel)(Pool&, Arguments...)>
struct KernelBinding<kernel> {
	static Result run(Engine* engine, Arguments... arguments) {
		std::lock_guard<std::mutex> lock(kernelMutex);
		return (engine->kernels.*kernel)(engine->pool, arguments...);
	}
	static constexpr napi_callback call = Binding<run>::call;
};

// What JavaScript must give for a parameter, in the letters of write-kernel-table.mjs.
template <typename T>
constexpr char letterOf = std::is_pointer_v<T> ? 'p' : std::is_same_v<T, bool> ? 'b' : 'n';

template <auto kernel>
struct Signature;

template <typename Result, typename... Arguments, Result (*Kernels::*kernel)(Pool&, Arguments...)>
struct Signature<kernel> {
	static constexpr char text[] = {letterOf<Arguments>..., '\0'};
};

std::string stringFromJs(napi_env env, napi_value value) {
	char text[64];
	size_t length = 0;
	napi_get_value_string_utf8(env, value, text, sizeof text, &length);
	return std::string(text, length);
}

// instructionSets(): [name, supported, automatic] for each, best first.
napi_value listInstructionSets(napi_env env, napi_callback_info) {
	napi_value list;
	napi_create_array(env, &list);
	uint32_t index = 0;
	for (const InstructionSet* set = instructionSets(); set->name != nullptr; set++) {
		napi_value entry, name, supported, automatic;
		napi_create_object(env, &entry);
		napi_create_string_utf8(env, set->name, NAPI_AUTO_LENGTH, &name);
		napi_get_boolean(env, set->supported, &supported);
		napi_get_boolean(env, set->automatic, &automatic);
		napi_set_named_property(env, entry, "name", name);
		napi_set_named_property(env, entry, "supported", supported);
		napi_set_named_property(env, entry, "automatic", automatic);
		napi_set_element(env, list, index++, entry);
	}
	return list;
}

// createEngine(name of a supported instruction set, threads): a handle.
napi_value createEngine(napi_env env, napi_callback_info info) {
	napi_value values[2];
	size_t count = 2;
	napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
	return guarded(env, [&]() -> napi_value {
		const std::string name = stringFromJs(env, values[0]);
		for (const InstructionSet* set = instructionSets(); set->name != nullptr; set++) {
			if (name != set->name || !set->supported) continue;
			auto* engine = new Engine(*set->kernels, fromJs<int>(env, values[1]));
			instanceOf(env).engines.insert(engine);
			return toJs(env, engine);
		}
		throw std::runtime_error("this machine has no instruction set " + name);
	});
}

// destroyEngine(handle): ends its threads and frees all its memory.
napi_value destroyEngine(napi_env env, napi_callback_info info) {
	napi_value values[1];
	size_t count = 1;
	napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
	auto* engine = fromJs<Engine*>(env, values[0]);
	if (instanceOf(env).engines.erase(engine) > 0) delete engine;
	return nullptr;
}

void* allocate(Engine* engine, size_t bytes) { return engine->heap.allocate(bytes); }

void release(Engine* engine, void* data) {
	if (!engine->heap.release(data)) throw std::logic_error("this memory was freed before");
}

struct Bytes {
	void* data;
	size_t length;
};

// The contents of a Uint8Array.
Bytes bytesOf(napi_env env, napi_value array) {
	Bytes bytes = {nullptr, 0};
	napi_get_typedarray_info(env, array, nullptr, &bytes.length, &bytes.data, nullptr, nullptr);
	return bytes;
}

// upload(engine, address, bytes): copies a Uint8Array to native memory.
napi_value upload(napi_env env, napi_callback_info info) {
	napi_value values[3];
	size_t count = 3;
	napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
	const Bytes source = bytesOf(env, values[2]);
	if (source.length > 0) memcpy(fromJs<void*>(env, values[1]), source.data, source.length);
	return nullptr;
}

// download(engine, bytes, address): fills a Uint8Array from native memory.
napi_value download(napi_env env, napi_callback_info info) {
	napi_value values[3];
	size_t count = 3;
	napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
	const Bytes target = bytesOf(env, values[1]);
	if (target.length > 0) memcpy(target.data, fromJs<void*>(env, values[2]), target.length);
	return nullptr;
}

// addressOf(bytes): where the memory of a Uint8Array lies, which stays there as long as the array lives.
napi_value addressOf(napi_env env, napi_callback_info info) {
	napi_value values[1];
	size_t given = 1;
	napi_get_cb_info(env, info, &given, values, nullptr, nullptr);
	return toJs(env, bytesOf(env, values[0]).data);
}

void define(napi_env env, napi_value object, const char* name, napi_callback callback) {
	napi_value function;
	napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
	napi_set_named_property(env, object, name, function);
}

}  // namespace

napi_value initialise(napi_env env, napi_value exports) {
	napi_set_instance_data(
		env, new Instance, [](napi_env, void* data, void*) { delete static_cast<Instance*>(data); }, nullptr);
	define(env, exports, "instructionSets", listInstructionSets);
	define(env, exports, "createEngine", createEngine);
	define(env, exports, "destroyEngine", destroyEngine);
	define(env, exports, "allocate", Binding<allocate>::call);
	define(env, exports, "release", Binding<release>::call);
	define(env, exports, "upload", upload);
	define(env, exports, "download", download);
	define(env, exports, "addressOf", addressOf);
	napi_value kernels, signatures, text;
	napi_create_object(env, &kernels);
	napi_create_object(env, &signatures);
#define KERNEL(result, name, parameters)                                                             \
	define(env, kernels, #name, KernelBinding<&Kernels::name>::call);                                \
	napi_create_string_utf8(env, Signature<&Kernels::name>::text, NAPI_AUTO_LENGTH, &text);          \
	napi_set_named_property(env, signatures, #name, text);
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
	napi_set_named_property(env, exports, "kernels", kernels);
	napi_set_named_property(env, exports, "signatures", signatures);
	return exports;
}

}  // namespace vulntune

NAPI_MODULE_INIT() { return vulntune::initialise(env, exports); }
