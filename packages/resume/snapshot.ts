/** Sessions as bytes, to go on in another process. */
import type { CoreState } from "./_stream_core.ts";
import type { Bytes } from "./_records.ts";
import { getU32, putU32 } from "./_wire.ts";
import { concat } from "./_keys.ts";
import { ResumeError } from "./errors.ts";

/** One session, suspended. */
export interface SessionSnapshot {
  readonly sid: Bytes;
  readonly secret: Bytes;
  /** The secret that a client may have moved on to already; empty if none. */
  readonly nextSecret: Bytes;
  readonly keyId: Bytes;
  readonly epoch: number;
  readonly core: CoreState;
  /** Whether its client has not proven itself yet: nobody was told of it. */
  readonly halfOpen: boolean;
}

interface Head {
  readonly sid: string;
  readonly secret: string;
  readonly nextSecret: string;
  readonly keyId: string;
  readonly epoch: number;
  readonly acked: number;
  readonly sentMax: number;
  readonly received: number;
  readonly finQueued: boolean;
  readonly finReceived: boolean;
  readonly peerClosed: boolean;
  readonly halfOpen?: boolean;
  readonly unackedBytes: number;
  readonly unreadBytes: number;
}

const MAGIC = new TextEncoder().encode("HFSNAP1\n");

/** Writes sessions; the result holds their secrets. */
export function encodeSnapshot(sessions: readonly SessionSnapshot[]): Bytes {
  const parts: Uint8Array[] = [MAGIC];
  for (const session of sessions) {
    const { sid, secret, nextSecret, keyId, epoch, core, halfOpen } = session;
    const { unacked, unread, ...numbers } = core;
    const head: Head = {
      sid: sid.toHex(),
      secret: secret.toHex(),
      nextSecret: nextSecret.toHex(),
      keyId: keyId.toHex(),
      epoch,
      halfOpen,
      ...numbers,
      unackedBytes: unacked.length,
      unreadBytes: unread.length,
    };
    const json = new TextEncoder().encode(JSON.stringify(head));
    const length = new Uint8Array(4);
    putU32(length, 0, json.length);
    parts.push(length, json, unacked, unread);
  }
  return concat(...parts);
}

/**
 * Reads what `encodeSnapshot` wrote.
 *
 * @throws {ResumeError} `resume/snapshot` for anything else.
 */
export function decodeSnapshot(bytes: Uint8Array): SessionSnapshot[] {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw bad("it does not begin with its mark");
  }
  const sessions: SessionSnapshot[] = [];
  let at = MAGIC.length;
  const take = (length: number): Bytes => {
    if (!(length >= 0 && at + length <= bytes.length)) {
      throw bad("it is cut short");
    }
    at += length;
    return bytes.slice(at - length, at);
  };
  while (at < bytes.length) {
    const head = parseHead(take(getU32(take(4), 0)));
    sessions.push({
      sid: fromHex(head.sid),
      secret: fromHex(head.secret),
      nextSecret: fromHex(head.nextSecret),
      keyId: fromHex(head.keyId),
      epoch: head.epoch,
      // Those of before have no such thing.
      halfOpen: head.halfOpen === true,
      core: {
        acked: head.acked,
        sentMax: head.sentMax,
        received: head.received,
        finQueued: head.finQueued,
        finReceived: head.finReceived,
        peerClosed: head.peerClosed,
        unacked: take(head.unackedBytes),
        unread: take(head.unreadBytes),
      },
    });
  }
  return sessions;
}

const TYPES: { readonly [K in keyof Omit<Head, "halfOpen">]: string } = {
  sid: "string",
  secret: "string",
  nextSecret: "string",
  keyId: "string",
  epoch: "number",
  acked: "number",
  sentMax: "number",
  received: "number",
  finQueued: "boolean",
  finReceived: "boolean",
  peerClosed: "boolean",
  unackedBytes: "number",
  unreadBytes: "number",
};

function parseHead(json: Bytes): Head {
  let head: Record<string, unknown>;
  try {
    head = JSON.parse(new TextDecoder().decode(json));
  } catch (cause) {
    throw bad("a session in it is not JSON", cause);
  }
  for (const [name, type] of Object.entries(TYPES)) {
    const value = head?.[name];
    if (
      typeof value !== type ||
      type === "number" &&
        !(Number.isSafeInteger(value) && value as number >= 0)
    ) throw bad(`a session in it has no valid "${name}"`);
  }
  const { sid, secret, nextSecret } = head as unknown as Head;
  if (
    sid.length !== 32 || secret.length !== 128 ||
    ![0, 128].includes(nextSecret.length)
  ) {
    throw bad("a session in it has no valid id or secret");
  }
  return head as unknown as Head;
}

function fromHex(text: string): Bytes {
  try {
    return Uint8Array.fromHex(text);
  } catch (cause) {
    throw bad("a session in it has bytes that are no hexadecimal", cause);
  }
}

function bad(why: string, cause?: unknown): ResumeError {
  return new ResumeError(
    "resume/snapshot",
    `Cannot restore sessions: the snapshot is not usable: ${why}`,
    { cause },
  );
}
