import type { Activation } from '../backends/contract.ts';
import type { Fields } from '../formats/huggingface/fields.ts';

export type GeluVariant = Extract<Activation, 'gelu' | 'geluTanh'>;

/** transformers' names: the exact function, and ways to write its approximation by tanh (Hendrycks & Gimpel 2016). */
const names: Readonly<Record<string, GeluVariant>> = {
	gelu: 'gelu',
	gelu_python: 'gelu',
	gelu_new: 'geluTanh',
	gelu_fast: 'geluTanh',
	gelu_pytorch_tanh: 'geluTanh',
};

/** Reads the activation of a plain feed-forward network; throws MODEL_CONFIG for another. */
export function parseGelu(fields: Fields, name: string, otherwise: string): GeluVariant {
	const activation = fields.text(name) ?? otherwise;
	if (Object.hasOwn(names, activation)) return names[activation]!;
	throw fields.error(
		name,
		`${Object.keys(names).join(', ')} are expected, found ${JSON.stringify(activation)}`,
		'Models with this activation are not supported: choose another base model.',
	);
}

/** Reads the activation of a gated network, which is SiLU; throws MODEL_CONFIG for another. */
export function checkSilu(fields: Fields, name: string): void {
	const activation = fields.text(name) ?? 'silu';
	if (activation === 'silu' || activation === 'swish') return;
	throw fields.error(name, `silu is expected, found ${JSON.stringify(activation)}`);
}
