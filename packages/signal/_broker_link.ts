import { toHex } from "./_bytes.ts";
import { LinkSession, type SessionEnd } from "./_link_session.ts";
import {
  limitOf,
  type LimitState,
  lostLink,
  NO_LIMIT,
  sentPacket,
} from "./_link_limits.ts";
import type { MqttClient, MqttConnect } from "./_mqtt.ts";

const CONNECT_TIMEOUT_MS = 4000;
// A frozen broker takes nothing: past this its copies are left out, since what
// it still held would come out as late copies when it thaws.
const BACKLOG_BYTES_MAX = 1024 * 1024;
// A link that lasted less is one that flaps: its pauses go on growing.
const STEADY_MS = 5000;
const DRAIN_MS_MAX = 100;

/** What a link tells its owner. */
export interface LinkOwner {
  readonly onUp: () => void;
  /** The link is down, and tries again after `retryInMs`. */
  readonly onDown: (reason: string, retryInMs: number) => void;
  readonly onSuspect: (suspect: boolean) => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onRetained: () => void;
  readonly retryDelayMs: (attempt: number) => number;
  /** Where this end listens now. */
  readonly topics: () => readonly string[];
  /** Whether no other broker is up: it is looked after more closely then. */
  readonly isLast: () => boolean;
}

/** How a link stands. */
export type LinkStatus = "connecting" | "up" | "down" | "closed";

/** What became of a frame that was to be published. */
export type Handed = "sent" | "not-up" | "too-large";

/**
 * One broker: connects, subscribes, and does so again for ever. Every attempt
 * is a new MQTT.js client with everything of its own switched off that keeps
 * state: no queue, no store, no session, no reconnect.
 */
export class BrokerLink {
  status: LinkStatus = "connecting";
  /** Why it is down; of a link that is up, why it was down before. */
  reason: string | undefined;
  suspect = false;
  /** How often it was lost since it was last steady. */
  failures = 0;
  /** How long its last answer took, in milliseconds. */
  rttMs: number | undefined;
  readonly #url: string;
  readonly #owner: LinkOwner;
  readonly #connect: MqttConnect;
  readonly #ended: Promise<void>;
  #session: LinkSession | undefined;
  #limits: LimitState = NO_LIMIT;
  #protocolVersion: 4 | 5 = 5;
  #upAt = 0;
  #wake: () => void = () => {};
  #closed = false;

  constructor(url: string, connect: MqttConnect, owner: LinkOwner) {
    this.#url = url;
    this.#connect = connect;
    this.#owner = owner;
    this.#ended = this.#run();
  }

  /** The MQTT version that it speaks; known once it has been up. */
  get version(): "3.1.1" | "5" {
    return this.#protocolVersion === 5 ? "5" : "3.1.1";
  }

  /** The largest frame that it takes, as far as is known. */
  frameBytesMax(): number {
    return Math.min(
      this.#session?.packetBytesMax ?? Infinity,
      limitOf(this.#limits, performance.now()),
    );
  }

  /** Hands a frame to the broker, if it can take it now. */
  publish(topic: string, frame: Uint8Array): Handed {
    const session = this.#session;
    if (this.status !== "up" || !session?.connected) return "not-up";
    if (session.backlogBytes > BACKLOG_BYTES_MAX) return "not-up";
    if (frame.length > this.frameBytesMax()) return "too-large";
    this.#limits = sentPacket(this.#limits, frame.length, performance.now());
    session.publish(topic, frame);
    return "sent";
  }

  /** Listens on what has come to {@linkcode LinkOwner.topics}, and not on what went. */
  retopic(): void {
    this.#session?.retopic(this.#owner.topics());
  }

  /** Tries again now rather than after the pause. */
  retry(): void {
    this.#wake();
  }

  /** Asks whether it still lives, and judges sooner than usual. */
  probe(): void {
    if (this.status === "up") this.#session?.probe();
    else this.#wake();
  }

  /** Ends it, after what was published has left, but soon in any case. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#wake();
      if (this.status === "up") await this.#drained();
      this.status = "closed";
      this.#session?.end();
    }
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt++) {
      this.status = "connecting";
      const { reason, silent } = await this.#attempt().catch((error) => ({
        reason: describe(error),
        silent: false,
      }));
      // Read after the wait, during which close() may have come.
      if (this.#closed) break;
      const now = performance.now();
      if (this.#upAt > 0) {
        if (now - this.#upAt > STEADY_MS) attempt = this.failures = 0;
        // A broker that stands still was not sent away by a large packet.
        if (!silent) this.#limits = lostLink(this.#limits, now);
      }
      this.#upAt = 0;
      this.failures++;
      this.status = "down";
      this.reason = reason;
      this.#suspected(false);
      const retryInMs = this.#owner.retryDelayMs(attempt);
      this.#owner.onDown(reason, Math.round(retryInMs));
      await this.#pause(retryInMs);
    }
    this.status = "closed";
  }

  /** One connection, from the first packet to the last; says why it ended. */
  async #attempt(): Promise<Pick<SessionEnd, "reason" | "silent">> {
    const version = this.#protocolVersion;
    const session = new LinkSession(this.#client(version), {
      version,
      topics: this.#owner.topics(),
      onUp: () => {
        if (this.#closed) return;
        this.status = "up";
        this.#upAt = performance.now();
        this.#owner.onUp();
      },
      onFrame: (bytes) => {
        if (!this.#closed) this.#owner.onFrame(bytes);
      },
      onRetained: () => this.#owner.onRetained(),
      onSuspect: (suspect) => this.#suspected(suspect),
      onRtt: (ms) => this.rttMs = ms,
      isLast: () => this.#owner.isLast(),
    });
    this.#session = session;
    const { reason, refusedVersion, silent } = await session.ended;
    this.#session = undefined;
    if (version === 4 || !refusedVersion || this.#closed) {
      return { reason, silent };
    }
    // A broker of before 2019: it is asked in its own words, at once.
    this.#protocolVersion = 4;
    return await this.#attempt();
  }

  #client(protocolVersion: 4 | 5): MqttClient {
    return this.#connect(this.#url, {
      // Random, and new each time: who knows the id can take the session over.
      clientId: `h${toHex(crypto.getRandomValues(new Uint8Array(10)))}`,
      clean: true,
      protocolVersion,
      // Below it there are pings of our own, see `_link_health.ts`.
      keepalive: 60,
      timerVariant: "native",
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
  }

  #suspected(suspect: boolean): void {
    if (this.suspect === suspect) return;
    this.suspect = suspect;
    this.#owner.onSuspect(suspect);
  }

  async #drained(): Promise<void> {
    for (let waited = 0; waited < DRAIN_MS_MAX; waited += 5) {
      if (!this.#session?.backlogBytes) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
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

function describe(error: Error & { code?: unknown }): string {
  // What happy eyeballs throws has no message of its own.
  return error.message || String(error.code ?? error.name);
}
