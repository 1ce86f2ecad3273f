/**
 * Signalling in a browser: the same, on the browser's own WebSocket, so that
 * brokers are `wss:` or `ws:` URLs. In Deno it needs `--allow-net` and nothing
 * else.
 *
 * ```ts
 * import { openSignalling } from "@holdfast/signal/browser";
 * import { createIdentity } from "@holdfast/signal";
 * import { assertRejects } from "@std/assert";
 *
 * const identity = await createIdentity();
 * // A page has no TCP.
 * const brokers = ["mqtts://broker.example"];
 * await assertRejects(() => openSignalling({ identity, brokers }), TypeError);
 * ```
 *
 * @module
 */
import { loadMqttForBrowsers } from "./_mqtt.ts";
import { openWith, type SignallingOptions } from "./open_signalling.ts";
import type { Signalling } from "./signalling.ts";

export {
  createIdentity,
  exportIdentity,
  type Identity,
  importIdentity,
} from "./identity.ts";
export { SignalError, type SignalErrorCode } from "./errors.ts";
export type { SignallingOptions } from "./open_signalling.ts";
export type { Signalling } from "./signalling.ts";

/**
 * As `openSignalling` of `@holdfast/signal`, for brokers by WebSocket.
 *
 * @throws {TypeError} Also when a broker is not `wss:` or `ws:`.
 */
export async function openSignalling(
  options: SignallingOptions,
): Promise<Signalling> {
  for (const [index, url] of options.brokers.entries()) {
    if (/^wss?:/i.test(url)) continue;
    throw new TypeError(
      `Cannot open signalling: brokers[${index}] is not by WebSocket, and a browser has nothing else: pass wss://host[:port][/path]`,
    );
  }
  return await openWith(options, loadMqttForBrowsers);
}
