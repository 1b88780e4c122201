"""A forward pass of llama.cpp on the CPU over a batch of equal lengths, of which only the last tokens' logits are made.

    python bench/peers/llama_cpp_forward.py '{"type": "Q4_0", "batch": 4, "length": 128, "threads": 2,
        "config": {...}, "folder": null}'

type: how the matrices are stored (llama_gguf.py). Without a folder the weights are random, of the shape of the config.
"""

import os
import random
import tempfile

from protocol import options, serve, skip

given = options()
WARM_UP_STEPS = 2

try:
    import llama_cpp
    from llama_gguf import write_gguf
except ImportError as error:
    skip(f"{error.name} is not installed")


def load(path):
    model_settings = llama_cpp.llama_model_default_params()
    model_settings.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(path.encode(), model_settings)
    if not model:
        skip("llama.cpp can't load the model")
    settings = llama_cpp.llama_context_default_params()
    tokens = given["batch"] * given["length"]
    settings.n_ctx = tokens
    settings.n_batch = settings.n_ubatch = tokens
    settings.n_seq_max = given["batch"]
    settings.n_threads = settings.n_threads_batch = given["threads"]
    return model, llama_cpp.llama_init_from_model(model, settings)


def filled_batch(vocabulary):
    generator = random.Random(1)
    batch = llama_cpp.llama_batch_init(given["batch"] * given["length"], 0, 1)
    batch.n_tokens = given["batch"] * given["length"]
    for i in range(batch.n_tokens):
        batch.token[i] = generator.randrange(3, vocabulary)
        batch.pos[i] = i % given["length"]
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = i // given["length"]
        batch.logits[i] = batch.pos[i] == given["length"] - 1
    return batch


def main():
    llama_cpp.llama_backend_init()
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        path = os.path.join(folder, "model.gguf")
        write_gguf(given["config"], given["folder"], given["type"], path)
        model, context = load(path)
    batch = filled_batch(given["config"]["vocab_size"])
    memory = llama_cpp.llama_get_memory(context)

    def step():
        llama_cpp.llama_memory_clear(memory, False)
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama.cpp can't run the batch")
        llama_cpp.llama_synchronize(context)

    for _ in range(WARM_UP_STEPS):
        step()
    serve(step, batch.n_tokens, {"versions": {"llama-cpp-python": llama_cpp.__version__}, "type": given["type"]})


main()
