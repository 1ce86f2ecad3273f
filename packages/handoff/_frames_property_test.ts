import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeHello,
  encodeMessage,
  type Message,
  MessageDecoder,
} from "./_frames.ts";
import { HandoffError } from "./error.ts";

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.constantFrom<Message>(
    { type: "prepared" },
    { type: "ready" },
    { type: "go" },
    { type: "hurry" },
    { type: "draining", draining: 3 },
    { type: "state", length: undefined },
  ),
  fc.record({
    type: fc.constant("state" as const),
    length: fc.maxSafeNat(),
  }),
  fc.record({
    type: fc.constant("chunk" as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
  }),
  fc.record({
    type: fc.constant("end" as const),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  fc.record({
    type: fc.constant("failed" as const),
    reason: fc.string({ maxLength: 100 }),
  }),
);

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.byteLength;
  }
  return all;
}

Deno.test("property: messages survive the channel, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (messages, cuts) => {
        const wire = concat([encodeHello(), ...messages.map(encodeMessage)]);
        const decoder = new MessageDecoder();
        const got: Message[] = [];
        for (let offset = 0, i = 0; offset < wire.byteLength; i++) {
          const end = offset + cuts[i % cuts.length]!;
          got.push(...decoder.push(wire.subarray(offset, end)));
          offset = end;
        }
        assertEquals(got, messages);
      },
    ),
  );
});

Deno.test("property: the decoder answers any bytes with messages or HandoffError", () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.uint8Array({ maxLength: 200 }),
      (greeted, bytes) => {
        const decoder = new MessageDecoder();
        try {
          if (greeted) decoder.push(encodeHello());
          decoder.push(bytes);
        } catch (error) {
          assertInstanceOf(error, HandoffError);
          assertEquals(error.code, "handoff/bad-bytes");
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("the decoder refuses another version, name, type and length", () => {
  const cases: [Uint8Array, string][] = [
    [Uint8Array.of(0x48, 0x46, 0x48, 2), "version 2"],
    [new TextEncoder().encode("GET /"), "begin with its name"],
    [concat([encodeHello(), Uint8Array.of(99, 0, 0, 0, 0)]), "99 is unknown"],
    // Refused before any memory is taken for it.
    [concat([encodeHello(), Uint8Array.of(3, 255, 255, 255, 255)]), "bytes"],
    [concat([encodeHello(), Uint8Array.of(1, 0, 0, 0, 1)]), "has 1 bytes"],
    [
      concat([
        encodeHello(),
        Uint8Array.of(2, 0, 0, 0, 9, 7),
        new Uint8Array(8),
      ]),
      "makes no sense",
    ],
  ];
  for (const [bytes, words] of cases) {
    assertThrows(() => new MessageDecoder().push(bytes), HandoffError, words);
  }
});

Deno.test("the wire format is the one in the README", () => {
  assertEquals([...encodeHello()], [72, 70, 72, 1]);
  assertEquals([...encodeMessage({ type: "prepared" })], [1, 0, 0, 0, 0]);
  assertEquals(
    [...encodeMessage({ type: "state", length: 258 })],
    [2, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 1, 2],
  );
  assertEquals(
    [...encodeMessage({ type: "chunk", bytes: Uint8Array.of(8, 9) })],
    [3, 0, 0, 0, 2, 8, 9],
  );
  assertEquals([...encodeMessage({ type: "ready" })], [5, 0, 0, 0, 0]);
  assertEquals([...encodeMessage({ type: "go" })], [6, 0, 0, 0, 0]);
});
