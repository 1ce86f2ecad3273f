import { ENVIRONMENT, FOLDERS } from "./_run_local.ts";
import { ElevatedShell } from "./_elevated_shell.ts";
import { FirewallError } from "./errors.ts";
import type { Runner } from "./runner.ts";

/** A way to get the rights of root. */
export type ElevationMethod = "sudo" | "doas" | "pkexec";

/** Options for {@linkcode elevate}. */
export interface ElevateOptions {
  /**
   * Which program asks the user.
   *
   * @default {the first of sudo, doas and pkexec that is installed}
   */
  readonly method?: ElevationMethod | undefined;
  /** Ends the waiting for the user, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Rights of root for the tools of this package, until it is disposed. */
export interface Elevated extends AsyncDisposable {
  /** The program that asked. */
  readonly method: ElevationMethod;
  /** Runs tools with these rights: pass it as `run`. */
  readonly run: Runner;
}

const METHODS: readonly ElevationMethod[] = ["sudo", "doas", "pkexec"];

/**
 * Asks the user once for the rights of root, by sudo, doas or pkexec, and keeps
 * them for several calls: a plan is read, applied and read back with one
 * prompt. Deno itself is never run as root; what is asked to be run goes to a
 * shell's input, quoted, with an empty environment and a fixed path. Nothing
 * is written to a file, and nothing that runs as root can be exchanged.
 *
 * ```ts
 * import { elevate, planAccess } from "@holdfast/firewall";
 *
 * async function planWithRights() {
 *   await using elevated = await elevate();
 *   return await planAccess({ port: 8080 }, { run: elevated.run });
 * }
 * ```
 *
 * @throws {FirewallError} `firewall/no-rights` when none of the programs is
 * installed; `firewall/rights-refused` when the user, or a policy, says no.
 * @throws The reason of the signal, when it is aborted.
 */
export async function elevate(options: ElevateOptions = {}): Promise<Elevated> {
  const { method, signal } = options;
  signal?.throwIfAborted();
  for (const one of method === undefined ? METHODS : [method]) {
    for (const folder of FOLDERS) {
      const shell = start(`${folder}/${one}`, one);
      if (shell === undefined) continue;
      await shell.ready(signal);
      return {
        method: one,
        run: (call, { signal }) => shell.run(call, signal),
        [Symbol.asyncDispose]: () => shell.close(),
      };
    }
  }
  throw new FirewallError(
    "firewall/no-rights",
    `Cannot get the rights of root: ${
      method ?? "none of sudo, doas and pkexec"
    } is ${
      method === undefined ? "" : "not "
    }installed or allowed: run it as root, or add --allow-run`,
  );
}

function start(
  path: string,
  method: ElevationMethod,
): ElevatedShell | undefined {
  const environment = Object.entries(ENVIRONMENT)
    .map(([name, value]) => `${name}=${value}`);
  try {
    const child = new Deno.Command(path, {
      args: [
        ...(method === "sudo" ? ["-p", "[holdfast firewall] password: "] : []),
        ...(method === "sudo" ? ["--"] : []),
        ...["/usr/bin/env", "-i", ...environment, "/bin/sh"],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new ElevatedShell(child, method);
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.PermissionDenied;
    if (absent) return undefined;
    throw error;
  }
}
