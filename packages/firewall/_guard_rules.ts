import type { PlanStep } from "./plan.ts";

/** Commands that the JSON of nft may hold, and on what. */
const NFT_ALLOWED: Readonly<Record<string, readonly string[]>> = {
  add: ["set", "element", "rule"],
  insert: ["rule"],
  // Only to take back, or to renew, what is ours.
  delete: ["rule", "set", "element"],
};
const FIREWALLD_ALLOWED = ["addRichRule", "removeRichRule"];
/** `-A`, `-I` or `-D` with a chain, the beginning and the end of a table. */
const RESTORE_LINE = /^(\*[a-z]+|COMMIT|-A \S+ .*|-I \S+ \d+ .*|-D \S+ .*)$/;

/**
 * Why a step is none that this package may run, whoever made it. There is no
 * way to switch a firewall on or off, to load it again, to flush it, or to
 * change what it does by default: any of these can lock a user out.
 */
export function whyForbidden(
  { argv, stdin }: Pick<PlanStep, "argv" | "stdin">,
): string | undefined {
  const [tool = "", ...args] = argv;
  const problem = /^ip6?tables-(nft|legacy)-restore$/.test(tool)
    ? restoreProblem(args, stdin)
    : tool === "nft"
    ? nftProblem(args, stdin)
    : tool === "ufw"
    ? ufwProblem(args)
    : tool === "busctl"
    ? firewalldProblem(args)
    : `${tool} is no tool for a firewall`;
  return problem;
}

function restoreProblem(
  args: readonly string[],
  stdin = "",
): string | undefined {
  if (args.join(" ") !== "--noflush -w 5") return "it would flush a table";
  const line = stdin.split("\n").filter((text) => text !== "")
    .find((text) => !RESTORE_LINE.test(text));
  return line && `a line is no rule: ${JSON.stringify(line)}`;
}

function nftProblem(args: readonly string[], stdin = ""): string | undefined {
  if (!/^-j (-e -a )?-f -$/.test(args.join(" "))) return "no transaction";
  const { nftables } = JSON.parse(stdin) as { nftables: unknown[] };
  for (const command of nftables) {
    const [verb = "", object] = Object.entries(command as object)[0] ?? [];
    const [kind = ""] = Object.keys(object as object);
    if (!NFT_ALLOWED[verb]?.includes(kind)) return `${verb} of a ${kind}`;
  }
  return undefined;
}

function ufwProblem(args: readonly string[]): string | undefined {
  const words = args[0] === "prepend" || args[0] === "delete"
    ? args.slice(1)
    : args;
  return words[0] === "allow" ? undefined : `ufw ${args[0]}`;
}

function firewalldProblem(args: readonly string[]): string | undefined {
  const method = args[7] ?? "";
  return args[3] === "call" && args[6]?.endsWith(".zone") &&
      FIREWALLD_ALLOWED.includes(method)
    ? undefined
    : `firewalld ${method}`;
}
