import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Joiner, split } from "./_chunks.ts";
import { CHUNK_BYTES } from "./_content.ts";
import { Reorder, REORDER_BYTES_MAX, REORDER_MAX } from "./_ordering.ts";
import {
  ORDERED_BYTES_MAX,
  ORDERED_LARGE_MAX,
  ORDERED_MAX,
  OrderedGate,
} from "./_ordered_gate.ts";

/** Sends places in any order, again until each is taken; some are given up. */
Deno.test("ordered messages come in order, each once, and nothing waits for what was given up", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 60 }),
    fc.func(fc.nat()),
    fc.func(fc.boolean()),
    fc.integer({ min: 1, max: 5 }),
    (count, shuffle, isGivenUp, room) => {
      const order = new Reorder();
      const got: number[] = [];
      const places = Array.from({ length: count }, (_, i) => i + 1);
      const givenUp = new Set(places.filter((place) => isGivenUp(place)));
      const sent = places.filter((place) => !givenUp.has(place))
        .sort((a, b) => shuffle(a) - shuffle(b));
      const drain = () => {
        let left = room;
        order.drain((bytes) => left-- > 0 && got.push(bytes[0]!) > 0);
      };
      for (let tries = 0; sent.length > 0 && tries < 10_000; tries++) {
        const place = sent.shift()!;
        const bytes = Uint8Array.of(place);
        if (!order.take(place, 1, bytes)) sent.push(place);
        drain();
      }
      order.raise(count + 1);
      for (let i = 0; i < count; i++) drain();
      assertEquals(got, places.filter((place) => !givenUp.has(place)));
      assertEquals(order.size, 0);
      assertEquals(order.next, count + 1);
    },
  ));
});

Deno.test("what waits for its turn is bounded in number and bytes", () => {
  const many = new Reorder();
  let taken = 0;
  for (let place = 2; place < 2_000; place++) {
    if (many.take(place, 1, Uint8Array.of(1))) taken++;
  }
  assertEquals(taken, REORDER_MAX);
  // The one that is missing is always taken.
  assert(many.take(1, 1, Uint8Array.of(1)));
  const large = new Reorder();
  for (let place = 2; place < 200; place++) {
    large.take(place, 1, new Uint8Array(REORDER_BYTES_MAX / 8));
  }
  assertEquals(large.size, 8);
});

const LARGE = 100_000;

Deno.test("a large message is joined from its pieces, in any order and with copies", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: LARGE }),
    fc.func(fc.nat()),
    (length, shuffle) => {
      const bytes = crypto.getRandomValues(new Uint8Array(16_384));
      const content = new Uint8Array(length + 1).map((_, i) =>
        bytes[i % 16_384]!
      );
      const joiner = new Joiner(LARGE + 1, 10 * LARGE);
      const chunks = split(1, content);
      assertEquals(chunks.length, Math.ceil(content.length / CHUNK_BYTES));
      const copies = [...chunks, ...chunks].map((chunk, i) => ({ chunk, i }))
        .sort((a, b) => shuffle(a.i) - shuffle(b.i));
      for (const { chunk } of copies) {
        const joined = joiner.take("ann", chunk, 0);
        if (joined.type === "whole") {
          assertEquals(joined.bytes, content);
          joiner.done("ann", 1);
          assertEquals(joiner.reserved, 0);
          return;
        }
        assertEquals(joined.type, "waiting");
      }
      throw new Error("it was never whole");
    },
  ));
});

Deno.test("room for pieces is bounded, shared, and given back with time", () => {
  const joiner = new Joiner(LARGE, 3 * LARGE);
  const piece = (whole: number, count: number) => ({
    ...{ type: "chunk" as const, whole, index: 0, count },
    bytes: new Uint8Array(10),
  });
  const refused = { type: "refused" as const };
  assertEquals(joiner.take("eve", piece(1, 1_000), 0), refused);
  for (let whole = 1; whole < 50; whole++) {
    joiner.take("eve", piece(whole, 3), 0);
  }
  // Whoever stops in the middle has half of it at the most.
  assert(joiner.reserved > LARGE && joiner.reserved <= 1.5 * LARGE);
  assertEquals(joiner.take("ann", piece(1, 7), 1_000).type, "waiting");
  for (const sender of ["mallory", "trudy", "oscar"]) {
    joiner.take(sender, piece(1, 7), 1_000);
  }
  assert(joiner.reserved <= 3 * LARGE);
  assertEquals(joiner.take("bob", piece(1, 7), 1_000), refused);
  assertEquals(joiner.take("bob", piece(1, 7), 122_000).type, "waiting");
  // What was thrown away is never taken for whole: its sender is not told so.
  const late = { ...piece(1, 3), index: 1 };
  assertEquals(joiner.take("eve", late, 122_000), refused);
  // Another number of pieces under the same name.
  assertEquals(joiner.take("bob", piece(1, 6), 122_000), refused);
});

Deno.test("ordered messages enter first come, first served, and no more than their recipient has room for", () => {
  // What is let go must fit, or the one that is waited for has no room.
  assert(ORDERED_MAX <= REORDER_MAX && ORDERED_BYTES_MAX <= REORDER_BYTES_MAX);
  const message = fc.record({
    bytes: fc.oneof(fc.nat(1_000), fc.nat(3 * ORDERED_BYTES_MAX)),
    large: fc.boolean(),
    takenBack: fc.boolean(),
  });
  fc.assert(fc.property(
    fc.array(message, { maxLength: 200 }),
    fc.func(fc.nat()),
    (messages, pick) => {
      const gate = new OrderedGate();
      const entered: number[] = [];
      const under = new Set<number>();
      const check = () => {
        if (under.size <= 1) return;
        const all = [...under].map((i) => messages[i]!);
        assert(all.length <= ORDERED_MAX);
        assert(all.filter(({ large }) => large).length <= ORDERED_LARGE_MAX);
        const bytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
        assert(bytes <= ORDERED_BYTES_MAX, `${bytes}`);
      };
      const gone = new Set<number>();
      for (const [i, { bytes, large, takenBack }] of messages.entries()) {
        const leave = gate.queue(bytes, large, () => {
          entered.push(i);
          under.add(i);
        });
        if (takenBack && !under.has(i)) gone.add(i), leave();
        check();
      }
      while (under.size > 0) {
        const which = [...under][pick(under.size) % under.size]!;
        under.delete(which);
        gate.leave(messages[which]!.bytes, messages[which]!.large);
        check();
      }
      assertEquals(
        entered,
        messages.map((_, i) => i).filter((i) => !gone.has(i)),
      );
      assert(gate.isIdle);
    },
  ));
});
