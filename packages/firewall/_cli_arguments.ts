import { parseArgs } from "node:util";
import type { AccessRequest } from "./request.ts";

/** Bad usage: its message is one sentence for a person. */
export class UsageError extends Error {}

/** What was asked for on the command line. */
export interface Arguments {
  readonly command: Command | "help";
  readonly json: boolean;
  readonly requests: readonly AccessRequest[];
  readonly port: number | undefined;
  readonly tag: string | undefined;
  readonly leaseSeconds: number | undefined;
  readonly ledger: string | undefined;
  readonly overrideDeny: boolean;
  readonly publicNetworks: boolean;
  readonly wholeProgram: boolean;
  readonly yes: boolean;
  readonly hold: boolean;
  readonly elevate: "sudo" | "doas" | "pkexec" | "auto" | "never" | undefined;
}

type Command = "inspect" | "check" | "plan" | "allow" | "list" | "revert";
const COMMANDS: readonly Command[] = [
  ...["inspect", "check", "plan", "allow", "list", "revert"] as const,
];
const ELEVATIONS = ["sudo", "doas", "pkexec", "auto", "never"] as const;

/** Networks of this machine, for `--from lan`. */
export type Networks = () => readonly string[];

/** Reads the command line; fails with a sentence that names the value. */
export function parseArguments(args: string[], lan: Networks): Arguments {
  const { values, positionals } = parse(args);
  const [name = "", ...rest] = positionals;
  const command = values.help ? "help" : COMMANDS.find((one) => one === name);
  if (command === undefined) {
    throw new UsageError(
      `Cannot run ${JSON.stringify(name)}: expected one of ${
        COMMANDS.join(", ")
      }: see --help`,
    );
  }
  const port = portOf(command, rest, values.port);
  const needsPort = ["check", "plan", "allow"].includes(command);
  if (needsPort && port === undefined) {
    throw new UsageError(`Cannot ${command}: name a port, such as --port 4000`);
  }
  if (command === "revert" && port === undefined && values.tag === undefined) {
    throw new UsageError("Cannot revert: name a port or a tag: --port, --tag");
  }
  const { elevate } = values;
  return {
    ...{ command, port, json: values.json, tag: values.tag },
    requests: needsPort ? requestsOf(command, port!, values, lan) : [],
    leaseSeconds: values.for === undefined ? undefined : secondsOf(values.for),
    ledger: values.ledger,
    overrideDeny: values["override-deny"],
    publicNetworks: values["public-networks"],
    wholeProgram: values["whole-program"],
    yes: values.yes,
    hold: values.hold,
    elevate: elevate === undefined
      ? undefined
      : oneOf("elevate", elevate, ELEVATIONS),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        address: { type: "string" },
        elevate: { type: "string" },
        family: { type: "string" },
        for: { type: "string" },
        from: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
        hold: { type: "boolean", default: false },
        interface: { type: "string" },
        json: { type: "boolean", default: false },
        ledger: { type: "string" },
        "override-deny": { type: "boolean", default: false },
        port: { type: "string" },
        program: { type: "string" },
        protocol: { type: "string" },
        "public-networks": { type: "boolean", default: false },
        source: { type: "string" },
        tag: { type: "string" },
        tcp: { type: "boolean", default: false },
        udp: { type: "boolean", default: false },
        "whole-program": { type: "boolean", default: false },
        yes: { type: "boolean", short: "y", default: false },
      },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The parser of Node explains itself in several sentences.
    throw new UsageError(`Cannot run: ${message.split(/\n|\. /)[0]}`);
  }
}

type Values = ReturnType<typeof parse>["values"];

function portOf(
  command: string,
  rest: readonly string[],
  option: string | undefined,
): number | undefined {
  const [positional, ...more] = rest;
  if (more.length > 0 || positional !== undefined && option !== undefined) {
    throw new UsageError(
      `Cannot ${command}: ${
        JSON.stringify(more[0] ?? positional)
      } is one word too many`,
    );
  }
  const text = option ?? positional;
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= 1 && port <= 65_535) return port;
  throw new UsageError(
    `Cannot ${command}: port must be a number from 1 to 65535: current value is ${
      JSON.stringify(text)
    }`,
  );
}

/** One for each protocol and each range of sources. */
function requestsOf(
  command: string,
  port: number,
  values: Values,
  lan: Networks,
): readonly AccessRequest[] {
  // Nothing is opened to everybody unless it is said; Windows says so itself.
  const narrow = command !== "check" && Deno.build.os === "linux";
  const { from, source = from ?? (narrow ? "lan" : undefined) } = values;
  const sources = source === "lan"
    ? lan().filter((network) =>
      values.family === undefined ||
      network.includes(":") === (values.family === "ipv6")
    )
    : source === undefined || source === "any"
    ? [undefined]
    : [source];
  if (sources.length === 0) {
    throw new UsageError(
      "Cannot run: this machine is in no network: name one, such as --from 192.168.0.0/16",
    );
  }
  const protocols = values.tcp && values.udp
    ? ["tcp", "udp"] as const
    : values.udp
    ? ["udp"] as const
    : [oneOf("protocol", values.protocol ?? "tcp", ["tcp", "udp"] as const)];
  const family = values.family === undefined
    ? undefined
    : oneOf("family", values.family, ["ipv4", "ipv6"] as const);
  return protocols.flatMap((protocol) =>
    sources.map((one) => ({
      ...{ port, protocol, family, source: one },
      ...{ interface: values.interface, address: values.address },
      program: values.program,
    }))
  );
}

function oneOf<T extends string>(
  name: string,
  value: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new UsageError(
    `Cannot run: ${name} must be ${allowed.join(" or ")}: current value is ${
      JSON.stringify(value)
    }`,
  );
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ "": 1, s: 1, m: 60, h: 3600, d: 86_400 },
};

/** `90`, `90s`, `15m`, `1h` or `2d`. */
export function secondsOf(text: string): number {
  const [, number, unit = ""] = /^(\d{1,8})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(number) * (UNITS[unit] ?? NaN);
  if (seconds >= 10 && seconds <= 31_536_000) return seconds;
  throw new UsageError(
    `Cannot run: the time must be from 10s to 365d, such as 15m or 1h: current value is ${
      JSON.stringify(text)
    }`,
  );
}
