// Two machines joined by a cable, without root. This program itself must run
// in a network namespace with the rights of root in it (`unshare -Urn`); it is
// the machine with the firewall. The peer is a child in another namespace.
import dgram from "node:dgram";
import { TextLineStream } from "./lines.ts";

/** The addresses of this machine and of the peer, by family. */
export const OURS = { ipv4: "10.99.0.1", ipv6: "fd99::1" } as const;
export const PEERS = { ipv4: "10.99.0.2", ipv6: "fd99::2" } as const;
/** Another address of the peer, which rules of the tests ban. */
export const BANNED = { ipv4: "10.99.0.66", ipv6: "fd99::66" } as const;
export const LINK = "v0";

/** A connection to try: where to, for how long, how, and from where. */
export type Probe = readonly [
  host: string,
  port: number,
  ms: number,
  protocol?: "tcp" | "udp",
  from?: string,
];

/** Runs a command, with a text as its input; fails with what it said. */
export async function run(
  argv: readonly string[],
  stdin = "",
): Promise<string> {
  const [command, ...args] = argv;
  const child = new Deno.Command(command!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`${argv.join(" ")}: ${decoder.decode(stderr)}\n${stdin}`);
  }
  return decoder.decode(stdout);
}

export class Lab implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #sockets: dgram.Socket[] = [];
  /** Connections of those who stay. */
  readonly #guests: Deno.TcpConn[] = [];
  #staying = false;

  private constructor() {
    this.#child = new Deno.Command("unshare", {
      args: [
        "-n",
        Deno.execPath(),
        "run",
        "--quiet",
        "--allow-all",
        new URL("./peer.ts", import.meta.url).pathname,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  /** Starts the peer, plugs the cable in, and listens on the ports. */
  static async open(
    ports: readonly number[],
    { udp = false }: { readonly udp?: boolean } = {},
  ): Promise<Lab> {
    const lab = new Lab();
    await lab.#answers.read();
    const pid = String(lab.#child.pid);
    const mac = (n: number) => `02:00:00:00:00:0${n}`;
    await run("ip link set lo up".split(" "));
    const add = `ip link add ${LINK} address ${mac(1)} type veth peer name v1`;
    await run(add.split(" "));
    await run(`ip link set v1 address ${mac(2)} netns ${pid}`.split(" "));
    await lab.#ask({ commands: setUp("v1", [PEERS, BANNED], [OURS], mac(1)) });
    const ours = setUp(LINK, [OURS], [PEERS, BANNED], mac(2));
    for (const command of ours) await run(command);
    for (const hostname of Object.values(OURS)) {
      for (const port of ports) {
        lab.#listen(hostname, port);
        if (udp) await lab.#echo(hostname, port);
      }
    }
    return lab;
  }

  /** Which of the addresses the peer can talk to, each within its time. */
  async probe(probes: readonly Probe[]): Promise<boolean[]> {
    return await this.#ask({ probes }) as boolean[];
  }

  /** The peer connects, and stays until the end. */
  async stay(host: string, port: number): Promise<boolean> {
    this.#staying = true;
    const [stays] = await this.#ask({ stay: [host, port] }) as boolean[];
    return stays!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const guest of this.#guests) guest.close();
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#sockets) socket.close();
    await this.#writer.close();
    await this.#answers.cancel();
    await this.#child.status;
  }

  #listen(hostname: string, port: number): void {
    const listener = Deno.listen({ hostname, port });
    this.#listeners.push(listener);
    (async () => {
      for await (const conn of listener) {
        if (this.#staying) this.#guests.push(conn);
        conn.write(new Uint8Array(1)).catch(() => {}).then(() => {
          if (!this.#guests.includes(conn)) conn.close();
        });
      }
    })().catch(() => {});
  }

  async #echo(address: string, port: number): Promise<void> {
    const socket = dgram.createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.on("message", (bytes, from) => {
      socket.send(bytes, from.port, from.address, () => {});
    });
    socket.on("error", () => {});
    await new Promise<void>((resolve) => socket.bind(port, address, resolve));
    this.#sockets.push(socket);
  }

  async #ask(question: unknown): Promise<unknown> {
    await this.#writer.write(
      new TextEncoder().encode(JSON.stringify(question) + "\n"),
    );
    const { value } = await this.#answers.read();
    if (value === undefined) throw new Error("The peer has gone");
    return JSON.parse(value);
  }
}

type Addresses = Readonly<Record<"ipv4" | "ipv6", string>>;

/** Addresses, and neighbours that need no discovery: rules may drop that. */
function setUp(
  link: string,
  ours: readonly Addresses[],
  theirs: readonly Addresses[],
  mac: string,
): string[][] {
  return [
    ...ours.flatMap(({ ipv4, ipv6 }) => [
      `ip addr add ${ipv4}/24 dev ${link}`,
      `ip addr add ${ipv6}/64 dev ${link} nodad`,
    ]),
    `ip link set ${link} up`,
    ...theirs.flatMap((one) =>
      Object.values(one).map((address) =>
        `ip neigh replace ${address} lladdr ${mac} dev ${link} nud permanent`
      )
    ),
  ].map((line) => line.split(" "));
}
