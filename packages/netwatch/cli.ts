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
import { platform } from "./_platform.ts";
import { describeEvent, describeSnapshot } from "./describe.ts";
import type { NetworkEvent } from "./network_event.ts";
import { readSnapshot } from "./read.ts";
import { watchNetwork } from "./watch.ts";

const HELP = `Shows the network of this host, and what changes in it.

Usage: netwatch <command> [options]

Commands:
  snapshot          print the network as it is now
  watch             print each change as it happens, until Ctrl-C

Options:
  --json            one JSON object a line: the snapshot, or the very events
  --poll-ms <n>     watch: how often to look at the addresses (default 1000)
  --no-monitor      watch: find changes by looking only
  --help            this text

Permissions:
  --allow-sys=networkInterfaces   addresses
  --allow-run=ip,sh               Linux: links, routes, and events at once
                                  (ip alone will do; with sh the helper ends
                                  at once when this program is killed)
  --allow-run=netstat             macOS, FreeBSD: routes
  --allow-run=route               Windows: routes

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
    await (usage.command === "snapshot" ? snapshot(usage) : watch(usage));
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
        "no-monitor": { type: "boolean", default: false },
        "poll-ms": { type: "string" },
      },
    });
    const [command, ...rest] = positionals;
    const { help, json, "poll-ms": poll } = values;
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

async function watch({ json, pollMs, monitor }: Usage): Promise<void> {
  await using network = await watchNetwork({ pollMs, monitor });
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
  const signals: Deno.Signal[] = platform() === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM"];
  const asked = Promise.withResolvers<void>();
  const end = () => asked.resolve();
  for (const signal of signals) Deno.addSignalListener(signal, end);
  await asked.promise;
  for (const signal of signals) Deno.removeSignalListener(signal, end);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
