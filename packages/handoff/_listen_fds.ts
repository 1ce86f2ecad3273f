/**
 * The environment by which a process is told which sockets it has: systemd's
 * sd_listen_fds(3), NGINX= of nginx, EINHORN_FD_n of einhorn. Pure.
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

/** How a program is told of its sockets. */
export type InheritanceProtocol =
  /** `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`: sd_listen_fds(3). */
  | "systemd"
  /** `NGINX=3;4;`, by which nginx takes over from another nginx. */
  | "nginx"
  /** `EINHORN_FD_COUNT` and `EINHORN_FD_n`. */
  | "einhorn"
  /** One socket as standard input and output. */
  | "inetd";

/** All of them. */
export const PROTOCOLS: readonly InheritanceProtocol[] = [
  "systemd",
  "nginx",
  "einhorn",
  "inetd",
];

/** The variables for a child; `LISTEN_PID` is the child's own to set. */
export function listenVariables(
  names: readonly string[],
  control: boolean,
  protocol: InheritanceProtocol = "systemd",
): Record<string, string> {
  const fds = names.map((_, index) => FIRST_FD + index);
  const told: Record<string, string> = protocol === "nginx"
    ? { NGINX: fds.map((fd) => `${fd};`).join("") }
    : protocol === "einhorn"
    ? {
      EINHORN_FD_COUNT: String(fds.length),
      ...Object.fromEntries(
        fds.map((fd, index) => [`EINHORN_FD_${index}`, String(fd)]),
      ),
    }
    : protocol === "systemd"
    ? { LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(":") }
    : {};
  return {
    ...told,
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
  name: string,
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

/**
 * The descriptors that einhorn or nginx told of, by name (`einhorn.0`,
 * `nginx.0`); `undefined` when neither did.
 *
 * @throws {HandoffError} `handoff/bad-inheritance`
 */
export function parseOtherInheritance(
  get: (name: string) => string | undefined,
):
  | {
    readonly names: string[];
    readonly fds: number[];
    readonly used: string[];
  }
  | undefined {
  const count = get("EINHORN_FD_COUNT");
  if (count !== undefined) {
    const total = parseNumber("EINHORN_FD_COUNT", count, 0, SOCKETS_MAX);
    const used = Array.from({ length: total }, (_, i) => `EINHORN_FD_${i}`);
    return {
      used: ["EINHORN_FD_COUNT", ...used],
      names: used.map((_, i) => `einhorn.${i}`),
      fds: used.map((name) => parseNumber(name, get(name) ?? "", 0, 65_535)),
    };
  }
  const nginx = get("NGINX");
  if (nginx === undefined) return undefined;
  // ngx_add_inherited_sockets(): numbers, each ended by ";" or ":".
  const parts = nginx.split(/[;:]/).filter((part) => part !== "");
  return {
    used: ["NGINX"],
    names: parts.map((_, i) => `nginx.${i}`),
    fds: parts.map((part) => parseNumber("NGINX", part, 0, 65_535)),
  };
}
