"""Records what the reference's StopStringCriteria takes each token for, and where it ends texts, with the tokenizers of text_tokenizers.py.

Writes tests/goldens/generate/stop_tokenizers.json: for each tokenizer the bytes of every token (a character each), and cases of ids and
stop strings with the verdict after each token.
"""

import json
import os
import random
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")

import torch
import transformers
from transformers import StopStringCriteria

transformers.logging.set_verbosity_error()
GOLDENS = Path(__file__).parents[2] / "tests" / "goldens"
TOKENIZERS = """gpt2_slow gpt2_v4 gpt2_v5 gpt_neox_slow qwen2_slow whisper_slow tiktoken_v5 llama_slow llama_v4 llama_v5 code_llama_slow
    gemma_slow generic_bpe_slow t5_slow t5_v4 t5_v5 pegasus_slow xlnet_slow bert_slow bert_v4 bert_added_slow openai_gpt_slow
    prophetnet_slow blenderbot_small_slow""".split()
TEXTS = [
    "The river Danube flows through ten countries; stop here.\n\nUser: it rises in Germany",
    "Zoë's café 東京は大きいです 👍🏽 ends</s> here, isn't it? <|endoftext|> more",
    "  two  spaces   and the end. The end!",
]


def main():
    rows = []
    for name in TOKENIZERS:
        tokenizer = transformers.AutoTokenizer.from_pretrained(GOLDENS / "tokenizers" / name)
        mode = StopStringCriteria._get_stop_string_matching_mode(tokenizer)
        strings, ids = StopStringCriteria.clean_tokenizer_vocab(tokenizer, stop_string_matching_mode=mode)
        table = dict(zip(ids, (s if isinstance(s, bytes) else s.encode() for s in strings)))
        row = {"tokenizer": name, "tokens": {i: table[i].decode("latin-1") for i in sorted(table)}, "cases": list(cases(name, tokenizer, table))}
        hits = sum("1" in case["verdicts"] for case in row["cases"])
        print(f"{name}: {mode}, {len(table)} tokens, {len(row['cases'])} cases, {hits} with a stop", flush=True)
        rows.append(row)
    lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    (GOLDENS / "generate" / "stop_tokenizers.json").write_text(f"[\n{lines}\n]\n", "utf-8")


def cases(name, tokenizer, table):
    chance = random.Random(name)
    histories = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    histories += [chance.choices(sorted(table), k=24) for _ in range(3)]
    for ids in histories:
        text = b"".join(table[i] for i in ids).decode("utf-8", "replace").replace("\ufffd", "")
        for _ in range(6):
            # What stands somewhere in the text, wherever tokens begin and end; now and then beside something that does not.
            start = chance.randrange(len(text))
            strings = [text[start : start + chance.choice((1, 2, 3, 5, 9))]]
            strings += chance.sample(["\n\n", " end", "end", "é", "東京", "👍", "stop!", "User:", " "], k=chance.choice((0, 0, 1, 2)))
            try:
                criteria = StopStringCriteria(tokenizer, strings)
            except ValueError:
                continue
            verdicts = "".join(str(int(criteria(torch.tensor([ids[: n + 1]]), None)[0])) for n in range(len(ids)))
            yield {"strings": strings, "ids": ids, "verdicts": verdicts}


if __name__ == "__main__":
    main()
