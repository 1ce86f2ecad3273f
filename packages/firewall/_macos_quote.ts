import type { PlanStep } from "./plan.ts";

/**
 * A text as one word of `sh`, in which nothing is expanded.
 *
 * @throws {TypeError} When it holds a NUL, which no argument can.
 */
export function quoteShell(text: string): string {
  if (text.includes("\0")) {
    throw new TypeError("Cannot quote: a NUL is not allowed in an argument");
  }
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Commands as one line of `sh`: each only if those before it worked. */
export function shellLine(steps: readonly PlanStep[]): string {
  return steps.map(({ argv, stdin }) => {
    const command = argv.map(quoteShell).join(" ");
    return stdin === undefined
      ? command
      : `/usr/bin/printf %s ${quoteShell(stdin)} | ${command}`;
  }).join(" && ");
}

/**
 * Never changes: what is to be run comes as an argument, and AppleScript does
 * not read it.
 */
const SCRIPT = `on run argv
  do shell script (item 1 of argv) with prompt (item 2 of argv) with administrator privileges
end run
`;

/** The commands behind one prompt for the password of an administrator. */
export function osascriptStep(
  steps: readonly PlanStep[],
  sentence: string,
): PlanStep {
  const [first] = steps;
  const line = shellLine(steps);
  return {
    layer: first?.layer ?? "application-firewall",
    // With `-` it reads the script; what follows are its arguments. The first
    // one starts with a quote, and can be no option.
    argv: ["/usr/bin/osascript", "-", line, `${sentence}.`],
    stdin: SCRIPT,
    sentence,
    script: line,
  };
}

/** Whether the person refused: by the number, for words are translated. */
export function osascriptRefused(stderr: string): boolean {
  return /\(-128\)\s*$/.test(stderr);
}
