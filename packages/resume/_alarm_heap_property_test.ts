import { assertEquals, assertThrows } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { type Alarm, AlarmHeap } from "./_alarm_heap.ts";

const COUNT = 12;

/** What happens to the alarms of a heap, and what a ring does in its turn. */
type Deed =
  | { readonly do: "set"; readonly who: number; readonly at: number }
  | { readonly do: "clear"; readonly who: number };

const who = fc.nat(COUNT - 1);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ do: fc.constant("set" as const), who, at: fc.nat(50) }),
  fc.record({ do: fc.constant("clear" as const), who }),
);
const turn = fc.record({
  deeds: fc.array(deed, { maxLength: 20 }),
  now: fc.nat(60),
  /** What the first alarms that ring do about others. */
  inRing: fc.array(fc.array(deed, { maxLength: 3 }), { maxLength: 6 }),
});

/** Does the same to a heap and to a plain list of times. */
function both(heap: AlarmHeap, alarms: readonly Alarm[], times: number[]) {
  return (deed: Deed): void => {
    if (deed.do === "set") {
      heap.set(alarms[deed.who]!, deed.at);
      times[deed.who] = deed.at;
    } else {
      heap.clear(alarms[deed.who]!);
      times[deed.who] = Infinity;
    }
  };
}

Deno.test("alarms ring when they are due, the soonest first, and not when they are cleared", () => {
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 8 }), (turns) => {
      const heap = new AlarmHeap();
      const times = new Array<number>(COUNT).fill(Infinity);
      let inRing: (readonly Deed[])[] = [];
      let rang: number[] = [];
      const alarms = times.map((_, i): Alarm => ({
        at: Infinity,
        slot: -1,
        ring() {
          assertEquals(changed.has(i), false);
          rang.push(i);
          // What is set now, even for now, waits for the next turn.
          times[i] = Infinity;
          for (const deed of inRing.shift() ?? []) {
            changed.add(deed.who);
            act(deed);
          }
        },
      }));
      const act = both(heap, alarms, times);
      let changed = new Set<number>();
      for (const { deeds, now, inRing: then } of turns) {
        deeds.forEach(act);
        inRing = [...then];
        rang = [];
        changed = new Set();
        const before = [...times];
        heap.ring(now);
        // All that were due, but for those that a ring before theirs changed.
        const order = rang.map((i) => before[i]!);
        assertEquals(order, order.toSorted((a, b) => a - b));
        assertEquals(new Set(rang).size, rang.length);
        for (let i = 0; i < COUNT; i++) {
          if (before[i]! > now) assertEquals(rang.includes(i), false);
          else if (!changed.has(i)) assertEquals(rang.includes(i), true);
        }
        assertEquals(heap.next, Math.min(...times));
        assertEquals(
          heap.size,
          times.filter((time) => time < Infinity).length,
        );
      }
    }),
    { numRuns: runs(300, 100_000) },
  );
});

Deno.test("a ring that throws leaves the others as they were", () => {
  const heap = new AlarmHeap();
  const rang: number[] = [];
  const make = (i: number, fails: boolean): Alarm => ({
    at: Infinity,
    slot: -1,
    ring() {
      rang.push(i);
      if (fails) throw new Error("a fault");
    },
  });
  heap.set(make(1, false), 1);
  heap.set(make(2, true), 2);
  heap.set(make(3, false), 3);
  assertThrows(() => heap.ring(9), Error, "a fault");
  assertEquals([rang, heap.next, heap.size], [[1, 2], 3, 1]);
  heap.ring(9);
  assertEquals(rang, [1, 2, 3]);
});
