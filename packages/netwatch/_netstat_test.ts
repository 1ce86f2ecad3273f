import { assertEquals } from "@std/assert";
import { assemble } from "./_assemble.ts";
import { parseNetstat } from "./_netstat.ts";
import { recorded } from "./testdata/recorded.ts";

const effective = (file: string) =>
  assemble({
    interfaces: [],
    defaultRoutes: parseNetstat(recorded(file)),
    links: false,
    sources: [],
  }).effective;

Deno.test("parseNetstat() tells the primary default from scoped ones of a VPN", () => {
  const routes = parseNetstat(recorded("netstat_macos_vpn.txt"))!;
  assertEquals(
    routes.map(({ family, type, gateway, interface: name }) =>
      `${family} ${type} ${gateway} ${name}`
    ),
    [
      "IPv4 scoped undefined utun7",
      "IPv4 unicast 192.168.2.55 en0",
      "IPv4 scoped 192.168.2.55 en1",
      "IPv6 unicast fe80::1c3:82ff:fed6:7a92 en0",
      "IPv6 scoped undefined utun0",
      "IPv6 scoped undefined utun1",
    ],
  );
  assertEquals(effective("netstat_macos_vpn.txt"), {
    IPv4: { family: "IPv4", interface: "en0", gateway: "192.168.2.55" },
    IPv6: {
      family: "IPv6",
      interface: "en0",
      gateway: "fe80::1c3:82ff:fed6:7a92",
    },
  });
});

Deno.test("parseNetstat() finds the columns of older systems and of FreeBSD", () => {
  assertEquals(effective("netstat_macos_old.txt"), {
    IPv4: { family: "IPv4", interface: "en0", gateway: "10.160.24.1" },
  });
  assertEquals(effective("netstat_freebsd.txt"), {
    IPv4: { family: "IPv4", interface: "xn0", gateway: "172.31.32.1" },
  });
});

Deno.test("parseNetstat() does not take a reject route for a way out", () => {
  const routes = parseNetstat(
    "Internet6:\nDestination Gateway Flags Netif Expire\ndefault ::1 UGRSc lo0\n",
  );
  assertEquals(routes?.[0]?.type, "unreachable");
});

Deno.test("parseNetstat() tells no table from an empty one", () => {
  assertEquals(parseNetstat("netstat: sysctl: not permitted"), undefined);
  assertEquals(
    parseNetstat("Internet:\nDestination Gateway Flags Netif Expire\n"),
    [],
  );
});
