import { found } from '../../config/fault-text.ts';
import type { Axis } from './expand.ts';
import { type ParsedGrid, rangeSchema } from './grid-schema.ts';
import { asFlag, axisFault } from './settings.ts';

interface AxisFault {
	/** Where below the axis. */
	readonly path: readonly number[];
	readonly message: string;
}

type ReadAxis =
	| { readonly axis: Axis; readonly fault?: undefined }
	| { readonly axis?: undefined; readonly fault: AxisFault };

const refused = (message: string, ...path: readonly number[]): ReadAxis => ({ fault: { path, message } });

/** An axis of a grid from what stands there: a list of values, or for a search a range of them. */
export function readAxis(name: string, value: unknown, search: ParsedGrid['search']['type']): ReadAxis {
	const fault = axisFault(name);
	if (fault !== undefined) return refused(fault);
	if (search === 'halving' && name === 'training.epochs') {
		return refused('the rungs of search.type halving have their own numbers of epochs: leave it out');
	}
	if (Array.isArray(value)) return readList(value);
	if (typeof value === 'object' && value !== null) return readRange(value, search);
	const one = value ?? 'VALUE';
	return refused(
		`expected a list of values, found ${found(value ?? undefined)}: write [${asFlag(one)}, …], or set it in the config where all cells have the same`,
	);
}

function readList(values: readonly unknown[]): ReadAxis {
	if (values.length === 0) return refused('the list holds no value: give it some, or leave the axis out');
	const texts = values.map(asFlag);
	const twin = texts.findIndex((text, i) => texts.indexOf(text) < i);
	if (twin < 0) return { axis: values };
	return refused(
		`${found(values[twin])} stands there twice: leave one out, and for runs that repeat others give training.seed several values`,
		twin,
	);
}

function readRange(value: object, search: ParsedGrid['search']['type']): ReadAxis {
	if (search === 'grid') {
		return refused(
			`a range has values for search.type random or halving only, expected a list, found ${found(value)}`,
		);
	}
	const { success, data } = rangeSchema.safeParse(value);
	if (!success) {
		return refused(
			`expected a list of values, or a range { from: 1, to: 9 }, with scale: linear or log and whole: true or false where wanted, found ${found(value)}`,
		);
	}
	const { from, to, scale } = data;
	if (from >= to) return refused(`expected from below to, found ${from} and ${to}`);
	if (scale === 'log' && from <= 0) return refused(`expected from above 0 on a log scale, found ${from}`);
	return { axis: data };
}
