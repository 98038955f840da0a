"""Records how the reference takes answers of chat models apart: tests/goldens/chat/responses.json.

The templates are written for this test, in the style of common model families and beyond. Each is given answers that fit it, answers that do not,
and pieces of those put together by chance.
"""

import json
import random
from pathlib import Path

from transformers.utils.chat_parsing import parse_response

FILE = Path(__file__).parents[2] / "tests" / "goldens" / "chat" / "responses.json"
FUNCTION = {"type": "function", "function": "{content}"}
NAMED = {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}}
THOUGHT = {"open": "<think>", "close": "</think>"}

TEMPLATES = {
    "hermes": {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "reasoning_content": THOUGHT,
            "tool_calls": {"open_pattern": r"\s*<tool_call>", "close": "</tool_call>", "repeats": True, "content": "json", "transform": FUNCTION},
            "content": {"close_pattern": r"\s*(?:<\|im_end\|>|<\|endoftext\|>)"},
        },
    },
    "markup": {
        "version": 1,
        "defaults": {"role": "assistant", "tool_calls": []},
        "start_anchor_pattern": r"<\|im_start\|>\w+\n",
        "fields": {
            "reasoning_content": THOUGHT | {"repeats": True, "join": "\n--\n"},
            "tool_calls": {
                "open_pattern": r"\s*<tool_call>\s*<function=(?P<name>[^>\n]+)>",
                "close_pattern": r"</function>\s*</tool_call>",
                "repeats": True,
                "content": "xml-inline",
                "content_args": {"tag_pattern": r"<parameter=(?P<key>[^>\n]+)>\s*(?P<value>.*?)\s*</parameter>", "merge_duplicates": True},
                "transform": NAMED,
            },
            "content": {"close": ["<|im_end|>", "<|im_end|>\n"]},
        },
    },
    "turns": {
        "defaults": {"role": "assistant"},
        "start_anchor": ["<|turn>model\n", "<tool_response|>"],
        "fields": {
            "thinking": {"open": "<|channel>thought\n", "close": "<channel|>"},
            "tool_calls": {
                "open_pattern": r"<\|tool_call>call:(?P<name>\w+)",
                "close": "<tool_call|>",
                "repeats": True,
                "content": "json",
                "content_args": {"unquoted_keys": True, "string_delims": [['<|"|>', '<|"|>'], ["`", "`"]]},
                "transform": NAMED,
            },
            "content": {"close": ["<turn|>", "<|tool_response>", "<eos>"], "content_args": {"strip": False}},
        },
    },
    "channels": {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|start|>assistant",
        "fields": {
            "thinking": {"open_pattern": r"<\|channel\|>analysis<\|message\|>", "close_pattern": r"<\|end\|>|$"},
            "tool_calls": {
                "open_pattern": r"<\|channel\|>commentary to=functions\.(?P<name>[\w\-]+)(?:\s*<\|constrain\|>(?P<kind>\w+))?<\|message\|>",
                "close_pattern": r"<\|call\|>|\Z",
                "repeats": True,
                "content": "json",
                "content_args": {"allow_non_json": True},
                "transform": {"type": "{kind}", "function": {"name": "{name}", "arguments": "{content}"}},
            },
            "content": {"open": "<|channel|>final<|message|>", "close": ["<|return|>", "<|end|>"]},
        },
    },
    "list": {
        "start_anchor": "[/INST]",
        "fields": {
            "tool_calls": {
                "open": "[TOOL_CALLS]",
                "close": "</s>",
                "content": "json",
                "transform": {"id": "{id}", "function": {"name": "{name}", "arguments": "{arguments}"}, "n": 1, "l": ["{name}", "plain", None]},
                "transform_each": True,
            },
            "content": {"optional": False, "close": "</s>"},
        },
    },
    "values": {
        "defaults": {"role": "assistant", "mood": None, "score": 0},
        "start_anchor": "A:",
        "fields": {
            "score": {"open": "<score>", "close": "</score>", "content": "float"},
            "count": {"open": "<count>", "close": "</count>", "content": "int", "repeats": True},
            "sure": {"open": "<sure>", "close": "</sure>", "content": "bool"},
            "mood": {"open": "<mood>", "close": "</mood>"},
            "facts": {"open": "<facts>", "close": "</facts>", "content": "kv-lines", "content_args": {"value_parser": {"name": "json", "args": {"allow_non_json": True}}}},
            "pairs": {"open": "<pairs>", "close": "</pairs>", "content": "kv-lines", "content_args": {"line_sep": ";", "kv_sep": "=", "strip": False}},
            "deep": {"open": "<deep>", "close": "</deep>", "content": "json", "transform": {"a": "{content.a.b}", "whole": "{content}"}},
        },
    },
    "open ended": {
        "defaults": {"role": "assistant"},
        "start_anchor": "A:",
        "fields": {"notes": {"open_pattern": r"(?m)^#+ ", "close_pattern": r"(?=\n#)|\n\n", "repeats": True}, "content": {"close_pattern": r"(?=!!)"}},
    },
    "no sink": {"start_anchor": "A:", "defaults": {"role": "x"}, "fields": {"a": {"open": "<a>", "close": "</a>"}, "b": {"open": "<a><b>"}}},
}
BAD = [
    {},
    [],
    {"start_anchor": "x"},
    {"start_anchor": "x", "fields": {}},
    {"fields": {"content": {}}},
    {"start_anchor": "x", "start_anchor_pattern": "x", "fields": {"content": {}}},
    {"start_anchor": "", "fields": {"content": {}}},
    {"start_anchor": [], "fields": {"content": {}}},
    {"start_anchor": ["a", 1], "fields": {"content": {}}},
    {"start_anchor": "x", "version": 2, "fields": {"content": {}}},
    {"start_anchor": "x", "extra": 1, "fields": {"content": {}}},
    {"start_anchor": "x", "defaults": [], "fields": {"content": {}}},
    {"start_anchor": "x", "fields": {"content": {"opens": "x"}}},
    {"start_anchor": "x", "fields": {"content": {}, "more": {}}},
    {"start_anchor": "x", "fields": {"content": {"content": "yaml"}}},
    {"start_anchor": "x", "fields": {"content": {"join": ","}}},
    {"start_anchor": "x", "fields": {"content": {"join": 1, "repeats": True}}},
    {"start_anchor": "x", "fields": {"content": {"transform_each": True}}},
    {"start_anchor": "x", "fields": {"content": {"transform_each": 1, "transform": "{content}"}}},
    {"start_anchor": "x", "fields": {"content": {"transform": "a {content}"}}},
    {"start_anchor": "x", "fields": {"content": {"open_pattern": "(?P<a>x)"}}},
    {"start_anchor": "x", "fields": {"content": {"open_pattern": "(x"}}},
    {"start_anchor": "x", "fields": {"content": "text"}},
    {"start_anchor": "x", "fields": {"content": {"transform": {"a": "{nothing}"}}}},
    {"start_anchor": "x", "fields": {"content": {"content": "xml-inline"}}},
    {"start_anchor": "x", "fields": {"content": {"content": "xml-inline", "content_args": {"tag_pattern": "x"}}}},
    {"start_anchor": "x", "fields": {"content": {"content": "json", "repeats": True, "join": ","}}},
]
TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
        "n": {"type": "integer"}, "x": {"type": "number"}, "b": {"type": "boolean"}, "s": {"type": "string"}, "l": {"type": "array"},
        "o": {"type": ["object", "null"]}, "u": {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "m": {"type": "integer", "nullable": True}, "e": {}}}}},
    {"name": "g", "parameters": {"properties": {"n": {"type": "number"}}}},
    {"type": "function", "function": {"name": "bare"}},
]
PIECES = [
    "<think>", "</think>", "Hm.\n", "\n\n", "Hello ", " wörld 🙂", "<|im_end|>", "\n<|endoftext|>", "<tool_call>", "</tool_call>", "\n",
    '<tool_call>\n{"name": "f", "arguments": {"n": "7", "x": "1e3", "b": "TRUE", "s": 5, "l": "[1, 2]", "o": "null"}}\n</tool_call>',
    '<tool_call>{"name": "g", "arguments": {"n": "2.50"}}</tool_call>', '{"name": "f", }', "{}",
    "<tool_call>\n<function=f>\n<parameter=n>\n3.0\n</parameter>\n<parameter=s>\n a\nb \n</parameter>\n<parameter=u>1_0</parameter><parameter=m>None</parameter>\n</function>\n</tool_call>",
    "<tool_call><function=g><parameter=n>1</parameter><parameter=n>x</parameter><parameter=n>2.5</parameter></function></tool_call>", "<function=f>",
    "<|channel>thought\n", "<channel|>", "<turn|>", "<eos>", "<|tool_response>", '<|tool_call>call:f{n:7,s:<|"|>a "b" {c:1}\n<|"|>,o:{k:`v`,l:[{d:1}]}}<tool_call|>',
    "<|tool_call>call:g{n:", "<tool_call|>", "<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant", "<|channel|>final<|message|>",
    '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"n": "5", "e": "5"}<|call|>', "<|channel|>commentary to=functions.g-2<|message|>not json",
    "<|return|>", '[TOOL_CALLS][{"name": "f", "arguments": {"b": "0"}, "id": "abc"}, {"name": "bare", "arguments": {}, "id": null}]', "</s>",
    '[TOOL_CALLS]{"name": "f"}', "<score> 1_0.5 </score>", "<score>1e2</score>", "<score>high</score>", "<count>7</count>", "<count> +08\n</count>", "<count>1.0</count>",
    "<sure>True</sure>", "<sure>yes</sure>", "<mood>\u2003calm\x1c</mood>", "<mood></mood>", "<facts>\na: 1\nb : [1, {\"c\": null}]\n\nno\n: x:y\nd: 01\n</facts>",
    "<pairs> a =1;b= 2 ;;c</pairs>", '<deep>{"a": {"b": [1.0, 1e2, 12345678901234567890, "\\u00e9\\ud83d\\ude42"]}}</deep>', '<deep>{"a": 1}</deep>',
    "# One\n", "## Two ", "!!", "\n\n# Three", "<a>", "</a>", "<b>", "<a><b>", "A:",
]


def parsed(template, text, prefix, tools):
    try:
        return {"message": parse_response(text, template, prefix=prefix, tools=tools)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def main():
    chance = random.Random(5)
    anchors = {"hermes": "<|im_start|>assistant\n", "markup": "<|im_start|>model\n", "turns": "<tool_response|>", "channels": "<|start|>assistant",
               "list": "[/INST]", "values": "A:", "open ended": "A:", "no sink": "A:"}
    cases = []
    for name, template in TEMPLATES.items():
        markers = [piece for piece in PIECES if any(word in json.dumps(template, ensure_ascii=False) for word in (piece[:9], piece[:5]))]
        for number in range(110):
            pool = markers if number % 2 else PIECES
            text = "".join(chance.choices(pool + ["Hello ", "\n", " x "], k=chance.randrange(0, 9)))
            before = "".join(chance.choices(markers + ["Hm.", "\n"], k=chance.choice([0, 0, 0, 1, 2, 3])))
            prefix = chance.choice(["", "user: " + anchors[name] + "old" + anchors[name] + before, anchors[name] + before, before])
            tools = chance.choice([None, TOOLS])
            cases.append({"template": name, "text": text, "prefix": prefix, "tools": tools is not None, **parsed(template, text, prefix, tools)})
    bad = [{"template": template, **parsed(template, '{"a": 1} x', "", None)} for template in BAD]
    answers = {"templates": TEMPLATES, "tools": TOOLS, "cases": cases, "bad": bad}
    text = json.dumps(answers, ensure_ascii=False)
    FILE.write_text(text.replace('}, {"template"', '},\n{"template"') + "\n", encoding="utf-8")
    errors = sum("error" in case for case in cases)
    print(f"{len(cases)} cases, {errors} of them errors; {len(bad)} bad templates, {sum('error' in case for case in bad)} refused")


if __name__ == "__main__":
    main()
