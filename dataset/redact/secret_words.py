# ruff: noqa: E501 - lists of words read by the line
"""What people and programs call a password, a key or a token."""

PASSWORD_WORDS = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "pwd", "contraseña",
    "contrasena", "mot de passe", "motdepasse", "mdp", "senha", "palavra-passe", "wachtwoord", "lösenord",
    "passord", "adgangskode", "salasana", "hasło", "haslo", "heslo", "parola", "şifre", "sifre",
    "jelszó", "parole", "parool", "slaptažodis", "lozinka", "geslo", "κωδικός", "пароль", "парола",
    "密码", "密碼", "口令", "パスワード", "비밀번호", "암호", "סיסמה", "كلمة المرور", "كلمة السر", "पासवर्ड",
    "รหัสผ่าน", "mật khẩu", "kata sandi",
)  # fmt: skip
"""What a password is called, in the languages the detectors serve; a space may be - or _ as well."""

SECRET_WORDS = (
    "api key", "apikey", "access key", "secret key", "secret access key", "client secret", "app secret",
    "auth token", "access token", "refresh token", "bot token", "id token", "session token",
    "bearer token", "private key", "account key", "accountkey", "accesskey", "sharedaccesskey",
    "shared access signature", "encryption key", "signing key", "signing secret", "webhook secret",
    "license key", "recovery key", "master key", "secret", "token", "credential", "api_token", "apitoken",
    "_key", "-key", "schlüssel",
)  # fmt: skip
"""What a key or a token is called."""

GATES = (
    "pass", "pwd", "kennwort", "contrase", "mdp", "senha", "palavra", "wachtw", "adgangs", "salasana",
    "haslo", "heslo", "parol", "sifre", "lozinka", "geslo", "sandi", "key", "secret", "token", "signature",
    "credential", "clave", "lösen", "hasło", "ifre", "jelsz", "slapta", "mật", "schlüssel", "authoriz", "bearer", "cookie", " -u", "--user", "pw", "ww",
    "κωδικ", "парол", "पासवर्ड",
)  # fmt: skip
"""Parts of the words above and of headers and options: where none of these is in an ASCII text, neither is any of those."""
PASSWORD_GATES = ("passw", "kennw", "mot de p")
"""Parts of words for passwords, which may be said without a colon: "the password is ..."."""
PASSWORD_ENDINGS = (
    "", "s", "e", "n", "en", "em", "m", "et", "a", "u", "i", "si", "im", "ni", "va", "nya", "ta",
    "я", "ю", "ем", "и", "та", "ата",
)  # fmt: skip
"""Endings of the other words for passwords, as they are said."""
OTHER_GATES = (
    "密", "口令", "パスワ", "비밀번호", "암호", "סיסמה", "كلمة", "รหัสผ่าน",
)  # fmt: skip
"""Likewise, in other scripts, where words are not always set apart."""
SHORT_PASSWORD_WORDS = ("pw", "pass", "ww", "clave", "mdp")
"""What a password is called in short; words of their own only, as "pass" is a part of many."""
LOGIN_WORDS = (
    "login", "log-in", "credentials", "zugang", "zugangsdaten", "user", "username", "account",
    "identifiant", "usuario", "creds",
)  # fmt: skip
"""What announces a name and a password, one after the other."""
CODE_WORDS = ("pin", "tan", "otp", "2fa", "cvv", "cvv2", "cvc")
"""What short codes are called."""
