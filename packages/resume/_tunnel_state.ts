/** An end of a tunnel as bytes, to go on in another process. */
import { concat } from "./_keys.ts";
import type { Bytes } from "./_record_bytes.ts";
import type { FlowState } from "./_tunnel_pump.ts";
import { getU32, putU32 } from "./_wire.ts";
import { ResumeError } from "./errors.ts";

/** One connection, suspended. */
export interface ConnectionState {
  /** The public id of its session; empty if it has none yet. */
  readonly sid: string;
  /** Which of the passed connections is the program's; -1 if it is closed. */
  readonly index: number;
  /** Where it leads. */
  readonly target: string;
  /** Where it comes from. */
  readonly from: string | undefined;
  /** How long its server waits for it, in milliseconds; 0 at a server. */
  readonly ttlMs: number;
  /** Whether the session's own bytes have begun. */
  readonly opened: boolean;
  /** At a server, before that: the target that its client asked for. */
  readonly asked: string | undefined;
  readonly out: FlowState;
  readonly in: FlowState;
}

/** An end, suspended. */
export interface TunnelState {
  /** Its sessions, as `encodeSnapshot` writes them. */
  readonly sessions: Bytes;
  readonly connections: readonly ConnectionState[];
}

interface Flowing extends Omit<FlowState, "pending"> {
  readonly pending: number;
}
interface Head extends Omit<ConnectionState, "out" | "in"> {
  readonly out: Flowing;
  readonly in: Flowing;
}

const MAGIC = new TextEncoder().encode("HFTUN1\n");

/** Writes an end; the result holds the secrets and the data of its sessions. */
export function encodeTunnelState(
  { sessions, connections }: TunnelState,
): Bytes {
  const heads = connections.map((one): Head => ({
    ...one,
    out: { ...one.out, pending: one.out.pending.length },
    in: { ...one.in, pending: one.in.pending.length },
  }));
  const json = new TextEncoder().encode(JSON.stringify(heads));
  const lengths = new Uint8Array(8);
  putU32(lengths, 0, json.length);
  putU32(lengths, 4, sessions.length);
  const pending = connections.flatMap((one) => [
    one.out.pending,
    one.in.pending,
  ]);
  return concat(MAGIC, lengths, json, sessions, ...pending);
}

/**
 * Reads what `encodeTunnelState` wrote.
 *
 * @throws {ResumeError} `resume/snapshot` for anything else.
 */
export function decodeTunnelState(bytes: Uint8Array): TunnelState {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw bad("it does not begin with its mark");
  }
  let at = MAGIC.length;
  const take = (length: number): Bytes => {
    if (!(length >= 0 && at + length <= bytes.length)) {
      throw bad("it is cut short");
    }
    at += length;
    return bytes.slice(at - length, at);
  };
  const lengths = take(8);
  const heads = parseHeads(take(getU32(lengths, 0)));
  const sessions = take(getU32(lengths, 4));
  const connections = heads.map((head): ConnectionState => ({
    ...head,
    ...{ from: head.from, asked: head.asked },
    out: { ...head.out, pending: take(head.out.pending) },
    in: { ...head.in, pending: take(head.in.pending) },
  }));
  if (at !== bytes.length) throw bad("there is something after its end");
  return { sessions, connections };
}

function parseHeads(json: Bytes): Head[] {
  let heads: unknown;
  try {
    heads = JSON.parse(new TextDecoder().decode(json));
  } catch (cause) {
    throw bad("what it says of its connections is not JSON", cause);
  }
  if (!Array.isArray(heads) || !heads.every(isHead)) {
    throw bad("a connection in it is not described as one");
  }
  return heads;
}

function isHead(head: Partial<Head> | null): head is Head {
  return typeof head?.sid === "string" && isCount(head.index, -1) &&
    typeof head.target === "string" && isCount(head.ttlMs, 0) &&
    typeof head.opened === "boolean" &&
    isTextIfAny(head.from) && isTextIfAny(head.asked) &&
    isFlowing(head.out) && isFlowing(head.in);
}

function isTextIfAny(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isFlowing(flow: Partial<Flowing> | null | undefined): boolean {
  return isCount(flow?.pending, 0) && typeof flow?.ended === "boolean" &&
    typeof flow.finished === "boolean";
}

function isCount(value: unknown, min: number): boolean {
  return Number.isSafeInteger(value) && value as number >= min;
}

function bad(why: string, cause?: unknown): ResumeError {
  return new ResumeError(
    "resume/snapshot",
    `Cannot go on with a tunnel: what its predecessor left is not usable: ${why}`,
    { cause },
  );
}
