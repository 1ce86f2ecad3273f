/** How long a program that only reads state may take. */
const RUN_MS_MAX = 5_000;

/** What a program printed, or one sentence on why it could not be asked. */
export type RunResult =
  | { readonly ok: true; readonly stdout: string }
  | {
    readonly ok: false;
    readonly why: "not-permitted" | "not-found" | "failed";
    readonly message: string;
    readonly cause: unknown;
  };

/**
 * Runs a program to its end, whatever its exit code: `ip -batch` tells a
 * failed line by it. Rejects only with the reason of the signal.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: {
    readonly stdin?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<RunResult> {
  const { signal, stdin } = options;
  signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), RUN_MS_MAX);
  try {
    await using child = new Deno.Command(command, {
      args: [...args],
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "null",
      signal: signal
        ? AbortSignal.any([signal, timeout.signal])
        : timeout.signal,
    }).spawn();
    const output = child.output();
    if (stdin !== undefined) await feed(child.stdin, stdin);
    const { stdout } = await output;
    signal?.throwIfAborted();
    if (timeout.signal.aborted) {
      return failure("failed", `${command} did not answer`, undefined);
    }
    return { ok: true, stdout: new TextDecoder().decode(stdout) };
  } catch (error) {
    signal?.throwIfAborted();
    return explain(command, error);
  } finally {
    clearTimeout(timer);
  }
}

async function feed(
  stdin: WritableStream<Uint8Array>,
  text: string,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading: what it printed and its absence tell why.
  }
}

/** Why a program could not be started, in one sentence with the remedy. */
export function explain(
  command: string,
  error: unknown,
): RunResult & { readonly ok: false } {
  if (error instanceof Deno.errors.NotCapable) {
    return failure(
      "not-permitted",
      `Deno may not run ${command}: add --allow-run=${command}`,
      error,
    );
  }
  if (error instanceof Deno.errors.NotFound) {
    return failure("not-found", `${command} is not installed`, error);
  }
  const message = error instanceof Error ? error.message : String(error);
  return failure("failed", `${command} failed: ${message}`, error);
}

function failure(
  why: "not-permitted" | "not-found" | "failed",
  message: string,
  cause: unknown,
): RunResult & { readonly ok: false } {
  return { ok: false, why, message, cause };
}
