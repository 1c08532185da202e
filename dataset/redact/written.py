"""What redaction writes in place of what it finds. Nothing of this is ever taken for a find."""

import re

# each way begins with a letter of its own, so re looks for these two alone
PLACEHOLDER = re.compile(r"\[([A-Z][A-Z0-9_]*)_(\d+)\]|P(?<![^\W_]P)erson_\d+")
"""``[EMAIL_1]``, whose kind is the first group, and ``Person_7``; invented names are not told."""
