import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FrameParser } from "./_frame_parser.ts";
import { SendBuffer } from "./_send_buffer.ts";

/** The byte that stands at a stream offset. */
const at = (offset: number): number => (offset * 31 + (offset >>> 8)) & 0xff;

function pattern(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => at(from + i));
}

type Op =
  | { readonly op: "append"; readonly n: number }
  | { readonly op: "take"; readonly credit: number }
  | { readonly op: "ack"; readonly share: number }
  | { readonly op: "rewind"; readonly share: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("append" as const),
      n: fc.oneof(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 300_000 }),
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("take" as const),
      credit: fc.oneof(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 400_000 }),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("ack" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("rewind" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

Deno.test("SendBuffer gives every byte at its offset, through any acks, credits and rewinds (I3, I4)", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500_000 }),
      fc.array(op, { maxLength: 60 }),
      (capacity, ops) => {
        const buffer = new SendBuffer(capacity);
        let parser = new FrameParser();
        let next = 0; // what a receiver of the present transport expects
        const take = (credit: number): void => {
          const out = buffer.take(credit);
          if (out === undefined) return;
          parser.parse(out.bytes, {
            onData(offset, bytes) {
              assertEquals(offset, next);
              bytes.forEach((byte, i) => {
                if (byte !== at(offset + i)) {
                  throw new Error(`wrong byte at ${offset + i}`);
                }
              });
              next += bytes.length;
            },
            onControl: () => assert(false, "no control frames here"),
          });
          assertEquals(next, buffer.sent);
          assert(next <= Math.max(credit, 0));
        };
        for (const step of ops) {
          switch (step.op) {
            case "append": {
              const taken = buffer.append(pattern(buffer.end, step.n));
              assert(taken <= step.n && buffer.end - buffer.acked <= capacity);
              break;
            }
            case "take":
              take(buffer.sent + step.credit);
              break;
            case "ack":
              buffer.acknowledge(
                buffer.acked +
                  Math.floor((buffer.sent - buffer.acked) * step.share),
              );
              break;
            case "rewind":
              buffer.rewind(
                buffer.acked +
                  Math.floor((buffer.sent - buffer.acked) * step.share),
              );
              parser = new FrameParser();
              next = buffer.acked;
              break;
          }
          assertEquals(buffer.room, capacity - (buffer.end - buffer.acked));
        }
        assertEquals(
          buffer.unacknowledged(),
          pattern(buffer.acked, buffer.end - buffer.acked) as Uint8Array<
            ArrayBuffer
          >,
        );
        while (buffer.sent < buffer.end) take(Infinity);
        assertEquals(next, buffer.end);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("SendBuffer puts small writes into one frame while nothing of it is sent", () => {
  const buffer = new SendBuffer(1 << 20);
  for (let i = 0; i < 100; i++) buffer.append(new Uint8Array(10));
  const out = buffer.take(Infinity)!;
  assertEquals(out.bytes.length, 12 + 1000);
  buffer.append(new Uint8Array(10));
  assertEquals(buffer.take(Infinity)!.bytes.length, 12 + 10);
});
