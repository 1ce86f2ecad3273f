import type { Failure, Platform } from "./failure.ts";

const EVERYWHERE: readonly Platform[] = ["linux", "darwin", "windows"];
const UNIX: readonly Platform[] = ["linux", "darwin"];

/**
 * The catalogue of failures: every id that {@linkcode classify} can name, in
 * the order of the alphabet.
 *
 * ```ts
 * import { classify, failures } from "@holdfast/recovery";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * const { failure } = classify({ code: "ECONNREFUSED" });
 * const entry = failures.find(({ id }) => id === failure);
 * assertEquals(entry?.layer, "tcp");
 * assertStringIncludes(entry?.prevent ?? "", "jitter");
 * ```
 */
export const failures: readonly Failure[] = Object.freeze<Failure[]>([
  {
    id: "arp-unresolved",
    layer: "link",
    symptom:
      "EHOSTUNREACH as a plain Error, about 3 s after each attempt, or at once from an ICMP host-unreachable",
    cause:
      "The gateway or the on-link peer does not answer address resolution (ARP, NDP): it is off, or the switch still learns after a roam",
    platforms: EVERYWHERE,
    detect: "`ip neigh` shows the next hop as FAILED or INCOMPLETE",
    prevent:
      "Limit each attempt to about a second, try another address or interface, dial again when the neighbour answers",
  },
  {
    id: "buffers-exhausted",
    layer: "system",
    symptom: "ENOBUFS or ENOMEM from any socket call",
    cause: "The kernel is out of socket buffers or memory",
    platforms: EVERYWHERE,
    detect: "The code alone",
    prevent: "Bound every queue, close what is idle, try again later",
  },
  {
    id: "captive-portal",
    layer: "http",
    symptom:
      "TypeError: Maximum number of redirects, or a page of someone else",
    cause:
      "A hotel or train network answers for every server until one logs in",
    platforms: EVERYWHERE,
    detect:
      "A request for a page known to answer 204 is redirected (redirect: manual)",
    prevent: "Show the portal to the user, hold traffic, and look again",
  },
  {
    id: "dad-tentative-bind",
    layer: "ip",
    symptom:
      "EADDRNOTAVAIL from listen or bind for 1 to 2 s after an address appeared; node:net says EINVAL",
    cause:
      "Duplicate address detection has not finished (RFC 4862); or the address is gone, failed the detection, or all local ports to this peer are used up",
    platforms: EVERYWHERE,
    detect:
      "Flag 0x40 in /proc/net/if_inet6; the interface list does not show it",
    prevent: "Wait until the address is no longer tentative, then bind",
  },
  {
    id: "datagram-too-big",
    layer: "udp",
    symptom: "EMSGSIZE from send",
    cause: "The datagram is larger than 65 507 bytes, or than the path allows",
    platforms: EVERYWHERE,
    detect: "The code alone",
    prevent: "Send at most 1200 bytes a datagram",
  },
  {
    id: "dns-dead",
    layer: "dns",
    symptom: "Temporary failure in name resolution, after 10 to 15 s",
    cause: "No resolver answers, or it answers SERVFAIL",
    platforms: EVERYWHERE,
    detect: "An address connects where a name does not",
    prevent: "Ask two resolvers at once, keep the last good answer",
  },
  {
    id: "dns-rcode-blind",
    layer: "dns",
    symptom:
      "Name or service not known; Deno.resolveDns throws the same NotFound for NXDOMAIN, SERVFAIL, REFUSED and an empty answer",
    cause:
      "The name does not exist, or the resolver of a network just joined does not know it yet, or no descriptor was free for the look-up",
    platforms: EVERYWHERE,
    detect: "Read the response code with a DNS client of one's own",
    prevent:
      "Do not repeat it in a loop, but distrust it within 10 s after a network change",
  },
  {
    id: "fd-exhausted",
    layer: "system",
    symptom:
      "EMFILE or ENFILE as a plain Error from connect, accept or listen; one of them ends Deno.serve and `for await` over a listener",
    cause:
      "The limit of open files is reached: too many connections, or a leak",
    platforms: UNIX,
    detect: "Compare the number of entries of /proc/self/fd with `ulimit -n`",
    prevent: "Close on every path, pause accepting, raise the limit",
  },
  {
    id: "icmp-reject",
    layer: "ip",
    symptom: "ENOPROTOOPT or EPROTO from connect, at once",
    cause: "A firewall on the way rejects the packet and says so by ICMP",
    platforms: EVERYWHERE,
    detect: "It comes within a round trip, unlike a dropped packet",
    prevent:
      "Treat the target as blocked, not as down: use another port or path",
  },
  {
    id: "kill-switch-route",
    layer: "ip",
    symptom: "EINVAL as a TypeError, or EACCES, from connect, within ms",
    cause:
      "A blackhole or prohibit route, as the kill switch of a VPN sets; an ICMP that forbids; or a link-local address without scope",
    platforms: UNIX,
    detect: "`ip route get ADDRESS` fails the same way",
    prevent: "Wait for a route change; never judge by the class TypeError",
  },
  {
    id: "link-down-new",
    layer: "link",
    symptom: "ENETDOWN from a new connection, at once",
    cause: "The interface is down or has no carrier",
    platforms: EVERYWHERE,
    detect: "operstate of the interface, or an event of the network",
    prevent: "Wait for the event, do not burn attempts",
  },
  {
    id: "local-fw-udp",
    layer: "udp",
    symptom: "EPERM from a UDP send, while TCP just hangs",
    cause: "The firewall of this very host drops what goes out",
    platforms: ["linux"],
    detect: "The code, on a send",
    prevent: "Count the datagram as lost, tell the user about the firewall",
  },
  {
    id: "peer-rst",
    layer: "tcp",
    symptom:
      "ECONNRESET once, from read or from write, and EPIPE from every later write; or a cut in the middle of a message",
    cause:
      "The peer crashed, was restarted, or something between cut an idle flow",
    platforms: EVERYWHERE,
    detect: "Remember the first error: after it, a read looks like a clean end",
    prevent:
      "Connect again at once; never trust the end of a stream without framing",
  },
  {
    id: "permission-missing",
    layer: "program",
    symptom: "NotCapable: Requires net access to …",
    cause: "Deno runs without the permission flag",
    platforms: EVERYWHERE,
    detect: "The name NotCapable",
    prevent: "Run with the flag that the message names; never try again",
  },
  {
    id: "port-taken",
    layer: "system",
    symptom: "EADDRINUSE from listen",
    cause:
      "Another program (or the one that this replaces) listens there; with port 0, all ephemeral ports are in use",
    platforms: EVERYWHERE,
    detect: "`ss -ltnp` names the holder",
    prevent:
      "Take over the socket from the old program, or wait until it is gone",
  },
  {
    id: "refused",
    layer: "tcp",
    symptom: "ECONNREFUSED after one round trip",
    cause:
      "Nobody listens there now: not started yet, restarting, or a wrong port",
    platforms: EVERYWHERE,
    detect: "The code alone",
    prevent:
      "Try again with backoff and full jitter: a bare loop made 30 000 attempts a second",
  },
  {
    id: "route-removed-new",
    layer: "ip",
    symptom: "ENETUNREACH from a new connection, at once",
    cause:
      "There is no route: offline, between two networks, or no such family",
    platforms: EVERYWHERE,
    detect: "`ip route get ADDRESS` fails the same way",
    prevent: "Wait for a route, do not burn attempts",
  },
  {
    id: "server-restart-pool",
    layer: "http",
    symptom: "fetch failed: connection closed before message completed",
    cause:
      "A pooled connection was closed by the server just as it was used again",
    platforms: EVERYWHERE,
    detect: "The text of the cause",
    prevent:
      "Repeat requests that may be repeated; give others an idempotency key",
  },
  {
    id: "syn-blackhole",
    layer: "tcp",
    symptom: "Nothing for 135 s, then ETIMEDOUT; or your own time-out",
    cause: "Packets vanish: a firewall drops them, or the host is off",
    platforms: EVERYWHERE,
    detect: "Only by a deadline of one's own",
    prevent: "A total deadline always, short attempts, other candidates beside",
  },
  {
    id: "tls-clock",
    layer: "tls",
    symptom: "InvalidData: certificate expired, or not valid yet",
    cause: "The certificate ran out, or the clock of this machine is wrong",
    platforms: EVERYWHERE,
    detect: "Compare the clock with the Date header of any server",
    prevent: "Set the clock, renew the certificate; never ignore it",
  },
  {
    id: "tls-intercept",
    layer: "tls",
    symptom: "InvalidData: UnknownIssuer",
    cause: "A self-signed or private certificate, or a proxy that reads along",
    platforms: EVERYWHERE,
    detect: "Look at the issuer of the certificate",
    prevent: "Pass the right authority in caCerts; never switch the check off",
  },
  {
    id: "tls-wrong-name",
    layer: "tls",
    symptom: "InvalidData: certificate not valid for name",
    cause: "Another server answers under this address, or a portal does",
    platforms: EVERYWHERE,
    detect: "The message lists the names that the certificate is for",
    prevent: "Dial the name that the certificate has",
  },
  {
    id: "used-after-close",
    layer: "program",
    symptom: "BadResource, EBADF or ENOTSOCK",
    cause: "The program uses a connection or listener that it closed itself",
    platforms: EVERYWHERE,
    detect: "The text alone",
    prevent: "One owner for each connection; stop its loops before closing it",
  },
  {
    id: "v6-disabled",
    layer: "ip",
    symptom: "EAFNOSUPPORT, or EADDRNOTAVAIL for ::1",
    cause: "IPv6 is switched off on this machine",
    platforms: EVERYWHERE,
    detect: "Binding ::1 fails",
    prevent: "Offer an IPv4 candidate beside",
  },
  {
    id: "wrong-protocol",
    layer: "tls",
    symptom:
      "InvalidData: received corrupt message of type InvalidContentType, or: invalid HTTP version parsed",
    cause:
      "The server does not speak what was expected: TLS against plain text",
    platforms: EVERYWHERE,
    detect: "The text alone",
    prevent: "Check the port and the scheme",
  },
]);
