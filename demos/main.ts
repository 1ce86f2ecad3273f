// deno-lint-ignore-file no-console
/**
 * The main job, on real parts: two programs that know only each other's id meet
 * over three MQTT brokers and stream a file each way, while a broker is killed,
 * the connection is reset three times, the client's address changes and the
 * server process is replaced. Then both files are compared.
 *
 * ```sh
 * deno task demo [--json] [--seed N] [--mib N] [--seconds N] [--keep FOLDER] [--without-replay]
 * ```
 *
 * It needs `--allow-net=127.0.0.0/8 --allow-read --allow-write=. --allow-run`,
 * the last because it starts brokers, a proxy and the two programs. Exit code 1
 * when anything was lost.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { wholeNumber } from "./main/options.ts";
import { run, type RunOptions } from "./main/run.ts";
import { Screen } from "./main/screen.ts";

const USAGE =
  "Usage: deno task demo [--json] [--seed N] [--mib N] [--seconds N] [--keep FOLDER] [--without-replay]";

interface Args extends Omit<RunOptions, "signal"> {
  readonly json: boolean;
}

function readArgs(args: string[]): Args {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      mib: { type: "string", default: "64" },
      seconds: { type: "string", default: "6" },
      keep: { type: "string" },
      "without-replay": { type: "boolean", default: false },
    },
  });
  return {
    json: values.json,
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 31),
    mebibytes: wholeNumber("--mib", values.mib, 1, 4096),
    seconds: wholeNumber("--seconds", values.seconds, 4, 3600),
    keep: values.keep,
    replay: !values["without-replay"],
  };
}

/** Runs the demo; resolves with the exit code. */
export async function main(argv: string[]): Promise<number> {
  let args: Args;
  try {
    args = readArgs(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort(new Error("interrupted"));
  Deno.addSignalListener("SIGINT", onInterrupt);
  const screen = new Screen(args.json);
  try {
    const outcome = await run({ ...args, signal: interrupted.signal }, screen);
    screen.end(outcome.rows, outcome.data);
    return outcome.ok ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) return 130;
    console.error(`The demo failed: ${(error as Error).message}`);
    return 1;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
