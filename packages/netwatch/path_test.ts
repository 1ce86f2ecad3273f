import { assertEquals, assertThrows } from "@std/assert";
import { toPath } from "./_path_target.ts";
import { diffPath, evaluatePath, type Path } from "./path.ts";
import type { NetworkSnapshot } from "./snapshot.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

const lo = link("lo", 1, "127.0.0.1");
const eth0 = link("eth0", 2, "10.0.0.2");
const home = snapshot([lo, eth0], "10.0.0.1");
const far: Path = { localAddr: "10.0.0.2", remoteAddr: "198.18.0.1" };
const near: Path = { localAddr: "10.0.0.2", remoteAddr: "10.0.0.77" };

function told(path: Path, before: NetworkSnapshot, after: NetworkSnapshot) {
  const event = diffPath(
    path,
    evaluatePath(path, before),
    evaluatePath(path, after),
  );
  return event && `${event.type} (${event.reason})`;
}

Deno.test("a path is lost with its address, its interface, its carrier", () => {
  const noAddress = snapshot([lo, { ...eth0, addresses: [] }], "10.0.0.1");
  const { carrier: _, ...rest } = eth0;
  const down = snapshot([lo, { ...rest, up: false }]);
  const unplugged = snapshot([lo, { ...eth0, carrier: false }], "10.0.0.1");
  assertEquals(told(far, home, noAddress), "path-lost (address-removed)");
  assertEquals(told(far, home, down), "path-lost (interface-down)");
  assertEquals(told(far, home, unplugged), "path-lost (carrier-lost)");
  assertEquals(told(far, down, home), "path-restored (interface-up)");
  assertEquals(told(far, noAddress, home), "path-restored (address-added)");
  assertEquals(told(far, unplugged, home), "path-restored (carrier-gained)");
  assertEquals(told(far, down, noAddress), undefined);
});

Deno.test("a path is changed when its way out is another, if it uses it", () => {
  const moved = snapshot([lo, eth0], "10.0.0.9");
  const cut = snapshot([lo, eth0]);
  assertEquals(told(far, home, moved), "path-changed (route-changed)");
  assertEquals(told(far, home, cut), "path-changed (route-lost)");
  assertEquals(told(far, cut, home), "path-changed (route-gained)");
  assertEquals(told(near, home, moved), undefined);
  assertEquals(told(near, home, cut), undefined);
  assertEquals(told({ localAddr: "10.0.0.2" }, home, moved), undefined);
});

Deno.test("a path follows its address to another interface", () => {
  const wlan0 = link("wlan0", 3, "10.0.0.2");
  assertEquals(
    told(near, home, snapshot([lo, wlan0], "10.0.0.1")),
    "path-changed (interface-changed)",
  );
  // While both have it, the living one counts.
  const both = snapshot([lo, { ...eth0, carrier: false }, wlan0]);
  assertEquals(evaluatePath(near, both), {
    status: "ok",
    interface: "wlan0",
  });
});

Deno.test("other interfaces and addresses do not touch a path", () => {
  const busier = snapshot(
    [
      lo,
      {
        ...eth0,
        addresses: [...eth0.addresses, ...link("x", 9, "10.0.0.3").addresses],
      },
      link("veth9", 9, "172.17.0.1"),
    ],
    undefined,
    { defaultRoutes: home.defaultRoutes },
  );
  assertEquals(told(far, home, busier), undefined);
});

Deno.test("all of 127.0.0.0/8 lives on the loopback interface", () => {
  const path: Path = { localAddr: "127.9.9.9", remoteAddr: "127.0.0.1" };
  assertEquals(evaluatePath(path, home), { status: "ok", interface: "lo" });
  const down = snapshot([{ ...lo, up: false }, eth0], "10.0.0.1");
  assertEquals(told(path, home, down), "path-lost (interface-down)");
});

Deno.test("addresses are compared as numbers: mapped, zoned, shortened", () => {
  const v6 = link("eth0", 2, "fe80::12:3", "2001:db8::1");
  const state = { status: "ok", interface: "eth0" } as const;
  const here = snapshot([lo, v6]);
  for (const localAddr of ["fe80:0::0012:3%eth0", "2001:DB8:0:0::1"]) {
    assertEquals(evaluatePath({ localAddr }, here), state);
  }
  assertEquals(evaluatePath({ localAddr: "::ffff:10.0.0.2" }, home), state);
  assertEquals(
    evaluatePath({
      localAddr: "::ffff:10.0.0.2",
      remoteAddr: "::ffff:198.18.0.1",
    }, home).via,
    home.effective.IPv4,
  );
  assertEquals(evaluatePath({ localAddr: "0.0.0.0" }, home).status, "ok");
});

Deno.test("toPath() takes connections and texts, and refuses other things", () => {
  assertEquals(
    toPath({
      localAddr: { transport: "tcp", hostname: "10.0.0.2", port: 1 },
      remoteAddr: "[2001:db8::1]",
    }),
    { localAddr: "10.0.0.2", remoteAddr: "2001:db8::1" },
  );
  assertThrows(
    () => toPath({ localAddr: { transport: "unix", path: "/x" } }),
    TypeError,
    'Cannot track a path: "unix" is no IP address',
  );
});
