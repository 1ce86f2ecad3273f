import { assemble } from "./_assemble.ts";
import { type DenoRow, denoRows, fromDenoRows } from "./_deno_interfaces.ts";
import { readBsd } from "./_read_bsd.ts";
import type { Lookup } from "./_lookup.ts";
import { type Reading, readLinux, readLinuxFast } from "./_read_linux.ts";
import { platform } from "./_platform.ts";
import { parseWindows } from "./_windows_json.ts";
import { parseRoutePrint, ROUTE_PRINT_ARGS } from "./_route_print.ts";
import { run } from "./_run.ts";
import type { DefaultRoute, NetworkSnapshot } from "./snapshot.ts";

/** Options for {@linkcode readSnapshot}. */
export interface ReadOptions {
  /** Stops the reading; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the state of the network once. On Linux one run of `ip` tells all;
 * without it, `Deno.networkInterfaces()` tells the addresses, and `problems`
 * what is missing. On macOS and FreeBSD default routes come from
 * `netstat -rn`, on Windows from `route print`.
 *
 * Needs `--allow-run=ip` (`netstat`, `route`), or at the least
 * `--allow-sys=networkInterfaces`.
 *
 * ```ts
 * import { readSnapshot } from "@holdfast/netwatch";
 * import { assert } from "@std/assert";
 *
 * const snapshot = await readSnapshot();
 * assert(snapshot.sees.includes("addresses"));
 * ```
 *
 * @throws {NetwatchError} When nothing may be asked, or nothing answers.
 */
export async function readSnapshot(
  options: ReadOptions = {},
): Promise<NetworkSnapshot> {
  const { signal } = options;
  signal?.throwIfAborted();
  switch (platform()) {
    case "linux":
      return (await readLinux(signal)).snapshot;
    case "windows":
      return await readByRows(
        "route",
        ROUTE_PRINT_ARGS,
        parseRoutePrint,
        signal,
      );
    case "bsd":
      return await readBsd(signal);
    case "other":
      return assemble({
        interfaces: fromDenoRows(denoRows()),
        links: false,
        sources: ["Deno.networkInterfaces"],
        problems: ["Routes are not seen: this system has no reader yet"],
      });
  }
}

/** Reads again, for a watch: only what is fast, if that is enough for now. */
export async function readAgain(
  signal: AbortSignal,
  known: NetworkSnapshot | undefined,
  fastFrom: NetworkSnapshot | undefined,
  ask: ((signal: AbortSignal) => Promise<string | undefined>) | undefined,
  paths: readonly Lookup[],
): Promise<Reading> {
  if (ask !== undefined) {
    const parts = parseWindows(await ask(signal) ?? "");
    signal.throwIfAborted();
    // Without an answer it is asked as if there were nobody to ask.
    if (parts !== undefined) return { snapshot: assemble(parts) };
  }
  if (platform() !== "linux") {
    return { snapshot: await readSnapshot({ signal }) };
  }
  signal.throwIfAborted();
  return fastFrom === undefined
    ? await readLinux(signal, known, paths)
    : await readLinuxFast(signal, fastFrom, paths);
}

async function readByRows(
  command: string,
  args: readonly string[],
  parse: (
    text: string,
    rows: readonly DenoRow[],
  ) => DefaultRoute[] | undefined,
  signal: AbortSignal | undefined,
): Promise<NetworkSnapshot> {
  const rows = denoRows();
  const result = await run(command, args, { signal });
  const defaultRoutes = result.ok ? parse(result.stdout, rows) : undefined;
  const why = result.ok
    ? `the output of ${command} was not understood`
    : result.message;
  return assemble({
    interfaces: fromDenoRows(rows),
    defaultRoutes,
    links: false,
    sources: [
      "Deno.networkInterfaces",
      ...(defaultRoutes === undefined ? [] : [command]),
    ],
    problems: defaultRoutes === undefined
      ? [`Routes are not seen: ${why}`]
      : [],
  });
}
