import type { Backend, Parameters } from '@vulntune/engine';
import { expect } from 'vitest';
import { type readGolden, relativeDifference } from './golden.ts';

/** That the gradients of an adapter and its head are the golden's of these names behind `prefix`. */
export function expectGradients(
	backend: Backend,
	parameters: Parameters,
	golden: ReturnType<typeof readGolden>,
	prefix: string,
): void {
	for (const { name } of parameters.specs) {
		const key = name === 'score.weight' ? 'head.weight' : `base_model.model.${name}`;
		// a base that was saved by itself has no prefix before its names
		const bare = key.replace(/^(base_model\.model\.)\w+\./, '$1');
		const expected = golden.get(`${prefix}${key}`) ?? golden.get(`${prefix}${bare}`);
		if (expected === undefined) continue;
		const actual = backend.download(parameters.get(name).gradient!);
		expect(relativeDifference(actual, expected.values), `${prefix}${key}`).toBeLessThan(5e-5);
	}
	const present = [...golden.keys()].some((key) => key.startsWith(prefix));
	expect(present).toBe(true);
}
