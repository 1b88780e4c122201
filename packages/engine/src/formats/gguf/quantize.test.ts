import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { encodeGgml } from './quantize.ts';

const golden = JSON.parse(
	readFileSync(new URL('../../../../../tests/golden/gguf-quantized.json', import.meta.url), 'utf8'),
);
const bytesOf = (name: string) => new Uint8Array(Buffer.from(golden[name], 'base64'));
const values = new Float32Array(bytesOf('values').buffer); // [36, 32]

it.each(['q8_0', 'q4_0'] as const)('quantises to %s as llama.cpp does, byte for byte', (type) => {
	expect(values.length % 32).toBe(0);
	expect(Buffer.from(encodeGgml(values, type)).equals(Buffer.from(bytesOf(type)))).toBe(true);
});
