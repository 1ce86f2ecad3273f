"""The bytes of docs/resume-protocol.md, in plain Python: records, frames, keys and proofs.

Written from the page alone, as resume_client.py, which uses it.
"""

import hashlib
import hmac
import json

NEW, RESUME, WELCOME, RESUMED, REFUSED, CONFIRM = range(1, 7)
DATA, ACK, FIN, PING, PONG, CLOSE, RESET, NOTICE = range(1, 9)
UNKNOWN, STALE, BUSY, VERSION, GONE, DENIED = range(1, 7)
PROVEN_REFUSALS = {STALE: b"server stale", GONE: b"server gone", DENIED: b"server denied"}
MAC = 32
OFFSET_MAX = 2**53 - 1


class Lost(Exception):
    """The session is over, and not as it should be."""


# Records and frames -----------------------------------------------------------

def number(value, size=8):
    return value.to_bytes(size, "big")


def at(data, start, size=8):
    """The number at a place."""
    return int.from_bytes(data[start:start + size], "big")


def record(kind, body, key=None, label=b"", before=b""):
    """A record; with a key it ends in a proof, over what was said before it too."""
    size = len(body) + (0 if key is None else MAC)
    made = b"HFR1" + bytes([kind]) + number(size, 2) + body
    return made if key is None else made + proof(key, label, before + made)


def new_record(nonce, public, limit, key_id):
    return record(NEW, bytes([1, 1]) + nonce + public + number(limit) +
                  bytes([len(key_id)]) + key_id)


def resume_record(keys, sid, epoch, nonce, mark, limit):
    body = bytes([1, 1]) + sid + number(epoch) + nonce + number(mark) + number(limit)
    return record(RESUME, body, keys.client, b"client resume")


def confirm_record(keys, said):
    return record(CONFIRM, proof(keys.client, b"client confirm", said))


def frame(kind, offset, payload=b""):
    return bytes([kind]) + number(len(payload), 3) + number(offset) + payload


# Keys -------------------------------------------------------------------------

def x25519(scalar, u):
    """RFC 7748, section 5: the Montgomery ladder on curve25519."""
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for bit in range(254, -1, -1):
        if swapped != k >> bit & 1:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = k >> bit & 1
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        x3, z3 = (da + cb)**2 % p, x1 * (da - cb)**2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 121665 * (aa - bb)) % p
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def public_key(private):
    return x25519(private, bytes([9]) + bytes(31))


def proof(key, label, said):
    return hmac.digest(key, label + said, "sha256")


def hkdf(secret, salt, info):
    """RFC 5869 with SHA-256: 64 bytes."""
    key = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(key, info + b"\x01", "sha256")
    return first + hmac.digest(key, first + info + b"\x02", "sha256")


class Keys:
    """A session's secret: the client's proof key, then the server's."""

    def __init__(self, secret):
        self.secret, self.client, self.server = secret, secret[:32], secret[32:]

    @staticmethod
    def agree(private, peer_public, preshared, said):
        shared = x25519(private, peer_public)
        if shared == bytes(32):
            raise Lost("the server sent a weak key")
        info = b"holdfast resume 1 keys" + hashlib.sha256(said).digest()
        return Keys(hkdf(shared, preshared or bytes(32), info))

    def next(self, resume_nonce, resumed_nonce):
        return Keys(hkdf(self.secret, resume_nonce + resumed_nonce, b"holdfast resume 1 next"))

    def proves(self, label, before, said):
        """Whether the server's proof at the end of a record is right."""
        return hmac.compare_digest(proof(self.server, label, before + said[:-MAC]), said[-MAC:])


# Test vectors -----------------------------------------------------------------

class Inputs:
    """A vector: its inputs by name, and what came of them by call."""

    def __init__(self, vector):
        self.vector, self.checked = vector, 0

    def __getattr__(self, name):
        value = self.vector[name]
        return bytes.fromhex(value) if isinstance(value, str) else value

    def __call__(self, name, made):
        if made.hex() != self.vector[name]:
            raise Lost(f"{self.vector['name']}: {name} is {made.hex()}")
        self.checked += 1


def check_opening(v):
    v("clientPublic", public_key(v.clientPrivate))
    v("serverPublic", public_key(v.serverPrivate))
    v("new", new_record(v.clientNonce, v.clientPublic, v.clientLimit, v.keyId))
    body = (bytes([1]) + v.sid + v.serverNonce + v.serverPublic + number(v.serverLimit) +
            number(v.ttlMs, 4))
    unproven = record(WELCOME, body, bytes(32))[:-MAC]
    keys = Keys.agree(v.clientPrivate, v.serverPublic, v.presharedKey, v.new + unproven)
    v("secret", keys.secret)
    v("welcome", record(WELCOME, body, keys.server, b"server welcome", v.new))
    v("confirm", confirm_record(keys, v.new + v.welcome))


def check_resumption(v):
    keys = Keys(v.secret)
    v("resume", resume_record(keys, v.sid, v.epoch, v.clientNonce, v.clientMark, v.clientLimit))
    body = (bytes([1]) + number(v.epoch) + v.serverNonce + number(v.serverMark) +
            number(v.serverLimit) + number(v.ttlMs, 4))
    v("resumed", record(RESUMED, body, keys.server, b"server resumed", v.resume))
    v("nextSecret", keys.next(v.clientNonce, v.serverNonce).secret)
    v("confirm", confirm_record(Keys(v.nextSecret), v.resume + v.resumed))


def check_refusal(v):
    body, label = bytes([v.code]) + number(v.value), PROVEN_REFUSALS.get(v.code)
    v("refused", record(REFUSED, body, Keys(v.secret).server, label, v.resume) if label
      else record(REFUSED, body + bytes(MAC)))


def check_vectors(path):
    checks = {"openings": check_opening, "resumptions": check_resumption,
              "refusals": check_refusal,
              "frames": lambda v: v("frame", frame(v.type, v.offset, v.payload))}
    checked = 0
    with open(path, encoding="utf-8") as file:
        for kind, vectors in json.load(file).items():
            for v in map(Inputs, vectors):
                checks[kind](v)
                checked += v.checked
    return {"ok": True, "checked": checked}
