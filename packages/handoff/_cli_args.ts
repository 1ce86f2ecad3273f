/** The arguments of the command line. Pure but for node:util's parser. */
import { parseArgs } from "node:util";
import { type InheritanceProtocol, PROTOCOLS } from "./_listen_fds.ts";

/** What the command line says is wrong with its arguments. */
export class UsageError extends Error {}

/** What can be done. */
export const ACTIONS = ["exec", "listen", "send", "receive", "hold"] as const;

/** One `--listen`. */
export interface Address {
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
}

/** What is asked for. */
export interface Command {
  readonly action: typeof ACTIONS[number];
  readonly addresses: readonly Address[];
  readonly command: string | undefined;
  readonly args: readonly string[];
  readonly protocol: InheritanceProtocol;
  readonly to: string | undefined;
  readonly at: string | undefined;
  readonly connect: Address | undefined;
  readonly tokenFile: string | undefined;
  readonly waitSeconds: number;
  readonly count: number;
  readonly json: boolean;
}

/** Which options and operands each action takes, and needs. */
const NEEDS: Readonly<
  Record<
    Command["action"],
    { readonly takes: readonly string[]; readonly needs: readonly string[] }
  >
> = {
  exec: {
    takes: ["listen", "protocol", "wait", "json"],
    needs: ["listen", "command"],
  },
  listen: {
    takes: ["listen", "to", "token-file", "wait", "json"],
    needs: ["listen", "to"],
  },
  send: {
    takes: ["connect", "to", "token-file", "json"],
    needs: ["connect", "to"],
  },
  receive: { takes: ["at", "token-file", "count", "json"], needs: ["at"] },
  hold: {
    takes: ["listen", "at", "token-file", "wait", "json"],
    needs: ["listen"],
  },
};

/**
 * Reads the arguments; `undefined` asks for help.
 *
 * @throws {UsageError}
 */
export function parseCommand(args: string[]): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [given, command, ...rest] = positionals;
  // The name of version 0.1.
  const action = ACTIONS.find((one) =>
    one === (given === "run" ? "exec" : given)
  );
  if (action === undefined) {
    throw new UsageError(
      `Cannot do ${JSON.stringify(given ?? "nothing")}: the commands are ${
        ACTIONS.join(", ")
      }: see --help`,
    );
  }
  require(action, values, command);
  const protocol = PROTOCOLS.find((one) =>
    one === (values.protocol ?? "systemd")
  );
  if (protocol === undefined) {
    throw new UsageError(
      `Cannot tell of sockets by ${
        JSON.stringify(values.protocol)
      }: use one of ${PROTOCOLS.join(", ")}`,
    );
  }
  return {
    action,
    addresses: withNames(values.listen ?? []),
    command,
    args: rest,
    protocol,
    to: values.to,
    at: values.at,
    connect: values.connect === undefined
      ? undefined
      : parseAddress(values.connect, "connect to"),
    tokenFile: values["token-file"],
    waitSeconds: parseNumber("wait", values.wait ?? "60"),
    count: parseNumber("count", values.count ?? "0"),
    json: values.json ?? false,
  };
}

function require(
  action: Command["action"],
  values: Readonly<Record<string, unknown>>,
  command: string | undefined,
): void {
  const { takes, needs } = NEEDS[action];
  const wrong = Object.keys(values).find((name) => !takes.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(
      `Cannot ${action}: --${wrong} is not for it: see --help`,
    );
  }
  for (const need of needs) {
    if (need === "command" ? command !== undefined : need in values) continue;
    throw new UsageError(
      need === "command"
        ? 'Cannot run a program: none is given: write it behind "--"'
        : `Cannot ${action}: --${need} is missing: ${EXAMPLES[need]}`,
    );
  }
  const runs = action === "exec" || action === "receive" || action === "hold";
  if (!runs && command !== undefined) {
    throw new UsageError(
      `Cannot ${action}: it runs no program, so ${
        JSON.stringify(command)
      } is not for it: see --help`,
    );
  }
}

const EXAMPLES: Readonly<Record<string, string>> = {
  listen: "write for example --listen web=0.0.0.0:8080",
  to: "give the path where the receiver listens",
  at: "give a path in a folder that only you may enter",
  connect: "write for example --connect example.com:443",
};

function parse(args: string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        listen: { type: "string", multiple: true },
        protocol: text,
        to: text,
        at: text,
        connect: text,
        "token-file": text,
        wait: text,
        count: text,
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    const first = (error as Error).message.split(/[.\n]/)[0];
    throw new UsageError(`Cannot read the arguments: ${first}: see --help`);
  }
}

function parseNumber(name: string, text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw new UsageError(
    `Cannot use --${name} ${
      JSON.stringify(text)
    }: it is no number from 0 to 999999`,
  );
}

function withNames(texts: readonly string[]): Address[] {
  const addresses = texts.map((text, index) => {
    const address = parseAddress(text, "listen on");
    const name = address.name === ""
      ? `web${index === 0 ? "" : index + 1}`
      : address.name;
    return { ...address, name };
  });
  const names = addresses.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return addresses;
  throw new UsageError(
    `Cannot listen: the name "${twice}" is given twice: choose another one`,
  );
}

function parseAddress(text: string, action: string): Address {
  const match = /^(?:([^=:]+)=)?(?:(\[[^\]]+\]|[^:[\]=]+):)?([0-9]{1,5})$/.exec(
    text,
  );
  const [, name = "", host = "127.0.0.1", port] = match ?? [];
  if (match === null || Number(port) > 65_535) {
    throw new UsageError(
      `Cannot ${action} ${
        JSON.stringify(text)
      }: it is not NAME=HOST:PORT: write for example web=0.0.0.0:8080`,
    );
  }
  const hostname = host.replace(/^\[|\]$/g, "");
  return { name, hostname, port: Number(port) };
}
