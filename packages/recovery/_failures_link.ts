import type { Failure, Platform } from "./failure.ts";

const ALL: readonly Platform[] = ["linux", "darwin", "windows"];

/** Failures of the link and of the addresses. */
export const LINK_FAILURES: readonly Failure[] = [
  {
    id: "dad-tentative-bind",
    layer: "ip",
    symptom:
      "listen and bind throw AddrNotAvailable for 1 to 2 s after an address appeared; node:net says EINVAL",
    code: "EADDRNOTAVAIL",
    cause:
      "Duplicate address detection has not finished; the interface list shows the address as usable",
    platforms: ALL,
    detect: "`ip addr` shows the address as tentative",
    prevent: "Bind again until it is over; the verdict is `wait`",
    example:
      "const listener = await retry(() => Deno.listen({ hostname, port }));",
    inject: "ip addr add, then listen at once",
    reference: "RFC 4862 §5.4",
  },
  {
    id: "dad-tentative-source",
    layer: "ip",
    symptom:
      "Deno.connect over IPv6 hangs 134 s from ::1, or fails with EHOSTUNREACH from fe80:: after 1 s, just after a link came up",
    cause:
      "The kernel fixes the source at connect(), and takes no address that is still being checked",
    platforms: ALL,
    detect:
      "`ip route get` names ::1 or fe80:: as source while a global address is tentative",
    prevent:
      "dial looks after 60 ms, waits for the address and connects anew; or wait first",
    example: "await whenUsable({ hostname: address, port });",
    inject: "link down, link up, address added without nodad, connect at once",
    reference: "RFC 4862 §5.4, RFC 6724",
  },
  {
    id: "dad-failed",
    layer: "ip",
    symptom:
      "bind throws AddrNotAvailable for ever, connections over IPv6 hang; the interface list shows the address as usable",
    code: "EADDRNOTAVAIL",
    cause: "Another host on the link has the same IPv6 address",
    platforms: ALL,
    detect: "`ip addr` shows dadfailed; whenUsable says duplicate-address",
    prevent: "Go by the other family; tell the user",
    example:
      'const conn = await dial({ hostname: "name.example", port }); // by IPv4',
    inject: "the router has the address already, the client adds it",
    reference: "RFC 4862 §5.4.5",
  },
  {
    id: "v4-conflict",
    layer: "link",
    symptom: "Connections hang, or are reset now and then; no error tells why",
    cause: "Two hosts on the link have the same IPv4 address",
    platforms: ALL,
    detect:
      "`arping -D` is answered by another hardware address; the doctor says address-conflict",
    prevent: "Go by the other family; renew the lease",
    example:
      "const { causes } = await diagnose({ target }); // address-conflict",
    inject: "the router takes the client's address",
    reference: "RFC 5227",
  },
  {
    id: "arp-unresolved",
    layer: "link",
    symptom: "Deno.connect throws a plain Error after 3.07 s, at every attempt",
    code: "EHOSTUNREACH",
    cause: "The next hop does not answer: three requests, a second apart",
    platforms: ALL,
    detect: "`ip neigh` shows it as FAILED or INCOMPLETE",
    prevent: "Try another address meanwhile",
    example: "const conn = await dial([first, second]); // second after 250 ms",
    inject: "an address on the link that nobody has",
    reference: "RFC 826, RFC 4861 §7.2",
  },
  {
    id: "arp-late",
    layer: "link",
    symptom: "The first connections after a roam time out, later ones work",
    cause: "The access point or switch is still learning where hosts are",
    platforms: ALL,
    detect: "`ip neigh` shows the next hop as INCOMPLETE",
    prevent: "Wait until the next hop answers, and no longer",
    example: "await whenUsable({ hostname: address, port });",
    inject: "the router answers no ARP for 2 s",
    reference: "RFC 826",
  },
  {
    id: "arp-stale-gateway",
    layer: "link",
    symptom:
      "Connections hang for about 9 s after a roam, and no error is thrown",
    cause:
      "The gateway has the same address and another hardware address: the kernel trusts the old one for 5 s and asks three times",
    platforms: ALL,
    detect:
      "`ip neigh` shows the gateway as STALE, DELAY or PROBE while SYNs are sent again",
    prevent: "Go on with new sockets within a deadline of more than 9 s",
    example:
      "const conn = await dial(target, { deadlineMs: 20_000, attemptMs: 20_000 });",
    inject: "ip neigh replace the gateway with a wrong address, stale",
    reference: "RFC 4861 §7.3, RFC 4436",
  },
  {
    id: "link-down-new",
    layer: "link",
    symptom:
      "Deno.connect throws NetworkUnreachable at once; listening still works",
    code: "ENETUNREACH",
    cause: "No interface is up, or none has carrier",
    platforms: ALL,
    detect: "`ip link` shows no LOWER_UP",
    prevent: "Wait for the link instead of burning attempts",
    example: "await whenUsable({ hostname: address, port });",
    inject: "ip link set down, and up again a little later",
    reference: "netdevice(7)",
  },
  {
    id: "route-removed-new",
    layer: "ip",
    symptom: "Deno.connect throws NetworkUnreachable at once",
    code: "ENETUNREACH",
    cause: "There is no route: a lease ran out, or a VPN changes the table",
    platforms: ALL,
    detect: "`ip route get` says unreachable",
    prevent: "Wait for the route",
    example: "await whenUsable({ hostname: address, port });",
    inject: "ip route del default, and back a little later",
    reference: "ip-route(8)",
  },
  {
    id: "kill-switch-route",
    layer: "ip",
    symptom:
      "Deno.connect throws a TypeError (EINVAL), or EACCES: it looks like a mistake of the program",
    code: "EINVAL",
    cause:
      "A blackhole or prohibit route: the kill switch of a VPN that reconnects",
    platforms: ["linux"],
    detect:
      "`ip route` shows blackhole or prohibit; judge by code, never by class",
    prevent: "Go on: the verdict is retry-after-change",
    example: "const conn = await retry(() => Deno.connect(target));",
    inject: "ip route add blackhole, taken back a little later",
    reference: "ip-route(8)",
  },
  {
    id: "icmp-reject",
    layer: "ip",
    symptom:
      "Deno.connect throws EHOSTUNREACH, ENETUNREACH or EACCES; over IPv6 after 1 s",
    code: "EHOSTUNREACH",
    cause:
      "A firewall on the way rejects the packets, or the routing is not there yet",
    platforms: ALL,
    detect: "It fails much sooner than the 3 s of an unresolved neighbour",
    prevent: "Go on with backoff while routers settle",
    example: "const conn = await retry(() => Deno.connect(target));",
    inject: "iptables REJECT on the router, taken back a little later",
    reference: "RFC 1812 §5.2.7",
  },
  {
    id: "v6-broken-dual",
    layer: "ip",
    symptom: "Every Deno.connect by name costs 250 ms more, for ever",
    cause: "IPv6 has addresses and routes, and swallows packets",
    platforms: ALL,
    detect: "IPv4 wins each race",
    prevent: "Remember it: after three lost races IPv4 goes first",
    example: "const conn = await dial({ hostname: name, port });",
    inject: "ip6tables DROP on the router",
    reference: "RFC 8305",
  },
  {
    id: "v6-disabled",
    layer: "ip",
    symptom:
      "Connecting to an IPv6 address throws AddrNotAvailable or NetworkUnreachable; listening on :: still works",
    code: "EADDRNOTAVAIL",
    cause: "IPv6 is switched off on this host",
    platforms: ALL,
    detect: "Binding ::1 fails",
    prevent: "Dial the name, not an address: the other family starts at once",
    example: "const conn = await dial({ hostname: name, port });",
    inject: "sysctl disable_ipv6=1",
    reference: "ip-sysctl (kernel documentation)",
  },
  {
    id: "multihome-dead-uplink",
    layer: "ip",
    symptom: "Connections hang although another interface would work",
    cause:
      "The interface with the best metric swallows packets; the kernel does not look whether anything comes back",
    platforms: ALL,
    detect: "The same target answers from another local address",
    prevent:
      "Dial from each local address (with source rules, as hosts with several uplinks have)",
    example:
      "const { socket } = await dial(uplinks, { connect: connectFrom });",
    inject: "a cable that ends nowhere with the better default route",
    reference: "RFC 6724, ip-rule(8)",
  },
];
