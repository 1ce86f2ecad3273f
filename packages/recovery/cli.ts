// deno-lint-ignore-file no-console -- a command line writes lines
/**
 * Asks whether a service can be reached, finds out why not, and lists the known
 * failures.
 *
 * ```sh
 * deno run --allow-net jsr:@holdfast/recovery/cli check example.com:443
 * deno run --allow-net --allow-read=/etc --allow-run=ip jsr:@holdfast/recovery/cli doctor example.com:443
 * deno run jsr:@holdfast/recovery/cli failures
 * ```
 *
 * @module
 */
import { isIP } from "node:net";
import { parseArgs } from "node:util";
import { doctor } from "./_cli_doctor.ts";
import { wireName } from "./_dns_config.ts";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import type { AttemptEvent, DialTarget } from "./dial_options.ts";
import { failures } from "./failures.ts";

const HELP = `Usage:
  check HOST:PORT [--deadline MS] [--tls] [--json]   connect, and say what is wrong
  doctor [HOST:PORT] [--tls] [--http] [--json]       find the root cause
    [--broker URL]...   brokers to reach as well
    [--portal URL|none] a page that answers 204, to find captive portals
    [--idle SECONDS]    whether an idle connection stays open
  failures [--json]                                  list the known failures

Permissions: check needs --allow-net=HOST:PORT (for a name also the addresses
that it stands for); doctor needs --allow-net and --allow-read=/etc, and tells
more with --allow-run=ip,ping,arping and --allow-env; failures needs none.
Exit codes: 0 reached, 1 not reached, 2 bad usage.`;

class UsageError extends Error {}

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 a clear failure, 2 bad usage.
 */
export async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    const [command, ...rest] = positionals;
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    if (command === "failures" && rest.length === 0) {
      return listFailures(values.json);
    }
    if (command === "doctor" && rest.length <= 1) {
      return await doctor({
        target: rest[0] === undefined ? undefined : parseTarget(rest[0]),
        ...{ tls: values.tls, http: values.http, json: values.json },
        portal: parsePortal(values.portal),
        brokers: values.broker.map(parseBroker),
        idleMs: parseIdle(values.idle),
      });
    }
    if (command === "check" && rest.length === 1) {
      return await check(parseTarget(rest[0]!), {
        deadlineMs: parseDeadline(values.deadline),
        tls: values.tls,
        json: values.json,
      });
    }
    throw new UsageError(
      "Cannot run: expected `check HOST:PORT`, `doctor` or `failures`: see --help",
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        deadline: { type: "string", default: "10000" },
        broker: { type: "string", multiple: true, default: [] },
        idle: { type: "string", default: "0" },
        http: { type: "boolean", default: false },
        portal: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        tls: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(
      `Cannot run: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function parseTarget(text: string): DialTarget {
  // `[::1]:443`, `host:443`; the port is what follows the last colon.
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const hostname = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (hostname === undefined || !(port >= 1 && port <= 65_535)) {
    throw new UsageError(
      `Cannot check ${
        JSON.stringify(text)
      }: it is not HOST:PORT: write for example example.com:443 or [::1]:443`,
    );
  }
  if (isIP(hostname) === 0 && wireName(hostname) === undefined) {
    throw new UsageError(
      `Cannot check ${
        JSON.stringify(text)
      }: ${hostname} is neither a name nor an address`,
    );
  }
  return { hostname, port };
}

function parseDeadline(text: string): number {
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms < 1 || ms > 3_600_000) {
    throw new UsageError(
      `Cannot check: deadline must be 1 to 3600000 ms: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return ms;
}

function parsePortal(text: string | undefined): string | undefined {
  if (text === undefined || text === "none") return text;
  return parseUrl(text, ["http:"], "--portal", "http://example.com/204");
}

function parseBroker(text: string): string {
  const schemes = ["mqtt:", "mqtts:", "ws:", "wss:"];
  return parseUrl(text, schemes, "--broker", "mqtts://broker.example:8883");
}

function parseUrl(
  text: string,
  schemes: readonly string[],
  flag: string,
  example: string,
): string {
  const url = URL.parse(text);
  if (url && url.hostname !== "" && schemes.includes(url.protocol)) return text;
  throw new UsageError(
    `Cannot diagnose: ${flag} ${
      JSON.stringify(text)
    } is no such URL: write for example ${example}`,
  );
}

function parseIdle(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0 && seconds <= 3_600) {
    return seconds * 1_000;
  }
  throw new UsageError(
    `Cannot diagnose: --idle must be 0 to 3600 seconds: current value is ${
      JSON.stringify(text)
    }`,
  );
}

interface CheckOptions {
  readonly deadlineMs: number;
  readonly tls: boolean;
  readonly json: boolean;
}

async function check(
  target: DialTarget,
  { deadlineMs, tls, json }: CheckOptions,
): Promise<number> {
  const onAttempt = (event: AttemptEvent) => {
    if (json) console.log(JSON.stringify(event));
    else if (event.type === "attempt-failed") console.log(describe(event));
  };
  const options = { deadlineMs, onAttempt };
  const started = performance.now();
  try {
    const conn = tls
      ? await dial(target, { ...options, tls: true })
      : await dial(target, options);
    conn.close();
    const ms = Math.round(performance.now() - started);
    if (json) console.log(JSON.stringify({ type: "reached", ms }));
    else console.log(`Reached in ${ms} ms`);
    return 0;
  } catch (error) {
    const verdict = classify(error);
    if (json) console.log(JSON.stringify({ type: "not-reached", verdict }));
    const message = error instanceof Error ? error.message : String(error);
    const entry = failures.find(({ id }) => id === verdict.failure);
    const why = message.endsWith(verdict.why) ? "" : `: ${verdict.why}`;
    const advice = entry ? ` (${entry.id}: ${entry.prevent})` : "";
    console.error(`${message}${why}${advice}`);
    return 1;
  }
}

function describe(event: AttemptEvent & { type: "attempt-failed" }): string {
  const { target, number, verdict, message, retryInMs } = event;
  const next = retryInMs === undefined
    ? "not again"
    : `again in ${Math.round(retryInMs)} ms`;
  return `Attempt ${
    number + 1
  } at ${target} failed: ${message}: ${next} (${verdict.action})`;
}

function listFailures(json: boolean): number {
  for (const failure of failures) {
    if (json) {
      console.log(JSON.stringify(failure));
      continue;
    }
    const { id, layer, symptom, cause, platforms, detect, prevent } = failure;
    console.log(`${id} (${layer}; ${platforms.join(", ")})
  symptom: ${symptom}
  cause:   ${cause}
  detect:  ${detect}
  prevent: ${prevent}`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
