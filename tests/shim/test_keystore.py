"""Keystores made by the shim, used by a JVM, keytool, OpenSSL and Python's cryptography."""

from __future__ import annotations

import json
import stat
import subprocess
from base64 import encodebytes
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from tests.campaigns.keystores import Samples, damages, stores, vectors
from tests.needs import need_program
from tests.shim.certificates import KEYS, Authority, digests, key, key_pem
from tests.shim.conftest import Shim
from tests.shim.jvm import Jvm, started

PASSWORD = "p@ss w/o \"quotes'\\$, {}=~!"
ROOT = Authority("Root")
ISSUER = Authority("Issuer", ROOT)
OTHER = Authority("Other", kind="Ed25519")
KEY = key("P-256")
CERTIFICATE = ISSUER.issue(KEY)
TYPES = ("p12", "jks")


@pytest.fixture(scope="module")
def jvm() -> Iterator[Jvm]:
    """One JVM for all tests of this file."""
    with started() as running:
        yield running


@pytest.fixture
def stocked(shim: Shim, secret) -> Shim:
    """A shim with the secrets of a server: web-key, web-cert (a chain), roots (two CAs), pw."""
    stock(shim)
    return shim


def stock(shim: Shim, **others: bytes) -> None:
    """Writes those secrets, or others in their place."""
    contents = {
        "web_key": key_pem(KEY),
        "web_cert": CERTIFICATE + ISSUER.pem,
        "roots": ROOT.pem + OTHER.pem,
        "pw": PASSWORD.encode() + b"\n",
    }
    for name, content in {**contents, **others}.items():
        (shim.mount / name.replace("_", "-")).write_bytes(content)


ALL = "key=web-key,cert=web-cert,ca=roots,password=pw"


def make(shim: Shim, path: Path, settings: str = ALL, *words: str) -> Path:
    """Makes one keystore and nothing else."""
    shim.output("--allow-disk", "--keystore", f"{path},{settings}", *words, "true")
    return path


def test_every_python_makes_the_same_files(every_shim: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """A JVM finds the key with its chain and each CA, the file is private, no variable is set."""
    stock(every_shim)
    ours = Shim(every_shim.mount)
    for kind in TYPES:
        path = make(every_shim, tmp_path / f"theirs.{kind}")
        # Of PKCS #12 Java makes the chain itself, as far as it finds an issuer.
        chain = CERTIFICATE + ISSUER.pem + (ROOT.pem if kind == "p12" else b"")
        assert jvm.entries(path, PASSWORD) == {
            "key": ("key", digests(chain)),
            "ca": ("trusted", digests(ROOT.pem)),
            "ca-2": ("trusted", digests(OTHER.pem)),
        }
        assert path.read_bytes() == make(ours, tmp_path / f"ours.{kind}").read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    words = ("--allow-disk", "--keystore", f"{path},{ALL}")
    assert every_shim.variables(*words) == {}


@pytest.mark.parametrize("kind", KEYS)
def test_a_jvm_signs_with_every_kind_of_key(
    shim: Shim, jvm: Jvm, tmp_path: Path, kind: str
) -> None:
    """RSA, EC and Ed25519 keys, in each of their PEM forms, in both types of keystore."""
    private = key(kind)
    forms = [PrivateFormat.PKCS8]
    if kind != "Ed25519":
        forms.append(PrivateFormat.TraditionalOpenSSL)
    settings = "key=web-key,cert=web-cert,password=pw"
    for form in forms:
        stock(shim, web_key=key_pem(private, form), web_cert=ROOT.issue(private))
        for suffix in TYPES:
            path = make(shim, tmp_path / f"k.{suffix}", settings)
            ((alias, (found, chain)),) = jvm.entries(path, PASSWORD).items()
            assert (alias, found, len(chain)) == ("key", "key", 1)
            assert jvm.refuses(path, PASSWORD + " ")


def test_a_jvm_does_tls(stocked: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """A server has the key, a client trusts the root: they talk, unless it trusts another CA."""
    stock(stocked, root=ROOT.pem, other=OTHER.pem, pw2=b"another")
    for kind in TYPES:
        server = make(stocked, tmp_path / f"server.{kind}", "key=web-key,cert=web-cert,password=pw")
        client = make(stocked, tmp_path / f"client.{kind}", "ca=root,password=pw2")
        stranger = make(stocked, tmp_path / f"stranger.{kind}", "ca=other,password=pw2")
        assert jvm.tls(server, PASSWORD, client, "another") == "hello over TLSv1.3"
        assert jvm.tls(server, PASSWORD, stranger, "another") == "error SSLHandshakeException"


def test_keytool_lists_both_types(stocked: Shim, tmp_path: Path) -> None:
    """Entries, aliases, the chain's length; a wrong password is refused."""
    keytool = need_program("keytool")
    for kind in TYPES:
        path = make(stocked, tmp_path / f"k.{kind}", ALL + ",alias=Tomcat")
        command = [keytool, "-J-Duser.language=en", "-list", "-v", "-keystore", path, "-storepass"]
        listed = subprocess.run([*command, PASSWORD], capture_output=True, check=True).stdout
        lines = [line.strip() for line in listed.decode().splitlines()]
        assert [
            line for line in lines if line.startswith(("Alias", "Entry", "Certificate ch"))
        ] == [
            "Alias name: ca",
            "Entry type: trustedCertEntry",
            "Alias name: ca-2",
            "Entry type: trustedCertEntry",
            "Alias name: tomcat",
            "Entry type: PrivateKeyEntry",
            f"Certificate chain length: {3 if kind == 'p12' else 2}",
        ]
        assert "Owner: CN=localhost" in lines
        assert subprocess.run([*command, "wrong-one"], capture_output=True, check=False).returncode


def test_openssl_reads_pkcs12(stocked: Shim, tmp_path: Path) -> None:
    """OpenSSL verifies the MAC and decrypts the very key, by algorithms of this decade."""
    openssl = need_program("openssl")
    path = make(stocked, tmp_path / "k.pfx")
    command = [openssl, "pkcs12", "-in", path, "-info", "-noenc", "-passin", "stdin"]
    done = subprocess.run(command, input=PASSWORD.encode(), capture_output=True, check=True)
    assert key_pem(KEY) in done.stdout
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 4
    said = done.stderr.decode()
    assert "MAC: sha256, Iteration 10000" in said
    assert "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256" in said
    refused = subprocess.run(command, input=b"wrong", capture_output=True, check=False)
    assert (refused.returncode != 0, refused.stdout) == (True, b"")


@pytest.mark.parametrize("alias", ["k", "Straße 7", "κλειδί", "ключ", "鍵", "x" * 255])
def test_aliases_are_any_text(stocked: Shim, jvm: Jvm, tmp_path: Path, alias: str) -> None:
    """An alias beyond ASCII arrives; Java knows aliases in lower case."""
    settings = f"key=web-key,cert=web-cert,password=pw,alias={alias}"
    for kind in TYPES:
        path = make(stocked, tmp_path / f"k.{kind}", settings)
        assert list(jvm.entries(path, PASSWORD)) == [alias.lower()]
    made = load_pkcs12((tmp_path / "k.p12").read_bytes(), PASSWORD.encode())
    assert made.cert and made.cert.friendly_name == alias.encode()


def test_pem_as_people_have_it(stocked: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """Text around blocks, CRLF, key and chain in one secret, in any order, CAs twice."""
    text = b"subject=CN = localhost\n"
    together = text + ROOT.pem + b"\n\n" + ISSUER.pem + key_pem(KEY) + text + CERTIFICATE
    stock(stocked, web=together.replace(b"\n", b"\r\n"), roots=ROOT.pem + text + ROOT.pem)
    path = make(stocked, tmp_path / "k.jks", "key=web,cert=web,ca=roots,password=pw")
    assert jvm.entries(path, PASSWORD) == {
        "key": ("key", digests(CERTIFICATE + ISSUER.pem + ROOT.pem)),
        "ca": ("trusted", digests(ROOT.pem)),
    }


def test_a_key_that_carries_its_public_half(stocked: Shim, tmp_path: Path) -> None:
    """PKCS #8 of version 2 (RFC 5958), which Java 11 does not read, gives the file of version 1."""
    private = key("Ed25519")
    first = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    second = b"\x30\x51\x02\x01\x01" + first[5:] + b"\x81\x21\x00" + public
    pem = b"-----BEGIN PRIVATE KEY-----\n%s-----END PRIVATE KEY-----\n" % encodebytes(second)
    certificate = ROOT.issue(private)
    made = []
    for web_key in (key_pem(private), pem):
        stock(stocked, web_key=web_key, web_cert=certificate)
        made.append(make(stocked, tmp_path / "k.p12").read_bytes())
    assert made[0] == made[1]


def test_equal_inputs_make_equal_files(stocked: Shim, tmp_path: Path) -> None:
    """Only then: another key, chain, CA, alias or password makes another file."""
    another = key("P-256", 1)
    renewed = ISSUER.issue(KEY)
    for kind in TYPES:
        path = tmp_path / f"k.{kind}"
        first = make(stocked, path).read_bytes()
        assert make(stocked, path).read_bytes() == first
        files = {first, make(stocked, path, ALL + ",alias=x").read_bytes()}
        for other in (
            {"pw": b"x"},
            {"roots": ROOT.pem},
            {"web_cert": renewed},
            {"web_key": key_pem(another), "web_cert": ISSUER.issue(another)},
        ):
            stock(stocked, **other)
            files.add(make(stocked, path).read_bytes())
        assert len(files) == 6
        stock(stocked)


BODY = b"".join(key_pem(KEY).splitlines()[1:-1])
SECRET = BestAvailableEncryption(b"x")
WRONG = {
    "swapped": (
        {"web_key": CERTIFICATE, "web_cert": key_pem(KEY)},
        ["secret web-key holds no private key, only CERTIFICATE", "web-cert holds no certificate"],
    ),
    "two keys": ({"web_key": key_pem(KEY) * 2}, ["secret web-key holds 2 private keys"]),
    "encrypted": (
        {"web_key": key_pem(KEY, encryption=SECRET)}, ["secret web-key is encrypted: give it"],
    ),
    "encrypted of old": (
        {"web_key": key_pem(KEY, PrivateFormat.TraditionalOpenSSL, SECRET)},
        ["secret web-key is encrypted: give it"],
    ),
    "of OpenSSH": (
        {"web_key": key_pem(KEY, PrivateFormat.OpenSSH)}, ["not read, OPENSSH PRIVATE KEY"],
    ),
    "a label like a value": (
        {"web_key": b"-----BEGIN %s PRIVATE KEY-----\n-----END %s PRIVATE KEY-----" % (BODY, BODY)},
        ["web-key holds a form of key that is not read, something else"],
    ),
    "no PEM": ({"web_key": BODY}, ["secret web-key holds no PEM"]),
    "in one line": (
        {"web_key": key_pem(KEY).replace(b"\n", b"\\n")}, ["that is not in lines of its own"],
    ),
    "cut off": ({"web_key": key_pem(KEY)[:-10]}, ["has a PEM block that does not end"]),
    "cut inside": (
        {"web_key": b"".join(key_pem(KEY).splitlines(keepends=True)[::2])},
        ["secret web-key holds a damaged PRIVATE KEY"],
    ),
    "no base64": (
        {"web_cert": CERTIFICATE + ISSUER.pem.replace(b"\nM", b"\n!", 1)},
        ["secret web-cert holds a damaged CERTIFICATE, PEM block 2 of 2"],
    ),
    "another thing": (
        {"roots": key_pem(KEY).replace(b"PRIVATE KEY", b"CERTIFICATE")},
        ["secret roots holds a damaged CERTIFICATE, PEM block 1 of 1"],
    ),
    "another key": (
        {"web_key": key_pem(key("P-256", 1))}, ["secret web-cert is for another key"],
    ),
    "another RSA key": (
        {"web_key": key_pem(key("RSA 2048", 1)), "web_cert": ISSUER.issue(key("RSA 2048"))},
        ["secret web-cert is for another key"],
    ),
    "another curve": (
        {"web_key": key_pem(key("P-384"))}, ["secret web-cert is for another key"],
    ),
    "another algorithm": (
        {"web_key": key_pem(key("Ed25519"))}, ["secret web-cert is for another key"],
    ),
    "more than the chain": (
        {"web_cert": CERTIFICATE + ROOT.pem}, ["secret web-cert has 1 more than the chain"],
    ),
    "a password beyond ASCII": ({"pw": "pässword".encode()}, ["secret pw cannot be the password"]),
    "an empty password": ({"pw": b"\n"}, ["secret pw is empty"]),
    "everything": (
        {"web_key": BODY, "web_cert": BODY, "roots": BODY, "pw": b"\xff"},
        ["secret pw cannot", "secret web-key holds no", "secret web-cert h", "secret roots holds"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(shim: Shim, tmp_path: Path, case: str) -> None:
    """Every problem names keystore, secret and remedy; nothing is written, no content is shown."""
    contents, expected = WRONG[case]
    stock(shim, **contents)
    path = tmp_path / "k.p12"
    problems = shim.problems("--allow-disk", "--keystore", f"{path},{ALL}", "true")
    assert len(problems) == len(expected)
    for problem, part in zip(problems, expected, strict=True):
        assert part in problem
        assert ": " in problem.partition(part)[2] or ": " in part
        assert problem.startswith((f"keystore {path}: secret ", "secret pw is empty: "))
        assert not any(
            line.decode() in problem for line in (BODY, *key_pem(KEY).splitlines()[1:-1])
        )
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ("k,ca=roots,password=pw", "of which type? Say type=pkcs12 or type=jks"),
        ("k.p12,ca=roots,password=pw,type=jceks", "of which type? Say type=pkcs12 or type=jks"),
        ("k.p12,ca=roots", "it needs a password: name its secret with password="),
        ("k.p12,password=pw", "it would hold nothing: give"),
        ("k.p12,key=web-key,ca=roots,password=pw", "key= and cert= go together"),
        ("k.p12,cert=web-cert,ca=roots,password=pw", "key= and cert= go together"),
        (f"k.p12,{ALL},alias=CA-2", "alias= is that of a CA in it"),
        (f"k.p12,{ALL},alias=" + "x" * 256, "alias= must be printable text"),
        (f"k.p12,{ALL},alias=a\tb", "alias= must be printable text"),
        (f"k.p12,{ALL},alias=😀", "alias= must be printable text"),
    ],
)
def test_what_is_asked_wrongly_is_said(stocked: Shim, settings: str, part: str) -> None:
    """Settings that make no keystore."""
    (problem,) = stocked.problems("--keystore", f"/dev/shm/{settings}", "true")
    assert problem.startswith("keystore /dev/shm/k")
    assert part in problem


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2,ca=roots",
        "/dev/shm/a:b.p12,password=hunter2,ca=roots",
        "/dev/shm/k.p12,ca=roots,password=h,hunter2",
        "/dev/shm/k.p12,ca=roots,password=hunter2/",
        "/dev/shm/k.p12,ca=roots,password=hunter2 with more than a name has",
    ],
)
def test_a_password_in_place_of_a_name_is_not_shown(stocked: Shim, text: str) -> None:
    """Whoever writes the password itself into the option does not find it in the log."""
    assert "hunter2" not in "".join(stocked.problems("--keystore", text, "true"))


def test_optional_secrets_may_be_missing(stocked: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """What is optional and missing is left out; a keystore of nothing is refused."""
    (stocked.mount / "roots").unlink()
    path = make(stocked, tmp_path / "k.p12", ALL, "--optional", "roots")
    assert list(jvm.entries(path, PASSWORD)) == ["key"]
    stock(stocked, web_key=b"\n", web_cert=b"")
    both = ("--optional", "web-key", "--optional", "web-cert")
    path = make(stocked, tmp_path / "trust.p12", ALL + ",alias=Corp", *both)
    assert list(jvm.entries(path, PASSWORD)) == ["corp", "corp-2"]
    (problem,) = stocked.problems(
        "--keystore", "/dev/shm/k.p12,ca=roots,password=pw,key=web-key,cert=web-cert",
        *both, "--optional", "roots", "--secrets-dir", str(stocked.mount), "true",
        preexec_fn=(stocked.mount / "roots").unlink,
    )  # fmt: skip
    assert "it would hold nothing" in problem


def test_a_reference_names_a_part_of_a_secret(stocked: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """Key, certificate and password may come out of one JSON secret."""
    bundle = {"key": key_pem(KEY).decode(), "chain": CERTIFICATE.decode(), "password": PASSWORD}
    stock(stocked, web=json.dumps(bundle).encode())
    settings = "key=web#/key,cert=web#/chain,password=web#/password"
    path = make(stocked, tmp_path / "k.p12", settings)
    assert jvm.entries(path, PASSWORD) == {"key": ("key", digests(CERTIFICATE))}


def test_config_file_and_variable(stocked: Shim, jvm: Jvm, tmp_path: Path) -> None:
    """The same keys in the config file, the same text in SECRETKIT_KEYSTORE."""
    config = tmp_path / "entrypoint.json"
    entry = {"destination": str(tmp_path / "a,b"), "type": "jks", "ca": "roots", "password": "pw"}
    config.write_text(json.dumps({"keystore": [entry], "allow_disk": True}))
    env = {b"SECRETKIT_KEYSTORE": f"{tmp_path}/k.p12,mode=0440,{ALL}".encode()}
    stocked.output("--config", str(config), "true", env=env)
    assert list(jvm.entries((tmp_path / "a,b").rename(tmp_path / "t.jks"), PASSWORD)) == [
        "ca", "ca-2",
    ]  # fmt: skip
    assert stat.S_IMODE((tmp_path / "k.p12").stat().st_mode) == 0o440


def test_explain_and_check_write_nothing(stocked: Shim) -> None:
    """--explain has a row for each secret, --check finds what is wrong."""
    words = ("--keystore", f"/dev/shm/k.p12,{ALL},type=jks")
    lines = [
        line.split(maxsplit=3) for line in stocked.output("--explain", *words).decode().splitlines()
    ]
    folder = stocked.mount
    assert lines == [
        ["DESTINATION", "SECRET", "FILE", "RULE"],
        ["/dev/shm/k.p12", "--keystore,", "mode", "0400, type jks"],
        ["/dev/shm/k.p12", "web-key", f"{folder}/web-key", "key="],
        ["/dev/shm/k.p12", "web-cert", f"{folder}/web-cert", "cert="],
        ["/dev/shm/k.p12", "roots", f"{folder}/roots", "ca="],
        ["/dev/shm/k.p12", "pw", f"{folder}/pw", "password="],
    ]
    stock(stocked, web_key=b"nonsense")
    done = stocked.run("--check", *words)
    assert (done.returncode, b"secret web-key holds no PEM" in done.stderr) == (125, True)
    assert not Path("/dev/shm/k.p12").exists()


def test_cryptography_reads_the_very_key(stocked: Shim, tmp_path: Path) -> None:
    """Python's cryptography gets key, certificate, chain and CAs as they were."""
    made = load_pkcs12(make(stocked, tmp_path / "k.p12").read_bytes(), PASSWORD.encode())
    assert key_pem(made.key) == key_pem(KEY)
    found = [made.cert, *made.additional_certs]
    assert [each.friendly_name for each in found] == [b"key", None, b"ca", b"ca-2"]
    encoded = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in found)
    assert encoded == CERTIFICATE + ISSUER.pem + ROOT.pem + OTHER.pem


def test_random_keystores_and_damaged_secrets(jvm: Jvm, tmp_path: Path) -> None:
    """A small run of `python -m tests.campaigns keystores`."""
    samples = Samples(Random(4))
    assert list(stores(samples, 5, jvm, tmp_path)) == []
    assert list(damages(samples, 300)) == []
    assert list(vectors(samples.random, 300)) == []
