// Rules of Windows as plain objects, their text as MS-GPFAS has it, and a
// naive model that decides about one packet by looking at each of them. It
// shares no code with what is tested.
import fc from "fast-check";

export interface ModelRule {
  readonly allow: boolean;
  readonly active: boolean;
  readonly profiles: readonly ("Domain" | "Private" | "Public")[];
  readonly protocol: "6" | "17" | undefined;
  readonly ports: readonly (readonly [number, number])[];
  /** Three numbers: the first byte of the sources, from and to. */
  readonly sources: readonly (readonly [number, number])[];
  readonly app: string | undefined;
  readonly out: boolean;
}

export const APPS = ["C:\\a\\one.exe", "C:\\b\\Two.exe"] as const;

export const modelRule: fc.Arbitrary<ModelRule> = fc.record({
  allow: fc.boolean(),
  active: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
  profiles: fc.subarray(["Domain", "Private", "Public"] as const),
  protocol: fc.constantFrom("6" as const, "17" as const, undefined),
  ports: fc.array(
    fc.tuple(fc.integer({ min: 79, max: 82 }), fc.integer({ min: 0, max: 2 }))
      .map(([lo, n]) => [lo, lo + n] as const),
    { maxLength: 2 },
  ),
  sources: fc.array(
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1 }))
      .map(([lo, n]) => [lo, lo + n] as const),
    { maxLength: 2 },
  ),
  app: fc.constantFrom(undefined, ...APPS),
  out: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});

/** The text of a rule, in one of the ways that addresses can be written. */
export function textOf(rule: ModelRule, way: number): string {
  const source = ([lo, hi]: readonly [number, number]) =>
    lo !== hi || way === 0
      ? `${lo}.0.0.0-${hi}.255.255.255`
      : way === 1
      ? `${lo}.0.0.0/255.0.0.0`
      : `${lo}.0.0.0/8`;
  const port = ([lo, hi]: readonly [number, number]) =>
    lo === hi ? `LPort=${lo}` : `LPort2_10=${lo}-${hi}`;
  return [
    "v2.31",
    `Action=${rule.allow ? "Allow" : "Block"}`,
    `Active=${rule.active ? "TRUE" : "FALSE"}`,
    `Dir=${rule.out ? "Out" : "In"}`,
    ...rule.protocol === undefined ? [] : [`Protocol=${rule.protocol}`],
    ...rule.profiles.map((profile) => `Profile=${profile}`),
    ...rule.ports.map(port),
    ...rule.sources.map((range) => `RA4=${source(range)}`),
    ...rule.app === undefined ? [] : [`App=${rule.app}`],
    "Name=A rule",
    "",
  ].join("|");
}

export interface ModelPacket {
  readonly profile: "Domain" | "Private" | "Public";
  readonly protocol: "6" | "17";
  readonly port: number;
  /** The first byte of its source. */
  readonly source: number;
  readonly app: string;
}

/** What Windows does with one packet: block, then allow, then the default. */
export function modelAccepts(
  rules: readonly ModelRule[],
  packet: ModelPacket,
  allowByDefault: boolean,
): boolean {
  let allowed = allowByDefault;
  for (const rule of rules) {
    if (!concerns(rule, packet)) continue;
    if (!rule.allow) return false;
    allowed = true;
  }
  return allowed;
}

function concerns(rule: ModelRule, packet: ModelPacket): boolean {
  const inside = (ranges: ModelRule["ports"], value: number) =>
    ranges.length === 0 ||
    ranges.some(([lo, hi]) => lo <= value && value <= hi);
  if (rule.out || !rule.active) return false;
  if (rule.protocol !== undefined && rule.protocol !== packet.protocol) {
    return false;
  }
  if (rule.profiles.length > 0 && !rule.profiles.includes(packet.profile)) {
    return false;
  }
  if (
    rule.app !== undefined &&
    rule.app.toLowerCase() !== packet.app.toLowerCase()
  ) return false;
  return inside(rule.ports, packet.port) && inside(rule.sources, packet.source);
}
