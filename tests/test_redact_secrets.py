"""Keys, tokens, private keys, passwords and credentials; every key here is made up as it runs."""

import base64
import json
import random
import string

import pytest
from redact_marks import found

from dataset.redact.detect import find
from dataset.redact.placeholder import is_placeholder

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
draw = random.Random(4)


def some(n: int, alphabet: str = ALNUM) -> str:
    return "".join(draw.choice(alphabet) for _ in range(n))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKENS = {
    "OpenAI": "sk-" + some(48),
    "OpenAI project": "sk-" + "proj-" + some(90),
    "Anthropic": "sk-" + "ant-api03-" + some(95),
    "Hugging Face": "hf" + "_" + some(34),
    "GitHub": "ghp" + "_" + some(36),
    "GitHub OAuth": "gho" + "_" + some(36),
    "GitHub server": "ghs" + "_" + some(36),
    "GitHub fine-grained": "github" + "_pat_" + some(22) + "_" + some(59),
    "GitLab": "glpat" + "-" + some(20),
    "AWS": "AKIA" + some(16, string.ascii_uppercase),
    "AWS temporary": "ASIA" + some(16, string.ascii_uppercase),
    "Google": "AI" + "za" + some(35),
    "Google OAuth": "ya29" + "." + some(60),
    "Azure": some(3) + "8Q~" + some(34),
    "Slack bot": "xox" + "b-" + some(12, string.digits) + "-" + some(24),
    "Slack export": "xox" + "e-" + some(12, string.digits) + "-" + some(32, HEX),
    "Slack app": "xapp" + "-1-A" + some(10, string.ascii_uppercase) + "-123456-" + some(64, HEX),
    "Slack webhook": "hooks.slack" + ".com/services/T" + some(8) + "/B" + some(8) + "/" + some(24),
    "Discord bot": base64.b64encode(b"123456789012345678").decode()
    + "."
    + some(6)
    + "."
    + some(38),
    "Stripe": "sk" + "_live_" + some(24),
    "Stripe restricted": "rk" + "_live_" + some(24),
    "Twilio key": "SK" + some(32, HEX),
    "Twilio account": "AC" + some(32, HEX),
    "SendGrid": "SG" + "." + some(22) + "." + some(43),
    "npm": "npm" + "_" + some(36),
    "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + some(120),
    "DigitalOcean": "dop" + "_v1_" + some(64, HEX),
    "Telegram": some(10, "123456789") + ":AA" + some(33),
    "age": "AGE-SECRET" + "-KEY-1" + some(58, string.ascii_uppercase),
    "RunPod": "rpa" + "_" + some(43),
    "JSON web token": f"{part({'alg': 'HS256'})}.{part({'sub': '1'})}.{some(43)}",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_told_by_its_form(token: str):
    assert found(f"look: {token}, is it mine?", "secret") == [token]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_found_in_code(token: str):
    assert token in "".join(found(f'client = Client(key="{token}")'))


NO_TOKENS = (
    "sk-learn-contrib-is-a-library",
    "task-0123456789012345678901234567",
    "ghp_short",
    "eyJub3QiOiJhIGhlYWRlciJ9.e30.abcdef",
    "MNO" + "x" * 22 + ".abcdef." + "y" * 30,
    "d41d8cd98f00b204e9800998ecf8427e",
    "3f9c2b7e5a1d4c8f9e0b6a7d2c1f8e4b5a6d7c8e",
    "123e4567-e89b-12d3-a456-426614174000",
    "com.example.application.MainActivityController",
    "https://example.org/a/very/long/path/to/some/page-with-words.html",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


@pytest.mark.parametrize("text", NO_TOKENS)
def test_what_only_looks_long_is_no_token(text: str):
    assert found(f"see {text} there") == []


@pytest.mark.parametrize("what", ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA ", ""])
def test_a_private_key_is_found_whole(what: str):
    begin, end = (f"-----{word} {what}PRIVATE" + " KEY-----" for word in ("BEGIN", "END"))
    key = "\n".join([begin, some(64), some(64), end])
    assert found(f"here:\n{key}\nthanks", "private_key") == [key]


def test_a_private_key_in_json_has_its_line_breaks_written_out():
    key = "-----BEGIN PRIVATE" + f" KEY-----\\n{some(64)}\\n-----END PRIVATE" + " KEY-----"
    assert found(f'{{"private_key": "{key}\\n"}}', "private_key") == [key]


def test_a_pgp_private_block_is_found():
    name = "PGP PRIVATE" + " KEY BLOCK-----"
    key = f"-----BEGIN {name}\nVersion: 1\n\n{some(64)}\n=abcd\n-----END {name}"
    assert found(key, "private_key") == [key]


def test_a_private_key_that_was_cut_off_goes_on_to_the_end_of_its_lines():
    key = "-----BEGIN RSA PRIVATE" + f" KEY-----\n{some(64)}\n{some(40)}"
    assert found(f"{key}\n[cut] more text", "private_key") == [key]


def test_a_public_key_and_a_certificate_are_no_secrets():
    text = f"-----BEGIN PUBLIC KEY-----\n{some(64)}\n-----END PUBLIC KEY-----"
    assert found(text + text.replace("PUBLIC KEY", "CERTIFICATE"), "private_key") == []


PASSWORDS = (
    ("password: {}", "hunter22"),
    ("Password = {}", "Tr0ub4dor&3"),
    ("PASSWORD={}", "a1b2c3d4"),
    ('"password": "{}"', "correct horse"),
    ("db_password: '{}'", "letmein!"),
    ("DB_PASSWORD={}", "x9Kq!77"),
    ("passwort: {}", "geheim99"),
    ("Das Passwort ist {}", "Sommer2024"),
    ("Das WLAN-Passwort lautet {}", "Sommer2024"),
    ("Kennwort: {}", "Sommer2024"),
    ("the wifi password is {}", "blue-kite-72"),
    ("the password for the router is {}", "blue-kite-72"),
    ("mot de passe : {}", "soleil75"),
    ("la contraseña es {}", "Sol2024!"),
    ("contraseña {}", "Sol2024!"),
    ("la password è {}", "Sole2024!"),
    ("senha: {}", "sol2024!"),
    ("wachtwoord is {}", "zon2024!"),
    ("hasło: {}", "slonce24"),
    ("lösenordet är {}", "solen2024"),
    ("пароль: {}", "solnce24"),
    ("パスワードは{}", "taiyo2024"),
    ("密码是{}", "taiyang24"),
    ("비밀번호: {}", "haeee2024"),
    ("login: jo@example.org / {}", "hunter22"),
    ("pw: {}", "hunter22"),
    ("mysql --password={} -h db", "hunter22"),
    ("curl -u admin:{} https://example.org", "hunter22"),
    ("Server=db;User Id=sa;Password={};", "hunter22"),
    ("PIN: {}", "4821"),
)


@pytest.mark.parametrize(("form", "value"), PASSWORDS, ids=[form for form, _ in PASSWORDS])
def test_a_password_is_told_by_its_name(form: str, value: str):
    assert found(form.format(value), "password") == [value]


NO_PASSWORDS = (
    "password: please reset it",
    "Password: required",
    "I forgot my password, can you reset it?",
    "the password is wrong",
    "the password must have 12 characters",
    "password = getpass('Password: ')",
    "password=os.environ['DB_PASSWORD']",
    "password: ${DB_PASSWORD}",
    "password: <your password>",
    "password: ********",
    "password: [PASSWORD]",
    "password: your_password",
    "password: str = Field(description='the password')",
    "Passwort vergessen?",
    "mot de passe oublié",
    "passport: required for travel",
    "compass: north",
)


@pytest.mark.parametrize("text", NO_PASSWORDS)
def test_talk_about_passwords_is_none(text: str):
    assert found(text, "password") == []


SECRETS = (
    ("api_key = '{}'", some(32)),
    ("API key: {}", some(32)),
    ("aws_secret_access_key = {}", some(40)),
    ("AWS Secret Access Key: {}", some(40)),
    ("client_secret={}", some(32)),
    ("Authorization: Bearer {}", some(40)),
    ("Authorization: Basic {}", base64.b64encode(b"jo:hunter22").decode()),
    ("x-api-key: {}", some(24) + "1"),
    ("AccountKey={};EndpointSuffix=core.windows.net", some(86) + "=="),
    ("Cookie: {}", "sessionid=" + some(32)),
)


@pytest.mark.parametrize(("form", "value"), SECRETS, ids=[form for form, _ in SECRETS])
def test_a_secret_is_told_by_its_name(form: str, value: str):
    assert found(form.format(value), "secret") == [value]


NO_SECRETS = (
    "token = os.environ['TOKEN']",
    "max_tokens: 4096",
    "the key is under the mat",
    "primary key: id",
    "token: string",
    "api_key: YOUR_API_KEY",
    "secret: REDACTED",
    "foreign_key=user.account_id",
    "the token limit is 128000",
    "if token is None: raise ValueError('token is required')",
)


@pytest.mark.parametrize("text", NO_SECRETS)
def test_talk_about_keys_is_none(text: str):
    assert found(text, "secret") == []


URLS = (
    ("https://{}@example.org/x", "jo:hunter22"),
    ("postgresql://{}@db.example.org:5432/app", "app:p%40ss"),
    ("mongodb+srv://{}@cluster.example.org", "jo:a/b@c"),
    ("https://{}@github.example.org/x.git", some(36) + "12"),
    ("redis://{}@cache.example.org:6379/0", ":hunter22"),
    (
        "https://files.example.org/F1?t={}",
        "xox" + "e-" + some(12, string.digits) + "-" + some(32, HEX),
    ),
    ("https://b.example.org/o?X-Amz-Signature={}&x=1", some(64, HEX)),
    ("https://b.example.org/o?sv=2024&sig={}", some(40) + "%3D"),
    ("https://cdn.example.org/a.png?ex=6&is=6&hm={}", some(64, HEX)),
    ("https://example.org/reset?token={}", some(24)),
    ("https://example.org/j/1?pwd={}", some(20)),
)


@pytest.mark.parametrize(("form", "value"), URLS, ids=[form for form, _ in URLS])
def test_credentials_in_an_address_of_the_web_are_found_alone(form: str, value: str):
    text = form.format(value)
    assert [text[span.start : span.end] for span in find(text)] == [value]


NO_URLS = (
    "https://example.org/page?id=12345&sort=key",
    "https://example.org:8080/path",
    "https://example.org/search?key=name",
    "http://user@example.org/",
    "https://[user]:[password]@example.org",
    "https://${USER}:${PASSWORD}@example.org",
    "https://example.org/@jo/12345",
)


@pytest.mark.parametrize("text", NO_URLS)
def test_addresses_of_the_web_without_credentials_stay(text: str):
    assert found(text, "url_credentials") == []


def test_a_long_value_is_judged_at_once():
    assert found("password: my " + "a" * 200 + "1!", "password") == []
    assert found('password: "my ' + "a" * 200 + '1!"', "password") != []


@pytest.mark.parametrize("value", ["<password>", "****", "${X}", "{{ x }}", "your-key", "None"])
def test_what_stands_for_a_secret_is_a_placeholder(value: str):
    assert is_placeholder(value)


@pytest.mark.parametrize("value", ["hunter22", "youngster9", "myDog1!", "A_1_b", "p$x9"])
def test_a_secret_is_no_placeholder(value: str):
    assert not is_placeholder(value)
