import { Endpoint } from "./_endpoint.ts";
import { ownTopics } from "./_endpoint_config.ts";
import type { NetworkNews } from "./_network_news.ts";
import { rankFor } from "./_ranking.ts";
import { loadMqtt, type MqttConnect } from "./_mqtt.ts";
import { checkBrokers, checkCount, checkMode } from "./_options.ts";
import { SignalError } from "./errors.ts";
import { type Identity, privateKeyOf } from "./identity.ts";
import type { Signalling } from "./signalling.ts";

const MESSAGE_BYTES_MAX_DEFAULT = 256 * 1024;
// Signalling is no file transfer: brokers would not carry it gladly.
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const OUTBOX_BYTES_MAX_DEFAULT = 8 * 1024 * 1024;
const REDUNDANCY_DEFAULT = 3;
const REDUNDANCY_MAX = 16;
const COUNT_MAX = 1_000_000;
const READY_TIMEOUT_MS = 30_000;

/** Options for {@linkcode openSignalling}. */
export interface SignallingOptions {
  /** Who this end is: of `createIdentity()` or `importIdentity()`. */
  readonly identity: Identity;
  /**
   * The brokers, as `mqtt:`, `mqtts:`, `ws:` or `wss:` URLs with an optional
   * user and password. Two peers meet on every broker that both have.
   */
  readonly brokers: readonly string[];
  /** Ends everything at once when aborted, also after the opening. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long to wait for the first broker, in milliseconds.
   *
   * @default {30_000}
   */
  readonly readyTimeoutMs?: number | undefined;
  /**
   * The largest message to send or to accept, in bytes. Use the same at both
   * ends. What does not fit into a packet of 16 000 bytes goes in pieces.
   *
   * @default {262_144}
   */
  readonly messageBytesMax?: number | undefined;
  /**
   * How many messages may wait for their acknowledgement.
   *
   * @default {1024}
   */
  readonly outboxMax?: number | undefined;
  /**
   * How many bytes they may have.
   *
   * @default {8_388_608}
   */
  readonly outboxBytesMax?: number | undefined;
  /**
   * On how many of the brokers to be, and over how many to send to a peer. Both
   * ends walk the list in the order of the *recipient's* id, pass over what is
   * down, and go on until the peer acknowledges. Of a list that is no longer
   * than this, all are used.
   *
   * @default {3}
   */
  readonly redundancy?: number | undefined;
  /**
   * How copies are made: `"hedge"`, one, and another by the next broker each
   * time the acknowledgement is late; `"always"`, by all at once; `"single"`,
   * one at a time.
   *
   * @default {"hedge"}
   */
  readonly mode?: "hedge" | "always" | "single" | undefined;
  /**
   * News about the network: brokers that are up are asked at once whether they
   * still are, and those that are down are tried. A watch of
   * `@holdfast/netwatch` fits as it is.
   */
  readonly network?: NetworkNews | undefined;
  /**
   * How many messages may wait for `receive()`.
   *
   * @default {256}
   */
  readonly receiveMax?: number | undefined;
}

/**
 * Connects to all the brokers, and resolves as soon as one of them has
 * subscribed this end. It goes on with the others, and comes back to each that
 * is lost, until it is closed.
 *
 * @throws {TypeError} When the identity or a URL is not one.
 * @throws {RangeError} When a number is out of bounds.
 * @throws {SignalError} `signal/no-broker`, when none could be reached in time.
 */
export async function openSignalling(
  options: SignallingOptions,
): Promise<Signalling> {
  return await openWith(options, loadMqtt);
}

/** As {@linkcode openSignalling}, with an MQTT.js of the caller's choice. */
export async function openWith(
  options: SignallingOptions,
  load: (urls: readonly string[]) => Promise<MqttConnect>,
): Promise<Signalling> {
  const {
    identity,
    signal,
    readyTimeoutMs = READY_TIMEOUT_MS,
    messageBytesMax = MESSAGE_BYTES_MAX_DEFAULT,
    outboxMax = 1024,
    outboxBytesMax = OUTBOX_BYTES_MAX_DEFAULT,
    receiveMax = 256,
    redundancy = REDUNDANCY_DEFAULT,
    mode = "hedge",
    network,
  } = options;
  const action = "open signalling";
  privateKeyOf(identity);
  const brokers = checkBrokers(options.brokers);
  checkCount(action, "readyTimeoutMs", readyTimeoutMs, 2 ** 31 - 1);
  checkCount(action, "messageBytesMax", messageBytesMax, MESSAGE_BYTES_MAX);
  checkCount(action, "outboxMax", outboxMax, COUNT_MAX);
  checkCount(action, "outboxBytesMax", outboxBytesMax, 2 ** 31 - 1);
  checkCount(action, "receiveMax", receiveMax, COUNT_MAX);
  checkCount(action, "redundancy", redundancy, REDUNDANCY_MAX);
  checkMode(mode);
  signal?.throwIfAborted();
  const names = [...brokers.keys()];
  const [topics, ranked, connect] = await Promise.all([
    ownTopics(identity.id),
    rankFor(identity.id, names),
    load([...brokers.values()]),
  ]);
  signal?.throwIfAborted();
  const endpoint = new Endpoint({
    identity,
    brokers,
    topics,
    ranked,
    connect,
    messageBytesMax,
    outboxMax,
    outboxBytesMax,
    receiveMax,
    redundancy,
    mode,
    network,
  });
  await firstBroker(endpoint, readyTimeoutMs, signal);
  if (signal !== undefined) {
    if (signal.aborted) {
      await endpoint.end("aborted");
      throw signal.reason;
    }
    const onAbort = (): void => void endpoint.end("aborted");
    signal.addEventListener("abort", onAbort, { once: true });
    endpoint.on("closed", () => signal.removeEventListener("abort", onAbort));
  }
  return endpoint;
}

/** Waits for the first broker; closes the endpoint when none comes. */
async function firstBroker(
  endpoint: Endpoint,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  const ends = signal ? [late.signal, signal] : [late.signal];
  try {
    await endpoint.once("broker-up", { signal: AbortSignal.any(ends) });
  } catch (cause) {
    const { brokers } = endpoint.state;
    await endpoint.end("aborted");
    signal?.throwIfAborted();
    const reasons = brokers.map(({ url, reason }) =>
      `${url} (${reason ?? "no answer yet"})`
    );
    throw new SignalError(
      "signal/no-broker",
      `Cannot open signalling: no broker within ${timeoutMs} ms, of ${
        reasons.join(", ")
      }: check the URLs and the network`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}
