/**
 * A name server for tests, over UDP and TCP: what it does stands in the name
 * that it is asked for.
 */
import { Buffer } from "node:buffer";
import dgram from "node:dgram";
import packet from "dns-packet";

type Question = { name: string; type: string };
type Reply = Record<string, unknown>;

/** A server on an address of this host. */
export interface DnsServer extends AsyncDisposable {
  readonly address: string;
  /** The questions that came, `TYPE name`, in order. */
  readonly asked: readonly string[];
  /** Swallows everything while it is set. */
  silent: boolean;
  /** Answers everything so while it is set. */
  rcode: number | undefined;
}

const RCODES: Readonly<Record<string, number>> = {
  ...{ nx: 3, servfail: 2, refused: 5, formerr: 1, empty: 0 },
};

/** Starts it. `four` and `six` are what the names that exist stand for. */
export async function startDnsServer(
  options: {
    readonly hostname?: string;
    readonly port?: number;
    readonly four?: string;
    readonly six?: string;
  } = {},
): Promise<DnsServer> {
  const { hostname = "127.0.0.1", port = 0 } = options;
  const { four = "127.0.0.1", six = "::1" } = options;
  const asked: string[] = [];
  const server = { silent: false, rcode: undefined as number | undefined };
  const reply = (bytes: Uint8Array, tcp: boolean): Uint8Array[] => {
    // deno-lint-ignore no-explicit-any -- dns-packet brings no types
    const message = (packet as any).decode(Buffer.from(bytes));
    const [question] = message.questions as [Question];
    asked.push(`${question.type} ${question.name}`);
    if (server.silent) return [];
    const edns = message.additionals.length > 0;
    if (edns && question.name.startsWith("old.")) return [notUnderstood(bytes)];
    return answersTo(question, message.id, tcp, server.rcode, { four, six });
  };
  const { socket, listener } = await bindBoth(hostname, port);
  const own = listener.addr.port;
  socket.on("message", (bytes, from) => {
    for (const answer of reply(bytes, false)) {
      socket.send(answer, from.port, from.address);
    }
  });
  const serving = serveTcp(listener, (bytes) => reply(bytes, true));
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return Object.assign(server, {
    ...{ address: `${host}:${own}`, asked },
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  });
}

/** One port for datagrams and connections, which another one may have taken. */
async function bindBoth(
  hostname: string,
  port: number,
): Promise<{ socket: dgram.Socket; listener: Deno.TcpListener }> {
  for (let tries = port === 0 ? 20 : 1;; tries--) {
    const listener = Deno.listen({ hostname, port });
    const socket = dgram.createSocket(hostname.includes(":") ? "udp6" : "udp4");
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind(listener.addr.port, hostname, () => resolve());
      });
      return { socket, listener };
    } catch (error) {
      listener.close();
      if (tries <= 1) throw error;
    }
  }
}

async function serveTcp(
  listener: Deno.TcpListener,
  reply: (bytes: Uint8Array) => Uint8Array[],
): Promise<void> {
  for await (const conn of listener) {
    using _conn = conn;
    try {
      const buffer = new Uint8Array(2_000);
      const length = await conn.read(buffer) ?? 0;
      if (length < 3) continue; // Somebody looked whether it is there.
      for (const answer of reply(buffer.subarray(2, length))) {
        const head = new Uint8Array([answer.length >> 8, answer.length & 255]);
        await conn.write(new Uint8Array([...head, ...answer]));
      }
    } catch {
      // It was cut; the next one is not.
    }
  }
}

/** FORMERR with a head alone, as servers older than EDNS give (RFC 6891 §7). */
function notUnderstood(question: Uint8Array): Uint8Array {
  return new Uint8Array([question[0]!, question[1]!, 0x81, 0x81, ...ZEROS]);
}
const ZEROS = new Uint8Array(8);

/** The datagrams that one question is answered with. */
function answersTo(
  { name, type }: Question,
  id: number,
  tcp: boolean,
  rcode: number | undefined,
  { four, six }: { four: string; six: string },
): Uint8Array[] {
  const kind = name.split(".")[0]!;
  const encode = (rcode: number, answers: Reply[], more: Reply = {}) =>
    // deno-lint-ignore no-explicit-any -- dns-packet brings no types
    (packet as any).encode({
      ...{ id, type: "response", flags: 0x0180 | rcode, answers },
      questions: [{ name, type }],
      ...more,
    }) as Uint8Array;
  const row = (data: string, owner = name) => ({
    name: owner,
    type,
    ttl: 1,
    data,
  });
  const data = type === "A" ? four : six;
  if (rcode !== undefined) return [encode(rcode, [])];
  switch (kind) {
    case "silent":
      return [];
    case "sink":
      return [encode(0, [row(type === "A" ? "0.0.0.0" : "::")])];
    case "blocked":
      return [encode(0, [row(type === "A" ? "127.0.0.1" : "::1")])];
    case "dropped": // as middleboxes do with AAAA
      return type === "AAAA" ? [] : [encode(0, [row(data)])];
    case "four":
      return [encode(0, type === "A" ? [row(data)] : [])];
    case "alias": {
      const alias = { name, type: "CNAME", ttl: 60, data: "real.test" };
      return [encode(0, [row(data, "real.test"), alias])];
    }
    case "stranger":
      return [encode(0, [row(data, "somebody-else.test")])];
    case "big":
      return tcp
        ? [encode(0, [row(data)])]
        : [encode(0, [], { flags: 0x0380 })];
    case "cut": // and the connection is ended without a word
    case "cutoff":
      if (tcp) return [];
      return [encode(0, kind === "cut" ? [row(data)] : [], { flags: 0x0380 })];
    case "garbage":
      return [crypto.getRandomValues(new Uint8Array(40))];
    case "forged": {
      // The first has a wrong id, and the second another question.
      const wrong = encode(0, [row("192.0.2.66")]);
      wrong[0]! ^= 0xff;
      const other = encode(0, [row("192.0.2.66")], {
        questions: [{ name: "other.test", type }],
      });
      return [wrong, other, encode(0, [row(data)])];
    }
  }
  const failed = RCODES[kind];
  return [encode(failed ?? 0, failed === undefined ? [row(data)] : [])];
}
