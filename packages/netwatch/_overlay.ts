import { FAMILIES } from "./_assemble.ts";
import type { Aspect, NetworkInterface, NetworkSnapshot } from "./snapshot.ts";

/**
 * What is known after a reading that sees less than the one before: the new
 * where it tells, the last seen where it does not. Without it, a failing `ip`
 * would look like a network that lost all its routes.
 */
export function overlay(
  known: NetworkSnapshot | undefined,
  read: NetworkSnapshot,
): NetworkSnapshot {
  if (known === undefined) return read;
  return keepHardware(known, keepHidden(known, read));
}

/**
 * A gateway that is not known to answer is not known to be another one: the
 * kernel forgets its neighbours whenever a link loses its carrier.
 */
function keepHardware(
  known: NetworkSnapshot,
  read: NetworkSnapshot,
): NetworkSnapshot {
  let effective = read.effective;
  for (const family of FAMILIES) {
    const [was, is] = [known.effective[family], read.effective[family]];
    const same = was !== undefined && is !== undefined &&
      was.gateway === is.gateway && was.interface === is.interface;
    if (!same || was.hardware === undefined || is.hardware !== undefined) {
      continue;
    }
    effective = { ...effective, [family]: { ...is, hardware: was.hardware } };
  }
  return effective === read.effective ? read : { ...read, effective };
}

function keepHidden(
  known: NetworkSnapshot,
  read: NetworkSnapshot,
): NetworkSnapshot {
  const hidden = unseen(known, read);
  if (hidden.length === 0) return read;
  const keeps = (aspect: Aspect): boolean => hidden.includes(aspect);
  const routes = keeps("routes") ? known : read;
  return {
    interfaces: keeps("links")
      ? withAddresses(known.interfaces, read.interfaces)
      : read.interfaces,
    defaultRoutes: routes.defaultRoutes,
    rules: keeps("rules") ? known.rules : read.rules,
    effective: routes.effective,
    ...(routes.online !== undefined && { online: routes.online }),
    sees: [...new Set([...known.sees, ...read.sees])].sort(),
    sources: read.sources,
    problems: [
      ...read.problems,
      `As last seen, not as they are now: ${hidden.join(", ")}`,
    ],
  };
}

/** What was seen before and is not seen by this reading. */
export function unseen(
  known: NetworkSnapshot,
  read: NetworkSnapshot,
): readonly Aspect[] {
  return known.sees.filter((aspect) => !read.sees.includes(aspect));
}

function withAddresses(
  known: readonly NetworkInterface[],
  read: readonly NetworkInterface[],
): readonly NetworkInterface[] {
  const byName = new Map(read.map((entry) => [entry.name, entry]));
  const names = new Set(known.map(({ name }) => name));
  return [
    ...known.map((entry) => ({
      ...entry,
      addresses: byName.get(entry.name)?.addresses ?? [],
    })),
    ...read.filter(({ name }) => !names.has(name)),
  ];
}
