import type { Fields } from '../formats/huggingface/fields.ts';

/** How far each layer's tokens see (`AttentionShape.window`), undefined for as far as the text goes. */
export type LayerWindows = readonly (number | undefined)[];

/** `sliding_window`, which counts the token itself: null says that there is none; what a file leaves out is the type's default. */
export function parseWindow(fields: Fields, otherwise: number | undefined): number | undefined {
	if (fields.has('sliding_window')) return fields.size('sliding_window');
	return fields.isNull('sliding_window') ? undefined : otherwise;
}

/**
 * The window of each layer: what `layer_types` says, else that of `firstWindowed` and the layers after it.
 *
 * @param window that of the layers which have one
 * @param canDiffer whether layers of both types may stand beside each other; else the list must say what the type does anyway
 */
export function parseLayerWindows(
	fields: Fields,
	layers: number,
	window: number | undefined,
	{ firstWindowed, canDiffer }: { readonly firstWindowed: number; readonly canDiffer: boolean },
): LayerWindows {
	const types = fields.raw('layer_types');
	if (types === undefined) {
		return Array.from({ length: layers }, (_, layer) => (layer >= firstWindowed ? window : undefined));
	}
	const sliding = window === undefined ? [] : ['sliding_attention'];
	const known = canDiffer || window === undefined ? ['full_attention', ...sliding] : sliding;
	if (Array.isArray(types) && types.length === layers && types.every((type) => known.includes(type))) {
		return types.map((type) => (type === 'sliding_attention' ? window : undefined));
	}
	throw fields.error(
		'layer_types',
		`a list of ${layers} times ${known.join(' or ')} is expected`,
		'Models with layers of other types are not supported: choose another base model.',
	);
}
