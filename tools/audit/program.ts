// deno-lint-ignore-file no-console -- the audit reads it
/**
 * What a program of a user does, to see which permissions it takes: its first
 * argument says which part. Prints what could not be done, as a JSON list.
 */
import { connect, openPeer, type Peer, serve } from "@holdfast/holdfast";
import type { ResumableConn } from "@holdfast/resume";
import { createIdentity } from "@holdfast/signal";

const [what, broker = "", file = ""] = Deno.args;
const limited: string[] = [];

const parts: Record<string, () => Promise<void>> = {
  "serve": () => served({}),
  "serve-network": () => served({ network: undefined }),
  async "serve-store"() {
    const { sqliteStore } = await import("@holdfast/resume/sqlite");
    await using store = sqliteStore(file);
    await using server = await serve(echo, { store });
    await talk(await connect(server.addr as Deno.NetAddr, { network: false }));
  },
  async "serve-upgrade"() {
    await using server = await serve(echo, {
      // The next process ends well at once; all that it took is what counts.
      upgrade: { command: "/bin/true", args: [], timeoutMs: 5_000 },
    });
    const ended = await server.upgrade().catch((error) => error.code);
    if (ended !== "handoff/not-prepared") limited.push(String(ended));
  },
  "peer": () => met({ port: 0 }, false),
  "peer-everywhere": () => met({ hostname: "0.0.0.0", port: 0 }, false),
  "peer-network": () => met({ port: 0 }, undefined),
};

async function echo(conn: ResumableConn): Promise<void> {
  await conn.readable.pipeTo(conn.writable);
}

async function served(options: { network?: undefined }): Promise<void> {
  await using server = await serve(echo);
  const network = "network" in options ? options : { network: false } as const;
  await talk(
    await connect(server.addr as Deno.NetAddr, {
      ...network,
      onLimited: ({ reason }) => limited.push(reason),
    }),
  );
}

async function met(
  listen: { hostname?: string; port: number },
  network: false | undefined,
): Promise<void> {
  const open = async (more: object): Promise<Peer> =>
    await openPeer({
      ...{ identity: await createIdentity(), brokers: [broker], network },
      ...more,
    });
  await using listening = await open({ listen });
  await using connecting = await open({});
  const serving = listening.accept().then(({ conn }) => echo(conn));
  await talk(await connecting.connect(listening.id));
  await serving;
  for (const peer of [listening, connecting]) {
    limited.push(...peer.state.limited.map(({ reason }) => reason));
  }
}

async function talk(conn: ResumableConn): Promise<void> {
  await conn.write(new Uint8Array(3));
  for (let n = 0; n < 3;) n += (await conn.read(new Uint8Array(3)))!;
  await conn.closeWrite();
  await conn.readable.pipeTo(new WritableStream());
  await conn[Symbol.asyncDispose]();
}

await parts[what!]!();
console.log(JSON.stringify(limited));
Deno.exit(0);
