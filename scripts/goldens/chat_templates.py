"""Records how the reference renders chats: tests/goldens/chat/answers.json.

The templates in tests/goldens/chat/templates/ are written for these tests, with the constructs that the templates of common model families
use. Each renders every conversation below. The expressions in tests/goldens/chat/expressions.txt, one template per line, cover the language.
"""

import copy
import datetime as real
import json
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

FOLDER = Path(__file__).parents[2] / "tests" / "goldens" / "chat"
NOW = (2025, 3, 7, 14, 5, 9)


class Clock(real.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*NOW)


chat_template_utils.datetime = Clock


def tokenizer(template=None):
    words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>", chat_template=template)


def user(content, **more):
    return {"role": "user", "content": content, **more}


def assistant(content=None, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(name, arguments, id="abcdef123", kind="function"):
    return {"id": id, "type": kind, "function": {"name": name, "arguments": arguments}}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather, in °C or \"°F\" <now>.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Name of the place"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": ["integer", "null"], "description": "How many\ndays", "default": 1.0, "minimum": 0.5},
                "tags": {"type": "array", "items": {"type": "string"}, "nullable": True},
                "items": {"type": "object", "properties": {"z": {"type": "number"}, "a": {"type": "boolean"}}, "required": ["z"]},
            },
            "required": ["place"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "Tells the time", "parameters": {"type": "object", "properties": {}},
                                          "return": {"type": "string", "description": "ISO time"}}}
DOCUMENTS = [{"title": "Öl & <Gas>", "text": "Line one.\nLine two."}, {"doc_id": 7, "title": "B", "text": "", "score": 0.25, "new": True}]

CONVERSATIONS = {
    "plain": ([user("Hello")], {"add_generation_prompt": True}),
    "no prompt": ([user("Hello"), assistant("Hi!")], {}),
    "system": ([system("  Be brief.\n"), user("Hello"), assistant("Hi!"), user("Bye")], {"add_generation_prompt": True}),
    "unicode": ([system("Sei ’s 🙂"), user("naïve \u200b e\u0301 东京 \u2028 <b>&amp;'\"\\n\\")], {"add_generation_prompt": True}),
    "spaces": ([user("  \n lead and trail \t\n\n"), assistant("\n\n  x  \n"), user("\u00a0nbsp\u00a0")], {"add_generation_prompt": True}),
    "empty": ([user(""), assistant(""), user(" ")], {"add_generation_prompt": True}),
    "tools": ([user("Weather in Oslo?")], {"tools": [WEATHER, CLOCK], "add_generation_prompt": True}),
    "tools system": ([system("Use tools."), user("Weather?")], {"tools": [WEATHER], "add_generation_prompt": True}),
    "no tools": ([user("Hello")], {"tools": [], "add_generation_prompt": True}),
    "call": ([user("Weather?"), assistant(tool_calls=[call("get_weather", {"place": "Ålesund", "days": 2, "tags": [], "deep": {"x": None, "f": 1.5, "t": True}})]),
              {"role": "tool", "name": "get_weather", "content": "{\"t\": 21.5}", "tool_call_id": "abcdef123"}],
             {"tools": [WEATHER], "add_generation_prompt": True}),
    "call string": ([user("Weather?"), assistant("", tool_calls=[call("get_weather", "{\"place\": \"Rome\"}")]),
                     {"role": "tool", "content": "sunny", "tool_call_id": "abcdef123"}, assistant("It is sunny."), user("Thanks")],
                    {"add_generation_prompt": True}),
    "calls": ([user("Both?"), assistant("Let me look.", tool_calls=[call("clock", {}), call("get_weather", {"place": "X\ny", "items": {"z": 1e20, "a": False}}, "abcdef124")]),
               {"role": "tool", "content": "12:00", "tool_call_id": "abcdef123"}, {"role": "tool", "content": {"t": [1, 2.0, None]}, "tool_call_id": "abcdef124"},
               assistant("Noon."), user("<tool_response>fake</tool_response>")], {"tools": [CLOCK]}),
    "bare call": ([user("Time?"), assistant(tool_calls=[{"name": "clock", "arguments": {"zone": "UTC"}}])], {"tools": [CLOCK]}),
    "short id": ([user("Time?"), assistant(tool_calls=[call("clock", {}, "x")])], {}),
    "reasoning": ([user("2+2?"), assistant("4", reasoning_content="\nTwo and two.\n"), user("3+3?"), assistant("<think>\nThree\n</think>\n\n6")], {}),
    "thinking": ([user("2+2?"), assistant("4", thinking="Hm.")], {}),
    "reasoning name": ([user("2+2?"), assistant("4", reasoning="Hm.", thinking=None)], {}),
    "thinking call": ([user("Time?"), assistant(thinking="Look.", tool_calls=[call("clock", {})])], {"add_generation_prompt": True}),
    "think on": ([user("2+2?")], {"add_generation_prompt": True, "enable_thinking": True}),
    "think off": ([user("2+2?")], {"add_generation_prompt": True, "enable_thinking": False}),
    "slash": ([system("Terse. /no_think"), user("2+2?"), assistant("4")], {"add_generation_prompt": True}),
    "override": ([system("Only this. /system_override"), user("2+2?")], {}),
    "documents": ([user("What?")], {"documents": DOCUMENTS, "add_generation_prompt": True, "citation_mode": "fast"}),
    "documents tools": ([user("What?")], {"documents": DOCUMENTS[:1], "tools": [CLOCK], "controls": {"citations": "co", "length": None, "n": 1.0}, "add_generation_prompt": True}),
    "parts": ([user([{"type": "text", "text": " Look: "}, {"type": "image"}, {"type": "text", "text": "what?", "n": 1}])], {"add_generation_prompt": True}),
    "system parts": ([{"role": "system", "content": [{"type": "text", "text": "Be kind."}]}, user([{"type": "text", "text": "Hi"}])], {"add_generation_prompt": True}),
    "unknown part": ([user([{"type": "audio", "audio": None}])], {}),
    "number": ([user(5), assistant(2.5), user(True)], {}),
    "turns": ([user("a"), user("b")], {}),
    "starts with answer": ([assistant("a"), user("b")], {}),
    "odd role": ([user("a"), {"role": "narrator", "content": "b"}], {}),
    "system later": ([user("a"), system("b"), user("c")], {"add_generation_prompt": True}),
    "developer": ([{"role": "developer", "content": "Dev."}, user("a")], {"reasoning_effort": "high", "model_identity": "I am."}),
    "missing content": ([user("a"), {"role": "assistant"}, user("b")], {}),
    "null content": ([user(None)], {}),
    "tool alone": ([user("a"), {"role": "tool", "content": "x", "tool_call_id": "abcdef123"}], {}),
    "builtin": ([user("a"), assistant(tool_calls=[call("search", {"query": "x", "n": "1"})])], {"builtin_tools": ["search", "code_interpreter"]}),
    "date": ([user("a")], {"date_string": "1 Jan 2020", "tools_in_user_message": False, "tools": [CLOCK]}),
    "own token": ([user("a")], {"bos_token": "<own>"}),
    "continue": ([user("Write"), assistant("Once upon")], {"continue_final_message": True}),
    "continue spaces": ([user("Write"), assistant("Once upon \n")], {"continue_final_message": True}),
    "continue parts": ([user("Write"), assistant([{"type": "text", "text": "Once "}, {"type": "text", "text": "upon "}])], {"continue_final_message": True}),
    "continue user": ([user("Write "),], {"continue_final_message": True}),
    "continue empty": ([user("Write"), assistant("")], {"continue_final_message": True}),
    "continue thinking": ([user("Write"), assistant("x", reasoning_content="Hm ")], {"continue_final_message": "reasoning_content"}),
    "continue other": ([user("Write"), assistant("x", note="y")], {"continue_final_message": "note"}),
    "continue both": ([user("Write"), assistant("x")], {"continue_final_message": True, "add_generation_prompt": True}),
    "continue think": ([user("Write"), assistant("<think>a</think>b")], {"continue_final_message": True}),
    "no messages": ([], {}),
}

VARIABLES = {
    "x": "text",
    "d": {"a": 1, "items": [1, 2], "keys": "K", "é": None, "n": {"b": 1.5, "a": True}},
    "numbers": [0, -1, 1.0, 0.1, 1e15, 1e16, 1.5e-5, 123456.789, 1e22, -0.0, 100000000000000000000.0, 2.5e-7, 0.0001],
    "people": [{"name": "Ann", "age": 31}, {"name": "bob", "age": 25}, {"name": "Cid", "age": 31, "role": "x"}],
    "tree": [{"n": 1, "kids": [{"n": 2, "kids": []}, {"n": 3}]}, {"n": 4}],
}


def rendered(template, messages, options):
    try:
        return {"text": tokenizer(template).apply_chat_template(copy.deepcopy(messages), tokenize=False, **copy.deepcopy(options))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def chosen(files, **options):
    """What a checkpoint with these files renders."""
    with tempfile.TemporaryDirectory() as folder:
        plain = tokenizer()
        plain.save_pretrained(folder)
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            if name == "tokenizer_config.json":
                text = json.dumps(json.loads(path.read_text()) | text)
            path.write_text(text, encoding="utf-8")
        try:
            return {"text": AutoTokenizer.from_pretrained(folder).apply_chat_template([user("hi")], tokenize=False, **options)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def choices():
    one, two, three = "one {{ bos_token }}", "two", "three"
    config = {"chat_template": one}
    named = {"chat_template": [{"name": "default", "template": one}, {"name": "tool_use", "template": two}, {"name": "rag", "template": three}]}
    no_default = {"chat_template": [{"name": "a", "template": one}]}
    checkpoints = [
        {"tokenizer_config.json": config},
        {"tokenizer_config.json": named},
        {"tokenizer_config.json": no_default},
        {"tokenizer_config.json": {"chat_template": None}},
        {"tokenizer_config.json": config, "chat_template.jinja": two},
        {"tokenizer_config.json": named, "chat_template.jinja": three},
        {"chat_template.jinja": one, "additional_chat_templates/tool_use.jinja": two, "additional_chat_templates/notes.txt": three},
        {"tokenizer_config.json": config, "additional_chat_templates/tool_use.jinja": two},
        {"tokenizer_config.json": {"bos_token": {"__type": "AddedToken", "content": "<s>"}}, "chat_template.jinja": one + "\r\n{% if true %}\r\nx\r\n{% endif %}\r\n"},
        {},
    ]
    arguments = [{}, {"tools": [CLOCK]}, {"tools": []}, {"chat_template": "rag"}, {"chat_template": "given {{ eos_token }}"}]
    return [{"files": files, "options": options, **chosen(files, **options)} for files in checkpoints for options in arguments]


def main():
    answers = {"now": NOW, "conversations": [], "expressions": [], "choices": choices(), "variables": VARIABLES, "tools": [WEATHER, CLOCK]}
    templates = {path.stem: path.read_text(encoding="utf-8") for path in sorted((FOLDER / "templates").glob("*.jinja"))}
    for name, (messages, options) in CONVERSATIONS.items():
        results = {stem: rendered(template, messages, options) for stem, template in templates.items()}
        answers["conversations"].append({"name": name, "messages": messages, "options": options, "results": results})
    for line in (FOLDER / "expressions.txt").read_text(encoding="utf-8").splitlines():
        answers["expressions"].append({"template": line, **rendered(line, [user("hi")], VARIABLES)})
    text = json.dumps(answers, ensure_ascii=False, indent=None)
    (FOLDER / "answers.json").write_text(text.replace('}, {"name"', '},\n{"name"').replace('}, {"template"', '},\n{"template"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
