"""What docs/formats.md says of each importer besides what the importer says of itself.

One note a format: where its export comes from, one thing about it that other readers are known to
get wrong, and the test that holds ours to it. ``tests/test_formats_page.py`` keeps the notes
complete and the tests real.
"""

from typing import NamedTuple


class Note(NamedTuple):
    """What is said of a format.

    Attributes:
        source: where the user gets the export.
        quirk: what other readers get wrong, with the public report if there is one.
        test: the test that holds it, as pytest names it.
    """

    source: str
    quirk: str
    test: str


NOTES: dict[str, Note] = {
    # assistants
    "chatgpt": Note(
        "Settings > Data controls > Export data; the link comes by mail.",
        "Since 2026 the conversations come in shards, `conversations-000.json` and so on. "
        "LibreChat stored nothing of them and reported success (#15229). Shards, one file, and an "
        "object around the array give the same conversations here.",
        "tests/test_chatgpt_citations.py::test_gpt1_shards_in_folders_and_zips_are_the_single_file",
    ),
    "claude": Note(
        "Settings > Privacy > Export data; the link comes by mail.",
        "About a tenth of the turns have no text, only a pasted document in "
        "`attachments[].extracted_content` (Claude-QoL#43). Readers of `text` take them for empty.",
        "tests/test_import_claude.py::test_cld5_a_pasted_document_is_no_empty_message",
    ),
    "gemini": Note(
        "takeout.google.com > My Activity > Gemini Apps, with JSON chosen instead of HTML; or "
        "Gemini itself for the Conversation History.",
        "In the Conversation History `turn_index` repeats for edited turns, and `system_turn` is "
        "the assistant. Taken as an id and as a system prompt, edits overwrite each other and "
        "every answer is lost.",
        "tests/test_import_google_assistants.py::test_gem6_a_repeated_index_is_another_turn_and_the_last_one_counts",
    ),
    "ai-studio": Note(
        "Google Drive, the folder Google AI Studio; its files have no suffix.",
        "`isThought` chunks stand among the answer's own. Joined with it, thinking becomes answer.",
        "tests/test_import_google_assistants.py::test_ais1_thoughts_are_reasoning_and_never_text",
    ),
    "grok": Note(
        "accounts.x.ai > Download your data.",
        "Two clocks: the conversation has ISO times, its responses extended JSON "
        "(`$date.$numberLong`), and the flat variant plain milliseconds.",
        "tests/test_import_grok.py::test_grk2_both_clocks_are_read",
    ),
    "deepseek": Note(
        "Settings > Data > Export data; or the answer of `chat/history_messages`, saved.",
        "The export has a `mapping` as ChatGPT's has and is taken for one, but states no roles: "
        "they follow from the types of the fragments.",
        "tests/test_import_deepseek.py::test_dsk1_roles_come_from_the_types_of_fragments",
    ),
    "lechat": Note(
        "Le Chat > Settings > Data > Export.",
        "The order of a file is not that of time: read as it stands, answers come before their "
        "questions.",
        "tests/test_import_assistants_b.py::test_lch2_the_order_is_that_of_the_times",
    ),
    "copilot": Note(
        "account.microsoft.com/privacy > Copilot > Export all activity history.",
        "The newest row comes first, question and answer share a second, and there are no ids: "
        "sorted by time, answers come before their questions.",
        "tests/test_import_assistants_b.py::test_cop3_the_newest_row_comes_first_and_seconds_are_shared",
    ),
    "perplexity": Note(
        "A data request to Perplexity (there is no export), or a thread saved as JSON.",
        "A saved thread holds a `read_write_token` and signed links, with which anybody can go on "
        "in it. They are not imported.",
        "tests/test_import_assistants_b.py::test_perplexity_tokens_and_signatures_are_not_imported",
    ),
    "characterai": Note(
        "A browser tool that saves the histories of a character.",
        "Two replies in a row are common. The converters of CAI Tools swap speakers from there on, "
        "as their README says.",
        "tests/test_import_assistants_b.py::test_cai2_two_replies_in_a_row_stay_two_and_swap_nobody",
    ),
    "openwebui": Note(
        "Settings > Chats > Export chats; an administrator takes webui.db from the data folder.",
        "Thinking and tool calls stand as `<details>` HTML inside `content`. Read as text, a model "
        "learns to write that HTML.",
        "tests/test_import_local.py::test_owu2_blocks_in_the_text_become_steps",
    ),
    "librechat": Note(
        "A conversation's menu > Export > .json, with all branches.",
        "`sender` is free text, and a user may be called GPT-4. Only `isCreatedByUser` says who "
        "speaks.",
        "tests/test_import_local.py::test_lbc2_the_sender_decides_nothing",
    ),
    "sillytavern": Note(
        "Manage chat files > Export .jsonl, or the folder data/USER/chats.",
        "`swipes` are alternative answers to one message, of which `swipe_id` was chosen. Readers "
        "keep that one; here the others are its siblings, material for preferences.",
        "tests/test_import_local.py::test_stv3_swipes_are_siblings_and_one_is_on_the_path",
    ),
    "lmstudio": Note(
        "The folder .lmstudio/conversations in the home folder.",
        "An answer has versions, of which one is selected, and steps, of which thinking and status "
        "are not the answer.",
        "tests/test_import_local.py::test_lms1_versions_are_siblings_and_one_is_selected",
    ),
    "claude-code": Note(
        "~/.claude/projects",
        "Streaming writes a message again and again, in 40 of 100 files. Counted as messages they "
        "double (codeburn#201, tokscale#563); with the first form kept, half of the tool calls go.",
        "tests/test_import_agents.py::test_cc2_streaming_keeps_the_last_form_and_every_call",
    ),
    "codex": Note(
        "~/.codex/sessions",
        "`event_msg` lines repeat what `response_item` lines hold: read both, and every turn is "
        "there twice.",
        "tests/test_import_agents.py::test_cdx1_events_are_never_counted_beside_items",
    ),
    "gemini-cli": Note(
        "~/.gemini/tmp",
        "A `$rewindTo` takes turns back. Readers go on with them in the talk "
        "(claude-code-history-viewer PR #393); here they are a side branch.",
        "tests/test_import_agents.py::test_gcl4_turns_cut_by_a_rewind_are_side_branches",
    ),
    "zendesk": Note(
        "Admin Center > Account > Reports > Export, or the API's incremental tickets with their "
        "comments.",
        "A private note is a comment by an agent like any other, but for `public`. Read as a "
        "reply, a model learns to tell customers what colleagues said of them.",
        "tests/test_import_tickets.py::test_tkt1_a_private_note_is_never_the_assistant",
    ),
    "intercom": Note(
        "The API: GET /conversations/{id} for each.",
        "A reply that closes the conversation has another `part_type` than a comment, and is "
        "public all the same. Notes are not.",
        "tests/test_import_tickets.py::test_tkt1_a_reply_that_closes_is_public",
    ),
    "openai-stored": Note(
        "GET /chat/completions and GET /chat/completions/{id}/messages, saved as they come.",
        "Each call repeats the whole history. Taken one by one, a talk of twenty turns becomes "
        "twenty talks that overlap; here one conversation, branched where the histories differ.",
        "tests/test_import_logs.py::test_log1_a_differing_prefix_branches_off_where_it_differs",
    ),
    "litellm": Note(
        "The table LiteLLM_SpendLogs, or GET /spend/logs.",
        "Prompts are `{}` unless the proxy stores them, and sometimes even then (litellm#15641). "
        "Such a call is counted as skipped, with that reason.",
        "tests/test_import_logs.py::test_log2_prompts_that_were_not_kept",
    ),
    "langfuse": Note(
        "Project settings > Exports, or the scheduled export to blob storage.",
        "Times are written without a zone and mean UTC: read as local ones they are off by hours.",
        "tests/test_import_logs.py::test_log3_times_without_a_zone_mean_utc",
    ),
    "otel": Note(
        "An OpenTelemetry collector's file exporter, or Phoenix's export of spans.",
        "OpenInference numbers messages in the names of attributes. Sorted as text, message 10 "
        "comes before message 2.",
        "tests/test_import_logs.py::test_log8_indices_sort_as_numbers",
    ),
    # people
    "slack": Note(
        "Workspace settings > Import/export data > Export.",
        "Zips that hide that their names are UTF-8 give wrong channels, and converting blindly "
        "breaks right names (zulip#22533, slack-export-viewer#184).",
        "tests/test_import_slack.py::test_slk11_channel_names_of_zips_that_hide_their_utf8",
    ),
    "discord": Note(
        "DiscordChatExporter, format JSON.",
        "Joins, pins, calls and new threads have content too. Only default messages, replies and "
        "answers to commands were said by anybody.",
        "tests/test_import_discord.py::test_dsc1_everything_else_is_an_event",
    ),
    "discord-package": Note(
        "User settings > Data & privacy > Request all of my data.",
        "It holds one's own messages only. Paired in a row they are made-up dialogues; here they "
        "are kept, marked one-sided, and never trained on.",
        "tests/test_import_discord.py::test_dsc6_own_messages_are_stored_one_sided_and_never_trained",
    ),
    "whatsapp": Note(
        "A chat's menu > More > Export chat; the text or the zip.",
        "12/01 and 01/12 look alike, so the order of day and month is inferred over the whole "
        "file, be its deciding date the last. Where it stays open the user is asked.",
        "tests/test_whatsapp.py::test_the_deciding_date_may_be_the_last_of_a_long_file",
    ),
    "telegram": Note(
        "Telegram Desktop: a chat's menu, or Settings > Advanced, > Export, format JSON.",
        "The export of an account has its chats one level deeper, and is ignored by readers of "
        "one chat's (WeClone#188).",
        "tests/test_import_telegram.py::test_tgm1_every_chat_of_an_account_and_the_left_ones_flagged",
    ),
    "messenger": Note(
        "accountscenter.facebook.com (for Instagram, accountscenter.instagram.com) > Your "
        "information > Download, format JSON; encrypted chats are a download of their own.",
        "The bytes of UTF-8 are written as characters, in most texts but not in all. A repair of "
        "the whole file crashes on a real curly quote (Chatistics#65); here each text is tried.",
        "tests/test_import_messenger.py::test_msg2_text_is_repaired_string_by_string_where_the_way_back_succeeds",
    ),
    "imessage": Note(
        "~/Library/Messages on a Mac, with full disk access.",
        "`text` is NULL in newer databases; the words are in `attributedBody`, an archive whose "
        "lengths count bytes and come in three sizes.",
        "tests/test_import_imessage.py::test_ims1_lengths_of_one_two_and_four_bytes",
    ),
    "signal": Note(
        "signal-export, run where Signal Desktop is installed; the database itself is encrypted.",
        "Its lines look like WhatsApp's on an iPhone and are easily taken for them.",
        "tests/test_import_people_b.py::test_sig1_both_heads_are_signals_and_not_whatsapps",
    ),
    "googlechat": Note(
        "takeout.google.com > Google Chat.",
        "Dates are sentences in the account's language, with a narrow no-break space before PM.",
        "tests/test_import_people_b.py::test_gch1_dates_in_words_of_many_languages",
    ),
    "teams": Note(
        "A Graph export of messages of teams and users, by an administrator.",
        "One chat lies in the file of each of its members: read file by file, every message is "
        "there twice.",
        "tests/test_import_people_b.py::test_tms2_a_chat_in_the_files_of_both_members_counts_once",
    ),
    "wechat": Note(
        "WeClone's exporter, or PyWxDump and its kin, as CSV.",
        "In groups `is_sender` tells me from the rest, and WeClone makes one speaker of the rest. "
        "Who speaks is `talker`.",
        "tests/test_import_people_b.py::test_wxc4_speakers_of_a_group_are_never_merged",
    ),
    "line": Note(
        "A chat's menu > Settings > Export chat history.",
        "Messages of several lines stand in double quotes, and a line in them may be a date. It "
        "starts no new day.",
        "tests/test_import_line_irc.py::test_lin2_a_date_inside_quotes_is_text",
    ),
    "irc": Note(
        "The folder in which the client keeps its logs.",
        "Talks interleave, so the line after a question is seldom its answer. A channel stays one "
        "conversation, and is cut only where it falls silent.",
        "tests/test_import_line_irc.py::test_irc3_interleaved_talks_stay_as_the_channel_had_them",
    ),
    "mail": Note(
        "takeout.google.com > Mail, Thunderbird's folders, or saved .eml files.",
        "Threads follow references. Gone by the subject alone, every mail that is called Invoice "
        "is one talk.",
        "tests/test_import_mail.py::test_eml1_the_same_subject_without_a_reply_mark_is_another_thread",
    ),
    # training files
    "openai": Note(
        "Files for fine-tuning, and data sets on the Hub in this shape.",
        "`weight: 0` means: do not train on this answer. In axolotl the change that reads it was "
        "never merged (PR #1702); here it is `train: false`.",
        "tests/test_import_training.py::test_trn1_weight_0_is_never_trained",
    ),
    "sharegpt": Note(
        "Data sets on the Hub in this shape.",
        "LLaMA-Factory drops an example whose roles do not alternate (#10178, #9585). Two "
        "questions in a row survive here.",
        "tests/test_import_training.py::test_trn2_turns_need_not_alternate",
    ),
    "alpaca": Note(
        "Data sets on the Hub in this shape.",
        "An empty `input` is no input: joined to the instruction all the same, it leaves a blank "
        "line in most prompts.",
        "tests/test_import_training.py::test_trn3_an_empty_input_adds_no_blank_line",
    ),
    "prompt-completion": Note(
        "Data sets on the Hub in this shape, TRL's files.",
        "Answers inside the prompt are context. Trained by role they would count as well.",
        "tests/test_import_training.py::test_completions_are_trained_and_answers_in_the_prompt_are_not",
    ),
    "preference": Note(
        "Data sets on the Hub in this shape, TRL's and OpenAI's files for DPO.",
        "Results of tools in a pair ended axolotl with KeyError 'tool' (#3217).",
        "tests/test_peer_faults.py::test_results_of_tools_in_a_preference_pair_are_read",
    ),
    "oasst": Note(
        "OpenAssistant's releases, and data sets in their shape.",
        "Trees may be deeper than a recursive reader goes, flat messages come with their trees "
        "mixed, and flat roots may nest replies of their own.",
        "tests/test_import_training.py::test_trn4_flat_messages_are_gathered_though_trees_are_mixed",
    ),
    "mapped": Note(
        "Any table you have: a spreadsheet saved as CSV, a dump, a query.",
        "A role that no word explains is nobody's guess: its row is in quarantine, with its place "
        "and what to say about it.",
        "tests/test_mapped.py::test_an_unknown_role_is_rejected_with_its_place",
    ),
}
