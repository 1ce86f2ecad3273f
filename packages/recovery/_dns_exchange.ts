/**
 * One question to one server: a datagram, and TCP where the answer did not fit
 * or no datagram may be sent (RFC 7766). No thread of the pool is held meanwhile, as the system's own look
 * up holds one until it gives up.
 */
import { Buffer } from "node:buffer";
import dgram from "node:dgram";
import { isIPv6 } from "node:net";
import {
  isAnswerTo,
  isNotUnderstood,
  isTruncated,
  type Question,
  readAnswer,
} from "./_dns_reading.ts";
import type { DnsAnswer, DnsServer } from "./_dns_types.ts";
import { mayBindFor } from "./_permissions.ts";

/** The functions of `dns-packet` that are used, see its README. */
interface DnsPacket {
  encode(packet: object): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** What passes most paths unfragmented, DNS flag day 2020. */
const PAYLOAD_BYTES = 1_232;
const RECURSION_DESIRED = 0x100;

let loading: Promise<DnsPacket> | undefined;

/** Only who resolves loads it. */
function dnsPacket(): Promise<DnsPacket> {
  loading ??= import("dns-packet").then((module) =>
    (module.default ?? module) as unknown as DnsPacket
  );
  return loading;
}

/** Asks; it never rejects, and nothing is open after the signal. */
export async function askServer(
  server: DnsServer,
  question: Question,
  signal: AbortSignal,
): Promise<DnsAnswer> {
  const packet = await dnsPacket();
  const message = await exchange(packet, server, question, signal, true);
  // Servers that are older than EDNS do not understand the question with it.
  const plain = isNotUnderstood(message) && !signal.aborted
    ? await exchange(packet, server, question, signal, false)
    : message;
  if (plain instanceof Unsent) return { kind: "unsent", error: plain.error };
  return plain === undefined ? { kind: "silent" } : readAnswer(plain, question);
}

/** Why no socket could be opened: that is no silence of the server. */
class Unsent {
  constructor(readonly error: unknown) {}
}

/** The message that answers, or why not; `undefined` where none came. */
async function exchange(
  packet: DnsPacket,
  server: DnsServer,
  question: Question,
  signal: AbortSignal,
  edns: boolean,
): Promise<unknown> {
  if (signal.aborted) return undefined;
  const extra = { type: "OPT", name: ".", udpPayloadSize: PAYLOAD_BYTES };
  const bytes = packet.encode({
    ...{ id: question.id, type: "query", flags: RECURSION_DESIRED },
    questions: [{ type: question.type, name: question.name }],
    additionals: edns ? [extra] : [],
  });
  const read = (answer: Uint8Array): unknown => {
    try {
      const message = packet.decode(Buffer.from(answer));
      return isAnswerTo(message, question) ? message : undefined;
    } catch {
      return undefined; // Not DNS, or not whole.
    }
  };
  let cut: unknown;
  if (mayBindFor(server.hostname)) {
    const message = await byDatagram(server, bytes, read, signal);
    if (message instanceof Unsent || !isTruncated(message)) return message;
    cut = message;
  }
  const whole = await byTcp(server, bytes, signal).then(
    (answer) => answer && read(answer),
    () => undefined,
  );
  // Some networks let no TCP through: a part of the addresses is enough.
  return whole ?? (signal.aborted ? undefined : cut);
}

function byDatagram(
  { hostname, port }: DnsServer,
  bytes: Uint8Array,
  read: (answer: Uint8Array) => unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const six = isIPv6(hostname.replace(/%.*$/, ""));
  const socket = dgram.createSocket(six ? "udp6" : "udp4");
  return new Promise((resolve) => {
    let [bound, over, failed] = [false, false, false];
    const end = (outcome: unknown): void => {
      if (over) return;
      over = true;
      signal.removeEventListener("abort", silent);
      // Closed while it is being bound, it would stay open for ever.
      if (bound) socket.close();
      if (bound || failed) resolve(outcome);
    };
    const silent = (): void => end(undefined);
    signal.addEventListener("abort", silent, { once: true });
    socket.on("error", (error) => {
      failed = true;
      // After the signal nobody has been told yet: it was to be bound first.
      if (over && !bound) return resolve(undefined);
      end(bound ? undefined : new Unsent(error));
    });
    socket.on("message", (answer, from) => {
      // Anybody can send here: what is no answer of this server is not heard.
      if (from.port !== port || !sameHost(from.address, hostname)) return;
      const message = read(answer);
      if (message !== undefined) end(message);
    });
    socket.bind(0, () => {
      bound = true;
      if (over) {
        socket.close();
        return resolve(undefined);
      }
      socket.send(bytes, port, hostname, (error) => error && silent());
    });
  });
}

function sameHost(a: string, b: string): boolean {
  const plain = (text: string): string => {
    const bare = text.replace(/%.*$/, "").replace(/^::ffff:/i, "");
    return isIPv6(bare) ? new URL(`http://[${bare}]/`).hostname : bare;
  };
  return plain(a) === plain(b);
}

async function byTcp(
  { hostname, port }: DnsServer,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const conn = await Deno.connect({ hostname, port, signal });
  const close = (): void => {
    try {
      conn.close();
    } catch {
      // It is closed.
    }
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    const framed = new Uint8Array(2 + bytes.length);
    new DataView(framed.buffer).setUint16(0, bytes.length);
    framed.set(bytes, 2);
    for (let at = 0; at < framed.length;) {
      at += await conn.write(framed.subarray(at));
    }
    const head = await readFull(conn, 2);
    return head && await readFull(conn, (head[0]! << 8) | head[1]!);
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function readFull(
  conn: Deno.Conn,
  length: number,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return bytes;
}
