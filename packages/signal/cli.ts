// deno-lint-ignore-file no-console -- a command line prints
/**
 * The command line of `@holdfast/signal`: make an identity, listen, send.
 *
 * ```sh
 * deno run --allow-read=. --allow-write=. jsr:@holdfast/signal/cli id --identity me.key
 * deno run --ignore-env --allow-net jsr:@holdfast/signal/cli sub --broker wss://broker.example/mqtt
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import { publicKeyOf } from "./identity.ts";
import { loadIdentity, newIdentity } from "./_identity_file.ts";
import { showBrokers, showPeers } from "./_cli_looks.ts";
import { type Flags, open, positive, UsageError } from "./_cli_common.ts";

const HELP = `Usage:
  signal id [new] --identity FILE [--json]
  signal sub --broker URL [--broker URL …] [--identity FILE] [--count N] [--json]
  signal pub PEER TEXT|- --broker URL [--broker URL …] [--identity FILE] [--timeout SECONDS] [--json]

  signal peers PEER [PEER …] --broker URL [--broker URL …] [--identity FILE] [--timeout SECONDS] [--watch] [--json]
  signal brokers [--for PEER] --broker URL [--broker URL …] [--identity FILE] [--timeout SECONDS] [--json]

  id    prints the id of FILE, which is made (mode 0600) when it is absent;
        with new it must be absent
  sub   prints what peers send to this end; ends after N messages, or by Ctrl-C
  pub   sends TEXT, or standard input for -, and waits until PEER has it
  peers says of each PEER whether it is there, within SECONDS (10); with --watch
        goes on and tells each change, until Ctrl-C
  brokers
        connects to each broker and says how it stands, in the order in which
        PEER, or the identity, walks them; exit code 1 when none is up

Without --identity, all but id make an identity for this one time.

Permissions: --allow-net=<the brokers' hosts> and --ignore-env (or --allow-env)
for all but id; --allow-read=FILE and --allow-write=FILE for --identity.
Exit code: 0 done, 1 failed, 2 bad usage.`;

/** Runs the command; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const [command, ...rest] = positionals;
    switch (command) {
      case "id":
        return await showId(rest, values);
      case "sub":
        return await subscribe(rest, values);
      case "pub":
        return await publish(rest, values);
      case "peers":
        return await showPeers(rest, values);
      case "brokers":
        return await showBrokers(rest, values);
      default:
        throw new UsageError(
          command === undefined
            ? "Cannot run: no command: use id, sub, pub, peers or brokers, or see --help"
            : `Cannot run "${command}": no such command: use id, sub, pub, peers or brokers`,
        );
    }
  } catch (error) {
    const { message } = error as Error;
    console.error(message.split("\n")[0]);
    // What the library says about its arguments is about ours.
    const isUsage = error instanceof UsageError ||
      error instanceof TypeError || error instanceof RangeError;
    return isUsage ? 2 : 1;
  }
}

/** A peer id may begin with a dash, one in 64 does: it is no option. */
const DASHED_ID = /^-[A-Za-z0-9_-]{42}$/;
// No argument has a NUL in it, so nothing else looks like this.
const HIDDEN = "\0";

function parse(args: string[]) {
  const parsed = parseOptions(
    args.map((arg) => DASHED_ID.test(arg) ? HIDDEN + arg : arg),
  );
  const show = (text: string) =>
    text.startsWith(HIDDEN) ? text.slice(HIDDEN.length) : text;
  const { values } = parsed;
  return {
    positionals: parsed.positionals.map(show),
    values: {
      ...values,
      ...(values.for !== undefined && { for: show(values.for) }),
    },
  };
}

function parseOptions(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      identity: { type: "string" },
      broker: { type: "string", multiple: true },
      count: { type: "string" },
      timeout: { type: "string" },
      for: { type: "string" },
      watch: { type: "boolean" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}

async function showId(words: string[], flags: Flags): Promise<number> {
  const isNew = words[0] === "new";
  expectNone(isNew ? words.slice(1) : words);
  if (flags.identity === undefined) {
    throw new UsageError(
      "Cannot show an id: no identity: name its file by --identity FILE",
    );
  }
  const { id } = isNew
    ? await newIdentity(flags.identity)
    : await loadIdentity(flags.identity);
  console.log(flags.json ? JSON.stringify({ type: "identity", id }) : id);
  return 0;
}

async function subscribe(rest: string[], flags: Flags): Promise<number> {
  expectNone(rest);
  const count = positive("--count", flags.count ?? "Infinity");
  await using signalling = await open(flags);
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort();
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    if (flags.json) {
      const { id, state: { brokers } } = signalling;
      console.log(JSON.stringify({ type: "listening", id, brokers }));
      signalling.on("broker-up", (event) => console.log(JSON.stringify(event)));
      signalling.on(
        "broker-down",
        (event) => console.log(JSON.stringify(event)),
      );
    } else {
      console.log(`Listening as ${signalling.id}`);
    }
    let left = count;
    const { signal } = interrupted;
    for await (const { from, bytes } of signalling.receive({ signal })) {
      // Bytes that are no text show as replacement characters.
      const text = new TextDecoder().decode(bytes);
      console.log(
        flags.json
          ? JSON.stringify({ type: "message", from, text })
          : `${from}: ${text}`,
      );
      if (--left <= 0) break;
    }
    return 0;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

async function publish(rest: string[], flags: Flags): Promise<number> {
  const [peer, text, ...more] = rest;
  expectNone(more);
  if (peer === undefined || text === undefined) {
    throw new UsageError(
      "Cannot send: the peer's id and the text are needed: signal pub PEER TEXT",
    );
  }
  // Before it waits for a broker.
  publicKeyOf(peer);
  const timeoutMs = positive("--timeout", flags.timeout ?? "30") * 1000;
  const bytes = text === "-"
    ? await new Response(Deno.stdin.readable).bytes()
    : new TextEncoder().encode(text);
  await using signalling = await open(flags);
  const acknowledged = signalling.once("acknowledged");
  acknowledged.catch(() => {});
  await signalling.send(peer, bytes, { timeoutMs: Math.ceil(timeoutMs) });
  const event = await acknowledged;
  console.log(
    flags.json
      ? JSON.stringify(event)
      : `Acknowledged by ${peer} after ${event.elapsedMs} ms`,
  );
  return 0;
}

function expectNone(rest: string[]): void {
  if (rest.length > 0) {
    throw new UsageError(
      `Cannot run: "${rest[0]}" is one word too many: quote texts, see --help`,
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
