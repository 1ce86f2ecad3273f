/** Names, servers and targets as a caller writes them. */
import { isIP } from "node:net";
import { wireName } from "./_dns_config.ts";
import type { DialTarget } from "./dial_options.ts";

/** Refuses what is no name. */
export function checkName(name: string): void {
  if (typeof name === "string" && wireName(name) !== undefined) return;
  throw new TypeError(
    `Cannot resolve ${
      JSON.stringify(name)
    }: it is no name: labels of at most 63 letters, digits and hyphens, at most 253 in all; an IPv6 address goes without brackets`,
  );
}

/** Refuses what nobody can be asked by. */
export function checkUrl(what: string, text: string): void {
  const url = URL.parse(text);
  if (url !== null && url.hostname !== "") return;
  throw new TypeError(
    `Cannot diagnose: ${what} ${JSON.stringify(text)} is no URL with a host`,
  );
}

/** Refuses what are no families. */
export function checkFamilies(families: readonly string[]): void {
  if (
    families.length > 0 && families.every((f) => f === "v4" || f === "v6")
  ) return;
  throw new TypeError(
    `Cannot resolve: families must be "v4", "v6" or both: current value is ${
      JSON.stringify(families)
    }`,
  );
}

/** An address with a port, 53 where there is none. */
export function parseServer(text: string): { hostname: string; port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const hostname = isIP(text) === 6 ? text : parts?.[1] ?? parts?.[2] ?? "";
  const port = isIP(text) === 6 ? 53 : Number(parts?.[3] ?? 53);
  if (isIP(hostname.replace(/%.*$/, "")) === 0 || port < 1 || port > 65_535) {
    throw new TypeError(
      `Cannot resolve: server ${
        JSON.stringify(text)
      } is no address: write for example 192.0.2.1 or [2001:db8::1]:53`,
    );
  }
  return { hostname, port };
}

/** Refuses what nobody can connect to. */
export function checkTargets(
  action: string,
  targets: readonly DialTarget[],
): void {
  if (targets.length === 0) {
    throw new TypeError(
      `Cannot ${action}: there is no target: pass at least one`,
    );
  }
  for (const { hostname, port } of targets) {
    if (typeof hostname !== "string" || hostname === "") {
      throw new TypeError(
        `Cannot ${action}: hostname must be a name or an address: current value is ${
          JSON.stringify(hostname)
        }`,
      );
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new RangeError(
        `Cannot ${action}: port must be an integer from 1 to 65535: current value is ${port}`,
      );
    }
  }
}
