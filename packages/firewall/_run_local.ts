import { placesOf } from "./_other_places.ts";
import type { Ran, Runner } from "./runner.ts";

/** Never by $PATH: a tool that is run with rights must be the system's. */
const { folders: FOLDERS, suffix: SUFFIX, env: ENVIRONMENT } = placesOf(
  Deno.build.os,
);
/** A tool that takes longer than this waits for a lock, or for a password. */
const TIMEOUT_MS = 10_000;

/** Runs a tool of this machine, with an empty environment in plain English. */
export const runLocal: Runner = async ({ tool, args }, { signal }) => {
  signal?.throwIfAborted();
  let forbidden: string | undefined;
  for (const folder of FOLDERS) {
    const path = `${folder}/${tool}${SUFFIX}`;
    try {
      return await runOne(path, args, signal);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        forbidden ??=
          `this program may not run ${tool}: add --allow-run=${tool}`;
      } else if (error instanceof Deno.errors.PermissionDenied) {
        forbidden ??= `${path} may not be run by this user`;
      } else if (!(error instanceof Deno.errors.NotFound)) {
        throw error;
      }
    }
  }
  return forbidden === undefined
    ? { type: "absent" }
    : { type: "forbidden", why: forbidden };
};

async function runOne(
  path: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Ran> {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), TIMEOUT_MS);
  try {
    const child = new Deno.Command(path, {
      args: [...args],
      clearEnv: true,
      env: ENVIRONMENT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
    });
    const { code, stdout, stderr } = await child.output();
    signal?.throwIfAborted();
    const decoder = new TextDecoder();
    return {
      type: "ran",
      code: timer.signal.aborted ? 124 : code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  } finally {
    clearTimeout(timeout);
  }
}
