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
  on(event: "connect" | "close" | "end", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(
    event: "message",
    listener: (
      topic: string,
      payload: Uint8Array,
      packet: { readonly retain: boolean },
    ) => void,
  ): void;
  subscribe(
    topic: string,
    options: { readonly qos: 0 },
    callback: (
      error: Error | null,
      granted?: readonly { readonly qos: number }[],
    ) => void,
  ): void;
  publish(
    topic: string,
    payload: Uint8Array,
    options: { readonly qos: 0; readonly retain: false },
  ): void;
  end(force: true): void;
}

/** `connect` of MQTT.js. */
export type MqttConnect = (
  url: string,
  options: Readonly<Record<string, unknown>>,
) => MqttClient;

/**
 * Loads MQTT.js, which reads the environment as it loads: only a program that
 * connects needs `--ignore-env` or `--allow-env`.
 */
export async function loadMqtt(): Promise<MqttConnect> {
  const module = await import("mqtt");
  return module.default.connect as unknown as MqttConnect;
}
