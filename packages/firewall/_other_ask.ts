import type { AskOptions, Ran } from "./runner.ts";
import { runLocal } from "./_run_local.ts";

/** Asks a tool of the system that is looked at. */
export type Ask = (tool: string, ...args: string[]) => Promise<Ran>;

/** The way to ask tools, from the options of a call. */
export function askOther({ run = runLocal, signal }: AskOptions): Ask {
  return (tool, ...args) => {
    signal?.throwIfAborted();
    return run({ tool, args }, { signal });
  };
}

/** What a tool said, cut short, for a sentence. */
export function firstLine(ran: Ran & { type: "ran" }): string {
  const [line = ""] = (ran.stderr.trim() || ran.stdout.trim()).split(/\r?\n/);
  // deno-lint-ignore no-control-regex -- a terminal must not obey them
  const plain = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  return plain === "" ? `exit code ${ran.code}` : plain.slice(0, 200);
}
