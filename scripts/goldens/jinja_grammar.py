"""Snippets of Jinja, by kind, from tables and a seed: what `jinja_snippets.py` renders.

Each kind is a function that yields templates: some written out, most combined from values of every kind with everything that takes them.
"""

import re

VARIABLES = {
    "s": "Hello World", "t": "<b>Zoë & Co</b>", "n": 3, "f": 2.5, "y": True, "z": None, "e": "", "big": 123456789012345678901234567890,
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "d": {"a": 1, "b": [2, None], "items": "x"}, "k": {"B": 1, "a": 2, "c": 0},
    "p": [{"name": "Ann", "age": 31, "at": {"x": 1}}, {"name": "bob", "age": 25}, {"name": "Cy", "age": 31, "at": {"x": 0}}],
    "text": "The quick  brown fox\njumps over\n\nthe lazy dog, www.example.com and a-very-long-hyphenated-word http://x.org/a?b=1&c.",
}

# Values of every kind, as expressions.
VALUES = """none|true|false|0|1|-7|2|2.5|-0.0|1e20|10**20|'abc'|''|'7'|'Ünï <b>'|'<i>'@safe|[]|[3, 1, 2]|['b', 'A', 'c']|[1, 'a', none]|[[1, 2], [3, 4]]|(1,)|(1, 2)|()|{}
{'a': 1, 'b': 2}|{1: 'x'}|missing|d.missing|range(3)|['x', 'y']@map('upper')|k.items()|k.keys()|k.values()|namespace(a=1)|'inf'@float|'nan'@float|p|text|s|big|cycler(1, 2)
joiner('-')|dict|range|'é'.encode()|d|{'b': [1, {'c': none}]}""".replace("\n", "|").split("|")
VALUES = [value.replace("@", "|") for value in VALUES]
SIMPLE = VALUES[:32]
INFIX = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]

STATEMENTS = r"""
{{ 1_000 }} {{ 0x1F }} {{ 0o17 }} {{ 0b101 }} {{ 1e3 }} {{ 1E-2 }} {{ 1.5e+3 }} {{ 1_0.5_0 }} {{ 007 }}~{{ 1. }}~{{ .5 }}~{{ 1.real }}~{{ 1 .real }}
{{ 1.0.real }}~{{ 0x }}~{{ 1__0 }}~{{ 1_ }}~{{ 12abc }}~{{ 1e }}~{{ 00 }}~{{ 0b2 }}~{{ 1e400 }}~{{ -1e400 }}
{{ 99999999999999999999 }} {{ 9223372036854775807 + 1 }} {{ -9223372036854775808 - 1 }} {{ 2 ** 64 }} {{ 2 ** -1 }} {{ (-8) ** 0.5 }}~{{ 0 ** -1 }}
{{ 10 ** 30 // 7 }} {{ 10 ** 30 % 7 }} {{ -7 // 2 }}
{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e15 }} {{ 1e22 }} {{ 123456789.123456789 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 100.0 }} {{ 1e-5 }} {{ 0.0001 }}
{{ 3.0 * 2 }} {{ 7 / 7 }} {{ 1 / 3 }}~{{ 'a\nb\tc\\d\'e"f' }}{{ "\x41\u00e9\U0001F600\101\0" }}~{{ '\q\d' }}~{{ 'é\n' }}~{{ '\N{BULLET}' }}
{{ 'a¶b' }}~{{ 'it''s' 'x' "y" }}~{{ '\u12' }}~{{ '\x4' }}~{{ 'abc }}~{{ "\¶x" }}~{{ '\\n' }}~{{ 'a{{ b }}' }}~{{ '%}' }}~{{ '}}' }}
{{ {'a': {'b': 1}} }}~{{ {'a': {'b': 1}}}}~{{ }}~{{ a b }}~{{ 1 + }}~{{ + }}~{{ (1 }}~{{ [1, }}~{{ {1: } }}~{{ {1} }}~{{ 1 if }}~{{ x.[1] }}
{{ x. }}~{{ | upper }}~{{ 'a'| }}~{{ 'a'|nofilter }}~{{ 1 is notest }}~{{ 1 is }}~{{ f(a=1, 2) }}~{{ f(*l, *l) }}~{{ a = 1 }}~{{ a := 1 }}
{{ lambda: 1 }}~{{ [x for x in l] }}~{{ 1 <> 2 }}~{{ !x }}~{{ x && y }}~{{ x ? 1 : 2 }}~{{ `x` }}~{{ $x }}~{{ x;y }}~{{ not }}~{{ @ }}
{{ not not y }}~{{ - -3 }}~{{ +-+3 }}~{{ +n }}~{{ +'a' }}~{{ -'a' }}~{{ -z }}~{{ +y }}~{% if %}~{% if y %}~{% endif %}~{% else %}
{% for %}{% endfor %}~{% for x in %}{% endfor %}~{% for 1 in l %}{% endfor %}~{% set %}~{% set x %}~{% set 1 = 2 %}~{% set none = 2 %}
{% set true = 1 %}{{ true }}~{% macro %}{% endmacro %}~{% nothing %}~{% do l.append(1) %}~{% trans %}a{% endtrans %}~{% debug %}~{% include 'x' %}
{% include 'x' ignore missing %}~{% import 'x' as x %}~{% from 'x' import a %}~{% extends 'x' %}
{% block a %}A{{ self.a is callable }}{% endblock %}-{{ self.a() }}~{% block a %}A{% endblock %}{% block a %}B{% endblock %}
{% block a %}{{ super() }}{% endblock %}~{% set q = 1 %}{% block a %}[{{ q }}{{ n }}]{% endblock %}
{% for i in l %}{% block a scoped %}{{ i }}{% endblock %}{% endfor %}~{% for i in l %}{% block a %}{{ i }}{% endblock %}{% endfor %}~{% endfor %}
{% break %}~{% continue %}~{% if y %}{% break %}{% endif %}~{% generation %}a{{ n }}{% endgeneration %}b
{% for i in l %}{% generation %}{{ loop.index }}{% break %}{% endgeneration %}{% endfor %}~{% generation %}
{%- generation -%} a {%- endgeneration -%} b~{{ self }}~{{ self.x }}~{{ loop }}~{{ caller }}~{{ caller() }}~{{ varargs }}~{{ kwargs }}~{{ super() }}
{{ _ }}~{{ gettext }}~{{ True }}{{ False }}{{ None }}~{{ TRUE }}~{{ nil }}
{{ messages|length }}{{ tools }}{{ documents }}{{ add_generation_prompt }}~{{ 1, 2 }}~{{ (1, 2)[0] }}~{{ 1, }}~{{ () }}~{{ l[0], l[1] }}
{{ [1, 2,] }}~{{ {'a': 1,} }}~{{ (1,)|length }}~{{ [*l] }}~{{ {**d} }}~{{ dict(**k) }}~{{ dict(k, z=3) }}~{{ range(*[1, 3])|list }}
{{ dict(*[[('a', 1)]], **{'b': 2}) }}~{{ {'a': 1, 'a': 2} }}~{{ {1: 'a', 1.0: 'b', true: 'c'} }}~{{ {true: 1}[1] }}~{{ {1: 2}[1.0] }}
{{ {(1, 2): 3}[(1, 2)] }}~{{ {none: 1}[none] }}~{{ {[1]: 2} }}~{{ {{}: 1} }}~{{ {2.5: 1}[2.5] }}~{{ {'a': 1}.a.b }}~{{ {'a': 1}.a.b.c }}
{{ {0: 1, false: 2} }}~{{ 1 in {true: 0} }}~{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 == true }} {{ 1 < 'a' }}~{{ 1 == 1 in [1] }}
{{ not 1 == 2 }} {{ not 1 in [2] }} {{ 1 not in [2] }} {{ 2 * 3 ** 2 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 7 - 2 - 1 }} {{ 'a' ~ 1 + 2 }} {{ 'a' ~ 1 ~ none }} {{ 1 + 2 ~ 'b' }}
{{ 1 if y }} {{ 1 if not y }}| {{ (1 if not y) is undefined }} {{ 1 if z else 2 if e else 3 }} {{ (1 if z else 2) + 1 }} {{ 'a' if y else missing.x.y }} {{ missing.x.y if y else 1 }}
{{ -1|abs }} {{ -n|abs }} {{ (-n)|abs }} {{ 1 + 2|string }}
{{ 'a' ~ 'b'|upper }} {{ 2 ** 2|float }} {{ -2.5|round|int }} {{ not y|string }} {{ n is odd and l is sequence }} {{ n is not odd }} {{ not n is odd }} {{ n + 1 is even }} {{ 6 is divisibleby 3 is true }} {{ 3 is divisibleby(3) and 1 }}
{{ n is even or n is odd }} {{ [1] is sequence == true }} {{ 1 is eq 1 and 2 is eq(2) }} {{ n is in [3] }} {{ n is in l and y }} {{ 'a' is in 'abc' if y }} {{ 2 is gt 1 + 1 }} {{ n is sameas n }} {{ 'x' is eq 'x' ~ '' }} {{ n is lt 5|float }} {{ n is not in l }} {{ -1 is lt 0 }} {{ n is divisibleby -3 }}
{{ s.upper }}~{{ s.upper() }} {{ s['upper']() }} {{ s|attr('upper') }}~{{ d.items }} {{ d['items'] }} {{ d.items() }}
{{ k.items() }} {{ k.keys() }} {{ k.values() }} {{ d.keys }}~{{ d.get }}~{{ d|attr('items') }}~{{ d|attr('a') }}
{{ d.nope }}|{{ d['nope'] }}|{{ d.nope.x }}~{{ l.0 }} {{ l.1 }} {{ l.9 }}| {{ p.0.name }} {{ l['0'] }}| {{ l.x }}|{{ s.0 }}
{{ d[missing] }}|{{ l[missing] }}|{{ missing[0] }}~{{ l[none] }}|{{ l['a'] }}|{{ l[1.0] }}|{{ l[true] }}~{{ s[l] }}|{{ d[l] }}~{{ d[{}] }}
{{ 5[0] }}|{{ none[0] }}|{{ none.a }}~{{ none.a.b }}~{{ true.real }} {{ n.real }} {{ f.imag }} {{ n.numerator }}
{{ n.denominator }} {{ f.is_integer() }} {{ f.as_integer_ratio() }} {{ n.bit_length() }} {{ n.conjugate() }} {{ (255).to_bytes(2, 'big') }}
{{ f.hex() }} {{ 2.0.is_integer() }} {{ n.is_integer() }} {{ (5).as_integer_ratio() }} {{ (5).bit_count() }} {{ true.bit_length() }}
{{ n.from_bytes('a'.encode(), 'big') }}~{{ n.upper() }}~{{ s.append(1) }}~{{ none.strip() }}~{{ l.strip() }}~{{ missing.strip() }}~{{ d.strip() }}
{{ (1,).append(2) }}~{{ 5() }}~{{ 'a'() }}~{{ none() }}~{{ missing() }}~{{ l() }}~{{ d.nope() }}~{# a comment #}a{# {{ x }} {% if %} #}b
{#- c -#} d {#+ e +#}~{# unclosed~a #}~{{ 1 {# x #} }}~{#a#}¶{#b#}¶c~  {# lstripped? #}  x~  {#- c -#}¶ y~{##}~{#-#}x#}
{% raw %}{{ a }}{% if %}{# c #}{% endraw %}~{% raw %}¶ a {% endraw %}¶b~{%- raw -%} a {%- endraw -%} b~ {% raw -%}¶ x {%- endraw %} y~{% raw %}
{% raw %}a{% raw %}b{% endraw %}c~{%+ raw %} a {%+ endraw %}~  {%- raw +%} a {% endraw -%}¶ b~{% raw %}{% endraw x %}~{% raw x %}{% endraw %}
{% endraw %}
"""

LOOPS = """{% for x in VALUE %}{{ x }},{% endfor %}
{% for x in VALUE %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% else %}none{% endfor %}
{% for x in VALUE %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}
{% for a, b in VALUE %}{{ a }}={{ b }};{% endfor %}
{% for x in VALUE if x %}{{ loop.index }}/{{ loop.length }}{{ x }}{% else %}-{% endfor %}
{% for x in VALUE %}{% if loop.changed(x) %}{{ x }}{% endif %}{{ loop.cycle('o', 'e') }}{% endfor %}
{% for x in VALUE %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% else %}E{% endfor %}|{{ x }}
{% for x in VALUE %}{% if loop.first %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in VALUE recursive %}{{ loop.depth }}{{ loop.depth0 }}{% if x is sequence and x is not string %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{% endfor %}
{% set v = VALUE %}{% for x in v %}{{ x }}{% endfor %}{% for x in v %}{{ x }}{% endfor %}
{% set a, b = VALUE %}{{ a }}-{{ b }}
{% set ns = namespace(v=0) %}{% for x in VALUE %}{% set ns.v = x %}{% endfor %}{{ ns.v }}
{{ VALUE|list }}{{ VALUE|length }}
{% with x = VALUE %}{{ x }}{{ x is iterable }}{{ x is sequence }}{{ x is mapping }}{{ x is string }}{{ x is callable }}{{ x is number }}{% endwith %}
{% if VALUE %}true{% elif not VALUE %}false{% endif %}{{ not VALUE }}
{% for (a, b), c in [(VALUE, 1)] %}{{ a }}{{ b }}{{ c }}{% endfor %}""".split("\n")

SCOPES = r"""
{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}~{% for i in l %}{% set q = i %}{% endfor %}{{ q }}|
{% if y %}{% set q = 1 %}{% endif %}{{ q }}~{% if z %}{% set q = 1 %}{% endif %}{{ q }}|{{ q is defined }}~{% set n = n + 1 %}{{ n }}
{% for n in l %}{{ n }}{% endfor %}{{ n }}~{% for i in l %}{% for i in 'ab' %}{{ i }}{% endfor %}{{ i }}{% endfor %}
{% for i in l %}{{ loop.index }}{% for j in 'ab' %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in l %}{% set outer = loop %}{% for j in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for i in l %}{% if loop.first %}{% set q = i %}{% endif %}{{ q }}|{% endfor %}~{% for i in i %}{{ i }}{% endfor %}
{% for l in l %}{{ l }}{% endfor %}{{ l }}~{% with a = 1, b = a %}{{ b }}{% endwith %}
{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}~{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}|
{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}~{% with a %}{% endwith %}~{% with a, b = (1, 2) %}{{ a }}{% endwith %}
{% with a = 1 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{% endwith %}~{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set (a, b) = [1, 2] %}{{ a }}{{ b }}~{% set a, (b, c) = 1, (2, 3) %}{{ a }}{{ b }}{{ c }}~{% set a, b = 1 %}~{% set a, b = [1] %}
{% set a, b = [1, 2, 3] %}~{% set a = b = 1 %}~{% set a.b = 1 %}~{% set d.a = 1 %}~{% set l[0] = 1 %}~{% set a, ns.b = 1, 2 %}
{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}|{{ ns['a'] }}
{% set ns = namespace(a=1) %}{% set a, ns.b = 2, 3 %}{{ a }}{{ ns.b }}{{ ns.a }}~{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}
{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}~{% set ns = namespace([('q', 1)]) %}{{ ns.q }}
{{ namespace(1) }}~{{ namespace(_a=1) }}~{% set ns = namespace() %}{% set ns._a = 1 %}
{% set ns = namespace(a=[]) %}{% set ns.a = ns.a + [1] %}{{ ns.a }}~{{ namespace(items=1).items }}
{% set ns = namespace(a=1) %}{{ ns is mapping }}{{ ns.get }}|{{ ns.__class__ }}|{{ 'a' in ns }}
{{ namespace() is defined }}{{ namespace(a=1) == namespace(a=1) }}~{{ namespace(a=1)|tojson }}~{{ namespace(a=1)|items|list }}
{{ namespace(self=1).self }}~{% set ns.x = 1 %}~{{ namespace(a=1)|list }}~{{ namespace(a=1)|length }}
{% set x %}a{{ n }}b{% endset %}{{ x }}{{ x|upper }}{{ x is string }}{{ x is escaped }}~{% set x | upper %}abc{% endset %}{{ x }}
{% set x | replace('a', 'b') | trim %} aa {% endset %}[{{ x }}]~{% set x %}{% endset %}{{ x|length }}
{% set ns = namespace() %}{% set ns.x %}blk{% endset %}{{ ns.x }}~{% set x, y2 %}a{% endset %}
{% set x %}{% set q = 1 %}{{ q }}{% endset %}{{ x }}{{ q }}|~{% set x %}<b>{{ t }}{% endset %}{{ x ~ '<' }}{{ x + '<' }}
{% filter upper %}a{{ s }}b{% endfilter %}~{% filter replace('a', 'b')|upper %}banana{% endfilter %}~{% filter indent(2) %}a¶b{% endfilter %}
{% filter nope %}{% endfilter %}~{% filter upper %}{% set q = 1 %}{{ q }}x{% endfilter %}{{ q }}|~{% filter trim|length %}  a {% endfilter %}
{% filter escape %}<{{ t }}>{% endfilter %}~{% filter upper(1) %}a{% endfilter %}~{% filter tojson %}a"b{% endfilter %}
{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=1, a=2) }} {{ m() }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(a, b=a ~ '!', c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }}
{% macro m(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}~{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}~{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m() }}{{ m(1, 2, x=3) }}~{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}
{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(1, b=2, c=3) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(a=1, a=2) }}~{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(1, b=2, b=3) }}~{{ dict(a=1, a=2) }}~{{ s|replace(old='a', old='b', new='c') }}
{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(1, b=2, **{'b': 3}) }}~{{ dict(a=1, **{'a': 2}) }}~{{ namespace(a=1, a=2).a }}~{{ namespace(a=1, **{'a': 2}).a }}~{{ dict({'a': 1}, a=2) }}
{% macro m() %}{{ caller(a=1, a=2) }}{% endmacro %}{% call(a) m() %}{{ a }}{% endcall %}~{{ n is divisibleby(num=1, num=2) }}~{{ 'x {a}'.format(a=1, a=2) }}~{{ {'a': 1, 'a': 2} }}
{% macro m(a) %}{{ varargs|length }}{{ kwargs.b }}{% endmacro %}{{ m(*l, **{'b': 5}) }}~{% macro m(*a) %}{% endmacro %}
{% macro m(a, a) %}{% endmacro %}{{ m(1, 2) }}~{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[7]) }}{{ m(**{'a': 8}) }}~{% macro m(varargs) %}{{ varargs }}{% endmacro %}{{ m(1) }}
{% macro m(a, b=1) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m.nope }}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m.caller }}
{% macro m() %}x{% endmacro %}{{ m is callable }}{{ m() is string }}{{ m()|upper }}{{ m() ~ 1 }}{{ m() + 'a' }}{{ m()|length }}{{ m() is escaped }}
{% macro m() %}<b>{% endmacro %}{{ m() + '<' }}{{ m()|e }}{{ [m()] }}~{% macro m() %}{% set q = 1 %}{% endmacro %}{{ m() }}{{ q }}|
{% set q = 1 %}{% macro m() %}{{ q }}{% endmacro %}{% set q = 2 %}{{ m() }}
{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}
{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m }}|~{% if y %}{% macro m() %}M{% endmacro %}{% endif %}{{ m() }}
{% macro m() %}{{ loop.index }}{% endmacro %}{% for i in l %}{{ m() }}{% endfor %}
{% macro m() %}{{ i }}{% endmacro %}{% for i in l %}{{ m() }}{% endfor %}|
{% macro m() %}a{% macro o() %}b{% endmacro %}{{ o() }}{% endmacro %}{{ m() }}{{ o }}|~{{ m }}{% macro m() %}{% endmacro %}
{% macro m(x=[]) %}{{ x }}{% endmacro %}{{ m() }}{{ m([1]) }}~{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body{{ n }}{% endcall %}
{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}
{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(a, b=5) m() %}{{ a }}{{ b }}{% endcall %}~{% macro m() %}{{ caller }}{% endmacro %}{{ m() }}
{% macro m() %}x{% endmacro %}{% call m() %}b{% endcall %}~{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}
{% macro m(caller=none) %}{{ caller() if caller else '-' }}{% endmacro %}{{ m() }}{% call m() %}c{% endcall %}
{% macro m(x) %}{{ x }}{{ caller() }}{% endmacro %}{% call m(1) %}{% call m(2) %}in{% endcall %}{% endcall %}
{% macro m() %}{{ caller(n) }}{{ caller(4) }}{% endmacro %}{% call(n) m() %}{{ n }},{% endcall %}{{ n }}
{% macro m() %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) m() %}<{{ i }}>{% endcall %}~{% call s.upper() %}x{% endcall %}
{% call missing() %}x{% endcall %}~{% call m %}{% endcall %}
{% macro m() %}{{ caller(*l) }}{% endmacro %}{% call(a) m() %}{{ a }}{{ varargs }}{% endcall %}
{% set q = 1 %}{% macro m() %}{% set q = 2 %}{{ caller() }}{% endmacro %}{% call m() %}{{ q }}{% endcall %}
{% for x in range(3) %}{% if x == 1 %}{% continue %}{% endif %}{% for z2 in 'ab' %}{% if z2 == 'b' %}{% break %}{% endif %}{{ x }}{{ z2 }}{% endfor %}{% endfor %}
{% for x in [] %}{% break %}{% else %}e{% endfor %}~{% for x in l %}{% with %}{% break %}{% endwith %}{% endfor %}ok
{% for x in l %}{% set q %}{% break %}{% endset %}{% endfor %}~{% for x in l %}{% filter upper %}{% continue %}{% endfilter %}{% endfor %}
{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}~{% for x in l %}{{ x }}{% else %}{% break %}{% endfor %}
{% for x in l %}{% call m() %}{% break %}{% endcall %}{% endfor %}~{{ loop.index }}~{% for x in l %}{{ loop }}{% endfor %}
{% for x in l %}{{ loop.nope }}|{% endfor %}~{% for x in l %}{{ loop.cycle() }}{% endfor %}~{% for x in l %}{% set loop = 5 %}{{ loop }}{% endfor %}
{% for loop in l %}{{ loop }}{% endfor %}~{% for x in l %}{{ loop(x) }}{% endfor %}~{% for x in l if loop.index %}{% endfor %}
{% for x in l if x > 1 %}{{ loop.previtem }},{{ loop.nextitem }};{% endfor %}~{% for x in l %}{{ loop.length }}{% endfor %}{{ loop }}|
{% for x, in [[1]] %}{{ x }}{% endfor %}~{% for a, *b in [[1, 2]] %}{% endfor %}~{% for x in 1, 2 %}{{ x }}{% endfor %}
{% for x in l[:2] + [9] if x != 1 else 2 %}{% endfor %}~{% for x in l|sort %}{{ x }}{{ loop.last }}{% endfor %}
{% for q, i in p|groupby('age') %}{{ q }}:{% for x in i %}{{ x.name }}{% endfor %};{% endfor %}
{% for g in p|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }}{% endfor %}~{{ p|groupby('age') }}
{{ p|groupby('at.x', default=9)|map('first')|list }}~{{ p|groupby('name', case_sensitive=true)|map(attribute='grouper')|list }}
{{ p|groupby(attribute='name')|map('first')|join }}~{{ ['A', 'a', 'b']|groupby('0')|list }}
"""

GLOBALS = r"""
range(5)|list~range(2, 8, 3)|list~range(5, 0, -2)|list~range()~range('a')~range(1.0)~range(3)~range(1, 3)~range(0, 9, 4)~range(3)[1]~range(9)[2:5]
range(3)|length~range(100001)~range(0)|first~3 in range(5)~range(3) == range(3)~range(1, 5, 0)~range(10)[-1]~range(3) is sequence
range(3)|reverse|list~range(3).count(1)~range(5).index(3)~range(1,7,2).step~range(none)~range(3)|sum~range(3)|tojson~range(n)|last~range(true)|list
dict()~dict(a=1)~dict([('a', 1)])~dict([['a', 1], ['b', 2]], c=3)~dict(1)~dict([1])~dict({'a': 1}, a=2)~dict(['ab', 'cd'])~dict.fromkeys('ab')
dict.fromkeys(l, 0)~dict.nope~dict(a=1).a~dict(k.items())~dict(d.items()|sort) if n == 4 else 1~dict(none)~dict([('a', 1, 2)])
dict(l|map('string')|batch(2))~dict is callable~cycler()~cycler(1, 2).next()~cycler('a', 'b').current~cycler(1, 2).items~cycler(1).pos
cycler(1).reset()~joiner()()~joiner()|string|length > 0~joiner().sep~joiner('|').used~joiner(1)()~joiner(sep='x').sep~joiner(1, 2)
lipsum is callable~lipsum(n='a')~lipsum(0)~lipsum(n=0, html=false)~raise_exception('no')~raise_exception(5)~raise_exception()~raise_exception(none)
raise_exception('a', 'b')~raise_exception(message='kw')~raise_exception(l)~raise_exception(missing)~strftime_now('%Y-%m-%d')
strftime_now('%d %B %Y, %H:%M:%S %p %a %A %b %j %y %I %% %q')~strftime_now()~strftime_now('')~strftime_now(5)~strftime_now(format='%Y')
strftime_now('%-d/%-m %e|%H%M|%U %w %Z%z')~strftime_now('%c|%x|%X|%D|%F|%T|%R')~strftime_now('é %Y %')~nope()~namespace~range.nope~raise_exception.x
dict.x|default('d')
"""

SEQUENCES = r"""
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}
{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}~{% set c = cycler(*l) %}{% for i in 'abcd' %}{{ c.next() }}{% endfor %}
{% set j = joiner() %}{{ j() }}{{ j() }}{{ j.used }}~{% set j = joiner('<') %}{{ j() }}{{ j() ~ 1 }}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}~{% set g = l|map('string') %}{{ g|first }}{{ g|list }}~{% set g = l|select %}{{ '3' in g }}
{% set g = l|select %}{% for x in g %}{{ x }}{{ loop.last }}{% endfor %}~{% set g = l|select %}{{ g|join(',') }}|{{ g|join(',') }}
{% set g = l|reverse %}{{ g is iterable }}{{ g is sequence }}{{ g|string|length > 3 }}~{{ (l|select)[0] }}|~{{ l|map('string') == l|map('string') }}
{{ l|select|length }}~{{ (l|batch(2))|list }}~{{ l|map('string') ~ '' == '' }}~{{ l|select|tojson }}~{{ (l|reverse)|length }}~{{ l|select + [1] }}
"""

# Filters, with what may follow their name.
FILTERS = {
    "abs": [""], "attr": ["('a')", "('upper')", "('name')", "('__class__')", "(1)", "", "(name='a')"],
    "batch": ["(2)", "(2, 'x')", "(linecount=3, fill_with=0)", "(0)", "", "('a')", "(-1)"], "capitalize": [""],
    "center": ["", "(9)", "(width=5)", "(-1)", "('a')"], "count": [""], "d": ["('x')", "('x', true)", "(default_value=1, boolean=true)", ""],
    "default": ["('x')", "('', true)", "(none)", "(1, boolean=false)", ""],
    "dictsort": ["", "(true)", "(by='value')", "(false, 'value', true)", "(reverse=true)", "(by='x')", "(case_sensitive=true)"], "e": [""],
    "escape": ["", "(1)"], "filesizeformat": ["", "(true)", "(binary=true)"], "first": [""], "float": ["", "(1.5)", "(default='x')"],
    "forceescape": [""], "format": ["(1)", "(1, 2)", "('a', 'b')", "(a=1)", "()", "(1, a=1)"],
    "groupby": ["('a')", "('name')", "(0)", "('a', default='-')", ""],
    "indent": ["", "(2)", "(2, true)", "(width='> ')", "(first=true, blank=true)", "(0)", "(none)"],
    "int": ["", "(9)", "(default='x')", "(base=16)", "(0, 2)", "(0, 99)"], "items": ["", "|list"],
    "join": ["", "(',')", "(', ', 'name')", "(attribute='name')", "(d='-')", "(0)", "(none)"], "last": [""], "length": ["", "(1)"], "list": [""],
    "lower": [""],
    "map": ["('upper')|list", "(attribute='name')|list", "(attribute='a', default=0)|list", "('string')|join", "()|list", "('nope')|list",
        "(attribute='at.x')|list", "('default', 'q')|list", "(attribute=0)|list", "('upper', attribute='x')|list", "(attribute='x', q=1)|list",
        "('int', base=2)|list", "(1)|list"], "max": ["", "(true)", "(attribute='age')", "(case_sensitive=true)"],
    "min": ["", "(true)", "(attribute='age')"], "pprint": [""],
    "reject": ["|list", "('odd')|list", "('eq', 1)|list", "('nope')|list", "('defined')|list"],
    "rejectattr": ["('a')|list", "('age', 'gt', 30)|list", "()|list", "('age', 'eq', 25)|map(attribute='name')|list"],
    "replace": ["('a', 'b')", "('a', '<')", "('a', 'b', 1)", "(old='a', new='b', count=2)", "('', '-')", "(1, 2)", "('a')", "('a', none)"],
    "reverse": ["", "|list"],
    "round": ["", "(1)", "(0, 'floor')", "(method='ceil')", "(-1)", "(2, 'floor')", "('x')", "(precision=1, method='common')", "(0, 'x')"],
    "safe": ["", " ~ '<'", " + '<'"],
    "select": ["|list", "('odd')|list", "('gt', 1)|list", "('string')|list", "('in', [1, 'a'])|list", "('none')|list"],
    "selectattr": ["('a')|list", "('name')|map(attribute='name')|list", "('age', 'lt', 30)|list", "('at.x', 'eq', 1)|list", "('a', 'nope')|list",
        "(0)|list"], "slice": ["(2)|list", "(2, 'x')|list", "(slices=3, fill_with=0)|list", "(0)|list", "|list", "(4)|list"],
    "sort": ["", "(true)", "(reverse=true)", "(false, true)", "(attribute='name')", "(attribute=0)", "(attribute='age,name')",
        "(case_sensitive=true)", "(attribute='at.x')"], "string": ["", " + 'x'"], "striptags": [""],
    "sum": ["", "('age')", "(attribute='age')", "(start=10)", "(start=[])", "(none, 5)", "(start='')"], "title": [""],
    "tojson": ["", "(indent=2)", "(indent=0)", "(sort_keys=true)", "(separators=(',', ':'))", "(true)", "(ensure_ascii=true, indent='\\t')", "(none)",
        "(indent='a')", "(nope=1)", "(separators=1)"], "trim": ["", "('a')", "(chars=' H')", "(none)", "(1)"],
    "truncate": ["", "(5)", "(5, true)", "(9, false, '…')", "(9, false, '...', 0)", "(length=6, killwords=true, end='', leeway=0)", "(2)",
        "(10, leeway=3)"], "unique": ["|list", "(true)|list", "(attribute='age')|list", "(case_sensitive=true)|join", "(false, 'name')|list"],
    "upper": ["", "(1)"], "urlencode": [""],
    "urlize": ["", "(10)", "(nofollow=true)", "(target='_blank')", "(rel='me')", "(trim_url_limit=5, nofollow=true, target='x')",
        "(extra_schemes=['ftp:'])"], "wordcount": [""],
    "wordwrap": ["", "(10)", "(5, false)", "(width=12, wrapstring='|')", "(9, break_on_hyphens=false)", "(5, true, '\\n', false)", "(0)"],
    "xmlattr": ["", "(false)", "(autospace=true)"],
}
FILTER_VALUES = {
    "dictsort": ["k", "{'b': 1, 'A': 2, 'a': 0}", "{2: 'a', 1: 'b'}", "{1: 'a', 'b': 2}", "{'a': none, 'b': 1}"],
    "format": ["'%s'", "'%s-%s'", "'%(a)s'", "'%d'", "'%05.1f|%x'", "'{}'", "'%'", "'%r %s'"], "groupby": ["p"],
    "map": ["p", "w", "d", "[[1, 2], 'ab']"], "selectattr": ["p"], "rejectattr": ["p"],
    "sort": ["p", "w", "['b', 'B', 'a', 'A']", "[(2, 'a'), (1, 'b')]", "[1, 2.5, true]", "['10', '9']", "'hello'"],
    "sum": ["p", "[1.5, 2]", "['a', 'b']", "[[1], [2]]"], "unique": ["p", "w", "[1, 1.0, true, 'a', 'A']", "'hello'"],
    "join": ["p", "w", "[1, none, 'a', missing]", "['<', '<'|safe]"], "truncate": ["text", "'foo bar baz qux'", "'foo bar'", "'é' * 20"],
    "urlize": ["text", "'see http://a.b/c.'", "'(https://x.io/) mailto:me@x.org me@x.org ftp://f'", "'www.a.com,'",
        "'a.com b.org/x &lt;http://q.w&gt;'"], "wordwrap": ["text", "'a-b-c-d-e-f-g'", "'aaaaaaaaaaaa bb'", "'a  b\\n\\nc'"],
    "indent": ["text", "'a\\n\\nb\\n'", "'a\\r\\nb'", "'<b>\\nx'|safe"],
    "int": ["'0x1f'", "'101'", "' 12 '", "'3.7'", "'1_000'", "'1e3'", "'٣'", "'inf'|float", "'-0b11'", "'12abc'"],
    "float": ["'1e5'", "' 2.5 '", "'nan'", "'1_0.5'", "'-inf'", "'x'"], "round": ["2.5", "3.5", "-2.5", "2.675", "1234.567", "0.05", "5", "1e17"],
    "filesizeformat": ["0", "1", "999", "1000", "1024", "1500000", "'2000'", "-5", "1e30", "123456789.5", "10**30"],
    "urlencode": ["'a b&c=d/é?'", "{'a b': 1, 'c': 'd&'}", "[('a', 1), ('b', '/')]", "5", "'~-._*+'"],
    "xmlattr": ["{'a': 1, 'b': none, 'c': missing, 'd': '<\"'}", "{'a b': 1}", "{'a=': 1}", "{'x/y': 1}", "{'c': '<'|safe}"],
    "striptags": ["t", "'<p>a  <!-- c -->b</p> &amp; &lt; &#39; &eacute;'", "'a < b > c'", "'<unclosed'", "'<!-- <b> -->x'"],
    "replace": ["'aaa'", "'<a>'|safe", "12121"], "center": ["'ab'", "'é'"],
    "tojson": ["d", "{1: none, 'é': 2.0}", "'</script>'", "[1e100, 'a\\n\\x01', '🙂']", "(1, (2,))", "{true: 1, none: 2, 2.5: 3}", "{(1,): 2}",
        "{'b': {}, 'a': []}", "t|safe", "k.items()", "'é'.encode()"],
    "pprint": ["d", "p", "'a'", "['x' * 30, 'y' * 30, 'z' * 30]", "{'k' * 30: ['a' * 40, 1], 'b': {'c': 2.0}}", "'long text ' * 12", "(1,)",
        "range(3)", "{'b': 1, 'a': 2}", "{2: 1, 'a': 2}"], "batch": ["l", "range(7)", "'hello'"], "slice": ["range(7)", "l", "'hello'"],
    "min": ["w", "p", "[]", "'hello'", "[1, 'a']"], "max": ["w", "p", "[]", "'Hello'", "[2, 2.0]"], "attr": ["d", "s", "p[0]", "namespace(name=1)"],
    "title": ["\"it's a-b (c) d\"", "'HELLO wORLD'", "'<b>x</b>'|safe", "'é éa'"], "capitalize": ["'éA b'", "'<B>'|safe"],
    "wordcount": ["text", "'a-b c_d é'", "'it\\'s'"], "first": ["p", "d", "''"], "last": ["p", "d", "k.values()"],
    "trim": ["'  a\\n'", "'aba'", "' <b> '|safe"], "items": ["d", "k", "missing", "p"], "abs": ["-3", "-2.5", "true", "-big"],
    "d": ["missing", "d.x", "missing.x"], "default": ["missing", "e", "z", "0"], "select": ["l", "[0, 1, 'a', '', none, []]"],
    "reject": ["l", "[0, 1, 'a', '', none, []]"], "e": ["t", "'<'|safe", "'<'|e", "\"'\\\"&\""], "forceescape": ["t|safe"], "safe": ["t", "5"],
}
TESTS = {
    "boolean": [""], "callable": [""], "defined": [""], "divisibleby": [" 2", "(0)", " 1.5", "('a')", ""], "eq": [" 1", " 'abc'", "([])"],
    "equalto": [" 2.0"], "escaped": [""], "even": [""], "false": [""], "filter": [""], "float": [""], "ge": [" 1"], "greaterthan": [" 1"],
    "gt": [" 'a'"], "in": [" [1, 'abc']", " 'abc'", " d", " 5", " missing", " none"], "integer": [""], "iterable": [""], "le": [" 2.5"],
    "lessthan": [" 1"], "lower": [""], "lt": [" 1"], "mapping": [""], "ne": [" 1", " none"], "none": [""], "number": [""], "odd": [""],
    "sameas": [" none", " true", " 1"], "sequence": [""], "string": [""], "test": [""], "true": [""], "undefined": [""], "upper": [""], "==": [" 1"],
    ">=": [" 2"], "!=": [" 'a'"], "<": [" 3"],
}
SUBJECTS = ["'abc'", "''", "' aB c '", "'Ünï ß ŉ'", "'12'", "'a,b,,c'", "'x1\\ty\\nz'", "'aaa'", "'½²٣'"]
METHODS = {
    "capitalize": "()", "casefold": "()", "center": "(7)|(8, '*')|(1)|()|(7, 'ab')|(width=3)", "count": "('a')|('')|('a', 1)|('a', 0, 2)|(1)",
    "encode": "()|('ascii')|('latin-1')|('utf-8')|('nope')", "endswith": "('c')|(('x', 'c'))|('b', 0, 2)|(1)|(['a'])", "expandtabs": "()|(4)|(0)",
    "find": "('b')|('')|('a', 1)|('z')|('a', -2)|(none)", "format": "()|(1)", "index": "('b')|('zz')|('a', 1, 3)", "isalnum": "()", "isalpha": "()",
    "isascii": "()", "isdecimal": "()", "isdigit": "()", "isidentifier": "()", "islower": "()", "isnumeric": "()", "isprintable": "()",
    "isspace": "()", "istitle": "()", "isupper": "()", "join": "(['x', 'y'])|('pq')|([1])|(1)|([])|({'a': 1})|()", "ljust": "(6)|(6, '.')|('a')",
    "lower": "()|(1)", "lstrip": "()|('a ')|(none)|(1)", "maketrans": "('ab', 'xy')", "partition": "(',')|('b')|('')",
    "removeprefix": "('a')|('')|(1)|()", "removesuffix": "('c')|('')",
    "replace": "('a', 'X')|('', '.')|('a', '', 1)|('a', 'b', -1)|('a')|(1, 2)|('a', 'b', count=1)|('a', 'b', none)",
    "rfind": "('a')|('')|('a', 0, 2)", "rindex": "('a')|('q')", "rjust": "(6)|(6, '0')", "rpartition": "(',')|('z')",
    "rsplit": "()|(',')|(',', 1)|(none, 1)|(maxsplit=1)|('')", "rstrip": "()|('c ')",
    "split": "()|(',')|(',', 1)|(none, 1)|('')|(sep=',', maxsplit=1)|(',', -1)|(1)|(maxsplit=0)|(' ')|(',', 1, 2)",
    "splitlines": "()|(true)|(keepends=true)|(1)", "startswith": "('a')|(('b', 'a'))|('b', 1)|('')|('a', -3)|(none)", "strip": "()|('ac')|(' a')|(1)",
    "swapcase": "()", "title": "()", "translate": "({97: 'X'})|({97: none, 98: 99})|('x')", "upper": "()", "zfill": "(5)|(0)|('a')",
    "format_map": "({})", "nope": "()",
}
COLLECTIONS = r"""
l.index(1)~l.index(9)~l.index(1, 2)~l.count(1)~l.copy()~l.append(1)~l.pop()~l.insert(0, 1)~l.extend([1])~l.remove(1)~l.reverse()~l.sort()~l.clear()
l.nope()~l.nope~l.append~[1, [2]].count([2])~(1, 2, 1).count(1)~(1, 2).index(2)~(1, 2).index(5)~(1, 2).append(3)~(1,).nope~k.get('a')~k.get('q')
k.get('q', 5)~k.get()~k.get(1, 2, 3)~k.get(key='a')~k.get([])~k.get('q', default=1)~k.items()~k.items(1)~k.keys()~k.values()~k.copy()~k.pop('a')
k.update({})~k.setdefault('a', 1)~k.clear()~k.popitem()~k.fromkeys('ab')~k.fromkeys([1], 2)~k.nope~k.nope()~k.items()|list~k.keys()|list
k.values()|sum~k.items()[0]~k.keys()|first~k.items()|first~'a' in k.keys()~('a', 2) in k.items()~2 in k.values()~k.keys() == k.keys()
k.values() == k.values()~k.items()|length~k.keys() | string~k.keys() + []~k.items()|tojson~k.keys() - k.keys()~k.keys().isdisjoint([])
k.keys().mapping~k.items()|sort~k.items() is sequence~k.keys() is iterable~k.keys() is mapping~k|list~k|length~k|first~k|last~k|join~k|sort
k|reverse|list~k|max~k|map('upper')|list~k|string~k|tojson~k + {}~k ~ 1~{'get': 1}.get~{'get': 1}['get']~{'keys': 2}.keys()~{'items': 1}.items
d.items()|list~d.items|string|length > 5~d['items']|upper~{'a': 1} == {'a': 1.0}~{'a': 1, 'b': 2} == {'b': 2, 'a': 1}~{'a': 1} < {'b': 1}
k.__len__()~k.__class__~l.__class__~s.__class__.__mro__~n.__class__~l.__len__~s.__add__('x')~s.__doc__~k['__class__']~k|attr('__class__')
s|attr('__class__')~s|attr('format')~''.__class__.__base__~(1).__class__~range.__self__~namespace.__init__~namespace().__dict__
cycler.__init__.__globals__~lipsum.__globals__~joiner.__init__~dict.__class__~raise_exception.__globals__~raise_exception.__name__
strftime_now.__code__~s.format.__self__~l.append.__self__~missing.__class__~missing._x~d._x~d['_x']~s._x~n._x~p._x~namespace(a=1)._Namespace__attrs
loop.__class__~self.__dict__~self._TemplateReference__context~self.__class__~'%s'.__mod__(1)~{'__class__': 1}.__class__
{'__class__': 1}['__class__']~{'_x': 1}._x~{'_x': 1}['_x']~{'_x': 1}|attr('_x')~[{'_x': 1}]|map(attribute='_x')|list
[s]|map(attribute='__class__')|list~[{'a': {'__x': 1}}]|map(attribute='a.__x')|list~'{0.__class__}'.format(1)~'{0._x}'.format(d)
'{a.__class__}'.format(a=1)~'{0[a]}'.format(d)~'{0.a}'.format(d)~'{0.real}'.format(n)~'{x.name}'.format_map({'x': p[0]})~'{0[__class__]}'.format(d)
('{0.__class__}'|safe).format(1)~s.format~'{}'.format~'{0[0]}'.format(l)~'{0[9]}'.format(l)~'{0.nope}'.format(n)
'{a.name}'.format(a=namespace(name=1))~'{0.items}'.format(d)|length > 3~(1.5).hex()~(1.5).nope~(1.5).fromhex('0x1.8p+0')~n.nope~n.to_bytes(1, 'big')
(-5).__abs__()~f.real~f.conjugate()~f.__round__()~true.nope~none.nope~none.nope()~'é'.encode().decode()~'é'.encode()|length~'ab'.encode()[0]
'ab'.encode()|list~'ab'.encode().hex()~'ab'.encode() + 'c'~'ab'.encode() == 'ab'~'ab'.encode().upper()~'\x00\n\\\''.encode()~'ab'.encode()|upper
'ab'.encode()|string~'é'.encode('ascii', 'replace')~'é'.encode('ascii', 'xmlcharrefreplace')~'é'.encode(errors='ignore', encoding='ascii')
"""
FORMATS = r"""
'%s' % VALUE~'%d' % VALUE~'%5s|%-5s|' % (VALUE, VALUE)~'%r' % VALUE~'%a' % VALUE~'%.2f' % VALUE~'%x' % VALUE~'%c' % VALUE~'%e' % VALUE~'%g' % VALUE
'%i%%' % VALUE~'%+d % d' % (VALUE, VALUE)~'%(a)s' % VALUE~'%s %s' % VALUE~'' % VALUE~'%' % VALUE~'%y' % VALUE~'%*d' % (5, VALUE)~'%.3s' % VALUE
'%05d' % VALUE~'%#x %#o %X' % (VALUE, VALUE, VALUE)~'%(a)d %(b)s' % {'a': VALUE, 'b': 1}~'%u %o' % (VALUE, 8)~'%08.3f' % VALUE~'%-8d|' % VALUE
'%G %E' % (VALUE, 1.0)~'%ld' % VALUE~'{}'.format(VALUE)~'{:>8}|'.format(VALUE)~'{:<8}|'.format(VALUE)~'{:*^9}'.format(VALUE)~'{:d}'.format(VALUE)
'{:.2f}'.format(VALUE)~'{:08.3f}'.format(VALUE)~'{:,}'.format(VALUE)~'{:_}'.format(VALUE)~'{:x}'.format(VALUE)~'{:#b}'.format(VALUE)
'{:e}'.format(VALUE)~'{:g}'.format(VALUE)~'{:%}'.format(VALUE)~'{:+}'.format(VALUE)~'{: }'.format(VALUE)~'{!r}'.format(VALUE)
'{!s:>6}'.format(VALUE)~'{!a}'.format(VALUE)~'{0} {0}'.format(VALUE)~'{1}'.format(VALUE)~'{a}'.format(a=VALUE)~'{} {}'.format(VALUE)
'{:{}}'.format(VALUE, 6)~'{:{w}.{p}}'.format(VALUE, w=8, p=2)~'{{}} {}'.format(VALUE)~'{'.format(VALUE)~'}'.format(VALUE)~'{!x}'.format(VALUE)
'{:q}'.format(VALUE)~'{:c}'.format(VALUE)~'{:.1}'.format(VALUE)~'{:=+6}'.format(VALUE)~'{0}{}'.format(VALUE)~'{:s}'.format(VALUE)
'{:n}'.format(VALUE)~'{:,.1f}'.format(VALUE)~'{a[0]}'.format(a=VALUE)~'{0[a]}'.format(VALUE)~'{:10}|'.format(VALUE)~'{:^10}|'.format(VALUE)
'{:05}'.format(VALUE)~'{: >5}'.format(VALUE)~'{:z}'.format(VALUE)~'{:#x}'.format(VALUE)~'{:o}'.format(VALUE)~'{:X}'.format(VALUE)~'%s'|format(VALUE)
'<%s>'|safe|format(VALUE)~('<{}>'|safe).format(VALUE)~('<%s>'|safe) % VALUE~'%s-%s'|format(VALUE, 1)
"""
MARKUP = r"""
'<'|safe + A~A + '<'|safe~('<'|safe) ~ A~A ~ ('<'|safe)~('%s'|safe) % A~('<'|safe) * 2~('<'|safe).join([A, A])~('<a>'|safe).replace('a', A)
('<'|safe) == '<'~['<'|safe, A]~['<'|safe]|join(A)~[A, '<'|safe]|join('&')~('<a b>'|safe).split(' ')~('<a>'|safe)|upper~('<a>'|safe)|e
('<a>'|safe)|forceescape~('<a>'|safe)|string~('<a>'|safe)|length~('<a>'|safe)[0]~('<a>'|safe)[1:] + '<'~('<a>'|safe)|tojson
('<a>'|safe)|replace('a', A)~A|replace('a', '<'|safe)~A|e~A|e|e~A|safe|e~(A|e) + '<'~('<a>'|safe) is escaped~A is escaped~('<'|safe).unescape()
('<b>x</b>'|safe).striptags()~('<'|safe).escape('<')~('<'|safe).format(1)~('{}'|safe).format(A)~('<a>'|safe)|list~('<'|safe)|indent
('a\nb'|safe)|indent(A)~('<a>'|safe)|title~('<a>'|safe)|trim~('<a>'|safe)|center(9)~('<a> b'|safe)|truncate(3, true)~('<a>'|safe)|wordcount
('<'|safe)|default(A)~('<a>'|safe)|first + '<'~('<a>'|safe)|reverse~('<a>'|safe)|format~('<'|safe)|int~('<a>'|safe)|urlencode~('<a>'|safe)|striptags
('<a>'|safe).upper() + '<'~('<'|safe) in '<a>'~'%s' % ('<'|safe)~'%r' % ('<'|safe)~('<a>'|safe)|pprint~{'<'|safe: A}~('<'|safe)|sort
('<'|safe) < 'a'~A|xmlattr~('<'|safe).__html__()~(A|string)|e~('x'|e).__html__
"""
AUTOESCAPE = r"""
{% autoescape true %}{{ VALUE }}{% endautoescape %}{{ VALUE }}~{% autoescape true %}{{ VALUE|safe }}{{ VALUE|e }}{% endautoescape %}
{% autoescape true %}{{ VALUE ~ '<' }}{{ '<' ~ 1 }}{% endautoescape %}
{% autoescape true %}{% set q %}<{{ VALUE }}{% endset %}{{ q }}{% endautoescape %}{{ q }}
{% autoescape true %}{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(VALUE) }}{% endautoescape %}
{% autoescape true %}{{ [VALUE, '<']|join('&') }}{% endautoescape %}~{% autoescape true %}{{ VALUE|tojson }}{{ VALUE|string }}{% endautoescape %}
{% autoescape false %}{{ VALUE }}{% endautoescape %}~{% autoescape true %}{{ VALUE|replace('b', '<') }}{{ '<%s>'|format(VALUE) }}{% endautoescape %}
{% autoescape true %}{% filter upper %}<{{ VALUE }}{% endfilter %}{% endautoescape %}~{% autoescape y %}{{ VALUE }}{% endautoescape %}
{% autoescape %}a{% endautoescape %}~{% autoescape true %}{{ {'a': VALUE}|xmlattr }}{{ VALUE|urlize }}{% endautoescape %}
{% autoescape true %}{{ VALUE|indent }}{{ VALUE|pprint }}{% endautoescape %}~{% autoescape true %}{% call(x) m2() %}{% endcall %}{% endautoescape %}
"""
SLICES = [
    "[0]", "[-1]", "[1:]", "[:1]", "[:-1]", "[::2]", "[::-1]", "[5:]", "[-2:]", "[9]", "[1:2]", "[2:0:-1]", "[::0]", "[none:none]", "['a':]",
    "[:'b']", "[1.0]", "[true]", "['a']", "[none]", "[:]", "[1:,]", "[-9:9]", "[1, 2]", "[0][0]", "[10**20:]", "[:big]", ".a", ".0", ".a.b",
    "[0].x", "['x']['y']", "[missing]", "[-10**20:2]", "[()]", "[1:2, 3]", ".__len__()",
]


def listed(text):
    """Snippets stand apart by a line break, or by a ~ without a space on one side; ¶ is a line break in one."""
    return [snippet.replace("¶", "\n") for snippet in re.split(r"\n|(?<! )~|~(?! )", text.strip("\n"))]


def shown(expressions):
    return ["{{ " + expression + " }}" for expression in expressions]


def fixed(_):
    yield from listed(STATEMENTS)


def scopes(_):
    yield from listed(SCOPES)
    yield from listed(SEQUENCES)


def globals_(_):
    yield from shown(listed(GLOBALS))


def operators(random):
    for left in VALUES:
        for right in random.sample(VALUES, 24):
            yield "{{ %s %s %s }}" % (left, random.choice(INFIX), right)
    for infix in INFIX:
        for _ in range(26):
            yield "{{ %s %s %s }}" % (random.choice(SIMPLE), infix, random.choice(SIMPLE))
    for value in VALUES:
        yield from ("{{ %s%s }}" % (sign, f"({value})") for sign in ("-", "+", "not "))
        yield "{{ [%s] }}{{ (%s,) }}{{ {'a': %s} }}{{ '' ~ %s }}" % (value, value, value, value)


def filters(random):
    for name, calls in FILTERS.items():
        own = FILTER_VALUES.get(name, [])
        for call in calls:
            for value in own + random.sample(VALUES, 3):
                yield "{{ %s|%s%s }}" % (value if value.isalnum() else f"({value})", name, call)
        for value in random.sample(VALUES, 10):
            yield "{{ %s|%s%s }}" % (f"({value})", name, calls[0])


def tests(random):
    for name, calls in TESTS.items():
        for call in calls:
            for value in random.sample(VALUES, 9):
                yield "{{ (%s) is%s %s%s }}" % (value, random.choice(["", "", " not"]), name, call)
    yield from shown(f"'{name}' is {kind}" for name in ("upper", "nope", "even", "tojson", "in", "==") for kind in ("filter", "test"))


def methods(random):
    for name, calls in METHODS.items():
        for call in calls.split("|"):
            for subject in random.sample(SUBJECTS, 2):
                yield "{{ %s.%s%s }}" % (subject, name, call)
        yield "{{ (%s).%s%s }}" % (random.choice(VALUES), name, calls.split("|")[0])
    yield from shown(listed(COLLECTIONS))


def subscripts(random):
    for value in VALUES:
        for part in random.sample(SLICES, 8):
            yield "{{ (%s)%s }}" % (value, part)


def loops(random):
    for pattern in LOOPS:
        for value in random.sample(VALUES, 20):
            yield pattern.replace("VALUE", value)


def formats(random):
    for pattern in listed(FORMATS):
        for value in random.sample(VALUES[:31] + ["255", "3.14159", "-42", "1234567.891", "{'a': 'x'}", "'%s'", "('a', 'b')"], 6):
            yield "{{ " + pattern.replace("VALUE", f"({value})") + " }}"


def markup(random):
    for pattern in listed(MARKUP):
        for value in random.sample(["'<a>'", "t", "5", "none", "'&'|safe", "l", "missing", "{'a': '<'}"], 2):
            yield "{{ " + pattern.replace("A", value if pattern.find("A|") < 0 else f"({value})") + " }}"
    for pattern in listed(AUTOESCAPE):
        for value in random.sample(["'<a>'", "t", "5", "none", "'&'|safe", "['<']", "missing", "{'a': '<'}", "'<'|e"], 4):
            yield pattern.replace("VALUE", f"({value})")


def whitespace(random):
    tags = [
        "{%s if y %s}", "{%s for i in l %s}", "{%s set q = 1 %s}", "{{%s n %s}}", "{#%s c %s#}", "{%s raw %s}x{%s endraw %s}", "{%s with %s}",
        "{%s filter upper %s}", "{%s generation %s}",
    ]
    ends = {
        "if": "{%s endif %s}", "for": "{%s endfor %s}", "with": "{%s endwith %s}", "filter": "{%s endfilter %s}",
        "generation": "{%s endgeneration %s}",
    }
    space = ["", "", " ", "  ", "\n", "\n\n", " \n", "\n ", "\t", "\r\n", "a\n  ", " a", "\n \n"]

    def signed(tag):
        tag = tag.replace("{%s", "{%S").replace("%s}", "%S}") if tag.startswith("{%") else tag
        out = ""
        for piece in tag.replace("{%S", "\0{%").replace("%S}", "\1").replace("%s", "\2").split("\0"):
            out += piece if not piece.startswith("{%") else "{%" + random.choice(["", "", "-", "+"]) + piece[2:]
        while "\1" in out:
            out = out.replace("\1", random.choice(["", "", "-", "+"]) + "%}", 1)
        while "\2" in out:
            out = out.replace("\2", random.choice(["", "", "-", "+"] if tag[1] == "#" else ["", "-"]), 1)
        return out

    def piece(depth):
        tag = random.choice(tags)
        word = next((word for word in ends if f" {word} " in tag), None)
        inner = piece(depth - 1) if depth and random.random() < 0.6 else "b"
        body = random.choice(space) + inner + random.choice(space) + signed(ends[word]) if word else ""
        return random.choice(space) + signed(tag) + body + random.choice(space)

    for _ in range(420):
        yield "a" + "".join(piece(2) for _ in range(random.randint(1, 3))) + random.choice(["z", "\n", "", "z\n", "\n\n"])


def nested(random):
    """Whole templates, from a grammar in which most things have values that suit them."""
    atoms = [
        "n", "f", "s", "t", "l", "w", "d", "k", "p", "y", "z", "e", "i", "q", "1", "2.5", "'x'", "missing", "p[0].name", "d.a", "loop.index",
        "true", "[1, 'b']", "{'a': n}", "(1, 2)", "ns.v", "text",
    ]
    chains = [
        "upper", "length", "list", "first", "join('-')", "tojson", "string", "default('D')", "int", "trim", "e", "reverse|list", "sort",
        "map('string')|list", "unique|list", "replace('l', 'L')", "title", "last", "batch(2)|list", "select|list", "sum", "max", "items|list",
        "truncate(8)", "indent(1)", "safe",
    ]
    checks = [
        "defined", "string", "number", "mapping", "sequence", "none", "iterable", "odd", "divisibleby 3", "in l", "eq 3", "true", "not none",
        "not defined",
    ]

    iterables = ["l", "w", "k", "p", "s[:3]", "d", "range(2)", "l|sort", "[]"]

    def expression(depth):
        if depth <= 0 or random.random() < 0.25:
            return random.choice(atoms)
        one, two, three = (lambda d=depth: expression(d - 1)), (lambda d=depth: expression(d - 2)), random.random()
        if three < 0.28:
            return f"({one()})|{random.choice(chains)}" if random.random() < 0.5 else f"{random.choice(atoms)}|{random.choice(chains)}"
        if three < 0.5:
            return f"{one()} {random.choice(['~', '~', '==', '!=', 'and', 'or', '+', '*', 'in', '<'])} {two()}"
        if three < 0.62:
            return f"({one()} if {two()} is {random.choice(checks)} else {two()})"
        if three < 0.7:
            return f"[{one()}, {two()}]"
        if three < 0.76:
            return f"{{'a': {one()}, 'b': {two()}}}"
        if three < 0.84:
            return f"({one()}){random.choice(['[0]', '[-1]', '.a', '[1:]', '[::-1]', '.name'])}"
        if three < 0.92:
            return f"({one()} is {random.choice(checks)})"
        return f"m({two()}, b={two()})"

    def statement(depth):
        deep = ["text", "show", "show", "show", "if", "for", "for", "set", "block", "with", "ns", "call", "filter"]
        kind = random.choice(deep if depth > 0 else ["text", "show"])
        body = (lambda: "".join(statement(depth - 1) for _ in range(random.randint(1, 2))))
        return {
            "text": lambda: random.choice([" a", "\n", "b ", "<i>", "-"]),
            "show": lambda: "{{ " + expression(2) + " }}",
            "if": lambda: "{% if " + expression(1) + " %}" + body()
            + random.choice(["", "{% else %}" + body(), "{% elif y %}" + body()]) + "{% endif %}",
            "for": lambda: "{% for i in " + random.choice([*iterables, expression(1)]) + random.choice(["", "", " if i", " if loop is undefined"]) + " %}"
            + body() + random.choice(["", "{% if loop.last %}!{% endif %}", "{% else %}E", "{% if loop.index > 1 %}{% break %}{% endif %}"]) + "{% endfor %}",
            "set": lambda: "{% set q = " + expression(2) + " %}",
            "block": lambda: "{% set q %}" + body() + "{% endset %}{{ q }}",
            "with": lambda: "{% with q = " + expression(1) + ", i = q %}" + body() + "{% endwith %}",
            "ns": lambda: "{% set ns.v = " + expression(1) + " %}",
            "call": lambda: "{% call(i) m(" + expression(1) + ") %}" + body() + "{% endcall %}",
            "filter": lambda: "{% filter " + random.choice(["upper", "trim", "indent(1)", "length", "replace('a', 'A')"]) + " %}"
            + body() + "{% endfilter %}",
        }[kind]()

    macro = "{% macro m(a, b=a) %}{{ a }}/{{ b }}{% if caller %}{{ caller(b) }}{% endif %}{% endmacro %}"
    for _ in range(1200):
        text = "".join(statement(2) for _ in range(random.randint(1, 3)))
        text = ("{% set ns = namespace(v=0) %}" if "ns." in text else "") + text
        yield (macro if "m(" in text else "") + text


KINDS = {
    "fixed": fixed, "scopes": scopes, "globals": globals_, "operators": operators, "filters": filters, "tests": tests, "methods": methods,
    "subscripts": subscripts, "loops": loops, "formats": formats, "markup": markup, "whitespace": whitespace, "nested": nested,
}
