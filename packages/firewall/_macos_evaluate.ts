import type { AllowSigned, MacosApp, Signature } from "./_macos_parser.ts";

/** What is known of the Application Firewall. */
export interface Alf {
  readonly state: 0 | 1 | 2;
  readonly blockAll: boolean;
  /** Undefined where it could not be read. */
  readonly apps: readonly MacosApp[] | undefined;
  readonly allowSigned: AllowSigned | undefined;
}

/** A program that listens. */
export interface MacosProgram {
  /** Its path without links: that is what the list goes by. */
  readonly path: string;
  readonly signature: Signature;
}

/** What the Application Firewall does with connections to a program. */
export type AlfVerdict =
  | { readonly type: "open"; readonly why: string }
  | {
    readonly type: "blocked";
    readonly why: string;
    readonly by: "all" | "entry" | "no-entry";
  }
  | { readonly type: "unknown"; readonly why: string };

/**
 * Decides as the Application Firewall does. It goes by programs alone: ports,
 * protocols and sources do not count. It looks at TCP and UDP that come in.
 */
export function evaluateAlf(
  alf: Alf,
  program: MacosProgram | undefined,
): AlfVerdict {
  if (alf.state === 0) {
    return { type: "open", why: "the Application Firewall is off" };
  }
  if (alf.state === 2 || alf.blockAll) {
    return {
      type: "blocked",
      by: "all",
      why:
        "the Application Firewall blocks all incoming connections that are not essential",
    };
  }
  if (program === undefined) {
    return {
      type: "unknown",
      why:
        "the Application Firewall is on, and goes by programs: name the program",
    };
  }
  if (alf.apps === undefined) {
    return {
      type: "unknown",
      why: "the list of programs of the Application Firewall cannot be read",
    };
  }
  const entries = alf.apps.filter(({ path }) => covers(path, program.path));
  if (new Set(entries.map(({ allowed }) => allowed)).size > 1) {
    return {
      type: "unknown",
      why: `the Application Firewall both allows and blocks ${program.path}`,
    };
  }
  const [entry] = entries;
  if (entry !== undefined) {
    return entry.allowed
      ? { type: "open", why: `the Application Firewall allows ${entry.path}` }
      : {
        type: "blocked",
        by: "entry",
        why: `the Application Firewall has an entry that blocks ${entry.path}`,
      };
  }
  return withoutEntry(alf, program);
}

/** An entry is for a program, or for the bundle (`.app`) that it lies in. */
function covers(entry: string, path: string): boolean {
  return entry === path ||
    (/\.app$/.test(entry) && path.startsWith(`${entry}/Contents/MacOS/`));
}

function withoutEntry(
  { allowSigned }: Alf,
  { path, signature }: MacosProgram,
): AlfVerdict {
  if (signature === "unknown" || allowSigned === undefined) {
    return {
      type: "unknown",
      why: `who signed ${path}, and whether that counts, cannot be read`,
    };
  }
  const automatic = (signature === "apple" && allowSigned.builtIn) ||
    (signature === "developer" && allowSigned.downloaded);
  return automatic
    ? {
      type: "open",
      why:
        `the Application Firewall lets in signed programs, as ${path} is, without being asked`,
    }
    : {
      type: "blocked",
      by: "no-entry",
      why:
        `the Application Firewall has no entry for ${path}: macOS asks the person at the screen, and blocks until then`,
    };
}

/** Programs that run scripts of others: to let one in lets in all of them. */
const INTERPRETERS =
  /^(deno|node|nodejs|bun|python[\d.]*|ruby[\d.]*|perl[\d.]*|php[\d.]*|java|osascript|bash|zsh|sh|ksh|dash|lua[\d.]*|tclsh[\d.]*)$/i;

/** Whether a program is known to run scripts of others. */
export function isInterpreter(path: string): boolean {
  return INTERPRETERS.test(path.split("/").at(-1) ?? "") ||
    // The real one of python.org lies in a bundle.
    /\/Python\.app\//.test(path);
}
