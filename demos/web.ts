// deno-lint-ignore-file no-console
/**
 * Something to look at: one stream between two programs that know only each
 * other's id, drawn live, and buttons that do real harm to it.
 *
 * ```sh
 * deno task demo:web [--port N] [--kilobytes-per-second N] [--no-namespace] [--without-replay] [--json]
 * ```
 *
 * It serves a page on 127.0.0.1 and nowhere else, until Ctrl-C. It needs
 * `--allow-net=127.0.0.0/8 --allow-read --allow-write=. --allow-run`, the last
 * because it starts brokers, a proxy and the two programs.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { wholeNumber } from "./main/options.ts";
import { run, type RunLine, type WebOptions } from "./web/run.ts";

const USAGE =
  "Usage: deno task demo:web [--port N] [--kilobytes-per-second N] [--no-namespace] [--without-replay] [--json]";

interface Args extends Omit<WebOptions, "signal" | "onLine"> {
  readonly json: boolean;
}

function readArgs(args: string[]): Args {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "0" },
      "kilobytes-per-second": { type: "string", default: "1000" },
      "no-namespace": { type: "boolean", default: false },
      "without-replay": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const rate = values["kilobytes-per-second"];
  return {
    port: wholeNumber("--port", values.port, 0, 65535),
    rateBytesPerS: 1000 *
      wholeNumber("--kilobytes-per-second", rate, 1, 20_000),
    namespace: !values["no-namespace"],
    replay: !values["without-replay"],
    json: values.json,
  };
}

function print(line: RunLine): void {
  if (line.type === "listening") {
    console.log(`Open ${line.url} in a browser. Ctrl-C ends it.`);
  } else console.log(`Streaming. ${line.place}`);
}

/** Runs it; resolves with the exit code. */
export async function main(argv: string[]): Promise<number> {
  let args: Args;
  try {
    args = readArgs(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const { json, ...options } = args;
  const ended = new AbortController();
  const end = (): void => ended.abort(new Error("ended"));
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, end);
  try {
    const onLine = (line: RunLine): void =>
      json ? console.log(JSON.stringify(line)) : print(line);
    await run({ ...options, signal: ended.signal, onLine });
    return 0;
  } catch (error) {
    if (ended.signal.aborted) return 0;
    const text = error instanceof Deno.errors.AddrInUse
      ? `port ${options.port} is taken: give another one, or none, by --port`
      : (error as Error).message;
    console.error(`The demo failed: ${text}`);
    return 1;
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, end);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
