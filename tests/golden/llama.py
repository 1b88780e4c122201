"""A Llama with adapters and its gradients, number by number in float64: slow, obvious, and nothing of the engine in it.

Every number is a node that remembers what it was made of, so gradients come from the chain rule alone and no formula
of a backward pass is written down twice.
"""

import math


class Node:
    """A number, and the numbers that it was made of with its derivative to each."""

    __slots__ = ("value", "parents", "gradient")

    def __init__(self, value, parents=()):
        self.value = value
        self.parents = parents
        self.gradient = 0.0


def value_of(x):
    return x.value if isinstance(x, Node) else x


def node(value, *parents):
    return Node(value, [(parent, slope) for parent, slope in parents if isinstance(parent, Node)])


def add(a, b):
    return node(value_of(a) + value_of(b), (a, 1.0), (b, 1.0))


def multiply(a, b):
    return node(value_of(a) * value_of(b), (a, value_of(b)), (b, value_of(a)))


def power(a, exponent):
    slope = exponent * value_of(a) ** (exponent - 1) if exponent != 0 else 0.0
    return node(value_of(a) ** exponent, (a, slope))


def exponential(a):
    result = math.exp(value_of(a))
    return node(result, (a, result))


def logarithm(a):
    return node(math.log(value_of(a)), (a, 1 / value_of(a)))


def dot(xs, ys):
    parents = [(x, value_of(y)) for x, y in zip(xs, ys)] + [(y, value_of(x)) for x, y in zip(xs, ys)]
    return node(sum(value_of(x) * value_of(y) for x, y in zip(xs, ys)), *parents)


def total(xs):
    return node(sum(value_of(x) for x in xs), *[(x, 1.0) for x in xs])


def backward(root):
    """Fills in the derivative of `root` to every node below it."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        current, is_done = stack.pop()
        if is_done:
            order.append(current)
        elif id(current) not in seen:
            seen.add(id(current))
            stack.append((current, True))
            stack.extend((parent, False) for parent, _ in current.parents)
    for current in order:
        current.gradient = 0.0
    root.gradient = 1.0
    for current in reversed(order):
        for parent, slope in current.parents:
            parent.gradient += slope * current.gradient


def matrix_times(matrix, x):
    return [dot(row, x) for row in matrix]


class Llama:
    """`weights` by the names of a checkpoint, matrices as lists of rows; `adapter` likewise, A and B by matrix."""

    def __init__(self, config, weights, adapter=None, scale=0.0):
        self.config, self.weights, self.adapter, self.scale = config, weights, adapter or {}, scale

    def project(self, name, x):
        y = matrix_times(self.weights[f"{name}.weight"], x)
        if f"{name}.lora_A.weight" not in self.adapter:
            return y
        h = matrix_times(self.adapter[f"{name}.lora_A.weight"], x)
        extra = matrix_times(self.adapter[f"{name}.lora_B.weight"], h)
        return [add(a, multiply(b, self.scale)) for a, b in zip(y, extra)]

    def normalise(self, name, x):
        mean = multiply(dot(x, x), 1 / len(x))
        factor = power(add(mean, self.config["rms_norm_eps"]), -0.5)
        return [multiply(multiply(value, factor), w) for value, w in zip(x, self.weights[f"{name}.weight"])]

    def rotate(self, x, position):
        """Rotary positions of one head: dimension i turns with i + half, as in Hugging Face's checkpoints."""
        half = len(x) // 2
        first, second = [], []
        for i in range(half):
            angle = position * self.config["rope_theta"] ** (-2 * i / len(x))
            cos, sin = math.cos(angle), math.sin(angle)
            first.append(dot([x[i], x[i + half]], [cos, -sin]))
            second.append(dot([x[i], x[i + half]], [sin, cos]))
        return first + second

    def attend(self, name, xs, positions, starts):
        """`starts[t]`: the first token that token t sees."""
        size = self.config["head_dim"]
        group = self.config["num_attention_heads"] // self.config["num_key_value_heads"]
        split = lambda y: [y[i : i + size] for i in range(0, len(y), size)]
        q = [[self.rotate(h, p) for h in split(self.project(f"{name}.q_proj", x))] for x, p in zip(xs, positions)]
        k = [[self.rotate(h, p) for h in split(self.project(f"{name}.k_proj", x))] for x, p in zip(xs, positions)]
        v = [split(self.project(f"{name}.v_proj", x)) for x in xs]
        outputs = []
        for t in range(len(xs)):
            joined = []
            for head in range(self.config["num_attention_heads"]):
                seen = range(starts[t], t + 1)
                scores = [multiply(dot(q[t][head], k[s][head // group]), size**-0.5) for s in seen]
                weights = softmax(scores)
                for i in range(size):
                    joined.append(dot(weights, [v[s][head // group][i] for s in seen]))
            outputs.append(self.project(f"{name}.o_proj", joined))
        return outputs

    def feed_forward(self, name, x):
        gate, up = self.project(f"{name}.gate_proj", x), self.project(f"{name}.up_proj", x)
        silu = [multiply(g, power(add(exponential(multiply(g, -1.0)), 1.0), -1.0)) for g in gate]
        return self.project(f"{name}.down_proj", [multiply(a, b) for a, b in zip(silu, up)])

    def states(self, ids, positions, starts):
        """What enters each block and leaves the last, and the state after the final norm: [layers + 1][T][H], [T][H]."""
        xs = [self.weights["model.embed_tokens.weight"][i] for i in ids]
        hidden = [xs]
        for layer in range(self.config["num_hidden_layers"]):
            name = f"model.layers.{layer}"
            normed = [self.normalise(f"{name}.input_layernorm", x) for x in xs]
            attended = self.attend(f"{name}.self_attn", normed, positions, starts)
            xs = [[add(a, b) for a, b in zip(x, y)] for x, y in zip(xs, attended)]
            normed = [self.normalise(f"{name}.post_attention_layernorm", x) for x in xs]
            fed = [self.feed_forward(f"{name}.mlp", x) for x in normed]
            xs = [[add(a, b) for a, b in zip(x, y)] for x, y in zip(xs, fed)]
            hidden.append(xs)
        return hidden, [self.normalise("model.norm", x) for x in xs]


def softmax(scores):
    largest = max(value_of(score) for score in scores)
    powers = [exponential(add(score, -largest)) for score in scores]
    inverse = power(total(powers), -1.0)
    return [multiply(p, inverse) for p in powers]


def negative_log_probability(logits, label):
    return multiply(logarithm(softmax(logits)[label]), -1.0)


def focal_loss(logits, label, gamma, weight, is_detached):
    """weight (1 − p)^γ (−log p) (Lin et al., 2017); detached: the factor before the logarithm is taken for a constant."""
    p = softmax(logits)[label]
    factor = power(add(multiply(p, -1.0), 1.0), gamma)
    if is_detached:
        factor = factor.value
    return multiply(multiply(multiply(logarithm(p), -1.0), factor), weight)
