"""Mail: borders of an mbox, threads, quotes and signatures, HTML, charsets, damage."""

import gc
import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.base import ImportOptions, Item, Reject
from ingest.importers.mail import Mail
from ingest.importers.mail_text import split_html, split_text, unflowed
from ingest.importers.mail_threads import base_subject
from ingest.importers.mbox import spans
from ingest.message import Conversation

BORDER = b"From miller@example.org Mon Mar  2 08:00:00 2026\n"
Box = Callable[..., list[Item]]


def mail(number: int, body: bytes = b"Good grain.", *, subject: str = "", more: str = "") -> bytes:
    return (
        f"From: Miller <m@example.org>\nSubject: {subject or f'Mail {number}'}\n"
        f"Date: Mon, 02 Mar 2026 08:{number:02d}:00 +0000\nMessage-ID: <{number}@x>\n{more}\n"
    ).encode() + body


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """What an mbox of the mails gives."""

    def make(*mails: bytes, name: str = "any.name", **options: Any) -> list[Item]:
        path = tmp_path / name
        path.write_bytes(b"".join(BORDER + each + b"\n\n" for each in mails))
        return read(Mail(), path, **options)

    return make


def texts(items: list[Item]) -> list[list[str]]:
    return [[m.content for m in item.messages] for item in items if isinstance(item, Conversation)]


# EML1: threads
def test_eml1_references_make_the_thread_whatever_the_subject(box: Box) -> None:
    found = box(
        mail(1, b"a"), mail(2, b"other"),
        mail(3, b"b", subject="New words", more="References: <1@x>\n"),
    )  # fmt: skip
    assert texts(found) == [["a", "b"], ["other"]]
    (first, _) = found
    assert isinstance(first, Conversation)
    assert first.messages[1].parent_id == "<1@x>"
    assert first.messages[1].extra["Subject"] == "New words"


def test_eml1_answers_to_a_mail_that_is_not_here_belong_together(box: Box) -> None:
    found = box(
        mail(1, b"a", more="References: <gone@x>\n"), mail(2, b"b", more="In-Reply-To: <gone@x>\n")
    )
    assert texts(found) == [["a", "b"]]


def test_eml1_an_answer_without_references_follows_its_subject(box: Box) -> None:
    found = box(mail(1, b"a", subject="Rye"), mail(2, b"b", subject="AW: RE: rye"))
    assert texts(found) == [["a", "b"]]


def test_eml1_the_same_subject_without_a_reply_mark_is_another_thread(box: Box) -> None:
    assert texts(box(mail(1, b"a", subject="Rye"), mail(2, b"b", subject="Rye"))) == [["a"], ["b"]]


def test_eml1_an_answer_months_later_follows_no_subject(box: Box) -> None:
    late = mail(2, b"b", subject="Re: Rye").replace(b"02 Mar 2026", b"02 Jul 2026")
    assert texts(box(mail(1, b"a", subject="Rye"), late)) == [["a"], ["b"]]


def test_eml1_references_in_a_circle_end(box: Box) -> None:
    one = mail(1, b"a", more="References: <2@x>\n")
    two = mail(2, b"b", more="References: <1@x> <2@x>\n")
    assert texts(box(one, two)) == [["a", "b"]]


def test_eml1_a_mail_in_two_folders_counts_once(tmp_path: Path) -> None:
    for name in ("inbox", "sent"):
        (tmp_path / name).write_bytes(BORDER + mail(1, b"a"))
    assert texts(read(Mail(), tmp_path)) == [["a"]]


def test_eml1_the_order_is_by_time_not_by_place(box: Box) -> None:
    assert texts(box(mail(5, b"late", more="References: <1@x>\n"), mail(1, b"early"))) == [
        ["early", "late"]
    ]


@pytest.mark.parametrize(
    ("subject", "base"),
    [("Re: Rye", "rye"), ("AW: WG: Rye", "rye"), ("[mill] Re[2]: Rye", "rye"),
     ("Rye: re", "rye: re"),
     ("Return", "return")],
)  # fmt: skip
def test_eml1_reply_marks_of_many_languages(subject: str, base: str) -> None:
    assert base_subject(subject) == base


# EML2: quotes and signatures
@pytest.mark.parametrize(
    ("text", "own", "quoted", "signature"),
    [
        ("Yes.\n\nOn Mon, Mar 2, 2026 at 8:00 AM Tobin <t@x> wrote:\n> Rye?\n", "Yes.",
         "On Mon, Mar 2, 2026 at 8:00 AM Tobin <t@x> wrote:\n> Rye?", ""),
        ("Ja.\n\nAm 02.03.26 um 08:00 schrieb Tobin:\n> Roggen?", "Ja.",
         "Am 02.03.26 um 08:00 schrieb Tobin:\n> Roggen?", ""),
        ("Yes.\n-- \nMiller\n\nOn Mon Tobin wrote:\n> Rye?", "Yes.", "On Mon Tobin wrote:\n> Rye?",
         "Miller"),
        ("Yes.\n> Rye?\n-- \nMiller", "Yes.", "> Rye?", "Miller"),
        ("Yes.\n\n-----Original Message-----\nFrom: T\nRye?", "Yes.",
         "-----Original Message-----\nFrom: T\nRye?", ""),
        ("See below.\n\nVon: Tobin\nGesendet: Montag\nAn: Mill\nBetreff: Rye\n\nRye?", "See below.",
         "Von: Tobin\nGesendet: Montag\nAn: Mill\nBetreff: Rye\n\nRye?", ""),
        ("Nothing quoted -- only a dash.", "Nothing quoted -- only a dash.", "", ""),
    ],
)  # fmt: skip
def test_eml2_own_words_quote_and_signature_are_apart(
    text: str, own: str, quoted: str, signature: str
) -> None:
    assert split_text(text) == (own, quoted, signature)


def test_eml2_quotes_between_the_lines_stay() -> None:
    text = "On Mon Tobin wrote:\n> Rye?\n\nYes.\n\n> Two sacks?\n\nThree."
    assert split_text(text).own == text


def test_eml2_nothing_is_lost_and_a_bare_forward_is_not_trained(box: Box) -> None:
    body = b"---------- Forwarded message ---------\nFrom: T\n\nBread at noon.\n"
    (message,) = only(box(mail(1, body))).messages
    assert (message.content, message.train) == ("", False)
    assert "Bread at noon." in message.extra["quoted"]


def test_flowed_lines_are_joined() -> None:
    text = "a long \nline\n> quoted \n> too\n-- \nMiller"
    assert unflowed(text, delete_space=False) == "a long line\n> quoted too\n-- \nMiller"


# EML3: HTML
def test_eml3_html_alone_becomes_text_without_its_quote(box: Box) -> None:
    html = (
        b"<p>Good <b>grain</b>!</p><div class='gmail_quote'><div>On Mon T wrote:</div>"
        b"<blockquote>Rye?</blockquote></div>"
    )
    (message,) = only(box(mail(1, html, more="Content-Type: text/html\n"))).messages
    assert message.content == "Good grain!"
    assert message.extra["quoted"] == "On Mon T wrote:\n\nRye?"


def test_eml3_an_empty_plain_alternative_gives_way_to_html(box: Box) -> None:
    body = b"--b\nContent-Type: text/plain\n\n \n--b\nContent-Type: text/html\n\n<p>Rye.</p>\n--b--"
    more = 'Content-Type: multipart/alternative; boundary="b"\n'
    assert texts(box(mail(1, body, more=more))) == [["Rye."]]


def test_eml3_outlook_marks_its_quote_by_an_id() -> None:
    found = split_html('<p>Yes.</p><div id="appendonsend"></div><hr><p>From: T</p><p>Rye?</p>')
    assert found.own == "Yes."
    assert found.quoted == "From: T\n\nRye?"


# EML4: charsets
@pytest.mark.parametrize(
    ("charset", "raw", "guessed"),
    [
        ("; charset=x-nonsense", "Mühle".encode(), "utf-8"),
        ("; charset=us-ascii", "Mühle".encode("cp1252"), "cp1252"),
        ("", "Mühle".encode(), "utf-8"),
        ("; charset=utf-8", "Mühle".encode("latin-1"), "cp1252"),
        ("; charset=latin-1", "Mühle".encode("latin-1"), None),
    ],
)
def test_eml4_a_wrong_charset_costs_nothing_and_is_said(
    box: Box, charset: str, raw: bytes, guessed: str | None
) -> None:
    (message,) = only(box(mail(1, raw, more=f"Content-Type: text/plain{charset}\n"))).messages
    assert message.content == "Mühle"
    assert message.extra.get("charset_guessed") == guessed


def test_eml4_headers_of_odd_charsets(box: Box) -> None:
    found = only(box(mail(1, subject="=?x-odd?q?M=C3=BChle?= =?utf-8?b?!!?= =?utf-8?q?rye?=")))
    assert found.title is not None
    assert "rye" in found.title


@pytest.mark.parametrize("raw", ["Mühle".encode(), "Mühle".encode("cp1252")])
def test_eml4_headers_with_raw_bytes(box: Box, raw: bytes) -> None:
    found = only(box(mail(1, subject="MILL").replace(b"MILL", raw).replace(b"Miller", raw)))
    assert (found.title, found.messages[0].name) == ("Mühle", "Mühle")


# borders
def test_the_word_from_at_the_start_of_a_line_is_no_border(box: Box) -> None:
    body = (
        b"Dear T,\n\nFrom noon to 13:00 we rest.\n\n>From here it is far.\n>>From there too.\nBye."
    )
    (message,) = only(box(mail(1, body))).messages
    assert message.content == (
        "Dear T,\n\nFrom noon to 13:00 we rest.\n\nFrom here it is far.\n>From there too.\nBye."
    )


def test_borders_of_takeout_thunderbird_and_dos(tmp_path: Path) -> None:
    path = tmp_path / "box"
    borders = (
        b"From 1790@xxx Mon Mar 02 08:00:00 +0000 2026\r\n", b"From - Mon Mar 02 08:00:00 2026\r\n",
    )  # fmt: skip
    path.write_bytes(
        b"".join(b + mail(n).replace(b"\n", b"\r\n") + b"\r\n" for n, b in enumerate(borders))
    )
    assert len(read(Mail(), path)) == 2


@pytest.mark.parametrize("shift", range(-60, 20, 7))
def test_borders_at_the_edge_of_a_block(shift: int) -> None:
    first = mail(1, b"x" * ((1 << 20) - 4096 - len(BORDER) - len(mail(1, b"")) + shift))
    raw = BORDER + first + b"\n\n" + BORDER + mail(2) + b"\n\n" + BORDER + mail(3)
    found = [raw[s.start : s.start + s.size] for s in spans(io.BytesIO(raw))]
    assert [part.split(b"Message-ID: ")[1][:5] for part in found] == [b"<1@x>", b"<2@x>", b"<3@x>"]
    assert found[0] == first + b"\n\n"


def test_attachments_are_references_with_their_decoded_names(box: Box) -> None:
    body = (
        b"--b\n\nSee the picture.\n--b\nContent-Type: image/png\nContent-ID: <p1>\n"
        b"Content-Disposition: inline; filename*=utf-8''M%C3%BChle.png\n\nAAAA\n"
        b"--b\nContent-Type: message/rfc822\n\nSubject: Bread\n\ninner\n--b--\n"
    )
    (message,) = only(
        box(mail(1, body, more="Content-Type: multipart/mixed; boundary=b\n"))
    ).messages
    assert message.content == "See the picture."
    assert [(a.kind, a.name, a.uri) for a in message.attachments] == [
        ("image", "Mühle.png", "cid:p1"), ("message", "Bread", None),
    ]  # fmt: skip


def test_a_zone_of_minus_zero_is_no_zone(box: Box) -> None:
    (message,) = only(box(mail(1).replace(b"+0000", b"-0000"))).messages
    assert message.created_at is not None
    assert message.created_at.tzinfo is None


def test_the_speaker_is_chosen_by_name_or_address(box: Box) -> None:
    (message,) = only(box(mail(1), as_assistant=("m@example.org",))).messages
    assert message.role == "assistant"


def test_gz_and_zip_of_mailboxes(tmp_path: Path) -> None:
    raw = BORDER + mail(1, b"a") + b"\n\n" + BORDER + mail(2, b"b", more="References: <1@x>\n")
    packed, archive = tmp_path / "box.gz", tmp_path / "mail.zip"
    packed.write_bytes(gzip.compress(raw))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("Mail/box", raw)
        file.writestr("photo.jpg", b"\xff\xd8")
    assert texts(read(Mail(), packed)) == texts(read(Mail(), archive)) == [["a", "b"]]


# damage
def test_a_corrupt_mail_between_good_ones_costs_itself(box: Box) -> None:
    found = box(mail(1, b"a"), b"X-Junk: \xff\xfe\x00\n\n\x80", mail(3, b"c"))
    assert texts(found) == [["a"], ["c"]]
    assert [item.where for item in found if isinstance(item, Reject)] == [
        f"any.name: byte {2 * len(BORDER) + len(mail(1, b'a')) + 2}"
    ]


def test_a_truncated_box_keeps_what_is_there(tmp_path: Path) -> None:
    raw = BORDER + mail(1, b"first") + b"\n\n" + BORDER + mail(2, b"second")
    path = tmp_path / "box"
    path.write_bytes(raw[:-3])
    assert texts(read(Mail(), path)) == [["first"], ["sec"]]


def test_parts_nested_too_deeply_cost_one_mail(box: Box) -> None:
    levels = 700
    more = 'Content-Type: multipart/mixed; boundary="b0"\n'
    body = "".join(
        f'--b{n}\nContent-Type: multipart/mixed; boundary="b{n + 1}"\n\n' for n in range(levels)
    )
    found = box(mail(1, body.encode(), more=more), mail(2, b"good"))
    assert texts(found)[-1] == ["good"]
    assert len(found) == 2


@pytest.mark.parametrize(
    "more",
    ["Content-Type: multipart/mixed\n", "Content-Type: ;;;=\n",
     "Content-Type: text/plain; charset*=x''%ff\n",
     "Content-Transfer-Encoding: base64\n", "Content-Disposition: attachment; filename*0*=%%%\n",
     "References: <<<>>> <a@x\n", "Content-Type: text/plain; format=flowed; delsp=\xff\n",
     "Content-Transfer-Encoding: uuencode\n"],
)  # fmt: skip
def test_odd_headers_cost_no_mail(box: Box, more: str) -> None:
    assert len(texts(box(mail(1, b"body", more=more)))) == 1


@pytest.mark.parametrize(
    "date", [b"yesterday", b"Mon, 99 Foo 2026", b"", b"Mon, 2 Mar 20260 8:00:00 +9999"]
)
def test_odd_dates_cost_no_mail(box: Box, date: bytes) -> None:
    raw = mail(1).replace(b"Mon, 02 Mar 2026 08:01:00 +0000", date)
    (message,) = only(box(raw)).messages
    assert message.created_at is None


def test_an_empty_file_of_mail_is_not_claimed_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"\n\n")
    assert Mail().sniff(open_export(path)) == 0
    (item,) = read(Mail(), path)
    assert isinstance(item, Reject)


@pytest.mark.slow
def test_a_big_box_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "box"
    body = b"Good grain to you! " * 1000
    with path.open("wb") as file:
        for number in range(3000):  # 58 MB
            file.write(
                BORDER + mail(number % 60, body).replace(b"@x>", b"%d@x>" % number) + b"\n\n"
            )
    tracemalloc.start()
    count = sum(1 for _ in Mail().read(open_export(path), ImportOptions()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3000
    assert peak < 16 << 20


def test_a_packed_mailbox_that_cannot_be_unpacked_leaves_no_file_open(tmp_path):
    letter = b"From a@example.org Thu Jan  1 10:00:00 2026\nFrom: a@example.org\n\nhello\n\n"
    packed = tmp_path / "mail.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("box.mbox", letter * 20_000)
    raw = bytearray(packed.read_bytes())
    raw[len(raw) // 2] ^= 0xFF  # an open file would be a warning, and a warning is an error
    packed.write_bytes(raw)
    with pytest.raises(ExportError):
        list(Mail().read(open_export(packed), ImportOptions()))
    gc.collect()


def test_a_sender_of_colons_is_unknown_and_no_traceback(box: Box) -> None:
    (found,) = box(mail(1).replace(b"From: ", b"From: " + b":" * 5000))
    assert isinstance(found, Conversation)
    assert [message.content for message in found.messages] == ["Good grain."]
