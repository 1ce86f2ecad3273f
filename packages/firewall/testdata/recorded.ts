// A machine that is not at hand: its answers are played back.
import type { PlanStep } from "../plan.ts";
import type { Call, Ran, Runner } from "../runner.ts";

/** What a tool printed. */
export const said = (stdout: string, code = 0, stderr = ""): Ran => ({
  type: "ran",
  code,
  stdout,
  stderr,
});

/** A recording, by its path in this folder. */
export function recording(path: string): string {
  return Deno.readTextFileSync(new URL(path, import.meta.url));
}

/** Answers by the command line; what is not in the table is not installed. */
export function machineOf(
  answers: Readonly<Record<string, Ran | string>>,
  calls: Call[] = [],
): Runner {
  return (call) => {
    calls.push(call);
    const answer = answers[[call.tool, ...call.args].join(" ")];
    return Promise.resolve(
      answer === undefined
        ? { type: "absent" }
        : typeof answer === "string"
        ? said(answer)
        : answer,
    );
  };
}

const VERBS =
  /\b(enable|disable|reload|flush|reset|restart-\w+|stop-service|defaultinboundaction|allprofiles|currentprofile|firewallpolicy|setglobalstate|setblockall|setstealthmode|setallowsigned|set-net\w*|enable-net\w*|disable-net\w*)\b|\bset (all|domain|private|public)/i;
/** `pfctl -e`, `-d`, `-E`, `-X`, `-F`; `ipfw -f`. */
const FLAGS = /pfctl\b.* -[edEXF]\b|ipfw\b.* -f\b/;

/** Whether a command has a word that none of ours may have, in any plan. */
export function forbidden(words: string): boolean {
  return VERBS.test(words) || FLAGS.test(words);
}

/** The commands that take the steps of a plan back, in their order. */
export function undoing(steps: readonly PlanStep[]): PlanStep[] {
  return steps.toReversed().flatMap(({ undo }) => undo ?? []);
}
