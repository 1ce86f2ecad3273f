/** What the programs of the page are told when they start. */
import type { Peer, PeerStreamOptions } from "@holdfast/holdfast";
import { say } from "../main/lines.ts";

/** What both are told. */
interface CommonSetup {
  /** Its own, with the secret part, as signalling exports it. */
  readonly identity: string;
  readonly brokers: readonly string[];
  readonly rateBytesPerS: number;
  /** Of the bytes that it sends, and of those that it gets. */
  readonly seed: number;
  readonly otherSeed: number;
  /** Without it cuts lose bytes: the counters must then say so. */
  readonly replay: boolean;
}

/** What the client is told. */
export interface ClientSetup extends CommonSetup {
  /** The id of the server. */
  readonly server: string;
  readonly localAddress: string | undefined;
}

/** What the server is told, and passes to its successor. */
export interface ServerSetup extends CommonSetup {
  /** The id of the client: nobody else is let in. */
  readonly client: string;
  readonly advertise: readonly { hostname: string; port: number }[];
  /** The file of the store. */
  readonly store: string;
  /** How the server starts its successor. */
  readonly args: readonly string[];
}

/** How the stream behaves: a dead path is given up after 1.5 s of silence. */
export const STREAM: PeerStreamOptions = { heartbeatMs: 500, redialMaxMs: 500 };

/** Says over and over which brokers a peer is connected to. */
export function sayBrokers({ signalling }: Peer): void {
  setInterval(() => {
    const up = signalling.state.brokers.filter(({ status }) => status === "up");
    say({ type: "brokers", up: up.map(({ url }) => url) });
  }, BROKERS_MS);
}

const BROKERS_MS = 250;

/** How often a program says where it stands. */
export const PROGRESS_MS = 50;
