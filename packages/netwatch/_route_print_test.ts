import { assertEquals } from "@std/assert";
import { assemble } from "./_assemble.ts";
import type { DenoRow } from "./_deno_interfaces.ts";
import { parseRoutePrint } from "./_route_print.ts";
import { recorded } from "./testdata/recorded.ts";

const row = (name: string, address: string, scopeid: number | null = null) =>
  ({ name, address, cidr: `${address}/24`, scopeid }) satisfies DenoRow;

Deno.test("parseRoutePrint() reads any language by the shape of rows", () => {
  assertEquals(
    parseRoutePrint(recorded("route_print_fr.txt"), [
      row("Ethernet", "192.168.182.187"),
    ]),
    [{
      family: "IPv4",
      type: "unicast",
      gateway: "192.168.182.1",
      interface: "Ethernet",
      metric: 55,
      table: "main",
    }],
  );
});

Deno.test("parseRoutePrint() takes masks, on-link words and persistent routes for what they are", () => {
  const routes = parseRoutePrint(recorded("route_print_es.txt"), [
    row("VPN", "10.8.0.6"),
    row("Wi-Fi", "192.168.1.34"),
  ])!;
  assertEquals(
    routes.map(({ gateway, interface: name, metric }) => [
      gateway,
      name,
      metric,
    ]),
    [[undefined, "VPN", 35], ["192.168.1.1", "Wi-Fi", 25]],
  );
  // Not the first row: the lowest metric.
  const { effective } = assemble({
    interfaces: [],
    defaultRoutes: routes,
    links: false,
    sources: [],
  });
  assertEquals(effective.IPv4, {
    family: "IPv4",
    interface: "Wi-Fi",
    gateway: "192.168.1.1",
  });
});

Deno.test("parseRoutePrint() reads IPv6 rows, wrapped ones too", () => {
  const routes = parseRoutePrint(recorded("route_print_en_v6.txt"), [
    row("Ethernet", "172.16.69.7"),
    row("Ethernet", "fe80::7", 11),
  ])!;
  assertEquals(
    routes.map(({ family, gateway, interface: name }) => [
      family,
      gateway,
      name,
    ]),
    [
      ["IPv4", "172.16.69.1", "Ethernet"],
      ["IPv6", "fe80::1e5f:2bff:fe01:a2b3", "Ethernet"],
      ["IPv6", undefined, undefined],
    ],
  );
});

Deno.test("parseRoutePrint() survives a code page that it does not know", () => {
  const bytes = new TextEncoder().encode(recorded("route_print_fr.txt"));
  const latin = new TextDecoder("latin1").decode(bytes);
  assertEquals(parseRoutePrint(latin, [])?.length, 1);
});

Deno.test("parseRoutePrint() tells no table from an empty one", () => {
  assertEquals(parseRoutePrint("Access denied", []), undefined);
  assertEquals(
    parseRoutePrint("127.0.0.0 255.0.0.0 On-link 127.0.0.1 331", []),
    [],
  );
});
