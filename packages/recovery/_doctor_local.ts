/**
 * What this host says of itself: the kernel's tables by `ip`, and what it lets
 * this program do. The readers are pure.
 */
import dgram from "node:dgram";
import { BlockList, isIP } from "node:net";
import type {
  AddressFinding,
  Findings,
  LinkFinding,
  RouteFinding,
} from "./_doctor_findings.ts";
import { pauseUntil } from "./_pause.ts";
import { mayBindFor } from "./_permissions.ts";
import { plainAddress, routeQuestion } from "./_usable_rules.ts";
import { classify } from "./classify.ts";

type Row = Readonly<Record<string, unknown>>;

/** Whether this program may start another, without asking anybody. */
export function mayRun(command: string): boolean {
  return Deno.permissions.querySync({ name: "run", command }).state ===
    "granted";
}

/** The output of a program; `undefined` when it is not there. */
export async function outputOf(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly text: string } | undefined> {
  if (!mayRun(command)) return undefined;
  try {
    const { code, stdout } = await new Deno.Command(command, {
      args: [...args],
      ...{ stdin: "null", stderr: "null", signal },
    }).output();
    return { code, text: new TextDecoder().decode(stdout) };
  } catch {
    return undefined;
  }
}

async function rowsOf(
  args: readonly string[],
  signal: AbortSignal,
): Promise<readonly Row[] | undefined> {
  const output = await outputOf("ip", args, signal);
  if (output === undefined) return undefined;
  try {
    const rows = JSON.parse(output.text === "" ? "[]" : output.text);
    return Array.isArray(rows) ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** The interfaces but the loopback; `undefined` where `ip` cannot be asked. */
export async function readLinks(
  signal: AbortSignal,
): Promise<readonly LinkFinding[] | undefined> {
  const rows = await rowsOf(["-j", "addr", "show"], signal);
  return rows && linksOf(rows);
}

/** Reads `ip -j addr show`; pure. */
export function linksOf(rows: readonly Row[]): LinkFinding[] {
  return rows.flatMap((row): LinkFinding[] => {
    const flags = Array.isArray(row.flags) ? row.flags : [];
    if (typeof row.ifname !== "string" || flags.includes("LOOPBACK")) return [];
    const list = Array.isArray(row.addr_info) ? row.addr_info as Row[] : [];
    return [{
      name: row.ifname,
      up: flags.includes("UP"),
      carrier: flags.includes("LOWER_UP") && !flags.includes("NO-CARRIER"),
      addresses: list.flatMap((info): AddressFinding[] =>
        typeof info.local !== "string" ? [] : [{
          address: info.local,
          family: info.family === "inet6" ? "v6" : "v4",
          linkLocal: info.scope === "link",
          tentative: info.tentative === true,
          duplicate: info.dadfailed === true,
        }]
      ),
    }];
  });
}

/** The way to each address. */
export async function readRoutes(
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<readonly RouteFinding[] | undefined> {
  const ways = await Promise.all(
    addresses.map(async (to) => {
      const rows = await rowsOf(["-j", ...routeQuestion(to)], signal);
      if (rows === undefined) return undefined;
      if (rows.length > 0) return routeOf(to, rows[0]!);
      // `route get` fails for a route that forbids; it stands in the tables.
      const family = isIP(plainAddress(to)) === 6 ? "-6" : "-4";
      const all = await rowsOf(
        ["-j", family, "route", "show", "table", "all"],
        signal,
      );
      return routeOf(to, all?.find(forbids(plainAddress(to))) ?? {});
    }),
  );
  return ways.includes(undefined) ? undefined : ways as RouteFinding[];
}

const FORBIDDING = ["blackhole", "prohibit", "throw", "unreachable"];

/** Whether a route that forbids can be meant for an address; pure. */
export function forbids(to: string): (row: Row) => boolean {
  return ({ type, dst }) =>
    FORBIDDING.includes(String(type)) &&
    (dst === "default" || typeof dst === "string" && covers(dst, to));
}

/** Whether a prefix such as `10.64.0.0/10` covers an address. */
function covers(prefix: string, address: string): boolean {
  const [net = "", length = ""] = prefix.split("/");
  const family = isIP(net) === 6 ? "ipv6" : "ipv4";
  const bits = Number(length === "" ? (family === "ipv6" ? 128 : 32) : length);
  const most = family === "ipv6" ? 128 : 32;
  if (isIP(net) === 0 || !(bits >= 0 && bits <= most)) return false;
  const list = new BlockList();
  list.addSubnet(net, bits, family);
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Reads one row of `ip -j route`; pure. */
export function routeOf(to: string, row: Row): RouteFinding {
  const type = String(row.type ?? (row.dev === undefined ? "none" : "unicast"));
  const kind = FORBIDDING.includes(type)
    ? "forbidden"
    : type === "local" || row.dev === "lo"
    ? "local"
    : type === "none"
    ? "none"
    : "unicast";
  const text = (value: unknown) =>
    typeof value === "string" ? value : undefined;
  return {
    ...{ to, kind, interface: text(row.dev), gateway: text(row.gateway) },
    source: text(row.prefsrc),
  };
}

/** Pokes each next hop, and sees whether its neighbour entry is resolved. */
export async function readHops(
  hops: readonly string[],
  signal: AbortSignal,
): Promise<
  { readonly hops: Record<string, boolean>; readonly forbidden: boolean }
> {
  const sent = await Promise.all(hops.map((hop) => poke(hop, signal)));
  const found: Record<string, boolean> = {};
  const forbidden = sent.includes("forbidden");
  for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
    const rows = await rowsOf(["-j", "neigh", "show"], signal);
    if (rows === undefined) break;
    for (const hop of hops) {
      const states = rows.filter(({ dst }) => dst === hop)
        .flatMap(({ state }) => Array.isArray(state) ? state : []);
      if (states.length > 0) {
        found[hop] = states.some((state) => RESOLVED.includes(String(state)));
      }
    }
    if (hops.every((hop) => found[hop] === true)) break;
    await pauseUntil(LOOK_MS, signal);
  }
  return { hops: found, forbidden };
}

/**
 * What a datagram to a neighbour meets when the own firewall drops it: EPERM,
 * which node:dgram in Deno calls UNKNOWN.
 */
const NOT_SENT: ReadonlySet<string | undefined> = new Set(["EPERM", "UNKNOWN"]);
const RESOLVED = ["REACHABLE", "STALE", "DELAY", "PERMANENT", "NOARP"];
const LOOK_MS = 60;
/** Three requests a second apart, RFC 4861 §10. */
const ROUNDS = 25;

/** A datagram to the discard port: it makes the kernel ask who has it. */
function poke(
  address: string,
  signal: AbortSignal,
): Promise<"forbidden" | "sent"> {
  if (!mayBindFor(address)) return Promise.resolve("sent");
  return new Promise((resolve) => {
    const six = isIP(address.replace(/%.*$/, "")) === 6;
    const socket = dgram.createSocket(six ? "udp6" : "udp4");
    const end = (outcome: "forbidden" | "sent"): void => {
      socket.close();
      resolve(outcome);
    };
    const failed = (error: unknown): void =>
      end(
        NOT_SENT.has((error as { code?: string }).code) ? "forbidden" : "sent",
      );
    socket.once("error", failed);
    socket.bind(0, () => {
      if (signal.aborted) return end("sent");
      socket.send(new Uint8Array(1), 9, address, (error) => {
        if (error) failed(error);
        else end("sent");
      });
    });
  });
}

/** What this program may still open. */
export function readSystem(): Findings["system"] {
  try {
    Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
    return { descriptorsOut: false, portsOut: false };
  } catch (error) {
    const { code, failure } = classify(error);
    if (failure === "permission-missing") return undefined;
    return {
      descriptorsOut: code === "EMFILE" || code === "ENFILE",
      portsOut: code === "EADDRINUSE",
    };
  }
}

/** Who else answers for an own IPv4 address; it takes `arping` and its rights. */
export async function readConflict(
  links: readonly LinkFinding[],
  signal: AbortSignal,
): Promise<Findings["conflict"]> {
  for (const { name, carrier, addresses } of links) {
    for (const { address, family } of addresses) {
      if (!carrier || family !== "v4") continue;
      const output = await outputOf("arping", [
        ...["-D", "-c", "1", "-w", "1", "-I", name, address],
      ], signal);
      const other = /\[([0-9A-Fa-f:]{11,})\]/.exec(output?.text ?? "")?.[1];
      if (output?.code === 1 && other !== undefined) return { address, other };
    }
  }
  return undefined;
}
