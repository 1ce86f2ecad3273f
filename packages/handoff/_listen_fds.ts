/**
 * The environment by which systemd and its like tell a process which sockets
 * it has: sd_listen_fds(3). Pure.
 */
import { HandoffError } from "./error.ts";

/** The first descriptor that is passed: SD_LISTEN_FDS_START. */
export const FIRST_FD = 3;
/** As many as systemd itself lets a service keep, by default and far beyond. */
export const SOCKETS_MAX = 1024;
const NAME_BYTES_MAX = 255;

/** All variables that describe an inheritance, to be taken out once read. */
export const LISTEN_VARIABLES: readonly ListenVariable[] = [
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "LISTEN_PID",
  "HOLDFAST_CONTROL_FD",
];

/** One of {@linkcode LISTEN_VARIABLES}. */
export type ListenVariable =
  | "LISTEN_FDS"
  | "LISTEN_FDNAMES"
  | "LISTEN_PID"
  | "HOLDFAST_CONTROL_FD";

/** What a process inherits. */
export interface Inheritance {
  /** The names in the order of the descriptors, from {@linkcode FIRST_FD} on. */
  readonly names: readonly string[];
  /** The descriptor of the control channel. */
  readonly controlFd: number | undefined;
}

/** @throws {TypeError} When systemd would refuse the name. */
export function requireSocketName(name: string): void {
  // sd_listen_fds(3) and fdname_is_valid() of systemd: printable ASCII, no ":".
  if (/^[\x20-\x39\x3b-\x7e]+$/.test(name) && name.length <= NAME_BYTES_MAX) {
    return;
  }
  throw new TypeError(
    `Cannot pass a socket: ${
      JSON.stringify(name)
    } is no name for it: use 1 to ${NAME_BYTES_MAX} printable ASCII characters without ":"`,
  );
}

/** The variables for a child; `LISTEN_PID` is the child's own to set. */
export function listenVariables(
  names: readonly string[],
  control: boolean,
): Record<string, string> {
  return {
    LISTEN_FDS: String(names.length),
    LISTEN_FDNAMES: names.join(":"),
    ...(control
      ? { HOLDFAST_CONTROL_FD: String(FIRST_FD + names.length) }
      : undefined),
  };
}

/**
 * Reads the variables; `undefined` when they are absent or meant for another
 * process.
 *
 * @throws {HandoffError} `handoff/bad-inheritance` when they make no sense.
 */
export function parseInheritance(
  variables: Readonly<Partial<Record<ListenVariable, string>>>,
  pid: number,
): Inheritance | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = variables;
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined) return undefined;
  const count = parseNumber("LISTEN_FDS", LISTEN_FDS, 0, SOCKETS_MAX);
  const control = variables.HOLDFAST_CONTROL_FD;
  const controlFd = control === undefined
    ? undefined
    : parseNumber("HOLDFAST_CONTROL_FD", control, FIRST_FD + count, 65_535);
  return { names: parseNames(LISTEN_FDNAMES, count), controlFd };
}

function parseNames(text: string | undefined, count: number): string[] {
  // Without names systemd's own library says "unknown".
  const given = text === undefined || text === ""
    ? Array.from({ length: count }, () => "unknown")
    : text.split(":");
  if (given.length !== count) {
    throw badInheritance(
      `LISTEN_FDNAMES has ${given.length} names for ${count} sockets`,
    );
  }
  return uniqueNames(given);
}

/** systemd gives all sockets of one unit one name: the second is `name.2`. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; seen.has(unique); n++) {
      // Not a name that another socket has from the start.
      if (!taken.has(`${name}.${n}`)) unique = `${name}.${n}`;
    }
    seen.add(unique);
    return unique;
  });
}

function parseNumber(
  name: ListenVariable,
  text: string,
  min: number,
  max: number,
): number {
  const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw badInheritance(
    `${name} is ${JSON.stringify(text)}, not a number from ${min} to ${max}`,
  );
}

function badInheritance(what: string): HandoffError {
  return new HandoffError(
    "handoff/bad-inheritance",
    `Cannot take over sockets: ${what}: start this program by spawnWithSockets, systemd or another that follows sd_listen_fds(3)`,
  );
}
