"""Ids that Hugging Face's tokenizers gives for tokenizer.json files of all steps and settings, drawn at random.

    pip install tokenizers==0.23.3
    python tests/golden/tokenizer-steps.py > tests/golden/tokenizer-steps.json
"""

import json
import random
import sys

from tokenizers import Tokenizer

CASES, TEXTS = 120, 3
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
FRAGMENTS = (
    "if|(a)|{|}| |  |\t|\n|buf|_buf|buf2|x.y|!=|1|23|٣|²|½|é|e\u0301|Σ|ΣΑΣ|İ|\ufeff|\u0085|\u00a0|\u200d|▁|😀|中|‿|«|—|$&|"
    "<s>|<unk>|ﬁ|'s|don't|A|Zß|\r\n|´|^|\u3000|µ|Ⅷ"
).split("|")
WORDS = ["<s>x", "s>", "<", "buf", "bu", "_buf", " buf", "x", "  ", "İ", "Σ", "é", "(a)", "▁buf", "fx", "$&"]


def byte_alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def base():
    merges = [["b", "u"], ["bu", "f"], ["i", "f"], ["▁", "if"], ["Ġ", "buf"], ["Ã", "©"], ["x", "."], [".", "y"], ["1", "2"]]
    tokens = ["<unk>", "<s>", *byte_alphabet(), "▁", *(left + right for left, right in merges)]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    return {
        "added_tokens": [token(tokens.index(text), text, special=True) for text in ("<unk>", "<s>")],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "vocab": {text: id for id, text in enumerate(tokens)}, "merges": merges},
    }


def token(id, content, **flags):
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"id": id, "content": content, **{name: False for name in names}, **flags}


def maybe(chance=0.5):
    return random.random() < chance


def pattern():
    texts = [" ", "a", "buf", "▁", "$&", "'", "e"]
    expressions = ["\\s+", "\\d", "[a-z]+", "\\w+", "\\p{L}+|\\p{N}", "[^\\s\\w]+", " ?\\p{L}+", "(?i:b)", "[\\r\\n]", "\\s+(?!\\S)"]
    return {"String": random.choice(texts)} if maybe() else {"Regex": random.choice(expressions)}


def normalizer():
    kind = random.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Prepend", "Replace", "Strip"])
    settings = {
        "Prepend": {"prepend": random.choice(["▁", "$&", "x"])},
        "Replace": {"pattern": pattern(), "content": random.choice(["▁", "$&", "$1 ", "", "x"])},
        "Strip": {"strip_left": maybe(), "strip_right": maybe()},
    }
    return {"type": kind, **settings.get(kind, {})}


def pre_tokenizer():
    kinds = ["ByteLevel", "Digits", "Split", "Punctuation", "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Metaspace"]
    kind = random.choice(kinds)
    settings = {
        "ByteLevel": {"add_prefix_space": maybe(), "trim_offsets": True, "use_regex": maybe()},
        "Digits": {"individual_digits": maybe()},
        "Split": {"pattern": pattern(), "behavior": random.choice(BEHAVIORS), "invert": maybe(0.3)},
        "Punctuation": {"behavior": random.choice(BEHAVIORS)} if maybe(0.8) else {},
        "Metaspace": {
            "replacement": random.choice(["▁", "$"]),
            "prepend_scheme": random.choice(["always", "first", "never"]),
            "split": maybe(),
        },
    }
    return {"type": kind, **settings.get(kind, {})}


def steps(draw, name):
    return random.choice([None, draw(), {"type": "Sequence", name: [draw() for _ in range(random.randint(1, 3))]}])


def case(start):
    model = {name: maybe() for name in ("fuse_unk", "byte_fallback", "ignore_merges")}
    vocab = start["model"]["vocab"]
    added = {}
    for content in random.sample(WORDS, random.randint(0, 3)):
        id = vocab.get(content, len(vocab) + sum(word not in vocab for word in added))
        flags = {name: maybe(0.3) for name in ("single_word", "lstrip", "rstrip", "normalized")}
        added[content] = token(id, content, **flags)
    return {
        "normalizer": steps(normalizer, "normalizers"),
        "pre_tokenizer": steps(pre_tokenizer, "pretokenizers"),
        "added_tokens": [*start["added_tokens"], *added.values()],
        "model": {**model, "unk_token": random.choice(["<unk>", None])},
    }


def rows(json_text):
    tokenizer = Tokenizer.from_str(json_text)
    for _ in range(TEXTS):
        text = "".join(random.choice(FRAGMENTS) for _ in range(random.randint(1, 14)))
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        yield {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids, "idsAsText": plain}


def main():
    random.seed(1)
    start = base()
    cases = []
    while len(cases) < CASES:
        drawn = case(start)
        whole = {**start, **drawn, "model": {**start["model"], **drawn["model"]}}
        try:
            cases.append({**drawn, "rows": list(rows(json.dumps(whole)))})
        except BaseException as error:  # the reference implementation panics on some settings
            print(str(error)[:100], file=sys.stderr)
    print("{", f'"base": {json.dumps(start, ensure_ascii=False)},', '"cases": [', sep="\n")
    print(",\n".join(json.dumps(drawn, ensure_ascii=False) for drawn in cases))
    print("]\n}")


main()
