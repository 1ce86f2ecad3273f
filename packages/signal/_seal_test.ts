import { assertEquals, assertNotEquals } from "@std/assert";
import { decodeFrame, type FrameHeader } from "./_frame.ts";
import {
  agree,
  deriveKey,
  inboxTopic,
  type KeyUse,
  open,
  seal,
} from "./_seal.ts";
import { createIdentity, importIdentity } from "./identity.ts";

Deno.test("only the two ends of a key can open, in one direction", async () => {
  const [ann, bob, eve] = await Promise.all([
    createIdentity(),
    createIdentity(),
    createIdentity(),
  ]);
  const epoch = "0123456789abcdef";
  const use: KeyUse = {
    kind: "data",
    sender: ann.id,
    recipient: bob.id,
    epoch,
  };
  const header: FrameHeader = {
    kind: "data",
    sender: ann.id,
    epoch,
    sequence: 7,
  };
  const content = Uint8Array.of(1, 2, 3);
  const bytes = await seal(
    await deriveKey(await agree(ann, bob.id), use),
    header,
    content,
  );
  const frame = decodeFrame(bytes);
  const atBob = await agree(bob, ann.id);
  assertEquals(await open(await deriveKey(atBob, use), frame), content);

  const others: KeyUse[] = [
    { ...use, kind: "ack" },
    { ...use, sender: bob.id, recipient: ann.id },
    { ...use, epoch: "0123456789abcdee" },
  ];
  for (const other of others) {
    assertEquals(await open(await deriveKey(atBob, other), frame), undefined);
  }
  const atEve = await deriveKey(await agree(eve, ann.id), use);
  assertEquals(await open(atEve, frame), undefined);
});

Deno.test("every flipped bit of a frame is found", async () => {
  const [ann, bob] = await Promise.all([createIdentity(), createIdentity()]);
  const epoch = "0123456789abcdef";
  const shared = await agree(ann, bob.id);
  const key = await deriveKey(shared, {
    kind: "data",
    sender: ann.id,
    recipient: bob.id,
    epoch,
  });
  const bytes = await seal(
    key,
    { kind: "data", sender: ann.id, epoch, sequence: 1 },
    Uint8Array.of(42),
  );
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const forged = bytes.slice();
    forged[bit >> 3]! ^= 1 << (bit & 7);
    let opened: unknown;
    try {
      opened = await open(key, decodeFrame(forged));
    } catch {
      continue; // No frame any more: version, kind or number.
    }
    assertEquals(opened, undefined, `bit ${bit}`);
  }
});

Deno.test("the topic of a peer is a hash of its id, as Python computes it", async () => {
  const { id } = await importIdentity(
    Uint8Array.from({ length: 32 }, (_, index) => index),
  );
  assertEquals(await inboxTopic(id), "holdfast/1/hbUofz7DWMrw653F95I14Q");
  assertNotEquals(
    await inboxTopic((await createIdentity()).id),
    "holdfast/1/hbUofz7DWMrw653F95I14Q",
  );
});
