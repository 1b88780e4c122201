import { type PeerStep, type StepGroup, type StepSettings, speedRow } from '../group.ts';
import { loraStep } from './lora.ts';

/** Functions of 128 tokens, four at a time: what the peers get, without padding. */
const equalLengths = { task: 'forward', base: 'bf16', length: 512, functions: 4 } as const;

const compiledPeers: readonly PeerStep[] = (['fp32', 'bf16'] as const).map((base) => ({
	name: `PyTorch ${base} torch.compile`,
	needsBf16: base === 'bf16',
	script: 'llama.py',
	settings: { task: 'forward', base, compiled: true, batch: 4, length: 128 },
}));

/** Scoring of equal lengths, by the arithmetic of the base's products. */
const forwardSteps: Readonly<Record<string, StepSettings>> = {
	'forward-135m-bf16': { ...equalLengths, precision: 'bf16' },
};

export const forwardGroup: StepGroup = {
	rowNames: Object.keys(forwardSteps),
	own: forwardSteps,
	peers: compiledPeers,
	rows: (figures) => Object.keys(forwardSteps).map((name) => speedRow(name, 'forward', figures)),
};

const packed = 'forward-135m-bf16-packed';

/** Scoring of packs of real functions. */
export const forwardPackedGroup: StepGroup = {
	rowNames: [packed],
	own: { [packed]: { ...loraStep(512), task: 'forward' } },
	peers: [],
	rows: (figures) => [speedRow(packed, 'forward', figures)],
};
