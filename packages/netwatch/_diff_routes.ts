import { addressKey, FAMILIES, whyOffline } from "./_assemble.ts";
import { linkLoss } from "./_diff_links.ts";
import type {
  LossReason,
  NetworkChange,
  RoutesChangedEvent,
} from "./network_event.ts";
import type {
  DefaultRoute,
  EffectiveRoute,
  Family,
  NetworkSnapshot,
} from "./snapshot.ts";

/** Default routes, as a set for each family and table. */
export function diffRoutes(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): NetworkChange[] {
  const group = ({ family, table }: DefaultRoute): string =>
    `${family} ${table}`;
  const old = Map.groupBy(before.defaultRoutes, group);
  const now = Map.groupBy(after.defaultRoutes, group);
  const events: RoutesChangedEvent[] = [];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const was = old.get(key) ?? [];
    const is = now.get(key) ?? [];
    const how = setChange(was, is);
    if (how === undefined) continue;
    const { family, table } = (was[0] ?? is[0])!;
    events.push({
      type: "route-changed",
      what: "default-routes",
      reason: `route-${how}`,
      family,
      table,
      before: was,
      after: is,
    });
  }
  return events;
}

/** Policy routing rules, as a set. */
export function diffRules(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): NetworkChange[] {
  const how = setChange(before.rules, after.rules);
  return how === undefined ? [] : [{
    type: "route-changed",
    what: "rules",
    reason: `rule-${how}`,
    before: before.rules,
    after: after.rules,
  }];
}

function setChange(
  before: readonly unknown[],
  after: readonly unknown[],
): "added" | "removed" | "replaced" | undefined {
  const extra = remainder(after, before);
  const gone = remainder(before, after);
  if (extra === 0) return gone === 0 ? undefined : "removed";
  return gone === 0 ? "added" : "replaced";
}

/** How many of `items` are not in `others`, each counted as often as it is there. */
function remainder(
  items: readonly unknown[],
  others: readonly unknown[],
): number {
  const left = others.map((other) => JSON.stringify(other));
  let count = 0;
  for (const item of items) {
    const at = left.indexOf(JSON.stringify(item));
    if (at < 0) count++;
    else left.splice(at, 1);
  }
  return count;
}

/** Where packets to the Internet leave. */
export function diffEffective(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): NetworkChange[] {
  return FAMILIES.flatMap((family): NetworkChange[] => {
    const was = before.effective[family];
    const is = after.effective[family];
    const told = {
      family,
      reason: defaultReason(was, is, before, after),
      ...(was && { before: was }),
      ...(is && { after: is }),
    };
    const events: NetworkChange[] = [];
    if (was?.gateway !== is?.gateway) {
      events.push({ type: "gateway-changed", ...told });
    }
    if (was?.interface !== is?.interface) {
      events.push({ type: "default-interface-changed", ...told });
    }
    // Only behind the same gateway: otherwise that is what has changed.
    if (events.length === 0 && was?.hardware !== is?.hardware) {
      events.push(networkChanged(family, was!, is!));
    }
    return events;
  });
}

function networkChanged(
  family: Family,
  before: EffectiveRoute,
  after: EffectiveRoute,
): NetworkChange {
  const reason = after.hardware === undefined
    ? "unidentified"
    : before.hardware === undefined
    ? "identified"
    : "replaced";
  return { type: "network-changed", reason, family, before, after };
}

function defaultReason(
  was: EffectiveRoute | undefined,
  is: EffectiveRoute | undefined,
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): "gained" | "replaced" | LossReason {
  if (was === undefined) return "gained";
  const find = (side: NetworkSnapshot) =>
    side.interfaces.find(({ name }) => name === was.interface);
  const [old, now] = [find(before), find(after)];
  const cause = old && linkLoss(old, now);
  if (cause !== undefined) return cause;
  if (is !== undefined) return "replaced";
  const kept = new Set(now?.addresses.map(addressKey));
  const addressGone = old?.addresses.some((address) =>
    address.family === was.family && !kept.has(addressKey(address))
  );
  return addressGone ? "address-removed" : "removed";
}

/** Whether anything beyond the link can be reached at all. */
export function diffOnline(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): NetworkChange[] {
  if (before.online === after.online || after.online === undefined) return [];
  const was = before.online === undefined ? {} : { before: before.online };
  return after.online
    ? [{ type: "online", reason: "usable", ...was, after: true }]
    : [{
      type: "offline",
      reason: whyOffline(after) ?? "no-route",
      ...was,
      after: false,
    }];
}
