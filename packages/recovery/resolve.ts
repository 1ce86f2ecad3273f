/**
 * Name look-ups that say what went wrong and wait for no dead server.
 *
 * @module
 */
import { isIP } from "node:net";
import { checkFamilies, checkName, parseServer } from "./_arguments.ts";
import {
  type FamilyAnswer,
  lookUp,
  lookUpHosts,
  type LookupOptions,
  serversFor,
  textOf,
} from "./_dns_query.ts";
import { interleave } from "./_dns_reading.ts";
import type { DnsAnswer, RecordType, ResolvedAddress } from "./_dns_types.ts";
import { checkNumber } from "./_options.ts";
import { RecoveryError, type RecoveryErrorCode } from "./errors.ts";
import { pauseUntil } from "./_pause.ts";

export type { ResolvedAddress } from "./_dns_types.ts";

/** Options for {@linkcode resolve}. */
export interface ResolveOptions {
  /**
   * The servers to ask, as addresses, with a port where it is not 53:
   * `"192.0.2.1"`, `"[2001:db8::1]:5353"`.
   *
   * @default {those of /etc/resolv.conf, which must be readable}
   */
  readonly servers?: readonly string[] | undefined;
  /**
   * The families to look for.
   *
   * @default {["v6", "v4"]}
   */
  readonly families?: readonly ("v4" | "v6")[] | undefined;
  /**
   * How long to wait at the most, in milliseconds.
   *
   * @default {5_000}
   */
  readonly deadlineMs?: number | undefined;
  /**
   * How long a server may be silent before the next one is asked as well, in
   * milliseconds.
   *
   * @default {150}
   */
  readonly headStartMs?: number | undefined;
  /**
   * How long to wait for the other family once one has addresses, in
   * milliseconds (the resolution delay of RFC 8305 §3).
   *
   * @default {50}
   */
  readonly resolutionDelayMs?: number | undefined;
  /**
   * Whether an answer of 127.0.0.0/8 or ::1 is taken. A blocker answers so, and
   * the program would speak with whatever listens on this host.
   *
   * @default {false}
   */
  readonly loopback?: boolean | undefined;
  /**
   * Whether the hosts file goes first, where it can be read.
   *
   * @default {true}
   */
  readonly hosts?: boolean | undefined;
  /** Ends the look-up at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@linkcode resolve} found. */
export interface Resolved {
  /** The addresses: IPv6 and IPv4 in turn, as they are best tried. */
  readonly addresses: readonly ResolvedAddress[];
  /** Whether they are from before, because no server answers now. */
  readonly stale: boolean;
  /** The families that had not been answered for in time. */
  readonly missing: readonly ("v4" | "v6")[];
  /** `host:port` of each server that answered. */
  readonly servers: readonly string[];
}

/**
 * The addresses of a name. What servers say is told apart by the rcode, which
 * `Deno.resolveDns` and `Deno.connect` do not; a dead server costs the head
 * start of the next; a middlebox that swallows AAAA costs 50 ms; when nobody
 * answers, addresses from before serve for a day; an address that no host has
 * is no answer. It holds no thread, so that a hung look-up delays no file; and
 * who asks for a name that is asked for already waits for the same answer.
 *
 * ```ts
 * import { resolve } from "@holdfast/recovery/resolve";
 * import { assertEquals } from "@std/assert";
 *
 * const { addresses } = await resolve("localhost");
 * assertEquals(addresses.some(({ address }) => address === "127.0.0.1"), true);
 * ```
 *
 * It needs `--allow-read=/etc/resolv.conf` unless servers are named, and
 * `--allow-net` for one of the servers; it reads `/etc/hosts` where it may. With
 * `--allow-net=0.0.0.0:0` (`[::]:0` for servers over IPv6) it asks by datagrams,
 * else by TCP.
 *
 * @throws {RecoveryError} `recovery/no-such-name` (NXDOMAIN),
 * `recovery/no-address` (the name is there, without addresses),
 * `recovery/resolver-failed` (SERVFAIL, or no DNS), `recovery/resolver-refused`
 * (REFUSED), `recovery/resolver-silent`, `recovery/sinkholed`,
 * `recovery/no-resolver` (none is named, and none can be read).
 * @throws {Deno.errors.NotCapable} When no server may be asked.
 * @throws {TypeError} When it cannot be a name, a server is no address, or a
 * family is none.
 * @throws What the system says when no socket can be opened, such as EMFILE.
 * @throws The reason of the signal.
 * @see {@link https://www.rfc-editor.org/rfc/rfc8305#section-3 | RFC 8305 §3},
 * {@link https://www.rfc-editor.org/rfc/rfc8767 | RFC 8767}
 */
export async function resolve(
  name: string,
  options: ResolveOptions = {},
): Promise<Resolved> {
  const settled = settle(options);
  const { families = ["v6", "v4"], signal } = options;
  checkFamilies(families);
  signal?.throwIfAborted();
  const version = isIP(name.replace(/%.*$/, ""));
  // IPv4 has no zones.
  if (version === 6 || isIP(name) === 4) {
    const family = version === 4 ? "v4" : "v6";
    if (!families.includes(family)) throw failure(name, "no-data");
    return found([{ address: name, family, ttlSeconds: 0 }], [], []);
  }
  checkName(name);
  if (settled.lookup.hosts) {
    const listed = await lookUpHosts(name);
    const fit = listed.filter(({ family }) => families.includes(family));
    if (fit.length > 0) return found(fit, [], []);
    if (listed.length > 0) throw failure(name, "no-data");
  }
  await checkServers(name, settled.lookup);
  return await bothFamilies(name, families, settled, signal);
}

interface Settled {
  readonly lookup: LookupOptions;
  readonly resolutionDelayMs: number;
}

function settle(options: ResolveOptions): Settled {
  const { deadlineMs = 5_000, headStartMs = 150, resolutionDelayMs = 50 } =
    options;
  for (
    const [key, value] of Object.entries({ deadlineMs, headStartMs })
  ) checkNumber("resolve", key, value, 1, 2 ** 31 - 1);
  checkNumber("resolve", "resolutionDelayMs", resolutionDelayMs, 0, 60_000);
  return {
    lookup: {
      servers: options.servers?.map(parseServer),
      ...{ headStartMs, deadlineMs, loopback: options.loopback ?? false },
      hosts: options.hosts ?? true,
    },
    resolutionDelayMs,
  };
}

async function bothFamilies(
  name: string,
  families: readonly ("v4" | "v6")[],
  { lookup, resolutionDelayMs }: Settled,
  signal: AbortSignal | undefined,
): Promise<Resolved> {
  const over = new AbortController();
  const ends = AbortSignal.any(signal ? [signal, over.signal] : [over.signal]);
  const answers = new Map<"v4" | "v6", FamilyAnswer>();
  const enough = Promise.withResolvers<void>();
  const asking = families.map(async (family) => {
    const type: RecordType = family === "v4" ? "A" : "AAAA";
    answers.set(family, await lookUp(name, type, lookup, ends));
    if (answers.get(family)?.answer.kind === "addresses") enough.resolve();
  });
  const all = Promise.all(asking);
  try {
    await Promise.race([all, enough.promise]);
    await Promise.race([all, pauseUntil(resolutionDelayMs, over.signal)]);
  } finally {
    over.abort();
    await all.catch(() => {});
  }
  signal?.throwIfAborted();
  const addresses = interleave([...answers.values()].map(addressesOf));
  const missing = families.filter((family) =>
    (answers.get(family)?.answer.kind ?? "silent") === "silent"
  );
  if (addresses.length === 0) throw failureOf(name, [...answers.values()]);
  return found(addresses, missing, [...answers.values()]);
}

function found(
  addresses: readonly ResolvedAddress[],
  missing: readonly ("v4" | "v6")[],
  answers: readonly FamilyAnswer[],
): Resolved {
  const servers = answers.map(({ server }) => server)
    .filter((server) => server !== undefined);
  return {
    ...{ addresses, missing, servers: [...new Set(servers)] },
    stale: answers.some(({ stale }) => stale),
  };
}

function addressesOf({ answer }: FamilyAnswer): readonly ResolvedAddress[] {
  return answer.kind === "addresses" ? answer.addresses : [];
}

const FAILURES: Readonly<
  Partial<Record<DnsAnswer["kind"], readonly [RecoveryErrorCode, string]>>
> = {
  "sinkhole": [
    "recovery/sinkholed",
    "it is answered with an address that no host has: a blocker or a portal answers; if it is meant, pass loopback: true",
  ],
  "server-failure": [
    "recovery/resolver-failed",
    "the name server failed: try again later, or name another server",
  ],
  "malformed": [
    "recovery/resolver-failed",
    "what answers is no name server: name another one",
  ],
  "refused": [
    "recovery/resolver-refused",
    "the name server refuses to answer: name another one",
  ],
  "silent": [
    "recovery/resolver-silent",
    "no name server answers: see whether the network is up, or name another server",
  ],
  "no-data": [
    "recovery/no-address",
    "the name is there, and has no address of the families asked for",
  ],
  "no-such-name": [
    "recovery/no-such-name",
    "there is no such name: see how it is spelled",
  ],
};

/** The failure that says most: a server's trouble before a name's. */
function failureOf(
  name: string,
  answers: readonly FamilyAnswer[],
): unknown {
  const kinds = new Set(answers.map(({ answer }) => answer.kind));
  // That there is no such name is true of all its types.
  const kind = kinds.has("no-such-name") && !kinds.has("no-data")
    ? "no-such-name"
    : (Object.keys(FAILURES) as DnsAnswer["kind"][])
      .find((kind) => kinds.has(kind)) ?? "silent";
  const unsent = answers.find(({ answer }) => answer.kind === "unsent");
  if (kind === "silent" && unsent?.answer.kind === "unsent") {
    return unsent.answer.error;
  }
  return failure(name, kind);
}

function failure(name: string, kind: DnsAnswer["kind"]): RecoveryError {
  const [code, why] = FAILURES[kind]!;
  return new RecoveryError(
    code,
    `Cannot resolve ${JSON.stringify(name)}: ${why}`,
  );
}

async function checkServers(
  name: string,
  lookup: LookupOptions,
): Promise<void> {
  const { known, open } = await serversFor(lookup);
  if (open.length > 0) return;
  const what = `Cannot resolve ${JSON.stringify(name)}`;
  if (known.length > 0) {
    throw new Deno.errors.NotCapable(
      `${what}: requires net access to ${
        known.map(textOf).join(" or ")
      }: run again with --allow-net`,
    );
  }
  throw new RecoveryError(
    "recovery/no-resolver",
    `${what}: no name server is known: pass servers, or see that /etc/resolv.conf names one and --allow-read=/etc/resolv.conf is given`,
  );
}
