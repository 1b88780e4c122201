import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../../tests/tiny.ts';
import { DESCRIPTION, STACK_FILE } from '../../methods/description.ts';
import { fitNgram } from './model.ts';
import { readStack, restoreStack, writtenStack } from './stack-file.ts';

it('writes n-grams again that were lost beside a head, and no others', () => {
	const folder = temporaryFolder();
	const rows = ['a();', 'b(1);'].map((text, i) => ({ text, label: i as 0 | 1 }));
	const model = fitNgram(rows, { minDocumentFrequency: 1 });
	const { text, description } = writtenStack({ model, mean: 1, deviation: 2 });
	const file = path.join(folder, STACK_FILE);
	const describe = (json: object) => writeFileSync(path.join(folder, DESCRIPTION), JSON.stringify(json));
	describe({ format: 1, threshold: 0.5, stack: description });
	for (const damage of [() => rmSync(file, { force: true }), () => writeFileSync(file, text.slice(0, -9))]) {
		damage();
		restoreStack(folder, text);
		expect(readFileSync(file, 'utf8')).toBe(text);
	}
	expect(readStack(folder, description).mean).toBe(1);
	// those that the head was trained with stay
	restoreStack(folder, '{}');
	expect(readFileSync(file, 'utf8')).toBe(text);
	rmSync(file);
	expect(() => restoreStack(folder, '{}')).toThrow(expect.objectContaining({ code: 'STACK_FILE' }));
	describe({ format: 1, threshold: 0.5 });
	expect(() => restoreStack(folder, text)).toThrow(
		expect.objectContaining({ code: 'DETECTOR_DESCRIPTION', place: path.join(folder, DESCRIPTION) }),
	);
});
