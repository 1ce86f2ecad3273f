import { assertEquals } from "@std/assert";
import { toHex } from "./_bytes.ts";
import { montgomeryFromEdwards } from "./_curve.ts";
import { ed25519PublicKey, x25519PrivateKey } from "./_keys.ts";

// Seed, Ed25519 public key, X25519 public key. The first is libsodium's test
// of `crypto_sign_ed25519_pk_to_curve25519`; the others are tests 1 to 3 of
// RFC 8032 §7.1, converted with Python's `cryptography` (OpenSSL) by way of
// SHA-512 and the *private* key, which knows nothing of our formula.
const VECTORS: readonly (readonly [string, string, string])[] = [
  [
    "421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee",
    "b5076a8474a832daee4dd5b4040983b6623b5f344aca57d4d6ee4baf3f259e6e",
    "f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50",
  ],
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "25c704c594b88afc00a76b69d1ed2b984d7e22550f3ed0802d04fbcd07d38d47",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "cbb22fc9f790bd3eba9b84680c157ca4950a9894362601701f89c3c4d9fda23a",
  ],
];

// The y of all points of low order, found by multiplying random points by the
// order of the prime subgroup in Python, each with and without the sign bit.
const LOW_ORDER: readonly string[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

Deno.test("the keys of both curves come out as others compute them", async () => {
  for (const [seed, ed25519, x25519] of VECTORS) {
    const key = await ed25519PublicKey(fromHex(seed));
    assertEquals(toHex(key), ed25519);
    assertEquals(hexOf(montgomeryFromEdwards(key)), x25519);
    // The private key: a shared secret with the base point is the public key.
    const base = await crypto.subtle.importKey(
      "raw",
      fromHex("09".padEnd(64, "0")),
      "X25519",
      false,
      [],
    );
    const bits = await crypto.subtle.deriveBits(
      { name: "X25519", public: base },
      await x25519PrivateKey(fromHex(seed)),
      256,
    );
    assertEquals(toHex(new Uint8Array(bits)), x25519);
  }
});

Deno.test("keys of low order are refused with either sign", () => {
  for (const hex of LOW_ORDER) {
    const key = fromHex(hex);
    assertEquals(montgomeryFromEdwards(key), "low-order");
    key[31]! |= 0x80;
    assertEquals(montgomeryFromEdwards(key), "low-order");
  }
});

Deno.test("numbers not below the prime are refused", () => {
  for (let low = 0xed; low <= 0xff; low++) {
    const key = fromHex(`${low.toString(16)}${"ff".repeat(30)}7f`);
    assertEquals(montgomeryFromEdwards(key), "non-canonical");
  }
});

Deno.test("numbers that are no point, and other lengths, are refused", () => {
  // 2 is the y of no point: (y² - 1) / (d y² + 1) is not a square.
  assertEquals(
    montgomeryFromEdwards(fromHex("02".padEnd(64, "0"))),
    "off-curve",
  );
  assertEquals(montgomeryFromEdwards(new Uint8Array(31)), "length");
  assertEquals(montgomeryFromEdwards(new Uint8Array(33)), "length");
});

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    hex.match(/../g)!,
    (pair) => Number.parseInt(pair, 16),
  );
}

function hexOf(key: Uint8Array | string): string {
  return typeof key === "string" ? key : toHex(key);
}
