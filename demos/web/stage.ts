/** The programs of the page: brokers, a proxy, a client and a server. */
import {
  createIdentity,
  exportIdentity,
  type Identity,
} from "@holdfast/signal";
import type { BrokerProcess } from "../../tools/broker/spawn.ts";
import { LISTEN_ENV, NET, startBrokers } from "../main/cast.ts";
import { type Line, Program } from "../main/lines.ts";
import { canUse } from "../main/loopback.ts";
import { Facts } from "./facts.ts";
import type { History } from "./history.ts";
import { Namespace } from "./namespace.ts";
import type { Origin } from "./view.ts";

const HERE = import.meta.dirname!;
const SEED_UP = 0x1f2e3d4c;
const SEED_DOWN = 0x7a6b5c4d;
const HANG_MS = 30_000;
const ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];

/** How to run it. */
export interface StageOptions {
  /** A folder for the store. */
  readonly folder: string;
  readonly rateBytesPerS: number;
  /** Without it the stream loses what a cut takes, and the counters say so. */
  readonly replay: boolean;
  /** Whether to try a network namespace of its own. */
  readonly namespace: boolean;
}

/** See the module's comment. */
export class Stage {
  readonly facts: Facts;
  readonly history: History;
  /** The addresses that the client may have. */
  readonly addresses: readonly string[];
  /** The namespace, or why there is none. */
  namespace: Namespace | string = "it was switched off";
  brokers: readonly BrokerProcess[] = [];
  readonly brokersUp: Set<BrokerProcess> = new Set();
  blocked = false;
  /** Whether a server process starts: it has to reach a broker. */
  serverStarts = false;
  proxyPort = 0;
  proxy!: Program;
  client!: Program;
  server!: Program;
  clientId!: Identity;
  serverId!: Identity;
  readonly #options: StageOptions;
  readonly #stack: AsyncDisposableStack;

  constructor(
    options: StageOptions,
    history: History,
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.history = history;
    this.facts = new Facts(history);
    this.#stack = stack;
    this.addresses = ADDRESSES.filter(canUse);
    this.facts.client.address = this.addresses[0];
  }

  /** Resolves when the two stream. */
  async start(): Promise<void> {
    if (this.#options.namespace) {
      this.namespace = await Namespace.open();
      if (typeof this.namespace !== "string") this.#stack.use(this.namespace);
    }
    this.brokers = await startBrokers(this.#stack, this.#inside);
    for (const broker of this.brokers) this.brokersUp.add(broker);
    this.serverId = await createIdentity();
    this.clientId = await createIdentity();
    this.proxy = this.#program(`${HERE}/../main/proxy.ts`, [NET], () => {});
    this.proxyPort = (await this.proxy.hear("listening")).port;
    await this.startServer("first");
    await this.#startClient();
  }

  /** The command that runs others where the programs are. */
  get #inside(): readonly string[] {
    return typeof this.namespace === "string" ? [] : this.namespace.inside;
  }

  #program(
    script: string,
    permissions: readonly string[],
    hear: (line: Line) => void,
  ): Program {
    const name = /(\w+)\.ts$/.exec(script)![1]!;
    return this.#stack.use(
      new Program(name, script, permissions, hear, this.#inside),
    );
  }

  #common(seed: number, otherSeed: number): Line {
    const { rateBytesPerS, replay } = this.#options;
    const brokers = this.brokers.map(({ url }) => url);
    return { type: "setup", brokers, rateBytesPerS, replay, seed, otherSeed };
  }

  async #startClient(): Promise<void> {
    const client = this.#program(
      `${HERE}/client.ts`,
      [NET],
      (line) => this.facts.fromClient(line),
    );
    this.client = client;
    this.facts.client.pid = client.pid;
    void client.ended.then(() => {
      this.facts.client.lost ??= "the client program ended";
      this.facts.brokersOf.client = [];
    });
    await client.tell({
      ...this.#common(SEED_UP, SEED_DOWN),
      identity: exportIdentity(this.clientId),
      server: this.serverId.id,
      localAddress: this.addresses[0],
    });
    const { ms } = await client.hear("connected");
    const { up, down } = this.facts;
    await this.until(
      () => up.received > 0 && down.received > 0,
      "no byte arrived",
    );
    this.history.note(
      "demo",
      "good",
      `the two met by id, through the brokers, in ${Math.round(ms)} ms`,
    );
  }

  /** A first server process, or one after another one died. */
  async startServer(origin: Origin): Promise<void> {
    const script = `${HERE}/server.ts`;
    const { folder } = this.#options;
    const files = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const permissions = [NET, ...files, "--allow-run", LISTEN_ENV];
    const facts = this.facts.server;
    facts.origin = origin;
    const server = this.#program(
      script,
      permissions,
      (line) => this.facts.fromServer(line),
    );
    this.server = server;
    void server.ended.then(() => {
      if (this.server !== server) return;
      facts.up = false;
      this.facts.brokersOf.server = [];
    });
    const serving = server.hear("serving");
    await server.tell({
      ...this.#common(SEED_DOWN, SEED_UP),
      identity: exportIdentity(this.serverId),
      client: this.clientId.id,
      advertise: [{ hostname: "127.0.0.1", port: this.proxyPort }],
      store: `${folder}/sessions.db`,
      args: ["run", "--no-prompt", "--ignore-env", ...permissions, script],
    });
    await serving;
    // Where the proxy is the firewall, it lets nobody through until it is told.
    if (!this.blocked || typeof this.namespace !== "string") {
      await this.forward();
    }
  }

  /** Tells the proxy where the server is. */
  async forward(): Promise<void> {
    const forwarding = this.proxy.hear("forwarding");
    await this.proxy.tell({ type: "forward", port: this.facts.server.port });
    await forwarding;
  }

  /**
   * Waits until something takes connections at a port, or nothing does, where
   * the programs are: by trying.
   *
   * @throws {Error} In one sentence, when it does not come about.
   */
  async seeOpen(port: number, open: boolean): Promise<void> {
    const limit = performance.now() + HANG_MS;
    for (;;) {
      // Several actions may ask at once, each for a port of its own.
      const probed = this.proxy.hear(`probed-${port}`);
      await this.proxy.tell({ type: "probe", port });
      if ((await probed).open === open) return;
      if (performance.now() < limit) continue;
      throw new Error(
        `port ${port} ${open ? "takes no" : "still takes"} connections`,
      );
    }
  }

  /**
   * Waits until something is so.
   *
   * @throws {Error} In one sentence, when it does not come about.
   */
  async until(
    check: () => boolean | Promise<boolean>,
    failure: string,
  ): Promise<void> {
    const limit = performance.now() + HANG_MS;
    while (!await check()) {
      const { lost } = this.facts.client;
      if (lost !== undefined) throw new Error(`the stream is over: ${lost}`);
      if (performance.now() > limit) {
        throw new Error(`${failure} within ${HANG_MS / 1000} s`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
