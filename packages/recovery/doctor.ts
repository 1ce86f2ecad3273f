/**
 * The doctor: why does it not work? From the interface to the application.
 *
 * @module
 */
import { isIP } from "node:net";
import { checkName, checkTargets, checkUrl } from "./_arguments.ts";
import { probeRemote, type RemotePlan } from "./_doctor_remote.ts";
import {
  readConflict,
  readHops,
  readLinks,
  readRoutes,
  readSystem,
} from "./_doctor_local.ts";
import type { Findings } from "./_doctor_findings.ts";
import { judgeFindings } from "./_doctor_rules.ts";
import { checkNumber } from "./_options.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { DialTarget, DialTlsConfig } from "./dial_options.ts";
import { PORTAL_URL, tunnelOf } from "./network_checks.ts";

export type { Cause, CauseId, Diagnosis, Step, StepId } from "./diagnosis.ts";

/** Options for {@linkcode diagnose}. */
export interface DiagnoseOptions {
  /** What does not work; without it the way to the Internet is looked at. */
  readonly target?: DialTarget | undefined;
  /**
   * Whether the target speaks TLS, and how to trust it.
   *
   * @default {for ports 443 and 8883}
   */
  readonly tls?: boolean | DialTlsConfig | undefined;
  /**
   * Whether the target speaks HTTP, so that it can be asked for a sign of life,
   * and large packets can be tried.
   *
   * @default {for ports 80, 443, 8080}
   */
  readonly http?: boolean | undefined;
  /**
   * A page that answers 204 over plain HTTP, to find captive portals and wrong
   * clocks; `false` asks nobody.
   *
   * @default {PORTAL_URL}
   */
  readonly portalUrl?: string | false | undefined;
  /** Brokers to reach, such as `mqtts://broker.example:8883`. */
  readonly brokers?: readonly string[] | undefined;
  /** What the firewall says, where it was asked. */
  readonly firewall?:
    | { readonly open: boolean; readonly why: string }
    | undefined;
  /** The variables that may name proxies, such as `Deno.env.toObject()`. */
  readonly environment?:
    | Readonly<Record<string, string | undefined>>
    | undefined;
  /**
   * How long the idle check waits, in milliseconds; 0 for none. It comes on top
   * of the deadline.
   *
   * @default {0}
   */
  readonly idleMs?: number | undefined;
  /**
   * How long all else may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly deadlineMs?: number | undefined;
  /** Ends it at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const TLS_PORTS = [443, 8883];
const HTTP_PORTS = [80, 443, 8080];

/**
 * Looks for the root cause: link, address, duplicates, route, next hop, firewall,
 * proxy, names per server, portal, clock, connection per address, TLS, service,
 * large packets, brokers. No rights are needed. What it asks programs of the
 * system for (`--allow-run=ip`, also `ping` and `arping`) stays unknown without,
 * and so does what the program may not read or connect to.
 *
 * ```ts
 * import { diagnose } from "@holdfast/recovery/doctor";
 * import { assertEquals } from "@std/assert";
 *
 * const dead = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = dead.addr;
 * dead.close();
 * const { causes } = await diagnose({
 *   target: { hostname: "127.0.0.1", port },
 *   portalUrl: false,
 * });
 * assertEquals(causes[0]?.id, "target-refused");
 * ```
 *
 * @throws {RangeError} When a number is out of bounds.
 * @throws {TypeError} When the target is no name or address, or a URL is none.
 * @throws The reason of the signal.
 */
export async function diagnose(
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  const { deadlineMs = 5_000, idleMs = 0, signal } = options;
  checkNumber("diagnose", "deadlineMs", deadlineMs, 100, 3_600_000);
  checkNumber("diagnose", "idleMs", idleMs, 0, 86_400_000);
  const { target, portalUrl = PORTAL_URL, brokers = [] } = options;
  if (target !== undefined) {
    checkTargets("diagnose", [target]);
    if (isIP(target.hostname) === 0) checkName(target.hostname);
  }
  if (portalUrl !== false) checkUrl("portalUrl", portalUrl);
  for (const broker of brokers) checkUrl("broker", broker);
  signal?.throwIfAborted();
  const from = performance.now();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), deadlineMs - MARGIN_MS);
  const ends = AbortSignal.any(
    signal ? [signal, limit.signal] : [limit.signal],
  );
  try {
    const findings = await examine(planOf(options), options, ends);
    signal?.throwIfAborted();
    const { causes, steps } = judgeFindings(findings);
    const tookMs = performance.now() - from;
    return {
      healthy: causes.every(({ minor }) => minor),
      ...{ causes, steps, tookMs },
    };
  } finally {
    clearTimeout(timer);
  }
}

/** What is left for the judgement, and for probes that end by the signal. */
const MARGIN_MS = 250;

function planOf(options: DiagnoseOptions): RemotePlan {
  const { target, tls, idleMs = 0 } = options;
  const portal = options.portalUrl ?? PORTAL_URL;
  const isTls = tls === undefined
    ? target !== undefined && TLS_PORTS.includes(target.port)
    : tls !== false;
  return {
    target,
    tls: isTls ? (typeof tls === "object" ? tls : {}) : undefined,
    http: options.http ??
      (target !== undefined && HTTP_PORTS.includes(target.port)),
    portalUrl: portal === false ? undefined : portal,
    brokers: options.brokers ?? [],
    environment: options.environment ?? {},
    ...{ idleMs, signal: options.signal },
  };
}

async function examine(
  plan: RemotePlan,
  options: DiagnoseOptions,
  signal: AbortSignal,
): Promise<Findings> {
  const { target } = plan;
  const system = readSystem();
  const [links, conflict, remote] = await Promise.all([
    readLinks(signal),
    readLinks(signal).then((links) => links && readConflict(links, signal)),
    probeRemote(plan, signal, async (addresses) => {
      const routes = await readRoutes(addresses, signal);
      const hops = (routes ?? []).filter(({ kind }) => kind === "unicast")
        .map(({ gateway, to }) => gateway ?? to);
      return { routes, ...await readHops([...new Set(hops)], signal) };
    }),
  ]);
  const { local, ...rest } = remote;
  return {
    ...{ system, links, conflict, firewall: options.firewall },
    target: target && {
      ...{ hostname: target.hostname, port: target.port },
      isName: isIP(target.hostname.replace(/%.*$/, "")) === 0,
      ...{ tls: plan.tls !== undefined, http: plan.http },
    },
    ...{ routes: local.routes, hops: local.hops },
    sendForbidden: local.forbidden,
    tunnel: tunnelOf(
      (local.routes ?? []).map((route) => ({ dev: route.interface })),
    ),
    ...rest,
  };
}
