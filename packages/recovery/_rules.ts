import type { FailureId } from "./failure.ts";
import type { Action } from "./verdict.ts";

/** What one sign (a code or a text) means. */
export type Meaning = readonly [
  action: Action,
  failure: FailureId | undefined,
  why: string,
];

const REFUSED: Meaning = ["wait", "refused", "Nobody listens there now"];
const RESET: Meaning = ["retry-now", "peer-rst", "The connection was cut"];
const SILENT: Meaning = ["wait", "syn-blackhole", "No answer came in time"];
const NO_LINK: Meaning = [
  "retry-after-change",
  "link-down-new",
  "The network interface is down",
];
const NO_ROUTE: Meaning = [
  "retry-after-change",
  "route-removed-new",
  "There is no route to the address",
];
const NO_HOST: Meaning = [
  "retry-after-change",
  "arp-unresolved",
  "The host or the gateway does not answer",
];
const NO_ADDRESS: Meaning = [
  "wait",
  "dad-tentative-bind",
  "The local address cannot be used (yet), or no local port is free",
];
const NO_FAMILY: Meaning = [
  "retry-after-change",
  "v6-disabled",
  "The address family is switched off here",
];
const NO_FILES: Meaning = ["wait", "fd-exhausted", "Too many files are open"];
const NO_BUFFERS: Meaning = [
  "wait",
  "buffers-exhausted",
  "The system is out of buffers",
];
const FORBIDDEN_ROUTE: Meaning = [
  "retry-after-change",
  "kill-switch-route",
  "A route or a firewall forbids the address",
];
const REJECTED: Meaning = [
  "retry-after-change",
  "icmp-reject",
  "A firewall on the way rejects it",
];
const UNKNOWN_NAME: Meaning = [
  "retry-after-change",
  "dns-rcode-blind",
  "The name cannot be found from here now",
];
const NO_RESOLVER: Meaning = ["wait", "dns-dead", "No resolver answers"];
const UNTRUSTED: Meaning = [
  "give-up",
  "tls-intercept",
  "The certificate is not from a trusted authority",
];
const WRONG_TIME: Meaning = [
  "give-up",
  "tls-clock",
  "The certificate is not valid at this time",
];
const WRONG_NAME: Meaning = [
  "give-up",
  "tls-wrong-name",
  "The certificate is for another name",
];
const WRONG_PROTOCOL: Meaning = [
  "give-up",
  "wrong-protocol",
  "The server speaks another protocol",
];
const POOLED: Meaning = [
  "retry-now",
  "server-restart-pool",
  "The server closed the connection before it answered",
];
const AFTER_CLOSE: Meaning = [
  "bug",
  "used-after-close",
  "The program uses what it has closed",
];
const BAD_ARGUMENT: Meaning = [
  "bug",
  undefined,
  "The program passes an argument that cannot be right",
];
const AGAIN: Meaning = ["retry-now", undefined, "The call was interrupted"];
const OWN_CLOSE: Meaning = [
  "give-up",
  undefined,
  "The program closed or cancelled it itself",
];

/** Meanings by code: POSIX names, node's look-up and TLS codes, undici's. */
export const BY_CODE: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ECONNREFUSED", REFUSED],
  ["ECONNRESET", RESET],
  ["ECONNABORTED", RESET],
  ["ENETRESET", RESET],
  ["EPIPE", RESET],
  ["ENOTCONN", RESET],
  ["ESHUTDOWN", RESET],
  ["UND_ERR_SOCKET", RESET],
  ["ETIMEDOUT", SILENT],
  ["UND_ERR_CONNECT_TIMEOUT", SILENT],
  ["UND_ERR_HEADERS_TIMEOUT", SILENT],
  ["UND_ERR_BODY_TIMEOUT", SILENT],
  ["ENETDOWN", NO_LINK],
  ["ENETUNREACH", NO_ROUTE],
  ["EHOSTUNREACH", NO_HOST],
  ["EHOSTDOWN", NO_HOST],
  ["EADDRNOTAVAIL", NO_ADDRESS],
  ["EAFNOSUPPORT", NO_FAMILY],
  ["EMFILE", NO_FILES],
  ["ENFILE", NO_FILES],
  ["ENOBUFS", NO_BUFFERS],
  ["ENOMEM", NO_BUFFERS],
  ["EINVAL", FORBIDDEN_ROUTE],
  ["EACCES", FORBIDDEN_ROUTE],
  ["ENOPROTOOPT", REJECTED],
  ["EPROTO", REJECTED],
  ["EPERM", [
    "wait",
    "local-fw-udp",
    "The firewall of this host drops what goes out",
  ]],
  ["EMSGSIZE", [
    "bug",
    "datagram-too-big",
    "The datagram is too big",
  ]],
  ["EADDRINUSE", ["wait", "port-taken", "The port is taken"]],
  ["ENOTFOUND", UNKNOWN_NAME],
  ["ENODATA", UNKNOWN_NAME],
  ["EAI_NONAME", UNKNOWN_NAME],
  ["EAI_NODATA", UNKNOWN_NAME],
  ["EAI_AGAIN", NO_RESOLVER],
  ["EAI_FAIL", NO_RESOLVER],
  ["ESERVFAIL", NO_RESOLVER],
  ["ETIMEOUT", NO_RESOLVER],
  ["EREFUSED", NO_RESOLVER],
  ["recovery/no-such-name", [
    "retry-after-change",
    "dns-rcode-blind",
    "There is no such name, or not from this network",
  ]],
  ["recovery/no-address", [
    "retry-after-change",
    "dns-rcode-blind",
    "The name has no address of this family",
  ]],
  ["recovery/resolver-failed", NO_RESOLVER],
  ["recovery/resolver-refused", [
    "retry-after-change",
    "dns-dead",
    "The name server refuses to answer",
  ]],
  ["recovery/resolver-silent", NO_RESOLVER],
  ["recovery/sinkholed", [
    "retry-after-change",
    "dns-sinkhole",
    "A blocker or a portal answers for the name server",
  ]],
  ["recovery/no-resolver", [
    "give-up",
    undefined,
    "No name server is known to this program",
  ]],
  ["recovery/write-stalled", [
    "retry-now",
    "slow-reader",
    "The other side takes nothing more",
  ]],
  ["recovery/peer-ended", [
    "retry-now",
    "half-close",
    "The other side has ended its stream",
  ]],
  ["recovery/open-circuit", [
    "wait",
    undefined,
    "It failed too often of late to be called now",
  ]],
  ["EAGAIN", AGAIN],
  ["EWOULDBLOCK", AGAIN],
  ["EINTR", AGAIN],
  ["ECANCELED", OWN_CLOSE],
  ["ABORT_ERR", OWN_CLOSE],
  ["EBADF", AFTER_CLOSE],
  ["ENOTSOCK", AFTER_CLOSE],
  ["EFAULT", BAD_ARGUMENT],
  ["EISCONN", BAD_ARGUMENT],
  ["EALREADY", BAD_ARGUMENT],
  ["EINPROGRESS", BAD_ARGUMENT],
  ["EPROTOTYPE", BAD_ARGUMENT],
  ["ERR_INVALID_ARG_TYPE", BAD_ARGUMENT],
  ["ERR_INVALID_ARG_VALUE", BAD_ARGUMENT],
  ["ERR_INVALID_URL", BAD_ARGUMENT],
  ["ERR_OUT_OF_RANGE", BAD_ARGUMENT],
  ["ERR_SOCKET_BAD_PORT", BAD_ARGUMENT],
  ["ENOENT", ["give-up", undefined, "The path does not exist"]],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", UNTRUSTED],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNTRUSTED],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED],
  ["CERT_HAS_EXPIRED", WRONG_TIME],
  ["CERT_NOT_YET_VALID", WRONG_TIME],
  ["ERR_TLS_CERT_ALTNAME_INVALID", WRONG_NAME],
]);

/**
 * Meanings by text, for errors that carry neither a code nor a number. The
 * first that matches counts. Texts of look-ups come from the C library and may
 * be translated: then none matches, and the verdict is the cautious one.
 */
export const BY_TEXT: readonly (readonly [RegExp, Meaning])[] = [
  [/UnknownIssuer|UnknownCA|SelfSigned/, UNTRUSTED],
  [
    /invalid peer certificate: (?:Expired|NotValidYet|certificate (?:expired|not valid yet))/,
    WRONG_TIME,
  ],
  [/certificate not valid for name|NotValidForName/, WRONG_NAME],
  [/invalid peer certificate/, UNTRUSTED],
  [/received corrupt message|invalid HTTP version parsed/, WRONG_PROTOCOL],
  [/received fatal alert/, WRONG_PROTOCOL],
  [/connection closed before message completed/, POOLED],
  [/tls handshake eof|peer closed connection without sending TLS/, RESET],
  [/error reading a body from connection|unexpected end of file/i, RESET],
  [/^connection reset/i, RESET],
  [
    // The last one is what musl says.
    /temporary failure in name resolution|EAI_AGAIN|address information: try again/i,
    NO_RESOLVER,
  ],
  [/proto error: request timed out|no connections available/i, NO_RESOLVER],
  [
    /failed to lookup address information|name or service not known|nodename nor servname|no such host is known|no records found|no address associated/i,
    UNKNOWN_NAME,
  ],
  [/Maximum number of redirects/, [
    "retry-after-change",
    "captive-portal",
    "Every answer is a redirect",
  ]],
  [/operation cancell?ed/i, OWN_CLOSE],
  [/(?:Listener|Server|Socket) has been closed/i, OWN_CLOSE],
  [/Bad resource ID/, AFTER_CLOSE],
  [
    /^Invalid (?:URL|port)|Requests to port \d+ are blocked/,
    BAD_ARGUMENT,
  ],
];

/** What remains when nothing in an error, or below it, says more. */
export const BY_WEAK_TEXT: readonly (readonly [RegExp, Meaning])[] = [
  [
    /^fetch failed$|failed to connect to WebSocket|error sending request/,
    ["wait", undefined, "The request failed for a reason that is not told"],
  ],
];

/** Meanings of names that are themselves the message. */
export const BY_NAME: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["NotCapable", [
    "give-up",
    "permission-missing",
    "Deno runs without the permission",
  ]],
  ["AbortError", OWN_CLOSE],
]);

/** Names that speak only where nothing below them does. */
export const BY_WEAK_NAME: ReadonlyMap<string, Meaning> = new Map<
  string,
  Meaning
>([
  ["TimeoutError", SILENT],
  ["TimedOut", SILENT],
  ["TypeError", BAD_ARGUMENT],
  ["RangeError", BAD_ARGUMENT],
  ["ReferenceError", BAD_ARGUMENT],
  ["SyntaxError", BAD_ARGUMENT],
]);

/** What is said of everything else. */
export const UNKNOWN: Meaning = [
  "give-up",
  undefined,
  "The error is not known to be one that trying again can heal",
];
