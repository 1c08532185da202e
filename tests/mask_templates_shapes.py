"""Our own chat templates: ways to walk the messages and to gather and print the text."""

# ruff: noqa: E501 (a line of Jinja is not broken for its length)

from mask_source import Source

_TURN = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
_ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

SHAPES: dict[str, Source] = {
    "chatml": Source("{% for m in messages %}" + _TURN + "{% endfor %}" + _ASK),
    "plain output": Source(
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "header by macro": Source(
        "{% macro head(role) %}<|im_start|>{{ role }}\n{% endmacro %}"
        "{% for m in messages %}{{ head(m.role) }}{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}{{ head('assistant') }}{% endif %}"
    ),
    "turn by macro": Source(
        "{% macro turn(m) %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endmacro %}"
        "{% for m in messages %}{{ turn(m) }}{% endfor %}" + _ASK
    ),
    "turn by macro of two texts": Source(
        "{% macro turn(role, text) %}<|im_start|>{{ role }}\n{{ text }}<|im_end|>\n{% endmacro %}"
        "{% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}" + _ASK
    ),
    "whole render in a macro": Source(
        "{% macro page(all) %}{% for m in all %}" + _TURN + "{% endfor %}{% endmacro %}"
        "{{ page(messages) }}" + _ASK
    ),
    "macro trimmed": Source(
        "{% macro page(all) %}{% for m in all %}" + _TURN + "{% endfor %}{% endmacro %}"
        "{{ page(messages) | trim }}\n" + _ASK
    ),
    "gathered in a namespace": Source(
        "{% set ns = namespace(text='') %}{% for m in messages %}"
        "{% set ns.text = ns.text + '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' %}"
        "{% endfor %}{% if add_generation_prompt %}"
        "{% set ns.text = ns.text + '<|im_start|>assistant\\n' %}{% endif %}{{ ns.text }}"
    ),
    "gathered in a list": Source(
        "{% set ns = namespace(parts=[]) %}{% for m in messages %}"
        "{% set ns.parts = ns.parts + ['<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n'] %}"
        "{% endfor %}{{ ns.parts | join('') }}" + _ASK
    ),
    "last turn buffered": Source(
        "{% set ns = namespace(held='') %}{% for m in messages %}"
        "{% if m.role == 'assistant' and loop.last %}"
        "{% set ns.held = '<|im_start|>assistant\\n' + m.content + '<|im_end|>\\n' %}"
        "{% else %}" + _TURN + "{% endif %}{% endfor %}{{ ns.held }}" + _ASK
    ),
    "content buffered": Source(
        "{% set ns = namespace(held='') %}{% for m in messages %}{% set ns.held = m.content %}"
        "<|im_start|>{{ m.role }}\n{{ ns.held }}<|im_end|>\n{% endfor %}" + _ASK
    ),
    "loop by index": Source(
        "{% for i in range(messages|length) %}<|im_start|>{{ messages[i].role }}\n"
        "{{ messages[i].content }}<|im_end|>\n{% endfor %}" + _ASK
    ),
    "loop by index, named": Source(
        "{% for i in range(0, messages|length) %}{% set m = messages[i] %}"
        + _TURN
        + "{% endfor %}"
        + _ASK
    ),
    "loop by index from one": Source(
        "{% for m in messages %}{% set n = messages[loop.index - 1] %}"
        "<|im_start|>{{ n['role'] }}\n{{ n['content'] }}<|im_end|>\n{% endfor %}" + _ASK
    ),
    "slice": Source(
        "{% if messages[0].role == 'system' %}{{ '<|im_start|>system\\n' + messages[0].content + "
        "'<|im_end|>\\n' }}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}"
        "{% endif %}{% for m in rest %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "loop_messages": Source(
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
        "{% set system = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
        "{% set system = 'Be of help.' %}{% endif %}{{ bos_token }}{% for m in loop_messages %}"
        "{% if loop.first %}<|im_start|>system\n{{ system }}<|im_end|>\n{% endif %}"
        + _TURN
        + "{% endfor %}"
        + _ASK,
        bos="<|bos|>",
    ),
    "loop filter": Source(
        "{% for m in messages if m.role == 'system' %}" + _TURN + "{% endfor %}"
        "{% for m in messages if m.role != 'system' %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "selectattr and rejectattr": Source(
        "{% for m in messages | selectattr('role', 'equalto', 'system') %}" + _TURN + "{% endfor %}"
        "{% for m in messages | rejectattr('role', 'equalto', 'system') %}"
        + _TURN
        + "{% endfor %}"
        + _ASK
    ),
    "messages as a list": Source(
        "{% set all = messages | list %}{% for m in all %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "reversed twice": Source(
        "{% for m in messages[::-1] | reverse %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "stop by loop.last": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content }}"
        "{{ '<|im_end|>' if loop.last else '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\\n<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "begin by loop.first": Source(
        "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
        + _TURN
        + "{% endfor %}"
        + _ASK,
        bos="<|begin|>",
    ),
    "previtem and nextitem": Source(
        "{% for m in messages %}{% if loop.previtem is not defined or loop.previtem.role != m.role %}"
        "<|im_start|>{{ m.role }}\n{% endif %}{{ m.content }}"
        "{% if loop.nextitem is defined and loop.nextitem.role == m.role %}{{ '\\n' }}"
        "{% else %}<|im_end|>\n{% endif %}{% endfor %}" + _ASK
    ),
    "recursive loop": Source(
        "{% for m in messages recursive %}{% if m is mapping %}" + _TURN + "{% else %}"
        "{{ loop([m]) }}{% endif %}{% endfor %}" + _ASK
    ),
    "recursive one by one": Source(
        "{% for m in messages[:1] recursive %}" + _TURN + "{% set at = loop.depth %}"
        "{% if messages[at] is defined %}{{ loop([messages[at]]) }}{% endif %}{% endfor %}" + _ASK
    ),
    "block": Source(
        "{% block page %}{% for m in messages %}" + _TURN + "{% endfor %}{% endblock %}" + _ASK
    ),
    "set block": Source(
        "{% for m in messages %}{% set turn %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endset %}{{ turn }}{% endfor %}" + _ASK
    ),
    "set block for the whole": Source(
        "{% set page %}{% for m in messages %}"
        + _TURN
        + "{% endfor %}{% endset %}{{ page }}"
        + _ASK
    ),
    "filter block": Source(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% filter trim %}\n{{ m.content }}\n"
        "{% endfilter %}<|im_end|>\n{% endfor %}" + _ASK
    ),
    "call block": Source(
        "{% macro turn(role) %}<|im_start|>{{ role }}\n{{ caller() }}<|im_end|>\n{% endmacro %}"
        "{% for m in messages %}{% call turn(m.role) %}{{ m.content }}{% endcall %}{% endfor %}"
        + _ASK
    ),
    "with block": Source(
        "{% for m in messages %}{% with role = m.role, text = m.content %}<|im_start|>{{ role }}\n"
        "{{ text }}<|im_end|>\n{% endwith %}{% endfor %}" + _ASK
    ),
    "generation markers": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
        "{% else %}{{ m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}" + _ASK
    ),
    "new dicts": Source(
        "{% set ns = namespace(all=[]) %}{% for m in messages %}"
        "{% set ns.all = ns.all + [{'who': m.role, 'text': m.content}] %}{% endfor %}"
        "{% for n in ns.all %}<|im_start|>{{ n.who }}\n{{ n.text }}<|im_end|>\n{% endfor %}" + _ASK
    ),
    "pairs": Source(
        "{% set ns = namespace(all=[]) %}{% for m in messages %}"
        "{% set ns.all = ns.all + [(m.role, m.content)] %}{% endfor %}"
        "{% for role, text in ns.all %}<|im_start|>{{ role }}\n{{ text }}<|im_end|>\n{% endfor %}"
        + _ASK
    ),
    "roles and contents apart": Source(
        "{% set roles = messages | map(attribute='role') | list %}"
        "{% set texts = messages | map(attribute='content') | list %}"
        "{% for role in roles %}<|im_start|>{{ role }}\n{{ texts[loop.index0] }}<|im_end|>\n"
        "{% endfor %}" + _ASK
    ),
    "break and continue": Source(
        "{% for m in messages %}{% if m.role == 'tool' %}{% continue %}{% endif %}"
        + _TURN
        + "{% if loop.index > 500 %}{% break %}{% endif %}{% endfor %}"
        + _ASK
    ),
    "else of a loop": Source(
        "{% for m in messages %}"
        + _TURN
        + "{% else %}{{ '<|im_start|>system\\nNone.<|im_end|>\\n' }}"
        "{% endfor %}" + _ASK
    ),
    "system last": Source(
        "{% for m in messages if m.role != 'system' %}{% if loop.last %}"
        "{% for s in messages if s.role == 'system' %}{{ '<|im_start|>system\\n' + s.content + "
        "'<|im_end|>\\n' }}{% endfor %}{% endif %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "latest question repeated": Source(
        "{% set ns = namespace(last='') %}{% for m in messages if m.role == 'user' %}"
        "{% set ns.last = m.content %}{% endfor %}{{ '<|im_start|>system\\nTopic: ' + ns.last + "
        "'<|im_end|>\\n' }}{% for m in messages %}" + _TURN + "{% endfor %}" + _ASK
    ),
    "dispatch by dict of strings": Source(
        "{% set names = {'user': 'human', 'assistant': 'bot', 'system': 'note', 'tool': 'tool'} %}"
        "{% for m in messages %}<|im_start|>{{ names[m.role] }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>bot\n{% endif %}"
    ),
    "joined by a generator": Source(
        "{% macro turn(m) %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endmacro %}"
        "{% set ns = namespace(all=[]) %}{% for m in messages %}{% set ns.all = ns.all + [turn(m)] %}"
        "{% endfor %}{{ ns.all | join('\\n') }}\n" + _ASK
    ),
}
