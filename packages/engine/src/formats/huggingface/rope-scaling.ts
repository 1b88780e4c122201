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
	/** Up to this position the angles are exactly those described. */
	readonly maxPositions: number;
}

/**
 * Reads the rotary settings in both styles: `rope_parameters` (transformers 5) or `rope_theta` beside
 * `rope_scaling` (transformers 4, most published checkpoints).
 */
export function parseRope(fields: Fields, defaultMaxPositions: number): RopeConfig {
	const maxPositions = fields.size('max_position_embeddings', { default: defaultMaxPositions });
	const parameters = fields.object('rope_parameters') ?? fields.object('rope_scaling');
	const thetaFields = parameters?.has('rope_theta') ? parameters : fields;
	const ropeTheta = thetaFields.positive('rope_theta', 10_000);
	refusePartialRotation(fields);
	if (parameters === undefined) return { ropeTheta, ropeScaling: { type: 'none' }, maxPositions };
	refusePartialRotation(parameters);
	return { ropeTheta, ...parseScaling(parameters, maxPositions) };
}

function parseScaling(
	fields: Fields,
	maxPositions: number,
): { readonly ropeScaling: RopeScaling; readonly maxPositions: number } {
	const typeField = fields.has('rope_type') ? 'rope_type' : 'type';
	const type = fields.text(typeField) ?? 'default';
	switch (type) {
		case 'default':
			return { ropeScaling: { type: 'none' }, maxPositions };
		case 'linear':
			return { ropeScaling: { type: 'linear', factor: fields.positive('factor') }, maxPositions };
		case 'dynamic': {
			// The base grows only with sequences beyond the trained length: up to it, nothing is scaled.
			const trained = fields.size('original_max_position_embeddings', { default: maxPositions });
			return { ropeScaling: { type: 'none' }, maxPositions: Math.min(trained, maxPositions) };
		}
		case 'llama3':
			return { ropeScaling: parseLlama3(fields), maxPositions };
		default:
			throw fields.error(
				typeField,
				`RoPE scaling of type default, linear, dynamic or llama3 is expected, found ${JSON.stringify(type)}`,
				'Models with this scaling are not supported yet: choose another base model.',
			);
	}
}

function parseLlama3(fields: Fields): RopeScaling {
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
		originalMaxPositions: fields.size('original_max_position_embeddings'),
	};
}

function refusePartialRotation(fields: Fields): void {
	const name = 'partial_rotary_factor';
	if (fields.has(name) && fields.raw(name) !== 1) {
		throw fields.error(
			name,
			'only models that rotate whole heads are supported (1, or no such field)',
			'Choose another base model.',
		);
	}
}
