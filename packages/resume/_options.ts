/** Checks of options, so that a wrong one is told at once and by name. */

/** A finite number from `min` to `max`, or a RangeError that says so. */
export function inRange(
  name: string,
  value: number,
  min: number,
  max: number,
): number {
  if (!(value >= min && value <= max)) {
    throw new RangeError(
      `Cannot use ${name}: it must be from ${min} to ${max}: current value is ${value}`,
    );
  }
  return value;
}

const KEY_BYTES_MIN = 16;
const KEY_ID_BYTES_MAX = 255;

/**
 * A pre-shared key, and its name where that is known, or a RangeError. An empty
 * key would be as good as none, and proves nobody.
 */
export function requireKey(key: Uint8Array, id?: Uint8Array): void {
  if (key.length < KEY_BYTES_MIN) {
    throw new RangeError(
      `Cannot use presharedKey: the key must have at least ${KEY_BYTES_MIN} bytes: current length is ${key.length}`,
    );
  }
  if (id !== undefined && id.length > KEY_ID_BYTES_MAX) {
    throw new RangeError(
      `Cannot use presharedKey: the id must have at most ${KEY_ID_BYTES_MAX} bytes: current length is ${id.length}`,
    );
  }
}

/** What both ends of a stream can be told. */
export interface StreamOptions {
  /**
   * How many bytes may be written and not yet acknowledged. It bounds the
   * memory for replay; `write` waits when it is full.
   *
   * @default {2_097_152}
   */
  readonly sendBufferBytes?: number | undefined;
  /**
   * How many bytes the peer may send ahead of the program's reads.
   *
   * @default {2_097_152}
   */
  readonly receiveWindowBytes?: number | undefined;
  /**
   * Silence after which the peer is asked for a sign of life, in milliseconds.
   * After three times that without a byte the transport is given up.
   *
   * @default {2_000}
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * How long a handshake on a connected transport may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * Receives what a listener of events throws.
   *
   * @default {reportError}
   */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

/** {@linkcode StreamOptions}, checked and complete. */
export interface StreamSettings {
  readonly sendMax: number;
  readonly window: number;
  readonly heartbeatMs: number;
  readonly handshakeTimeoutMs: number;
  readonly skipReplay: boolean;
}

/** Proves that tests notice a loss; set by `./testing` only. */
export const SKIP_REPLAY: unique symbol = Symbol("skip replay");

const BYTES_MAX = 1024 ** 3;

/** @throws {RangeError} For a value out of range. */
export function streamSettings(options: StreamOptions): StreamSettings {
  const {
    sendBufferBytes = 2_097_152,
    receiveWindowBytes = 2_097_152,
    heartbeatMs = 2_000,
    handshakeTimeoutMs = 5_000,
  } = options;
  return {
    sendMax: inRange("sendBufferBytes", sendBufferBytes, 1, BYTES_MAX),
    window: inRange("receiveWindowBytes", receiveWindowBytes, 1, BYTES_MAX),
    heartbeatMs: inRange("heartbeatMs", heartbeatMs, 10, 3_600_000),
    handshakeTimeoutMs: inRange(
      "handshakeTimeoutMs",
      handshakeTimeoutMs,
      10,
      600_000,
    ),
    skipReplay: SKIP_REPLAY in options,
  };
}
