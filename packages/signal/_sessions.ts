import { type Bytes, equalBytes, toHex } from "./_bytes.ts";
import type { SessionSecrets } from "./_handshake.ts";
import { openWith, sealWith } from "./_keys.ts";
import { LruMap } from "./_lru.ts";
import { type Frame, frameHeader, type FrameKind, pad } from "./_packet.ts";
import { dayOf, daysAround, pairTopic } from "./_topics.ts";
import { ReplayWindow } from "./_window.ts";

const PEERS_MAX = 1024;
const SESSIONS_PER_PEER_MAX = 4;
/** Hellos that were answered, and whose senders have shown nothing since. */
const HALF_OPEN_MAX = 256;
/** Past this the topics of the pair cost brokers too much: the inbox will do. */
const TOPIC_PEERS_MAX = 64;
/** How long a broker may take to take a new topic in. */
const TOPIC_MS = 1_000;
/** Keys older than this are replaced, in the background. */
const OLD_MS = 86_400_000;

/** Keys and counters that two ends share. */
export class Session {
  readonly secrets: SessionSecrets;
  /** Acknowledgements that have come. */
  readonly acks: ReplayWindow = new ReplayWindow();
  readonly openedAt: number;
  /** Whether the peer listens on the topic of the pair. */
  peerListens = false;
  /** From when on this end does; `Infinity` for not yet. */
  listensAt: number = Infinity;
  #acksSent = 0;
  #inTopics: readonly string[] = [];
  #outTopic: { readonly day: number; readonly topic: string } | undefined;

  constructor(secrets: SessionSecrets, now: number) {
    this.secrets = secrets;
    this.openedAt = now;
  }

  get peer(): string {
    return this.secrets.peer;
  }

  /** The flags and the content, sealed under a number of the sender's. */
  async seal(
    kind: FrameKind,
    sequence: number,
    content: Uint8Array,
    now: number,
  ): Promise<Bytes> {
    const { tag, [kind]: key } = this.secrets.out;
    const flagged = new Uint8Array(1 + content.length);
    flagged[0] = now >= this.listensAt ? 1 : 0;
    flagged.set(content, 1);
    const header = frameHeader(kind, tag, sequence);
    return await sealWith(key, sequence, header, pad(flagged));
  }

  /** The number for the next acknowledgement. */
  nextAck(): number {
    return ++this.#acksSent;
  }

  /** What was sealed, padding and flags included; `undefined` if not authentic. */
  async open(frame: Frame): Promise<Bytes | undefined> {
    const { [frame.kind]: key } = this.secrets.in;
    return await openWith(key, frame.sequence, frame.header, frame.sealed);
  }

  /** Where this end listens, on the days around. */
  get inTopics(): readonly string[] {
    return this.#inTopics;
  }

  /** Finds the topics out; they change with the day. */
  async retopic(wallMs: number): Promise<void> {
    const { topic } = this.secrets.in;
    this.#inTopics = await Promise.all(
      daysAround(wallMs).map((day) => pairTopic(topic, day)),
    );
  }

  /** Where the peer listens. */
  async outTopic(wallMs: number): Promise<string> {
    const day = dayOf(wallMs);
    if (this.#outTopic?.day !== day) {
      const topic = await pairTopic(this.secrets.out.topic, day);
      this.#outTopic = { day, topic };
    }
    return this.#outTopic.topic;
  }
}

/** All sessions of one end, bounded in every direction. */
export class Sessions {
  readonly #byTag: Map<string, Session> = new Map();
  readonly #halfOpen: LruMap<string, Session> = new LruMap(HALF_OPEN_MAX);
  // The newest first.
  readonly #peers: LruMap<string, Session[]> = new LruMap(PEERS_MAX);
  readonly #onTopics: () => void;

  constructor(onTopics: () => void) {
    this.#onTopics = onTopics;
  }

  /** How many hellos were answered without anything further. */
  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  /** A session of which the peer has yet to show that it has the keys. */
  addHalfOpen(secrets: SessionSecrets, now: number): void {
    this.#halfOpen.set(tagOf(secrets), new Session(secrets, now));
  }

  /** A session with proven keys. */
  async add(secrets: SessionSecrets, now: number): Promise<Session> {
    const session = new Session(secrets, now);
    await this.#keep(session);
    return session;
  }

  /** The session of a frame, proven or not. */
  find(tag: string): Session | undefined {
    return this.#byTag.get(tag) ?? this.#halfOpen.get(tag);
  }

  /** Something authentic came: the keys are proven, if they were not. */
  confirm(session: Session): boolean {
    const tag = tagOf(session.secrets);
    if (this.#byTag.has(tag)) return false;
    this.#halfOpen.delete(tag);
    this.#byTag.set(tag, session);
    void this.#keep(session);
    return true;
  }

  /** The newest session with a peer, of that epoch of ours. */
  current(peer: string, epoch: Bytes): Session | undefined {
    return this.#peers.get(peer)?.find(({ secrets }) =>
      equalBytes(secrets.ownEpoch, epoch)
    );
  }

  /** Whether it has been long enough for new keys. */
  isOld(session: Session, now: number): boolean {
    return now - session.openedAt > OLD_MS;
  }

  /** The peers with whom there is a session, the latest last. */
  peers(): string[] {
    return this.#peers.keys();
  }

  /** Where this end listens for its peers. */
  topics(): string[] {
    const latest = this.#peers.keys().slice(-TOPIC_PEERS_MAX);
    return latest.flatMap((peer) =>
      this.#peers.peek(peer)!.flatMap(({ inTopics }) => inTopics)
    );
  }

  /** The day has changed. */
  async retopic(wallMs: number): Promise<void> {
    await Promise.all(
      [...this.#byTag.values()].map((session) => session.retopic(wallMs)),
    );
    this.#onTopics();
  }

  async #keep(session: Session): Promise<void> {
    const { peer } = session;
    this.#byTag.set(tagOf(session.secrets), session);
    const all = [session, ...this.#peers.get(peer) ?? []];
    for (const old of all.splice(SESSIONS_PER_PEER_MAX)) this.#drop(old);
    const evicted = this.#peers.set(peer, all);
    for (const old of evicted ?? []) this.#drop(old);
    await session.retopic(Date.now());
    this.#onTopics();
    session.listensAt = performance.now() + TOPIC_MS;
  }

  #drop({ secrets }: Session): void {
    this.#byTag.delete(tagOf(secrets));
  }
}

function tagOf(secrets: SessionSecrets): string {
  return toHex(secrets.in.tag);
}
