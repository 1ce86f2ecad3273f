import { assert, assertEquals } from "@std/assert";
import { type Bytes, fromBase64Url, toHex } from "./_bytes.ts";
import {
  makeHello,
  makeWelcome,
  openHello,
  openWelcome,
} from "./_handshake.ts";
import type { EphemeralPair } from "./_keys.ts";
import { decodePacket, type Packet } from "./_packet.ts";
import { Session } from "./_sessions.ts";
import { inboxTopic, pairTopic } from "./_topics.ts";
import { ReplayWindow } from "./_window.ts";
import { importIdentity, publicKeyOf } from "./identity.ts";
import { compute, type Inputs } from "./testdata/plain_protocol.ts";

interface Vector {
  readonly inputs: Inputs;
  readonly outputs: Readonly<Record<string, string>>;
}

const { vectors } = JSON.parse(
  await Deno.readTextFile(
    new URL("./testdata/vectors.json", import.meta.url),
  ),
) as { readonly vectors: readonly Vector[] };

const hex = (text: string): Bytes =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** The pair of a given private key, as no program would make one. */
async function pairOf(privateKey: Bytes): Promise<EphemeralPair> {
  const head = hex("302e020100300506032b656e04220420");
  const key = await crypto.subtle.importKey(
    "pkcs8",
    Uint8Array.of(...head, ...privateKey),
    "X25519",
    true,
    ["deriveBits"],
  );
  const { x } = await crypto.subtle.exportKey("jwk", key);
  return { privateKey: key, publicKey: fromBase64Url(x!)! };
}

Deno.test("the vectors are what the document says, computed by another library", () => {
  assertEquals(vectors.length, 3);
  for (const { inputs, outputs } of vectors) {
    assertEquals(compute(inputs), outputs);
  }
});

Deno.test("the vectors are what this package does", async () => {
  for (const { inputs, outputs } of vectors) {
    const ann = await importIdentity(hex(inputs.annSeed));
    const bob = await importIdentity(hex(inputs.bobSeed));
    assertEquals([ann.id, bob.id], [outputs.annId, outputs.bobId]);
    assertEquals(toHex(publicKeyOf(ann.id)), outputs.annX25519);
    const hello = await makeHello(
      ann,
      bob.id,
      hex(inputs.annEpoch),
      pairOf(hex(inputs.annEphemeral)),
    );
    assertEquals(toHex(hello.packet), outputs.hello);
    const opened = await openHello(
      bob,
      decodePacket(hello.packet) as Packet & { kind: "hello" },
    );
    const welcome = await makeWelcome(
      bob,
      opened!,
      hex(inputs.bobEpoch),
      pairOf(hex(inputs.bobEphemeral)),
    );
    assertEquals(toHex(welcome.packet), outputs.welcome);
    const secrets = await openWelcome(
      ann,
      hello,
      decodePacket(welcome.packet) as Packet & { kind: "welcome" },
    );
    const [atAnn, atBob] = [secrets!, welcome.secrets].map((each) =>
      new Session(each, 0)
    );
    const content = Uint8Array.of(1, ...new TextEncoder().encode("hello"));
    assertEquals(toHex(await atAnn!.seal("data", 1, content, 0)), outputs.data);
    const window = new ReplayWindow();
    window.mark(1);
    atBob!.listensAt = 0;
    assertEquals(
      toHex(await atBob!.seal("ack", 1, window.toBytes(), 0)),
      outputs.ack,
    );
    assertEquals(await inboxTopic(bob.id, 20_000), outputs.bobInboxDay20000);
    assertEquals(
      await pairTopic(secrets!.out.topic, 20_000),
      outputs.annToBobDay20000,
    );
    assert(atBob!.secrets.peer === ann.id);
  }
});
