/**
 * A broker in this process that does what it likes: MQTT 3.1.1 and 5, as much
 * of it as clients of this package speak. For tests only.
 */
import { Buffer } from "node:buffer";
import mqttPacket from "mqtt-packet";

/** What it does with a packet that somebody published. */
export type Malice = (
  published: Published,
  deliver: (packet: Published, copies?: number) => void,
  /** As `setTimeout`, for as long as the broker lives. */
  later: (what: () => void, ms: number) => void,
) => void;

/** A message on its way through the broker. */
export interface Published {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain?: boolean;
}

/** How it behaves. */
export interface HostileOptions {
  /** @default {delivers once, as it came} */
  readonly malice?: Malice;
  /** Extra properties of its CONNACK. */
  readonly connack?: Readonly<Record<string, unknown>>;
  /** Says this at each subscription, retained or not. */
  readonly poison?: (topic: string) => readonly Published[];
  /** Hangs up on packets that are larger, without a word. */
  readonly hangsUpAbove?: number;
  /** Stands still on a connection for good past such a packet, twice in all. */
  readonly mutesAbove?: number;
}

// deno-lint-ignore no-explicit-any -- its types are for Node's Buffer
type Packet = any;

/** The broker; it listens until it is disposed. */
export class HostileBroker implements AsyncDisposable {
  /** All that was ever published here. */
  readonly recorded: Published[] = [];
  /** How many clients have connected. */
  connections = 0;
  /** How many packets it stood still at. */
  mutes = 0;
  malice: Malice;
  readonly #options: HostileOptions;
  readonly #listener: Deno.TcpListener;
  readonly #clients: Map<Deno.TcpConn, Client> = new Map();
  readonly #accepting: Promise<void>;
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  #closed = false;

  constructor(options: HostileOptions = {}) {
    this.#options = options;
    this.malice = options.malice ?? ((packet, deliver) => deliver(packet));
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Hands a message to all who listen on its topic. */
  deliver(packet: Published, copies = 1): void {
    for (const client of this.#clients.values()) {
      if (!client.topics.has(packet.topic)) continue;
      client.publish(packet, copies);
    }
  }

  /** All topics that anybody listens on. */
  topics(): string[] {
    return [...this.#clients.values()].flatMap(({ topics }) => [...topics]);
  }

  #later(what: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, ms);
    this.#timers.add(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#listener.close();
    for (const client of this.#clients.values()) client.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.connections++;
      serving.push(this.#serve(conn));
    }
    await Promise.all(serving);
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const client = new Client(conn);
    this.#clients.set(conn, client);
    const parser = mqttPacket.parser();
    parser.on("packet", (packet: Packet) => this.#take(client, packet));
    try {
      const bytes = new Uint8Array(64 * 1024);
      for (;;) {
        const count = await conn.read(bytes);
        if (count === null) break;
        parser.parse(Buffer.from(bytes.slice(0, count)));
      }
    } catch {
      // It was closed, by either end.
    }
    this.#clients.delete(conn);
    client.close();
  }

  #take(client: Client, packet: Packet): void {
    if (client.muted) return;
    switch (packet.cmd) {
      case "connect":
        client.version = packet.protocolVersion;
        return client.send({
          ...{ cmd: "connack", returnCode: 0, reasonCode: 0 },
          ...{ sessionPresent: false, properties: this.#options.connack },
        });
      case "subscribe": {
        const topics = packet.subscriptions.map((one: Packet) => one.topic);
        for (const topic of topics) client.topics.add(topic);
        client.send({
          ...{ cmd: "suback", messageId: packet.messageId },
          granted: topics.map(() => 0),
        });
        for (const topic of topics) {
          for (const one of this.#options.poison?.(topic) ?? []) {
            client.publish(one);
          }
        }
        return;
      }
      case "unsubscribe":
        for (const topic of packet.unsubscriptions) client.topics.delete(topic);
        return client.send({
          ...{ cmd: "unsuback", messageId: packet.messageId, granted: [0] },
        });
      case "pingreq":
        return client.send({ cmd: "pingresp" });
      case "publish": {
        const { hangsUpAbove = Infinity } = this.#options;
        if (packet.payload.length > hangsUpAbove) return client.close();
        const { mutesAbove = Infinity } = this.#options;
        if (packet.payload.length > mutesAbove && this.mutes++ < 2) {
          client.muted = true;
          return;
        }
        const published: Published = {
          topic: packet.topic,
          payload: Uint8Array.from(packet.payload),
        };
        this.recorded.push(published);
        return this.malice(
          published,
          (...args) => this.deliver(...args),
          (what, ms) => this.#later(what, ms),
        );
      }
    }
  }
}

class Client {
  readonly topics: Set<string> = new Set();
  version = 4;
  muted = false;
  readonly #conn: Deno.TcpConn;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  publish(
    { topic, payload, retain = false }: Published,
    copies = 1,
  ): void {
    this.send({
      ...{ cmd: "publish", topic, payload: Buffer.from(payload), qos: 0 },
      ...{ retain, dup: false },
    }, copies);
  }

  send(packet: Packet, copies = 1): void {
    if (this.#closed) return;
    const one = mqttPacket.generate(packet, {
      protocolVersion: this.version,
    });
    const bytes = Buffer.concat(new Array(copies).fill(one));
    this.#last = this.#last.then(() => this.#write(bytes)).catch(() => {});
  }

  close(): void {
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#closed;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }
}
