/** The PIN lock: readings are sealed with AES-GCM under a random key, which is itself wrapped with a key from the PIN. */

import { plainDigits } from '../i18n/numbers';

/** What is kept of a vault; useless without the PIN. */
export interface VaultRecord {
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
  iv: Uint8Array<ArrayBuffer>;
  wrapped: ArrayBuffer;
}

export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  data: ArrayBuffer;
}

/** PBKDF2-HMAC-SHA256 as OWASP advised in 2023; about a second on a cheap phone. */
const ITERATIONS = 600_000;
export const SHORTEST_PIN = 6;

export class WrongPin extends Error {}

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

async function keyOf(pin: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<CryptoKey> {
  // Arabic-Indic digits are the same PIN as 0 to 9.
  const material = await crypto.subtle.importKey('raw', new TextEncoder().encode(plainDigits(pin)), 'PBKDF2', false, [
    'deriveKey',
  ]);
  return crypto.subtle.deriveKey(
    { name: 'PBKDF2', hash: 'SHA-256', salt, iterations },
    material,
    { name: 'AES-GCM', length: 256 },
    false,
    ['wrapKey', 'unwrapKey'],
  );
}

/** An unlocked vault. */
export class Vault {
  private constructor(private readonly key: CryptoKey) {}

  static async create(pin: string, iterations = ITERATIONS): Promise<{ vault: Vault; record: VaultRecord }> {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
    const vault = new Vault(key);
    return { vault, record: await vault.wrap(pin, iterations) };
  }

  /** @throws WrongPin */
  static async unlock(record: VaultRecord, pin: string): Promise<Vault> {
    const wrapping = await keyOf(pin, record.salt, record.iterations);
    try {
      const key = await crypto.subtle.unwrapKey(
        'raw',
        record.wrapped,
        wrapping,
        { name: 'AES-GCM', iv: record.iv },
        { name: 'AES-GCM' },
        true,
        ['encrypt', 'decrypt'],
      );
      return new Vault(key);
    } catch {
      throw new WrongPin();
    }
  }

  /** The record of this vault under another PIN; what is sealed stays sealed with the same key. */
  async wrap(pin: string, iterations = ITERATIONS): Promise<VaultRecord> {
    const salt = random(16);
    const iv = random(12);
    const wrapping = await keyOf(pin, salt, iterations);
    return {
      salt,
      iterations,
      iv,
      wrapped: await crypto.subtle.wrapKey('raw', this.key, wrapping, { name: 'AES-GCM', iv }),
    };
  }

  async seal(value: unknown): Promise<Sealed> {
    const iv = random(12);
    const plain = new TextEncoder().encode(JSON.stringify(value));
    return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, this.key, plain) };
  }

  async unseal<T>({ iv, data }: Sealed): Promise<T> {
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, this.key, data);
    return JSON.parse(new TextDecoder().decode(plain)) as T;
  }
}
