/**
 * The test vectors in testdata are what the code makes and takes: others have
 * written their side against them.
 */
import { assert, assertEquals } from "@std/assert";
import { check } from "./_keys.ts";
import { FrameParser } from "./_frame_parser.ts";
import {
  decodeRecord,
  encodeRecord,
  RECORD_HEADER_BYTES,
  withoutMac,
} from "./_records.ts";
import { FRAME } from "./_wire.ts";
import { makeVectors, type Vectors } from "./testdata/make_vectors.ts";
import json from "./testdata/vectors.json" with { type: "json" };

const vectors: Vectors = json;

Deno.test("the code makes exactly the test vectors of the protocol", async () => {
  assertEquals(await makeVectors(), vectors);
});

Deno.test("the vectors cover every record, refusal and frame", () => {
  const frames = new Set(vectors.frames.map(({ type }) => type));
  assertEquals([...frames].sort(), Object.values(FRAME).sort());
  const refusals = vectors.refusals.map(({ code }) => code);
  assertEquals(refusals, [1, 2, 3, 4, 5, 6]);
  const kinds = new Set(allRecords().map(({ hex }) => hex.slice(8, 10)));
  assertEquals([...kinds].sort(), ["01", "02", "03", "04", "05", "06"]);
});

function allRecords(): { readonly name: string; readonly hex: string }[] {
  const of = (name: string, ...hexes: string[]) =>
    hexes.map((hex) => ({ name, hex }));
  return [
    ...vectors.openings.flatMap((v) => of(v.name, v.new, v.welcome, v.confirm)),
    ...vectors.resumptions.flatMap((v) =>
      of(v.name, v.resume, v.resumed, v.confirm)
    ),
    ...vectors.refusals.flatMap((v) => of(v.name, v.resume, v.refused)),
  ];
}

Deno.test("every record of the vectors is read, and written again the same", () => {
  for (const { name, hex } of allRecords()) {
    const bytes = Uint8Array.fromHex(hex);
    const body = bytes.slice(RECORD_HEADER_BYTES);
    assertEquals(encodeRecord(decodeRecord(bytes[4]!, body)), bytes, name);
  }
});

Deno.test("every frame of the vectors is read as what it was made of", () => {
  for (const { name, type, offset, payload, frame } of vectors.frames) {
    const seen: unknown[] = [];
    const saw = (...frame: unknown[]) => void seen.push(frame);
    new FrameParser().parse(Uint8Array.fromHex(frame), {
      onData: (at, bytes) => saw(FRAME.data, at, bytes.toHex()),
      onControl: (kind, at, bytes) => saw(kind, at, bytes.toHex()),
    });
    assertEquals(seen, [[type, offset, payload]], name);
  }
});

Deno.test("a proof of the vectors holds for its own label and record only", async () => {
  const { secret, resume, resumed } = vectors.resumptions[0]!;
  const shared = Uint8Array.fromHex(secret);
  const [asked, said] = [resume, resumed].map((hex) => Uint8Array.fromHex(hex));
  const mac = said!.slice(-32);
  const told = withoutMac(said!);
  assert(await check(shared, mac, "server resumed", asked!, told));
  assert(!await check(shared, mac, "client resume", asked!, told));
  assert(!await check(shared, mac, "server stale", asked!, told));
  const changed = told.slice();
  changed[20]! ^= 1;
  assert(!await check(shared, mac, "server resumed", asked!, changed));
  const [client, server] = [shared.slice(0, 32), shared.slice(32)];
  const swapped = Uint8Array.from([...server, ...client]);
  assert(!await check(swapped, mac, "server resumed", asked!, told));
});
