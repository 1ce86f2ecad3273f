import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { busctl } from "./_firewalld.ts";
import { whyForbidden } from "./_guard_rules.ts";

const nft = (command: unknown) => ({
  argv: ["nft", "-j", "-e", "-a", "-f", "-"],
  stdin: JSON.stringify({ nftables: [command] }),
});
const restore = (stdin: string, ...args: string[]) => ({
  argv: ["iptables-nft-restore", ...args],
  stdin,
});
const plain = (...argv: string[]) => ({ argv, stdin: undefined });

Deno.test("what could lock a user out is never run", () => {
  const forbidden = [
    nft({ flush: { ruleset: null } }),
    nft({ delete: { table: { family: "inet", name: "filter" } } }),
    nft({ delete: { chain: { family: "inet", table: "f", name: "in" } } }),
    nft({ add: { chain: { name: "in", policy: "drop" } } }),
    nft({ add: { table: { family: "inet", name: "f" } } }),
    nft({ replace: { rule: {} } }),
    { argv: ["nft", "flush", "ruleset"], stdin: undefined },
    restore("*filter\n-A INPUT -j ACCEPT\nCOMMIT\n"),
    restore("*filter\n:INPUT DROP\nCOMMIT\n", "--noflush", "-w", "5"),
    restore("*filter\n-P INPUT DROP\nCOMMIT\n", "--noflush", "-w", "5"),
    restore("*filter\n-F\nCOMMIT\n", "--noflush", "-w", "5"),
    restore("*filter\n-X bans\nCOMMIT\n", "--noflush", "-w", "5"),
    ...["enable", "disable", "reload", "reset", "default", "deny", "reject"]
      .flatMap((word) => [plain("ufw", word), plain("ufw", "delete", word)]),
    plain("ufw", "--force", "enable"),
    ...["reload", "completeReload", "runtimeToPermanent", "setDefaultZone"]
      .map((method) => plain(...busctl(method))),
    plain(...busctl("zone.removePort", "sss", "public", "22", "tcp")),
    plain("sh", "-c", "nft flush ruleset"),
    plain("iptables", "-F"),
  ];
  for (const step of forbidden) {
    assert(whyForbidden(step) !== undefined, JSON.stringify(step));
  }
});

Deno.test("a line that is smuggled into a restore is found", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const stdin = `*filter\n${text}\nCOMMIT\n`;
    const why = whyForbidden(restore(stdin, "--noflush", "-w", "5"));
    const rules = text.split("\n").filter((line) => line !== "");
    const clean = rules.every((line) =>
      /^(-[AID] |\*[a-z]+$|COMMIT$)/.test(line)
    );
    assertEquals(why === undefined && !clean, false);
  }));
});
