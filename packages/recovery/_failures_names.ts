import type { Failure, Platform } from "./failure.ts";

const ALL: readonly Platform[] = ["linux", "darwin", "windows"];

/** Failures of names, certificates, proxies and HTTP. */
export const NAME_FAILURES: readonly Failure[] = [
  {
    id: "dns-dead",
    layer: "dns",
    symptom:
      "Deno.connect and fetch by name take 10 s, Deno.resolveDns 15 s (2 s with a signal), then a text without a code",
    cause: "No name server answers, or the first of them does not",
    platforms: ALL,
    detect: "resolve says recovery/resolver-silent",
    prevent: "Ask the servers at once, and take what was known before",
    example: "const { addresses, stale } = await resolve(name);",
    inject: "both name servers go silent",
    reference: "resolv.conf(5), RFC 8767",
  },
  {
    id: "dns-slow-aaaa",
    layer: "dns",
    symptom:
      "Deno.connect by name takes 15 s, fetch 5 s, although the IPv4 address is known in a millisecond",
    cause: "A middlebox drops questions for AAAA",
    platforms: ALL,
    detect: "A is answered, AAAA is not",
    prevent: "Look the families up on their own, and wait 50 ms for the other",
    example: "const conn = await dial({ hostname: name, port });",
    inject: "a name server that answers no AAAA",
    reference: "RFC 8305 §3, RFC 4074",
  },
  {
    id: "dns-rcode-blind",
    layer: "dns",
    symptom:
      "NXDOMAIN, SERVFAIL, REFUSED and an empty answer all give NotFound",
    cause: "Deno does not hand the rcode on",
    platforms: ALL,
    detect: "resolve tells them apart by code",
    prevent: "Try again after SERVFAIL; after NXDOMAIN only on another network",
    example:
      "await resolve(name); // recovery/no-such-name, recovery/resolver-failed",
    inject: "a name server that gives each rcode",
    reference: "RFC 1035 §4.1.1",
  },
  {
    id: "dns-sinkhole",
    layer: "dns",
    symptom:
      "ConnectionRefused, or the program speaks with a service of its own host",
    code: "ECONNREFUSED",
    cause: "A blocker answers 0.0.0.0 or 127.0.0.1",
    platforms: ALL,
    detect: "An answer in 0.0.0.0/8, 127.0.0.0/8, :: or ::1",
    prevent: "Take it for a failure of the look-up",
    example: "await resolve(name); // recovery/sinkholed",
    inject: "a name server that answers 0.0.0.0",
    reference: "RFC 1122 §3.2.1.3",
  },
  {
    id: "dns-pool-starved",
    layer: "dns",
    symptom:
      "Reading a file takes 9.8 s while look-ups hang, also those that were aborted",
    cause:
      "Each look-up of the system holds one of 32 threads, which files need as well",
    platforms: ALL,
    detect: "The event loop is quick, and files are slow",
    prevent: "Resolve without threads",
    example: "const { addresses } = await resolve(name);",
    inject: "40 look-ups of a dead name server, aborted",
    reference: "https://github.com/nodejs/node/issues/8436",
  },
  {
    id: "tls-intercept",
    layer: "tls",
    symptom: "The handshake throws InvalidData: UnknownIssuer",
    cause: "A proxy opens TLS, or the certificate is signed by itself",
    platforms: ALL,
    detect: "The text; there is no code",
    prevent:
      "Give up at once; pass the authority if it is yours; never ignore it",
    example: "const conn = await dial(target, { tls: { caCerts } });",
    inject: "a server whose authority nobody trusts",
    reference: "RFC 5280 §6",
  },
  {
    id: "tls-clock",
    layer: "tls",
    symptom:
      "The handshake throws InvalidData: Expired, or NotValidYet, for a good certificate",
    cause: "The clock of this host is wrong; or the certificate has expired",
    platforms: ALL,
    detect: "checkClock tells by how much",
    prevent: "Set the clock; never ignore it",
    example: "const aheadMs = await checkClock(url);",
    inject: "libfaketime, a hundred years on",
    reference: "RFC 5280 §4.1.2.5",
  },
  {
    id: "tls-wrong-name",
    layer: "tls",
    symptom: "The handshake throws InvalidData: certificate not valid for name",
    cause: "The certificate is for another host: a wrong address, or a portal",
    platforms: ALL,
    detect: "The text; there is no code",
    prevent: "Give up at once; use the name in the certificate",
    example: "await retry(connect); // one attempt: recovery/gave-up",
    inject: "a server with a certificate for localhost",
    reference: "RFC 9525",
  },
  {
    id: "wrong-protocol",
    layer: "tls",
    symptom: "The handshake throws InvalidData: received corrupt message",
    cause: "The server speaks no TLS on this port",
    platforms: ALL,
    detect: "The text; there is no code",
    prevent: "Give up at once",
    example: "await retry(connect); // one attempt: recovery/gave-up",
    inject: "TLS to a port of plain HTTP",
    reference: "RFC 8446 §6",
  },
  {
    id: "captive-portal",
    layer: "http",
    symptom:
      "A page of somebody else, or TypeError: Maximum number of redirects",
    cause:
      "A hotel or train network answers for every server until one logs in",
    platforms: ALL,
    detect: "A page known to answer 204 does not",
    prevent: "Show the portal to the user, hold traffic, look again",
    example: "const { state } = await checkPortal();",
    inject: "the router redirects port 80 to a portal",
    reference: "RFC 8952",
  },
  {
    id: "proxy-broken",
    layer: "http",
    symptom:
      "fetch fails with ConnectionRefused to an address that nobody asked for, while Deno.connect works",
    code: "ECONNREFUSED",
    cause: "HTTP_PROXY or HTTPS_PROXY names a proxy that is not there",
    platforms: ALL,
    detect: "checkProxies",
    prevent: "Unset the variable, or start the proxy",
    example: "const proxies = await checkProxies(Deno.env.toObject());",
    inject: "HTTP_PROXY with a port where nobody listens",
    reference: "https://docs.deno.com/runtime/reference/env_variables/",
  },
  {
    id: "server-restart-pool",
    layer: "http",
    symptom:
      "A request with a stream as body throws TypeError just after the server restarted",
    cause: "The pool took a connection that the server had closed",
    platforms: ALL,
    detect: "The text: connection closed before message completed, or a reset",
    prevent: "Bodies that can be sent again, and one more attempt at once",
    example:
      "const response = await retry(() => fetch(url, { method, body }));",
    inject: "a server that closes as the next request comes",
    reference: "RFC 9110 §9.2.2",
  },
];
