/**
 * The server program of the page: takes one client, whose id it knows, streams
 * both ways, and keeps the stream in a store together with its own state: the
 * count of what it has checked. It can be replaced, and it can be killed.
 */
import { openUpgrader, type Upgrader } from "@holdfast/handoff";
import { openPeer, type Peer } from "@holdfast/holdfast";
import type { ResumableConn } from "@holdfast/resume";
import { sqliteStore } from "@holdfast/resume/sqlite";
import type { SessionStore } from "@holdfast/resume/store";
import { withoutReplay } from "@holdfast/resume/testing";
import { importIdentity } from "@holdfast/signal";
import { fail, readLines, say } from "../main/lines.ts";
import { readState, writeState } from "../main/successor.ts";
import { Checker, NOTHING, type Tally } from "./content.ts";
import { drink, type Flow, Gaps, pour } from "./flow.ts";
import { PROGRESS_MS, sayBrokers, type ServerSetup, STREAM } from "./setup.ts";

const COMMIT_MS = 25;
// Longer than anybody lets a client sleep.
const TTL_MS = 60 * 60_000;

const lines = readLines(Deno.stdin.readable);

async function main(): Promise<void> {
  const upgrader = await openUpgrader();
  const state = await upgrader.predecessorState();
  if (state !== undefined) {
    const { head, peerState } = readState<ServerSetup>(state);
    return await serve(upgrader, head, peerState);
  }
  const setup = (await lines.next()).value as unknown as ServerSetup;
  await serve(upgrader, setup, undefined);
}

async function serve(
  upgrader: Upgrader,
  setup: ServerSetup,
  restore: Uint8Array | undefined,
): Promise<void> {
  const store = sqliteStore(setup.store);
  const peer = await openPeer({
    identity: await importIdentity(setup.identity),
    brokers: setup.brokers,
    listen: await upgrader.listen("stream", { port: 0 }),
    advertise: setup.advertise,
    allow: (id) => id === setup.client,
    stream: setup.replay ? STREAM : withoutReplay(STREAM),
    store,
    commits: "manual",
    ttlMs: TTL_MS,
    restore,
  });
  peer.on("*", (event) => say({ type: "event", event }));
  sayBrokers(peer);
  await upgrader.ready();
  const { port } = peer.addr as Deno.NetAddr;
  say({ type: "serving", pid: Deno.pid, port });
  const obeying = new Obedience(upgrader, setup, peer, store);
  let conn: ResumableConn;
  try {
    ({ conn } = await peer.accept());
  } catch (error) {
    // Replaced before its client came back: `upgrade` ends this process.
    if (obeying.ended) return await new Promise(() => {});
    throw error;
  }
  say({ type: "accepted" });
  await obeying.stream(conn);
}

/** Streams, commits, and makes way for a successor when it is told. */
class Obedience {
  readonly #upgrader: Upgrader;
  readonly #setup: ServerSetup;
  readonly #peer: Peer;
  readonly #store: SessionStore;
  #commit: () => Promise<void> = () => Promise.resolve();
  /** Whether another process goes on with the stream. */
  ended = false;

  constructor(
    upgrader: Upgrader,
    setup: ServerSetup,
    peer: Peer,
    store: SessionStore,
  ) {
    this.#upgrader = upgrader;
    this.#setup = setup;
    this.#peer = peer;
    this.#store = store;
    void this.#obey().catch(fail);
  }

  async stream(conn: ResumableConn): Promise<void> {
    const { rateBytesPerS, seed, otherSeed } = this.#setup;
    const before = readTally(conn.appState);
    if (before.received !== conn.bytesRead) {
      throw new Error(
        `The store gave the stream at ${conn.bytesRead} and the count at ${before.received}`,
      );
    }
    const checker = new Checker(otherSeed, before);
    const flow: Flow = { conn, rateBytesPerS, seed, checker };
    const gaps = new Gaps();
    let told = 0;
    this.#commit = async () => {
      const { tally } = checker;
      const sent = conn.bytesWritten;
      const state = new TextEncoder().encode(JSON.stringify(tally));
      await conn.commit(tally.received, state);
      if (performance.now() - told < PROGRESS_MS) return;
      told = performance.now();
      // Only what is in the store: what is not would be done again.
      say({ type: "progress", sent, tally, longestMs: gaps.longestMs });
    };
    void this.#keepCommitting(conn).catch(fail);
    await Promise.all([pour(flow), drink(flow, gaps)]);
  }

  async #keepCommitting(conn: ResumableConn): Promise<void> {
    while (!this.ended && conn.state.name !== "suspended") {
      await this.#commit();
      await new Promise((resolve) => setTimeout(resolve, COMMIT_MS));
    }
  }

  async #obey(): Promise<void> {
    for await (const line of lines) {
      if (line.type !== "upgrade") continue;
      await this.#upgrader.upgrade({
        command: Deno.execPath(),
        args: this.#setup.args,
        stdin: "inherit",
        state: async () => {
          this.ended = true;
          await this.#commit();
          const peerState = await this.#peer.suspend();
          await this.#store[Symbol.asyncDispose]();
          return writeState({ ...this.#setup }, peerState);
        },
      });
      say({ type: "replaced", pid: Deno.pid });
      // The successor reads what comes next.
      Deno.exit(0);
    }
    Deno.exit(1);
  }
}

function readTally(state: Uint8Array | undefined): Tally {
  return state === undefined
    ? NOTHING
    : JSON.parse(new TextDecoder().decode(state));
}

// Last: nothing above it may be missing yet.
try {
  await main();
} catch (error) {
  fail(error);
}
