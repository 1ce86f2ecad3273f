import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FrameParser } from "./_frame_parser.ts";
import { FRAME, ProtocolViolation, putHeader } from "./_wire.ts";

const nothing = { onData() {}, onControl() {} };

Deno.test("FrameParser refuses any other bytes with a typed error and keeps no memory (I20)", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }),
      (pieces) => {
        const parser = new FrameParser();
        try {
          for (const piece of pieces) parser.parse(piece, nothing);
        } catch (error) {
          if (!(error instanceof ProtocolViolation)) {
            throw error;
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("FrameParser reads the same frames however they are torn", () => {
  const frames = fc.array(
    fc.oneof(
      fc.record({
        type: fc.constant<number>(FRAME.data),
        payload: fc.uint8Array({ minLength: 1, maxLength: 50 }),
      }),
      fc.record({
        type: fc.constantFrom<number>(FRAME.ack, FRAME.fin, FRAME.ping),
        payload: fc.uint8Array({ maxLength: 16 }),
      }),
    ),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (list, sizes) => {
        const wire: number[] = [];
        const expected: unknown[] = [];
        let offset = 0;
        for (const { type, payload } of list) {
          const header = new Uint8Array(12);
          putHeader(header, 0, type, payload.length, offset);
          wire.push(...header, ...payload);
          if (type === FRAME.data) {
            [...payload].forEach((byte, i) =>
              expected.push([offset + i, byte])
            );
          } else expected.push([type, offset, [...payload]]);
          offset += payload.length;
        }
        const seen: unknown[] = [];
        const parser = new FrameParser();
        for (let at = 0, i = 0; at < wire.length; i++) {
          const size = sizes[i % sizes.length]!;
          parser.parse(Uint8Array.from(wire.slice(at, at + size)), {
            onData: (from, bytes) =>
              bytes.forEach((byte, k) => seen.push([from + k, byte])),
            onControl: (type, from, payload) =>
              seen.push([type, from, [...payload]]),
          });
          at += size;
        }
        assertEquals(seen, expected);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("FrameParser refuses oversized frames and offsets beyond 2^53 - 1 (I11, I23)", () => {
  const header = new Uint8Array(12);
  putHeader(header, 0, FRAME.data, 65_537, 0);
  assertThrows(
    () => new FrameParser().parse(header, nothing),
    ProtocolViolation,
    "65537 bytes",
  );
  putHeader(header, 0, FRAME.ack, 257, 0);
  assertThrows(
    () => new FrameParser().parse(header, nothing),
    ProtocolViolation,
    "at most 256",
  );
  putHeader(header, 0, FRAME.data, 10, Number.MAX_SAFE_INTEGER - 5);
  assertThrows(
    () => new FrameParser().parse(header, nothing),
    ProtocolViolation,
    "beyond 2^53",
  );
});
