import type { Patience } from "./_sender.ts";
import { publicKeyOf } from "./identity.ts";
import type { SendOptions } from "./signalling.ts";

const TIMEOUT_MS_DEFAULT = 30_000;
// setTimeout takes no more.
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const PROTOCOLS: readonly string[] = ["mqtt:", "mqtts:", "ws:", "wss:"];

/** Checks how long and until when to try. */
export function patienceOf(action: string, options: SendOptions): Patience {
  const { timeoutMs = TIMEOUT_MS_DEFAULT, signal } = options;
  checkCount(action, "timeoutMs", timeoutMs, TIMEOUT_MS_MAX);
  return { timeoutMs, signal };
}

/** Fails unless the value is an integer from 1 to `most`. */
export function checkCount(
  action: string,
  name: string,
  value: number,
  most: number,
): void {
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new RangeError(
      `Cannot ${action}: ${name} must be an integer from 1 to ${most}: current value is ${value}`,
    );
  }
}

/** Fails unless it is one of the modes. */
export function checkMode(mode: string): void {
  if (["hedge", "always", "single"].includes(mode)) return;
  throw new TypeError(
    `Cannot open signalling: mode "${mode}" is none: use "hedge", "always" or "single"`,
  );
}

/** Fails unless the id is that of somebody else whom one can talk to. */
export function checkPeer(action: string, peerId: string, own: string): void {
  publicKeyOf(peerId);
  if (peerId === own) {
    throw new TypeError(
      `Cannot ${action}: the peer id is this end's own: pass that of the other end`,
    );
  }
}

/** Fails unless these are bytes, and not too many. */
export function checkMessage(
  action: string,
  bytes: Uint8Array,
  messageBytesMax: number,
): void {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${action}: the message is no Uint8Array: encode it, for instance with TextEncoder`,
    );
  }
  if (bytes.length > messageBytesMax) {
    throw new RangeError(
      `Cannot ${action}: the message has ${bytes.length} bytes of at most ${messageBytesMax}: send less, or raise messageBytesMax at both ends`,
    );
  }
}

/** Fails unless the text has 1 to 64 bytes. */
export function checkRequestId(requestId: string): void {
  const { length } = new TextEncoder().encode(requestId);
  if (length < 1 || length > 64) {
    throw new RangeError(
      `Cannot request: requestId must have 1 to 64 bytes: current value has ${length}`,
    );
  }
}

/**
 * The brokers' URLs by the name under which they are shown, which is the URL
 * without user and password. One that is listed twice counts once.
 */
export function checkBrokers(
  brokers: readonly string[],
): ReadonlyMap<string, string> {
  if (brokers.length === 0) {
    throw new RangeError(
      "Cannot open signalling: brokers is empty: list at least one URL",
    );
  }
  const urls = new Map<string, string>();
  for (const [index, text] of brokers.entries()) {
    const url = URL.parse(text);
    // The text is not shown: it may hold a password.
    const refuse = (why: string): never => {
      throw new TypeError(
        `Cannot open signalling: brokers[${index}] ${why}: pass mqtt, mqtts, ws or wss://host[:port][/path]`,
      );
    };
    if (url === null) return refuse("is no URL");
    if (!PROTOCOLS.includes(url.protocol)) refuse(`is of "${url.protocol}"`);
    if (url.hostname === "") refuse("has no host");
    if (url.hash !== "") refuse("has a fragment");
    // MQTT.js would take it, and a fixed client id can be taken over.
    if (url.searchParams.has("clientId")) refuse("has a clientId");
    const { protocol, host, pathname, search } = url;
    const path = pathname === "/" ? "" : pathname;
    urls.set(`${protocol}//${host.toLowerCase()}${path}${search}`, text);
  }
  return urls;
}
