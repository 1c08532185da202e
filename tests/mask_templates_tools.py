"""Our own chat templates: tools, tool results and reasoning."""

# ruff: noqa: E501 (a line of Jinja is not broken for its length)

from mask_source import Source

_ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
_OFFER = (
    "{% if tools %}{{ '<|im_start|>system\\n# Tools\\n' }}{% for t in tools %}"
    "{{ t | tojson + '\\n' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}"
)
_JSON_CALLS = (
    '{% for c in m.tool_calls or [] %}{{ \'\\n<tool_call>\\n{"name": "\' + c.function.name + '
    "'\", \"arguments\": ' + c.function.arguments | tojson + '}\\n</tool_call>' }}{% endfor %}"
)


def _turns(calls: str, results: str, *, offer: str = _OFFER, before: str = "") -> str:
    """ChatML with ``before``, the content, then ``calls`` in the assistant's turn."""
    return (
        offer + "{% for m in messages %}{% if m.role == 'tool' %}" + results + "{% else %}"
        "{{ '<|im_start|>' + m.role + '\\n' }}" + before + "{{ m.content or '' }}" + calls
        + "{{ '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    )  # fmt: skip


_TOOL_TURN = "{{ '<|im_start|>tool\\n' + m.content + '<|im_end|>\\n' }}"
_USER_TURN = (
    "{{ '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}"
)
_GROUPED = (
    "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}"
    "{{ '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif %}"
)
_RESULTS_OPEN = (
    "{% set ns = namespace(open=false) %}{% for m in messages %}{% if m.role == 'tool' %}"
    "{{ '<|results|>' if not ns.open }}{% set ns.open = true %}{{ '<|r|>' + m.content + '<|/r|>' }}"
    "{% elif m.role != 'assistant' %}{{ '<|' + m.role + '|>' + m.content }}{% elif ns.open %}"
    "{{ '<|/results|>' + m.content + '<|eot|>' }}{% set ns.open = false %}{% else %}"
    "{{ '<|bot|>' + m.content }}{% for c in m.tool_calls or [] %}{{ '<|call|>' + c.function | tojson }}"
    "{% endfor %}{{ '<|eot|>' }}{% endif %}{% endfor %}"
)
_ITEMS = (
    "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function.name + '\\n' }}"
    "{% for k, v in c.function.arguments | items %}{{ '<arg_key>' + k + '</arg_key><arg_value>' }}"
    "{{ v if v is string else v | tojson }}{{ '</arg_value>\\n' }}{% endfor %}"
    "{{ '</tool_call>' }}{% endfor %}"
)
_THINK = (
    "{% if m.reasoning_content %}{{ '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}"
    "{% endif %}"
)
_SPLIT = (
    "{% set text = m.content %}{% set why = '' %}{% if m.reasoning_content is string %}"
    "{% set why = m.reasoning_content %}{% elif '</think>' in text %}"
    "{% set why = text.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
    "{% set text = text.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
)
_LAST_QUESTION = (
    "{% set ns = namespace(at=messages | length - 1, found=false) %}{% for m in messages[::-1] %}"
    "{% set i = messages | length - 1 - loop.index0 %}{% if not ns.found and m.role == 'user' %}"
    "{% set ns.found = true %}{% set ns.at = i %}{% endif %}{% endfor %}"
)

TOOL_TEMPLATES: dict[str, Source] = {
    "calls as JSON": Source(_turns(_JSON_CALLS, _TOOL_TURN) + _ASK),
    "calls by items": Source(_turns(_ITEMS, _TOOL_TURN) + _ASK),
    "results as user turns": Source(_turns(_JSON_CALLS, _USER_TURN) + _ASK),
    "results grouped": Source(_turns(_JSON_CALLS, _GROUPED) + _ASK),
    "whole call as JSON": Source(
        _turns(
            "{% if m.tool_calls %}{{ '<tool_call>' + m.tool_calls | tojson + '</tool_call>' }}{% endif %}",
            _TOOL_TURN,
        )
        + _ASK
    ),
    "arguments as text": Source(
        _turns(
            "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function.name + '(' }}"
            "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v | tojson }}"
            "{{ ', ' if not loop.last else '' }}{% endfor %}{{ ')</tool_call>' }}{% endfor %}",
            _TOOL_TURN,
        )
        + _ASK
    ),
    "arguments indented": Source(
        _turns(
            "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function | tojson(indent=2) + "
            "'</tool_call>' }}{% endfor %}",
            _TOOL_TURN,
        )
        + _ASK
    ),
    "calls gathered and joined": Source(
        _turns(
            "{% set all = namespace(c=[]) %}{% for c in m.tool_calls or [] %}"
            "{% set all.c = all.c + [c.function.name ~ ' ' ~ c.function.arguments | tojson] %}"
            "{% endfor %}{{ all.c | join('\\n') }}",
            _TOOL_TURN,
        )
        + _ASK
    ),
    "calls by macro": Source(
        "{% macro call(f) %}<tool_call>{{ f.name }}{{ f.arguments | tojson }}</tool_call>{% endmacro %}"
        + _turns("{% for c in m.tool_calls or [] %}{{ call(c.function) }}{% endfor %}", _TOOL_TURN)
        + _ASK
    ),
    "offered in the first user turn": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
        "{% if tools and m.role == 'user' and not messages[:loop.index0] | selectattr('role', "
        "'equalto', 'user') | list %}{{ 'Tools: ' + tools | tojson + '\\n\\n' }}{% endif %}"
        "{{ m.content or '' }}" + _JSON_CALLS + "{{ '<|im_end|>\\n' }}{% endfor %}" + _ASK
    ),
    "offered in the last user turn": Source(
        "{% set ns = namespace(at=-1) %}{% for m in messages %}{% if m.role == 'user' %}"
        "{% set ns.at = loop.index0 %}{% endif %}{% endfor %}{{ bos_token }}{% for m in messages %}"
        "{% if m.role == 'user' %}{% if tools and loop.index0 == ns.at %}{{ '[TOOLS]' + "
        "tools | tojson + '[/TOOLS]' }}{% endif %}{{ '[INST]' + m.content + '[/INST]' }}"
        "{% elif m.role == 'tool' %}{{ '[RESULTS]' + {'content': m.content} | tojson + '[/RESULTS]' }}"
        "{% elif m.tool_calls %}{{ m.content + '[CALLS]' + m.tool_calls | tojson + eos_token }}"
        "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}"
        "{% else %}{{ '[SYSTEM]' + m.content + '[/SYSTEM]' }}{% endif %}{% endfor %}",
        eos="</s>", bos="<s>",
    ),
    "results inside the turn": Source(
        _OFFER + "{% set ns = namespace(open=false) %}{% for m in messages %}"
        "{% if m.role == 'assistant' %}{% if not ns.open %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        "{{ m.content }}{% for c in m.tool_calls or [] %}{{ '<|call|>' + c.function | tojson }}"
        "{% endfor %}{% if m.tool_calls %}{{ '<|wait|>' }}{% set ns.open = true %}{% else %}"
        "{{ '<|im_end|>\\n' }}{% set ns.open = false %}{% endif %}"
        "{% elif m.role == 'tool' %}{{ '<|result|>' + m.content + '<|/result|>' }}"
        "{% else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt and not ns.open %}{{ '<|im_start|>assistant\\n' }}"
        "{% endif %}",
        stops=("<|im_end|>", "<|wait|>"),
    ),
    "results shut when the answer comes": Source(
        _RESULTS_OPEN + "{% if ns.open %}{{ '<|/results|>' }}{% elif add_generation_prompt %}"
        "{{ '<|bot|>' }}{% endif %}",
        eos="<|eot|>",
    ),
    "results shut by the prompt": Source(
        _RESULTS_OPEN + "{% if add_generation_prompt %}{{ '<|/results|>' if ns.open else "
        "'<|bot|>' }}{% endif %}",
        eos="<|eot|>",
    ),
    "results shut by the answer, header within the user's turn": Source(
        "{% set ns = namespace(open=false) %}{% for m in messages %}{% if m.role == 'tool' %}"
        "{{ '<|results|>' if not ns.open }}{% set ns.open = true %}{{ '<|r|>' + m.content + '<|/r|>' }}"
        "{% elif m.role == 'user' %}{{ '<|user|>' + m.content + '<|bot|>' }}"
        "{% elif m.role == 'system' %}{{ m.content }}{% elif ns.open %}"
        "{{ '<|/results|>' + m.content + '<|eot|>' }}{% set ns.open = false %}{% else %}"
        "{{ m.content }}{% for c in m.tool_calls or [] %}{{ '<|call|>' + c.function | tojson }}"
        "{% endfor %}{{ '<|eot|>' }}{% endif %}{% endfor %}{{ '<|/results|>' if ns.open }}",
        eos="<|eot|>",
    ),
    "call ends with its own stop": Source(
        _OFFER + "{% for m in messages %}{{ '<|head|>' + m.role + '<|/head|>' + m.content }}"
        "{% if m.tool_calls %}{{ '<|python|>' + m.tool_calls | tojson + '<|eom|>' }}{% else %}"
        "{{ '<|eot|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|head|>assistant<|/head|>' }}{% endif %}",
        eos="<|eot|>", stops=("<|eot|>", "<|eom|>"),
    ),
    "reasoning kept": Source(_turns(_JSON_CALLS, _TOOL_TURN, before=_THINK) + _ASK),
    "reasoning of the last turn only": Source(
        _turns("", _TOOL_TURN, before="{% if loop.last %}" + _THINK + "{% endif %}") + _ASK
    ),
    "reasoning since the last question": Source(
        _OFFER + _LAST_QUESTION + "{% for m in messages %}{% if m.role == 'assistant' %}" + _SPLIT
        + "{{ '<|im_start|>assistant\\n' }}{% if loop.index0 > ns.at and (loop.last or why) %}"
        "{{ '<think>\\n' + why.strip('\\n') + '\\n</think>\\n\\n' + text }}{% else %}{{ text }}{% endif %}"
        + _JSON_CALLS + "{{ '<|im_end|>\\n' }}{% elif m.role == 'tool' %}" + _GROUPED
        + "{% else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}"
        "{% endfor %}" + _ASK + "{% if add_generation_prompt and enable_thinking is defined and not "
        "enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    ),
    "reasoning cut from the content": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}"
        "{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ m.content }}{% endif %}"
        "{{ '<|im_end|>\\n' }}{% endfor %}" + _ASK
    ),
    "prompt opens the reasoning": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}"
        "{{ '<think>\\n' + (m.reasoning_content or '') + '\\n</think>\\n\\n' + m.content }}"
        "{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
    ),
    "prompt opens reasoning that history never shows": Source(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}"
        "{% elif m.role == 'assistant' %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + "
        "'<｜end｜>' }}{% else %}{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}",
        eos="<｜end｜>", bos="<｜begin｜>",
    ),
    "prompt shuts the reasoning": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    ),
    "channels": Source(
        _OFFER + "{% for m in messages %}{% if m.role == 'assistant' %}{% if m.reasoning_content %}"
        "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.reasoning_content + '<|end|>' }}"
        "{% endif %}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ '<|start|>assistant to=' + "
        "c.function.name + '<|channel|>comment<|message|>' + c.function.arguments | tojson }}"
        "{{ '<|call|>' }}{% endfor %}{% else %}{{ '<|start|>assistant<|channel|>final<|message|>' + "
        "m.content + '<|return|>' }}{% endif %}{% else %}{{ '<|start|>' + m.role + '<|message|>' + "
        "m.content + '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start|>assistant' }}{% endif %}",
        eos="<|return|>", stops=("<|return|>", "<|call|>"),
    ),
    "model role": Source(
        "{{ bos_token }}{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else "
        "m.role %}{{ '<start_of_turn>' + role + '\\n' + m.content + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
        eos="<end_of_turn>", bos="<bos>",
    ),
}  # fmt: skip
