import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { toHex } from "./_bytes.ts";
import {
  CHUNK_BYTES,
  type Content,
  decodeContent,
  encodeContent,
} from "./_content.ts";
import {
  CONTENT_BYTES_MAX,
  decodePacket,
  FRAME_HEADER_BYTES,
  frameHeader,
  HELLO_HEADER_BYTES,
  helloHeader,
  PACKET_BYTES_MAX,
  pad,
  SEAL_BYTES,
  unpad,
  VERSION,
  WELCOME_HEADER_BYTES,
  welcomeHeader,
} from "./_packet.ts";
import { SignalError } from "./errors.ts";

const exactly = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length });
const sequence = fc.maxSafeNat().map((value) => Math.max(1, value));
const some = fc.uint8Array();
const requestId = fc.string({ minLength: 1, maxLength: 16 });
const chunk = fc.tuple(fc.nat(0xfffe), fc.nat(0xffff)).map(([a, b]) =>
  a < b ? { index: a, count: b } : { index: b, count: a + 1 }
);
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ type: fc.constant("message" as const), bytes: some }),
  fc.tuple(sequence, sequence, some).map(([a, b, bytes]) => ({
    type: "ordered" as const,
    ...{ place: Math.max(a, b), floor: Math.min(a, b), bytes },
  })),
  fc.record({ type: fc.constant("request" as const), requestId, bytes: some }),
  fc.record({
    type: fc.constant("answer" as const),
    requestId,
    status: fc.constantFrom("ok", "handler-failed", "no-handler"),
    bytes: some,
  }),
  fc.tuple(chunk, fc.nat(0xffffffff), some).map(([place, whole, bytes]) => ({
    type: "chunk" as const,
    ...{ whole, ...place, bytes },
  })),
  fc.record({ type: fc.constant("floor" as const), floor: sequence }),
  fc.record({
    type: fc.constant("bundle" as const),
    parts: fc.array(some, { minLength: 1, maxLength: 9 }),
  }),
  fc.constantFrom({ type: "probe" as const }, { type: "bye" as const }),
);

Deno.test("content is read as it was written", () => {
  fc.assert(fc.property(content, (content) => {
    assertEquals(decodeContent(encodeContent(content)), content);
  }));
});

Deno.test("a packet of each kind is read as it was written", () => {
  fc.assert(fc.property(
    exactly(32),
    exactly(8),
    sequence,
    fc.uint8Array({ minLength: SEAL_BYTES, maxLength: 300 }),
    fc.constantFrom("data" as const, "ack" as const),
    (key, short, sequence, sealed, kind) => {
      const hello = decodePacket(
        Uint8Array.of(...helloHeader(key), ...sealed),
      );
      assert(hello.kind === "hello");
      assertEquals([...hello.ephemeral], [...key]);
      assertEquals(hello.header.length, HELLO_HEADER_BYTES);
      const welcome = decodePacket(
        Uint8Array.of(...welcomeHeader(short, key), ...sealed),
      );
      assert(welcome.kind === "welcome");
      assertEquals([welcome.ref, [...welcome.ephemeral]], [toHex(short), [
        ...key,
      ]]);
      assertEquals(welcome.header.length, WELCOME_HEADER_BYTES);
      const frame = decodePacket(
        Uint8Array.of(...frameHeader(kind, short, sequence), ...sealed),
      );
      assert(frame.kind === kind);
      assertEquals([frame.tag, frame.sequence], [toHex(short), sequence]);
      assertEquals([...frame.sealed], [...sealed]);
    },
  ));
});

Deno.test("any other bytes are a bad frame, and nothing else", () => {
  // Random bytes mostly fail at the first one, so half of them start well.
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5), fc.uint8Array()).map(
      ([kind, rest]) => Uint8Array.of(VERSION, kind, ...rest),
    ),
    fc.tuple(
      fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18),
      fc.uint8Array(),
    )
      .map(([first, rest]) => Uint8Array.of(first, ...rest)),
  );
  const readers: readonly ((bytes: Uint8Array<ArrayBuffer>) => unknown)[] = [
    decodePacket,
    decodeContent,
    unpad,
  ];
  fc.assert(
    fc.property(junk, (bytes) => {
      for (const read of readers) {
        try {
          read(Uint8Array.from(bytes));
        } catch (error) {
          assert(error instanceof SignalError, String(error));
          assertEquals(error.code, "signal/bad-frame");
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("padding takes four lengths, and comes off again", () => {
  const lengths = new Set<number>();
  for (let size = 0; size <= CONTENT_BYTES_MAX; size += 13) {
    const bytes = new Uint8Array(size).fill(7);
    const padded = pad(bytes);
    lengths.add(padded.length + FRAME_HEADER_BYTES + SEAL_BYTES);
    assertEquals(unpad(padded).length, size);
  }
  assertEquals([...lengths], [256, 1_024, 4_096, PACKET_BYTES_MAX]);
  assertEquals(pad(new Uint8Array(CONTENT_BYTES_MAX)).length + 34, 16_000);
});

Deno.test("a whole chunk fits into a packet, its flags included", () => {
  const chunk = encodeContent({
    ...{ type: "chunk", whole: 1, index: 0, count: 1 },
    bytes: new Uint8Array(CHUNK_BYTES),
  });
  assertEquals(1 + chunk.length, CONTENT_BYTES_MAX);
});
