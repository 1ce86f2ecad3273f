/** One run of the demo, from its files to its verdict. */
import { Scene } from "./scene.ts";
import type { Screen } from "./screen.ts";
import { makeFile } from "./seeded_file.ts";
import { type Outcome, summarize } from "./summary.ts";

/** How to run it. */
export interface RunOptions {
  readonly seed: number;
  readonly mebibytes: number;
  /** How long the transfer should take: all the harm must fit into it. */
  readonly seconds: number;
  /** A folder to make the files in and to leave them; a passing one without. */
  readonly keep: string | undefined;
  /** Without it the streams lose what a cut takes: the run must then fail. */
  readonly replay: boolean;
  readonly signal: AbortSignal;
}

/** Runs it all; the programs and files are gone when it returns. */
export async function run(
  options: RunOptions,
  screen: Screen,
): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const folder = options.keep ??
    await Deno.makeTempDir({ dir: ".", prefix: ".demo-" });
  await Deno.mkdir(folder, { recursive: true });
  if (options.keep === undefined) {
    stack.defer(() => Deno.remove(folder, { recursive: true }));
  }
  await makeFiles(options, folder, screen);
  const scene = new Scene(options, screen, folder);
  await scene.start(stack);
  try {
    await scene.play();
  } catch (error) {
    options.signal.throwIfAborted();
    screen.line("demo", `FAILED: ${(error as Error).message}`, {
      type: "failed",
      error: (error as Error).message,
    });
  }
  return summarize(await scene.outcome());
}

async function makeFiles(
  { seed, mebibytes }: RunOptions,
  folder: string,
  screen: Screen,
): Promise<void> {
  const bytes = mebibytes * 1024 * 1024;
  await makeFile(`${folder}/up`, bytes, seed);
  await makeFile(`${folder}/down`, bytes, seed + 1);
  const text = `made two files of ${mebibytes} MiB from seed ${seed}`;
  screen.line("demo", text, { type: "files", seed, bytes });
}
