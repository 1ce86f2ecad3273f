#!/usr/bin/env python3
"""The client's side of docs/resume-protocol.md, in plain Python.

What it proves: that the page is enough to implement the other side. It was
written from the page alone, uses the standard library only, and shares no line
with packages/resume. It opens a session, sends a file or a pattern while it
receives, comes back after every cut with RESUME, and prints one line of JSON.

With `--check-vectors FILE` it computes every vector of
packages/resume/testdata/vectors.json anew from its inputs instead.
"""

import argparse
import hashlib
import io
import json
import os
import select
import socket
import sys
import time
from collections import Counter

sys.dont_write_bytecode = True  # no __pycache__ in the checkout

from resume_wire import (
    ACK, BUSY, CLOSE, DATA, FIN, GONE, MAC, NOTICE, OFFSET_MAX, PING, PONG, PROVEN_REFUSALS,
    REFUSED, RESET, RESUMED, STALE, WELCOME, Keys, Lost, at, check_vectors, confirm_record, frame,
    new_record, number, public_key, resume_record)


class Cut(Exception):
    """The transport is over; the session is not."""


# The two streams, without sockets or clocks -----------------------------------

class Outgoing:
    """What this end writes: keeps each byte until the server has it."""

    def __init__(self, source, keep):
        self.source, self.keep, self.kept = source, keep, bytearray()
        self.acked = self.sent = self.sent_most = self.limit = self.replayed = 0
        self.ended = self.fin_sent = self.fin_acked = False
        self.hash = hashlib.sha256()

    @property
    def written(self):
        return self.acked + len(self.kept)

    def fill(self):
        while not self.ended and len(self.kept) < self.keep:
            more = self.source.read(min(65536, self.keep - len(self.kept)))
            self.ended = not more
            self.hash.update(more)
            self.kept += more

    def attach(self, mark, limit):
        """Goes on, on a new transport, from where the server is."""
        self.acknowledge(mark, limit)
        self.limit, self.sent, self.fin_sent = limit, self.acked, self.fin_acked

    def acknowledge(self, mark, limit):
        all_sent = self.ended and self.sent_most == self.written
        if mark > self.sent_most + all_sent:
            raise Lost(f"the server acknowledged {mark} of {self.sent_most}")
        self.fin_acked = self.fin_acked or mark > self.written
        fresh = min(mark, self.written) - self.acked
        if fresh > 0:
            del self.kept[:fresh]
            self.acked += fresh
        self.limit = max(self.limit, limit)

    def next_frame(self):
        """The next frame that may go now, or None."""
        self.fill()
        start, end = self.sent, min(self.sent + 65536, self.limit, self.written)
        if end > start:
            self.replayed += max(0, min(end, self.sent_most) - start)
            self.sent, self.sent_most = end, max(end, self.sent_most)
            return frame(DATA, start, bytes(self.kept[start - self.acked:end - self.acked]))
        if self.ended and self.sent == self.written and not self.fin_sent:
            self.fin_sent = True
            return frame(FIN, self.written)
        return None


class Incoming:
    """What this end reads: takes each byte once, in order."""

    def __init__(self, window):
        self.window, self.received, self.limit, self.mark_told = window, 0, 0, 0
        self.fin = self.closed = False
        self.hash = hashlib.sha256()

    @property
    def mark(self):
        return self.received + self.fin

    def tell(self):
        """The mark and the limit to tell now: all that came is read at once."""
        self.mark_told = self.mark
        self.limit = min(self.received + self.window, OFFSET_MAX)
        return self.mark, self.limit

    def data(self, offset, payload):
        end = offset + len(payload)
        if offset > self.received or end > self.limit or self.fin and end > self.received:
            raise Lost("the server sent DATA that it must not send")
        fresh = payload[self.received - offset:]
        self.hash.update(fresh)
        self.received += len(fresh)

    def finish(self, offset):
        if offset != self.received:
            raise Lost("the server sent FIN elsewhere than at the end")
        self.fin = True

    def ack_is_due(self):
        return self.fin and self.mark_told != self.mark or (
            self.received - self.mark_told >= max(1, min(262144, self.window // 4)))


class Transport:
    """A socket, and what waits before and after it."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.out, self.into = bytearray(), bytearray()
        self.heard = self.beaten = time.monotonic()
        self.ack_at = None

    def ask(self, request):
        """Sends a record and takes the answer."""
        self.socket.sendall(request)
        head = self.exactly(7)
        if head[:4] != b"HFR1" or at(head, 5, 2) > 512:
            raise Cut("the endpoint does not speak this protocol")
        return head[4], head + self.exactly(at(head, 5, 2))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise Cut("the server hung up in the handshake")
            data += more
        return data

    def frames(self):
        """The whole frames that came."""
        while len(self.into) >= 12:
            kind, size, offset = self.into[0], at(self.into, 1, 3), at(self.into, 4)
            if size > (65536 if kind == DATA else 256) or offset + size > OFFSET_MAX:
                raise Lost("the server sent a frame that is out of bounds")
            if len(self.into) < 12 + size:
                return
            payload = bytes(self.into[12:12 + size])
            del self.into[:12 + size]
            yield kind, offset, payload

    def hang_up(self):
        """Closes so that what was sent arrives: close() with bytes unread resets."""
        try:
            self.socket.settimeout(1)
            self.socket.sendall(self.out)
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.close()


# The session ------------------------------------------------------------------

class Session:
    """Opens, carries, and comes back until both directions are done."""

    def __init__(self, options):
        source = open(options.file, "rb") if options.file else io.BytesIO(
            hashlib.shake_128(options.seed.encode()).digest(options.send))
        self.address, self.heartbeat = (options.host, options.port), options.heartbeat_ms / 1000
        self.key_id, self.preshared = options.key_id.encode(), bytes.fromhex(options.key)
        self.mishaps = [name for name in options.mishaps.split(",") if name]
        self.out, self.into = Outgoing(source, options.buffer), Incoming(options.window)
        self.counts, self.refusals, self.notices = Counter(), [], []
        self.keys = self.sid = None
        self.epoch, self.ttl, self.round_trip, self.close_sent = 1, 0, 0, False

    def run(self):
        link = self.open(Transport(self.address))
        while link is not None:
            try:
                self.carry(link)
                return link.hang_up()
            except (OSError, Cut):
                self.counts["cuts"] += 1
                link.socket.close()
            except Lost:
                link.out += frame(RESET, 0, bytes([1]))
                link.hang_up()
                raise
            link = self.come_back()

    def open(self, link):
        """NEW, WELCOME, CONFIRM."""
        private = os.urandom(32)
        asked = new_record(os.urandom(16), public_key(private), self.into.tell()[1], self.key_id)
        kind, said = link.ask(asked)
        if kind == REFUSED:
            self.refusals.append(said[7])
            raise Lost(f"refused {said[7]}")
        if kind != WELCOME or len(said) != 7 + 77 + MAC or said[7] != 1:
            raise Lost("the server did not answer with WELCOME")
        keys = Keys.agree(private, said[40:72], self.preshared, asked + said[:-MAC])
        if not keys.proves(b"server welcome", asked, said):
            raise Lost("the server does not have the key")
        self.keys, self.sid, self.ttl = keys, said[8:24], at(said, 80, 4) / 1000
        self.out.attach(0, at(said, 72))
        link.out += confirm_record(keys, asked + said)
        return link

    def come_back(self):
        """Dials until a transport is attached; None when there is no need of one."""
        give_up, wait = time.monotonic() + self.ttl, 0.02
        while time.monotonic() < give_up:
            link = None
            try:
                link = Transport(self.address)
                pause = self.resume(link, self.mishaps.pop(0) if self.mishaps else "")
                if pause is None:
                    self.counts["resumes"] += 1
                    return link
            except (OSError, Cut):
                pause, wait = wait, min(wait * 2, 0.5)
            if link is not None:
                link.socket.close()
            if self.done():
                return None
            time.sleep(pause)
        raise Lost("no transport came back in time")

    def resume(self, link, mishap):
        """RESUME, RESUMED, CONFIRM. Gives how long to wait, or None when attached."""
        self.epoch += mishap != "stale"
        nonce, keys = os.urandom(16), self.keys
        asked = resume_record(keys, self.sid, self.epoch, nonce, *self.into.tell())
        kind, said = link.ask(asked)
        if mishap == "answer":
            raise Cut("as if RESUMED had been lost")
        if kind == REFUSED and len(said) == 7 + 9 + MAC:
            return self.refused(asked, said)
        if kind != RESUMED or len(said) != 7 + 45 + MAC or said[7] != 1:
            raise Cut("the server did not answer with RESUMED")
        if not keys.proves(b"server resumed", asked, said) or at(said, 8) != self.epoch:
            raise Cut("RESUMED without a proof")
        self.keys = keys.next(nonce, said[16:32])
        if mishap == "confirm":
            raise Cut("as if CONFIRM had been lost")
        self.out.attach(at(said, 32), at(said, 40))
        self.ttl, self.close_sent = at(said, 48, 4) / 1000, False
        link.out += confirm_record(self.keys, asked + said)
        return None

    def refused(self, asked, said):
        """What a refusal of RESUME asks for: gives how long to wait."""
        code, value, out = said[7], at(said, 8), self.out
        if code in PROVEN_REFUSALS and not self.keys.proves(PROVEN_REFUSALS[code], asked, said):
            raise Cut("a refusal without a proof")
        self.refusals.append(code)
        if code == STALE:
            self.epoch = max(self.epoch, value)
            return 0
        if code == BUSY:
            return value / 1000
        if code == GONE and self.into.fin and out.ended and value == out.written + 1:
            out.acknowledge(value, 0)
            self.close_sent = True
            return 0
        raise Lost(f"refused {code}")

    def done(self):
        """It closed and the peer has FIN or closed as well; or the peer did both, and knows
        that this end heard it."""
        out, into = self.out, self.into
        if into.fin and into.closed and into.mark_told == into.mark:
            if out.acked < out.written or not out.ended:
                raise Lost("the server closed before it had everything")
            return True
        return self.close_sent and (out.fin_acked or into.closed)

    def carry(self, link):
        """Moves frames until all is done; raises Cut or OSError when the transport breaks."""
        link.socket.setblocking(False)
        while not self.done() or link.out:
            now = time.monotonic()
            self.beat(link, now)
            self.put(link, now)
            wake = min(link.beaten + self.heartbeat, link.ack_at or now + 60)
            ready, room, _ = select.select([link.socket], [link.socket] if link.out else [], [],
                                           max(0, wake - now))
            if room:
                del link.out[:link.socket.send(link.out)]
            if ready:
                data = link.socket.recv(262144)
                if not data:
                    raise Cut("the transport ended")
                link.heard = link.beaten = time.monotonic()
                link.into += data
                for kind, offset, payload in link.frames():
                    self.take(link, kind, offset, payload)

    def beat(self, link, now):
        """PING after a heartbeat without a byte; after three, the transport is dead."""
        if now - link.heard >= max(3 * self.heartbeat, self.heartbeat + 4 * self.round_trip):
            self.counts["silences"] += 1
            raise Cut("silence")
        if now - link.beaten >= self.heartbeat:
            link.beaten = now
            self.counts["pings"] += 1
            link.out += frame(PING, int(now * 1e6))

    def put(self, link, now):
        """Queues what may go: acknowledgements always, data while there is room."""
        into = self.into
        if into.ack_is_due() or now >= (link.ack_at or now + 1):
            link.ack_at = None
            mark, limit = into.tell()
            link.out += frame(ACK, mark, number(limit))
        while len(link.out) < 131072 and (made := self.out.next_frame()) is not None:
            link.out += made
        if into.fin and self.out.fin_sent and not self.close_sent:
            self.close_sent = True
            link.out += frame(CLOSE, into.received)

    def take(self, link, kind, offset, payload):
        """One frame from the server."""
        if kind == DATA:
            self.into.data(offset, payload)
            link.ack_at = link.ack_at or time.monotonic() + 0.025
        elif kind == ACK and len(payload) == 8:
            self.out.acknowledge(offset, at(payload, 0))
        elif kind == FIN:
            self.into.finish(offset)
        elif kind == PING:
            link.out += frame(PONG, offset)
        elif kind == PONG:
            self.counts["pongs"] += 1
            trip = time.monotonic() - offset / 1e6
            self.round_trip += (trip - self.round_trip) / (8 if self.round_trip else 1)
        elif kind == CLOSE:
            self.into.closed = True
        elif kind == RESET:
            raise Lost(f"reset {payload[0] if payload else 3}")
        elif kind == NOTICE and payload:
            self.notices.append([payload[0], payload[1:].decode()])
        else:
            raise Lost(f"the server sent a frame of type {kind}")

    def report(self, error):
        counted = ("cuts", "resumes", "silences", "pings", "pongs")
        return {"ok": error is None, "error": error, "epoch": self.epoch,
                "sent": self.out.acked, "sentSha256": self.out.hash.hexdigest(),
                "received": self.into.received, "receivedSha256": self.into.hash.hexdigest(),
                "replayed": self.out.replayed, "refusals": self.refusals,
                "notices": self.notices, **{name: self.counts[name] for name in counted}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--check-vectors", metavar="FILE")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0)
    add("--file", help="what to send")
    add("--send", type=int, default=0, help="or so many bytes of SHAKE-128(seed)")
    add("--seed", default="client")
    add("--key-id", default="")
    add("--key", default="", help="the pre-shared key in hexadecimal")
    add("--window", type=int, default=262144, help="bytes that the server may be ahead")
    add("--buffer", type=int, default=262144, help="bytes kept for replay")
    add("--heartbeat-ms", type=int, default=2000)
    add("--mishaps", default="", help="of each RESUME in turn: stale, answer, confirm, fine")
    options = parser.parse_args()
    session, error = None, None
    try:
        if options.check_vectors:
            print(json.dumps(check_vectors(options.check_vectors)))
            return 0
        session = Session(options)
        session.run()
    except (Lost, Cut, OSError) as caught:
        error = str(caught) or type(caught).__name__
    print(json.dumps(session.report(error) if session else {"ok": False, "error": error}))
    return 0 if error is None else 1


if __name__ == "__main__":
    sys.exit(main())
