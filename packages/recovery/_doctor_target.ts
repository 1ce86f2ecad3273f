/** What the target says, once there is a way to it. A shell. */
import { isIP } from "node:net";
import type { ConnectFinding, Findings } from "./_doctor_findings.ts";
import type { RemotePlan } from "./_doctor_remote.ts";
import { httpHead } from "./_http_probe.ts";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import type { DialTarget, DialTlsConfig } from "./dial_options.ts";
import {
  checkClock,
  checkPathMtu,
  type PortalState,
} from "./network_checks.ts";
import { pauseUntil } from "./_pause.ts";
import { timedReader } from "./timed_reader.ts";
import { writeAll } from "./write_all.ts";

/** How long one answer may take: three of these fit into the deadline. */
export const ASK_MS = 1_500;
/** What a connection to a silent address may take: a lost SYN and one more. */
export const CONNECT_MS = 1_800;

/** One address, with second sockets where it is silent. */
export async function connectTo(
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<ConnectFinding> {
  const family = isIP(address.replace(/%.*$/, "")) === 6 ? "v6" : "v4";
  try {
    const conn = await dial({ hostname: address, port }, {
      ...{ deadlineMs: CONNECT_MS, retry: () => false, signal },
    });
    conn.close();
    return { address, family, failure: undefined, silent: false };
  } catch (error) {
    const failure = classify(error);
    const silent = failure.failure === "syn-blackhole" ||
      failure.failure === "arp-unresolved" && failure.code === undefined ||
      error instanceof DOMException;
    return { address, family, failure, silent };
  }
}

/** TLS, an answer, large packets, and the clock: of an address that is open. */
export async function probeTarget(
  plan: RemotePlan,
  open: readonly ConnectFinding[],
  portal: PortalState,
  signal: AbortSignal,
): Promise<Pick<Findings, "clockMs" | "idle" | "mtu" | "service" | "tls">> {
  const { target, tls, http, portalUrl } = plan;
  const timer = portal.state === "free" ? portalUrl : undefined;
  const page = target && http && open.length > 0
    ? urlOf(target, tls !== undefined)
    : undefined;
  const clock = timer ?? (tls === undefined ? page : undefined);
  const checks = {
    ...{ timeoutMs: ASK_MS, signal },
    tls,
  };
  const [secured, service, mtu, clockMs, idle] = await Promise.all([
    tls && open.length > 0 ? handshake(target!, tls, signal) : undefined,
    page === undefined ? undefined : answers(page, checks),
    page === undefined ? "unknown" as const : checkPathMtu(page, {
      ...checks,
      timeoutMs: 2 * ASK_MS,
    }),
    clock === undefined ? undefined : checkClock(clock, checks),
    plan.idleMs === 0
      ? undefined
      : page === undefined
      ? "untried" as const
      : idleFor(target!, plan),
  ]);
  return { tls: secured, service, mtu, clockMs, idle };
}

function urlOf({ hostname, port }: DialTarget, tls: boolean): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${tls ? "https" : "http"}://${host}:${port}/`;
}

async function handshake(
  target: DialTarget,
  tls: DialTlsConfig,
  signal: AbortSignal,
): Promise<Findings["tls"]> {
  try {
    const conn = await dial(target, {
      ...{ tls, deadlineMs: CONNECT_MS, retry: () => false, signal },
    });
    conn.close();
    return "works";
  } catch (error) {
    const verdict = classify(error);
    return error instanceof DOMException || verdict.failure === "syn-blackhole"
      ? "silent"
      : verdict;
  }
}

async function answers(
  url: string,
  checks: {
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly tls: DialTlsConfig | undefined;
  },
): Promise<"answers" | "silent" | undefined> {
  const head = await httpHead({
    ...{ url: new URL(url), timeoutMs: checks.timeoutMs },
    ...{ signal: checks.signal, tls: checks.tls ?? {} },
  }).catch(() => null);
  if (head === null) return undefined;
  return head === undefined ? "silent" : "answers";
}

/** Whether a connection that was idle for so long still answers. */
async function idleFor(
  target: DialTarget,
  { tls, idleMs, signal }: RemotePlan,
): Promise<Findings["idle"]> {
  const options = {
    ...{ deadlineMs: CONNECT_MS, retry: () => false },
    signal,
  };
  const conn: Deno.Conn | undefined =
    await (tls === undefined
      ? dial(target, options)
      : dial(target, { ...options, tls })).catch(() => undefined);
  if (conn === undefined) return undefined;
  try {
    await pauseUntil(idleMs, signal ?? NEVER);
    if (signal?.aborted) return undefined;
    const { hostname } = target;
    const request = `HEAD / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
    await writeAll(conn, new TextEncoder().encode(request));
    const bytes = await timedReader(conn).read(ASK_MS);
    return bytes === null ? "ended" : "held";
  } catch {
    return "dropped";
  } finally {
    conn.close();
  }
}

const NEVER = new AbortController().signal;
