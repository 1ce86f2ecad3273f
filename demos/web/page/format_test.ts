/// <reference lib="deno.ns" />
import { assertEquals } from "@std/assert";
import { bytes, clock, duration, roundUp } from "./format.ts";
import { scaleFor } from "./scale.ts";

Deno.test("numbers are written as people read them", () => {
  assertEquals([0, 999, 1000, 999_400].map(bytes), [
    "0 B",
    "999 B",
    "1 kB",
    "999 kB",
  ]);
  assertEquals([1e6, 12_340_000, 234e6, 1.5e9].map(bytes), [
    "1.0 MB",
    "12.3 MB",
    "234 MB",
    "1.50 GB",
  ]);
  assertEquals([0.4, 999, 1500, 61_000].map(duration), [
    "0 ms",
    "999 ms",
    "1.5 s",
    "1 min 01 s",
  ]);
  assertEquals([0, 9_940, 75_500].map(clock), ["0:00.0", "0:09.9", "1:15.5"]);
  assertEquals([0, 3, 1e6, 1_000_001, 4.2e6, 1_100_000].map(roundUp), [
    1,
    5,
    1e6,
    1e6,
    5e6,
    2e6,
  ]);
});

Deno.test("the chart's scale follows what is usual, and not a peak", () => {
  const steady = Array.from({ length: 50 }, () => 1e6);
  assertEquals(scaleFor(steady), 2e6);
  assertEquals(scaleFor([...steady, 30e6, 30e6]), 2e6);
  assertEquals(scaleFor([...steady, ...Array(50).fill(0)]), 2e6);
  assertEquals(scaleFor([]), 1);
});
