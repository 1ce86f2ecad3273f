/** One entry of the catalogue, brought about for real; for tests. */
import { assert } from "@std/assert";
import type { Lab } from "@holdfast/testkit/lab";
import { classify, type FailureId } from "../../mod.ts";

/** A fault, and what plain Deno and this package do about it. */
export interface Fault {
  readonly id: FailureId;
  /** Brings it about; done again before each half. */
  readonly inject?: (lab: Lab) => Promise<unknown>;
  /** Plain Deno fails as the entry says; it throws when it does not. */
  readonly plain: (lab: Lab) => Promise<void>;
  /** With the prevention it does not. */
  readonly prevented: (lab: Lab) => Promise<void>;
}

/** How something failed: its code, or the name of the error. It must fail. */
export async function failureOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    const { code } = classify(error);
    return code ?? (error as Error).name;
  }
  throw new Error("It did not fail");
}

/** Connects by plain Deno, for so long at the most, and closes it again. */
export async function connects(
  hostname: string,
  port: number,
  ms: number,
): Promise<void> {
  const signal = AbortSignal.timeout(ms);
  (await Deno.connect({ hostname, port, signal })).close();
}

/** Whether it is settled after so long. */
export async function settles(
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  const late = Symbol();
  const timer = Promise.withResolvers<typeof late>();
  const id = setTimeout(() => timer.resolve(late), ms);
  const first = await Promise.race([
    promise.catch(() => undefined),
    timer.promise,
  ]);
  clearTimeout(id);
  return first !== late;
}

/** Does something a little later, and never sooner. */
export function later(ms: number, run: () => unknown): Promise<unknown> {
  return new Promise((resolve) => setTimeout(() => resolve(run()), ms));
}

/** Two ends of one connection on this host. */
export async function pair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return [conn, await listener.accept()];
}

/** A Deno of its own with a script; `sh` gives a shell before it. */
export function child(
  script: string,
  options: {
    readonly permissions?: readonly string[];
    readonly env?: Record<string, string>;
  } = {},
): Deno.ChildProcess {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check"],
      ...(options.permissions ?? ["-A"]),
      "-",
    ],
    env: { NO_COLOR: "1", ...options.env },
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
  }).spawn();
  const writer = process.stdin.getWriter();
  writer.write(new TextEncoder().encode(script)).then(() => writer.close());
  return process;
}

/** All that a child prints. */
export async function printed(process: Deno.ChildProcess): Promise<string> {
  const { stdout } = await process.output();
  return new TextDecoder().decode(stdout).trim();
}

/** The first line that a child prints. */
export async function firstLine(process: Deno.ChildProcess): Promise<string> {
  const reader = process.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value } = await reader.read();
    assert(value !== undefined, `it ended: ${text}`);
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return text.split("\n")[0]!;
}
