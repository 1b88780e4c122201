import { formatBytes } from '../terminal/format.ts';
import { textTable } from '../terminal/text-table.ts';
import type { ModelMemory, PlaceFit } from '../training/what-fits.ts';

/** What a model takes in memory, as lines for people. */
export function describeMemory({ tokens, weights, fits }: ModelMemory): string {
	const sizes = Object.entries(weights).map(([type, bytes]) => `${type} ${formatBytes(bytes)}`);
	const places = fits.filter(({ method }) => method === 'qlora');
	const row = (method: PlaceFit['method'], base: string) => [
		`${method} (${base})`,
		...fits.filter((fit) => fit.method === method).map(cell),
	];
	const table = textTable([['', ...places.map(nameOf)], row('qlora', 'nf4'), row('lora', 'bf16')]);
	return [
		`In memory the weights take ${sizes.join(', ')}.`,
		`Fine-tuning adapters of rank 8 on sequences of ${tokens} tokens, by estimate; c: with training.checkpointing, h: with host there:`,
		table,
	].join('\n');
}

function nameOf({ place, gigabytes }: PlaceFit): string {
	return place === 'machine' ? `here (${formatBytes(gigabytes * 1e9)})` : `${gigabytes} GB card`;
}

function cell({ fits, bytes, checkpointing }: PlaceFit): string {
	const how = checkpointing === 'host' ? ' h' : checkpointing ? ' c' : '';
	return fits ? `${formatBytes(bytes)}${how}` : `no: ${formatBytes(bytes)}`;
}
