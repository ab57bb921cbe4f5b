"""Keystores for programs that read no PEM: PKCS #12 and JKS, made in memory from PEM secrets.

Equal inputs make equal files, so that comparing two tells whether anything has changed.
"""

import hmac

from ..errors import Problems, ShimError, show
from ..mount import without_newline
from ..options import decode
from . import der, pem

SUFFIXES = {b".p12": b"pkcs12", b".pfx": b"pkcs12", b".jks": b"jks"}
PRINTABLE = bytes(range(32, 127))


def make(entry, secrets):
    """The content (bytes) of the keystore that an options.Keystore asks for.

    `secrets` has `read(name)`, str to bytes. Raises one ShimError with every problem.
    """
    where = "keystore " + show(entry.destination)

    def parsed(reference, parse, *others):
        """What `parse` makes of a secret; None without one, or of an optional one that is empty."""
        content = b"" if reference is None else secrets.read(decode(reference))
        if not without_newline(content):
            return None
        try:
            return parse(content, *others)
        except ValueError as error:
            raise ShimError(f"{where}: secret {show(reference)} {error}") from None

    problems = Problems()
    kind = password = alias = key = chain = authorities = None
    with problems:
        kind = type_of(entry, where)
    with problems:
        password = parsed(entry.password, read_password)
        if password is None:
            raise ShimError(f"{where}: it needs a password: name its secret with password=")
    with problems:
        alias = read_alias(entry, where)
    with problems:
        key = parsed(entry.key, pem.private_key)
    with problems:
        chain = parsed(entry.cert, pem.chain, key)
    with problems:
        authorities = parsed(entry.ca, pem.certificates)
    problems.stop(starting=False)
    if (key is None) != (chain is None):
        raise ShimError(f"{where}: key= and cert= go together: give both, or ca= alone")
    if key is None and authorities is None:
        raise ShimError(f"{where}: it would hold nothing: give key= and cert=, or ca=, or all")

    name = alias if alias is not None and key is None else "ca"
    trusted = [
        (f"{name}-{number}" if number > 1 else name, authority.encoded)
        for number, authority in enumerate(authorities or (), 1)
    ]
    own = None
    if key is not None:
        own = (alias or "key", key.pkcs8, [certificate.encoded for certificate in chain])
        if own[0].lower() in [name for name, _ in trusted]:
            raise ShimError(f"{where}: alias= is that of a CA in it: choose another one")
    return write(kind, password, own, trusted)


def write(kind, password, own, trusted):
    """The file (bytes) of type `kind`.

    `own` is None or (alias, key as PKCS #8, chain), `trusted` is [(alias, certificate)]: keys and
    certificates are in DER, aliases and the password str.
    """
    alias, key, chain = own or ("", b"", [])
    contents = [alias.encode(), *chain]
    for name, certificate in trusted:
        contents += [name.encode(), certificate]

    def salt(purpose):
        """32 bytes that are others for another purpose (bytes) and for any other content.

        They come from the content, and tell nothing of the key. The password is not in them: it
        would be found by trying, without the iterations that make this slow.
        """
        parts = (der.tlv(der.OCTETS, part) for part in (purpose, *contents))
        return hmac.new(key, b"".join(parts), "sha256").digest()

    if kind == b"jks":
        from . import jks

        return jks.write(password, own, trusted, salt)
    from . import pkcs12

    return pkcs12.write(password, own, trusted, salt)


def type_of(entry, where):
    """The type of a keystore, b"pkcs12" or b"jks": what it says, or by the end of its name."""
    kind = entry.type or SUFFIXES.get(entry.destination[-4:].lower())
    if kind not in SUFFIXES.values():
        raise ShimError(
            f"{where}: of which type? Say type=pkcs12 or type=jks, or let its name end in .p12, "
            ".pfx or .jks"
        )
    return kind


def read_password(content):
    """The password (str) in a secret; raises ValueError for one that Java does not read."""
    password = without_newline(content)
    if password.translate(None, PRINTABLE):
        raise ValueError(
            "cannot be the password: Java reads printable ASCII alone; give it another value"
        )
    return password.decode()


def read_alias(entry, where):
    """The alias (str) that is asked for, or None."""
    if entry.alias is None:
        return None
    try:
        alias = entry.alias.decode()
    except UnicodeDecodeError:
        alias = ""
    # PKCS #12 has it as a BMPString, JKS with its length in two bytes.
    if not alias.isprintable() or not 0 < len(alias) <= 255 or max(alias) > "\uffff":
        raise ShimError(
            f"{where}: alias= must be printable text (UTF-8, no characters beyond U+FFFF, at most "
            "255): write another one"
        )
    return alias
