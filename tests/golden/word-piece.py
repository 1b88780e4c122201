"""Ids that Hugging Face's tokenizers gives for WordPiece behind BERT's normaliser, with settings and texts drawn at random.

    pip install tokenizers==0.23.3
    python tests/golden/word-piece.py > tests/golden/word-piece.json
"""

import json
import random

from tokenizers import Tokenizer

CASES, TEXTS = 24, 6
FRAGMENTS = (
    "if|(a)|{|}| |  |\t|\n|buf|Buffer|_buf|buf2|x.y|!=|1|23|é|É|e\u0301|Σ|ΣΑΣ|İ|\ufeff|\u0085|\u00a0|\u200d|\u0000|\ufffd|😀|中|中文|"
    "[CLS]|[UNK]|ﬁ|don't|A|Zß|\r\n|\u3000|unbuffered|buffers|\u00ad|\x07|㐀|豈|#|##|##er"
).split("|")
PIECES = "if ( a ) { } buf un 1 2 3 x y . ! = _ ' don t s z e é σ α i 中 文 # ##er ##ers ##fer ##fers ##buf ##fered ##e ##é ##α ##σ ##2 ##3 ##s ##ß ##s ##A"


def base():
    vocabulary = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *PIECES.split(), "A", "B", "Z", "##uffer", "É"]))
    special = [
        {"id": id, "content": text, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for id, text in enumerate(vocabulary[:4])
    ]
    model = {"type": "WordPiece", "vocab": {text: id for id, text in enumerate(vocabulary)}, "unk_token": "[UNK]"}
    return {
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": model | {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    }


def maybe():
    return random.random() < 0.5


def main():
    random.seed(1)
    start = base()
    cases = []
    for _ in range(CASES):
        normalizer = {
            "type": "BertNormalizer",
            "clean_text": maybe(),
            "handle_chinese_chars": maybe(),
            "strip_accents": random.choice([None, True, False]),
            "lowercase": maybe(),
        }
        model = {"continuing_subword_prefix": random.choice(["##", "##", "", "_"]), "max_input_chars_per_word": random.choice([100, 4])}
        tokenizer = Tokenizer.from_str(json.dumps(start | {"normalizer": normalizer, "model": start["model"] | model}))
        rows = []
        for _ in range(TEXTS):
            text = "".join(random.choice(FRAGMENTS) for _ in range(random.randint(1, 14)))
            tokenizer.encode_special_tokens = True
            plain = tokenizer.encode(text, add_special_tokens=False).ids
            tokenizer.encode_special_tokens = False
            rows.append({"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids, "idsAsText": plain})
        cases.append({"normalizer": normalizer, "model": model, "rows": rows})
    print("{", f'"base": {json.dumps(start, ensure_ascii=False)},', '"cases": [', sep="\n")
    print(",\n".join(json.dumps(drawn, ensure_ascii=False) for drawn in cases))
    print("]\n}")


main()
