import type { Match } from "./_other_match.ts";
import type { WindowsRule } from "./_windows_rules.ts";

/** What the variables in paths of rules mean on nearly every machine. */
const VARIABLES: Readonly<Record<string, string>> = {
  systemroot: "c:\\windows",
  windir: "c:\\windows",
  systemdrive: "c:",
  programfiles: "c:\\program files",
  "programfiles(x86)": "c:\\program files (x86)",
  programdata: "c:\\programdata",
};

/** Whether a rule is for a program, or for all of them. */
export function programMatch(
  { app, packaged }: Pick<WindowsRule, "app" | "packaged">,
  program: string | undefined,
): Match {
  // Such rules hold inside of an app container, where programs of others are
  // not.
  if (packaged) {
    const inside = program !== undefined && /\\windowsapps\\/i.test(program);
    return inside ? "maybe" : "no";
  }
  if (app === undefined) return "yes";
  if (program === undefined) return "maybe";
  // The kernel itself listens, as for file sharing.
  if (app.toLowerCase() === "system") return "no";
  const given = plain(program);
  // Letters that reg.exe printed in a code page of old are none of ASCII's.
  if (/\ufffd/.test(app) && given !== undefined && isAscii(given)) return "no";
  const wanted = plain(app);
  if (wanted === undefined || given === undefined) return "maybe";
  return wanted === given ? "yes" : "no";
}

function isAscii(text: string): boolean {
  return !/[^ -~]/.test(text);
}

/**
 * Whether two paths are the same, where the letters of one that are not of
 * ASCII may have been printed as something else.
 */
export function sameProgram(
  a: string | undefined,
  b: string | undefined,
): boolean {
  const masked = (text: string | undefined) =>
    text?.toLowerCase().replace(/[^ ->@-~]+/g, "?");
  return masked(a) === masked(b);
}

/** A path in one way of writing; undefined when it may be another's alias. */
function plain(path: string): string | undefined {
  const expanded = path.toLowerCase().replaceAll("/", "\\").replace(
    /%([^%\\]+)%/g,
    (whole, name: string) => VARIABLES[name] ?? whole,
  );
  // Bytes that could not be read, short names, devices, variables of others.
  return /[\ufffd%]|~\d|^\\|^(?![a-z]:\\)/.test(expanded)
    ? undefined
    : expanded;
}

/**
 * Why a path of a program cannot be put into a rule; undefined when it can.
 * Windows expands `%NAME%` in it, and no path has the other characters.
 */
export function badWindowsProgram(path: string): string | undefined {
  if (!/^[A-Za-z]:\\/.test(path)) {
    return "must be a full path such as C:\\Program Files\\x\\x.exe";
  }
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path)) {
    return "holds a control character";
  }
  if (/[%|"<>*?]/.test(path) || path.slice(2).includes(":")) {
    return 'holds one of % | " < > * ? : which Windows would not take as it stands';
  }
  if (/\ufffd|\p{Surrogate}/u.test(path)) return "is no valid text";
  if (path.length > 259) return "is longer than 259 characters";
  return undefined;
}
