"""Records how the reference writes answers in the formats of chat models: tests/goldens/answers/written.json.

Each format is a chat template, put together from the marks that a family uses around turns, thoughts and calls, in words of our own. The reference
renders the same messages of an assistant with each. What it wrote is what a model would say, and the message is what has to be read out of that.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

FILE = Path(__file__).parents[2] / "tests" / "goldens" / "answers" / "written.json"
END = "</s>"

# What a template is made of. `r` is the thought, `c` the text, `calls` the functions that are called.
SKELETON = """\
{{- bos_token }}
{%- if tools %}{{- user_mark + 'Tools: ' + (tools | tojson) + @how@ + '\\n' }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' %}{{- user_mark + message.content + @turn@ }}{% endif %}
{%- if message.role == 'tool' %}{{- @result@ }}{% endif %}
{%- if message.role == 'assistant' %}
{%- set r = message.reasoning_content | default('') %}{% set c = message.content | default('') %}
{%- set calls = message.tool_calls | default([]) | map(attribute='function') | list %}
{{- @begin@ }}{% if thinking %}{{- @opened@ }}{% else %}{{- @closed@ }}{% endif %}
{%- if r %}@thought@{% endif %}
{%- if c %}@content@{% endif %}
@plain@{%- if calls %}@calls@{% endif %}
@after@{{- eos_token }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- @begin@ }}{% if thinking %}{{- @opened@ }}{% else %}{{- @closed@ }}{% endif %}{% endif %}"""

CHATML = {"user": "<|im_start|>user\\n", "begin": "'<|im_start|>assistant\\n'"}
HEADERS = {"user": "<|start_header_id|>user<|end_header_id|>\\n\\n", "begin": "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'"}
THINK = {"thought": "{{- '<think>\\n' + r + '\\n</think>\\n\\n' }}"}
# The prompt has the mark before the thought, or an empty thought.
OPENED = {"opened": "'<think>\\n'", "closed": "'<think>\\n\\n</think>\\n\\n'", "thought": "{{- r + '\\n</think>\\n\\n' }}"}

ONE = """'{"name": "' + f.name + '", "arguments": ' + (f.arguments | tojson) + '}'"""
PARAMETERS = """'{"name": "' + f.name + '", "parameters": ' + (f.arguments | tojson) + '}'"""
LIST = "{%% for f in calls %%}{{- %s + ('' if loop.last else ', ') }}{%% endfor %%}" % ONE
PYTHON = """\
{%- macro py(v) -%}
{%- if v is string %}{{- "'" + v.replace('\\\\', '\\\\\\\\').replace("'", "\\\\'").replace('\\n', '\\\\n') + "'" }}
{%- elif v is none %}None{% elif v is boolean %}{{- 'True' if v else 'False' }}
{%- elif v is mapping %}{{- '{' }}{% for k, x in v.items() %}{{- "'" + k + "': " + py(x) + ('' if loop.last else ', ') }}{% endfor %}{{- '}' }}
{%- elif v is iterable %}{{- '[' }}{% for x in v %}{{- py(x) + ('' if loop.last else ', ') }}{% endfor %}{{- ']' }}
{%- else %}{{- v }}{% endif %}{%- endmacro -%}
{%- macro pycall(f) -%}{{- f.name + '(' }}{% for k, x in f.arguments.items() %}{{- k + '=' + py(x) + ('' if loop.last else ', ') }}{% endfor %}{{- ')' }}{%- endmacro -%}
"""
PYCALLS = "{% for f in calls %}{{- pycall(f) + ('' if loop.last else ', ') }}{% endfor %}"


def each(text):
    return "{%- for f in calls %}" + text + "{%- endfor %}"


def parameters(before, between, after, value="(v if v is string else v | tojson)", more=""):
    return "{%- for k, v in f.arguments.items() %}{{- " + f"{before} + k + {between}{more} + {value} + {after}" + " }}{% endfor %}"


def invoke(mark, text=False):
    """`<invoke name="…">`, with a mark before each name."""
    more = """ + ('string="true">' if v is string else 'string="false">')""" if text else ""
    parameter = parameters(f"""'<{mark}parameter name="'""", """'" '""" if text else """'">'""", f"'</{mark}parameter>\\n'", more=more)
    return each(f"""{{{{- '<{mark}invoke name="' + f.name + '">\\n' }}}}{parameter}{{{{- '</{mark}invoke>\\n' }}}}""")


def between(open, calls, close):
    return "{{- '" + open + "' }}" + calls + "{{- '" + close + "' }}"


CODER = "{{- '<function=' + f.name + '>\\n' }}" + parameters("'<parameter='", "'>\\n'", "'\\n</parameter>\\n'") + "{{- '</function>' }}"
DEEPSEEK = {"user": "<｜User｜>", "begin": "'<｜Assistant｜>'", "opened": "'<think>'", "closed": "'</think>'", "thought": "{{- r + '</think>' }}"}
NS = "]<]minimax[>["
M3 = """\
{%- macro xml(v) -%}
{%- if v is mapping %}{% for k, x in v.items() if x is not none %}{{- 'NS<' + k + '>' + xml(x) + 'NS</' + k + '>' }}{% endfor %}
{%- elif v is string %}{{- v }}{% elif v is boolean or v is number %}{{- v | tojson }}
{%- elif v is iterable %}{% for x in v %}{{- 'NS<item>' + xml(x) + 'NS</item>' }}{% endfor %}{% endif %}{%- endmacro -%}
""".replace("NS", NS)
K3 = """\
{%- macro kind(v) -%}{{- 'boolean' if v is boolean else 'null' if v is none else 'number' if v is number else 'string' if v is string else 'object' if v is mapping else 'array' }}{%- endmacro -%}
"""
GEMMA = """\
{%- macro g(v) -%}
{%- if v is string %}{{- 'QUOTE' + v + 'QUOTE' }}{% elif v is none %}null{% elif v is boolean %}{{- 'true' if v else 'false' }}
{%- elif v is mapping %}{{- '{' }}{% for k, x in v.items() %}{{- k + ':' + g(x) + ('' if loop.last else ',') }}{% endfor %}{{- '}' }}
{%- elif v is iterable %}{{- '[' }}{% for x in v %}{{- g(x) + ('' if loop.last else ',') }}{% endfor %}{{- ']' }}
{%- else %}{{- v }}{% endif %}{%- endmacro -%}
"""

FORMATS = {
    # Tags around JSON: Qwen, Hermes, Granite 4, EXAONE 4, SmolLM 3 and many others.
    "tags_json": CHATML | THINK | {"calls": each("{{- '\\n<tool_call>\\n' + %s + '\\n</tool_call>' }}" % ONE)},
    "tags_json_opened": CHATML | OPENED | {"calls": each("{{- '<tool_call>\\n' + %s + '\\n</tool_call>\\n' }}" % ONE)},
    # Granite 3.1.
    "tags_list": {"calls": between("<tool_call>[", LIST, "]")},
    # Qwen 3 Coder, Nemotron 3, Step 3.5, iQuest Coder.
    "tags_functions": CHATML | OPENED | {"calls": each("{{- '<tool_call>\\n' }}" + CODER + "{{- '\\n</tool_call>\\n' }}")},
    # The same with values as Python prints them, as Qwen's own template does.
    "tags_functions_printed": CHATML | {"calls": each("{{- '<tool_call>\\n<function=' + f.name + '>\\n' }}"
        + parameters("'<parameter='", "'>\\n'", "'\\n</parameter>\\n'", "(v | string if v is not mapping and (v is string or v is not iterable) else v | tojson)")
        + "{{- '</function>\\n</tool_call>\\n' }}")},
    # GLM 4.5 to 4.7, HyperCLOVA X SEED 32B.
    "tags_pairs": {"begin": "'<|assistant|>'", "thought": "{{- '\\n<think>' + r + '</think>' }}", "content": "{{- '\\n' + c }}",
        "calls": each("{{- '\\n<tool_call>' + f.name + '\\n' }}" + parameters("'<arg_key>'", "'</arg_key>\\n<arg_value>'", "'</arg_value>\\n'") + "{{- '</tool_call>' }}")},
    # Hunyuan 3.
    "tags_separated": THINK | {"calls": "{{- '<tool_calls>\\n' }}"
        + each("{{- '<tool_call>' + f.name + '<tool_sep>\\n' }}" + parameters("'<arg_key>'", "'</arg_key>\\n<arg_value>'", "'</arg_value>\\n'") + "{{- '</tool_call>\\n' }}")
        + "{{- '</tool_calls>' }}"},
    "seed": {"begin": "'<seed:bos>assistant\\n'", "thought": "{{- '<seed:think>' + r + '</seed:think>\\n' }}",
        "calls": each("{{- '<seed:tool_call>\\n' }}" + CODER + "{{- '\\n</seed:tool_call>' }}")},
    "minimax": {"strips": True, "begin": "']~b]ai\\n'", "opened": "'<think>\\n'", "thought": "{{- r + '\\n</think>\\n\\n' }}",
        "calls": between("<minimax:tool_call>\\n", invoke(""), "</minimax:tool_call>")},
    "minimax_nested": {"macros": M3, "begin": "']~b]ai\\n'", "thought": "{{- '<mm:think>' + r + '</mm:think>' }}", "drops": "null",
        "calls": between(f"{NS}<tool_call>\\n", each(f"""{{{{- '{NS}<invoke name="' + f.name + '">' + xml(f.arguments) + '{NS}</invoke>\\n' }}}}"""), f"{NS}</tool_call>")},
    "dsml": DEEPSEEK | {"calls": between("\\n\\n<｜DSML｜function_calls>\\n", invoke("｜DSML｜", True), "</｜DSML｜function_calls>")},
    "dsml_v4": DEEPSEEK | {"calls": between("\\n\\n<｜DSML｜tool_calls>\\n", invoke("｜DSML｜", True), "</｜DSML｜tool_calls>")},
    "dsml_v41": DEEPSEEK | {"calls": between("\\n\\n<｜DSML｜ calls>\\n", invoke("｜DSML｜ ", True), "</｜DSML｜ calls>")},
    # GigaChat 3.5.
    "gcml": {"begin": "'assistant<|role_sep|>\\n'", "calls": between("\\n<｜GCML｜tool_calls>\\n", invoke("｜GCML｜", True), "</｜GCML｜tool_calls>")},
    "step": {"strips": True, "begin": "'<|BOT|>assistant\\n'", "opened": "'<think>\\n'", "thought": "{{- r + '\\n</think>\\n' }}",
        "calls": "{{- '<｜tool_calls_begin｜>\\n' }}" + each("""{{- '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="' + f.name + '">\\n' }}"""
        + parameters("""'<steptml:parameter name="'""", """'">'""", "'</steptml:parameter>\\n'") + "{{- '</steptml:invoke><｜tool_call_end｜>\\n' }}") + "{{- '<｜tool_calls_end｜>' }}"},
    # dots.
    "dots": {"strips": True, "calls": between("<dots_function_call>\\n", invoke(""), "</dots_function_call>")},
    "minicpm": CHATML | THINK | {"calls": each("""{{- '<function name="' + f.name + '">' }}""" + parameters("""'<param name="'""", """'">'""", "'</param>'",
        "('<![CDATA[' + v + ']]>' if v is string and ('<' in v or '&' in v or '\\n' in v) else v if v is string else v | tojson)") + "{{- '</function>\\n' }}")},
    "minicpm_fence": CHATML | {"macros": PYTHON, "thought": "{{- '<|thought_start|>\\n' + r + '\\n<|thought_end|>\\n' }}", "content": "",
        "calls": "{{- '<|tool_call_start|>\\n```python\\n' }}" + each("{{- pycall(f) + '\\n' }}") + "{{- '```\\n<|tool_call_end|>\\n' }}{{- c }}", "plain": "{{- c if not calls else '' }}"},
    # LFM 2.
    "python_list": CHATML | {"macros": PYTHON, "calls": between("<|tool_call_start|>[", PYCALLS, "]<|tool_call_end|>")},
    "python_marks": {"macros": PYTHON, "begin": "'<|header_start|>assistant<|header_end|>\\n\\n'", "calls": between("<|python_start|>[", PYCALLS, "]<|python_end|>")},
    # Llama 3.2, ToolACE, Llama 4 without its marks.
    "python_bare": HEADERS | {"macros": PYTHON, "how": "'Answer with [name(parameter=value), ...]'", "alone": True, "calls": between("[", PYCALLS, "]")},
    "python_lines": CHATML | {"macros": PYTHON, "opened": "'<think>'", "thought": "{{- r + '</think>' }}", "calls": "{{- '<function_calls>' }}"
        + "{% for f in calls %}{{- pycall(f) + ('' if loop.last else '\\n') }}{% endfor %}{{- '</function_calls>' }}"},
    # Llama 3.
    "json_alone": HEADERS | {"how": """'{"name": a name, "parameters": by name}'""", "alone": True, "calls": "{% for f in calls %}{{- " + PARAMETERS + " + ('' if loop.last else '; ') }}{% endfor %}"},
    "json_behind_tag": HEADERS | {"how": """'{"name": a name, "parameters": by name}'""", "calls": "{{- '<|python_tag|>' }}{% for f in calls %}{{- " + PARAMETERS + " + ('' if loop.last else '; ') }}{% endfor %}"},
    # xLAM.
    "json_list_alone": CHATML | {"how": """'[{"name": "a name", "arguments": {}}]'""", "alone": True, "calls": between("[", LIST, "]")},
    "brackets_list": {"user": "[INST]", "begin": "'[/INST]'", "thought": "{{- '[THINK]' + r + '[/THINK]' }}", "calls": between("[TOOL_CALLS][", LIST, "]")},
    "brackets_each": {"user": "[INST]", "begin": "'[/INST]'", "thought": "{{- '[THINK]' + r + '[/THINK]' }}", "calls": each("{{- '[TOOL_CALLS]' + f.name + '[ARGS]' + (f.arguments | tojson) }}")},
    # Granite 3, Phi 4 mini.
    "bars_list": {"thought": "{{- 'Here is my thought process: ' + r + ' Here is my response: ' }}", "calls": between("<|tool_call|>[", LIST, "]")},
    "bars_closed": {"begin": "'<|assistant|>'", "calls": between("<|tool_call|>[", LIST, "]<|/tool_call|>")},
    # Phi 4 mini's template has marks around tools, none around calls.
    "bars_of_tools": {"begin": "'<|assistant|>'", "how": "'<|tool|><|/tool|>'", "calls": between("functools[", LIST, "]")},
    # Firefunction.
    "functools": HEADERS | {"calls": between(" functools[", LIST, "]")},
    # Granite 20B.
    "function_calls_json": {"begin": "'ASSISTANT: '", "calls": each("{{- '<function_call> ' + %s + ' ' }}" % ONE)},
    "actions": {"begin": "'<|CHATBOT_TOKEN|>'", "thought": "{{- '<|START_THINKING|>' + r + '<|END_THINKING|>' }}", "content": "{{- '<|START_RESPONSE|>' + c + '<|END_RESPONSE|>' }}",
        "calls": between("<|START_ACTION|>[\\n", """{% for f in calls %}{{- '    {"tool_call_id": "' ~ loop.index0 ~ '", "tool_name": "' ~ f.name ~ '", "parameters": ' ~ (f.arguments | tojson) ~ '}' ~ ('' if loop.last else ',') ~ '\\n' }}{% endfor %}""", "]<|END_ACTION|>"), "ids": "index"},
    "actions_text": {"begin": "'<|CHATBOT_TOKEN|>'", "thought": "{{- '<|START_THINKING|>' + r + '<|END_THINKING|>' }}", "content": "{{- '<|START_TEXT|>' + c + '<|END_TEXT|>' }}",
        "calls": between("<|START_ACTION|>[\\n", """{% for f in calls %}{{- '    {"tool_call_id": "' ~ loop.index0 ~ '", "tool_name": "' ~ f.name ~ '", "parameters": ' ~ (f.arguments | tojson) ~ '}' ~ ('' if loop.last else ',') ~ '\\n' }}{% endfor %}""", "]<|END_ACTION|>"), "ids": "index"},
    # Command R.
    "actions_fence": {"begin": "'<|CHATBOT_TOKEN|>'", "content": "{{- c + ('\\n' if calls else '') }}", "calls": between("Action: ```json\\n[\\n", """{% for f in calls %}{{- '    {"tool_name": "' ~ f.name ~ '", "parameters": ' ~ (f.arguments | tojson) ~ '}' ~ ('' if loop.last else ',') ~ '\\n' }}{% endfor %}""", "]\\n```")},
    "actions_lines": {"begin": "'<|CHATBOT_TOKEN|>'", "calls": between("\\nAction:\\n```json\\n[\\n", """{% for f in calls %}{{- '    {\\n        "tool_name": "' ~ f.name ~ '",\\n        "parameters": ' ~ (f.arguments | tojson(indent=4)) ~ '\\n    }' ~ ('' if loop.last else ',') ~ '\\n' }}{% endfor %}""", "]```\\n")},
    # Jamba, Hunyuan A13B, Apriel.
    "calls_list": {"calls": between("<tool_calls>[", LIST, "]</tool_calls>")},
    # MiniMax M1.
    "calls_lines": THINK | {"calls": "{{- '<tool_calls>\\n' }}" + each("{{- %s + '\\n' }}" % ONE) + "{{- '</tool_calls>' }}"},
    "calls_answer": {"thought": "{{- '<think>\\n' + r + '\\n</think>\\n' }}", "content": "{{- '<answer>\\n' + c + '\\n</answer>' if not calls else c }}", "calls": between("<tool_calls>[", LIST, "]</tool_calls>")},
    "calls_final": {"begin": "'<|assistant|>\\n'", "opened": "'Here are my reasoning steps:\\n'", "thought": "{{- r + '\\n[BEGIN FINAL RESPONSE]\\n' }}", "calls": between("\\n<tool_calls>[", LIST, "]</tool_calls>")},
    "calls_thinking": {"how": "'[BEGIN FINAL RESPONSE] [END FINAL RESPONSE]'", "begin": "'<|assistant|>\\n'", "thought": "{{- '<thinking>' + r + '</thinking>' }}", "calls": between("\\n<tool_calls>[", LIST, "]</tool_calls>")},
    "toolcall": {"begin": "'<SPECIAL_11>Assistant\\n'", "opened": "'<think>\\n'", "closed": "'<think></think>'", "thought": "{{- r + '\\n</think>\\n\\n' }}", "calls": between("<TOOLCALL>[", LIST, "]</TOOLCALL>")},
    "toolcall_each": {"begin": "'<extra_id_1>Assistant\\n'", "calls": each("{{- '<toolcall> ' + %s + ' </toolcall> ' }}" % ONE)},
    "longcat": {"begin": "' ASSISTANT:'", "opened": "'<longcat_think>\\n'", "thought": "{{- r + '\\n</longcat_think>\\n' }}", "calls": each("{{- '<longcat_tool_call>\\n' + %s + '\\n</longcat_tool_call>' }}" % ONE)},
    "apertus": {"begin": "'<|assistant_start|>'", "thought": "{{- '<|inner_prefix|>' + r + '<|inner_suffix|>' }}",
        "calls": between("<|tools_prefix|>[", """{% for f in calls %}{{- '{"' + f.name + '": ' + (f.arguments | tojson) + '}' + ('' if loop.last else ', ') }}{% endfor %}""", "]<|tools_suffix|>")},
    "plugin": CHATML | {"single": True, "calls": each("{{- '<|action_start|><|plugin|>\\n' + %s + '<|action_end|>\\n' }}" % PARAMETERS)},
    "role_turns": {"begin": "'assistant<|role_sep|>\\n'", "single": True, "calls": each("{{- '<|message_sep|>\\n\\nfunction call<|role_sep|>\\n' + %s }}" % ONE)},
    "role_token": {"begin": "'assistant<|role_sep|>\\n'", "single": True, "calls": each("{{- '<|function_call|>' + %s }}" % ONE)},
    "turn_of_calls": {"user": "<|im_start|>user\\n", "begin": "'<|im_start|>assistant'", "thought": "{{- '/think\\n' + r + '<|im_end|>\\n<|im_start|>assistant' }}", "content": "{{- '\\n' + c + ('<|im_end|>\\n<|im_start|>assistant' if calls else '') }}",
        "calls": between(" -> tool/function_call\\n[", LIST, "]")},
    "observer": {"begin": "'<|assistant|>'", "how": "'在调用上述函数时，请使用 Json 格式表示调用的参数。'", "content": "{{- '\\n' + c + ('<|assistant|>' if calls else '') }}",
        "calls": "{% for f in calls %}{{- f.name + '\\n' + (f.arguments | tojson) + ('' if loop.last else '<|assistant|>') }}{% endfor %}"},
    "recipients": {"how": "'>>>all or >>>name'", "user": "<|start_header_id|>user<|end_header_id|>\\n\\n", "begin": "'<|start_header_id|>assistant<|end_header_id|>\\n\\n>>>'", "content": "{{- 'all\\n' + c + ('>>>' if calls else '') }}",
        "calls": "{% for f in calls %}{{- f.name + '\\n' + (f.arguments | tojson) + ('' if loop.last else '>>>') }}{% endfor %}"},
    "functions_json": HEADERS | {"calls": each("{{- '<function=' + f.name + '>' + (f.arguments | tojson) + '</function>' }}")},
    "channels": {"user": "<|start|>user<|message|>", "begin": "'<|start|>assistant'", "thought": "{{- '<|channel|>analysis<|message|>' + r + '<|end|><|start|>assistant' }}",
        "content": "{{- '<|channel|>' + ('commentary' if calls else 'final') + '<|message|>' + c + ('<|end|><|start|>assistant' if calls else '') }}",
        "calls": "{% for f in calls %}{{- '<|channel|>commentary to=functions.' + f.name + ' <|constrain|>json<|message|>' + (f.arguments | tojson) + '<|call|>' + ('' if loop.last else '<|start|>assistant') }}{% endfor %}"},
    "parts": {"begin": "'<|begin|>assistant'", "thought": "{{- '<|think|>' + r + '<|end|><|begin|>assistant' }}", "content": "{{- '<|content|>' + c + ('<|end|><|begin|>assistant' if calls else '') }}",
        "calls": "{{- '<|tool_calls|>' }}" + each("{{- '<|tool_call:begin|>' ~ loop.index0 ~ '<|tool_call:name|>' ~ f.name ~ '<|tool_call:args|>' ~ (f.arguments | tojson) ~ '<|tool_call:end|>' }}"), "ids": "index"},
    "sections": DEEPSEEK | {"calls": "{{- '<｜tool▁calls▁begin｜>' }}" + each("{{- '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + f.name + '\\n```json\\n' + (f.arguments | tojson) + '\\n```<｜tool▁call▁end｜>' }}") + "{{- '<｜tool▁calls▁end｜>' }}"},
    "sections_v31": DEEPSEEK | {"calls": "{{- '<｜tool▁calls▁begin｜>' }}" + each("{{- '<｜tool▁call▁begin｜>' + f.name + '<｜tool▁sep｜>' + (f.arguments | tojson) + '<｜tool▁call▁end｜>' }}") + "{{- '<｜tool▁calls▁end｜>' }}"},
    "sections_bars": {"begin": "'<|im_assistant|>assistant<|im_middle|>'", "thought": "{{- '<think>' + r + '</think>' }}", "ids": "functions", "calls": "{{- '<|tool_calls_section_begin|>' }}"
        + each("{{- '<|tool_call_begin|>functions.' ~ f.name ~ ':' ~ loop.index0 ~ '<|tool_call_argument_begin|>' ~ (f.arguments | tojson) ~ '<|tool_call_end|>' }}") + "{{- '<|tool_calls_section_end|>' }}"},
    # Kimi where it forgets the section.
    "sections_without": {"begin": "'<|im_assistant|>assistant<|im_middle|>'", "ids": "functions",
        "calls": each("{{- '<|tool_call_begin|>functions.' ~ f.name ~ ':' ~ loop.index0 ~ '<|tool_call_argument_begin|>' ~ (f.arguments | tojson) ~ '<|tool_call_end|>' }}")},
    "xtml": {"macros": K3, "user": "<|open|>message role=\"user\"<|sep|>", "begin": "'<|open|>message role=\"assistant\"<|sep|>'", "opened": "'<|open|>think<|sep|>'", "closed": "'<|open|>response<|sep|>'",
        "thought": "{{- r + '<|close|>think<|sep|><|open|>response<|sep|>' }}", "content": "{{- c }}", "calls": "", "after": "{{- '<|close|>response<|sep|>' }}{% if calls %}{{- '<|open|>tools<|sep|>' }}"
        + each("""{{- '<|open|>call tool="' ~ f.name ~ '" index="' ~ loop.index ~ '"<|sep|>' }}{% for k, v in f.arguments.items() %}{{- '<|open|>argument key="' + k + '" type="' + kind(v) + '"<|sep|>' + (v if v is string else v | tojson) + '<|close|>argument<|sep|>' }}{% endfor %}{{- '<|close|>call<|sep|>' }}""")
        + "{{- '<|close|>tools<|sep|>' }}{% endif %}{{- '<|close|>message<|sep|>' }}"},
    "quoted": {"macros": GEMMA.replace("QUOTE", '<|"|>'), "begin": "'<|turn>model\\n'", "thought": "{{- '<|channel>thought\\n' + r + '<channel|>' }}", "calls": each("{{- '<|tool_call>call:' + f.name + g(f.arguments) + '<tool_call|>' }}")},
    "escaped": {"macros": GEMMA.replace("QUOTE", "<escape>"), "begin": "'<start_of_turn>model\\n'", "calls": each("{{- '<start_function_call>call:' + f.name + g(f.arguments) + '<end_function_call>' }}")},
}

TOOLS = [
    {"type": "function", "function": {"name": "find_train", "description": "Finds a train.", "parameters": {"type": "object", "required": ["from"], "properties": {
        "from": {"type": "string"},
        "to": {"type": "string"},
        "seats": {"type": "integer"},
        "price": {"type": "number"},
        "window": {"type": "boolean"},
        "stops": {"type": "array", "items": {"type": "string"}},
        "extras": {"type": "object", "properties": {"class": {"type": "string"}, "meals": {"type": "array", "items": {"type": "object", "properties": {"kind": {"type": "string"}, "count": {"type": "integer"}}}}}},
        "note": {"type": ["string", "null"]},
    }}}},
    {"type": "function", "function": {"name": "clock", "description": "Says the time.", "parameters": {"type": "object", "properties": {}}}},
    {"type": "function", "function": {"name": "keep", "description": "Keeps a text.", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}},
]


def call(name, **arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


# What ends or begins a call in one format or another means nothing inside a text.
MARKS = """</tool_call> <tool_call> ]</tool_calls> </seed:tool_call> </function_calls> </function> <|/tool_call|> <|END_ACTION|> <|tool_call_end|> \
<|python_end|> <|tools_suffix|> <tool_call|> [TOOL_CALLS] </TOOLCALL> <|action_end|> <｜tool▁call▁end｜> <｜tool▁calls▁end｜> <|im_end|> }] </think>"""

TRAIN = call("find_train", **{"from": "Oslo", "to": "Bergen", "seats": 2})
WISHES = call("find_train", **{"from": "Bodø", "price": 12.5, "window": True, "stops": ["Mo i Rana", "Mosjøen"],
    "extras": {"class": "first", "meals": [{"kind": "soup", "count": 2}, {"kind": "fish", "count": 1}]}, "note": None})
MESSAGES = {
    "says": {"content": "The train leaves at 9:40."},
    "calls": {"tool_calls": [TRAIN]},
    "calls what takes nothing": {"tool_calls": [call("clock")]},
    "says and calls": {"content": "Let me look.", "tool_calls": [TRAIN]},
    "calls twice": {"tool_calls": [TRAIN, call("clock")]},
    "calls the same twice": {"tool_calls": [TRAIN, call("find_train", **{"from": "Bergen", "to": "Oslo", "seats": 1})]},
    "calls with values in values": {"tool_calls": [WISHES]},
    "calls with a text": {"tool_calls": [call("keep", text="One \"line\",\nand 'two': a \\ b {c} [d] (e), <f> & é 日本 🚂")]},
    "calls with a text like a number": {"tool_calls": [call("keep", text="0012")]},
    "calls with code": {"tool_calls": [call("keep", text="if a < b:\n    print({'k': [1, 2]})  # </b>\n")]},
    "calls with marks in a text": {"tool_calls": [call("keep", text="Marks: " + MARKS)]},
    "thinks and says": {"reasoning_content": "They want two seats.\nNo: one.", "content": "One seat is free."},
    "thinks and calls": {"reasoning_content": "I have to look.", "tool_calls": [TRAIN]},
    "thinks, says and calls": {"reasoning_content": "I have to look.", "content": "One moment.", "tool_calls": [TRAIN, call("clock")]},
}
USER = {"role": "user", "content": "A train?"}


# What stands in a template where a format says nothing else. Beside these, a format says where it writes `ids` of calls (`index`, or what stands before
# the name), that it `drops` null, that its readers `strips` white space around values, that it has a `single` call at most, or no text beside calls (`alone`).
PARTS = {
    "macros": "", "user": "<|user|>\\n", "begin": "'<|assistant|>\\n'", "opened": "''", "closed": "''", "thought": "", "content": "{{- c }}", "plain": "",
    "calls": "", "after": "", "how": "''", "result": "message.content", "turn": "eos_token",
}


def template(parts):
    text = "@macros@{%- set user_mark = '@user@' %}" + SKELETON
    for key, default in PARTS.items():
        text = text.replace(f"@{key}@", parts.get(key, default))
    return text


def main():
    written = {}
    for name, parts in FORMATS.items():
        source = template(parts)
        words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, END: 2}, unk_token="<unk>"))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token=END, unk_token="<unk>", chat_template=source)
        cases = {}
        for title, message in MESSAGES.items():
            calls, thought = message.get("tool_calls", []), message.get("reasoning_content")
            if title == "calls with code" and parts.get("strips"):
                continue
            if thought and not parts.get("thought") or parts.get("single") and len(calls) > 1 or parts.get("alone") and calls and message.get("content"):
                continue
            options = {"tools": TOOLS, "tokenize": False, "thinking": thought is not None}
            prompt = tokenizer.apply_chat_template([USER], add_generation_prompt=True, **options)
            whole = tokenizer.apply_chat_template([USER, {"role": "assistant"} | message], **options)
            assert whole.startswith(prompt) and whole.endswith(END), (name, title, prompt, whole)
            cases[title] = [prompt[prompt.rindex(USER["content"]) :], whole[len(prompt) : -len(END)]]
        written[name] = {"ids": parts.get("ids"), "drops": parts.get("drops"), "template": source, "answers": cases}
    FILE.write_text(json.dumps({"tools": TOOLS, "messages": MESSAGES, "formats": written}, ensure_ascii=False, indent=1) + "\n")


main()
