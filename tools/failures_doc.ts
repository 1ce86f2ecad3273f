/**
 * Writes `docs/failures.md` from the catalogue: `deno task update-snapshots`.
 */
import { type Failure, failures } from "@holdfast/recovery";

const LAYERS: readonly Failure["layer"][] = [
  ...["link", "ip", "tcp", "udp", "dns", "tls", "http", "system"] as const,
  "program",
];

/** The page. */
export function renderFailures(list: readonly Failure[]): string {
  const lines = [
    "# Failures",
    "",
    `The catalogue of \`@holdfast/recovery\`: ${list.length} ways in which networking fails, what a program sees of each in Deno 2.9.6, and what prevents it. A test brings each about (\`packages/recovery/faults_test.ts\`) and shows twice that plain Deno fails so, and that the prevention helps. This page is made from the data by \`deno task update-snapshots\`; \`holdfast failures\` prints the same.`,
    "",
    "| failure | layer | code |",
    "| --- | --- | --- |",
    ...list.map(({ id, layer, code }) =>
      `| [${id}](#${id}) | ${layer} | ${code ?? "none"} |`
    ),
  ];
  for (const layer of LAYERS) {
    const group = list.filter((failure) => failure.layer === layer);
    if (group.length === 0) continue;
    lines.push("", `## ${layer}`);
    for (const failure of group) lines.push("", ...section(failure));
  }
  return `${lines.join("\n")}\n`;
}

function section(failure: Failure): string[] {
  return [
    `### ${failure.id}`,
    "",
    `- **Symptom:** ${failure.symptom}.`,
    `- **Code:** ${failure.code ?? "none"}.`,
    `- **Cause:** ${failure.cause}.`,
    `- **Systems:** ${failure.platforms.join(", ")}.`,
    `- **Detected by:** ${failure.detect}.`,
    `- **Prevented by:** ${failure.prevent}: \`${failure.example}\``,
    `- **Brought about by:** ${failure.inject}.`,
    `- **See:** ${failure.reference}.`,
  ];
}

/** Where it stands. */
export const FAILURES_PAGE: URL = new URL(
  "../docs/failures.md",
  import.meta.url,
);

if (import.meta.main) {
  await Deno.writeTextFile(FAILURES_PAGE, renderFailures(failures));
  const format = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-q", FAILURES_PAGE.pathname],
  });
  await format.output();
}
