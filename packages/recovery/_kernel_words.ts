/**
 * What the kernel says of this program's connections, by `ss`: one process at a
 * time asks for all who wait, however many are watched.
 */
import { type KernelWord, pairsOf, readSsRows } from "./_liveness_rules.ts";

/** One connection, as `ss` writes it and as it is asked for. */
export interface Pair {
  readonly from: string;
  readonly to: string;
}

/** `gone`: it has no such connection. `undefined`: it cannot be asked. */
export type Answer = KernelWord | "gone" | undefined;

interface Question extends Pair {
  readonly resolve: (answer: Answer) => void;
}

/** More than so many are picked from all connections of the host. */
const FILTERS_MAX = 32;
/** It takes a few milliseconds; one that hangs must not hold the others up. */
const GIVE_UP_MS = 5_000;

const waiting: Question[] = [];
let [asking, missing] = [false, false];

/** Whether the kernel can be asked, as far as is known. */
export function mayAskKernel(): boolean {
  return !missing && Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "run", command: "ss" }).state ===
      "granted";
}

/** Asks for one connection. */
export function askKernel(pair: Pair): Promise<Answer> {
  return new Promise((resolve) => {
    waiting.push({ ...pair, resolve });
    if (!asking) void askForAll();
  });
}

async function askForAll(): Promise<void> {
  asking = true;
  while (waiting.length > 0) {
    // Those whose timers are due at the same time go along.
    await undefined;
    const questions = waiting.splice(0);
    const text = await outputOf(filterOf(questions));
    const rows = text === undefined ? undefined : readSsRows(text);
    for (const { from, to, resolve } of questions) {
      resolve(rows && (rows.get(pairsOf(from, to)) ?? "gone"));
    }
  }
  asking = false;
}

function filterOf(questions: readonly Question[]): string[] {
  if (questions.length > FILTERS_MAX) return [];
  const each = questions.map(({ from, to }) => `( src ${from} and dst ${to} )`);
  return [each.join(" or ")];
}

async function outputOf(
  filter: readonly string[],
): Promise<string | undefined> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), GIVE_UP_MS);
  try {
    const { success, stdout } = await new Deno.Command("ss", {
      ...{ args: ["-tinHO", ...filter], stdin: "null", stderr: "null" },
      signal: limit.signal,
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    // There is no `ss` here.
    missing = error instanceof Deno.errors.NotFound;
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
