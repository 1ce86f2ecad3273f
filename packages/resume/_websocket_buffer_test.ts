import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { runs } from "@holdfast/testkit";
import { MessageBuffer } from "./_websocket_buffer.ts";

Deno.test("messages are read as one row of bytes, whatever the sizes of both", () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ read: fc.integer({ min: 1, max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
      const buffer = new MessageBuffer(2 ** 30);
      let added = 0;
      let got = 0;
      for (const one of steps) {
        if ("add" in one) {
          const bytes = Uint8Array.from(
            { length: one.add },
            () => added++ & 0xff,
          );
          assert(buffer.add(bytes));
        } else {
          const into = new Uint8Array(one.read);
          const n = buffer.read(into);
          assertEquals(n, Math.min(one.read, added - got));
          for (const byte of into.subarray(0, n)) {
            assertEquals(byte, got++ & 0xff);
          }
        }
        assertEquals(buffer.held === 0, added === got);
      }
    }),
    { numRuns: runs(100) },
  );
});

Deno.test("many messages read one by one leave nothing behind", () => {
  const buffer = new MessageBuffer(2 ** 30);
  for (let i = 0; i < 3_000; i++) assert(buffer.add(Uint8Array.of(i & 0xff)));
  for (let i = 0; i < 2_999; i++) {
    const into = new Uint8Array(1);
    assertEquals(buffer.read(into), 1);
    assertEquals(into[0], i & 0xff);
  }
  assert(buffer.held > 0 && buffer.held < 1_024);
  buffer.clear();
  assertEquals(buffer.held, 0);
  assertEquals(buffer.read(new Uint8Array(9)), 0);
});

Deno.test("the bound counts what small messages cost, and refuses without taking", () => {
  const buffer = new MessageBuffer(10_000);
  let taken = 0;
  while (buffer.add(Uint8Array.of(1))) taken++;
  assert(taken > 5 && taken < 40, `${taken} one-byte messages`);
  assert(buffer.held <= 10_000);
  assert(!buffer.add(new Uint8Array(9_000)));
  assert(buffer.add(new Uint8Array(0)), "an empty message takes no room");
  const into = new Uint8Array(100);
  assertEquals(buffer.read(into), taken);
  assert(buffer.add(new Uint8Array(9_000)));
});
