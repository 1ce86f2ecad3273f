import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { assemble } from "./_assemble.ts";
import { overlay } from "./_overlay.ts";
import { describeEvent } from "./describe.ts";
import { diffSnapshots } from "./diff.ts";
import type { NetworkChange } from "./network_event.ts";
import type {
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
} from "./snapshot.ts";
import { anySnapshot } from "./testdata/arbitrary.ts";

/** The interfaces that a program knows after an event. */
function applyToLinks(
  links: readonly NetworkInterface[],
  event: NetworkChange,
): readonly NetworkInterface[] {
  const edit = (
    name: string,
    change: (own: readonly InterfaceAddress[]) => InterfaceAddress[],
  ) =>
    links.map((entry) =>
      entry.name === name
        ? { ...entry, addresses: change(entry.addresses) }
        : entry
    );
  const same = (a: InterfaceAddress, b: InterfaceAddress) =>
    a.address === b.address && a.prefix === b.prefix;
  switch (event.type) {
    case "interface-removed":
      return links.filter(({ index, name }) =>
        index !== event.before.index || name !== event.before.name
      );
    case "interface-added":
      return [...links, { ...event.after, addresses: [] }];
    case "address-removed":
      return edit(
        event.interface,
        (own) => own.filter((one) => !same(one, event.before)),
      );
    case "address-added":
      return edit(event.interface, (own) => [...own, event.after]);
    case "address-changed":
      return edit(
        event.interface,
        (own) => own.map((one) => same(one, event.before) ? event.after : one),
      );
    case "interface-up":
    case "interface-down":
    case "carrier-gained":
    case "carrier-lost":
    case "interface-changed":
      return links.map((entry) =>
        entry.name === event.after.name
          ? { ...event.after, addresses: entry.addresses }
          : entry
      );
    default:
      return links;
  }
}

/** What a program knows that has the old snapshot and hears the events. */
function apply(
  before: NetworkSnapshot,
  events: readonly NetworkChange[],
): NetworkSnapshot {
  let { interfaces, defaultRoutes, rules, effective, online } = before;
  for (const event of events) {
    interfaces = applyToLinks(interfaces, event);
    if (event.type === "route-changed" && event.what === "rules") {
      rules = event.after;
    } else if (event.type === "route-changed") {
      const others = defaultRoutes.filter(({ family, table }) =>
        family !== event.family || table !== event.table
      );
      defaultRoutes = [...others, ...event.after];
    } else if (
      event.type === "gateway-changed" ||
      event.type === "default-interface-changed"
    ) {
      const { [event.family]: _, ...rest } = effective;
      effective = event.after ? { ...rest, [event.family]: event.after } : rest;
    } else if (event.type === "online" || event.type === "offline") {
      online = event.after;
    }
  }
  const ordered = assemble({
    interfaces,
    defaultRoutes,
    rules,
    effective,
    links: true,
    sources: before.sources,
  });
  return { ...ordered, ...(online !== undefined && { online }) };
}

Deno.test("diff(a, a) is empty, for an equal copy too", () => {
  fc.assert(fc.property(anySnapshot, (a) => {
    assertEquals(diffSnapshots(a, a), []);
    assertEquals(diffSnapshots(a, JSON.parse(JSON.stringify(a))), []);
  }));
});

Deno.test("applying the events to the old snapshot gives the new one", () => {
  fc.assert(
    fc.property(anySnapshot, anySnapshot, (a, b) => {
      assertEquals(apply(a, diffSnapshots(a, b)), b);
    }),
    { numRuns: 500 },
  );
});

Deno.test("every event has a before that differs from its after, and is JSON", () => {
  fc.assert(
    fc.property(anySnapshot, anySnapshot, (a, b) => {
      for (const event of diffSnapshots(a, b)) {
        assertNotEquals(
          "before" in event ? event.before : undefined,
          "after" in event ? event.after : undefined,
        );
        assertEquals(JSON.parse(JSON.stringify(event)), event);
        const line = describeEvent(event);
        assert(
          line.startsWith(event.type) && line.endsWith(`(${event.reason})`),
        );
        assert(!line.includes("undefined"), line);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a partial reading changes nothing that it does not see", () => {
  fc.assert(fc.property(anySnapshot, anySnapshot, (known, now) => {
    const partial = assemble({
      interfaces: now.interfaces.filter(({ addresses }) => addresses.length > 0)
        .map(({ name, addresses }) => ({ name, addresses })),
      links: false,
      sources: ["Deno.networkInterfaces"],
    });
    const merged = overlay(known, partial);
    const kinds = new Set(diffSnapshots(known, merged).map(({ type }) => type));
    kinds.delete("address-added");
    kinds.delete("address-removed");
    kinds.delete("address-changed");
    // A name that was never seen before is an interface.
    kinds.delete("interface-added");
    assertEquals([...kinds], []);
    assertEquals(overlay(merged, now), now);
  }));
});
