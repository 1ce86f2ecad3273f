/** The exchange at the start of a tunnelled connection, over its session. */
import {
  ANSWER_HEADER_BYTES,
  encodeAnswer,
  encodeRequest,
  REQUEST_HEADER_BYTES,
  textLength,
  TUNNEL_ANSWER,
} from "./_tunnel_wire.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Writes all of it. */
export async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await to.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

async function readExactly(
  conn: ResumableConn,
  length: number,
): Promise<Bytes | undefined> {
  const into = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await conn.read(into.subarray(at));
    if (n === null) return undefined;
    at += n;
  }
  return into;
}

function notTunnel(peer: string): ResumeError {
  return new ResumeError(
    "resume/protocol",
    `Cannot open a tunnel: the ${peer} is no end of a tunnel, or of another version: check the address`,
  );
}

async function readMessage(
  conn: ResumableConn,
  headerBytes: number,
  peer: string,
): Promise<{ readonly header: Bytes; readonly text: string }> {
  const header = await readExactly(conn, headerBytes);
  const length = header === undefined ? undefined : textLength(header);
  const text = length === undefined
    ? undefined
    : await readExactly(conn, length);
  if (header === undefined || text === undefined) throw notTunnel(peer);
  return { header, text: new TextDecoder().decode(text) };
}

/** A client asks for a target; an empty name is the server's own. */
export function sendRequest(
  conn: ResumableConn,
  target: string,
): Promise<void> {
  return writeAll(conn, encodeRequest(target));
}

function isReset(error: unknown): boolean {
  return error instanceof ResumeError && error.code === "resume/reset";
}

/** What the client asks for; `undefined` if it only looked whether this end is here. */
export async function readRequest(
  conn: ResumableConn,
): Promise<string | undefined> {
  try {
    return (await readMessage(conn, REQUEST_HEADER_BYTES, "client")).text;
  } catch (error) {
    if (conn.stats().arrived === 0 && isReset(error)) return undefined;
    throw error;
  }
}

/** The server says what came of it. */
export function sendAnswer(
  conn: ResumableConn,
  code: number,
  why = "",
): Promise<void> {
  return writeAll(conn, encodeAnswer(code, why));
}

/** @throws {ResumeError} What the server says, when it is not that all is well. */
export async function readAnswer(conn: ResumableConn): Promise<void> {
  const { header, text } = await readMessage(
    conn,
    ANSWER_HEADER_BYTES,
    "server",
  );
  switch (header[4]) {
    case TUNNEL_ANSWER.open:
      return;
    case TUNNEL_ANSWER.notAllowed:
      throw new ResumeError("resume/target-denied", text);
    case TUNNEL_ANSWER.down:
      throw new ResumeError("resume/target-down", text);
    default:
      throw notTunnel("server");
  }
}
