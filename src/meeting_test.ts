import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { candidatesOf } from "./_candidates.ts";
import { decodeAnswer, decodeQuestion, encodeMeeting } from "./_meeting.ts";
import { decodePeerState, encodePeerState } from "./_peer_state.ts";
import { Tickets } from "./_tickets.ts";
import { PeerError } from "./errors.ts";

const json = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value));
const here = { version: 1, type: "here" };

Deno.test("questions and answers read back as they were written", () => {
  assertEquals(decodeQuestion(encodeMeeting({ type: "meet" })), {
    type: "meet",
  });
  const answer = {
    type: "here" as const,
    candidates: [{ hostname: "192.0.2.1", port: 7 }, {
      hostname: "2001:db8::1",
      port: 65535,
    }],
    ticket: { id: "0a".repeat(16), key: "0b".repeat(32) },
  };
  assertEquals(decodeAnswer(encodeMeeting(answer)), answer);
  assertEquals(decodeAnswer(encodeMeeting({ type: "refused" })), {
    type: "refused",
  });
});

Deno.test("any other bytes are no question, and a typed error as an answer", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc.anything().map((value) => json({ ...here, candidates: value })),
  );
  fc.assert(fc.property(bytes, (input) => {
    const question = decodeQuestion(input);
    assert(question === undefined || ["meet", "where"].includes(question.type));
    try {
      const answer = decodeAnswer(input);
      if (answer.type !== "here") return;
      for (const { port } of answer.candidates) assert(port >= 1);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
  }));
});

Deno.test("addresses that a peer could not mean are refused", () => {
  const bad = [
    [{ hostname: "example.com", port: 80 }],
    [{ hostname: "127.0.0.1", port: 0 }],
    [{ hostname: "127.0.0.1", port: 1.5 }],
    [null],
    Array.from({ length: 17 }, () => ({ hostname: "::1", port: 1 })),
    "127.0.0.1:80",
  ];
  for (const candidates of bad) {
    assertThrows(
      () => decodeAnswer(json({ ...here, candidates })),
      PeerError,
      "Cannot understand the peer's answer",
    );
  }
  const ticket = { id: "short", key: "short" };
  assertThrows(
    () => decodeAnswer(json({ ...here, candidates: [], ticket })),
    PeerError,
    "its ticket is none",
  );
});

Deno.test("a ticket opens one session, for a minute, for the peer that got it", () => {
  const random = Uint8Array.from({ length: 48 }, (_, i) => i);
  const tickets = new Tickets();
  const { id } = tickets.issue("peer", random, 1_000);
  assertEquals(tickets.find(id, 60_999)?.peer, "peer");
  assertEquals(tickets.find(id, 61_000), undefined);
  assertEquals(tickets.redeem(id)?.peer, "peer");
  assertEquals(tickets.redeem(id), undefined);
  assertEquals(tickets.find(id, 1_000), undefined);
});

Deno.test("tickets are bounded in number and swept when they are over", () => {
  const tickets = new Tickets();
  let last = "";
  for (let i = 0; i < 5_000; i++) {
    const random = new Uint8Array(48);
    new DataView(random.buffer).setUint32(0, i);
    last = tickets.issue("peer", random, 0).id;
  }
  assertEquals(tickets.list(0).length, 4096);
  assert(tickets.find(last, 0) !== undefined);
  tickets.issue("other", crypto.getRandomValues(new Uint8Array(48)), 100_000);
  assertEquals(tickets.list(0).map(({ peer }) => peer), ["other"]);
});

Deno.test("a listener on all addresses is reached at those that hold beyond this machine", () => {
  const rows = [
    { address: "127.0.0.1", family: "IPv4" as const },
    { address: "192.0.2.5", family: "IPv4" as const },
    { address: "169.254.1.1", family: "IPv4" as const },
    { address: "::1", family: "IPv6" as const },
    { address: "fe80::1", family: "IPv6" as const },
    { address: "2001:db8::5", family: "IPv6" as const },
  ];
  const at = (hostname: string) => ({
    transport: "tcp" as const,
    hostname,
    port: 9,
  });
  const names = (hostname: string) =>
    candidatesOf(at(hostname), () => rows).map((one) => one.hostname);
  assertEquals(names("127.0.0.1"), ["127.0.0.1"]);
  assertEquals(names("0.0.0.0"), ["192.0.2.5"]);
  assertEquals(names("::"), ["192.0.2.5", "2001:db8::5"]);
  assertEquals(candidatesOf(undefined, () => rows), []);
});

Deno.test("a peer's state reads back; other bytes are a typed error", () => {
  const state = {
    tickets: [{ id: "a", key: "b", peer: "c", until: 5 }],
    peers: { k: "p" },
    sessions: Uint8Array.of(10, 10, 1, 2),
  };
  assertEquals(decodePeerState(encodePeerState(state)), state);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    assertThrows(() => decodePeerState(bytes), PeerError);
  }));
});
