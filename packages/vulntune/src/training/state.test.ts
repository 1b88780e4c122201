import { createParameters, createReferenceBackend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { createOptimizer } from './optimizer.ts';
import { checkpointFiles, initialRunState, type RunState, restoreCheckpoint } from './state.ts';

const backend = createReferenceBackend();
const parameters = createParameters(backend, [{ name: 'matrix', shape: [1, 2] }]);
const optimizer = createOptimizer(backend, parameters, { weightDecay: 0, clipNorm: null });

/** Saves a state and restores it, its description as an earlier version wrote it. */
function restore(state: RunState, rewrite: (text: string) => string = (text) => text): RunState {
	const files = new Map(
		[...checkpointFiles(backend, state, parameters, optimizer, { settings: 'these' })].map(
			([name, bytes]) => [
				name,
				Buffer.from(name === 'state.json' ? rewrite(Buffer.from(bytes).toString('utf8')) : bytes),
			],
		),
	);
	return restoreCheckpoint<RunState>(backend, { place: 'runs/a', files }, parameters, optimizer, {
		settings: 'these',
	}).state;
}

const withoutRules = (text: string) => text.replace(/"rules":\d+,/, '');

it('refuses to go on with a run of a version that trained otherwise', () => {
	const state = { ...initialRunState(), step: 3 };
	expect(restore(state)).toEqual(state);
	expect(() => restore(state, withoutRules)).toThrow(
		expect.objectContaining({ code: 'CHECKPOINT_OTHER_VERSION', place: 'runs/a' }),
	);
});

it('knows a run as finished, whatever version finished it', () => {
	const state = { ...initialRunState(), finished: true };
	expect(restore(state, withoutRules)).toEqual(state);
});
