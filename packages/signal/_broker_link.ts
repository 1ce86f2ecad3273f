import { toHex } from "./_bytes.ts";
import type { MqttClient, MqttConnect } from "./_mqtt.ts";

const CONNECT_TIMEOUT_MS = 4000;
// MQTT.js finds a silent broker after 1.5 times this.
const KEEPALIVE_SECONDS = 10;
// A frozen broker takes nothing: past this its copies are left out, since what
// it still held would come out as late copies when it thaws.
const BACKLOG_BYTES_MAX = 1024 * 1024;
// A link that lasted less is one that flaps: its pauses go on growing.
const STEADY_MS = 5000;
const DRAIN_MS_MAX = 100;
const END_MS_MAX = 100;

/** What a link tells its owner. */
export interface LinkOwner {
  readonly onUp: () => void;
  /** The link is down, and tries again after `retryInMs`. */
  readonly onDown: (reason: string, retryInMs: number) => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onRetained: () => void;
  readonly retryDelayMs: (attempt: number) => number;
}

/** How a link stands. */
export type LinkStatus = "connecting" | "up" | "down" | "closed";

/**
 * One broker: connects, subscribes, and does so again for ever. Every attempt
 * is a new MQTT.js client with everything of its own switched off that keeps
 * state: no queue, no store, no session, no reconnect.
 */
export class BrokerLink {
  status: LinkStatus = "connecting";
  /** Why it is down; of a link that is up, why it was down before. */
  reason: string | undefined;
  readonly #url: string;
  readonly #topic: string;
  readonly #owner: LinkOwner;
  readonly #ended: Promise<void>;
  #client: MqttClient | undefined;
  #upAt = 0;
  #wake: () => void = () => {};
  #closed = false;

  constructor(
    url: string,
    topic: string,
    connect: MqttConnect,
    owner: LinkOwner,
  ) {
    this.#url = url;
    this.#topic = topic;
    this.#owner = owner;
    this.#ended = this.#run(connect);
  }

  /** Hands a frame to the broker; `false` when it cannot take it now. */
  publish(topic: string, frame: Uint8Array): boolean {
    const client = this.#client;
    if (this.status !== "up" || !client?.connected) return false;
    if ((client.stream.writableLength ?? 0) > BACKLOG_BYTES_MAX) return false;
    client.publish(topic, frame, { qos: 0, retain: false });
    return true;
  }

  /** Tries again now rather than after the pause. */
  retry(): void {
    this.#wake();
  }

  /** Ends it, after what was published has left, but soon in any case. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#wake();
      if (this.status === "up") await drained(this.#client);
      this.status = "closed";
      this.#client?.end(true);
    }
    await this.#ended;
  }

  async #run(connect: MqttConnect): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt++) {
      this.status = "connecting";
      const reason = await this.#session(connect).catch(describe);
      // Read after the wait, during which close() may have come.
      if (this.#closed) break;
      if (this.#upAt > 0 && performance.now() - this.#upAt > STEADY_MS) {
        attempt = 0;
      }
      this.#upAt = 0;
      this.status = "down";
      this.reason = reason;
      const retryInMs = this.#owner.retryDelayMs(attempt);
      this.#owner.onDown(reason, Math.round(retryInMs));
      await this.#pause(retryInMs);
    }
    this.status = "closed";
  }

  /** One connection, from the first packet to the last; says why it ended. */
  async #session(connect: MqttConnect): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    let reason: string | undefined;
    let timer = setTimeout(
      () => fail("the broker does not answer"),
      // The connection has a limit of its own; this one is for the SUBACK.
      CONNECT_TIMEOUT_MS + 1000,
    );
    const finish = (): void => {
      clearTimeout(timer);
      resolve(reason ?? "the broker closed the connection");
    };
    const client = connect(this.#url, {
      // Random, and new each time: who knows the id can take the session over.
      clientId: `h${toHex(crypto.getRandomValues(new Uint8Array(10)))}`,
      clean: true,
      protocolVersion: 4,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
    const fail = (why: string): void => {
      reason ??= why;
      clearTimeout(timer);
      client.end(true);
      // Should the stream never say that it closed.
      timer = setTimeout(finish, END_MS_MAX);
    };
    this.#client = client;
    client.on("connect", () => {
      client.stream.setNoDelay?.(true);
      client.subscribe(this.#topic, { qos: 0 }, (error, granted) => {
        // From 128 on the code of a SUBACK is a refusal.
        if (error !== null || (granted?.[0]?.qos ?? 128) >= 128) {
          return fail("the broker refused the subscription");
        }
        clearTimeout(timer);
        if (!this.#closed) this.#up();
      });
    });
    client.on("message", (topic, payload, packet) => {
      if (this.#closed || topic !== this.#topic) return;
      // Retained is what somebody left there once: at best a replay.
      if (packet.retain) return this.#owner.onRetained();
      this.#owner.onFrame(payload);
    });
    client.on("error", (error) => fail(describe(error)));
    // MQTT.js keeps to itself what it does not know: a certificate that is not
    // trusted, a missing permission.
    client.stream.on("error", (error) => fail(describe(error)));
    client.on("close", finish);
    client.on("end", finish);
    return await promise;
  }

  #up(): void {
    this.status = "up";
    this.#upAt = performance.now();
    this.#owner.onUp();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
    });
  }
}

async function drained(client: MqttClient | undefined): Promise<void> {
  for (let waited = 0; waited < DRAIN_MS_MAX; waited += 5) {
    if (!client?.stream.writableLength) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function describe(error: Error & { code?: unknown }): string {
  // What happy eyeballs throws has no message of its own.
  return error.message || String(error.code ?? error.name);
}
