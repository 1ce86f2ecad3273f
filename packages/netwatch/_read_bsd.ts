import { assemble } from "./_assemble.ts";
import { denoRows, fromDenoRows } from "./_deno_interfaces.ts";
import { IFCONFIG_ARGS, parseIfconfig } from "./_ifconfig.ts";
import { NETSTAT_ARGS, parseNetstat } from "./_netstat.ts";
import { run } from "./_run.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** Runs a program that reads state; a test passes one that was recorded. */
export type Run = typeof run;

/** Reads macOS and the BSDs: links by `ifconfig`, routes by `netstat`. */
export async function readBsd(
  signal: AbortSignal | undefined,
  ask: Run = run,
): Promise<NetworkSnapshot> {
  const links = await ask("ifconfig", IFCONFIG_ARGS, { signal });
  const routes = await ask("netstat", NETSTAT_ARGS, { signal });
  const interfaces = links.ok ? parseIfconfig(links.stdout) : undefined;
  const defaultRoutes = routes.ok ? parseNetstat(routes.stdout) : undefined;
  const problems: string[] = [];
  if (interfaces === undefined) {
    const why = links.ok
      ? "the output of ifconfig was not understood"
      : links.message;
    problems.push(
      `Carrier and interfaces without address are not seen: ${why}`,
    );
  }
  if (defaultRoutes === undefined) {
    const why = routes.ok
      ? "the output of netstat was not understood"
      : routes.message;
    problems.push(`Routes are not seen: ${why}`);
  }
  return assemble({
    interfaces: interfaces ?? fromDenoRows(denoRows()),
    defaultRoutes,
    links: interfaces !== undefined,
    sources: [
      interfaces === undefined ? "Deno.networkInterfaces" : "ifconfig",
      ...(defaultRoutes === undefined ? [] : ["netstat"]),
    ],
    problems,
  });
}
