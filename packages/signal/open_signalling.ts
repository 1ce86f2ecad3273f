import { Endpoint } from "./_endpoint.ts";
import { loadMqtt } from "./_mqtt.ts";
import { checkBrokers, checkCount } from "./_options.ts";
import { inboxTopic } from "./_seal.ts";
import { SignalError } from "./errors.ts";
import { type Identity, privateKeyOf } from "./identity.ts";
import type { Signalling } from "./signalling.ts";

const MESSAGE_BYTES_MAX_DEFAULT = 16 * 1024;
// Public brokers refuse much less, and what they refuse would be repeated.
const MESSAGE_BYTES_MAX = 256 * 1024;
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
   * ends, and no more than the brokers take.
   *
   * @default {16_384}
   */
  readonly messageBytesMax?: number | undefined;
  /**
   * How many messages may wait for their acknowledgement.
   *
   * @default {1024}
   */
  readonly outboxMax?: number | undefined;
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
  const {
    identity,
    signal,
    readyTimeoutMs = READY_TIMEOUT_MS,
    messageBytesMax = MESSAGE_BYTES_MAX_DEFAULT,
    outboxMax = 1024,
    receiveMax = 256,
  } = options;
  const action = "open signalling";
  privateKeyOf(identity);
  const brokers = checkBrokers(options.brokers);
  checkCount(action, "readyTimeoutMs", readyTimeoutMs, 2 ** 31 - 1);
  checkCount(action, "messageBytesMax", messageBytesMax, MESSAGE_BYTES_MAX);
  checkCount(action, "outboxMax", outboxMax, COUNT_MAX);
  checkCount(action, "receiveMax", receiveMax, COUNT_MAX);
  signal?.throwIfAborted();
  const [topic, connect] = await Promise.all([
    inboxTopic(identity.id),
    loadMqtt(),
  ]);
  signal?.throwIfAborted();
  const endpoint = new Endpoint({
    identity,
    brokers,
    topic,
    connect,
    messageBytesMax,
    outboxMax,
    receiveMax,
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
