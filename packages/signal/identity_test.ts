import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { toBase64Url } from "./_bytes.ts";
import {
  createIdentity,
  exportIdentity,
  importIdentity,
  publicKeyOf,
} from "./identity.ts";

Deno.test("an identity shows its id, and its secret nowhere", async () => {
  const identity = await createIdentity();
  const secret = exportIdentity(identity).slice("holdfast-secret-1:".length);
  assertEquals(identity.id.length, 43);
  const shown = [
    Deno.inspect(identity, { depth: 9, showHidden: true }),
    Deno.inspect({ nested: { identity } }, { depth: 9, showHidden: true }),
    JSON.stringify(identity),
    JSON.stringify({ ...identity }),
    String(identity),
    JSON.stringify(Object.getOwnPropertyDescriptors(identity)),
    JSON.stringify(structuredClone({ ...identity })),
  ];
  for (const text of shown) assert(!text.includes(secret), text);
  assertEquals(JSON.parse(JSON.stringify(identity)), { id: identity.id });
  assert(Deno.inspect(identity).includes(identity.id));
});

Deno.test("an identity comes back from its text and from its bytes", async () => {
  const seed = Uint8Array.from({ length: 32 }, (_, index) => index);
  const identity = await importIdentity(seed);
  // Python's `cryptography` gives the same key for the seed 00 01 … 1f.
  assertEquals(identity.id, "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
  seed.fill(0);
  const again = await importIdentity(exportIdentity(identity));
  assertEquals(again.id, identity.id);
});

Deno.test("importIdentity() refuses a peer id, and shows no text", async () => {
  const identity = await createIdentity();
  const wrong = [identity.id, "", "holdfast-secret-1:", "holdfast-secret-1:?"];
  for (const text of wrong) {
    const error = await assertRejects(() => importIdentity(text), Error);
    assert(error.message.startsWith("Cannot import identity: "));
  }
  const secret = exportIdentity(identity);
  const error = await assertRejects(
    () => importIdentity(secret.slice(1)),
    TypeError,
  );
  assert(!error.message.includes(secret.slice(20)));
  await assertRejects(() => importIdentity(new Uint8Array(31)), RangeError);
});

Deno.test("what merely looks like an identity holds no key", () => {
  assertThrows(() => exportIdentity({ id: "A".repeat(43) }), TypeError);
});

Deno.test("publicKeyOf() refuses what is no canonical usable key", async () => {
  const { id } = await createIdentity();
  publicKeyOf(id);
  const bad = [
    "",
    id.slice(1),
    `${id}A`,
    `${id.slice(0, -1)}=`,
    `+${id.slice(1)}`,
    "A".repeat(43),
    toBase64Url(new Uint8Array(32).fill(0xff)),
  ];
  // The last character holds two spare bits: only one of four texts is canonical.
  const alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(id.at(-1)!);
  bad.push(id.slice(0, -1) + alphabet[last + 1]);
  for (const text of bad) {
    const error = assertThrows(() => publicKeyOf(text), TypeError);
    assert(error.message.startsWith("Cannot use peer id"), error.message);
  }
});
