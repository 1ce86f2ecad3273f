import type { NetworkNews } from "./_network_news.ts";
import type { MqttConnect } from "./_mqtt.ts";
import type { SendMode } from "./_outbox_types.ts";
import { daysAround, inboxTopic } from "./_topics.ts";
import type { Identity } from "./identity.ts";

/** Everything that an endpoint is made of, checked. */
export interface EndpointConfig {
  readonly identity: Identity;
  /** URLs by the name under which they are shown. */
  readonly brokers: ReadonlyMap<string, string>;
  /** The names in the order of this end's id. */
  readonly ranked: readonly string[];
  readonly connect: MqttConnect;
  readonly messageBytesMax: number;
  readonly outboxMax: number;
  readonly outboxBytesMax: number;
  readonly receiveMax: number;
  readonly redundancy: number;
  readonly mode: SendMode;
  /** Where it listens at first. */
  readonly topics: readonly string[];
  readonly network?: NetworkNews | undefined;
}

/** The topics on which an end is written to for the first time, these days. */
export async function ownTopics(id: string): Promise<string[]> {
  return await Promise.all(
    daysAround(Date.now()).map((day) => inboxTopic(id, day)),
  );
}
