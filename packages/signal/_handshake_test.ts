import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Bytes, toHex } from "./_bytes.ts";
import {
  makeHello,
  makeWelcome,
  type OpenedHello,
  openHello,
  openWelcome,
} from "./_handshake.ts";
import { decodePacket, type Packet } from "./_packet.ts";
import { Session } from "./_sessions.ts";
import { createIdentity, type Identity } from "./identity.ts";

type Hello = Packet & { readonly kind: "hello" };
type Welcome = Packet & { readonly kind: "welcome" };

const epoch = (fill: number) => new Uint8Array(8).fill(fill);

async function readHello(
  identity: Identity,
  packet: Uint8Array,
): Promise<OpenedHello | undefined> {
  return await openHello(identity, decodePacket(packet) as Hello);
}

async function agree() {
  const [ann, bob] = await Promise.all([createIdentity(), createIdentity()]);
  const hello = await makeHello(ann, bob.id, epoch(1));
  const opened = (await readHello(bob, hello.packet))!;
  const welcome = await makeWelcome(bob, opened, epoch(2));
  const secrets = (await openWelcome(
    ann,
    hello,
    decodePacket(welcome.packet) as Welcome,
  ))!;
  return { ann, bob, hello, opened, welcome, secrets };
}

Deno.test("both ends of a handshake have the same keys, each in its direction", async () => {
  const { ann, bob, opened, welcome, secrets } = await agree();
  assertEquals(opened.peer, ann.id);
  assertEquals(secrets.peer, bob.id);
  assertEquals([secrets.peerEpoch, welcome.secrets.peerEpoch], [
    toHex(epoch(2)),
    toHex(epoch(1)),
  ]);
  const [atAnn, atBob] = [
    new Session(secrets, 0),
    new Session(welcome.secrets, 0),
  ];
  const content = Uint8Array.of(1, 2, 3);
  for (const [from, to] of [[atAnn, atBob], [atBob, atAnn]] as const) {
    for (const kind of ["data", "ack"] as const) {
      const packet = decodePacket(await from.seal(kind, 7, content, 0));
      assert(packet.kind === kind);
      assertEquals(packet.tag, toHex(to.secrets.in.tag));
      assert(await to.open(packet));
      // Not reflected, and not as the other kind.
      assertEquals(await from.open(packet), undefined);
      const other = kind === "data" ? "ack" : "data";
      assertEquals(await to.open({ ...packet, kind: other }), undefined);
      assertEquals(await to.open({ ...packet, sequence: 8 }), undefined);
    }
  }
  assertNotEquals(await atAnn.outTopic(0), await atBob.outTopic(0));
  await atBob.retopic(86_400_000);
  assert(atBob.inTopics.includes(await atAnn.outTopic(0)));
  assert(atBob.inTopics.includes(await atAnn.outTopic(2 * 86_400_000)));
  assert(!atBob.inTopics.includes(await atAnn.outTopic(3 * 86_400_000)));
});

Deno.test("every flipped bit of a hello and of a welcome is found", async () => {
  const { ann, bob, hello, welcome } = await agree();
  const flips = (packet: Bytes) =>
    Array.from({ length: packet.length * 8 }, (_, bit) => {
      const forged = packet.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      return forged;
    });
  let opened = 0;
  for (const forged of flips(hello.packet)) {
    // Not every part must be looked at by each of 1 232 flips.
    if (forged[0] !== 2 || forged[1] !== 1) continue;
    if (await readHello(bob, forged) !== undefined) opened++;
  }
  // The last bit of an X25519 key means nothing (RFC 7748), but is sealed too.
  assertEquals(opened, 0);
  for (const forged of flips(welcome.packet)) {
    if (forged[0] !== 2 || forged[1] !== 2) continue;
    const packet = decodePacket(forged) as Welcome;
    if (await openWelcome(ann, hello, packet) !== undefined) opened++;
  }
  assertEquals(opened, 0);
});

Deno.test("a hello is for one recipient, and a welcome for one hello", async () => {
  const { ann, bob, hello, opened, welcome } = await agree();
  const carol = await createIdentity();
  assertEquals(await readHello(carol, hello.packet), undefined);
  const again = await makeHello(ann, bob.id, epoch(1));
  const packet = decodePacket(welcome.packet) as Welcome;
  assertEquals(await openWelcome(ann, again, packet), undefined);
  // Somebody else's welcome to the same hello.
  const byCarol = await makeWelcome(carol, opened, epoch(3));
  assertEquals(
    await openWelcome(ann, hello, decodePacket(byCarol.packet) as Welcome),
    undefined,
  );
});

Deno.test("a recorded hello, answered after a restart, gives other keys", async () => {
  const { ann, bob, hello, secrets } = await agree();
  const later = (await readHello(bob, hello.packet))!;
  const second = await makeWelcome(bob, later, epoch(9));
  const recorded = new Session(secrets, 0);
  const restarted = new Session(second.secrets, 0);
  const packet = decodePacket(
    await recorded.seal("data", 1, Uint8Array.of(1), 0),
  );
  assert(packet.kind === "data");
  assertNotEquals(packet.tag, toHex(second.secrets.in.tag));
  assertEquals(await restarted.open(packet), undefined);
  assertEquals(later.peer, ann.id);
});

Deno.test("keys of low order are refused", async () => {
  const { ann, bob, hello, welcome } = await agree();
  for (const low of [new Uint8Array(32), Uint8Array.of(1, ...new Array(31))]) {
    const forgedHello = hello.packet.slice();
    forgedHello.set(low, 2);
    assertEquals(await readHello(bob, forgedHello), undefined);
    const forgedWelcome = welcome.packet.slice();
    forgedWelcome.set(low, 10);
    const packet = decodePacket(forgedWelcome) as Welcome;
    assertEquals(await openWelcome(ann, hello, packet), undefined);
  }
});
