import { type KeyTable, keyTable } from '../known-keys.ts';
import type { Fields } from './fields.ts';

/** How the rotary frequencies differ from theta^(-2i/headDim). */
export type RopeScaling =
	| { readonly type: 'none' }
	/** Every position is divided by `factor` (DeepSeek-Coder). */
	| { readonly type: 'linear'; readonly factor: number }
	/** Low frequencies are divided by `factor`, high ones are kept, those between are blended (Llama 3.1). */
	| {
			readonly type: 'llama3';
			readonly factor: number;
			readonly lowFrequencyFactor: number;
			readonly highFrequencyFactor: number;
			readonly originalMaxPositions: number;
	  };

export interface RopeConfig {
	readonly ropeTheta: number;
	readonly ropeScaling: RopeScaling;
	/** The share of a head's elements that are turned. */
	readonly turnedShare: number;
	/** Up to this position the angles are exactly those described. */
	readonly maxPositions: number;
}

/** What a family calls its settings outside of `rope_parameters` and `rope_scaling`. */
export interface RopeNames {
	readonly theta: string;
	/** undefined where only whole heads are turned; `otherwise` is what a file means that leaves it out. */
	readonly share: { readonly name: string; readonly otherwise: number } | undefined;
}

/** The keys of config.json that `parseRope` reads. */
export const ropeConfigKeys: readonly string[] = [
	...['max_position_embeddings', 'original_max_position_embeddings', 'partial_rotary_factor'],
	...['rope_parameters', 'rope_scaling', 'rope_theta'],
];

/** The keys inside `rope_parameters` and `rope_scaling`, by the type of scaling. */
const ropeKeys = {
	default: ropeTable([]),
	linear: ropeTable(['factor']),
	dynamic: ropeTable(['factor']),
	llama3: ropeTable(['factor', 'low_freq_factor', 'high_freq_factor']),
} as const;

function ropeTable(own: readonly string[]): KeyTable {
	const common = [
		'rope_type',
		'type',
		'rope_theta',
		'partial_rotary_factor',
		'original_max_position_embeddings',
	];
	return keyTable({ used: [...common, ...own], neutral: [] });
}

/**
 * Reads the rotary settings in both styles: `rope_parameters` (transformers 5) or `rope_theta` beside
 * `rope_scaling` (transformers 4, most published checkpoints). A file may have both where they agree: transformers 5 goes by
 * `rope_scaling`, other readers by the other, so that two which differ are refused.
 */
export function parseRope(
	fields: Fields,
	defaultMaxPositions: number,
	names: RopeNames = { theta: 'rope_theta', share: undefined },
): RopeConfig {
	const maxPositions = fields.size('max_position_embeddings', { default: defaultMaxPositions });
	const spellings = ['rope_scaling', 'rope_parameters'] as const;
	const readings = spellings.flatMap((name) => {
		const parameters = fields.object(name);
		return parameters === undefined || parameters.isEmpty
			? []
			: [parseSpelling(fields, parameters, maxPositions, names)];
	});
	const [first, second] = readings;
	if (first === undefined) {
		return {
			ropeTheta: fields.positive(names.theta, 10_000),
			turnedShare: parseShare(fields, fields, names),
			ropeScaling: { type: 'none' },
			maxPositions,
		};
	}
	if (second !== undefined && JSON.stringify(first) !== JSON.stringify(second)) {
		throw fields.error(
			'rope_scaling',
			`rope_parameters says otherwise: ${JSON.stringify(first)} here, ${JSON.stringify(second)} there`,
			'Remove the one that is not meant; transformers 5 goes by rope_scaling.',
		);
	}
	return first;
}

function parseSpelling(config: Fields, fields: Fields, maxPositions: number, names: RopeNames): RopeConfig {
	const ropeTheta = agreeing(fields, 'rope_theta', config, names.theta, (from, name) =>
		from.positive(name, 10_000),
	);
	const turnedShare = parseShare(config, fields, names);
	const type = agreeing(fields, 'rope_type', fields, 'type', (from, name) => from.text(name) ?? 'default');
	if (!Object.hasOwn(ropeKeys, type)) {
		throw fields.error(
			fields.has('rope_type') ? 'rope_type' : 'type',
			`RoPE scaling of type default, linear, dynamic or llama3 is expected, found ${JSON.stringify(type)}`,
			'Models with this scaling are not supported yet: choose another base model.',
		);
	}
	fields.refuseOthers(ropeKeys[type as keyof typeof ropeKeys]);
	return {
		ropeTheta,
		turnedShare,
		...parseScaling(config, fields, type as keyof typeof ropeKeys, maxPositions),
	};
}

function parseScaling(
	config: Fields,
	fields: Fields,
	type: keyof typeof ropeKeys,
	maxPositions: number,
): { readonly ropeScaling: RopeScaling; readonly maxPositions: number } {
	const trainedPositions = () => {
		const name = 'original_max_position_embeddings';
		return agreeing(config, name, fields, name, (from) => from.size(name, { default: maxPositions }));
	};
	switch (type) {
		case 'default':
			return { ropeScaling: { type: 'none' }, maxPositions };
		case 'linear':
			return { ropeScaling: { type: 'linear', factor: fields.positive('factor') }, maxPositions };
		case 'dynamic':
			// The base grows only with sequences beyond the trained length: up to it, nothing is scaled.
			return { ropeScaling: { type: 'none' }, maxPositions: Math.min(trainedPositions(), maxPositions) };
		case 'llama3':
			return { ropeScaling: parseLlama3(fields, trainedPositions()), maxPositions };
	}
}

/** One setting that a file may hold in two places, which must agree. */
function agreeing<Value>(
	first: Fields,
	firstName: string,
	second: Fields,
	secondName: string,
	read: (from: Fields, name: string) => Value,
): Value {
	if (!first.has(firstName)) return read(second, secondName);
	const value = read(first, firstName);
	if (second.has(secondName) && read(second, secondName) !== value) {
		throw first.error(
			firstName,
			`${second.place}: ${secondName} says ${read(second, secondName)}, and this ${value}`,
		);
	}
	return value;
}

function parseLlama3(fields: Fields, originalMaxPositions: number): RopeScaling {
	const lowFrequencyFactor = fields.positive('low_freq_factor');
	const highFrequencyFactor = fields.positive('high_freq_factor');
	if (highFrequencyFactor <= lowFrequencyFactor) {
		throw fields.error(
			'high_freq_factor',
			`a number above low_freq_factor (${lowFrequencyFactor}) is expected, found ${highFrequencyFactor}`,
		);
	}
	return {
		type: 'llama3',
		factor: fields.positive('factor'),
		lowFrequencyFactor,
		highFrequencyFactor,
		originalMaxPositions,
	};
}

const shareName = 'partial_rotary_factor';

/** From the place of the scaling, else from config.json itself. */
function parseShare(config: Fields, fields: Fields, { share }: RopeNames): number {
	if (share === undefined) {
		for (const from of [config, fields]) {
			if (!from.has(shareName) || from.raw(shareName) === 1) continue;
			throw from.error(
				shareName,
				'only models that rotate whole heads are supported (1, or no such field)',
				'Choose another base model.',
			);
		}
		return 1;
	}
	const { name: outside, otherwise } = share;
	return agreeing(fields, shareName, config, outside, (from, name) => {
		const value = from.positive(name, otherwise);
		if (value > 1) throw from.error(name, `a share of a head up to 1 is expected, found ${value}`);
		return value;
	});
}
