/** One value of the registry of Windows. */
export interface RegistryValue {
  readonly name: string;
  /** `REG_SZ`, `REG_DWORD`, and so on. */
  readonly type: string;
  readonly data: string;
}

/** Keys by their path in lower case, without the root. */
export type Registry = ReadonlyMap<string, ReadonlyMap<string, RegistryValue>>;

const ROOT = /^HKEY_[A-Z_]+\\/;
const VALUE = /^ {4}(.*?) {4}(REG_[A-Z_]+)(?: {4}(.*))?$/;

/**
 * Reads what `reg query` prints, in any language of Windows: paths, names,
 * types and data are not translated. Lines that are none of them (a title, an
 * empty line) are passed over; any text is accepted.
 */
export function parseRegQuery(text: string): Registry {
  const keys = new Map<string, Map<string, RegistryValue>>();
  let key: Map<string, RegistryValue> | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (ROOT.test(line)) {
      const path = line.replace(ROOT, "").trimEnd().toLowerCase();
      key = keys.get(path) ?? new Map<string, RegistryValue>();
      keys.set(path, key);
      continue;
    }
    const [, name, type, data = ""] = VALUE.exec(line) ?? [];
    if (key === undefined || name === undefined || type === undefined) continue;
    key.set(name.toLowerCase(), { name, type, data });
  }
  return keys;
}

/** A number of a value; undefined when it is missing or is no number. */
export function dword(
  registry: Registry,
  path: string,
  name: string,
): number | undefined {
  const value = registry.get(path.toLowerCase())?.get(name.toLowerCase());
  if (value?.type !== "REG_DWORD") return undefined;
  return /^0x[0-9a-f]{1,8}$/i.test(value.data) ? Number(value.data) : undefined;
}

/** The keys right below one, in lower case. */
export function childrenOf(registry: Registry, path: string): string[] {
  const prefix = `${path.toLowerCase()}\\`;
  return [...registry.keys()].filter((key) =>
    key.startsWith(prefix) && !key.slice(prefix.length).includes("\\")
  ).map((key) => key.slice(prefix.length));
}
