import type { Attention } from '../layers/attention.ts';
import type { Block } from '../layers/block.ts';
import type { LinearLayer } from '../layers/linear-layer.ts';
import type { Mlp } from '../layers/mlp.ts';

/** Every linear layer of the blocks, in the order in which data flows through them. */
export function linearsOf(blocks: readonly Block[]): LinearLayer[] {
	const found: LinearLayer[] = [];
	mapLinears(blocks, (layer) => {
		found.push(layer);
		return layer;
	});
	return found;
}

/** The blocks with every linear layer replaced, asked for in the order in which data flows through them. */
export function mapLinears(
	blocks: readonly Block[],
	replace: (layer: LinearLayer) => LinearLayer,
): readonly Block[] {
	return blocks.map((block): Block => {
		const { projection, output } = block.attention;
		const attention = {
			...block.attention,
			projection: mapProjection(projection, replace),
			output: replace(output),
		};
		return { ...block, attention, mlp: mapMlp(block.mlp, replace) };
	});
}

function mapProjection(
	projection: Attention['projection'],
	replace: (layer: LinearLayer) => LinearLayer,
): Attention['projection'] {
	if ('fused' in projection) return { fused: replace(projection.fused) };
	if ('interleaved' in projection) return { interleaved: replace(projection.interleaved) };
	if ('stacked' in projection) return { stacked: replace(projection.stacked) };
	const { query, key, value } = projection;
	return { ...projection, query: replace(query), key: replace(key), value: replace(value) };
}

function mapMlp(mlp: Mlp, replace: (layer: LinearLayer) => LinearLayer): Mlp {
	if (mlp.kind === 'gated') {
		return { ...mlp, gate: replace(mlp.gate), up: replace(mlp.up), down: replace(mlp.down) };
	}
	if (mlp.kind === 'gatedHalves') return { ...mlp, halves: replace(mlp.halves), down: replace(mlp.down) };
	return { ...mlp, up: replace(mlp.up), down: replace(mlp.down) };
}
