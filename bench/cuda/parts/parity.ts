import { registerHooks } from 'node:module';
import { type Outcome, runTests } from '../test-runner.ts';

/** The golden values of the Python stack: models, packs, gradients and whole trajectories of training in float32. */
const files = ['models', 'training', 'pooling', 'prefix', 'bidirectional', 'classifier-head'];

/** The parity tests on the card, as `npm test` runs them on the backends of a machine without one. */
export async function parityPart(): Promise<Outcome> {
	const runner = new URL('../test-runner.ts', import.meta.url).href;
	registerHooks({
		resolve: (name, context, next) =>
			name === 'vitest' ? { url: runner, shortCircuit: true } : next(name, context),
	});
	for (const file of files) await import(`../../../tests/parity/${file}.test.ts`);
	return runTests(/ on cuda/);
}
