import { assert, assertEquals, assertThrows } from "@std/assert";
import { createIdentity } from "@holdfast/signal";
import fc from "fast-check";
import { AskingRules } from "./_asking_rules.ts";
import {
  CALL_BYTES,
  encodeCall,
  isGenuine,
  readCall,
} from "./_calling_wire.ts";
import {
  afterMove,
  candidatesOf,
  inDialOrder,
  type InterfaceRow,
  placeText,
  sameCandidates,
} from "./_candidates.ts";
import { usableRows } from "./_home.ts";
import {
  type Candidate,
  checkName,
  decodeAnswer,
  decodeQuestion,
  encodeMeeting,
} from "./_meeting.ts";
import { decodePeerState, encodePeerState } from "./_peer_state.ts";
import { TICKET_TTL_MS, Tickets, USED_MAX } from "./_tickets.ts";
import { PeerError } from "./errors.ts";

const at = (hostname: string, port = 9): Candidate => ({ hostname, port });
const json = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value));

Deno.test("questions and answers read back as they were written", () => {
  const place = { at: 7, candidates: [at("192.0.2.1"), at("2001:db8::1")] };
  const back = { id: "ab".repeat(16), key: "cd".repeat(32) };
  for (
    const question of [
      { type: "meet", name: "chat", back, ...place },
      { type: "where", name: "", ...place },
      { type: "moved", ...place },
    ] as const
  ) assertEquals(decodeQuestion(encodeMeeting(question)), question);
  const ticket = { id: "ab".repeat(70), key: "cd".repeat(32) };
  for (
    const answer of [
      { type: "here", ...place },
      { type: "here", ...place, ticket },
      { type: "heard" },
      { type: "refused" },
      { type: "not-listening" },
    ] as const
  ) assertEquals(decodeAnswer(encodeMeeting(answer)), answer);
});

Deno.test("whatever bytes come, they are a question, an answer, or an error of its kind", () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc.record({
      version: fc.constantFrom(1, 2),
      type: fc.constantFrom("meet", "where", "moved", "here", "heard", "x"),
      at: fc.oneof(fc.integer(), fc.double(), fc.string()),
      name: fc.oneof(fc.string(), fc.integer()),
      candidates: fc.oneof(
        fc.array(fc.record({ hostname: fc.string(), port: fc.integer() })),
        fc.anything(),
      ),
      back: fc.anything(),
      ticket: fc.anything(),
    }, { requiredKeys: [] }).map((value) => {
      try {
        return json(value);
      } catch {
        return json(null);
      }
    }),
  );
  fc.assert(fc.property(message, (bytes) => {
    decodeQuestion(bytes);
    try {
      decodeAnswer(bytes);
    } catch (error) {
      assert(error instanceof PeerError && error.code === "peer/bad-answer");
    }
  }));
});

Deno.test("addresses that a peer could not mean, and other versions, are refused", () => {
  const here = { version: 2, type: "here", at: 1 };
  for (
    const candidates of [
      "x",
      [{ hostname: "a.example", port: 1 }],
      [{ hostname: "192.0.2.1", port: 0 }],
      [null],
      Array.from({ length: 17 }, () => at("192.0.2.1")),
    ]
  ) {
    assertThrows(() => decodeAnswer(json({ ...here, candidates })), PeerError);
  }
  const fine = { candidates: [at("192.0.2.1")] };
  decodeAnswer(json({ ...here, ...fine }));
  for (const wrong of [{ version: 1 }, { at: -1 }, { ticket: { id: "ab" } }]) {
    assertThrows(
      () => decodeAnswer(json({ ...here, ...fine, ...wrong })),
      PeerError,
    );
  }
  assertThrows(() => checkName("x".repeat(65)), TypeError, "at most 64 bytes");
});

Deno.test("a ticket names the peer and its stream to its issuer, in every process of it, and to nobody else", async () => {
  const [identity, other] = [await createIdentity(), await createIdentity()];
  const tickets = await Tickets.of(identity);
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const { id, key } = await tickets.issue(other.id, "chat", nonce, 1_000);
  const until = 1_000 + TICKET_TTL_MS;
  const again = await Tickets.of(identity);
  assertEquals(await again.read(id), { peer: other.id, name: "chat", until });
  assertEquals(await again.keyFor(id, until - 1), key);
  assertEquals(await again.keyFor(id, until), undefined);
  assertEquals(await (await Tickets.of(other)).read(id), undefined);
  const text = new TextDecoder("latin1").decode(id);
  assert(!text.includes("chat"), "an id travels in clear");
  for (let i = 0; i < id.length; i++) {
    const changed = id.slice();
    changed[i]! ^= 1;
    assertEquals(await again.read(changed), undefined);
  }
  assertEquals(await again.read(id.slice(0, 20)), undefined);
});

Deno.test("a ticket is used once, and used ones are bounded in number and time", async () => {
  const tickets = await Tickets.of(await createIdentity());
  const id = (i: number) => Uint8Array.of(i >> 8, i & 255);
  for (let i = 0; i < USED_MAX; i++) {
    assert(tickets.redeem(id(i), 1_000, 0));
  }
  assert(!tickets.redeem(id(0), 1_000, 0));
  assert(tickets.redeem(Uint8Array.of(1, 2, 3), 2_000, 999));
  assert(!tickets.used(id(0)), "the oldest is forgotten");
  assert(tickets.used(id(1)));
  assert(tickets.redeem(Uint8Array.of(1, 2, 4), 2_000, 1_000));
  assert(!tickets.used(id(1)), "those that are over are forgotten");
  assert(tickets.used(Uint8Array.of(1, 2, 3)));
});

Deno.test("a call proves its key, and no changed bit of it does", async () => {
  const back = { id: "ab".repeat(16), key: "cd".repeat(32) };
  const call = await encodeCall(back, 2 ** 45);
  assertEquals(call.length, CALL_BYTES);
  assertEquals(readCall(call), { id: back.id, number: 2 ** 45 });
  assert(await isGenuine(call, back.key));
  assert(!await isGenuine(call, "ce".repeat(32)));
  for (let i = 0; i < CALL_BYTES; i++) {
    const changed = call.slice();
    changed[i]! ^= 1;
    assert(!await isGenuine(changed, back.key), `byte ${i}`);
  }
});

const ROWS: InterfaceRow[] = [
  { address: "127.0.0.1", family: "IPv4", cidr: "127.0.0.1/8" },
  { address: "192.168.7.5", family: "IPv4", cidr: "192.168.7.5/24" },
  { address: "169.254.1.1", family: "IPv4", cidr: "169.254.1.1/16" },
  { address: "::1", family: "IPv6", cidr: "::1/128" },
  { address: "fe80::1", family: "IPv6", cidr: "fe80::1/64" },
  { address: "2001:db8::5", family: "IPv6", cidr: "2001:db8::5/64" },
];

Deno.test("a listener on all addresses is reached at those of its interfaces, loopback last", () => {
  const names = (hostname: string) =>
    candidatesOf({ transport: "tcp", hostname, port: 9 }, () => ROWS)
      .map((one) => one.hostname);
  assertEquals(names("127.0.0.1"), ["127.0.0.1"]);
  assertEquals(names("0.0.0.0"), ["192.168.7.5", "127.0.0.1"]);
  assertEquals(names("::"), [
    ...["192.168.7.5", "2001:db8::5", "127.0.0.1", "::1"],
  ]);
  assertEquals(candidatesOf(undefined, () => ROWS), []);
});

Deno.test("candidates are dialled by nearness, the families by turns, loopback on the same host only", () => {
  const order = (...hosts: string[]) =>
    inDialOrder(hosts.map((host) => at(host)), ROWS).map(placeText);
  assertEquals(
    order(
      ...["127.0.0.1", "10.1.1.1", "203.0.113.1", "2001:db8:1::1"],
      ...["192.168.7.9", "198.51.100.1"],
    ),
    [
      ...["192.168.7.9:9", "[2001:db8:1::1]:9", "203.0.113.1:9"],
      ...["198.51.100.1:9", "10.1.1.1:9"],
    ],
  );
  // One of them is an own address: it is this host, by whatever way.
  assertEquals(order("192.168.7.5", "127.0.0.1", "::1"), [
    ...["[::1]:9", "127.0.0.1:9", "192.168.7.5:9"],
  ]);
  assertEquals(order("127.0.0.1"), ["127.0.0.1:9"]);
});

Deno.test("no candidate is invented, and none but loopback is left out", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(fc.uniqueArray(address), (hosts) => {
    const all = hosts.map((host) => at(host));
    const ordered = inDialOrder(all, ROWS);
    assert(ordered.every((one) => all.includes(one)));
    const left = all.filter((one) => !ordered.includes(one));
    assert(
      left.every(({ hostname }) =>
        hostname.startsWith("127.") || hostname === "::1"
      ),
    );
    assert(sameCandidates(all, all.toReversed()));
  }));
});

Deno.test("others are told no address that cannot be used", () => {
  const address = (address: string, flags = {}) => ({
    ...{ address, family: "IPv4", prefix: 24, scope: "global" } as const,
    ...{ tentative: false, deprecated: false, temporary: false, ...flags },
  });
  const rows = usableRows({
    interfaces: [
      {
        ...{ name: "a", up: true, carrier: true },
        addresses: [
          address("192.0.2.1"),
          address("192.0.2.2", { tentative: true }),
          address("192.0.2.3", { deprecated: true }),
        ],
      },
      { name: "b", up: false, addresses: [address("192.0.2.4")] },
      {
        ...{ name: "c", up: true, carrier: false },
        addresses: [address("192.0.2.5")],
      },
    ],
  });
  assertEquals(rows.map(({ cidr }) => cidr), ["192.0.2.1/24"]);
});

Deno.test("a connection is left at once only when its address was one of the peer's and is no more", () => {
  const [a, b] = [[at("192.0.2.1")], [at("192.0.2.2")]];
  assertEquals(afterMove("192.0.2.1", a, b), "path-lost");
  assertEquals(afterMove("192.0.2.1", a, [...a, ...b]), "path-changed");
  assertEquals(afterMove("192.0.2.2", a, b), undefined, "it is there already");
  assertEquals(afterMove("198.51.100.7", a, b), "path-changed");
  assertEquals(afterMove(undefined, a, b), "path-changed");
});

Deno.test("one question is under way at a time, and each that was of no use makes the next wait longer", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
        minLength: 8,
        maxLength: 30,
      }),
      (chances) => {
        const rules = new AskingRules();
        let now = 0;
        let last = 0;
        for (const [i, chance] of chances.entries()) {
          while (!rules.ask(now)) now += 10;
          const wait = now - last;
          if (i > 0) {
            const limit = Math.min(30_000, 1_000 * 2 ** (i - 1));
            assert(wait >= limit / 2 && wait <= limit + 10, `${i}: ${wait}`);
          }
          assert(!rules.ask(now + 1e9), "one is under way");
          rules.answered(false, now, chance);
          last = now;
        }
        // A dozen tries a second ask a few times a minute.
        rules.reset();
        assert(rules.ask(now));
      },
    ),
  );
});

Deno.test("a peer's state reads back; other bytes are a typed error", () => {
  const sessions = Uint8Array.of(10, 10, 1, 2);
  assertEquals(decodePeerState(encodePeerState(sessions)), sessions);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    assertThrows(() => decodePeerState(bytes), PeerError);
  }));
});
