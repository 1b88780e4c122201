import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { VulntuneError } from '../../errors.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

interface Goldens {
	readonly base: { readonly model: object };
	readonly cases: readonly Case[];
}

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

function goldensOf(name: string): Goldens {
	return JSON.parse(
		readFileSync(new URL(`../../../../../tests/golden/${name}.json`, import.meta.url), 'utf8'),
	);
}

function build(json: object): Tokenizer | undefined {
	try {
		return buildTokenizer({ bytes: new Uint8Array(), json, place: 'tokenizer.json' });
	} catch (error) {
		if (error instanceof VulntuneError && error.code === 'TOKENIZER_UNSUPPORTED') return undefined;
		throw error;
	}
}

/** Compares all cases; gives how many are refused. */
function compare({ base, cases }: Goldens): number {
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
	return refused;
}

// tests/golden/tokenizer-steps.py draws the settings and asks the reference implementation.
test('random settings of all steps give the ids of the reference implementation, or are refused', () => {
	const goldens = goldensOf('tokenizer-steps');
	expect(compare(goldens)).toBeLessThan(goldens.cases.length / 20);
});

// tests/golden/word-piece.py does so for BERT's tokenizers.
test('WordPiece behind any BertNormalizer gives the ids of the reference implementation', () => {
	expect(compare(goldensOf('word-piece'))).toBe(0);
});
