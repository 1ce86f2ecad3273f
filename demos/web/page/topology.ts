/** The picture of peers, path, brokers and processes. */
import type { BrokerView, View } from "../view.ts";
import { byId, setAttribute, setData, setText, svg } from "./dom.ts";
import { type Box, type Layout, NARROW, type Point, WIDE } from "./layout.ts";

const NARROW_BELOW = 560;
const GHOSTS = 2;
const TIP = 12;
const ORIGINS = {
  first: "the first process",
  "handed over": "handed over to it",
  "from the store": "from the store",
};

/** A box with lines of text in it. */
class Node {
  readonly group = svg("g", { class: "node" });
  readonly #lines: SVGElement[] = [];

  constructor(box: Box, kind: string, lines: number, middle = false) {
    setData(this.group, "node", kind);
    this.group.append(
      svg("rect", { x: box.x, y: box.y, width: box.w, height: box.h, rx: 10 }),
    );
    const step = middle ? 19 : 22;
    const first = box.y + box.h / 2 - (lines - 1) * step / 2 + 5;
    for (let i = 0; i < lines; i++) {
      const line = svg("text", {
        x: middle ? box.x + box.w / 2 : box.x + 16,
        y: first + i * step,
        class: i === 0 ? "head" : "line",
        "text-anchor": middle ? "middle" : "start",
      });
      this.#lines.push(line);
      this.group.append(line);
    }
  }

  show(state: string, ...lines: readonly string[]): void {
    setData(this.group, "state", state);
    this.#lines.forEach((line, i) => setText(line, lines[i] ?? ""));
  }
}

/** See the module's comment. */
export class Topology {
  readonly #svg = byId("map");
  readonly #text = byId("map-text");
  #layout: Layout | undefined;
  #width = 0;
  #client!: Node;
  #server!: Node;
  #gate!: Node;
  #brokers: Node[] = [];
  #ghosts: SVGElement[] = [];
  #flows: SVGElement[] = [];
  #lines: { readonly client: SVGElement[]; readonly server: SVGElement[] } = {
    client: [],
    server: [],
  };

  constructor() {
    // Told, and not asked for: asking would make the browser lay out the page.
    new ResizeObserver(([entry]) => {
      this.#width = entry!.contentRect.width;
    }).observe(this.#svg.parentElement!);
  }

  show(view: View): void {
    if (this.#width > 0) {
      this.#build(this.#width < NARROW_BELOW ? NARROW : WIDE);
    }
    if (this.#layout === undefined) return;
    this.#showPrograms(view);
    const flowing = view.phase === "streaming" && view.link.attached;
    const how = view.link.blocked ? "blocked" : flowing ? "on" : "off";
    for (const flow of this.#flows) setData(flow, "flow", how);
    view.brokers.forEach((broker, i) => this.#showBroker(broker, i));
    setText(this.#text, inWords(view));
  }

  #showPrograms({ client, server, link, phase }: View): void {
    this.#client.show(
      client.state,
      client.state === "running" ? "Client" : `Client, ${client.state}`,
      `id ${client.id.slice(0, 10)}…`,
      `process ${client.pid}`,
      `address ${client.address}`,
    );
    this.#server.show(
      server.state,
      server.state === "running" ? "Server" : "Server, down",
      `id ${server.id.slice(0, 10)}…`,
      `process ${server.pid}, no. ${server.generation}`,
      ORIGINS[server.origin],
    );
    const name = link.firewall === "nft" ? "nftables" : "the proxy";
    const carried = link.attached ? `connection ${link.number}` : "no path";
    this.#gate.show(
      link.blocked ? "blocked" : link.attached ? "running" : "off",
      `Port ${link.port}`,
      link.blocked ? "blocked" : "open",
      link.blocked ? `by ${name}` : phase === "starting" ? "" : carried,
    );
    this.#ghosts.forEach((ghost, i) =>
      setData(ghost, "shown", server.generation > i + 1 ? "yes" : "no")
    );
  }

  #showBroker(broker: BrokerView, i: number): void {
    const { up, pid } = broker;
    this.#brokers[i]!.show(
      up ? "running" : "down",
      `Broker ${i + 1}`,
      up ? `process ${pid}` : "dead",
    );
    for (const who of ["client", "server"] as const) {
      const has = broker[who] && up;
      setData(this.#lines[who][i]!, "has", has ? "yes" : "no");
    }
  }

  #build(layout: Layout): void {
    if (this.#layout === layout) return;
    this.#layout = layout;
    const { width, height } = layout;
    setAttribute(this.#svg, "viewBox", `0 0 ${width} ${height}`);
    this.#lines = {
      client: layout.clientLines.map((ends) => line("meet", ends)),
      server: layout.serverLines.map((ends) => line("meet", ends)),
    };
    this.#flows = [
      flow("up", layout.up),
      flow("down", layout.down),
    ];
    this.#client = new Node(layout.client, "client", 4);
    this.#server = new Node(layout.server, "server", 4);
    this.#gate = new Node(layout.gate, "gate", 3, true);
    this.#brokers = layout.brokers.map((box) =>
      new Node(box, "broker", 2, true)
    );
    this.#ghosts = ghosts(layout.server);
    this.#svg.replaceChildren(
      ...this.#lines.client,
      ...this.#lines.server,
      ...this.#flows,
      ...this.#ghosts.toReversed(),
      ...[this.#client, this.#server, this.#gate, ...this.#brokers].map(
        ({ group }) => group,
      ),
    );
  }
}

function line(
  kind: string,
  [[x1, y1], [x2, y2]]: readonly [Point, Point],
): SVGElement {
  return svg("line", { class: kind, x1, y1, x2, y2 });
}

/** A direction of the stream, with a tip where it arrives. */
function flow(kind: string, ends: readonly [Point, Point]): SVGElement {
  const [[x1, y1], [x2, y2]] = ends;
  const [dx, dy] = [Math.sign(x2 - x1), Math.sign(y2 - y1)];
  const group = svg("g", { class: kind });
  const [x, y] = [x2 - dx * TIP, y2 - dy * TIP];
  const side = TIP * 0.55;
  group.append(
    line("flow", [[x1, y1], [x, y]]),
    svg("path", {
      class: "tip",
      d: `M${x2} ${y2}L${x + dy * side} ${y + dx * side}L${x - dy * side} ${
        y - dx * side
      }Z`,
    }),
  );
  return group;
}

/** The processes that a server had before, behind it. */
function ghosts({ x, y, w, h }: Box): SVGElement[] {
  return Array.from({ length: GHOSTS }, (_, i) => {
    const off = 6 * (i + 1);
    return svg("rect", {
      class: "ghost",
      x: x + off / 2,
      y: y - off,
      width: w - off,
      height: h,
      rx: 10,
    });
  });
}

/** The picture for those who do not see it. */
function inWords({ client, server, link, brokers }: View): string {
  const up = brokers.filter(({ up }) => up).length;
  return [
    `Client, process ${client.pid}, ${client.state}, at ${client.address}.`,
    `Server, process ${server.pid}, number ${server.generation}, ${server.state}.`,
    `Port ${link.port} is ${link.blocked ? "blocked" : "open"};`,
    link.attached
      ? `connection number ${link.number} carries the stream.`
      : "nothing carries the stream.",
    `${up} of ${brokers.length} brokers run.`,
  ].join(" ");
}
