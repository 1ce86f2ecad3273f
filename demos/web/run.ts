/** One run of the page: the programs, the server, and their end. */
import { Actions } from "./actions.ts";
import { readAssets } from "./assets.ts";
import { History } from "./history.ts";
import { serve } from "./http.ts";
import { Meter, viewOf } from "./snapshot.ts";
import { Stage } from "./stage.ts";
import type { Hello, Sample } from "./view.ts";

const UPDATE_MS = 250;
const SHUTDOWN_MS = 500;

/** How to run it. */
export interface WebOptions {
  /** 0 for any. */
  readonly port: number;
  readonly rateBytesPerS: number;
  readonly replay: boolean;
  readonly namespace: boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Is told where the page is, and then that all programs run. */
  readonly onLine: (line: RunLine) => void;
}

/** What a run says. */
export type RunLine =
  | { readonly type: "listening"; readonly url: string }
  | { readonly type: "streaming"; readonly place: string };

/** Runs until it is ended; no program and no file is left when it returns. */
export async function run(options: WebOptions): Promise<void> {
  const { signal, onLine, port, ...how } = options;
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ dir: ".", prefix: ".demo-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const history = new History(() => performance.now());
  const stage = new Stage({ ...how, folder }, history, stack);
  const meter = new Meter();
  const runId = crypto.randomUUID();
  const token = crypto.getRandomValues(new Uint8Array(16)).toHex();
  let actions: Actions | undefined = undefined;
  const hello = (): Hello => ({
    run: runId,
    place: actions === undefined ? "" : placeOf(stage),
    view: viewOf(stage, actions, meter),
    notes: history.notes,
    samples: history.samples,
  });
  const serving = new AbortController();
  const assets = await readAssets(`${import.meta.dirname}/page`, token);
  const server = serve(
    { token, assets, history, hello, actions: () => actions },
    port,
    serving.signal,
  );
  stack.defer(async () => {
    history.tell("end", {});
    // What still waits for an action to come about waits for nothing.
    const limit = setTimeout(() => serving.abort(), SHUTDOWN_MS);
    await server.shutdown();
    clearTimeout(limit);
  });
  onLine({ type: "listening", url: `http://127.0.0.1:${server.addr.port}/` });
  const updating = setInterval(
    () => update(history, meter, stage, actions),
    UPDATE_MS,
  );
  stack.defer(() => clearInterval(updating));
  const ended = new Promise<never>((_, reject) => {
    const end = (): void => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
  const starting = stage.start();
  // One of them is not waited for.
  for (const later of [ended, starting]) later.catch(() => {});
  await Promise.race([starting, ended]);
  actions = new Actions(stage);
  history.tell("place", placeOf(stage));
  onLine({ type: "streaming", place: placeOf(stage) });
  await ended;
}

function update(
  history: History,
  meter: Meter,
  stage: Stage,
  actions: Actions | undefined,
): void {
  const { up, down } = stage.facts;
  const sample: Sample = meter.take(
    history.elapsed,
    up.received,
    down.received,
  );
  history.sample(sample);
  history.tell("update", { view: viewOf(stage, actions, meter), sample });
}

function placeOf({ namespace }: Stage): string {
  return typeof namespace === "string"
    ? `The programs run on this machine's loopback. "Block the port" is done by the proxy, since ${namespace}.`
    : `The programs run in a network namespace of their own, and "Block the port" is a rule of nftables in there. This machine's own network is not touched.`;
}
