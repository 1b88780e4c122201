import { nearestName } from '../../config/nearest.ts';
import { configOptions, configSections } from '../../config/options.ts';
import type { ConfigOverrides } from '../../config/overrides.ts';
import type { ConfigFault } from '../../config/validate.ts';

type Path = readonly (string | number)[];

/** Options of a config by name, each with its value and where it stands in the grid's file. */
export type CellSettings = ReadonlyMap<string, { readonly value: unknown; readonly path: Path }>;

/** What says where or how fast a run is computed, or what projects are called: other values make no other run. */
const withoutResult = /^(backend\.|training\.checkpoint(EverySteps|ing)$|data\.projects$)/;

/**
 * The options in a part of a grid: dotted names, or sections with options in them. What is no option goes to `faults`.
 *
 * @param path where the part stands in the file
 */
export function readSettings(
	value: Readonly<Record<string, unknown>>,
	path: Path,
	faults: ConfigFault[],
): CellSettings {
	const entries = Object.entries(value).flatMap(([key, entry]): [string, unknown, Path][] => {
		if (!isSectionName(key) || typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
			return [[key, entry, [...path, key]]];
		}
		return Object.entries(entry).map(([name, own]) => [`${key}.${name}`, own, [...path, key, name]]);
	});
	const settings = new Map<string, { value: unknown; path: Path }>();
	for (const [name, entry, place] of entries) {
		const fault = nameFault(name) ?? (settings.has(name) ? 'stands there twice: leave one out' : undefined);
		if (fault === undefined) settings.set(name, { value: entry, path: place });
		else faults.push({ path: place, message: `${name}: ${fault}` });
	}
	return settings;
}

function isSectionName(key: string): boolean {
	return configSections.some(({ name }) => name !== '' && name === key);
}

/** What is wrong with a name as that of an option that a cell sets; undefined where nothing is. */
function nameFault(name: string): string | undefined {
	if (name === 'output') return 'each cell has a run folder of its own in --output: leave it out';
	const names = configOptions.map((option) => option.name);
	if (isSectionName(name)) {
		const first = names.find((option) => option.startsWith(`${name}.`));
		return `a section of the config: write its options, as in ${first} or ${name}: { … }`;
	}
	if (names.includes(name)) return undefined;
	const sameLast = configOptions.find((option) => option.path.at(-1) === name)?.name;
	const meant = sameLast ?? nearestName(name, names);
	return `unknown option${meant === undefined ? '' : `, did you mean ${meant}?`}`;
}

/** What is wrong with an option as an axis: one whose values make no different runs. */
export function axisFault(name: string): string | undefined {
	return withoutResult.test(name)
		? 'changes no result, so that its cells would all be the same run: set it in the config or with a flag'
		: undefined;
}

/** Settings as the text of flags, which are laid over a config. */
export function asOverrides(settings: ReadonlyMap<string, unknown>): ConfigOverrides {
	return Object.fromEntries([...settings].map(([name, value]) => [name, asFlag(value)]));
}

/** A value as the text of a flag: what has the same text is the same setting. */
export function asFlag(value: unknown): string {
	return typeof value === 'string' ? value : JSON.stringify(value);
}
