"""What in a secret's value is likely to hurt. It is told what, and never any of the value."""

from .mount import without_newline

MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # UTF-8, UTF-16
SPACE = b" \t\r\n\v\f"
PEM = b"-----BEGIN "
PEM_BASE64 = b"LS0tLS1CRUdJTi"  # of PEM

DEFAULTS = frozenset(
    b"changeme changeit changethis replaceme replacethis password passwd passw0rd password1 "
    b"password123 secret mysecret mypassword yourpassword yoursecret supersecret topsecret "
    b"secretpassword mysecretpassword admin administrator root toor test testing example sample "
    b"default dummy placeholder todo fixme tbd none null nil undefined empty value foo foobar "
    b"1234 12345 123456 12345678 123456789 1234567890 qwerty letmein guest postgres".split()
)
# What stands around a name that somebody was to replace by a value.
AROUND = ((b"<", b">"), (b"<<", b">>"), (b"${", b"}"), (b"{{", b"}}"), (b"%", b"%"), (b"__", b"__"))
WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. "
# In what ends in one of these, such a word is a value like any other.
NO_SECRETS = (b"user", b"login", b"name", b"host", b"database")


def complaints(name, content):
    """What is wrong with the `content` (bytes) of the secret `name`: a list of str."""
    value = without_newline(content)
    found = []
    if value.startswith(MARKS):
        found.append(
            "begins with a byte order mark, as some editors write it: save it as UTF-8 without one"
        )
    if b"\n" not in value.strip(SPACE) and value.strip(SPACE) != value:
        end = "begins" if value[:1].strip(SPACE) != value[:1] else "ends"
        found.append(
            f"{end} with white space, which is part of the value (one line end at the end is not): "
            "write it without"
        )
    elif b"\r\n" in value:
        found.append("has the line ends of Windows (CR LF): convert it (tr -d '\\r')")
    if value.startswith(PEM) and b"\\n" in value and b"\n" not in value:
        found.append("is PEM with its line ends written as `\\n`: write real ones (printf %b)")
    if value.startswith(PEM_BASE64):
        found.append("is PEM in base64: store it decoded, or say |base64d where it is used")
    if len(value) > 1 and value[:1] in b"\"'" and value.find(value[:1], 1) == len(value) - 1:
        found.append("is in quotes, which are part of the value: write it without them")
    before, equals, _ = value.partition(b"=")
    if equals and fold(before) == fold(name):
        found.append("begins with its own name and `=`: only the value belongs in it")
    if is_default(name, value):
        found.append("looks like a default that nobody has changed: give it a value of its own")
    return found


def is_default(name, value):
    """Whether a value is one that stands in examples: a word of DEFAULTS, the name, `<...>`."""
    value = value.strip(SPACE).strip(b"\"'")
    if not value or b"\n" in value:
        return False
    for start, end in AROUND:
        inner = value[len(start) : -len(end)]
        if inner and value == start + inner + end and not inner.translate(None, WORD):
            return True
    if b"<<" in value and b">>" in value:
        return True
    if 2 < len(value) < 100 and not value.strip(value[:1]):  # xxxxx, *****
        return True
    folded, name = fold(value), fold(name)
    return (folded == name or folded in DEFAULTS) and not name.endswith(NO_SECRETS)


def fold(text):
    """Lower case, without what separates words."""
    return text.lower().translate(None, b"-_. !")
