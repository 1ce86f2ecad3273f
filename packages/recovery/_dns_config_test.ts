import { assertEquals } from "@std/assert";
import {
  fullNames,
  readHosts,
  readResolvConf,
  wireName,
} from "./_dns_config.ts";

Deno.test("the files of the system are read as their pages have it", () => {
  const config = readResolvConf(`# comment
nameserver 192.0.2.1 ; the first
nameserver fe80::1%eth0
nameserver not-an-address
search a.test b.test
options ndots:2 rotate
nameserver 192.0.2.2
nameserver 192.0.2.3`);
  assertEquals(config.servers.map(({ hostname }) => hostname), [
    ...["192.0.2.1", "fe80::1%eth0", "192.0.2.2"],
  ]);
  assertEquals(fullNames("x.y", config), ["x.y.a.test", "x.y.b.test", "x.y"]);
  assertEquals(fullNames("x.y.", config), ["x.y"]);
  assertEquals(fullNames("x.y.z", config)[0], "x.y.z");
  const hosts = "127.0.0.1 localhost # me\n::1 LocalHost\nbad localhost\n";
  assertEquals(readHosts(hosts, "localhost").map(({ address }) => address), [
    ...["127.0.0.1", "::1"],
  ]);
  assertEquals(wireName("bücher.example"), "xn--bcher-kva.example");
  assertEquals(wireName("bücher。example"), "xn--bcher-kva.example");
  assertEquals(wireName("_mqtt._tcp.Example."), "_mqtt._tcp.example.");
});
