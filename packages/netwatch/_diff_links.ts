import { addressKey } from "./_assemble.ts";
import type {
  InterfaceStateType,
  LossReason,
  NetworkChange,
} from "./network_event.ts";
import type { NetworkInterface, NetworkSnapshot } from "./snapshot.ts";

/** Where changes go: what was lost is told before what was gained. */
export interface Sorted {
  readonly lost: NetworkChange[];
  readonly changed: NetworkChange[];
  readonly gained: NetworkChange[];
}

/** Interfaces and their addresses. */
export function diffInterfaces(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
  out: Sorted,
): void {
  const sees = (side: NetworkSnapshot) => side.sees.includes("links");
  // Whoever sees no links knows an interface only by its addresses: against
  // one who does, its being there cannot be compared.
  const comparable = sees(before) === sees(after);
  const keyOf = (entry: NetworkInterface): string =>
    sees(before) && sees(after) ? `${entry.index} ${entry.name}` : entry.name;
  const old = new Map(before.interfaces.map((entry) => [keyOf(entry), entry]));
  const now = new Map(after.interfaces.map((entry) => [keyOf(entry), entry]));
  for (const [key, entry] of old) {
    const next = now.get(key);
    if (next !== undefined) {
      if (comparable) diffLink(entry, next, out);
      diffAddresses(entry, next, out);
      continue;
    }
    diffAddresses(entry, comparable ? undefined : bare(entry), out);
    if (!comparable) continue;
    const renamed = has(after, entry.index);
    const reason = renamed ? "renamed" : "disappeared";
    out.lost.push({ type: "interface-removed", reason, before: entry });
  }
  for (const [key, entry] of now) {
    if (old.has(key)) continue;
    if (comparable) {
      const reason = has(before, entry.index) ? "renamed" : "appeared";
      out.gained.push({ type: "interface-added", reason, after: entry });
    }
    diffAddresses(comparable ? undefined : bare(entry), entry, out);
  }
}

/** An interface that may well be there, without the addresses. */
function bare({ name }: NetworkInterface): NetworkInterface {
  return { name, addresses: [] };
}

function has(snapshot: NetworkSnapshot, index: number | undefined): boolean {
  return index !== undefined &&
    snapshot.interfaces.some((entry) => entry.index === index);
}

function diffLink(
  before: NetworkInterface,
  after: NetworkInterface,
  out: Sorted,
): void {
  const fields = (["up", "carrier", "mtu", "kind"] as const)
    .filter((field) => before[field] !== after[field]);
  if (fields.length === 0) return;
  const emit = (
    type: InterfaceStateType,
    reason: string,
    to: NetworkChange[],
  ) => to.push({ type, reason, before, after } as NetworkChange);
  const rest = new Set<string>(fields);
  if (before.up !== after.up && after.up !== undefined) {
    rest.delete("up");
    // An interface that is off has no carrier to speak of.
    rest.delete("carrier");
    if (after.up) emit("interface-up", "switched-on", out.gained);
    else emit("interface-down", "switched-off", out.lost);
  } else if (before.carrier !== after.carrier && after.carrier !== undefined) {
    rest.delete("carrier");
    if (after.carrier) emit("carrier-gained", "carrier", out.gained);
    else emit("carrier-lost", "no-carrier", out.lost);
  }
  if (rest.size > 0) {
    emit("interface-changed", [...rest].join(), out.changed);
  }
}

function diffAddresses(
  before: NetworkInterface | undefined,
  after: NetworkInterface | undefined,
  out: Sorted,
): void {
  const name = (before ?? after)!.name;
  const old = new Map(
    before?.addresses.map((address) => [addressKey(address), address]),
  );
  const now = new Map(
    after?.addresses.map((address) => [addressKey(address), address]),
  );
  for (const [key, address] of old) {
    const next = now.get(key);
    if (next === undefined) {
      out.lost.push({
        type: "address-removed",
        reason: linkLoss(before, after) ?? "removed",
        interface: name,
        before: address,
      });
      continue;
    }
    const fields = (["scope", "tentative", "deprecated", "temporary"] as const)
      .filter((field) => address[field] !== next[field]);
    if (fields.length === 0) continue;
    out.changed.push({
      type: "address-changed",
      reason: fields.join(),
      interface: name,
      before: address,
      after: next,
    });
  }
  for (const [key, address] of now) {
    if (old.has(key)) continue;
    out.gained.push({
      type: "address-added",
      reason: before === undefined ? "interface-added" : "assigned",
      interface: name,
      after: address,
    });
  }
}

/** Whether the interface itself is why something on it went away. */
export function linkLoss(
  before: NetworkInterface | undefined,
  after: NetworkInterface | undefined,
): LossReason | undefined {
  if (after === undefined) return "interface-removed";
  if (before?.up !== false && after.up === false) return "interface-down";
  if (before?.carrier !== false && after.carrier === false) {
    return "carrier-lost";
  }
  return undefined;
}
