import {
  type HealthAction,
  type HealthInput,
  type HealthState,
  openHealth,
  rulesOf,
  stepHealth,
} from "./_link_health.ts";
import type { MqttClient, MqttFailure } from "./_mqtt.ts";

// The connection has a limit of its own; this one is for the SUBACK.
const UP_MS_MAX = 5_000;
const END_MS_MAX = 100;
// What a broker holds for longer than this is of no use to anybody.
const EXPIRY_SECONDS = 120;
// MQTT's own header, and the properties of version 5.
const PACKET_HEAD_BYTES = 64;

/** What one connection tells the link that it is of. */
export interface SessionOwner {
  readonly version: 4 | 5;
  readonly topics: readonly string[];
  /** It is subscribed. */
  readonly onUp: () => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onRetained: () => void;
  readonly onSuspect: (suspect: boolean) => void;
  readonly onRtt: (ms: number) => void;
  readonly isLast: () => boolean;
}

/** How a connection ended. */
export interface SessionEnd {
  readonly reason: string;
  /** It was given up, since nothing was heard. */
  readonly silent: boolean;
  /** The broker does not speak this version of MQTT. */
  readonly refusedVersion: boolean;
}

/** One connection to a broker, from its first packet to its last. */
export class LinkSession {
  readonly ended: Promise<SessionEnd>;
  packetBytesMax: number = Infinity;
  readonly #client: MqttClient;
  readonly #owner: SessionOwner;
  readonly #topics: Set<string>;
  #health: HealthState = openHealth(performance.now());
  #healthTimer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #pingedAt: number | undefined;
  #connected = false;
  #over = false;
  #silent = false;
  #rttMs: number | undefined;
  #fail: (reason: string) => void = () => {};

  constructor(client: MqttClient, owner: SessionOwner) {
    this.#client = client;
    this.#owner = owner;
    this.#topics = new Set(owner.topics);
    this.ended = this.#live();
  }

  get connected(): boolean {
    return this.#client.connected && !this.#over;
  }

  get backlogBytes(): number {
    return this.#client.stream.writableLength ?? 0;
  }

  publish(topic: string, frame: Uint8Array): void {
    const properties = this.#owner.version === 5
      ? { properties: { messageExpiryInterval: EXPIRY_SECONDS } }
      : {};
    this.#client.publish(topic, frame, {
      qos: 0,
      retain: false,
      ...properties,
    });
    this.#step("sent");
  }

  /** Listens on these topics from now on. */
  retopic(topics: readonly string[]): void {
    const wanted = new Set(topics);
    const news = [...wanted].filter((topic) => !this.#topics.has(topic));
    const gone = [...this.#topics].filter((topic) => !wanted.has(topic));
    for (const topic of news) this.#topics.add(topic);
    for (const topic of gone) this.#topics.delete(topic);
    if (!this.connected || !this.#connected) return;
    if (news.length > 0) this.#subscribe(news, () => {});
    if (gone.length > 0) this.#client.unsubscribe(gone, () => {});
  }

  /** Asks whether the broker lives. */
  probe(): void {
    this.#step("probe");
  }

  /** Ends it at once. */
  end(): void {
    this.#client.end(true);
  }

  async #live(): Promise<SessionEnd> {
    const client = this.#client;
    const { promise, resolve } = Promise.withResolvers<string>();
    let reason: string | undefined;
    let timer = setTimeout(
      () => fail("the broker does not answer"),
      UP_MS_MAX,
    );
    const finish = (): void => {
      clearTimeout(timer);
      resolve(reason ?? "the broker closed the connection");
    };
    const fail = (why: string): void => {
      reason ??= why;
      clearTimeout(timer);
      client.end(true);
      // Should the stream never say that it closed.
      timer = setTimeout(finish, END_MS_MAX);
    };
    this.#fail = fail;
    client.on("connect", ({ properties }) => {
      client.stream.setNoDelay?.(true);
      const { maximumPacketSize = Infinity } = properties ?? {};
      this.packetBytesMax = maximumPacketSize - PACKET_HEAD_BYTES;
      this.#connected = true;
      const askedAt = performance.now();
      this.#subscribe([...this.#topics], () => {
        clearTimeout(timer);
        this.#answeredIn(performance.now() - askedAt);
        this.#health = openHealth(performance.now());
        this.#step("heard");
        this.#owner.onUp();
      });
    });
    client.on("packetreceive", () => {
      if (this.#pingedAt !== undefined) {
        this.#answeredIn(performance.now() - this.#pingedAt);
        this.#pingedAt = undefined;
      }
      if (this.#healthTimer !== undefined) this.#step("heard");
    });
    client.on("message", (topic, payload, packet) => {
      if (!this.#topics.has(topic)) return;
      // Retained is what somebody left there once: at best a replay.
      if (packet.retain) return this.#owner.onRetained();
      this.#owner.onFrame(payload);
    });
    let refusedVersion = false;
    client.on("error", (error) => {
      refusedVersion ||= isVersionRefused(error);
      fail(describe(error));
    });
    // MQTT.js keeps to itself what it does not know: a certificate that is not
    // trusted, a missing permission.
    client.stream.on("error", (error) => fail(describe(error)));
    client.on("close", finish);
    client.on("end", finish);
    const told = await promise;
    this.#over = true;
    clearTimeout(this.#healthTimer);
    // Many that do not know version 5 say so by hanging up.
    refusedVersion ||= !this.#connected && reason === undefined;
    return { reason: told, refusedVersion, silent: this.#silent };
  }

  #subscribe(topics: string[], then: () => void): void {
    const options = this.#owner.version === 5
      ? { qos: 0, rh: 2, rap: true }
      : { qos: 0 };
    this.#client.subscribe(topics, options, (error, granted) => {
      if (this.#over) return;
      // From 128 on the code of a SUBACK is a refusal.
      if (error !== null || granted?.some(({ qos }) => qos >= 128)) {
        return this.#fail("the broker refused the subscription");
      }
      then();
    });
  }

  #step(input: HealthInput): void {
    if (this.#over) return;
    const rules = rulesOf(this.#owner.isLast(), this.#rttMs);
    const now = performance.now();
    const { state, actions, wakeAt } = stepHealth(
      this.#health,
      input,
      now,
      rules,
    );
    this.#health = state;
    for (const action of actions) this.#act(action);
    // A timer that is early only looks: cheaper than a new one per packet.
    if (this.#over || this.#timerAt <= wakeAt) return;
    clearTimeout(this.#healthTimer);
    this.#timerAt = wakeAt;
    this.#healthTimer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#step("tick");
    }, Math.max(1, wakeAt - now));
  }

  #answeredIn(ms: number): void {
    this.#rttMs = ms;
    this.#owner.onRtt(ms);
  }

  #act(action: HealthAction): void {
    switch (action) {
      case "ping":
        if (!this.connected) return;
        this.#pingedAt = performance.now();
        return this.#client.sendPing();
      case "suspect":
        return this.#owner.onSuspect(true);
      case "cleared":
        return this.#owner.onSuspect(false);
      case "dead":
        this.#silent = true;
        return this.#fail("the broker does not answer");
    }
  }
}

function isVersionRefused({ code }: MqttFailure): boolean {
  // CONNACK: 1 of version 3.1.1, 0x84 of version 5.
  return code === 1 || code === 0x84;
}

function describe(error: MqttFailure): string {
  // What happy eyeballs throws has no message of its own.
  return error.message || String(error.code ?? error.name);
}
