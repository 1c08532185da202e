"""How assistants refuse, by language: what an answer begins with when it declines to help.

Written for precision: each pattern wants the refusal and what is refused to be said by the
assistant about itself. Text is lower case, with plain apostrophes. Rust's regex syntax.
"""

_EN_CANNOT = r"(?:can't|cannot|can not|won't|will not|am unable to|'m unable to|am not able to|'m not able to|must decline to)"  # noqa: E501 - one alternation
_EN_HELP = r"(?:help|assist|comply|fulfill?|provide|answer|engage|continue|discuss|create|generate|write|share|give|support|participate|do that|do this)"  # noqa: E501

REFUSALS: dict[str, tuple[str, ...]] = {
    "en": (
        rf"^(?:(?:i'm|i am) (?:really |very |so )?sorry|sorry|i apologi[sz]e|my apologies|unfortunately)\b[,.]?(?: but)?[ ,]*(?:as an? [\w ]{{2,40}}, )?i {_EN_CANNOT} {_EN_HELP}\b",  # noqa: E501
        rf"^i {_EN_CANNOT} {_EN_HELP} (?:you )?(?:with )?(?:that|this|your request|the request|such)\b",  # noqa: E501
        rf"\bas an ai(?: language)?(?: model| assistant)?,? i(?:'m| am)? (?:{_EN_CANNOT}|do not|don't|not able)\b",  # noqa: E501
        r"^i'm not (?:able|comfortable|going|in a position) (?:to )?(?:help|assist|provid|creat|writ|shar|giv|discuss|engag)",  # noqa: E501
        r"\b(?:against|violates?) (?:my|our|the|openai's|anthropic's) (?:content |usage |use |safety )?(?:policy|policies|guidelines)\b",  # noqa: E501
    ),
    "de": (
        r"^(?:es tut mir (?:sehr )?leid|tut mir (?:sehr )?leid|entschuldigung|leider)\b[^.\n]{0,60}\b(?:kann|darf|werde) ich\b[^.\n]{0,60}\bnicht\b[^.\n]{0,60}\b(?:helfen|unterstützen|beantworten|bereitstellen|erstellen|weiterhelfen|nachkommen|erfüllen)",  # noqa: E501
        r"^(?:dabei|damit|bei dieser (?:anfrage|bitte)|das) (?:kann|darf|werde) ich (?:dir |ihnen |euch |dich |sie )?(?:leider )?nicht (?:helfen|unterstützen|weiterhelfen|beantworten)",  # noqa: E501
        r"\bals ki(?:-sprachmodell|-modell|-assistent)?\b[^.\n]{0,20}\b(?:kann|darf) ich\b[^.\n]{0,60}\b(?:nicht|keine)\b",  # noqa: E501
    ),
    "fr": (
        r"^(?:je suis (?:vraiment )?désolée?|désolée?|je m'excuse|malheureusement)\b[^.\n]{0,40}\bje ne (?:peux|suis|puis)\b[^.\n]{0,20}\bpas\b",  # noqa: E501
        r"^je ne (?:peux|suis) pas (?:en mesure de |vous |t')*(?:aider|répondre|fournir|créer)",
        r"\ben tant (?:qu'ia|que modèle de langage|qu'assistant|qu'intelligence artificielle)\b[^.\n]{0,40}\bje ne (?:peux|suis) pas\b",  # noqa: E501
    ),
    "es": (
        r"^(?:lo siento|lamento|disculpa|perdón|desafortunadamente|lamentablemente)\b[^.\n]{0,40}\bno (?:puedo|podré|me es posible)\b",  # noqa: E501
        r"^no puedo (?:ayudar|asistir|proporcionar|responder|cumplir)(?:te|le|os|les)? (?:con |a )?(?:eso|esa|esta|este|tu|su)\b",  # noqa: E501
        r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje)\b[^.\n]{0,30}\bno puedo\b",  # noqa: E501
    ),
    "it": (
        r"^(?:mi dispiace|spiacente|purtroppo|mi scuso)\b[^.\n]{0,40}\bnon (?:posso|sono in grado)\b",  # noqa: E501
        r"\bcome (?:ia|intelligenza artificiale|modello linguistico)\b[^.\n]{0,30}\bnon posso\b",
    ),
    "pt": (
        r"^(?:desculpe|sinto muito|lamento|infelizmente|peço desculpas?)\b[^.\n]{0,40}\bnão (?:posso|consigo)\b",  # noqa: E501
        r"\bcomo (?:uma? )?(?:ia|inteligência artificial|modelo de linguagem)\b[^.\n]{0,30}\bnão posso\b",  # noqa: E501
    ),
    "nl": (
        r"^(?:het spijt me|sorry|helaas)\b[^.\n]{0,40}\b(?:kan|mag) ik\b[^.\n]{0,50}\b(?:niet|geen)\b[^.\n]{0,40}\b(?:helpen|geven|beantwoorden|voldoen|maken)",  # noqa: E501
        r"\bals (?:een )?(?:ai|taalmodel)\b[^.\n]{0,30}\bkan ik\b[^.\n]{0,30}\b(?:niet|geen)\b",
    ),
    "pl": (
        r"^(?:przykro mi|przepraszam|niestety)\b[^.\n]{0,40}\bnie (?:mogę|jestem w stanie)\b",
        r"\bjako (?:model językowy|sztuczna inteligencja|asystent ai)\b[^.\n]{0,30}\bnie mogę\b",
    ),
    "ru": (
        r"^(?:извините|простите|к сожалению|прошу прощения|мне очень жаль)\b[^.\n]{0,40}\bя не (?:могу|в состоянии)\b",  # noqa: E501
        r"\bкак (?:ии|языковая модель|искусственный интеллект)\b[^.\n]{0,30}\bне могу\b",
    ),
    "uk": (
        r"^(?:вибачте|перепрошую|на жаль|мені шкода)\b[^.\n]{0,40}\bя не можу\b",
        r"\bяк (?:ші|мовна модель|штучний інтелект)\b[^.\n]{0,30}\bне можу\b",
    ),
    "tr": (
        r"^(?:üzgünüm|özür dilerim|maalesef)\b[^.\n]{0,80}\b(?:yardımcı olamam|yapamam|veremem|sağlayamam|yanıtlayamam|yardım edemem)",  # noqa: E501
        r"\bbir (?:yapay zeka|dil modeli)\b[^.\n]{0,30} olarak\b[^.\n]{0,80}(?:amam|emem|yemem|yamam)\b",  # noqa: E501
    ),
    "zh": (
        r"^(?:很?抱歉|对不起|不好意思|對不起|很遗憾|很遺憾)[^。\n]{0,20}(?:我)?(?:无法|不能|無法|没办法|沒辦法)[^。\n]{0,20}(?:帮助|提供|回答|协助|满足|幫助|協助|滿足|完成)",
        r"作为(?:一个|一名)?(?:人工智能|ai|语言模型)[^。\n]{0,15}(?:无法|不能)",
        r"作為(?:一個|一名)?(?:人工智慧|ai|語言模型)[^。\n]{0,15}(?:無法|不能)",
    ),
    "ja": (
        r"^(?:申し訳(?:ございません|ありません)|すみません|ごめんなさい|恐れ入りますが)[^。\n]{0,40}(?:できません|できかねます|お手伝いできません|お答えできません|提供できません)",
        r"(?:ai|人工知能|言語モデル)(?:アシスタント)?(?:として|である)[^。\n]{0,30}(?:できません|できかねます)",
    ),
    "ko": (
        r"^(?:죄송하지만|죄송합니다|미안하지만|유감이지만|안타깝게도)[^\n]{0,60}(?:도와드릴 수 없|제공할 수 없|답변할 수 없|도움을 드릴 수 없|해드릴 수 없|대답할 수 없)",  # noqa: E501
        r"(?:ai|인공지능|언어 모델)(?:로서|이기 때문에)[^\n]{0,60}수 없",
    ),
}
