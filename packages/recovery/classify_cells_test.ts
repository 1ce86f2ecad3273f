/**
 * What each error number means by each API on each system: one row for a
 * number, one cell for the shape in which it comes; 613 cells in all. The real errors of Linux
 * are in classify_test.ts and in the faults; here stand the shapes of systems
 * that no test runs on, with the numbers of their own headers (errno.h of
 * Linux and of macOS, winsock2.h and winerror.h), and the texts of their
 * resolvers.
 */
import { assertEquals } from "@std/assert";
import type { ErrnoTable } from "./_errno.ts";
import { classify } from "./classify.ts";

type Row = readonly [
  code: string,
  linux: number,
  bsd: number,
  windows: number | undefined,
  verdict: string,
];

const ROWS: readonly Row[] = [
  ["ECONNREFUSED", 111, 61, 10061, "wait refused"],
  ["ECONNRESET", 104, 54, 10054, "retry-now peer-rst"],
  ["ECONNABORTED", 103, 53, 10053, "retry-now peer-rst"],
  ["ENETRESET", 102, 52, 10052, "retry-now peer-rst"],
  ["ENOTCONN", 107, 57, 10057, "retry-now peer-rst"],
  ["EPIPE", 32, 32, 232, "retry-now peer-rst"],
  ["ETIMEDOUT", 110, 60, 10060, "wait syn-blackhole"],
  ["ENETDOWN", 100, 50, 10050, "retry-after-change link-down-new"],
  ["ENETUNREACH", 101, 51, 10051, "retry-after-change route-removed-new"],
  ["EHOSTUNREACH", 113, 65, 10065, "retry-after-change arp-unresolved"],
  ["EHOSTDOWN", 112, 64, 10064, "retry-after-change arp-unresolved"],
  ["EADDRNOTAVAIL", 99, 49, 10049, "wait dad-tentative-bind"],
  ["EAFNOSUPPORT", 97, 47, 10047, "retry-after-change v6-disabled"],
  ["EADDRINUSE", 98, 48, 10048, "wait port-taken"],
  ["EMFILE", 24, 24, 10024, "wait fd-exhausted"],
  ["ENFILE", 23, 23, undefined, "wait fd-exhausted"],
  ["ENOBUFS", 105, 55, 10055, "wait buffers-exhausted"],
  ["ENOPROTOOPT", 92, 42, 10042, "retry-after-change icmp-reject"],
  ["EACCES", 13, 13, 10013, "retry-after-change kill-switch-route"],
  ["EINVAL", 22, 22, 10022, "retry-after-change kill-switch-route"],
  ["EMSGSIZE", 90, 40, 10040, "bug datagram-too-big"],
  ["EBADF", 9, 9, 10009, "bug used-after-close"],
];

/** The shape in which an API gives the error `code` of the number. */
const SHAPES: Readonly<
  Record<string, (code: string, number: number) => unknown>
> = {
  "Deno.connect": (code, number) =>
    Object.assign(new Error(`Whatever it says (os error ${number})`), { code }),
  // The codes that Deno does not know are missing, as ENETDOWN's.
  "Deno.connectTls, text alone": (_, number) =>
    new Error(`Was es auch sagt (os error ${number})`),
  "fetch": (_, number) =>
    new TypeError(
      `error sending request for url (http://[fd00::1]:80/): client error (Connect): tcp connect error: Whatever (os error ${number})`,
    ),
  "fetch, by its cause": (_, number) =>
    new TypeError("fetch failed", {
      cause: new Error(`tcp connect error: Whatever (os error ${number})`),
    }),
  "WebSocket": (_, number) =>
    new DOMException(
      `failed to connect to WebSocket: Whatever (os error ${number})`,
      "NetworkError",
    ),
  "node:net": (code, number) =>
    Object.assign(new Error(`connect ${code} 192.0.2.1:80`), {
      ...{ code, errno: -number, syscall: "connect" },
    }),
  "node:dgram": (code, number) =>
    Object.assign(new Error(`send ${code} 192.0.2.1:80`), {
      ...{ code, errno: -number, syscall: "send" },
    }),
  "node:net, of several addresses": (code, number) =>
    new AggregateError([
      Object.assign(new Error(`connect ${code} ::1:80`), {
        ...{ code, errno: -number, syscall: "connect" },
      }),
    ], ""),
};

for (const system of ["linux", "bsd", "windows"] as const) {
  Deno.test(`classify: every number of ${system} by every API`, () => {
    for (const [code, linux, bsd, windows, verdict] of ROWS) {
      const number = { linux, bsd, windows }[system];
      if (number === undefined) continue;
      for (const [api, make] of Object.entries(SHAPES)) {
        const found = classify(make(code, number), { system });
        assertEquals(
          `${found.action} ${found.failure} ${found.code}`,
          `${verdict} ${code}`,
          `${code}, ${number}, by ${api} on ${system}`,
        );
      }
    }
  });
}

const UNKNOWN_NAME = "retry-after-change dns-rcode-blind";
const NO_RESOLVER = "wait dns-dead";

/** What resolvers say, by system. */
const LOOK_UPS: readonly (readonly [ErrnoTable, string, string])[] = [
  [
    "linux",
    "failed to lookup address information: Name or service not known",
    UNKNOWN_NAME,
  ],
  [
    "linux",
    "failed to lookup address information: No address associated with hostname",
    UNKNOWN_NAME,
  ],
  [
    "linux",
    "failed to lookup address information: Temporary failure in name resolution",
    NO_RESOLVER,
  ],
  // musl
  ["linux", "failed to lookup address information: Try again", NO_RESOLVER],
  [
    "linux",
    "failed to lookup address information: Name does not resolve",
    UNKNOWN_NAME,
  ],
  [
    "bsd",
    "failed to lookup address information: nodename nor servname provided, or not known",
    UNKNOWN_NAME,
  ],
  // FreeBSD
  [
    "bsd",
    "failed to lookup address information: Name does not resolve",
    UNKNOWN_NAME,
  ],
  ["windows", "No such host is known. (os error 11001)", UNKNOWN_NAME],
  [
    "windows",
    "Der angegebene Host ist unbekannt. (os error 11001)",
    UNKNOWN_NAME,
  ],
  [
    "windows",
    "This is usually a temporary error during hostname resolution (os error 11002)",
    NO_RESOLVER,
  ],
  ["windows", "A non-recoverable error (os error 11003)", NO_RESOLVER],
  ["windows", "The requested name is valid (os error 11004)", UNKNOWN_NAME],
];

Deno.test("classify: what resolvers say on each system, by each API", () => {
  for (const [system, text, verdict] of LOOK_UPS) {
    const shapes = {
      "Deno.connect": new Error(text),
      fetch: new TypeError(
        `error sending request for url (http://a.example/): client error (Connect): dns error: ${text}`,
      ),
      "fetch, by its cause": new TypeError("fetch failed", {
        cause: new Error(`dns error: ${text}`),
      }),
      WebSocket: new DOMException(
        `failed to connect to WebSocket: ${text}`,
        "NetworkError",
      ),
    };
    for (const [api, error] of Object.entries(shapes)) {
      const { action, failure } = classify(error, { system });
      assertEquals(`${action} ${failure}`, verdict, `${text} by ${api}`);
    }
  }
});

/** What node says of names: the same codes on every system. */
const NODE_NAMES: Readonly<Record<string, string>> = {
  ENOTFOUND: UNKNOWN_NAME,
  ENODATA: UNKNOWN_NAME,
  EAI_AGAIN: NO_RESOLVER,
  ESERVFAIL: NO_RESOLVER,
  EREFUSED: NO_RESOLVER,
  ETIMEOUT: NO_RESOLVER,
};

Deno.test("classify: node's look-ups by their codes", () => {
  for (const [code, verdict] of Object.entries(NODE_NAMES)) {
    for (const syscall of ["getaddrinfo", "queryA", "queryAaaa"]) {
      const error = Object.assign(new Error(`${syscall} ${code} a.example`), {
        ...{ code, syscall, hostname: "a.example" },
      });
      const { action, failure } = classify(error);
      assertEquals(`${action} ${failure}`, verdict, `${syscall} ${code}`);
    }
  }
});

/** What rustls says: the same on every system. */
const TLS: readonly (readonly [string, string])[] = [
  ["invalid peer certificate: UnknownIssuer", "give-up tls-intercept"],
  ["invalid peer certificate: Expired", "give-up tls-clock"],
  [
    "invalid peer certificate: certificate expired: verification time 1 (UNIX), but certificate is not valid after 0",
    "give-up tls-clock",
  ],
  ["invalid peer certificate: NotValidYet", "give-up tls-clock"],
  [
    'invalid peer certificate: certificate not valid for name "a.example"',
    "give-up tls-wrong-name",
  ],
  [
    "received corrupt message of type InvalidContentType",
    "give-up wrong-protocol",
  ],
  ["received fatal alert: HandshakeFailure", "give-up wrong-protocol"],
  ["tls handshake eof", "retry-now peer-rst"],
  [
    "peer closed connection without sending TLS close_notify",
    "retry-now peer-rst",
  ],
];

Deno.test("classify: what TLS says, by each API", () => {
  for (const [text, verdict] of TLS) {
    const shapes = {
      "Deno.connectTls": Object.assign(new Error(text), {
        name: "InvalidData",
      }),
      fetch: new TypeError(
        `error sending request for url (https://a.example/): client error (Connect): ${text}`,
      ),
      WebSocket: new DOMException(
        `failed to connect to WebSocket: ${text}`,
        "NetworkError",
      ),
    };
    for (const [api, error] of Object.entries(shapes)) {
      const { action, failure } = classify(error);
      assertEquals(`${action} ${failure}`, verdict, `${text} by ${api}`);
    }
  }
});
