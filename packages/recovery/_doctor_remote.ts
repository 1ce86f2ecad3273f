/** What the others say: name servers, portal, target, brokers. A shell. */
import { isIP } from "node:net";
import { readResolvConf } from "./_dns_config.ts";
import { askServer } from "./_dns_exchange.ts";
import { lookUpHosts, textOf } from "./_dns_query.ts";
import type { DnsServer } from "./_dns_types.ts";
import type {
  Findings,
  RouteFinding,
  ServerFinding,
} from "./_doctor_findings.ts";
import { outputOf } from "./_doctor_local.ts";
import {
  ASK_MS,
  CONNECT_MS,
  connectTo,
  probeTarget,
} from "./_doctor_target.ts";
import { pauseUntil } from "./_pause.ts";
import { mayReach } from "./_permissions.ts";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import type { DialTarget, DialTlsConfig } from "./dial_options.ts";
import {
  checkPortal,
  checkProxies,
  type PortalState,
} from "./network_checks.ts";
import { resolve } from "./resolve.ts";
import type { Verdict } from "./verdict.ts";

/** What is to be asked. */
export interface RemotePlan {
  readonly target: DialTarget | undefined;
  readonly tls: DialTlsConfig | undefined;
  readonly http: boolean;
  readonly portalUrl: string | undefined;
  readonly brokers: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly idleMs: number;
  /** The caller's alone: the idle check comes on top of the deadline. */
  readonly signal: AbortSignal | undefined;
}

/** What the host says of the way to some addresses. */
export interface Local {
  readonly routes: readonly RouteFinding[] | undefined;
  readonly hops: Readonly<Record<string, boolean>>;
  readonly forbidden: boolean;
}

type Remote =
  & Pick<
    Findings,
    | "brokers"
    | "clockMs"
    | "connects"
    | "idle"
    | "mtu"
    | "name"
    | "portal"
    | "proxies"
    | "servers"
    | "service"
    | "tls"
  >
  & { readonly local: Local };

/** Asks everybody; `look` asks this host about the way to the addresses. */
export async function probeRemote(
  plan: RemotePlan,
  signal: AbortSignal,
  look: (addresses: readonly string[]) => Promise<Local>,
): Promise<Remote> {
  const { target, portalUrl } = plan;
  const known = await readServers();
  const servers = known ?? [];
  const name = nameOf(plan);
  const asking = askServers(servers, name, signal);
  const [addresses, failure] = await addressesOf(target, signal);
  // Without an address of the target, the way to the name servers counts.
  const ways = addresses.length > 0
    ? addresses.filter((address) => isIP(address) !== 0)
    : waysOut(servers.map(({ hostname }) => hostname));
  const checks = { timeoutMs: ASK_MS, signal };
  const [local, told, portal, proxies, brokers, connects] = await Promise.all([
    look(ways),
    asking,
    portalUrl === undefined ? NOT_ASKED : checkPortal(portalUrl, checks),
    checkProxies(plan.environment, checks),
    Promise.all(plan.brokers.map((url) => reachBroker(url, signal))),
    Promise.all(addresses.map((a) => connectTo(a, target!.port, signal))),
  ]);
  const open = connects.filter(({ failure }) => failure === undefined);
  const upper = await probeTarget(plan, open, portal, signal);
  return {
    ...{ local, portal, proxies, brokers, connects, name: failure },
    servers: known && told,
    ...upper,
  };
}

/** Servers on this host say nothing of the way: any other address does. */
function waysOut(servers: readonly string[]): readonly string[] {
  const far = servers.filter((address) => !/^(?:127\.|::1$)/.test(address));
  return far.length > 0 || servers.length === 0 ? far : NOBODYS;
}

/** For documentation alone, RFC 5737 and RFC 3849: the default routes. */
const NOBODYS: readonly string[] = ["203.0.113.1", "2001:db8::1"];

const NOT_ASKED: PortalState = {
  ...{ state: "unknown", why: "No test page was to be asked for" },
};

/** The name servers; `undefined` where they cannot be known. */
async function readServers(): Promise<readonly DnsServer[] | undefined> {
  if (Deno.build.os === "windows") return undefined;
  try {
    return readResolvConf(await Deno.readTextFile("/etc/resolv.conf")).servers;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? [] : undefined;
  }
}

/** The name to ask for: the target's, or the test page's. */
function nameOf({ target, portalUrl }: RemotePlan): string | undefined {
  if (target !== undefined && isIP(target.hostname) === 0) {
    return target.hostname;
  }
  return portalUrl === undefined ? undefined : new URL(portalUrl).hostname;
}

/** What each server says of the name, and whether its host is there at all. */
function askServers(
  servers: readonly DnsServer[],
  name: string | undefined,
  signal: AbortSignal,
): Promise<ServerFinding[]> {
  return Promise.all(servers.map(async (server): Promise<ServerFinding> => {
    if (!mayReach(server.hostname, server.port)) {
      return { server: textOf(server), kind: "not-allowed", alive: false };
    }
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), ASK_MS);
    const ends = AbortSignal.any([signal, limit.signal]);
    try {
      const alive = isAlive(server.hostname, ends);
      if (name === undefined) {
        const kind = "not-asked";
        return { server: textOf(server), kind, alive: await alive };
      }
      const question = () => ({
        ...{ name, loopback: false, id: id(), type: "A" as const },
      });
      // Twice, since a datagram may be lost.
      const answer = await Promise.race([
        askServer(server, question(), ends),
        pauseUntil(ASK_MS / 3, ends).then(() =>
          askServer(server, question(), ends)
        ),
      ]);
      // Whether sockets can be opened is told by a rung of its own.
      const kind = answer.kind === "unsent" ? "silent" : answer.kind;
      return {
        ...{ server: textOf(server), kind },
        alive: kind !== "silent" || await alive,
      };
    } finally {
      limit.abort();
      clearTimeout(timer);
    }
  }));
}

function id(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0]!;
}

/** Whether a host answers anything: a connection, a refusal, an echo. */
async function isAlive(host: string, signal: AbortSignal): Promise<boolean> {
  const yes = Promise.withResolvers<boolean>();
  const ways = [
    ...[53, 9].map(async (port) => {
      try {
        (await Deno.connect({ hostname: host, port, signal })).close();
        yes.resolve(true);
      } catch (error) {
        if (classify(error).failure === "refused") yes.resolve(true);
      }
    }),
    outputOf("ping", ["-c", "1", "-W", "1", host], signal).then((output) => {
      if (output?.code === 0) yes.resolve(true);
    }),
  ];
  return await Promise.race([
    yes.promise,
    Promise.all(ways).then(() => false),
  ]);
}

async function addressesOf(
  target: DialTarget | undefined,
  signal: AbortSignal,
): Promise<readonly [readonly string[], Verdict | undefined]> {
  if (target === undefined) return [[], undefined];
  const { hostname } = target;
  if (isIP(hostname.replace(/%.*$/, "")) !== 0) return [[hostname], undefined];
  const listed = await lookUpHosts(hostname);
  if (listed.length > 0) {
    return [listed.map(({ address }) => address), undefined];
  }
  try {
    const options = { deadlineMs: ASK_MS, resolutionDelayMs: 300, signal };
    const { addresses } = await resolve(hostname, options);
    return [addresses.slice(0, 4).map(({ address }) => address), undefined];
  } catch (error) {
    const failure = classify(error);
    const mayNotAsk = failure.failure === "permission-missing" ||
      failure.code === "recovery/no-resolver";
    // The system may know it all the same.
    return [mayNotAsk ? [hostname] : [], failure];
  }
}

const BROKER_PORTS: Readonly<Record<string, number>> = {
  ...{ "mqtt:": 1883, "mqtts:": 8883, "ws:": 80, "wss:": 443 },
};

async function reachBroker(
  text: string,
  signal: AbortSignal,
): Promise<{ readonly url: string; readonly failure: Verdict | undefined }> {
  const url = new URL(text);
  const shown = `${url.protocol}//${url.host}`;
  const port = Number(url.port) || (BROKER_PORTS[url.protocol] ?? 1883);
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  try {
    const conn = await dial({ hostname, port }, {
      ...{ deadlineMs: CONNECT_MS, retry: () => false, signal },
    });
    conn.close();
    return { url: shown, failure: undefined };
  } catch (error) {
    return { url: shown, failure: classify(error) };
  }
}
