"""Records what Jinja makes of snippets of every kind, in the environment of the reference's chat templates: tests/goldens/chat/jinja_snippets.json.

The file holds the variables, and by kind rows of `[template, text]`, or `[template, null, error]` with the exception's class and message.
Snippets whose answer another process would give differently (addresses, chance) are left out, as are more than a few that fail alike.
"""

import datetime as real
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("PYTHONHASHSEED", "0")

import jinja2
import transformers
from transformers.utils import chat_template_utils

import jinja_grammar

FILE = Path(__file__).parents[2] / "tests" / "goldens" / "chat" / "jinja_snippets.json"
NOW = (2025, 3, 7, 14, 5, 9)
LONGEST = 400  # characters of a template, or of what it makes
ALIKE = 6  # snippets of a kind that fail with the same message
SECONDS = 1


class Clock(real.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*NOW)


chat_template_utils.datetime = Clock


def render(template):
    """`[text]`, or `[None, error]`: the whole path of `apply_chat_template` but for the special tokens, which no snippet names."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        chats, _ = chat_template_utils.render_jinja_template([[]], chat_template=template, **jinja_grammar.VARIABLES)
        return [chats[0]]
    except TimeoutError:
        return None
    except Exception as error:
        return [None, f"{type(error).__name__}: {error}"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def late(*_):
    raise TimeoutError


def snippets():
    for kind, make in jinja_grammar.KINDS.items():
        yield kind, list(dict.fromkeys(make(random.Random(f"jinja {kind}"))))


def comparable(template, answer):
    """What another process, or another compiler of the same language, would say as well: Jinja writes a constant `nan` into Python as a name."""
    if answer is None or len(template) > LONGEST or len(answer[0] or "") > LONGEST:
        return False
    return not any(re.search(r"\b0x[0-9a-f]{8,}|<generator|site-packages|^NameError", part or "") for part in answer) and "\ud800" not in template


def main():
    signal.signal(signal.SIGALRM, late)
    answers = [(kind, template, render(template)) for kind, templates in snippets() for template in templates]
    if "--second" in sys.argv:  # another process, with other hashes
        json.dump([answer for *_, answer in answers], sys.stdout)
        return
    second = json.loads(subprocess.check_output([sys.executable, __file__, "--second"], env={**os.environ, "PYTHONHASHSEED": "1"}))
    rows, alike, seen = {}, Counter(), set()
    for (kind, template, answer), again in zip(answers, second, strict=True):
        if template in seen or answer != again or not comparable(template, answer):
            continue
        seen.add(template)
        if answer[0] is None:
            # What a message quotes makes it no other message.
            same = (kind, re.sub(r"'[^']*'|\d+", "", answer[1]))
            alike[same] += 1
            if alike[same] > ALIKE:
                continue
        rows.setdefault(kind, []).append([template, *answer])
    write(rows)


def write(rows):
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    kinds = ",\n".join(f'"{kind}": [\n' + ",\n".join(map(dump, listed)) + "\n]" for kind, listed in rows.items())
    head = f'"reference": "transformers {transformers.__version__}, jinja2 {jinja2.__version__}"'
    FILE.write_text(f'{{{head},\n"variables": {dump(jinja_grammar.VARIABLES)},\n"snippets": {{\n{kinds}\n}}}}\n', "utf-8")
    for kind, listed in rows.items():
        print(f"{kind}: {len(listed)}, {sum(len(row) > 2 for row in listed)} of them errors, {len(dump(listed).encode()) // 1000} kB")


main()
