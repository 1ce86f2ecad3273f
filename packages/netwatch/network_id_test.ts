import { assertEquals } from "@std/assert";
import { networkIdOf, type NetworkSnapshot } from "./mod.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

const home = snapshot([link("eth0", 2, "192.168.1.7")], "192.168.1.1");

function behind(hardware: string | undefined): NetworkSnapshot {
  const route = { ...home.effective.IPv4! };
  const IPv4 = hardware === undefined ? route : { ...route, hardware };
  return { ...home, effective: { IPv4 } };
}

Deno.test("networkIdOf() tells networks with the same addresses apart", () => {
  const one = networkIdOf(behind("02:00:00:00:00:01"));
  assertEquals(one, "192.168.1.1@02:00:00:00:00:01");
  assertEquals(networkIdOf(behind("02:00:00:00:00:01")), one);
  assertEquals(
    networkIdOf(behind("02:00:00:00:00:02")),
    "192.168.1.1@02:00:00:00:00:02",
  );
  assertEquals(networkIdOf(behind(undefined)), undefined);
  assertEquals(networkIdOf({ ...home, effective: {} }), undefined);
});
