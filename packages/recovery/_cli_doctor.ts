// deno-lint-ignore-file no-console -- a command line writes lines
import { styleText } from "node:util";
import type { Diagnosis, Step } from "./diagnosis.ts";
import type { DialTarget } from "./dial_options.ts";
import { diagnose } from "./doctor.ts";

/** What `doctor` was asked for. */
export interface DoctorArguments {
  readonly target: DialTarget | undefined;
  readonly tls: boolean;
  readonly http: boolean;
  /** `none` asks nobody. */
  readonly portal: string | undefined;
  readonly brokers: readonly string[];
  readonly idleMs: number;
  readonly json: boolean;
}

/** Prints the ladder, or the diagnosis as a line of JSON. */
export async function doctor(
  { target, tls, http, portal, brokers, idleMs, json }: DoctorArguments,
): Promise<number> {
  const diagnosis = await diagnose({
    ...{ target, brokers, idleMs, environment: proxyVariables() },
    ...(tls && { tls: true }),
    ...(http && { http: true }),
    ...(portal !== undefined &&
      { portalUrl: portal === "none" ? false : portal }),
  });
  if (json) console.log(JSON.stringify(diagnosis));
  else console.log(render(diagnosis));
  return diagnosis.healthy ? 0 : 1;
}

const MARKS = {
  failed: ["✗", "red"],
  ok: ["✓", "green"],
  unknown: ["–", "gray"],
  warning: ["!", "yellow"],
} as const;

/** The rungs that show that somebody answers. */
const FAR: readonly Step["id"][] = ["brokers", "connection", "names", "portal"];

/** The ladder as text: a mark, the rung, what was seen; then causes and fixes. */
export function render({ steps, causes, tookMs }: Diagnosis): string {
  const mark = ({ state }: Step): string => {
    const [sign, colour] = MARKS[state];
    return styleText(colour, sign);
  };
  const lines = steps.map((step) =>
    `${mark(step)} ${step.id.padEnd(10)} ${printable(step.evidence)}`
  );
  const [root, ...others] = causes;
  const ms = Math.round(tookMs);
  if (root === undefined) {
    const reached = steps.some(({ id, state }) =>
      FAR.includes(id) && state === "ok"
    );
    const found = reached
      ? "Nothing is wrong"
      : "Nothing wrong was found, and nobody was reached";
    return [...lines, `${found} (${ms} ms)`].join("\n");
  }
  return [
    ...lines,
    "",
    `${printable(root.what)} (${root.id})`,
    `  fix: ${printable(root.fix)}`,
    ...others.map(({ what, id, minor }) =>
      `  ${minor ? "besides" : "and so"}: ${printable(what)} (${id})`
    ),
  ].join("\n");
}

/** Evidence may quote what others sent: nothing of it may move the cursor. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what must not get through
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

/** The variables that name proxies, as far as they may be read. */
function proxyVariables(): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  for (const upper of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
    for (const variable of [upper, upper.toLowerCase()]) {
      const query = { name: "env", variable } as const;
      if (Deno.permissions.querySync(query).state !== "granted") continue;
      found[variable] = Deno.env.get(variable);
    }
  }
  return found;
}
