"""Our own chat templates: headers, stop tokens and what is done to the text of a message."""

# ruff: noqa: E501 (a line of Jinja is not broken for its length)

from mask_source import Source

_ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"


def _chatml(content: str, **more: str) -> Source:
    """ChatML with ``content`` as the expression that is printed for a message ``m``."""
    return Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}" + content
        + "{{ '<|im_end|>\\n' }}{% endfor %}" + _ASK,
        **more,
    )  # fmt: skip


TEXT: dict[str, Source] = {
    "inst": Source(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} "
        "[/INST]{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}{% else %}"
        "{{ raise_exception('Only user and assistant are known.') }}{% endif %}{% endfor %}",
        eos="</s>", bos="<s>",
    ),
    "inst as text, space before the answer": Source(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
        "{{ '[INST] ' + m.content + ' [/INST]' }}{% elif m.role == 'assistant' %}"
        "{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}",
        eos="</s>", bos="<s>", plain=("[INST]", "[/INST]"),
    ),
    "inst with the system folded in": Source(
        "{% if messages[0].role == 'system' %}{% set s = '<<SYS>>\\n' + messages[0].content + "
        "'\\n<</SYS>>\\n\\n' %}{% set rest = messages[1:] %}{% else %}{% set s = '' %}"
        "{% set rest = messages %}{% endif %}{% for m in rest %}{% if m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + (s if loop.first else '') + m.content | trim + ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
        eos="</s>", bos="<s>", plain=("[INST]", "[/INST]"),
    ),
    "strict alternation": Source(
        "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must take turns.') }}{% endif %}"
        "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' + "
        "m.content | trim + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
        eos="<end_of_turn>", bos="<bos>",
    ),
    "instruction and response": Source(
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\\n\\n' }}"
        "{% elif m.role == 'user' %}{{ '### Instruction:\\n' + m.content + '\\n\\n' }}"
        "{% else %}{{ '### Response:\\n' + m.content + eos_token + '\\n\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}",
        eos="</s>",
    ),
    "colon with a space": Source(
        "{% for m in messages %}{% if m.role == 'user' %}{{ 'USER: ' + m.content + ' ' }}"
        "{% elif m.role == 'assistant' %}{{ 'ASSISTANT: ' + m.content + eos_token }}"
        "{% else %}{{ m.content + ' ' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}",
        eos="</s>",
    ),
    "colon, space not in the prompt": Source(
        "{% for m in messages %}{{ m.role | upper + ': ' + m.content + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
        eos="</s>",
    ),
    "capitalised role": Source(
        "{% for m in messages %}{{ m.role | capitalize + ': ' + m.content + '<end_of_utterance>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
        eos="<end_of_utterance>",
    ),
    "role as a control token": Source(
        "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
        eos="<|end|>",
    ),
    "role as a control token, printed": Source(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        eos="<|end|>",
    ),
    "header of three control tokens": Source(
        "{% for m in messages %}{{ '<|head|>' + m.role + '<|/head|>\\n\\n' + m.content | trim + "
        "'<|eot|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|head|>assistant<|/head|>\\n\\n' }}{% endif %}",
        eos="<|eot|>",
    ),
    "header within the user's turn": Source(
        "{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>' + m.content + '<|bot|>' }}"
        "{% elif m.role == 'assistant' %}{{ m.content + '<|eot|>' }}"
        "{% else %}{{ '<|note|>' + m.content }}{% endif %}{% endfor %}",
        eos="<|eot|>",
    ),
    "stop at the next message": Source(
        "{% for m in messages %}{% if not loop.first %}{{ '<|im_end|>\\n' }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\\n' + m.content }}{% endfor %}{{ '<|im_end|>\\n' }}" + _ASK
    ),
    "stop at the next user": Source(
        "{% for m in messages %}{% if m.role == 'user' and not loop.first %}{{ eos_token }}{% endif %}"
        "{{ '<|' + m.role + '|>' + m.content }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|assistant|>' }}{% elif messages[-1].role == 'assistant' %}{{ eos_token }}{% endif %}",
        eos="<|eot|>",
    ),
    "stop only at the very end": Source(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% else %}{{ eos_token }}{% endif %}",
        eos="</s>", stopless=True,
    ),
    "no stop at all": Source(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
        eos="</s>", stopless=True,
    ),
    "no stop, header tokens": Source(
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
        eos="</s>", stopless=True,
    ),
    "stop, then end of sequence": Source(
        "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
        eos="<|endoftext|>", stops=("<|end|>", "<|endoftext|>"),
    ),
    "closing token behind the last turn": Source(
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|/turn|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ '<|done|>' }}{% endif %}",
        eos="</s>", stops=("<|/turn|>",),
    ),
    "end of sequence that no turn ends with": Source(
        "{{ bos_token }}{% for m in messages %}{{ '<|turn|>' + m.role + '\\n' + m.content + "
        "'<|/turn|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|turn|>assistant\\n' }}"
        "{% endif %}",
        eos="<eos>", bos="<bos>", stops=("<|/turn|>",),
    ),
    "double stop": Source(
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
        eos="<|endoftext|>", stops=("<|end|>", "<|endoftext|>"),
    ),
    "stop after two control tokens": Source(
        "{% for m in messages %}{{ '<|turn|><|' + m.role + '|>' }}{% if m.role == 'assistant' %}"
        "{{ '<|say|>' + m.content + '<|/say|><|/turn|>' }}{% else %}{{ m.content + '<|/turn|>' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|turn|><|assistant|>' }}{% endif %}",
        eos="<|/turn|>",
    ),
    "space before the stop": _chatml("{{ m.content + '\\n' }}"),
    "content trimmed": _chatml("{{ m.content | trim }}"),
    "content stripped": _chatml("{{ m.content.strip() }}"),
    "left side stripped": _chatml("{{ m['content'].lstrip('\\n') }}"),
    "content replaced": _chatml("{{ m.content | replace('\\r\\n', '\\n') }}"),
    "content by format": _chatml("{{ '%s' | format(m.content) }}"),
    "content by str.format": _chatml("{{ '{}'.format(m.content) }}"),
    "content by percent": _chatml("{{ '%s' % m.content }}"),
    "content by tilde": _chatml("{{ '' ~ m.content ~ '' }}"),
    "content by join": _chatml("{{ [m.content, ''] | join }}"),
    "content by str.join": _chatml("{{ ''.join([m.content]) }}"),
    "content by string filter": _chatml("{{ m.content | string }}"),
    "content by default": _chatml("{{ m.content | default('', true) }}"),
    "content by lines": _chatml("{{ m.content.split('\\n') | join('\\n') }}"),
    "content by slices": _chatml("{{ m.content[:3] + m.content[3:] }}"),
    "content by letters": _chatml("{% for c in m.content %}{{ c }}{% endfor %}"),
    "content in quotes": _chatml("{{ '\"' + m.content + '\"' }}"),
    "content as JSON": _chatml("{{ m.content | tojson }}"),
    "message as JSON": _chatml("{{ {'text': m.content} | tojson }}"),
    "content indented": _chatml("{{ m.content | indent(2) }}"),
    "content in upper case": _chatml("{{ m.content | upper }}"),
    "content safe": _chatml("{{ m.content | safe }}"),
    "content escaped": _chatml("{{ m.content | e }}"),
    "parts or text": _chatml(
        "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
        "{% if p.type == 'text' %}{{ p.text }}{% else %}<|image|>{% endif %}{% endfor %}{% endif %}"
    ),
    "parts only": _chatml("{% for p in m.content %}{{ p['text'] }}{% endfor %}"),
    "parts by macro": _chatml(
        "{% macro say(c) %}{% if c is string %}{{ c }}{% else %}{% for p in c %}{{ p.text }}"
        "{% endfor %}{% endif %}{% endmacro %}{{ say(m.content) }}"
    ),
    "consecutive assistants merged": Source(
        "{% set ns = namespace(role='') %}{% for m in messages %}{% if m.role == ns.role %}"
        "{{ '\\n\\n' }}{% else %}{% if ns.role %}{{ '<|im_end|>\\n' }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\\n' }}{% endif %}{{ m.content }}{% set ns.role = m.role %}"
        "{% endfor %}{{ '<|im_end|>\\n' }}" + _ASK
    ),
    "the source's white space in the text": Source(
        "{% for m in messages %}\n\n    {{ '<|im_start|>' + m.role + '\\n' + m.content + "
        "'<|im_end|>\\n' }}\n{% endfor %}\n\n{% if add_generation_prompt %}\n"
        "    {{ '<|im_start|>assistant\\n' }}\n{% endif %}\n"
    ),
    "the source's white space, header of words": Source(
        "{{ bos_token }}\n{% for m in messages %}\n    {% if m.role == 'assistant' %}\n"
        "        {{ '### Response:\\n' + m.content + eos_token + '\\n\\n' }}\n    {% else %}\n"
        "        {{ '### Instruction:\\n' + m.content + '\\n\\n' }}\n    {% endif %}\n{% endfor %}\n\n"
        "{% if add_generation_prompt %}\n    {{ '### Response:\\n' }}\n{% endif %}\n",
        eos="</s>", bos="<s>",
    ),
    "consecutive assistants run together": Source(
        "{% for m in messages %}{% if loop.first or loop.previtem.role != m.role %}"
        "{{ '<|im_start|>' + m.role + '\\n' }}{% endif %}{{ m.content }}"
        "{% if loop.last or loop.nextitem.role != m.role %}{{ '<|im_end|>\\n' }}{% endif %}"
        "{% endfor %}" + _ASK
    ),
    "date of today": Source(
        "{{ '<|im_start|>system\\nToday is ' + strftime_now('%d %b %Y') + '.<|im_end|>\\n' }}"
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
        "{% endfor %}" + _ASK
    ),
    "trained on words of the header": Source(
        "{% for m in messages %}{{ '<|im_start|>' + m.role }}{% if m.name %}{{ ' ' + m.name }}"
        "{% endif %}{{ '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" + _ASK
    ),
    "numbered turns": Source(
        "{% for m in messages %}{{ '<|im_start|>' ~ loop.index ~ ' ' ~ m.role ~ '\\n' ~ m.content ~ "
        "'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>' ~ (messages | length + 1) ~ ' assistant\\n' }}{% endif %}"
    ),
    "title above": Source(
        "{{ '# ' + messages | length | string + ' messages\\n' }}{% for m in messages %}"
        "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" + _ASK
    ),
}  # fmt: skip
