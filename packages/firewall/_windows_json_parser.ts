import type { Profile } from "./_windows_rules.ts";

/** Which kind of network an interface is in. */
export interface Connection {
  /** The name of the interface, such as `Wi-Fi`; may be translated. */
  readonly alias: string;
  readonly profile: Profile;
}

const CATEGORIES: Readonly<Record<string, Profile>> = {
  "0": "public",
  "1": "private",
  "2": "domain",
  public: "public",
  private: "private",
  domainauthenticated: "domain",
};

/**
 * Reads `Get-NetConnectionProfile | … | ConvertTo-Json`. PowerShell prints one
 * element without a list, none as nothing or `""`, a list in some versions as
 * `{"value":[…],"Count":2}`, and words of an enumeration as numbers.
 * Undefined when it is something else.
 */
export function parseConnections(
  text: string,
): readonly Connection[] | undefined {
  const trimmed = text.replace(/^\ufeff/, "").trim();
  if (trimmed === "" || trimmed === '""') return [];
  let json: unknown;
  try {
    json = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  const connections = listOf(json).map(readConnection);
  return connections.includes(undefined)
    ? undefined
    : connections as Connection[];
}

function listOf(json: unknown): readonly unknown[] {
  if (json === null) return [];
  if (Array.isArray(json)) return json;
  if (typeof json === "object" && "value" in json && "Count" in json) {
    return Array.isArray(json.value) ? json.value : [json.value];
  }
  return [json];
}

function readConnection(item: unknown): Connection | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { InterfaceAlias: alias, NetworkCategory: category } = item as Record<
    string,
    unknown
  >;
  const key = String(category).toLowerCase();
  if (typeof alias !== "string" || !Object.hasOwn(CATEGORIES, key)) {
    return undefined;
  }
  return { alias, profile: CATEGORIES[key]! };
}
