/** Where the peers are: this one, which tells the others, and they. */
import type { NetworkWatch } from "@holdfast/netwatch";
import { type CallbackContext, Callbacks } from "./_callbacks.ts";
import { Home, type HomeOptions } from "./_home.ts";
import type { Answer, Question, Whereabouts } from "./_meeting.ts";
import type { Route } from "./_route.ts";
import { Tellers } from "./_tellers.ts";

/** What a locator needs of its peer. */
export interface LocatorContext
  extends HomeOptions, Omit<CallbackContext, "interfaces"> {
  readonly network: NetworkWatch | undefined;
  /** Asks or tells another peer; `undefined` without brokers. */
  readonly request:
    | ((
      peer: string,
      question: Question,
      signal: AbortSignal,
    ) => Promise<Answer>)
    | undefined;
  /** The peers that there are streams with. */
  peers(): readonly string[];
  /** This peer is elsewhere, and so many are told. */
  moved(reason: string, peers: number): void;
}

/** See the module's comment. */
export class Locator {
  readonly home: Home;
  readonly callbacks: Callbacks;
  readonly #context: LocatorContext;
  readonly #tellers: Tellers | undefined;
  readonly #routes = new Map<Route, string>();
  #looking = false;
  #ended = false;

  constructor(context: LocatorContext) {
    const { request } = context;
    this.#context = context;
    this.home = new Home(context);
    this.callbacks = new Callbacks({
      progress: (peer, name) => context.progress(peer, name),
      localAddress: () => context.localAddress(),
      serve: (transport) => context.serve(transport),
      called: (peer, to, reason) => context.called(peer, to, reason),
      interfaces: () => this.home.interfaces(),
    });
    this.#tellers = request &&
      new Tellers((peer, signal) =>
        request(peer, { type: "moved", ...this.home.now }, signal)
      );
  }

  /** A stream of this peer leads there. */
  add(route: Route, peer: string): Disposable {
    this.#routes.set(route, peer);
    return { [Symbol.dispose]: () => void this.#routes.delete(route) };
  }

  /** Something may have changed; looked at once for all of one turn. */
  look(reason: string): void {
    if (this.#looking) return;
    this.#looking = true;
    queueMicrotask(() => {
      this.#looking = false;
      if (this.#ended || !this.home.look()) return;
      const peers = this.#context.peers();
      this.#context.moved(reason, peers.length);
      this.tell(peers);
      this.callbacks.callAll();
    });
  }

  /** Tells them where this peer is. */
  tell(peers: readonly string[]): void {
    if (!this.#ended) this.#tellers?.tell(peers);
  }

  /** A broker is back: what has not been heard or answered goes at once. */
  hurry(): void {
    this.#tellers?.hurry();
    for (const route of this.#routes.keys()) route.hurry();
  }

  /** A peer says that it is elsewhere. */
  heard(peer: string, place: Whereabouts): void {
    for (const [route, to] of this.#routes) {
      if (to === peer) route.moved(place, "moved");
    }
    this.callbacks.moved(peer, place);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tellers?.end();
    this.callbacks.end();
    for (const route of this.#routes.keys()) route.end();
  }
}
