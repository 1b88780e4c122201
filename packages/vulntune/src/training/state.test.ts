import { createParameters, createReferenceBackend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import type { RunIdentity } from '../run/identity.ts';
import { createOptimizer } from './optimizer.ts';
import {
	checkpointFiles,
	checkpointName,
	initialRunState,
	type RunState,
	restoreCheckpoint,
	vectors,
} from './state.ts';

const backend = createReferenceBackend();
const parameters = createParameters(backend, [{ name: 'matrix', shape: [1, 2] }]);
const optimizer = createOptimizer(backend, parameters, { weightDecay: 0, clipNorm: null });

/** Saves a state and restores it, its description as an earlier version wrote it. */
function restore(
	state: RunState,
	rewrite: (text: string) => string = (text) => text,
	identity: RunIdentity = { settings: 'these' },
	meanwhile = () => {},
): RunState {
	const files = new Map(
		[...checkpointFiles(backend, state, parameters, optimizer, { settings: 'these' })].map(
			([name, bytes]) => [
				name,
				Buffer.from(name === 'state.json' ? rewrite(Buffer.from(bytes).toString('utf8')) : bytes),
			],
		),
	);
	meanwhile();
	const checkpoint = { place: 'runs/a', files };
	return restoreCheckpoint<RunState>(backend, checkpoint, parameters, optimizer, identity).state;
}

const withoutRules = (text: string) => text.replace(/"rules":\d+,/, '');

it('refuses to go on with a run of a version that trained otherwise', () => {
	const state = { ...initialRunState(), step: 3 };
	expect(restore(state)).toEqual(state);
	expect(() => restore(state, withoutRules)).toThrow(
		expect.objectContaining({ code: 'CHECKPOINT_OTHER_VERSION', place: 'runs/a' }),
	);
});

it('knows a run as finished, whatever version finished it, save where it is to go on', () => {
	const state = { ...initialRunState(), finished: true };
	expect(restore(state, withoutRules)).toEqual(state);
	expect(() => restore(state, withoutRules, { settings: 'these', epochs: '9' })).toThrow(
		expect.objectContaining({ code: 'CHECKPOINT_OTHER_VERSION' }),
	);
});

it('puts parameters, gradients and moments back, of this run alone', () => {
	const views = [...vectors(parameters, optimizer).values()];
	const read = () => views.map((view) => [...backend.download(view)]);
	for (const [i, view] of views.entries()) backend.upload(view, Float32Array.of(2 * i + 1, 2 * i + 2));
	const saved = read();
	expect(saved.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
	const forget = () => {
		for (const view of views) backend.fill(view, 0);
	};
	const state = initialRunState();
	expect(() => restore(state, undefined, { settings: 'others' }, forget)).toThrow(
		expect.objectContaining({ code: 'CHECKPOINT_OTHER_RUN', place: 'runs/a' }),
	);
	expect(read().flat()).toEqual(new Array(8).fill(0));
	for (const [i, view] of views.entries()) backend.upload(view, Float32Array.from(saved[i]!));
	expect(restore(state, undefined, undefined, forget)).toEqual(state);
	expect(read()).toEqual(saved);
});

it('names checkpoints so that they sort by age', () => {
	const ages = [
		{ step: 9, epoch: 1, packs: 9 },
		{ step: 9, epoch: 1, packs: 10 },
		{ step: 9, epoch: 2, packs: 0 },
		{ step: 10, epoch: 2, packs: 1 },
	];
	const names = ages.map((age) => checkpointName({ ...initialRunState(), ...age }));
	expect(names.toSorted()).toEqual(names);
	expect(new Set(names).size).toBe(4);
});

it('restores moments in 8 bits to the byte', () => {
	const settings = { name: 'adamw8bit', weightDecay: 0, clipNorm: null } as const;
	const opened = () => {
		const made = createParameters(backend, [{ name: 'matrix', shape: [1, 300] }]);
		backend.fill(made.values, 1);
		return { made, states: createOptimizer(backend, made, settings) };
	};
	const step = ({ made, states }: ReturnType<typeof opened>, count: number) => {
		backend.upload(
			made.gradients,
			Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * count)),
		);
		states.step(count, 0.1);
	};
	const [run, resumed] = [opened(), opened()];
	step(run, 1);
	const identity = { settings: 'these' };
	const files = checkpointFiles(backend, initialRunState(), run.made, run.states, identity);
	const buffers = new Map(Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes)]));
	restoreCheckpoint(backend, { place: 'runs/a', files: buffers }, resumed.made, resumed.states, identity);
	step(run, 2);
	step(resumed, 2);
	expect(backend.download(resumed.made.values)).toEqual(backend.download(run.made.values));
});
