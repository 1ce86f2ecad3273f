import { assert, assertEquals, assertThrows } from "@std/assert";
import { StreamCore } from "./_stream_core.ts";
import { FRAME, ProtocolViolation, putHeader, putU64 } from "./_wire.ts";

const OPTIONS = { sendMax: 1000, window: 100, heartbeatMs: 2_000 };
const FRESH = { received: 0, limit: 100 };

function attached(now = 0): StreamCore {
  const core = new StreamCore(OPTIONS);
  core.attach(FRESH, core.position, now);
  return core;
}

function frame(
  type: number,
  offset: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(12 + payload.length);
  putHeader(out, 0, type, payload.length, offset);
  out.set(payload, 12);
  return out;
}

function feed(core: StreamCore, bytes: Uint8Array<ArrayBuffer>, now = 0): void {
  core.receive({ bytes, references: 0 }, bytes.length, now);
}

function ack(mark: number, limit: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(8);
  putU64(payload, 0, limit);
  return frame(FRAME.ack, mark, payload);
}

/** The types and offsets of the frames that it wants to send. */
function said(core: StreamCore, now: number): [number, number][] {
  const frames: [number, number][] = [];
  for (let bytes; (bytes = core.output(now)) !== undefined;) {
    for (let i = 0; i < bytes.length;) {
      const length = (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) |
        bytes[i + 3]!;
      frames.push([bytes[i]!, bytes[i + 11]! | (bytes[i + 10]! << 8)]);
      i += 12 + length;
    }
  }
  return frames;
}

Deno.test("bytes that came before are skipped, in part or whole (I2)", () => {
  const core = attached();
  feed(core, frame(FRAME.data, 0, Uint8Array.of(1, 2, 3)));
  feed(core, frame(FRAME.data, 1, Uint8Array.of(2, 3, 4)));
  feed(core, frame(FRAME.data, 0, Uint8Array.of(1)));
  const into = new Uint8Array(9);
  assertEquals(core.read(into), 4);
  assertEquals([...into.subarray(0, 4)], [1, 2, 3, 4]);
});

Deno.test("what no sane peer sends ends the session, with a reason (I11, I20)", () => {
  const cases: [string, Uint8Array<ArrayBuffer>][] = [
    ["gap after 0", frame(FRAME.data, 1, Uint8Array.of(1))],
    ["beyond the limit 100", frame(FRAME.data, 0, new Uint8Array(101))],
    ["acknowledgement of 1 when 0", ack(1, 100)],
    ["end at 5 when 0 bytes", frame(FRAME.fin, 5)],
    ["short ACK", frame(FRAME.ack, 0)],
  ];
  for (const [message, bytes] of cases) {
    assertThrows(() => feed(attached(), bytes), ProtocolViolation, message);
  }
  const ended = attached();
  feed(ended, frame(FRAME.fin, 0));
  assertThrows(
    () => feed(ended, frame(FRAME.data, 0, Uint8Array.of(1))),
    ProtocolViolation,
    "data after the end",
  );
});

Deno.test("what came before a broken rule, in one piece with it, is still read", () => {
  const core = attached();
  const good = frame(FRAME.data, 0, Uint8Array.of(1, 2, 3));
  assertThrows(
    () => feed(core, Uint8Array.of(...good, ...frame(99, 0))),
    ProtocolViolation,
  );
  const into = new Uint8Array(9);
  assertEquals(core.read(into), 3);
  assertEquals([...into.subarray(0, 3)], [1, 2, 3]);
});

Deno.test("a peer that forgot acknowledged bytes gets a gap, and nothing is skipped in silence (I17)", () => {
  const core = attached();
  core.write(new Uint8Array(60));
  said(core, 0);
  feed(core, ack(50, 200));
  core.detach();
  // Less than it acknowledged: also said by one that made a new transport while
  // the old one went on, so it is no fault in itself.
  core.attach({ received: 40, limit: 200 }, core.position, 1);
  const replay = core.output(1)!;
  const forgetful = attached();
  feed(forgetful, frame(FRAME.data, 0, new Uint8Array(40)));
  assertThrows(
    () => feed(forgetful, replay),
    ProtocolViolation,
    "data at 50 leaves a gap after 40",
  );
});

Deno.test("the end of the stream is sent again after a cut, until it is acknowledged (I14)", () => {
  const core = attached();
  core.write(Uint8Array.of(1, 2));
  core.closeWrite();
  assertEquals(said(core, 0), [[FRAME.data, 0], [FRAME.fin, 2]]);
  core.detach();
  core.attach({ received: 2, limit: 100 }, core.position, 1);
  assertEquals(said(core, 1), [[FRAME.fin, 2]]);
  feed(core, ack(3, 100), 2);
  core.detach();
  core.attach({ received: 3, limit: 100 }, core.position, 3);
  assertEquals(said(core, 3), []);
});

Deno.test("an end of the stream that came is never taken for lost", () => {
  const core = attached();
  feed(core, frame(FRAME.data, 0, Uint8Array.of(7)));
  feed(core, frame(FRAME.fin, 1));
  assertEquals(core.position.received, 2);
  feed(core, frame(FRAME.fin, 1));
  assertEquals(core.read(new Uint8Array(5)), 1);
  assertEquals(core.read(new Uint8Array(5)), null);
});

Deno.test("small amounts are acknowledged after 25 ms, the end at once", () => {
  const core = attached();
  feed(core, frame(FRAME.data, 0, Uint8Array.of(1)), 100);
  assertEquals(said(core, 124), []);
  assertEquals(core.wakeAt(), 125);
  assertEquals(said(core, 125), [[FRAME.ack, 1]]);
  feed(core, frame(FRAME.fin, 1), 130);
  assertEquals(said(core, 130), [[FRAME.ack, 2]]);
});

Deno.test("silence brings a ping, and then the verdict; a byte takes it back", () => {
  const core = attached(1_000);
  assertEquals(core.wakeAt(), 3_000);
  assertEquals(said(core, 3_000), [[FRAME.ping, 0]]);
  assertEquals(core.wakeAt(), 7_000);
  assertEquals(core.dead(6_999), false);
  assertEquals(core.dead(7_000), true);
  feed(core, frame(FRAME.pong, 0), 6_000);
  assertEquals(core.dead(7_000), false);
  feed(core, frame(FRAME.ping, 9), 6_001);
  assertEquals(said(core, 6_001), [[FRAME.pong, 9]]);
});

Deno.test("a process that slept gives its peer another chance", () => {
  const core = attached(0);
  core.wakeAt(); // asked to be woken at 2000
  assertEquals(core.dead(60_000), false);
  assertEquals(said(core, 60_000), [[FRAME.ping, 0]]);
  core.wakeAt();
  assertEquals(core.dead(64_000), true);
});

Deno.test("an answer that a sleep delayed says nothing of round trips (I25)", () => {
  const core = attached(0);
  assertEquals(said(core, 2_000), [[FRAME.ping, 0]]);
  core.wakeAt();
  const morning = 8 * 3_600_000;
  assertEquals(core.dead(morning), false);
  feed(core, frame(FRAME.pong, 0), morning);
  assertEquals(said(core, morning + 2_000), [[FRAME.ping, 0]]);
  assertEquals(core.wakeAt(), morning + 6_000);
  assertEquals(core.dead(morning + 6_000), true);
});

Deno.test("every PING that came with others is answered, and a flood of them costs nothing", () => {
  const core = attached();
  const ping = (id: number) => frame(FRAME.ping, id);
  feed(core, Uint8Array.of(...ping(2), ...ping(0), ...ping(2)));
  assertEquals(said(core, 0), [[FRAME.pong, 2], [FRAME.pong, 0]]);
  for (let id = 0; id < 1_000; id++) feed(core, ping(id));
  core.closeWrite();
  core.close();
  const frames = said(core, 5_000);
  assertEquals(
    frames.filter(([type]) => type === FRAME.pong).map(([, id]) => id),
    [996, 997, 998, 999],
  );
  assertEquals(said(core, 5_000), []);
});

Deno.test("a path with long round trips gets more time, a sample at a time", () => {
  const core = attached(0);
  said(core, 2_000);
  feed(core, frame(FRAME.pong, 0), 5_000);
  said(core, 7_000);
  core.wakeAt();
  // A heartbeat and four round trips of three seconds.
  assertEquals(core.dead(5_000 + 13_999), false);
  assertEquals(core.dead(5_000 + 14_000), true);
});

Deno.test("a new transport begins with a fresh clock: an old PONG says nothing (I25)", () => {
  const core = attached(0);
  said(core, 2_000);
  core.detach();
  core.attach(FRESH, core.position, 9_000);
  assertEquals(core.dead(9_001), false);
  assertEquals(core.wakeAt(), 11_000);
});

Deno.test("credit stops data inside a frame, and never control frames", () => {
  const core = attached();
  core.write(new Uint8Array(150));
  const first = core.output(0)!;
  assertEquals(first.length, 12 + 100);
  feed(core, frame(FRAME.ping, 1), 0);
  assertEquals(said(core, 0), [[FRAME.pong, 1]]);
  feed(core, ack(100, 160), 0);
  assertEquals(said(core, 0), [[FRAME.data, 100]]);
});

Deno.test("a lower limit or an older acknowledgement takes nothing back", () => {
  const core = attached();
  core.write(new Uint8Array(100));
  said(core, 0);
  feed(core, ack(60, 200));
  feed(core, ack(10, 100));
  assertEquals(core.acked, 60);
  core.write(new Uint8Array(100));
  assertEquals(core.output(0)!.length, 12 + 100);
});

Deno.test("offsets past 2^32 and near 2^53 behave (I23)", () => {
  for (const from of [2 ** 32 - 3, 2 ** 53 - 200]) {
    const state = {
      acked: from,
      sentMax: from,
      unacked: new Uint8Array(0),
      finQueued: false,
      received: from,
      unread: new Uint8Array(0),
      finReceived: false,
      peerClosed: false,
    };
    const [a, b] = [
      new StreamCore(OPTIONS, state),
      new StreamCore(OPTIONS, state),
    ];
    a.attach(b.position, a.position, 0);
    b.attach(a.position, b.position, 0);
    a.write(Uint8Array.of(1, 2, 3, 4, 5, 6));
    feed(b, a.output(0)!);
    const into = new Uint8Array(10);
    assertEquals(b.read(into), 6);
    assertEquals(b.position.received, from + 6);
    feed(a, b.output(100)!, 100);
    assertEquals(a.acked, from + 6);
  }
});

Deno.test("who closed needs the network until the peer has all; the peer until it heard so", () => {
  const [a, b] = [attached(), attached()];
  a.write(Uint8Array.of(1));
  a.close();
  assert(!a.done);
  for (let bytes; (bytes = a.output(0)) !== undefined;) feed(b, bytes);
  assert(!b.done);
  for (let bytes; (bytes = b.output(0)) !== undefined;) feed(a, bytes);
  assert(a.done && b.done);
  assert(b.broken);
  assertEquals(b.read(new Uint8Array(4)), 1);
  assertEquals(b.read(new Uint8Array(4)), null);
});
