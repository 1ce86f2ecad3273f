/** What the Application Firewall says of one program. */
export interface MacosApp {
  readonly path: string;
  readonly allowed: boolean;
}

/** An answer, or why there is none. */
export type MacosAnswer<T> =
  | { readonly type: "known"; readonly value: T }
  /** A profile of an administrator forbids to change it, or to look. */
  | { readonly type: "managed" }
  | { readonly type: "unread" };

const MANAGED = /cannot be modified from command line on managed Mac/i;
const UNREAD = { type: "unread" } as const;

function known<T>(value: T | undefined, text: string): MacosAnswer<T> {
  if (value !== undefined) return { type: "known", value };
  return MANAGED.test(text) ? { type: "managed" } : UNREAD;
}

/**
 * Reads `--getglobalstate` by its number, for the words changed: 0 off, 1 on
 * for some programs, 2 all that is not essential is blocked.
 */
export function parseGlobalState(text: string): MacosAnswer<0 | 1 | 2> {
  const [, state] = /\(State = ([012])\)/.exec(text) ?? [];
  return known(
    state === undefined ? undefined : Number(state) as 0 | 1 | 2,
    text,
  );
}

/** Reads `--getblockall`, whose words changed in macOS 15. */
export function parseBlockAll(text: string): MacosAnswer<boolean> {
  const [, word] =
    /block all (?:state set to )?(enabled|disabled)/i.exec(text) ?? [];
  // What some versions say when it is on.
  const sentence = /set to block all non-essential/i.test(text);
  return known(
    sentence ? true : word && word.toLowerCase() === "enabled",
    text,
  ) as MacosAnswer<boolean>;
}

/** Reads `--getstealthmode`, whose words changed in macOS 15. */
export function parseStealth(text: string): MacosAnswer<boolean> {
  const [, word] = /stealth mode (?:is )?(enabled|disabled|on|off)\b/i.exec(
    text,
  ) ?? [];
  const on = word && /^(enabled|on)$/i.test(word);
  return known(on, text) as MacosAnswer<boolean>;
}

/** Which signed programs are let in without being asked for. */
export interface AllowSigned {
  /** Those that came with macOS. */
  readonly builtIn: boolean;
  /** Those that a registered developer signed. */
  readonly downloaded: boolean;
}

/** Reads `--getallowsigned`: two lines. */
export function parseAllowSigned(text: string): MacosAnswer<AllowSigned> {
  const of = (kind: string) => {
    const found = new RegExp(
      `allow ${kind} signed software (enabled|disabled)`,
      "i",
    ).exec(text)?.[1];
    return found && found.toLowerCase() === "enabled";
  };
  const builtIn = of("built-?in");
  const downloaded = of("downloaded");
  return known(
    typeof builtIn === "boolean" && typeof downloaded === "boolean"
      ? { builtIn, downloaded }
      : undefined,
    text,
  );
}

const COUNT = /^(?:ALF: )?total number of apps = (\d+)\s*$/i;
const ENTRY = /^\s*(\d+)\s*:\s+(\/.*?)\s*$/;
const RULE = /^\s*\(\s*(Allow|Block) incoming connections\s*\)\s*$/;

/**
 * Reads `--listapps`: a count, and two lines for each program, with other
 * spaces and another first line since macOS 26. Everything must add up: a
 * path with a line break in it could look like another entry.
 */
export function parseListApps(text: string): MacosAnswer<readonly MacosApp[]> {
  return known(readApps(text), text);
}

function readApps(text: string): readonly MacosApp[] | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const count = COUNT.exec((lines.shift() ?? "").trim())?.[1];
  if (count === undefined) return undefined;
  const apps: MacosApp[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const [, number, path] = ENTRY.exec(lines[at]!) ?? [];
    const [, rule] = RULE.exec(lines[at + 1] ?? "") ?? [];
    if (path === undefined || rule === undefined) return undefined;
    if (Number(number) !== apps.length + 1) return undefined;
    apps.push({ path, allowed: rule === "Allow" });
  }
  return apps.length === Number(count) ? apps : undefined;
}

/** Who signed a program. */
export type Signature = "apple" | "developer" | "none" | "unknown";

/** Reads what `codesign -dv --verbose=2` says, on its error output. */
export function parseSignature(text: string): Signature {
  if (/code object is not signed at all/.test(text)) return "none";
  if (/^Signature=adhoc$/m.test(text)) return "none";
  const [, first] = /^Authority=(.*)$/m.exec(text) ?? [];
  if (first === "Software Signing") return "apple";
  if (first?.startsWith("Developer ID Application: ")) return "developer";
  if (first === "Apple Mac OS Application Signing") return "developer";
  return "unknown";
}

/** The number before the first point of a version, such as 15 of `15.4.1`. */
export function parseMacosVersion(text: string): number | undefined {
  const [, major] = /^\s*(\d{1,3})(?:\.\d+)*\s*$/.exec(text) ?? [];
  return major === undefined ? undefined : Number(major);
}
