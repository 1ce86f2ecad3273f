import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { toBase64Url, toHex } from "./_bytes.ts";
import {
  ACK_SEQUENCES_MAX,
  type Content,
  decodeAck,
  decodeContent,
  decodeFrame,
  encodeAck,
  encodeContent,
  encodeHeader,
  HEADER_BYTES,
  OVERHEAD_BYTES_MAX,
  TAG_BYTES,
  VERSION,
} from "./_frame.ts";
import { SignalError } from "./errors.ts";

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length });
const sequence = fc.maxSafeNat().map((value) => Math.max(1, value));
const epoch = bytes(8).map(toHex);
const header = fc.record({
  kind: fc.constantFrom("data" as const, "ack" as const),
  sender: bytes(32).map(toBase64Url),
  epoch,
  sequence,
});
const requestId = fc.string({ minLength: 1, maxLength: 16 });
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ type: fc.constant("message" as const), bytes: fc.uint8Array() }),
  fc.record({
    type: fc.constant("request" as const),
    requestId,
    bytes: fc.uint8Array(),
  }),
  fc.record({
    type: fc.constant("answer" as const),
    requestId,
    status: fc.constantFrom("ok", "handler-failed", "no-handler"),
    bytes: fc.uint8Array(),
  }),
);
// Random bytes mostly fail at the first one, so half of them start well.
const junk = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.constantFrom(1, 2, 16, 17, 18), fc.uint8Array()).map(
    ([first, rest]) => Uint8Array.of(first, ...rest),
  ),
  fc.tuple(fc.constantFrom(0, 1, 2, 3), fc.uint8Array({ minLength: 60 })).map(
    ([kind, rest]) => Uint8Array.of(VERSION, kind, ...rest),
  ),
  fc.uint8Array({ maxLength: 20 }).map((some) =>
    new Uint8Array(Math.floor(some.length) * 8)
  ),
);

Deno.test("a frame is read as it was written", () => {
  fc.assert(
    fc.property(header, fc.uint8Array({ minLength: TAG_BYTES }), (of, rest) => {
      const head = encodeHeader(of);
      assertEquals(head.length, HEADER_BYTES);
      const frame = decodeFrame(Uint8Array.of(...head, ...rest));
      assertEquals(frame.header, of);
      assertEquals(frame.headerBytes, head);
      assertEquals(frame.sealed, rest as Uint8Array<ArrayBuffer>);
    }),
  );
});

Deno.test("content and acknowledgements are read as they were written", () => {
  fc.assert(fc.property(content, (one) => {
    const encoded = encodeContent(one);
    assertEquals(decodeContent(encoded), one);
    const overhead = encoded.length - one.bytes.length;
    assert(HEADER_BYTES + TAG_BYTES + overhead <= OVERHEAD_BYTES_MAX);
  }));
  const sequences = fc.array(sequence, {
    minLength: 1,
    maxLength: ACK_SEQUENCES_MAX,
  });
  fc.assert(fc.property(fc.record({ epoch, sequences }), (ack) => {
    assertEquals(decodeAck(encodeAck(ack)), ack);
  }));
});

for (
  const [name, decode] of [
    ["frame", decodeFrame],
    ["content", decodeContent],
    ["acknowledgement", decodeAck],
  ] as const
) {
  Deno.test(`any bytes are a ${name} or a typed error`, () => {
    fc.assert(
      fc.property(junk, (some) => {
        try {
          decode(some);
        } catch (error) {
          assert(error instanceof SignalError, String(error));
          assertEquals(error.code, "signal/bad-frame");
        }
      }),
      { numRuns: 2000 },
    );
  });
}

Deno.test("a frame cut short at any place is refused", () => {
  const whole = Uint8Array.of(
    ...encodeHeader({
      kind: "data",
      sender: toBase64Url(new Uint8Array(32)),
      epoch: "0".repeat(16),
      sequence: 1,
    }),
    ...new Uint8Array(TAG_BYTES),
  );
  decodeFrame(whole);
  for (let length = 0; length < whole.length; length++) {
    let code: string | undefined;
    try {
      decodeFrame(whole.subarray(0, length));
    } catch (error) {
      code = (error as SignalError).code;
    }
    assertEquals(code, "signal/bad-frame");
  }
});
