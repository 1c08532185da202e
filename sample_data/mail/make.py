"""Writes an invented mail archive (an mbox and a single mail) and what it should become."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
BOX = """\
From ysolde@example.org Mon Mar  2 08:00:00 2026
From: =?utf-8?q?Ysolde_B=C3=A4rrow?= <Ysolde@example.org>
To: Wendel Mill <mill@wendel.example.org>
Subject: Rye for the
 festival
Date: Mon, 02 Mar 2026 08:00:00 +0100
Message-ID: <1@example.org>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Good morning,

we need ten sacks of rye. K=C3=B6nnt ihr das?

>From noon on somebody is here.

--=20
Ysolde
The bakery

From tobin@example.org Mon Mar  2 08:10:00 2026
From: Tobin <tobin@example.org>
Subject: Re: the dog
Date: Mon, 02 Mar 2026 09:10:00 +0200
Message-ID: <2@example.org>

He is by the weir.

From mill@wendel.example.org Mon Mar  2 09:00:00 2026
From: Wendel Mill <mill@wendel.example.org>
To: Ysolde <ysolde@example.org>
Subject: Re: Rye for the festival
Date: Mon, 02 Mar 2026 09:00:00 +0100
Message-ID: <3@wendel.example.org>
In-Reply-To: <1@example.org>
References: <1@example.org>
Content-Type: multipart/mixed; boundary="b1"

--b1
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: 8bit

Good grain to you! Yes, on Friday.

On Mon, 2 Mar 2026 at 08:00, Ysolde Barrow <ysolde@example.org>
wrote:
> we need ten sacks of rye.
--b1
Content-Type: application/pdf; name="offer.pdf"
Content-Disposition: attachment; filename="offer.pdf"
Content-Transfer-Encoding: base64

JVBERg==
--b1--

From mill@wendel.example.org Mon Mar  2 09:30:00 2026
From: Wendel Mill <mill@wendel.example.org>
Subject: The dog
Date: Mon, 02 Mar 2026 06:30:00 -0000
Message-ID: <4@wendel.example.org>
Content-Type: text/html; charset=utf-8

<html><body><p>Has anyone seen <b>the dog</b>?</p></body></html>

"""
LETTER = """\
From: ysolde@example.org
To: mill@wendel.example.org
Subject: AW: Rye for the festival
Date: Mon, 02 Mar 2026 10:00:00 +0100
Message-ID: <5@example.org>
References: <1@example.org> <3@wendel.example.org>
Content-Type: multipart/alternative; boundary="b2"

--b2
Content-Type: text/plain; charset=x-unknown
Content-Transfer-Encoding: 8bit

Danke, schön!

--b2
Content-Type: text/html

<p>Danke, sch&ouml;n!</p>
--b2--
"""


def at(hour, minute, zone):
    return datetime(2026, 3, 2, hour, minute, tzinfo=timezone(timedelta(hours=zone)))


YSOLDE = Participant("Ysolde Bärrow", "ysolde@example.org")
TOBIN = Participant("Tobin", "tobin@example.org")
MILL = Participant("Wendel Mill", "mill@wendel.example.org", True)


def expected(native, title, messages, people):
    return Conversation(id=conversation_id("mail", native), importer="mail", source_id=native,
                        title=title, created_at=messages[0].created_at, messages=tuple(messages),
                        participants=people)


M = Message
BOX_EXPECTED = [
    expected("<1@example.org>", "Rye for the festival", [
        M("user", "Good morning,\n\nwe need ten sacks of rye. Könnt ihr das?\n\n"
                  "From noon on somebody is here.", name="Ysolde Bärrow", created_at=at(8, 0, 1),
          source_id="<1@example.org>",
          extra={"To": "Wendel Mill <mill@wendel.example.org>", "signature": "Ysolde\nThe bakery"}),
        M("assistant", "Good grain to you! Yes, on Friday.", name="Wendel Mill",
          created_at=at(9, 0, 1), source_id="<3@wendel.example.org>", parent_id="<1@example.org>",
          attachments=(Attachment("file", "offer.pdf", mime_type="application/pdf"),),
          extra={"To": "Ysolde <ysolde@example.org>",
                 "quoted": "On Mon, 2 Mar 2026 at 08:00, Ysolde Barrow <ysolde@example.org>\nwrote:\n"
                           "> we need ten sacks of rye."}),
    ], (YSOLDE, MILL)),
    # Tobin's answer names no mail: it follows the subject. The dog's zone is unknown (-0000)
    expected("<4@wendel.example.org>", "The dog", [
        M("assistant", "Has anyone seen the dog?", name="Wendel Mill",
          created_at=datetime(2026, 3, 2, 6, 30), source_id="<4@wendel.example.org>"),
        M("user", "He is by the weir.", name="Tobin", created_at=at(9, 10, 2),
          source_id="<2@example.org>"),
    ], (MILL, TOBIN)),
]
LETTER_EXPECTED = expected("<1@example.org>", "AW: Rye for the festival", [
    M("user", "Danke, schön!", name="ysolde@example.org", created_at=at(10, 0, 1),
      source_id="<5@example.org>", parent_id="<3@wendel.example.org>",
      extra={"To": "mill@wendel.example.org", "charset_guessed": "utf-8"}),
], (Participant("ysolde@example.org", "ysolde@example.org"),))
THREAD = msgspec.structs.replace(
    BOX_EXPECTED[0],
    messages=(*BOX_EXPECTED[0].messages, *LETTER_EXPECTED.messages),
)


def main():
    folder = HERE / "archive"
    folder.mkdir(exist_ok=True)
    (folder / "All mail.mbox").write_text(BOX, encoding="utf-8")
    (folder / "letter.eml").write_bytes(LETTER.replace("\n", "\r\n").encode())
    lines = [msgspec.json.encode(each) for each in (THREAD, BOX_EXPECTED[1])]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Wendel Mill"]}\n')


if __name__ == "__main__":
    main()
