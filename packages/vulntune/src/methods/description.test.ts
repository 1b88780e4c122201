import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { DESCRIPTION, readDescription } from './description.ts';

const folder = temporaryFolder();
const fingerprint = { config: 'c', tokenizer: 't', weights: 'w' };
const stack = { type: 'ngram', mean: -1, deviation: 2, hash: 'ab' };
const calibration = {
	temperature: { value: 2, threshold: 0.5 },
	isotonic: { x: [0.25, 0.5], y: [0, 1], threshold: 1 },
};
const description = {
	...{ format: 1, model: 'base', method: 'qlora', base: 'nf4', doubleQuantization: true },
	...{ baseFingerprint: fingerprint, earlierBases: [fingerprint], bidirectionalLayers: 0 },
	...{ trained: { method: 'qlora', base: 'nf4' }, objective: 'class', nextToken: {}, answers: {}, head: {} },
	...{ stack, collapseWhitespace: false, sequence: {}, precision: 'fp32', threshold: 0, calibration },
	...{ epoch: 0, seed: 3 },
};

function read(changes: object) {
	writeFileSync(path.join(folder, DESCRIPTION), JSON.stringify({ ...description, ...changes }));
	return readDescription(folder);
}

it('reads what a detector is run with, and nothing where another tool saved it', () => {
	expect(read({})).toEqual(description);
	expect(read({ threshold: null, bidirectionalLayers: 2, earlierBases: [] })).toMatchObject({
		threshold: null,
	});
	expect(read({ threshold: 1 })).toMatchObject({ threshold: 1 });
	expect(readDescription(path.join(folder, 'none'))).toBeUndefined();
});

it.each<[keyof typeof description | 'more', readonly unknown[]]>([
	['format', [2, undefined]],
	['more', [1]],
	['threshold', [undefined, -0.1, 1.1, '0.5']],
	['baseFingerprint', [null, 'w', [], { ...fingerprint, weights: 1 }]],
	['earlierBases', [fingerprint, [fingerprint, {}]]],
	['doubleQuantization', ['true', 1]],
	['bidirectionalLayers', [-1, 0.5, '2']],
	['trained', [{ method: 'qlora' }, { base: 'nf4' }, null]],
	['head', [[], null, 'last']],
	['model', [1]],
	[
		'stack',
		[
			{ ...stack, type: 'other' },
			{ ...stack, deviation: 0 },
			{ ...stack, mean: null },
		],
	],
	['stack', [{ ...stack, hash: 1 }, { ...stack, more: 1 }, { ...stack, deviation: null }, []]],
	[
		'calibration',
		[
			{ isotonic: calibration.isotonic },
			{ temperature: calibration.temperature },
			...[0, '2'].map((value) => ({ ...calibration, temperature: { value, threshold: 0.5 } })),
			{ ...calibration, temperature: { value: 2, threshold: 1.5 } },
			...[
				{ x: [], y: [] },
				{ x: [0.5], y: [0, 1] },
				{ x: [0.25, 2], y: [0, 1] },
				{ x: [0.25, 0.5], y: [-1, 1] },
				{ x: 1, y: [1] },
				{ x: [1], y: 1 },
			].map((points) => ({ ...calibration, isotonic: { ...points, threshold: 0.5 } })),
			{ ...calibration, isotonic: { ...calibration.isotonic, threshold: -1 } },
		],
	],
])('names the key that is not what it must be: %s', (key, values) => {
	for (const value of values) {
		expect(() => read({ [key]: value }), JSON.stringify(value)).toThrow(
			expect.objectContaining({
				code: 'DETECTOR_DESCRIPTION',
				place: `${path.join(folder, DESCRIPTION)}: ${key}`,
			}),
		);
	}
});
