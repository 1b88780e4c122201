import { benchRow } from '../../row.ts';
import { type PeerStep, type StepGroup, type StepSettings, speedRow } from '../group.ts';
import { MIXED_LENGTHS } from '../packs.ts';
import { loraStep } from './lora.ts';

/** Functions of 128 tokens, four at a time: what the peers get, without padding. */
const equalLengths = { task: 'forward', base: 'bf16', length: 512, functions: 4 } as const;

const compiledPeers: readonly PeerStep[] = (['fp32', 'bf16'] as const).map((base) => ({
	name: `PyTorch ${base} torch.compile`,
	needsBf16: base === 'bf16',
	script: 'llama.py',
	settings: { task: 'forward', base, compiled: true, batch: 4, length: 128 },
}));

const llamaCppPeers: readonly PeerStep[] = ['BF16', 'F16', 'Q8_0', 'Q4_0'].map((type) => ({
	name: `llama.cpp ${type}`,
	needsBf16: false,
	script: 'llama_cpp_forward.py',
	settings: { type, batch: 4, length: 128 },
}));

/** Scoring of equal lengths, by the arithmetic of the base's products. */
const forwardSteps: Readonly<Record<string, StepSettings>> = {
	'forward-135m-bf16': { ...equalLengths, precision: 'bf16' },
	'forward-135m-int8': { ...equalLengths, precision: 'int8' },
};
const bf16 = 'forward-135m-bf16';
const besideLlamaCpp = 'forward-135m-bf16-llama.cpp';

/** Equal lengths, beside compiled PyTorch and llama.cpp. */
export const forwardGroup: StepGroup = {
	rowNames: [...Object.keys(forwardSteps), besideLlamaCpp],
	own: forwardSteps,
	peers: [...compiledPeers, ...llamaCppPeers],
	rows: (figures) => [
		...Object.entries(forwardSteps).map(([name, step]) => speedRow(name, step, figures)),
		speedRow(besideLlamaCpp, forwardSteps[bf16]!, figures, 'llama_cpp_forward.py', bf16),
	],
};

/** As long as ours, which have a closing token each. */
const closedLengths = MIXED_LENGTHS.map((length) => length + 1);

const packed = 'forward-135m-bf16-packed';
const mixed = 'forward-135m-bf16-mixed';
const packedStep: StepSettings = { ...loraStep(512), task: 'forward' };
const mixedStep: StepSettings = { ...packedStep, functions: 'mixed' };

/** Packs of real functions, and 32 functions of mixed lengths, which PyTorch gets sorted by length and padded. */
export const forwardPackedGroup: StepGroup = {
	rowNames: [packed, mixed],
	maxRounds: 3,
	own: { [packed]: packedStep, [mixed]: mixedStep },
	peers: (['fp32', 'bf16'] as const).flatMap((base) =>
		[false, true].map((compiled) => ({
			name: `PyTorch ${base}${compiled ? ' torch.compile' : ''}, padded`,
			needsBf16: base === 'bf16',
			script: 'llama.py' as const,
			settings: { task: 'forward', base, compiled, batch: 8, lengths: closedLengths },
		})),
	),
	rows: (figures) => [
		speedRow(packed, packedStep, { ...figures, peersOf: () => noPeer }),
		speedRow(mixed, mixedStep, figures),
	],
};
const noPeer = { peers: [], absent: undefined, note: undefined };

const lengths = [512, 2048, 8192];
const costRow = 'cost-per-token-512-to-8192';
const costStep = (length: number): StepSettings => ({ ...packedStep, length, functions: 'short' });

/** Short functions in ever longer sequences: a function sees only itself, so a token costs the same in all of them. */
export const costGroup: StepGroup = {
	rowNames: [costRow],
	maxRounds: 2,
	own: Object.fromEntries(lengths.map((length) => [`forward-135m-bf16-short-t${length}`, costStep(length)])),
	peers: [],
	rows(figures) {
		const speeds = lengths.map((length) => figures.speed(`forward-135m-bf16-short-t${length}`));
		const value = Math.max(...speeds) / Math.min(...speeds);
		const note = lengths.map((length, i) => `${length}: ${speeds[i]!.toFixed(0)}`).join(', ');
		return [
			benchRow({ name: costRow, value, unit: 'dearest of cheapest', note: `tokens/s by length ${note}` }),
		];
	},
};
