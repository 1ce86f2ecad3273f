// deno-lint-ignore-file no-console -- a command line prints
/** `holdfast peer`: a stream to another peer, from standard input to output. */
import { parseArgs } from "node:util";
import {
  createIdentity,
  exportIdentity,
  type Identity,
  importIdentity,
} from "@holdfast/signal";
import type { ResumableConn } from "@holdfast/resume";
import { describeEvent, levelOf } from "./log.ts";
import { openFirewall } from "./open_firewall.ts";
import { openPeer } from "./open_peer.ts";
import type { Peer } from "./peer.ts";
import type { PeerOptions } from "./peer_options.ts";

const HELP = `A stream between two peers that know each other's id.

Usage:
  peer listen --broker URL [--broker URL …] [options]
  peer connect ID --broker URL [--broker URL …] [options]

  listen    prints the id of this peer; the first one that connects gets
            standard input and output
  connect   standard input and output to the peer of that id

What both type goes to the other one, through whatever happens to the network
between; the program ends when both have ended their input (Ctrl-D).

Options:
  --broker URL      an MQTT broker to meet through; both need one in common
  --identity FILE   who this peer is; made, for its owner only, when absent.
                    Left out: an identity for this one time
  --hostname ADDR   listen: the address; all of them where it is left out.
                    connect listens too where it is given, so that it can be
                    called back
  --port N          the port; any where it is left out
  --allow ID        let in this peer and no other; more than once for several
  --open-firewall   open the port in this machine's firewall meanwhile: this is
                    your consent
  --json            one JSON object a line: the very events, and what came as
                    {"type":"received","base64":…}
  --help            this text

Permissions: --allow-net and --ignore-env (or --allow-env); --allow-run=ip,sh
and --allow-sys=networkInterfaces to follow the network; --allow-read=FILE and
--allow-write=FILE for --identity; what "holdfast firewall" needs for
--open-firewall.
Exit code: 0 done, 1 failed, 2 bad usage.`;

/** Runs it; see `cli.ts`. */
export async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parse(args);
  } catch (error) {
    return usage((error as Error).message);
  }
  const { values, positionals: [command, id, ...more] } = parsed;
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const { broker: brokers = [] } = values;
  const port = Number(values.port ?? 0);
  if (command !== "listen" && command !== "connect") {
    return usage(`there is no command "${command ?? ""}"`);
  }
  if ((command === "connect") !== (id !== undefined) || more.length > 0) {
    return usage("connect needs one id, and listen none");
  }
  if (brokers.length === 0) return usage("name at least one --broker");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    return usage(`--port must be from 0 to 65535: it is "${values.port}"`);
  }
  try {
    await run(command, id, values, port);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

function usage(why: string): number {
  console.error(`Cannot run peer: ${why}: see peer --help`);
  return 2;
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      broker: { type: "string", multiple: true },
      identity: { type: "string" },
      hostname: { type: "string" },
      port: { type: "string" },
      allow: { type: "string", multiple: true },
      "open-firewall": { type: "boolean" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}

type Values = ReturnType<typeof parse>["values"];

async function run(
  command: "listen" | "connect",
  id: string | undefined,
  values: Values,
  port: number,
): Promise<void> {
  const { hostname, json = false, allow } = values;
  const listens = command === "listen" || hostname !== undefined;
  const options: PeerOptions = {
    identity: await identityOf(values.identity),
    brokers: values.broker!,
    ...(listens ? { listen: { hostname: hostname ?? "::", port } } : {}),
    ...(allow ? { allow: (peer) => allow.includes(peer) } : {}),
    ...(values["open-firewall"]
      ? { openPort: openFirewall({ consent: "--open-firewall" }) }
      : {}),
  };
  await using peer = await openPeer(options);
  for (const { part, reason } of peer.state.limited) {
    if (!json) console.error(`${part}: ${reason}`);
  }
  tell(peer, json);
  // Nothing but the id, so that a script can take it as it is.
  if (command === "listen") {
    if (json) print({ type: "listening", id: peer.id, ...peer.state });
    else console.log(peer.id);
  }
  const conn = id === undefined
    ? (await peer.accept()).conn
    : await peer.connect(id);
  await Promise.all([send(conn), receive(conn, json)]);
  await conn[Symbol.asyncDispose]();
}

function tell(peer: Peer, json: boolean): void {
  peer.on("*", (event) => {
    if (json) print(event);
    else if (levelOf(event) !== "debug") console.error(describeEvent(event));
  });
}

function print(event: object): void {
  console.log(JSON.stringify(event));
}

async function send(conn: ResumableConn): Promise<void> {
  for await (const chunk of Deno.stdin.readable) {
    for (let at = 0; at < chunk.length;) {
      at += await conn.write(chunk.subarray(at));
    }
  }
  await conn.closeWrite();
}

async function receive(conn: ResumableConn, json: boolean): Promise<void> {
  const into = new Uint8Array(65_536);
  for (;;) {
    const n = await conn.read(into);
    if (n === null) return;
    const bytes = into.subarray(0, n);
    if (json) print({ type: "received", base64: bytes.toBase64() });
    else {
      for (let at = 0; at < n;) {
        at += await Deno.stdout.write(bytes.subarray(at));
      }
    }
  }
}

/** The identity in a file, which is made when it is absent. */
async function identityOf(path: string | undefined): Promise<Identity> {
  if (path === undefined) return await createIdentity();
  try {
    const text = await Deno.readTextFile(path);
    return await importIdentity(text.trim());
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new Error(
        `Cannot read identity "${path}": it holds no exported secret: name another file, or remove it to get a new one`,
      );
    }
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const identity = await createIdentity();
  await Deno.writeTextFile(path, `${exportIdentity(identity)}\n`, {
    createNew: true,
    mode: 0o600,
  });
  return identity;
}
