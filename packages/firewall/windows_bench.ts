// How long 1000 rules of Windows take: to read what `reg query` prints, and to
// judge one port by them. Beside it the least that any reader does: to split
// the same text into lines and fields. `deno bench -A packages/firewall`.
import { evaluateProfile } from "./_windows_evaluate.ts";
import { readDefender } from "./_windows_facts.ts";
import { parseRegQuery } from "./_windows_registry_parser.ts";

const KEY =
  "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules";
const RULES = 1000;
const lines = Array.from(
  { length: RULES },
  (_, n) =>
    `    {6F1D2C30-4C43-4D55-8A7A-${
      String(n).padStart(12, "0")
    }}    REG_SZ    v2.31|Action=${
      n % 7 === 0 ? "Block" : "Allow"
    }|Active=TRUE|Dir=In|Protocol=${
      n % 3 === 0 ? 17 : 6
    }|Profile=Private|LPort=${
      2000 + n
    }|LPort2_10=9000-9010|RA4=LocalSubnet|RA4=10.1.0.0/255.255.0.0|RA6=fe80::/64|App=C:\\Program Files\\Server ${n}\\server.exe|Name=@FirewallAPI.dll,-${n}|Desc=A text that says what it is for|EmbedCtxt=Server|`,
);
const text = `\r\n${KEY}\r\n${lines.join("\r\n")}\r\n\r\n`;
const defender = readDefender(parseRegQuery(text), new Map());

Deno.bench({
  name: "1000 rules: split into lines and fields, no more",
  group: "read",
  baseline: true,
  fn() {
    for (const line of text.split("\r\n")) {
      for (const field of line.split("|")) field.split("=");
    }
  },
});

Deno.bench({
  name: "1000 rules: read",
  group: "read",
  fn() {
    const { rules } = readDefender(parseRegQuery(text), new Map());
    if (rules.length !== RULES) throw new Error(`${rules.length} rules`);
  },
});

Deno.bench({
  name: "1000 rules: judge one port",
  group: "judge",
  fn() {
    evaluateProfile(defender.settings.private, defender.rules, "private", {
      family: "ipv4",
      protocol: "tcp",
      port: 2500,
      source: undefined,
      program: "C:\\Program Files\\Server 500\\server.exe",
      localNets: undefined,
    });
  },
});
