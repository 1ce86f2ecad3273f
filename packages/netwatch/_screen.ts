/** What `watch` shows on a terminal, as lines; nothing is printed in here. */
import { styleText } from "node:util";
import { describeEvent } from "./describe.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { NetworkInterface, NetworkSnapshot } from "./snapshot.ts";

/** An event, with when it was told and how soon. */
export interface LogEntry {
  readonly at: string;
  readonly event: NetworkEvent;
  readonly latencyMs: number | undefined;
}

/** All that is shown. */
export interface Screen {
  readonly snapshot: NetworkSnapshot;
  /** The newest last. */
  readonly log: readonly LogEntry[];
  /** What changed a moment ago: names of interfaces, and families. */
  readonly fresh: ReadonlySet<string>;
  readonly notes: readonly string[];
  readonly columns: number;
  readonly rows: number;
  readonly colours: boolean;
}

type Paint = (style: Parameters<typeof styleText>[0], text: string) => string;

/** The names that an event is about, to be highlighted for a while. */
export function concerns(event: NetworkEvent): string[] {
  switch (event.type) {
    case "interface-added":
      return [event.after.name];
    case "address-added":
    case "address-removed":
    case "address-changed":
      return [event.interface];
    case "interface-up":
    case "interface-down":
    case "carrier-lost":
    case "carrier-gained":
    case "interface-changed":
      return [event.after.name];
    case "gateway-changed":
    case "default-interface-changed":
    case "network-changed":
      return [event.family];
    case "online":
    case "offline":
      return ["online"];
    default:
      return [];
  }
}

/** The lines, none longer than the terminal is wide, none more than it is high. */
export function renderScreen(screen: Screen): string[] {
  const paint: Paint = screen.colours
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_, text) => text;
  const fit = (text: string) => cut(text, screen.columns);
  const mark = (name: string, text: string) =>
    screen.fresh.has(name) ? paint(["bold", "yellow"], fit(text)) : fit(text);
  const { interfaces, effective, online } = screen.snapshot;
  const width = Math.max(9, ...interfaces.map(({ name }) => name.length));
  const table = [
    paint("bold", fit(`${"INTERFACE".padEnd(width)}  STATE        ADDRESSES`)),
    ...interfaces.map((entry) => mark(entry.name, row(entry, width))),
    "",
    ...(["IPv4", "IPv6"] as const).map((family) => {
      const route = effective[family];
      const via = route === undefined
        ? "none"
        : [route.gateway, `dev ${route.interface}`, route.hardware]
          .filter((part) => part !== undefined).join("  ");
      return mark(family, `default ${family}  ${via}`);
    }),
    mark(
      "online",
      online === undefined ? "state unknown" : online ? "online" : "offline",
    ),
    ...screen.notes.map((note) => paint("red", fit(`note: ${note}`))),
    "",
  ];
  const room = Math.max(1, screen.rows - table.length - 1);
  const log = screen.log.slice(-room).map((entry) => {
    const late = entry.latencyMs === undefined
      ? "         "
      : `${entry.latencyMs.toFixed(1).padStart(6)} ms`;
    return fit(`${entry.at} ${late}  ${describeEvent(entry.event)}`);
  });
  return [...table, ...log].slice(0, Math.max(1, screen.rows - 1));
}

function row(entry: NetworkInterface, width: number): string {
  const { name, up, carrier, addresses } = entry;
  const state = up === undefined
    ? "?"
    : !up
    ? "down"
    : carrier === false
    ? "no carrier"
    : "up";
  const texts = addresses.map((one) => {
    const flags = (["tentative", "deprecated", "temporary"] as const)
      .filter((flag) => one[flag]).map((flag) => ` ${flag}`).join("");
    return `${one.address}/${one.prefix}${flags}`;
  });
  return `${name.padEnd(width)}  ${state.padEnd(11)}  ${texts.join(", ")}`;
}

// Names come from the system, and may hold anything.
function cut(text: string, columns: number): string {
  // deno-lint-ignore no-control-regex -- that is what is kept out
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
  return clean.length <= columns
    ? clean
    : `${clean.slice(0, Math.max(0, columns - 1))}…`;
}
