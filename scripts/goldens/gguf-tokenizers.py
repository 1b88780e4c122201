"""Ids that Hugging Face's tokenizers gives with the tokenizer.json of each kind of tokenizer that a GGUF file can hold.

    "$VULNTUNE_PYTHON" scripts/goldens/gguf-tokenizers.py > tests/golden/gguf-tokenizers.json

Needs tokenizers 0.23.3 and transformers 5.24.0 (for the merges of a SentencePiece model). The steps are those of the published
tokenizer.json files of GPT-2, StarCoder, Llama 3, Qwen2, DeepSeek-Coder and Llama 2; the vocabularies are learned here.
"""

import json
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers, Regex
from transformers.convert_slow_tokenizer import generate_merges

TEXTS = [
    "int main(void) {\n\treturn x1 + 12345;\n}\n",
    "  if (a != b)\r\n\r\n    b = 'é';  // don't, DON'T, we'll",
    "public static String f(List<String> names) { return names.get(0); }",
    "x\u00a0=\u3000y;\u0085z\u2028",
    "e\u0301 ﬁ Å ½ ² ٣٤٥ Ⅷ 1234567",
    "漢字かな交じり文 한국어 ж Σίσυφος",
    "<|end|>return<tool>x</s> <s>",
    "a\n\n\n  b\t\t c   ",
    "😀👩‍💻 «quoted» — …",
    "",
    " ",
    "\n",
    "printf(\"%s\\n\", buffer[i++]); /* ünïcödé */ #define A_B 0xFFu",
    "\ufeffstart \u0000 end",
]
CORPUS = TEXTS * 3 + [
    "for (int i = 0; i < size; i++) { buffer[i] = input[i]; }",
    "return new String(bytes, StandardCharsets.UTF_8); if (x == null) throw new Error();",
    "static void copy(char *target, const char *source) { strcpy(target, source); }",
] * 5

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"


def split(expression):
    return pre_tokenizers.Split(Regex(expression), "isolated")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


digits = pre_tokenizers.Digits(individual_digits=True)
steps = {
    "gpt-2": (None, byte_level(True)),
    "starcoder": (None, pre_tokenizers.Sequence([digits, byte_level(True)])),
    "llama-bpe": (None, pre_tokenizers.Sequence([split(CONTRACTIONS % "\\p{N}{1,3}"), byte_level(False)])),
    "qwen2": (normalizers.NFC(), pre_tokenizers.Sequence([split(CONTRACTIONS % "\\p{N}"), byte_level(False)])),
    "deepseek-coder": (
        None,
        pre_tokenizers.Sequence(
            [split(part) for part in ("[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+")]
            + [digits, byte_level(False)]
        ),
    ),
}
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def rows(tokenizer):
    found = []
    for text in TEXTS:
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        found.append({"text": text, "ids": ids, "idsAsText": tokenizer.encode(text, add_special_tokens=False).ids})
    return found


def byte_level_case(name):
    normalizer, pre_tokenizer = steps[name]
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if name == "llama-bpe":
        # a token that no merge makes: whole words are looked up first
        json_form = json.loads(tokenizer.to_str())
        json_form["model"]["vocab"]["printf"] = len(json_form["model"]["vocab"])
        tokenizer = Tokenizer.from_str(json.dumps(json_form))
    size = tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [text for text, _ in sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] * size + [CONTROL, USER],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in model["merges"]],
        "tokenizer.ggml.eos_token_id": size,
    }, rows(tokenizer)


def sentence_piece_case(prefix):
    trainer = trainers.BpeTrainer(vocab_size=330, show_progress=False)
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator([text for text in CORPUS if text.isascii()], trainer)
    learned = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    pieces = [text for text in dict.fromkeys("".join(pair) for pair in learned) if text not in ("</s>", "<s>", "<tool>")]
    characters = [text for text in learner.get_vocab() if len(text) == 1]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + pieces + sorted(characters)
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (len(pieces) + len(characters))
    scores = [0.0] * 259 + [-float(index) for index in range(len(pieces) + len(characters))]
    # some pieces of one score, whose order is that of their parts' lengths
    scores[270:276] = [scores[270]] * 6
    tokens.append("<tool>")
    types.append(USER)
    scores.append(0.0)
    vocab = {text: index for index, text in enumerate(tokens)}
    normal = {text: scores[index] for text, index in vocab.items() if types[index] == NORMAL}
    merges = [tuple(pair) for pair in generate_merges(vocab, normal)]
    tokenizer = Tokenizer(
        models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True, ignore_merges=False)
    )
    replace = [normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(([normalizers.Prepend("▁")] if prefix else []) + replace)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": prefix,
    }, rows(tokenizer)


cases = [byte_level_case(name) for name in steps] + [sentence_piece_case(prefix) for prefix in (True, False)]
json.dump(
    [{"metadata": metadata, "rows": found} for metadata, found in cases],
    sys.stdout,
    ensure_ascii=True,
    separators=(",", ":"),
)
