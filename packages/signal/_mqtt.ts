/**
 * The little of MQTT.js that is used, typed here: its own types would reach
 * the public documentation, and 44 packages' worth of declarations with them.
 */
export interface MqttClient {
  readonly connected: boolean;
  readonly stream: {
    readonly writableLength?: number;
    setNoDelay?(noDelay: boolean): void;
    on(event: "error", listener: (error: Error) => void): void;
  };
  on(event: "connect", listener: (connack: Connack) => void): void;
  on(event: "close" | "end" | "packetreceive", listener: () => void): void;
  on(event: "error", listener: (error: MqttFailure) => void): void;
  on(
    event: "message",
    listener: (
      topic: string,
      payload: Uint8Array,
      packet: { readonly retain: boolean },
    ) => void,
  ): void;
  subscribe(
    topics: string[],
    options: Readonly<Record<string, unknown>>,
    callback: (
      error: Error | null,
      granted?: readonly { readonly qos: number }[],
    ) => void,
  ): void;
  unsubscribe(topics: string[], callback: (error?: Error) => void): void;
  publish(
    topic: string,
    payload: Uint8Array,
    options: Readonly<Record<string, unknown>>,
  ): void;
  sendPing(): void;
  end(force: true): void;
}

/** What a broker says as it takes the connection. */
export interface Connack {
  readonly properties?: { readonly maximumPacketSize?: number };
}

/** What MQTT.js fails with. */
export type MqttFailure = Error & { readonly code?: unknown };

/** `connect` of MQTT.js. */
export type MqttConnect = (
  url: string,
  options: Readonly<Record<string, unknown>>,
) => MqttClient;

/**
 * Loads MQTT.js. Its build for browsers needs no permission but the network's,
 * and speaks WebSocket alone; the one for TCP and TLS reads the environment as
 * it loads, so that a program needs `--ignore-env` or `--allow-env`.
 */
export async function loadMqtt(urls: Iterable<string>): Promise<MqttConnect> {
  for (const url of urls) {
    if (!/^wss?:/i.test(url)) {
      const module = await import("mqtt");
      return module.default.connect as unknown as MqttConnect;
    }
  }
  return await loadMqttForBrowsers();
}

/** The build for browsers, on the WebSocket of the platform. */
export async function loadMqttForBrowsers(): Promise<MqttConnect> {
  const module = await import("mqtt/dist/mqtt.esm") as unknown as {
    readonly default: { readonly connect: MqttConnect };
  };
  const { connect } = module.default;
  return (url, options) =>
    connect(url, { ...options, forceNativeWebSocket: true });
}
