import { assertEquals } from "@std/assert";
import { bytes, clock, duration, roundUp } from "./page/format.ts";

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
  assertEquals([0, 3, 1e6, 1_000_001, 4.2e6].map(roundUp), [
    1,
    5,
    1e6,
    2e6,
    5e6,
  ]);
});
