/**
 * The shell of a look-up: configuration of the system, cache, one question a
 * family. What it decides stands in the pure files beside it.
 */
import { isIP } from "node:net";
import { DnsCache } from "./_dns_cache.ts";
import {
  type DnsConfig,
  fullNames,
  readHosts,
  readResolvConf,
  wireName,
} from "./_dns_config.ts";
import { askServer } from "./_dns_exchange.ts";
import { raceServers } from "./_dns_race.ts";
import type {
  DnsAnswer,
  DnsServer,
  RecordType,
  ResolvedAddress,
} from "./_dns_types.ts";
import { pauseUntil } from "./_pause.ts";
import { mayReach } from "./_permissions.ts";

/** What a look-up of one family brought. */
export interface FamilyAnswer {
  readonly answer: DnsAnswer;
  /** Kept from before, because nobody answered now. */
  readonly stale: boolean;
  /** `host:port` of the server; `undefined`: cache, hosts file, nobody. */
  readonly server: string | undefined;
}

/** How to look up. */
export interface LookupOptions {
  readonly servers: readonly DnsServer[] | undefined;
  readonly headStartMs: number;
  readonly deadlineMs: number;
  readonly loopback: boolean;
  readonly hosts: boolean;
}

const ROUNDS = 4;
/** RFC 8767 §5 has clients wait 1.8 s before they take what is stale. */
const STALE_AFTER_MS = 1_800;
const RESOLV_CONF = "/etc/resolv.conf";
const HOSTS = "/etc/hosts";

const cache = new DnsCache();
/**
 * The questions under way: the same one is not asked twice at once, which would
 * also make forged answers likelier to fit (RFC 5452 §5).
 */
const flights = new Map<string, Promise<Outcome>>();
type Outcome = readonly [DnsAnswer, DnsServer | undefined];
/** Who answered last, by the servers that were to choose from. */
const answered = new Map<string, string>();
const LISTS_MAX = 32;

/** The servers of the options, or of the system; and those that may be asked. */
export async function serversFor(
  options: Pick<LookupOptions, "servers">,
): Promise<
  {
    readonly known: readonly DnsServer[];
    readonly open: readonly DnsServer[];
  }
> {
  const { servers } = await configOf(options);
  const open = servers.filter(({ hostname, port }) => mayReach(hostname, port));
  return { known: servers, open };
}

/** The addresses that the hosts file gives; `localhost` always is. */
export async function lookUpHosts(name: string): Promise<ResolvedAddress[]> {
  const listed = mayRead(HOSTS) ? readHosts(await text(HOSTS), name) : [];
  if (listed.length > 0 || !/^(?:.*\.)?localhost\.?$/i.test(name)) {
    return listed;
  }
  // RFC 6761 §6.3: never ask a server for it.
  return [
    { address: "::1", family: "v6", ttlSeconds: 0 },
    { address: "127.0.0.1", family: "v4", ttlSeconds: 0 },
  ];
}

/** Asks for the records of one type. It rejects with the signal's reason only. */
export async function lookUp(
  name: string,
  type: RecordType,
  options: LookupOptions,
  signal: AbortSignal | undefined,
): Promise<FamilyAnswer> {
  const config = await configOf(options);
  const servers = config.servers.filter(({ hostname, port }) =>
    mayReach(hostname, port)
  );
  const names = fullNames(name, config).map(wireName)
    .filter((name) => name !== undefined);
  let last: FamilyAnswer = {
    ...{ answer: { kind: "no-such-name" }, stale: false, server: undefined },
  };
  for (const full of names) {
    last = await lookUpOne(full, type, servers, options, signal);
    // A shorter name is somebody else's, if this one may be there.
    if (last.answer.kind !== "no-such-name") break;
  }
  return last;
}

async function lookUpOne(
  name: string,
  type: RecordType,
  servers: readonly DnsServer[],
  options: LookupOptions,
  signal: AbortSignal | undefined,
): Promise<FamilyAnswer> {
  const list = servers.map(textOf).join();
  const key = `${type} ${name} ${list} ${options.loopback}`;
  const fresh = cache.fresh(key, performance.now());
  if (fresh !== undefined) {
    return { answer: addresses(fresh), stale: false, server: undefined };
  }
  const known = cache.stale(key, performance.now());
  const deadlineMs = known === undefined
    ? options.deadlineMs
    : Math.min(options.deadlineMs, STALE_AFTER_MS);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), deadlineMs);
  const ends = signal ? [signal, limit.signal] : [limit.signal];
  try {
    const { headStartMs, loopback } = options;
    const [answer, server] = await together(
      `${key} ${headStartMs}`,
      (signal) =>
        raceServers({
          servers: preferred(servers, list),
          ...{ headStartMs, rounds: ROUNDS, pause: pauseUntil },
          ask: (server, signal) => {
            const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
            return askServer(server, { id, name, type, loopback }, signal);
          },
        }, signal),
      AbortSignal.any(ends),
    );
    signal?.throwIfAborted();
    if (server === undefined && known !== undefined) {
      return { answer: addresses(known), stale: true, server: undefined };
    }
    cache.take(key, answer, performance.now());
    if (server !== undefined) remember(list, textOf(server));
    return { answer, stale: false, server: server && textOf(server) };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Joins the same question where it is under way. Who asks may leave, by its own
 * signal: then one of those who joined asks on.
 */
async function together(
  key: string,
  ask: (signal: AbortSignal) => Promise<Outcome>,
  signal: AbortSignal,
): Promise<Outcome> {
  for (;;) {
    const flight = flights.get(key);
    if (flight === undefined) break;
    const outcome = await unlessAborted(flight, signal);
    if (outcome === undefined) return [{ kind: "silent" }, undefined];
    if (outcome[0].kind !== "silent") return outcome;
  }
  const flight = ask(signal);
  flights.set(key, flight);
  try {
    return await flight;
  } finally {
    if (flights.get(key) === flight) flights.delete(key);
  }
}

/** `undefined` when the signal is aborted first. */
async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function addresses(found: readonly ResolvedAddress[]): DnsAnswer {
  return { kind: "addresses", addresses: found };
}

function preferred(
  servers: readonly DnsServer[],
  list: string,
): readonly DnsServer[] {
  const best = answered.get(list);
  const first = servers.filter((server) => textOf(server) === best);
  return [...first, ...servers.filter((server) => textOf(server) !== best)];
}

function remember(list: string, server: string): void {
  answered.delete(list);
  answered.set(list, server);
  if (answered.size > LISTS_MAX) answered.delete([...answered.keys()][0]!);
}

/** `host:port`, with brackets around an IPv6 address. */
export function textOf({ hostname, port }: DnsServer): string {
  return isIP(hostname) === 6 ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

async function configOf(
  { servers }: Pick<LookupOptions, "servers">,
): Promise<DnsConfig> {
  if (servers !== undefined) return { servers, search: [], ndots: 0 };
  return readResolvConf(mayRead(RESOLV_CONF) ? await text(RESOLV_CONF) : "");
}

function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

async function text(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return ""; // Another system, or none is configured.
  }
}
