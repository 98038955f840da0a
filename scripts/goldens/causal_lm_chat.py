"""Chat models whose checkpoint says how an answer is taken apart (response_template).

What a random model writes has none of the usual marks, so the regions here begin and end with characters that come up often.
"""

from causal import GREEDY, GROUPED, QWEN, causal, byte_bpe
from common import Case

CHAT = (
    "{%- for tool in tools or [] %}<|im_start|>tool\n{{ tool | tojson }}<|im_end|>\n{% endfor %}"
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking | default(true) %}<think>\n{% endif %}{% endif %}"
)
TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "reasoning_content": {"open": "<think>", "close_pattern": r"[e-j]", "content_args": {"strip": False}},
        "tool_calls": {"open_pattern": r"(?P<name>[A-Z])", "close_pattern": r"[^\w]", "repeats": True,
                       "transform": {"type": "function", "function": {"name": "{name}", "arguments": {"n": "{content}"}}}},
        "content": {"close_pattern": r"\s*<\|im_end\|>", "repeats": True, "join": " "},
    },
}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"n": {"type": ["integer", "boolean"]}}}}} for name in "AEIOUTB"]


def talks(folder):
    first = [{"role": "user", "content": "Where is the tower?"}]
    second = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Zoë.", "reasoning_content": "Hm."},
              {"role": "user", "content": "Why?"}]
    prefilled = [*first, {"role": "assistant", "content": "It is"}]
    longer = GREEDY | {"max_new_tokens": 60}
    return [
        Case(first, "taken apart", **longer), Case([first, second], "both taken apart", **longer), Case([first, second], batch_size=2, **longer),
        Case(first, "with tools", tools=TOOLS, **longer), Case(second, "the text alone", return_full_text=False, **longer),
        Case(first, return_tensors=True, **GREEDY), Case(prefilled, "goes on: not taken apart", **longer),
        Case(prefilled, "a new message", continue_final_message=False, **longer),
        Case(first, "beams", do_sample=False, num_beams=3, num_return_sequences=2, max_new_tokens=24),
        Case(first, "a variable of the template", tokenizer_encode_kwargs={"enable_thinking": False}, **longer),
        Case(second, "another template", tokenizer_encode_kwargs={"chat_template": "{{ messages[-1].content }}{{ mark }}", "mark": [1, "é"]}, **longer),
        Case(first, "what the pipeline says itself", error=True, tokenizer_encode_kwargs={"add_generation_prompt": True}, **GREEDY),
        Case(first, "special tokens stay although they should not", skip_special_tokens=True, **longer),
    ]


causal("qwen3", "chat", byte_bpe("Qwen2Tokenizer", files="fast", **QWEN, chat_template=CHAT, response_template=TEMPLATE),
       dict(GROUPED, head_dim=8, tie_word_embeddings=True), extra=talks)
