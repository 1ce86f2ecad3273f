// deno-lint-ignore-file no-console -- A command line writes lines.
/**
 * The command line of netwatch: shows the network, and what changes in it.
 *
 * `deno run --allow-sys=networkInterfaces --allow-run=ip,sh
 * jsr:@holdfast/netwatch/cli watch`
 *
 * @module
 */
import { parseArgs } from "node:util";
import { LiveScreen } from "./_live.ts";
import { platform } from "./_platform.ts";
import { describeEvent, describeSnapshot } from "./describe.ts";
import type { NetworkEvent } from "./network_event.ts";
import { readSnapshot } from "./read.ts";
import { type NetworkWatch, watchNetwork } from "./watch.ts";

const HELP = `Shows the network of this host, and what changes in it.

Usage: netwatch <command> [options]

Commands:
  snapshot          print the network as it is now
  watch             show the network and each change of it, until Ctrl-C: a
                    table on a terminal, lines elsewhere

Options:
  --json            one JSON object a line: the snapshot, or the very events
  --once            watch: print the network as it is now, and end
  --lines           watch: print lines on a terminal too
  --ignore <name>   watch: an interface whose changes are never major; may be
                    given more than once
  --poll-ms <n>     watch: how often to look at the addresses (default 1000)
  --no-monitor      watch: find changes by looking only
  --help            this text

Permissions:
  --allow-sys=networkInterfaces   addresses
  --allow-sys=osUptime            to tell sleep from a clock that was set
  --allow-run=ip,sh               Linux: links, routes, and events at once
                                  (ip alone will do; with sh the helper ends
                                  at once when this program is killed)
  --allow-run=netstat,ifconfig,route,sh
                                  macOS, BSD: the same
  --allow-run=powershell,route    Windows: the same

Exit codes: 0 done, 1 the network cannot be read, 2 bad usage.`;

/** Runs the command line; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  const usage = parse(args);
  if (typeof usage === "string") {
    console.error(`${usage}: see --help`);
    return 2;
  }
  if (usage.help) {
    console.log(HELP);
    return 0;
  }
  try {
    const once = usage.command === "snapshot" || usage.once;
    await (once ? snapshot(usage) : watch(usage));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

interface Usage {
  readonly help: boolean;
  readonly command: "snapshot" | "watch";
  readonly json: boolean;
  readonly once: boolean;
  readonly lines: boolean;
  readonly ignore: readonly string[];
  readonly monitor: boolean;
  readonly pollMs: number | undefined;
}

/** What is asked for, or one sentence on what is wrong with it. */
function parse(args: string[]): Usage | string {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        once: { type: "boolean", default: false },
        lines: { type: "boolean", default: false },
        ignore: { type: "string", multiple: true, default: [] },
        "no-monitor": { type: "boolean", default: false },
        "poll-ms": { type: "string" },
      },
    });
    const [command, ...rest] = positionals;
    const { help, json, once, lines, ignore, "poll-ms": poll } = values;
    if (!help && command !== "snapshot" && command !== "watch") {
      return command === undefined
        ? "Cannot start: no command is given"
        : `Cannot start: "${command}" is no command`;
    }
    if (rest.length > 0) return `Cannot start: "${rest[0]}" is too much`;
    const pollMs = poll === undefined ? undefined : Number(poll);
    if (pollMs !== undefined && !(pollMs >= 1 && pollMs <= 2 ** 31 - 1)) {
      return `Cannot start: --poll-ms must be from 1 to 2147483647, not "${poll}"`;
    }
    return {
      help,
      json,
      once,
      lines,
      ignore,
      pollMs,
      command: command === "snapshot" ? "snapshot" : "watch",
      monitor: !values["no-monitor"],
    };
  } catch (error) {
    // Unknown options; the first sentence says which.
    const message = error instanceof Error ? error.message : String(error);
    return `Cannot start: ${message.split(/\. |\n/)[0]}`;
  }
}

async function snapshot({ json }: Usage): Promise<void> {
  const now = await readSnapshot();
  if (json) console.log(JSON.stringify(now));
  else for (const line of describeSnapshot(now)) console.log(line);
}

async function watch(usage: Usage): Promise<void> {
  const { json, pollMs, monitor, ignore } = usage;
  await using network = await watchNetwork({ pollMs, monitor, ignore });
  if (!json && !usage.lines && Deno.stdout.isTerminal()) {
    const encoder = new TextEncoder();
    using _screen = new LiveScreen(
      network,
      (text) => void Deno.stdout.writeSync(encoder.encode(text)),
    );
    return await asked();
  }
  printEvents(network, json);
  await asked();
}

function printEvents(network: NetworkWatch, json: boolean): void {
  network.on("*", (event: NetworkEvent) => {
    console.log(
      json
        ? JSON.stringify(event)
        : `${new Date().toISOString().slice(11, 23)} ${describeEvent(event)}`,
    );
  });
  if (!json) {
    for (const line of describeSnapshot(network.state)) console.log(line);
    for (const why of network.stats().degraded) console.log(`note: ${why}`);
    console.log("watching; Ctrl-C ends");
  }
}

/** Until somebody asks for the end. */
async function asked(): Promise<void> {
  const signals: Deno.Signal[] = platform() === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM"];
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  for (const signal of signals) Deno.addSignalListener(signal, end);
  await promise;
  for (const signal of signals) Deno.removeSignalListener(signal, end);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
