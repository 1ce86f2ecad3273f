import { assertEquals } from "@std/assert";
import { lookupOf, type Lookups } from "./_lookup.ts";
import { TrackedPath } from "./_tracker.ts";
import type { EffectiveRoute, NetworkSnapshot } from "./snapshot.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

const far = { localAddr: "10.0.0.2", remoteAddr: "198.18.0.1" };
const eth0 = link("eth0", 2, "10.0.0.2");
const there = snapshot([eth0], "10.0.0.1");
const gone = snapshot([{ ...eth0, addresses: [] }], "10.0.0.1");
const via = (gateway: string): EffectiveRoute => ({
  ...{ family: "IPv4", interface: "eth0", gateway },
});

function track() {
  const path = new TrackedPath(far, there, { onDispose() {} });
  const told: string[] = [];
  path.on("*", ({ type, reason }) => told.push(`${type} ${reason}`));
  const read = (state: NetworkSnapshot, route: EffectiveRoute | undefined) => {
    const lookups: Lookups = new Map([[lookupOf(far)!.key, route]]);
    return path.update(state, lookups);
  };
  assertEquals(read(there, via("10.0.0.1")), false);
  return { path, told, read };
}

Deno.test("an address that goes between two questions of one reading is lost, and its way is not changed before", () => {
  const { told, read } = track();
  // The address was there when it was asked for, and not when its way was.
  assertEquals(read(there, undefined), true);
  assertEquals(told, []);
  assertEquals(read(gone, undefined), false);
  assertEquals(told, ["path-lost address-removed"]);
  // The other way about.
  assertEquals(read(there, undefined), true);
  assertEquals(read(there, via("10.0.0.1")), true);
  assertEquals(read(there, via("10.0.0.1")), false);
  assertEquals(told.slice(1), ["path-restored address-added"]);
});

Deno.test("another way is told once two readings agree on it", () => {
  const { path, told, read } = track();
  assertEquals(read(there, via("10.0.0.9")), true);
  assertEquals(path.state.via?.gateway, "10.0.0.1");
  assertEquals(read(there, via("10.0.0.9")), false);
  assertEquals(told, ["path-changed route-changed"]);
  assertEquals(path.state.via?.gateway, "10.0.0.9");
  // A way that was another for one reading only was none.
  assertEquals(read(there, via("10.0.0.5")), true);
  assertEquals(read(there, via("10.0.0.9")), false);
  assertEquals(told.length, 1);
});

Deno.test("ways that are others in each reading are told all the same", () => {
  const { told, read } = track();
  for (const last of [5, 6, 7]) {
    assertEquals(read(there, via(`10.0.0.${last}`)), true);
  }
  assertEquals(read(there, via("10.0.0.8")), false);
  assertEquals(told, ["path-changed route-changed"]);
});
