import { placesOf } from "./_other_places.ts";
import type { Ran, Runner } from "./runner.ts";

/** Never by $PATH: a tool that is run with rights must be the system's. */
const { folders, suffix: SUFFIX, env } = placesOf(Deno.build.os);
export const FOLDERS: readonly string[] = folders;
/** A tool that takes longer than this waits for a lock, or for a password. */
const TIMEOUT_MS = 30_000;

/** The environment of each tool: nothing of the user's, in plain English. */
export const ENVIRONMENT: Readonly<Record<string, string>> = env;

/** Runs a tool of this machine, with an empty environment in plain English. */
export const runLocal: Runner = async ({ tool, args, stdin }, { signal }) => {
  signal?.throwIfAborted();
  let forbidden: string | undefined;
  for (const folder of FOLDERS) {
    const path = `${folder}/${tool}${SUFFIX}`;
    try {
      return await runOne(path, args, stdin, signal);
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
  stdin: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Ran> {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), TIMEOUT_MS);
  try {
    const child = new Deno.Command(path, {
      args: [...args],
      clearEnv: true,
      env: { ...ENVIRONMENT },
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
    }).spawn();
    const written = stdin === undefined
      ? undefined
      : writeAll(child.stdin, stdin);
    const { code, stdout, stderr } = await child.output();
    await written;
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

async function writeAll(
  stream: WritableStream<Uint8Array>,
  text: string,
): Promise<void> {
  const writer = stream.getWriter();
  // A tool that ends before it has read all says why by itself.
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}
