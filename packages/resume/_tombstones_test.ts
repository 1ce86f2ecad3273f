import { assertEquals } from "@std/assert";
import { Tombstones } from "./_tombstones.ts";

const secrets = [new Uint8Array(64)];

Deno.test("a session that ended is remembered for the time to live", () => {
  const stones = new Tombstones(10, 100);
  stones.bury("a", secrets, 7, 0);
  assertEquals(stones.find("a", 99)?.received, 7);
  assertEquals(stones.find("a", 100), undefined);
  assertEquals(stones.find("b", 0), undefined);
});

Deno.test("tombstones are bounded in number, and swept when they are over", () => {
  const stones = new Tombstones(3, 100);
  for (let i = 0; i < 10; i++) stones.bury(`s${i}`, secrets, i, i);
  assertEquals(stones.size, 3);
  assertEquals(stones.find("s6", 10), undefined);
  assertEquals(stones.find("s7", 10)?.received, 7);
  stones.bury("late", secrets, 0, 1_000);
  assertEquals(stones.size, 1);
});
