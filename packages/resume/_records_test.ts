import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  bodyLength,
  decodeRecord,
  encodeRecord,
  type HandshakeRecord,
  RECORD_HEADER_BYTES,
} from "./_records.ts";
import { ProtocolViolation } from "./_wire.ts";

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }) as fc.Arbitrary<
    Uint8Array<ArrayBuffer>
  >;
const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.maxSafeNat();
const mac = bytes(32);

const record: fc.Arbitrary<HandshakeRecord> = fc.oneof(
  fc.record({
    kind: fc.constant("new" as const),
    versionMin: u8,
    versionMax: u8,
    nonce: bytes(16),
    publicKey: bytes(32),
    limit: u64,
    keyId: fc.uint8Array({ maxLength: 255 }) as fc.Arbitrary<
      Uint8Array<ArrayBuffer>
    >,
  }),
  fc.record({
    kind: fc.constant("welcome" as const),
    version: u8,
    sid: bytes(16),
    nonce: bytes(16),
    publicKey: bytes(32),
    limit: u64,
    ttlMs: u32,
    mac,
  }),
  fc.record({
    kind: fc.constant("resume" as const),
    versionMin: u8,
    versionMax: u8,
    sid: bytes(16),
    epoch: u64,
    nonce: bytes(16),
    received: u64,
    limit: u64,
    mac,
  }),
  fc.record({
    kind: fc.constant("resumed" as const),
    version: u8,
    epoch: u64,
    nonce: bytes(16),
    received: u64,
    limit: u64,
    ttlMs: u32,
    mac,
  }),
  fc.record({
    kind: fc.constant("refused" as const),
    code: u8,
    value: u64,
    mac,
  }),
  fc.record({ kind: fc.constant("confirm" as const), mac }),
);

Deno.test("records read back as they were written", () => {
  fc.assert(fc.property(record, (written) => {
    const wire = encodeRecord(written);
    assertEquals(bodyLength(wire), wire.length - RECORD_HEADER_BYTES);
    // fast-check's records have no prototype; the comparison is of content.
    assertEquals(decodeRecord(wire[4]!, wire.slice(RECORD_HEADER_BYTES)), {
      ...written,
    });
  }));
});

Deno.test("any other bytes are a typed error (I20)", () => {
  fc.assert(
    fc.property(u8, fc.uint8Array({ maxLength: 200 }), (kind, body) => {
      try {
        decodeRecord(kind, body as Uint8Array<ArrayBuffer>);
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("an HTTP client, or anything else, is told apart at once", () => {
  assertThrows(
    () => bodyLength(new TextEncoder().encode("GET / HTTP/1.1")),
    ProtocolViolation,
    "not a Holdfast resume handshake",
  );
});
