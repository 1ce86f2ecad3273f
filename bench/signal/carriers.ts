/** Holdfast, and what one would write with MQTT.js instead of it. */
import mqtt, { type MqttClient } from "mqtt";
import { createIdentity, openSignalling } from "@holdfast/signal";
import type { Carrier } from "./flow.ts";

const TOPIC = "bench/inbox";

/** Two ends of `@holdfast/signal`, over these brokers. */
export async function holdfast(
  brokers: readonly string[],
  mode: "hedge" | "always" | "single" = "hedge",
): Promise<Carrier> {
  const open = async () =>
    await openSignalling({
      ...{ identity: await createIdentity(), brokers, mode },
      ...{ outboxMax: 100_000, receiveMax: 100_000 },
    });
  const [from, to] = await Promise.all([open(), open()]);
  let listener: (bytes: Uint8Array) => void = () => {};
  const reading = (async () => {
    for await (const { bytes } of to.receive()) listener(bytes);
  })();
  for (const end of [from, to]) {
    while (end.state.brokers.some(({ status }) => status !== "up")) {
      await end.once("broker-up");
    }
  }
  // First contact is not what is measured.
  await from.send(to.id, new Uint8Array(4));
  return {
    send: (bytes) => from.send(to.id, bytes, { timeoutMs: 120_000 }),
    onMessage: (next) => listener = next,
    copies: () => from.stats().copies,
    async [Symbol.asyncDispose]() {
      await Promise.all([from.close(), to.close()]);
      await reading;
    },
  };
}

/** One client at each end of each broker; QoS 1; no more than that. */
export async function plain(
  brokers: readonly string[],
  options: { readonly dedupe?: boolean } = {},
): Promise<Carrier> {
  const connect = async (url: string): Promise<MqttClient> => {
    const client = await mqtt.connectAsync(url);
    const stream = client.stream as { setNoDelay?(on: boolean): void };
    stream.setNoDelay?.(true);
    return client;
  };
  return await carrier(
    await Promise.all(brokers.map(connect)),
    await Promise.all(brokers.map(connect)),
    options,
  );
}

/** One client at each end that changes broker when it loses one. */
export async function servers(ports: readonly number[]): Promise<Carrier> {
  const connect = async (): Promise<MqttClient> =>
    await mqtt.connectAsync({
      servers: ports.map((port) => ({
        ...{ host: "127.0.0.1", port, protocol: "mqtt" as const },
      })),
    });
  return await carrier([await connect()], [await connect()], {});
}

async function carrier(
  from: readonly MqttClient[],
  to: readonly MqttClient[],
  { dedupe = false }: { readonly dedupe?: boolean },
): Promise<Carrier> {
  let listener: (bytes: Uint8Array) => void = () => {};
  let copies = 0;
  // As many do: the ids of late, up to a limit.
  const ids = new Set<number>();
  for (const client of to) {
    client.on("error", () => {});
    client.on("message", (_topic, payload) => {
      const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
      if (dedupe) {
        if (ids.has(id)) return;
        ids.add(id);
        const [oldest] = ids;
        if (ids.size > 8_192) ids.delete(oldest!);
      }
      listener(payload);
    });
    await client.subscribeAsync(TOPIC, { qos: 1 });
  }
  for (const client of from) client.on("error", () => {});
  return {
    send(bytes) {
      const each = from.map((client) => {
        copies++;
        return new Promise<void>((resolve, reject) =>
          client.publish(
            TOPIC,
            bytes as unknown as Buffer,
            { qos: 1 },
            (error) => error ? reject(error) : resolve(),
          )
        );
      });
      return Promise.any(each);
    },
    onMessage: (next) => listener = next,
    copies: () => copies,
    async [Symbol.asyncDispose]() {
      const all = [...from, ...to].map((client) =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 500);
          client.end(true, () => (clearTimeout(timer), resolve()));
        })
      );
      await Promise.all(all);
    },
  };
}
