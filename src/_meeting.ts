/** What two peers say through signalling to meet: JSON, sealed by the layer below. */
import { isIP } from "node:net";
import type { CallKey } from "./_calling_wire.ts";
import { CANDIDATES_MAX } from "./_candidates.ts";
import { NAME_BYTES_MAX } from "./_tickets.ts";
import { PeerError } from "./errors.ts";

/** An address at which a peer may be reached. */
export interface Candidate {
  /** An IPv4 or IPv6 address. */
  readonly hostname: string;
  /** The port, from 1 to 65535. */
  readonly port: number;
}

/** Where one is, and since when: a later place makes an earlier one void. */
export interface Whereabouts {
  /** Grows with each change, also over restarts. */
  readonly at: number;
  readonly candidates: readonly Candidate[];
}

/**
 * `meet` asks for a ticket to connect with, `where` only for addresses, `moved`
 * for nothing: it tells. The first two say how to call the asker back.
 */
export type Question =
  & Whereabouts
  & (
    | {
      readonly type: "meet" | "where";
      /** The name of the stream. */
      readonly name: string;
      readonly back?: CallKey;
    }
    | { readonly type: "moved" }
  );

export type Answer =
  | (Whereabouts & {
    readonly type: "here";
    /** The id and the key of a one-time pre-shared key, for `meet`. */
    readonly ticket?: { readonly id: string; readonly key: string };
  })
  | { readonly type: "heard" }
  | { readonly type: "refused" }
  | { readonly type: "not-listening" };

const VERSION = 2;
const encoder = new TextEncoder();

/** Writes a question or an answer. */
export function encodeMeeting(message: Question | Answer): Uint8Array {
  return encoder.encode(JSON.stringify({ version: VERSION, ...message }));
}

/** Reads a question; `undefined` for anything else. */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  const message = parse(bytes);
  if (message === undefined) return undefined;
  const { type } = message;
  try {
    const place = readWhereabouts(message);
    if (type === "moved") return { type, ...place };
    if (type !== "meet" && type !== "where") return undefined;
    const back = readKey(message.back, 32);
    return {
      ...{ type, ...place, name: readName(message.name) },
      ...(back === undefined ? {} : { back }),
    };
  } catch {
    return undefined;
  }
}

/**
 * Reads an answer.
 *
 * @throws {PeerError} `peer/bad-answer` for anything else.
 */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const message = parse(bytes);
  switch (message?.type) {
    case "heard":
    case "refused":
    case "not-listening":
      return { type: message.type };
    case "here": {
      const ticket = readKey(message.ticket, 0);
      return {
        ...{ type: "here", ...readWhereabouts(message) },
        ...(ticket === undefined ? {} : { ticket }),
      };
    }
    default:
      throw badAnswer("it is of no known kind");
  }
}

/**
 * The name of a stream, checked.
 *
 * @throws {TypeError} For one that is too long.
 */
export function checkName(name: string): string {
  if (encoder.encode(name).length <= NAME_BYTES_MAX) return name;
  throw new TypeError(
    `Cannot connect: the name of a stream has at most ${NAME_BYTES_MAX} bytes: current value is ${
      JSON.stringify(name.slice(0, 100))
    }`,
  );
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return value?.version === VERSION ? value : undefined;
  } catch {
    return undefined;
  }
}

function readWhereabouts(message: Record<string, unknown>): Whereabouts {
  const { at, candidates } = message;
  if (!Number.isSafeInteger(at) || (at as number) < 0) {
    throw badAnswer("it does not say since when it holds");
  }
  return { at: at as number, candidates: readCandidates(candidates) };
}

function readName(value: unknown): string {
  if (typeof value === "string") return checkName(value);
  throw badAnswer("its name is no text");
}

function readCandidates(value: unknown): Candidate[] {
  if (!Array.isArray(value) || value.length > CANDIDATES_MAX) {
    throw badAnswer(`its candidates are no list of at most ${CANDIDATES_MAX}`);
  }
  return value.map((candidate) => checkCandidate(candidate));
}

function checkCandidate(value: unknown): Candidate {
  const { hostname, port } = (value ?? {}) as Record<string, unknown>;
  if (
    typeof hostname !== "string" || isIP(hostname) === 0 ||
    !Number.isInteger(port) || !(port as number >= 1 && port as number <= 65535)
  ) throw badAnswer("one of its candidates is no address with a port");
  return { hostname, port: port as number };
}

/** An id, of so many digits or any number up to 510, and a key of 64. */
function readKey(value: unknown, digits: number): CallKey | undefined {
  if (value === undefined) return undefined;
  const { id, key } = (value ?? {}) as Record<string, unknown>;
  if (
    typeof id !== "string" || !/^(?:[0-9a-f]{2}){16,255}$/.test(id) ||
    (digits > 0 && id.length !== digits) ||
    typeof key !== "string" || !/^[0-9a-f]{64}$/.test(key)
  ) throw badAnswer("its ticket is none");
  return { id, key };
}

function badAnswer(why: string): PeerError {
  return new PeerError(
    "peer/bad-answer",
    `Cannot understand the peer's answer: ${why}: use the same version of Holdfast at both ends`,
  );
}
