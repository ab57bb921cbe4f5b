"""PEM (RFC 7468) in secrets: private keys and certificates, and whether they belong together.

What is wrong with a secret is a ValueError whose message continues `secret NAME` and holds nothing
of the content.
"""

from binascii import a2b_base64

from . import der

KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
# Labels that a message may repeat: any other text could be of the secret.
LABELS = (
    *KEYS, "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "DSA PRIVATE KEY", "PUBLIC KEY",
    "CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL", "PKCS7",
    "DH PARAMETERS", "EC PARAMETERS",
)  # fmt: skip
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

# The algorithms of keys (RFC 8017, RFC 5480).
RSA = der.oid("1.2.840.113549.1.1.1")
RSA_PSS = der.oid("1.2.840.113549.1.1.10")
EC = der.oid("1.2.840.10045.2.1")


class Key:
    """A private key: `pkcs8` is DER (RFC 5208); `kind` and `public` as a Certificate has them.

    `public` is None where the key does not tell. Raises ValueError or IndexError for other DER.
    """

    def __init__(self, pkcs8):
        fields = der.elements(der.whole(pkcs8, der.SEQUENCE))
        (integer, _, _), (_, algorithm, _), (octets, secret, _) = fields[:3]
        if integer != der.INTEGER or octets != der.OCTETS:
            raise ValueError("no PKCS #8")
        # Without what RFC 5958 appends, such as a public key, which Java 11 does not read.
        self.pkcs8 = private_key_info(fields[1][2], secret)
        self.kind = kind_of(algorithm)
        self.public = None
        if self.kind == RSA:
            self.public = der.elements(der.whole(secret, der.SEQUENCE))[1][1]  # the modulus
        elif self.kind.startswith(EC):
            for tag, content, _ in der.elements(der.whole(secret, der.SEQUENCE)):
                if tag == 0xA1:  # [1] publicKey, which is optional (RFC 5915)
                    self.public = der.whole(content, der.BITS)


class Certificate:
    """An X.509 certificate (RFC 5280): `encoded` as DER, the names in it, its public key.

    Raises ValueError or IndexError for other DER.
    """

    def __init__(self, encoded):
        content = der.elements(der.whole(encoded, der.SEQUENCE))[0][1]
        fields = der.elements(content)
        if fields[0][0] == 0xA0:  # [0] version, which is missing in version 1
            del fields[0]
        _, _, (_, _, self.issuer), _, (_, _, self.subject), (_, key, _) = fields[:6]
        (_, algorithm, _), (bits, public, _) = der.elements(key)
        if bits != der.BITS:
            raise ValueError("no public key")
        self.encoded = encoded
        self.kind = kind_of(algorithm)
        self.public = public
        if self.kind == RSA:
            self.public = der.elements(der.whole(public[1:], der.SEQUENCE))[0][1]

    def fits(self, key):
        """Whether it is for this Key; it may be if a key does not tell its public half."""
        return self.kind == key.kind and key.public in (None, self.public)


def kind_of(algorithm):
    """What a key and its certificate have in common: the algorithm, and its curve (DER)."""
    (_, _, name), *parameters = der.elements(algorithm)
    if name in (RSA, RSA_PSS):
        return RSA
    if name == EC and parameters[0][0] != der.OID:
        raise ValueError("a curve without a name, which Java does not read")
    return name + b"".join(element for _, _, element in parameters)


def blocks(content):
    """The PEM blocks in `content` (bytes), in their order: [(label, lines)].

    Text around them is allowed.
    """
    found = []
    label = None
    for line in map(bytes.strip, content.splitlines()):
        if line.startswith(b"-----BEGIN ") and line.endswith(b"-----") and label is None:
            label, lines = line[11:-5], []
            found.append((label.decode("ascii", "replace"), lines))
        elif label is not None and line == b"-----END " + label + b"-----":
            label = None
        elif label is not None:
            lines.append(line)
    if label is not None:
        raise ValueError("has a PEM block that does not end: copy it anew")
    if not found:
        if b"-----BEGIN " in content:
            raise ValueError("has a PEM block that is not in lines of its own: copy it anew")
        raise ValueError(
            "holds no PEM, which is text with -----BEGIN …: convert it (openssl x509 -inform DER, "
            "openssl pkey -inform DER)"
        )
    return found


def decode(lines):
    """The DER (RFC 4648, then X.690) in the lines of a PEM block."""
    text = b"".join(lines)
    if text.translate(None, BASE64) or b"=" in text.rstrip(b"="):
        raise ValueError("no base64")
    encoded = a2b_base64(text)  # its Error is a ValueError
    der.whole(encoded, der.SEQUENCE)
    return encoded


def private_key(content):
    """The one private key in a secret (bytes), as a Key."""
    every = blocks(content)
    keys = [block for block in every if block[0].endswith("PRIVATE KEY")]
    if not keys:
        raise ValueError(f"holds no private key, only {labels(every)}: name the secret with it")
    if len(keys) > 1:
        raise ValueError(f"holds {len(keys)} private keys: leave one in it")
    ((label, lines),) = keys
    if label == "ENCRYPTED PRIVATE KEY" or lines[:1] == [b"Proc-Type: 4,ENCRYPTED"]:
        raise ValueError(
            "is encrypted: give it without a passphrase (openssl pkey -in KEY -out NEW)"
        )
    if label not in KEYS:
        raise ValueError(
            f"holds a form of key that is not read, {labels(keys)}: convert it (openssl pkey -in "
            "KEY -out NEW, or ssh-keygen -p -m PKCS8 -f KEY)"
        )
    try:
        encoded = decode(lines)
        if label == "RSA PRIVATE KEY":  # RFC 8017, A.1.2
            encoded = private_key_info(der.sequence(RSA, der.NULL), encoded)
        elif label == "EC PRIVATE KEY":  # RFC 5915
            encoded = private_key_info(der.sequence(EC, curve(encoded)), encoded)
        return Key(encoded)
    except (ValueError, IndexError):
        raise ValueError(
            f"holds a damaged {label}, or one without the name of its curve: copy it anew, or "
            "convert it (openssl pkey -in KEY -out NEW -ec_param_enc named_curve)"
        ) from None


def private_key_info(algorithm, key):
    """A PrivateKeyInfo (RFC 5208) of an AlgorithmIdentifier and what that wants as a key (DER)."""
    return der.sequence(der.integer(0), algorithm, der.tlv(der.OCTETS, key))


def curve(key):
    """The name (DER) of the curve in an ECPrivateKey."""
    for tag, content, _ in der.elements(der.whole(key, der.SEQUENCE)):
        if tag == 0xA0:
            der.whole(content, der.OID)
            return content
    raise ValueError("no curve")


def certificates(content):
    """Every certificate in a secret (bytes), in its order and each once."""
    every = blocks(content)
    found = {}
    for number, (label, lines) in enumerate(every, 1):
        if label == "CERTIFICATE":
            try:
                encoded = decode(lines)
                found.setdefault(encoded, Certificate(encoded))
            except (ValueError, IndexError):
                raise ValueError(
                    f"holds a damaged CERTIFICATE, PEM block {number} of {len(every)}: copy it anew"
                ) from None
    if not found:
        raise ValueError(f"holds no certificate, only {labels(every)}: name the secret with it")
    return list(found.values())


def labels(every):
    """For a message: what the blocks of a secret are."""
    known = {label if label in LABELS else "something else" for label, _ in every}
    return ", ".join(sorted(known))


def chain(content, key):
    """The certificates in a secret (bytes): that of the Key, who issued it, and so on.

    Without a key (None), which is wrong elsewhere, they are looked at only one by one.
    """
    found = certificates(content)
    if key is None:
        return found
    own = [certificate for certificate in found if certificate.fits(key)]
    if not own:
        raise ValueError("is for another key: give the key and the certificate of one rotation")
    ordered = own[:1]
    rest = [certificate for certificate in found if certificate is not own[0]]
    while rest:
        issuers = [other for other in rest if other.subject == ordered[-1].issuer]
        if not issuers:
            raise ValueError(
                f"has {len(rest)} more than the chain of the key's certificate: leave in its "
                "issuers alone, and give other CAs as ca="
            )
        ordered.append(issuers[0])
        rest.remove(issuers[0])
    return ordered
