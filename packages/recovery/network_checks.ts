/**
 * Checks of what lies between this host and the Internet: captive portals,
 * clocks, paths that swallow large packets, proxies, tunnels.
 *
 * @module
 */
import { type HttpHead, httpHead } from "./_http_probe.ts";
import { checkNumber } from "./_options.ts";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import type {
  DialTarget,
  DialTcpOptions,
  DialTlsConfig,
} from "./dial_options.ts";
import type { Verdict } from "./verdict.ts";

/** Options of every check. */
export interface CheckOptions {
  /**
   * How long it may take, in milliseconds.
   *
   * @default {2_000}
   */
  readonly timeoutMs?: number | undefined;
  /** How to connect; names by the resolver of this package by default. */
  readonly dial?: DialTcpOptions | undefined;
  /** How to do TLS, for `https:`. */
  readonly tls?: DialTlsConfig | undefined;
  /** Ends it at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@linkcode checkPortal} found. */
export type PortalState =
  | { readonly state: "free" }
  /** Somebody else answers; `location` is where they send the user. */
  | { readonly state: "portal"; readonly location: string | undefined }
  /** No answer that would tell. */
  | { readonly state: "unknown"; readonly why: string };

/** Where a page of status 204 is kept for this purpose. */
export const PORTAL_URL = "http://connectivitycheck.gstatic.com/generate_204";

/**
 * Whether a captive portal answers for every server until one logs in: asks for
 * a page that is known to answer 204, over plain HTTP, without following where
 * it is sent.
 *
 * ```ts
 * import { checkPortal } from "@holdfast/recovery/checks";
 * import { assertEquals } from "@std/assert";
 *
 * const server = Deno.serve(
 *   { hostname: "127.0.0.1", port: 0, onListen() {} },
 *   () => Response.redirect("http://login.hotel.example/"),
 * );
 * const { port } = server.addr;
 * const { state } = await checkPortal(`http://127.0.0.1:${port}/generate_204`);
 * assertEquals(state, "portal");
 * await server.shutdown();
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8952 | RFC 8952}
 */
export async function checkPortal(
  url: string = PORTAL_URL,
  options: CheckOptions = {},
): Promise<PortalState> {
  const asked = new URL(url);
  // So that no cache answers.
  asked.searchParams.set("t", `${Date.now()}`);
  const head = await ask(asked, options).catch((error) => classify(error).why);
  if (typeof head === "string") return { state: "unknown", why: head };
  if (head === undefined) {
    return { state: "unknown", why: "The server does not speak HTTP" };
  }
  const { status, headers } = head;
  if (status === 204) return { state: "free" };
  const location = headers.get("location");
  const isOther = status === 511 || status === 200 ||
    status >= 300 && status < 400;
  return isOther
    ? { state: "portal", location }
    : { state: "unknown", why: `The server answered ${status}` };
}

/**
 * By how much this host's clock is ahead of a server's, in milliseconds, to a
 * second: HTTP tells the time in seconds. A wrong clock makes good certificates
 * look expired, or not valid yet.
 *
 * @returns `undefined` when the server tells no time.
 */
export async function checkClock(
  url: string,
  options: CheckOptions = {},
): Promise<number | undefined> {
  const head = await ask(new URL(url), options).catch(() => undefined);
  const date = Date.parse(head?.headers.get("date") ?? "");
  if (head === undefined || Number.isNaN(date)) return undefined;
  // The second began up to a second ago, half an answer's way before now.
  return Date.now() - head.ms / 2 - (date + 500);
}

/** What {@linkcode checkPathMtu} found. */
export type MtuState = "black-hole" | "passes" | "unknown";

/**
 * Whether the path to an HTTP server swallows large packets in silence: a
 * router drops what does not fit, and the word that says so is dropped as well.
 * A small request is answered, one of several full packets is not, and the same
 * bytes in small packets are. Then write at most 1000 bytes at once (see
 * `writeAll`), or have the system probe (`net.ipv4.tcp_mtu_probing=1`).
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc4821 | RFC 4821}
 */
export async function checkPathMtu(
  url: string,
  options: CheckOptions = {},
): Promise<MtuState> {
  const { timeoutMs = 2_000 } = options;
  const answers = (more: object): Promise<boolean> =>
    ask(new URL(url), { ...options, ...more }).then(
      (head) => head !== undefined,
      () => false,
    );
  const large = { padBytes: LARGE_BYTES };
  const [small, whole] = await Promise.all([
    answers({}),
    answers({ ...large, timeoutMs: timeoutMs * 0.6 }),
  ]);
  if (!small) return "unknown";
  if (whole) return "passes";
  const pieces = { ...large, pieceBytes: 1_000, timeoutMs: timeoutMs * 0.4 };
  return await answers(pieces) ? "black-hole" : "unknown";
}

const LARGE_BYTES = 4_000;

function ask(
  url: URL,
  options: CheckOptions & {
    readonly padBytes?: number;
    readonly pieceBytes?: number;
  },
): Promise<HttpHead | undefined> {
  const { timeoutMs = 2_000, signal, padBytes, pieceBytes } = options;
  checkNumber("check", "timeoutMs", timeoutMs, 1, 2 ** 31 - 1);
  return httpHead({
    ...{ url, timeoutMs, signal },
    ...(padBytes !== undefined && { padBytes }),
    ...(pieceBytes !== undefined && { pieceBytes }),
    ...(options.dial !== undefined && { dial: options.dial }),
    ...(options.tls !== undefined && { tls: options.tls }),
  });
}

/** One proxy that the environment names. */
export interface ProxyState {
  /** The variable, such as `HTTPS_PROXY`. */
  readonly variable: string;
  /** `host:port`; credentials are left out. */
  readonly address: string;
  /** `undefined` when it answers, else what is wrong. */
  readonly failure: Verdict | undefined;
}

const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/**
 * Which proxies the environment names, and whether they answer. `fetch` uses
 * them, and `Deno.connect` does not: so one works where the other does not.
 */
export async function checkProxies(
  environment: Readonly<Record<string, string | undefined>>,
  options: CheckOptions = {},
): Promise<ProxyState[]> {
  const named = PROXY_VARIABLES.flatMap((name) =>
    [name, name.toLowerCase()].flatMap((variable) => {
      const target = proxyOf(environment[variable]);
      return target === undefined ? [] : [{ variable, target }];
    })
  );
  return await Promise.all(named.map(async ({ variable, target }) => {
    const { hostname, port } = target;
    const failure = await dial(target, {
      ...{ deadlineMs: options.timeoutMs ?? 2_000, retry: () => false },
      ...options.dial,
      signal: options.signal,
    }).then((conn) => conn.close(), (error) => classify(error));
    return {
      ...{ variable, address: `${hostname}:${port}` },
      failure: failure ?? undefined,
    };
  }));
}

function proxyOf(text: string | undefined): DialTarget | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    const url = new URL(text.includes("://") ? text : `http://${text}`);
    const known: Record<string, number> = { "https:": 443, "socks5:": 1080 };
    const port = Number(url.port) || (known[url.protocol] ?? 80);
    return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port };
  } catch {
    return undefined;
  }
}

/** How the names of interfaces of tunnels begin. */
const TUNNEL =
  /^(?:tun|tap|wg|ppp|utun|ipsec|gpd|nordlynx|proton|tailscale)\d*/;

/**
 * The tunnel that traffic leaves by, from `ip -j route show default` and the
 * like: a VPN changes addresses, names and the largest packet; pure.
 */
export function tunnelOf(
  routes: readonly { readonly dev?: string | undefined }[],
): string | undefined {
  return routes.find(({ dev }) => dev !== undefined && TUNNEL.test(dev))?.dev;
}
