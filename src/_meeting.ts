/** What two peers say through signalling to meet: JSON, sealed by the layer below. */
import { isIP } from "node:net";
import { PeerError } from "./errors.ts";

/** An address at which a peer may be reached. */
export interface Candidate {
  /** An IPv4 or IPv6 address. */
  readonly hostname: string;
  /** The port, from 1 to 65535. */
  readonly port: number;
}

/** `meet` asks for a ticket to connect with, `where` only for addresses. */
export type Question = { readonly type: "meet" | "where" };

export type Answer =
  | {
    readonly type: "here";
    readonly candidates: readonly Candidate[];
    /** The id and the key of a one-time pre-shared key, for `meet`. */
    readonly ticket?: { readonly id: string; readonly key: string };
  }
  | { readonly type: "refused" }
  | { readonly type: "not-listening" };

const VERSION = 1;
const CANDIDATES_MAX = 16;
const encoder = new TextEncoder();

/** Writes a question or an answer. */
export function encodeMeeting(message: Question | Answer): Uint8Array {
  return encoder.encode(JSON.stringify({ version: VERSION, ...message }));
}

/** Reads a question; `undefined` for anything else. */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  const message = parse(bytes);
  if (message?.type === "meet" || message?.type === "where") {
    return { type: message.type };
  }
  return undefined;
}

/**
 * Reads an answer.
 *
 * @throws {PeerError} `peer/bad-answer` for anything else.
 */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const message = parse(bytes);
  switch (message?.type) {
    case "refused":
    case "not-listening":
      return { type: message.type };
    case "here": {
      const candidates = readCandidates(message.candidates);
      const ticket = readTicket(message.ticket);
      return {
        type: "here",
        candidates,
        ...(ticket === undefined ? {} : { ticket }),
      };
    }
    default:
      throw badAnswer("it is of no known kind");
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return value?.version === VERSION ? value : undefined;
  } catch {
    return undefined;
  }
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

function readTicket(value: unknown): { id: string; key: string } | undefined {
  if (value === undefined) return undefined;
  const { id, key } = (value ?? {}) as Record<string, unknown>;
  if (
    typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id) ||
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
