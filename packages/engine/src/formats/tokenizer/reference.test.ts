import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { VulntuneError } from '../../errors.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

const goldens = new URL('../../../../../tests/golden/tokenizer-steps.json', import.meta.url);

interface Case {
	readonly model: object;
	readonly rows: readonly {
		readonly text: string;
		readonly ids: readonly number[];
		/** With special tokens read as text. */
		readonly idsAsText: readonly number[];
	}[];
	readonly [part: string]: unknown;
}

const { base, cases }: { base: { model: object }; cases: readonly Case[] } = JSON.parse(
	readFileSync(goldens, 'utf8'),
);

function build(json: object): Tokenizer | undefined {
	try {
		return buildTokenizer({ bytes: new Uint8Array(), json, place: 'tokenizer.json' });
	} catch (error) {
		if (error instanceof VulntuneError && error.code === 'TOKENIZER_UNSUPPORTED') return undefined;
		throw error;
	}
}

// tests/golden/tokenizer-steps.py draws the settings and asks the reference implementation.
test('random settings of all steps give the ids of the reference implementation, or are refused', () => {
	let refused = 0;
	for (const { rows, ...drawn } of cases) {
		const tokenizer = build({ ...base, ...drawn, model: { ...base.model, ...drawn.model } });
		if (tokenizer === undefined) {
			refused++;
			continue;
		}
		for (const { text, ids, idsAsText } of rows) {
			const shown = JSON.stringify({ text, ...drawn });
			expect([...tokenizer.encode(text)], shown).toEqual(idsAsText);
			expect([...tokenizer.encode(text, { specialTokensAsText: false })], shown).toEqual(ids);
		}
	}
	expect(refused).toBeLessThan(cases.length / 20);
});
