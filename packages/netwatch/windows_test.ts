import { assert, assertEquals } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import fc from "fast-check";
import { assemble } from "./_assemble.ts";
import { startPowerShell } from "./_powershell.ts";
import { parseRoutePrint } from "./_route_print.ts";
import { parseWindows } from "./_windows_json.ts";
import { diffSnapshots } from "./diff.ts";

const WIFI = "WLAN 2"; // Names are whatever the user calls them.
const NETWORK = {
  routes: [
    {
      InterfaceIndex: 7,
      InterfaceAlias: WIFI,
      DestinationPrefix: "0.0.0.0/0",
      NextHop: "192.168.1.1",
      RouteMetric: 0,
      InterfaceMetric: 50,
    },
    {
      InterfaceIndex: 12,
      InterfaceAlias: "Ethernet",
      DestinationPrefix: "0.0.0.0/0",
      NextHop: "10.0.0.1",
      RouteMetric: 0,
      InterfaceMetric: 25,
    },
    {
      InterfaceIndex: 7,
      InterfaceAlias: WIFI,
      DestinationPrefix: "::/0",
      NextHop: "fe80::1",
      RouteMetric: 256,
      InterfaceMetric: 50,
    },
  ],
  addresses: [
    row(1, "Loopback Pseudo-Interface 1", "127.0.0.1", 8, 4, 1),
    row(7, WIFI, "192.168.1.23", 24, 4, 3),
    row(7, WIFI, "fe80::c1a:2b3c:4d5e:6f70%7", 64, 4, 4),
    row(7, WIFI, "2001:db8::77", 128, 4, 5),
    row(12, "Ethernet", "10.0.0.5", 24, 1, 3),
  ],
  interfaces: [
    { InterfaceIndex: 7, InterfaceAlias: WIFI, NlMtu: 1500 },
    {
      InterfaceIndex: 1,
      InterfaceAlias: "Loopback Pseudo-Interface 1",
      NlMtu: 4294967295,
    },
  ],
  adapters: [
    adapter(7, WIFI, 1, 1, 1),
    adapter(12, "Ethernet", 1, 2, 2),
    adapter(15, "Bluetooth", 2, 2, 0),
  ],
};

function row(
  InterfaceIndex: number,
  InterfaceAlias: string,
  IPAddress: string,
  PrefixLength: number,
  AddressState: number,
  SuffixOrigin: number,
) {
  return {
    InterfaceIndex,
    InterfaceAlias,
    IPAddress,
    PrefixLength,
    AddressState,
    SuffixOrigin,
  };
}

function adapter(
  InterfaceIndex: number,
  Name: string,
  InterfaceAdminStatus: number,
  InterfaceOperationalStatus: number,
  MediaConnectState: number,
) {
  return {
    InterfaceIndex,
    Name,
    InterfaceAdminStatus,
    InterfaceOperationalStatus,
    MediaConnectState,
  };
}

const snapshotOf = (network: unknown) =>
  assemble(parseWindows(JSON.stringify(network))!);

Deno.test("parseWindows() tells links, addresses with their states, and the way out", () => {
  const snapshot = snapshotOf(NETWORK);
  assertEquals(
    snapshot.interfaces.map((
      { index, name, up, carrier, mtu },
    ) => [index, name, up, carrier, mtu]),
    [
      [1, "Loopback Pseudo-Interface 1", true, true, undefined],
      [7, WIFI, true, true, 1500],
      [12, "Ethernet", true, false, undefined],
      [15, "Bluetooth", false, undefined, undefined],
    ],
  );
  const states = snapshot.interfaces.flatMap(({ addresses }) =>
    addresses.map((one) => [one.address, one.tentative, one.temporary])
  );
  assertEquals(states, [
    ["127.0.0.1", false, false],
    ["192.168.1.23", false, false],
    ["2001:db8::77", false, true],
    ["fe80::c1a:2b3c:4d5e:6f70", false, false],
    ["10.0.0.5", true, false],
  ]);
  // The better metric belongs to a cable that is drawn.
  assertEquals(snapshot.effective, {
    IPv4: { family: "IPv4", interface: WIFI, gateway: "192.168.1.1" },
    IPv6: { family: "IPv6", interface: WIFI, gateway: "fe80::1" },
  });
  const plugged = snapshotOf({
    ...NETWORK,
    adapters: [adapter(7, WIFI, 1, 1, 1), adapter(12, "Ethernet", 1, 1, 1)],
  });
  assertEquals(plugged.effective.IPv4?.gateway, "10.0.0.1");
  assert(
    diffSnapshots(snapshot, plugged).some(({ type }) =>
      type === "carrier-gained"
    ),
  );
});

Deno.test("parseWindows() takes one row for a list of one, and nothing for none", () => {
  const { routes: [route], ...rest } = NETWORK;
  const one = snapshotOf({ ...rest, routes: route });
  assertEquals(one.defaultRoutes.length, 1);
  const none = snapshotOf({ ...rest, routes: null });
  assertEquals([none.defaultRoutes, none.online], [[], false]);
  for (const zero of ["0.0.0.0", "::"]) {
    const onLink = snapshotOf({ ...rest, routes: { ...route, NextHop: zero } });
    assertEquals(onLink.defaultRoutes[0]?.gateway, undefined);
  }
});

Deno.test("parseWindows() takes any text without inventing a gateway", () => {
  const value = fc.oneof(fc.jsonValue(), fc.constant(NETWORK.routes));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), value, value, (any, a, b) => {
      parseWindows(any);
      const text = JSON.stringify({ ...NETWORK, routes: a, addresses: b });
      for (const { gateway } of parseWindows(text)!.defaultRoutes!) {
        assertEquals(gateway === undefined || text.includes(gateway), true);
      }
    }),
    { numRuns: runs(500) },
  );
});

// One row of each, in the words and in the order of each language.
const LANGUAGES: Readonly<Record<string, readonly string[]>> = {
  de: [
    "Aktive Routen:",
    "Netzwerkziel Netzwerkmaske Gateway Schnittstelle Metrik",
    "Auf Verbindung",
    "Ständige Routen:",
  ],
  en: [
    "Active Routes:",
    "Network Destination Netmask Gateway Interface Metric",
    "On-link",
    "Persistent Routes:",
  ],
  es: [
    "Rutas activas:",
    "Destino de red Máscara de red Puerta de enlace Interfaz Métrica",
    "En vínculo",
    "Rutas persistentes:",
  ],
  fr: [
    "Itinéraires actifs :",
    "Destination réseau Masque réseau Adr. passerelle Adr. interface Métrique",
    "On-link",
    "Itinéraires persistants :",
  ],
  ja: [
    "アクティブ ルート:",
    "ネットワーク宛先 ネットマスク ゲートウェイ インターフェイス メトリック",
    "リンク上",
    "固定ルート:",
  ],
  pt: [
    "Rotas ativas:",
    "Endereço de rede Máscara Ender. gateway Interface Custo",
    "No vínculo",
    "Rotas persistentes:",
  ],
  ru: [
    "Активные маршруты:",
    "Сетевой адрес Маска сети Адрес шлюза Интерфейс Метрика",
    "On-link",
    "Постоянные маршруты:",
  ],
  zh: [
    "活动路由:",
    "网络目标 网络掩码 网关 接口 跃点数",
    "在链路上",
    "永久路由:",
  ],
};

for (const [language, words] of Object.entries(LANGUAGES)) {
  Deno.test(`route print in ${language}: the default, on-link routes, and no persistent wish`, () => {
    const [active, heading, onLink, persistent] = words;
    const text = [
      `IPv4 ${active}`,
      active!,
      heading!,
      "          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.23     50",
      `          0.0.0.0        128.0.0.0         ${onLink}     192.168.1.23     25`,
      `      192.168.1.0    255.255.255.0         ${onLink}     192.168.1.23    306`,
      persistent!,
      "          0.0.0.0          0.0.0.0      192.168.9.9       1",
    ].join("\r\n");
    const name = "Wi-Fi";
    const routes = parseRoutePrint(text, [{
      name,
      address: "192.168.1.23",
      scopeid: null,
      cidr: "192.168.1.23/24",
    }]);
    assertEquals(routes, [{
      family: "IPv4",
      type: "unicast",
      gateway: "192.168.1.1",
      interface: name,
      metric: 50,
      table: "main",
    }]);
  });
}

testWith({
  name:
    "a PowerShell as recorded: hints, answers, its end; and it does not hang",
  needs: ["sh"],
  fn: async () => {
    const json = JSON.stringify(NETWORK);
    const script = `echo hint
while read -r line; do
  case $line in
    read) echo noise; printf 'network %s\\r\\n' "$ANSWER" ;;
  esac
  n=$((n + 1)); [ $n -lt 2 ] || exit 0
done`;
    const told: string[] = [];
    const ended = Promise.withResolvers<void>();
    const hinted = Promise.withResolvers<void>();
    const monitor = startPowerShell({
      onHint: (kind) => (told.push(kind), hinted.resolve()),
      onEnd: (
        reason,
        final,
      ) => (told.push(`${reason} ${final}`), ended.resolve()),
    }, {
      command: "sh",
      args: ["-c", `ANSWER='${json}'\n${script}`],
    })!;
    await hinted.promise;
    const never = new AbortController().signal;
    const answer = await monitor.read(never);
    assertEquals(assemble(parseWindows(answer!)!), snapshotOf(NETWORK));
    assertEquals(await monitor.read(never), json);
    await ended.promise;
    assertEquals(told, ["change", "powershell ended false"]);
    assertEquals(await monitor.read(AbortSignal.timeout(1_000)), undefined);
    await monitor.stop();

    const silent = startPowerShell({ onHint() {}, onEnd() {} }, {
      command: "sh",
      args: ["-c", "cat >/dev/null"],
    })!;
    assertEquals(await silent.read(AbortSignal.timeout(50)), undefined);
    await silent.stop();
  },
});
